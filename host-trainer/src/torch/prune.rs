//! A narrower network out of a trained wider one, as the first weights of a training.
//!
//! Of each block's channels those are kept from which the next block's can be told best; what the
//! kept ones cannot tell by the wider network's own weights they are fitted to by least squares,
//! block by block, on what the narrower network itself has computed so far (after He, Zhang, Sun,
//! "Channel Pruning for Accelerating Very Deep Neural Networks", arXiv:1707.06168). Training then
//! starts from a network that already sees nearly what the wider one sees, in place of from noise.

mod fit;
mod select;

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::module::{Network, to_torch};
use crate::network::graph::LayerGraph;
use crate::weights::{Weights, WeightsError};
use fit::{Fit, norm};
use select::Directions;

/// Faces that are computed at once.
const BATCH: i64 = 32;
/// Rows and columns of each map that are looked at: as many as the last maps have.
const GRID: i64 = 7;

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
        let weights = Fit::new(weights, slim, faces, &plan, &seen).run()?;
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
    /// Mean of the embeddings before they are brought to unit length: f64 `[dimension]`.
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

#[cfg(test)]
mod tests;
