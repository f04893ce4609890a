//! Batch normalization folded into the convolution or linear layer before it.
//!
//! `(W x + b - mean) / sqrt(var + eps) * weight + bias` is again `W' x + b'` with
//! `scale = weight / sqrt(var + eps)`, `W' = W * scale` row by row, `b' = (b - mean) * scale + bias`;
//! worked out in f64 and rounded once.

use crate::network::graph::{LayerGraph, Node, NodeId};
use crate::network::op::BATCH_NORM_EPSILON;
use crate::network::shape::ShapeError;
use crate::weights::{Tensor, Weights};

/// `scale` and `shift` of a batch normalization: `y = x * scale + shift`, one of each a channel.
pub(super) struct Affine {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

impl Affine {
    /// That of the node called `name`; `weights` fit the graph.
    pub(super) fn of_batch_norm(name: &str, weights: &Weights) -> Self {
        let values = |part: &str| values_of(weights, name, part);
        let deviation = |variance: &f64| (variance + f64::from(BATCH_NORM_EPSILON)).sqrt();
        let scale: Vec<f64> = values("weight")
            .iter()
            .zip(&values("running_var"))
            .map(|(weight, variance)| weight / deviation(variance))
            .collect();
        let shift = values("bias")
            .iter()
            .zip(values("running_mean").iter().zip(&scale))
            .map(|(bias, (mean, scale))| bias - mean * scale)
            .collect();
        Self { scale, shift }
    }
}

/// A tensor's values, or none if the layer has no such tensor.
fn values_of(weights: &Weights, node: &str, part: &str) -> Vec<f64> {
    let tensor = weights.get(&format!("{node}.{part}"));
    tensor.map_or_else(Vec::new, |tensor| {
        tensor.values.iter().copied().map(f64::from).collect()
    })
}

/// The same function with as few batch normalizations as can be: each that is the only reader of
/// a convolution or linear layer goes into that layer, which keeps its name and gains a bias.
///
/// `weights` must fit `graph`; tensors that no remaining node uses are left out.
///
/// # Errors
/// A [`ShapeError`] only if `graph` itself does not fit together.
pub(super) fn fold_batch_norm(
    graph: &LayerGraph,
    weights: &Weights,
) -> Result<(LayerGraph, Weights), ShapeError> {
    let mut folded = LayerGraph::new(graph.name(), graph.input());
    let mut tensors = Weights::default();
    let mut ids: Vec<NodeId> = vec![folded.face()];
    for (index, node) in graph.nodes().iter().enumerate().skip(1) {
        if graph.foldable_input(node).is_some() {
            // Its work is done by the layer it reads.
            ids.push(ids[node.inputs[0].index()]);
            continue;
        }
        let inputs: Vec<NodeId> = node.inputs.iter().map(|id| ids[id.index()]).collect();
        let norm = graph
            .nodes()
            .iter()
            .find(|reader| graph.foldable_input(reader) == Some(index));
        let op = match norm {
            Some(norm) => {
                scale_layer(
                    node,
                    &Affine::of_batch_norm(&norm.name, weights),
                    weights,
                    &mut tensors,
                );
                node.op.with_bias()
            }
            None => {
                copy(graph, node, weights, &mut tensors);
                node.op.clone()
            }
        };
        ids.push(folded.push(&node.name, op, &inputs)?);
    }
    Ok((folded, tensors))
}

/// Puts the layer's weight and bias, scaled and shifted, into `tensors`.
fn scale_layer(node: &Node, norm: &Affine, weights: &Weights, tensors: &mut Weights) {
    let name = format!("{}.weight", node.name);
    let Some(weight) = weights.get(&name) else {
        return;
    };
    let row = weight.values.len() / norm.scale.len();
    let scaled = |(i, w): (usize, &f32)| (f64::from(*w) * norm.scale[i / row]) as f32;
    let values = weight.values.iter().enumerate().map(scaled).collect();
    let extents = weight.extents.clone();
    tensors.insert(&name, Tensor { extents, values });

    let bias = values_of(weights, &node.name, "bias");
    let shifted = |(o, (scale, shift)): (usize, (&f64, &f64))| {
        (bias.get(o).copied().unwrap_or(0.0) * scale + shift) as f32
    };
    let values: Vec<f32> = norm
        .scale
        .iter()
        .zip(&norm.shift)
        .enumerate()
        .map(shifted)
        .collect();
    let extents = vec![values.len()];
    tensors.insert(&format!("{}.bias", node.name), Tensor { extents, values });
}

/// Copies the node's own tensors.
fn copy(graph: &LayerGraph, node: &Node, weights: &Weights, tensors: &mut Weights) {
    for parameter in graph.node_parameters(node) {
        let name = format!("{}.{}", node.name, parameter.name);
        if let Some(tensor) = weights.get(&name) {
            tensors.insert(&name, tensor.clone());
        }
    }
}
