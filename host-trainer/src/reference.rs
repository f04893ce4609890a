//! The referee: a slow, plain interpreter of a layer graph, against which every backend is held.
//!
//! Values are f32 as in the backends, every sum is taken in f64, and each operator is the loop
//! that its definition says, so that a disagreement is the other side's fault.

mod operator;

use crate::network::graph::{LayerGraph, Node};
use crate::network::op::Op;
use crate::weights::{Tensor, Weights, WeightsError};

/// Why the referee gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// The weights are those of another network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The face is not of the network's input shape.
    #[error("a face for {network}: expected {expected} values, found {found}")]
    Face {
        /// The network.
        network: String,
        /// Values that its input takes.
        expected: usize,
        /// Values given.
        found: usize,
    },
}

/// What the network's last node gives for one face: the embedding.
///
/// `face` holds channels x height x width values, as [`LayerGraph::input`] says.
///
/// # Errors
/// [`ReferenceError`] if the weights or the face do not fit the graph.
pub fn embed(
    graph: &LayerGraph,
    weights: &Weights,
    face: &[f32],
) -> Result<Vec<f32>, ReferenceError> {
    let mut all = activations(graph, weights, face)?;
    Ok(all.pop().unwrap_or_default())
}

/// What every node gives for one face, in graph order.
///
/// # Errors
/// [`ReferenceError`] if the weights or the face do not fit the graph.
pub fn activations(
    graph: &LayerGraph,
    weights: &Weights,
    face: &[f32],
) -> Result<Vec<Vec<f32>>, ReferenceError> {
    weights.fit(graph)?;
    if face.len() != graph.input().volume() {
        return Err(ReferenceError::Face {
            network: graph.name().to_owned(),
            expected: graph.input().volume(),
            found: face.len(),
        });
    }
    let mut done: Vec<Vec<f32>> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let inputs: Vec<&[f32]> = node
            .inputs
            .iter()
            .map(|id| done[id.index()].as_slice())
            .collect();
        done.push(activation(graph, weights, node, &inputs, face));
    }
    Ok(done)
}

/// One node's output from those of the nodes that it reads; [`Weights::fit`] has held.
fn activation(
    graph: &LayerGraph,
    weights: &Weights,
    node: &Node,
    inputs: &[&[f32]],
    face: &[f32],
) -> Vec<f32> {
    let entering = node
        .inputs
        .first()
        .map_or(node.shape, |id| graph.node(*id).shape);
    let values = |name: &str| -> &[f32] {
        let tensor = weights.get(&format!("{}.{name}", node.name));
        tensor.map_or(&[], |Tensor { values, .. }| values)
    };
    match &node.op {
        Op::Face(_) => face.to_vec(),
        Op::Conv(conv) => {
            let (weight, bias) = (values("weight"), values("bias"));
            operator::conv(conv, entering, node.shape, inputs[0], weight, bias)
        }
        Op::Linear { out, .. } => {
            operator::linear(*out, inputs[0], values("weight"), values("bias"))
        }
        Op::Maxout { out, pieces, .. } => {
            let (weight, bias) = (values("weight"), values("bias"));
            operator::maxout(*out, *pieces, inputs[0], weight, bias)
        }
        Op::BatchNorm => {
            let statistics = (values("running_mean"), values("running_var"));
            let (weight, bias) = (values("weight"), values("bias"));
            operator::batch_norm(entering, inputs[0], weight, bias, statistics)
        }
        Op::Lrn(lrn) => operator::lrn(lrn, entering, inputs[0]),
        Op::Relu => inputs[0].iter().map(|x| x.max(0.0)).collect(),
        Op::PRelu => operator::prelu(entering, inputs[0], values("slope")),
        Op::MaxPool(window) => operator::max_pool(window, entering, node.shape, inputs[0]),
        Op::L2Pool(window) => operator::l2_pool(window, entering, node.shape, inputs[0]),
        Op::GlobalAveragePool => operator::global_average_pool(entering, inputs[0]),
        // Activations lie channel by channel.
        Op::Concat => inputs.concat(),
        Op::Add => inputs[0]
            .iter()
            .zip(inputs[1])
            .map(|(a, b)| a + b)
            .collect(),
        // Channel by channel, row by row is how activations already lie; dropout rests outside
        // training.
        Op::Flatten | Op::Dropout { .. } => inputs[0].to_vec(),
        Op::L2Normalize => operator::l2_normalize(inputs[0]),
    }
}
