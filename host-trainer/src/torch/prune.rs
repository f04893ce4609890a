//! A narrower network out of a trained wider one, as the first weights of a training.
//!
//! Of each block's channels those are kept from which the next block's can be told best; what the
//! kept ones cannot tell by the wider network's own weights they are fitted to by least squares,
//! block by block, on what the narrower network itself has computed so far (after He, Zhang, Sun,
//! "Channel Pruning for Accelerating Very Deep Neural Networks", arXiv:1707.06168). Training then
//! starts from a network that already sees nearly what the wider one sees, in place of from noise.

mod select;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::module::{Network, from_torch, to_torch};
use crate::network::graph::LayerGraph;
use crate::network::op::BATCH_NORM_EPSILON;
use crate::weights::{Weights, WeightsError};
use select::{Directions, Moments, moments};

/// Faces that are computed at once.
const BATCH: i64 = 32;
/// Rows and columns of each map that are looked at: as many as the last maps have.
const GRID: i64 = 7;
/// Added to the diagonal of least squares, as a share of its mean.
const RIDGE: f64 = 1e-4;

/// What pruning came to.
#[derive(Debug)]
pub struct Pruned {
    /// The narrower network's weights.
    pub weights: Weights,
    /// Of each block: its name, the channels kept of how many, and the share of what the next
    /// block computes that they leave untold.
    pub blocks: Vec<Block>,
    /// Mean squared L2 distance of the embeddings of the faces by the two networks, 0 to 4.
    pub distance: f64,
}

/// A pruned block; or the projection before the last layer, of directions in place of channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The layer whose outputs were chosen among.
    pub layer: String,
    /// Channels kept.
    pub kept: usize,
    /// Channels there were.
    pub of: usize,
    /// Share of the variance of what reads them that is lost, before anything is fitted.
    pub lost: f64,
}

/// Makes the first weights of `slim` out of the network `full` with `weights`; both are of
/// `network::mobilenet`. `faces` are normalized: f32 [N, 3, S, S] one after the other, a few
/// hundred at least.
///
/// # Errors
/// [`WeightsError::Misfit`] if the weights are another network's.
pub fn prune(
    full: &LayerGraph,
    weights: &Weights,
    slim: &LayerGraph,
    faces: &[f32],
) -> Result<Pruned, WeightsError> {
    let input = full.input();
    let (channels, side) = (input.channels as i64, input.height as i64);
    let faces = &Tensor::from_slice(faces).view([-1, channels, side, side]);
    tch::no_grad(|| {
        let teacher = Network::new(full.clone(), weights, Device::Cpu)?;
        let seen = Seen::collect(&teacher, faces);
        let plan = Plan::new(&teacher, weights, slim, &seen);
        let weights = Fit::new(weights, slim, faces, &plan, &seen)?.run()?;
        let student = Network::new(slim.clone(), &weights, Device::Cpu)?;
        let (mut sum, batches) = (0.0, faces.split(BATCH, 0));
        for faces in &batches {
            let mode = super::operator::Mode::Inference;
            let apart = teacher.forward(faces, mode) - student.forward(faces, mode);
            sum += apart.square().sum(Kind::Double).double_value(&[]);
        }
        Ok(Pruned {
            weights,
            blocks: plan.blocks,
            distance: sum / faces.size()[0] as f64,
        })
    })
}

/// Names of the 1x1 convolutions whose outputs are pruned, in order.
fn mixes(graph: &LayerGraph) -> Vec<String> {
    let names = graph.nodes().iter().map(|node| node.name.as_str());
    let mixes = names.filter(|name| name.starts_with("block") && name.ends_with(".mix"));
    mixes.map(str::to_owned).collect()
}

fn position(graph: &LayerGraph, name: &str) -> usize {
    let found = graph.nodes().iter().position(|node| node.name == name);
    found.unwrap_or_else(|| unreachable!("{} has a layer {name}", graph.name()))
}

/// Pixels of maps f32 [N, C, H, W] on a grid that moves from batch to batch: f32 [N * 49, C].
fn pixels(maps: &Tensor, batch: usize) -> Tensor {
    let (_, channels, height, _) = maps.size4().unwrap_or((0, 0, GRID, GRID));
    let step = (height / GRID).max(1);
    let (row, column) = (batch as i64 % step, batch as i64 / step % step);
    let grid = maps
        .slice(2, row, height, step)
        .slice(3, column, height, step);
    grid.permute([0, 2, 3, 1]).reshape([-1, channels])
}

/// What the wider network computes at the pixels looked at.
struct Seen {
    /// By layer: f32 [samples, channels].
    outputs: BTreeMap<String, Tensor>,
    /// Mean of the embeddings before they are brought to unit length: f64 [dimension].
    mean_embedding: Tensor,
}

impl Seen {
    fn collect(teacher: &Network, faces: &Tensor) -> Self {
        let graph = teacher.graph();
        let last = position(graph, "linear.norm");
        let mut parts: BTreeMap<String, Vec<Tensor>> = BTreeMap::new();
        let mut embeddings = Vec::new();
        for (batch, faces) in faces.split(BATCH, 0).iter().enumerate() {
            let mut x = faces.shallow_clone();
            for index in 1..=last {
                x = teacher.advance(index - 1, index, &x);
                let name = &graph.nodes()[index].name;
                let wanted = [".mix", ".filter.prelu", ".mix.prelu"];
                if wanted.iter().any(|end| name.ends_with(end)) {
                    parts
                        .entry(name.clone())
                        .or_default()
                        .push(pixels(&x, batch));
                }
            }
            embeddings.push(x);
        }
        let joined = parts
            .into_iter()
            .map(|(name, parts)| (name, Tensor::cat(&parts, 0)));
        Self {
            outputs: joined.collect(),
            mean_embedding: Tensor::cat(&embeddings, 0).mean_dim(
                [0i64].as_slice(),
                false,
                Kind::Double,
            ),
        }
    }

    fn of(&self, name: &str) -> &Tensor {
        &self.outputs[name]
    }
}

/// What is kept.
struct Plan {
    /// By 1x1 convolution: the channels kept, rising.
    kept: BTreeMap<String, Vec<i64>>,
    /// What the last maps are projected to.
    head: Directions,
    blocks: Vec<Block>,
}

impl Plan {
    /// From the last block to the first: each is asked for what the one behind it keeps.
    fn new(teacher: &Network, weights: &Weights, slim: &LayerGraph, seen: &Seen) -> Self {
        let mixes = mixes(teacher.graph());
        let width = |name: &str| slim.nodes()[position(slim, name)].shape.channels;
        let last = mixes.last().map_or("", String::as_str);
        let maps = seen.of(&format!("{last}.prelu"));
        // The embedding's values count as they come out of the normalization behind the layer.
        let scale = norm(weights, "linear.norm").factor;
        let linear = tensor(weights, "linear.weight");
        let linear = linear.reshape([scale.size()[0], maps.size()[1], -1]) * scale.view([-1, 1, 1]);
        let head = select::directions(&linear, maps, width("head"));
        let importance =
            head.read
                .square()
                .sum_dim_intlist([0i64, 2].as_slice(), false, Kind::Double);
        let wanted = (maps.to_kind(Kind::Double) - &head.mean).matmul(&head.project.tr())
            * importance.sqrt();
        let mut wanted = wanted.to_kind(Kind::Float);
        let (mut kept, mut blocks) = (BTreeMap::new(), Vec::new());
        let mut source = format!("{last}.prelu");
        for (index, mix) in mixes.iter().enumerate().rev() {
            let among = seen.of(&source);
            let (chosen, lost) = select::columns(among, &wanted, width(mix));
            blocks.push(Block {
                layer: mix.clone(),
                kept: chosen.len(),
                of: among.size()[1] as usize,
                lost,
            });
            let outputs = seen.of(mix).index_select(1, &Tensor::from_slice(&chosen));
            let spread = outputs
                .std_dim([0i64].as_slice(), false, true)
                .clamp_min(1e-6);
            wanted = outputs / spread;
            kept.insert(mix.clone(), chosen);
            if index > 0 {
                source = mix.replace(".mix", ".filter.prelu");
            }
        }
        blocks.reverse();
        blocks.push(Block {
            layer: "head".to_owned(),
            kept: width("head"),
            of: maps.size()[1] as usize,
            lost: head.left,
        });
        Self { kept, head, blocks }
    }
}

fn tensor(weights: &Weights, name: &str) -> Tensor {
    let found = weights.get(name);
    let found = found.unwrap_or_else(|| unreachable!("the weights fit, so {name} is there"));
    to_torch(found).to_kind(Kind::Double)
}

/// A batch normalization as y = x * factor + summand, f64 [channels] each.
struct Norm {
    factor: Tensor,
    summand: Tensor,
}

fn norm(weights: &Weights, name: &str) -> Norm {
    let part = |part: &str| tensor(weights, &format!("{name}.{part}"));
    let deviation = (part("running_var") + f64::from(BATCH_NORM_EPSILON)).sqrt();
    let factor = part("weight") / deviation;
    let summand = part("bias") - part("running_mean") * &factor;
    Norm { factor, summand }
}

impl Norm {
    fn kept(&self, channels: &Tensor) -> Self {
        Self {
            factor: self.factor.index_select(0, channels),
            summand: self.summand.index_select(0, channels),
        }
    }

    /// The same function, written with the statistics of what it is given: training, which
    /// normalizes by a batch's own, then begins with it too.
    fn write(&self, weights: &mut Weights, name: &str, mean: &Tensor, variance: &Tensor) {
        let deviation = (variance + f64::from(BATCH_NORM_EPSILON)).sqrt();
        for (part, value) in [
            ("weight", &self.factor * deviation),
            ("bias", &self.summand + &self.factor * mean),
            ("running_mean", mean.shallow_clone()),
            ("running_var", variance.shallow_clone()),
        ] {
            put(weights, &format!("{name}.{part}"), &value);
        }
    }
}

fn put(weights: &mut Weights, name: &str, value: &Tensor) {
    weights.insert(name, from_torch(&value.to_kind(Kind::Float)));
}

/// The narrower network in the making.
struct Fit<'a> {
    full: &'a Weights,
    slim: &'a LayerGraph,
    plan: &'a Plan,
    seen: &'a Seen,
    weights: Weights,
    /// What it has computed of the faces so far, and up to which node.
    state: Vec<Tensor>,
    node: usize,
}

impl<'a> Fit<'a> {
    fn new(
        full: &'a Weights,
        slim: &'a LayerGraph,
        faces: &Tensor,
        plan: &'a Plan,
        seen: &'a Seen,
    ) -> Result<Self, WeightsError> {
        Ok(Self {
            full,
            slim,
            plan,
            seen,
            weights: Weights::initialize(slim, 0),
            state: faces.split(BATCH, 0),
            node: 0,
        })
    }

    fn run(mut self) -> Result<Weights, WeightsError> {
        let stem = ["stem.weight", "stem.prelu.slope"];
        let parts = ["weight", "bias", "running_mean", "running_var"];
        let parts = parts.map(|part| format!("stem.norm.{part}"));
        for name in stem.into_iter().chain(parts.iter().map(String::as_str)) {
            if let Some(tensor) = self.full.get(name) {
                self.weights.insert(name, tensor.clone());
            }
        }
        let stem = self
            .weights
            .get("stem.weight")
            .map_or(0, |tensor| tensor.extents[0]);
        let mut entering = Tensor::arange(stem as i64, (Kind::Int64, Device::Cpu));
        for mix in mixes(self.slim) {
            let leaving = Tensor::from_slice(&self.plan.kept[&mix]);
            self.filter(&mix.replace(".mix", ".filter"), &entering)?;
            self.mix(&mix, &leaving)?;
            entering = leaving;
        }
        self.head()?;
        self.linear()?;
        Ok(self.weights)
    }

    fn network(&self) -> Result<Network, WeightsError> {
        Network::new(self.slim.clone(), &self.weights, Device::Cpu)
    }

    /// The output of that layer for each batch of faces; remembered from where maps are small.
    fn outputs(&mut self, layer: &str) -> Result<Vec<Tensor>, WeightsError> {
        let (network, to) = (self.network()?, position(self.slim, layer));
        let advance = |x: &Tensor| network.advance(self.node, to, x);
        let outputs: Vec<Tensor> = self.state.iter().map(advance).collect();
        Ok(outputs)
    }

    /// Goes on from behind that layer from now on, if what it gives is not much more than a face.
    fn remember(&mut self, layer: &str) -> Result<(), WeightsError> {
        let to = position(self.slim, layer);
        let shape = self.slim.nodes()[to].shape;
        if shape.volume() <= 10 * self.slim.input().volume() {
            self.state = self.outputs(layer)?;
            self.node = to;
        }
        Ok(())
    }

    /// A depthwise convolution keeps the channels that enter it.
    fn filter(&mut self, name: &str, channels: &Tensor) -> Result<(), WeightsError> {
        for (part, end) in [("weight", ""), ("slope", ".prelu")] {
            let name = format!("{name}{end}.{part}");
            let kept = tensor(self.full, &name).index_select(0, channels);
            put(&mut self.weights, &name, &kept);
        }
        let (mut count, mut sum, mut squares) = (0.0, Tensor::from(0.0), Tensor::from(0.0));
        let (network, to) = (self.network()?, position(self.slim, name));
        for state in &self.state {
            let maps = network.advance(self.node, to, state);
            let over = [0i64, 2, 3];
            count += (maps.numel() / maps.size()[1] as usize) as f64;
            sum = sum + maps.sum_dim_intlist(over.as_slice(), false, Kind::Double);
            squares = squares
                + maps
                    .square()
                    .sum_dim_intlist(over.as_slice(), false, Kind::Double);
        }
        let mean = sum / count;
        let variance = squares / count - mean.square();
        let name = format!("{name}.norm");
        let kept = norm(self.full, &name).kept(channels);
        kept.write(&mut self.weights, &name, &mean, &variance.clamp_min(0.0));
        Ok(())
    }

    /// A 1x1 convolution is fitted to what the wider network's gives in the channels kept.
    fn mix(&mut self, name: &str, channels: &Tensor) -> Result<(), WeightsError> {
        let wanted = self.seen.of(name).index_select(1, channels);
        let source = name.replace(".mix", ".filter.prelu");
        let fitted = self.fitted(&source, &wanted)?;
        let norms = format!("{name}.norm");
        let kept = norm(self.full, &norms).kept(channels);
        self.convolution(name, &fitted, &kept);
        let slope = format!("{name}.prelu.slope");
        let kept = tensor(self.full, &slope).index_select(0, channels);
        put(&mut self.weights, &slope, &kept);
        self.remember(&format!("{name}.prelu"))
    }

    /// The projection is fitted to the directions by which the embedding is told.
    fn head(&mut self) -> Result<(), WeightsError> {
        let source = mixes(self.slim)
            .last()
            .map_or(String::new(), |mix| format!("{mix}.prelu"));
        let directions = &self.plan.head;
        let maps = self.seen.of(&source).to_kind(Kind::Double) - &directions.mean;
        let wanted = maps.matmul(&directions.project.tr()).to_kind(Kind::Float);
        let fitted = self.fitted(&source, &wanted)?;
        let ones = fitted.offset.ones_like();
        let summand = ones.zeros_like();
        self.convolution(
            "head",
            &fitted,
            &Norm {
                factor: ones,
                summand,
            },
        );
        self.remember("flatten")
    }

    /// The last layer reads those directions as the wider network's reads its channels.
    fn linear(&mut self) -> Result<(), WeightsError> {
        let teacher = norm(self.full, "linear.norm");
        let read = &self.plan.head.read / teacher.factor.view([-1, 1, 1]);
        put(&mut self.weights, "linear.weight", &read.flatten(1, 2));
        let outputs = Tensor::cat(&self.outputs("linear")?, 0).to_kind(Kind::Double);
        let mean = outputs.mean_dim([0i64].as_slice(), false, Kind::Double);
        let variance = outputs.var_dim([0i64].as_slice(), false, false);
        let summand = &self.seen.mean_embedding - &mean * &teacher.factor;
        let factor = teacher.factor;
        Norm { factor, summand }.write(&mut self.weights, "linear.norm", &mean, &variance);
        Ok(())
    }

    /// Least squares from what the narrower network has in `source` to what is wanted.
    fn fitted(&mut self, source: &str, wanted: &Tensor) -> Result<Fitted, WeightsError> {
        let outputs = self.outputs(source)?;
        let samples: Vec<Tensor> = (outputs.iter().enumerate())
            .map(|(batch, maps)| pixels(maps, batch))
            .collect();
        let found = Tensor::cat(&samples, 0);
        let Moments { mean, covariance } = moments(&found, &found);
        let across = moments(&found, wanted).covariance;
        let width = covariance.size()[0];
        let ridge = covariance.trace().double_value(&[]) / width as f64 * RIDGE;
        let eye = Tensor::eye(width, (Kind::Double, Device::Cpu));
        let weight = Tensor::linalg_solve(&(&covariance + eye * ridge), &across, true).tr();
        let told = weight.matmul(&mean);
        Ok(Fitted {
            variance: (weight.matmul(&covariance) * &weight).sum_dim_intlist(
                [1i64].as_slice(),
                false,
                Kind::Double,
            ),
            offset: wanted.mean_dim([0i64].as_slice(), false, Kind::Double) - &told,
            mean: told,
            weight,
        })
    }

    /// Writes a fitted 1x1 convolution with the normalization that follows what it is fitted to.
    fn convolution(&mut self, name: &str, fitted: &Fitted, wanted: &Norm) {
        let (rows, columns) = fitted.weight.size2().unwrap_or((0, 0));
        let weight = fitted.weight.view([rows, columns, 1, 1]);
        put(&mut self.weights, &format!("{name}.weight"), &weight);
        let norm = Norm {
            factor: wanted.factor.shallow_clone(),
            summand: &wanted.summand + &wanted.factor * &fitted.offset,
        };
        let name = format!("{name}.norm");
        norm.write(&mut self.weights, &name, &fitted.mean, &fitted.variance);
    }
}

/// A linear map without a constant: wanted = weight * x + offset.
struct Fitted {
    /// f64 [outputs, inputs].
    weight: Tensor,
    /// f64 [outputs].
    offset: Tensor,
    /// Mean of weight * x.
    mean: Tensor,
    /// Variance of weight * x.
    variance: Tensor,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{self, Spec};
    use crate::torch::operator::Mode;

    fn graph(name: &str) -> LayerGraph {
        let spec = Spec {
            dimension: 64,
            width: 0.125,
            ..Spec::new(name)
        };
        network::build(&spec).unwrap()
    }

    /// Statistics of the faces themselves, as training would have left them.
    fn trained(graph: &LayerGraph, faces: &Tensor) -> Weights {
        let network = Network::new(graph.clone(), &Weights::initialize(graph, 5), Device::Cpu);
        let network = network.unwrap();
        tch::no_grad(|| (0..60).for_each(|_| drop(network.forward(faces, Mode::Train))));
        let mut weights = Weights::default();
        for (name, tensor) in network.tensors() {
            weights.insert(name, from_torch(tensor));
        }
        weights
    }

    #[test]
    fn a_pruned_network_is_nearer_than_one_that_knows_nothing() {
        tch::manual_seed(3);
        let (full, slim) = (graph("mobilenet"), graph("mobilenet-slim"));
        // Faces differ by few things, not in each pixel.
        let few = Tensor::randn([100, 3, 7, 7], (Kind::Float, Device::Cpu));
        let faces = few.upsample_bilinear2d([112, 112], false, None, None);
        let weights = trained(&full, &faces);
        let values = from_torch(&faces).values;
        let pruned = prune(&full, &weights, &slim, &values).unwrap();
        let embed = |graph: &LayerGraph, weights: &Weights, mode| {
            let network = Network::new(graph.clone(), weights, Device::Cpu).unwrap();
            tch::no_grad(|| network.forward(&faces, mode))
        };
        let apart =
            |a: &Tensor, b: &Tensor| (a - b).square().sum(Kind::Double).double_value(&[]) / 100.0;
        let wide = embed(&full, &weights, Mode::Inference);
        let narrow = embed(&slim, &pruned.weights, Mode::Inference);
        assert!((apart(&wide, &narrow) - pruned.distance).abs() < 1e-6);
        let nothing = embed(&slim, &Weights::initialize(&slim, 5), Mode::Inference);
        let before = apart(&wide, &nothing);
        assert!(
            pruned.distance < before / 3.0,
            "{} of {before}",
            pruned.distance
        );
        // Training begins with the same function: each normalization has its input's statistics.
        let rehearsed = embed(&slim, &pruned.weights, Mode::Rehearse);
        let moved = apart(&narrow, &rehearsed);
        assert!(
            moved < pruned.distance / 2.0,
            "{moved} of {}",
            pruned.distance
        );
        assert_eq!(pruned.blocks.len(), 14);
        assert_eq!((pruned.blocks[12].kept, pruned.blocks[12].of), (32, 128));
    }
}
