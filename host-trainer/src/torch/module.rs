//! A network description and its weights as tensors that libtorch can run and train.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::operator::{self, KIND, Mode};
use crate::config::Precision;
use crate::network::graph::{LayerGraph, Node};
use crate::network::op::{BATCH_NORM_EPSILON, Op, Padding, Role};
use crate::weights::{self, Weights, WeightsError};

/// A network on a device.
#[derive(Debug)]
pub struct Network {
    graph: LayerGraph,
    tensors: BTreeMap<String, Tensor>,
    device: Device,
    precision: Precision,
    /// Nodes at the begin that training leaves as they are; the face is always one.
    frozen: usize,
    /// Whether batch normalization goes by running statistics in training, too.
    keeps_statistics: bool,
    /// Then: layers that also do what the batch normalization after them would, and that one.
    folded: BTreeMap<usize, usize>,
}

impl Network {
    /// The network with those weights; convolution weights are laid out channels-last, which on a
    /// CPU trains about a quarter faster.
    ///
    /// # Errors
    /// [`WeightsError::Misfit`] if the weights are another network's.
    pub fn new(graph: LayerGraph, weights: &Weights, device: Device) -> Result<Self, WeightsError> {
        weights.fit(&graph)?;
        let mut tensors = BTreeMap::new();
        for named in graph.parameters() {
            let Some(source) = weights.get(&named.name) else {
                continue; // fit() above has found it
            };
            let tensor = channels_last(&to_torch(source).to_device(device));
            let trained = !matches!(named.parameter.role, Role::Statistic(_));
            tensors.insert(named.name, tensor.set_requires_grad(trained));
        }
        Ok(Self {
            graph,
            tensors,
            device,
            precision: Precision::F32,
            frozen: 1,
            keeps_statistics: false,
            folded: BTreeMap::new(),
        })
    }

    /// The same network, of which training leaves the first `nodes` as they are, their running
    /// statistics included: those are computed without gradients, which saves most of what large
    /// maps cost.
    #[must_use]
    pub fn with_frozen(mut self, nodes: usize) -> Self {
        self.frozen = nodes;
        for node in &self.graph.nodes()[..nodes] {
            for parameter in self.graph.node_parameters(node) {
                let name = format!("{}.{}", node.name, parameter.name);
                if let Some(tensor) = self.tensors.get_mut(&name) {
                    *tensor = tensor.set_requires_grad(false);
                }
            }
        }
        self
    }

    /// The same network, whose batch normalization goes by the statistics it has, if `kept`: training
    /// leaves them as they are. What it can be folded into has its weights scaled instead of its
    /// maps, which spares two ways over them; gradients are those of the two.
    #[must_use]
    pub fn with_kept_statistics(mut self, kept: bool) -> Self {
        self.keeps_statistics = kept;
        let nodes = self.graph.nodes().iter().enumerate();
        let folded =
            nodes.filter_map(|(norm, node)| Some((self.graph.foldable_input(node)?, norm)));
        self.folded = folded.filter(|_| kept).collect();
        self
    }

    /// The same network, its activations computed in that precision; weights stay f32.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// What it computes.
    pub fn graph(&self) -> &LayerGraph {
        &self.graph
    }

    /// Where the tensors are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Embeds a batch: f32 [N, 3, S, S] in, unit rows f32 [N, D] out.
    ///
    /// S may be smaller than the network's own side where nothing but a global depthwise
    /// convolution depends on it (see [`LayerGraph::is_fixed_size`]): that layer's input is then
    /// enlarged to the size it was made for. Training on small faces first is several times
    /// cheaper, and its weights carry over.
    pub fn forward(&self, faces: &Tensor, mode: Mode) -> Tensor {
        let mut outputs: Vec<Tensor> = Vec::with_capacity(self.graph.nodes().len());
        let output = |outputs: &[Tensor], index: usize, mode| {
            let node = &self.graph.nodes()[index];
            match node.inputs.as_slice() {
                [] => channels_last(&self.rounded(faces)),
                ids => {
                    let first = self.fit_kernel(node, &outputs[ids[0].index()]);
                    let mut inputs = vec![&first];
                    inputs.extend(ids[1..].iter().map(|id| &outputs[id.index()]));
                    self.apply(index, &inputs, mode)
                }
            }
        };
        for index in 0..self.graph.nodes().len() {
            let output = match index < self.frozen {
                true => tch::no_grad(|| output(&outputs, index, Mode::Inference)),
                false => output(&outputs, index, mode),
            };
            outputs.push(output);
        }
        outputs.swap_remove(outputs.len() - 1)
    }

    /// Takes the output of node `from` of a network without branches to that of node `to`, by
    /// running statistics.
    pub(super) fn advance(&self, from: usize, to: usize, output: &Tensor) -> Tensor {
        (from + 1..=to).fold(output.shallow_clone(), |x, index| {
            self.apply(index, &[&x], Mode::Inference)
        })
    }

    /// Enlarges activations that are smaller than the kernel that is to cover all of them.
    fn fit_kernel(&self, node: &Node, x: &Tensor) -> Tensor {
        match &node.op {
            Op::Conv(conv)
                if conv.window.padding == Padding::even(0)
                    && x.size()[2] < conv.window.kernel as i64 =>
            {
                let made_for = self.graph.node(node.inputs[0]).shape;
                let size = [made_for.height as i64, made_for.width as i64];
                x.upsample_bilinear2d(size, false, None, None)
            }
            _ => x.shallow_clone(),
        }
    }

    fn apply(&self, index: usize, inputs: &[&Tensor], mode: Mode) -> Tensor {
        let node = &self.graph.nodes()[index];
        let tensor = |name: &str| self.tensor(index, name);
        if let Some(&norm) = self.folded.get(&index) {
            let (weight, bias) = self.folded_weights(index, norm);
            let rounded = |name: &str| self.rounded(if name == "bias" { &bias } else { &weight });
            return operator::apply(&node.op.with_bias(), inputs, rounded, mode);
        }
        match &node.op {
            Op::BatchNorm if self.folded.get(&node.inputs[0].index()) == Some(&index) => {
                inputs[0].shallow_clone()
            }
            // Its own numbers stay f32: libtorch normalizes bf16 by them without a cast.
            Op::BatchNorm => {
                let mode = if self.keeps_statistics {
                    Mode::Inference
                } else {
                    mode
                };
                operator::apply(&node.op, inputs, |name| tensor(name).shallow_clone(), mode)
            }
            // Lengths of embeddings differ in digits that bf16 has not.
            Op::L2Normalize => {
                let wide: Vec<Tensor> = inputs.iter().map(|x| x.to_kind(KIND)).collect();
                let wide: Vec<&Tensor> = wide.iter().collect();
                operator::apply(&node.op, &wide, |name| tensor(name).shallow_clone(), mode)
            }
            _ => operator::apply(&node.op, inputs, |name| self.rounded(tensor(name)), mode),
        }
    }

    fn tensor(&self, index: usize, name: &str) -> &Tensor {
        &self.tensors[&format!("{}.{name}", self.graph.nodes()[index].name)]
    }

    /// Weight and bias with which a layer does what batch normalization does after it.
    fn folded_weights(&self, layer: usize, norm: usize) -> (Tensor, Tensor) {
        let of_norm = |name: &str| self.tensor(norm, name);
        let deviation = (of_norm("running_var") + f64::from(BATCH_NORM_EPSILON)).sqrt();
        let scale = of_norm("weight") / deviation;
        let bias = format!("{}.bias", self.graph.nodes()[layer].name);
        let centered = match self.tensors.get(&bias) {
            Some(bias) => bias - of_norm("running_mean"),
            None => of_norm("running_mean").neg(),
        };
        let shift = of_norm("bias") + centered * &scale;
        let weight = self.tensor(layer, "weight");
        let mut rows = vec![1; weight.dim()];
        rows[0] = -1;
        (weight * scale.view(rows.as_slice()), shift)
    }

    /// A tensor in the kind that activations are computed in; gradients flow back to the f32 one.
    fn rounded(&self, tensor: &Tensor) -> Tensor {
        match self.precision {
            Precision::F32 => tensor.shallow_clone(),
            Precision::Bf16 => tensor.to_kind(Kind::BFloat16),
        }
    }

    /// All tensors, running statistics included, in the order of their names.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors that training moves, in the order of their names.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors
            .iter()
            .filter(|(_, tensor)| tensor.requires_grad())
            .map(|(name, tensor)| (name.as_str(), tensor))
    }
}

/// A tensor as libtorch has it, on the CPU.
pub fn to_torch(source: &weights::Tensor) -> Tensor {
    let extents: Vec<i64> = source.extents.iter().map(|extent| *extent as i64).collect();
    Tensor::from_slice(&source.values).view(extents.as_slice())
}

/// A tensor copied out of libtorch.
pub fn from_torch(tensor: &Tensor) -> weights::Tensor {
    let extents = tensor
        .size()
        .iter()
        .map(|extent| *extent as usize)
        .collect();
    let flat = tensor
        .detach()
        .to_device(Device::Cpu)
        .to_kind(KIND)
        .contiguous()
        .view(-1);
    let mut values = vec![0.0; flat.numel()];
    let count = values.len();
    flat.copy_data(&mut values, count);
    weights::Tensor { extents, values }
}

/// The same values with the channels innermost in memory, if there are maps at all. tch has no
/// memory-format argument; strides say it just as well.
pub fn channels_last(tensor: &Tensor) -> Tensor {
    match tensor.dim() {
        4 => tensor
            .permute([0, 2, 3, 1])
            .contiguous()
            .permute([0, 3, 1, 2]),
        _ => tensor.shallow_clone(),
    }
}
