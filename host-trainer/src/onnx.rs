//! Networks as ONNX files: written for inference alone, in the operators that tract runs fastest;
//! and the weights of others' files, where they are those of a network we know.

mod fold;
mod operator;
mod proto;
pub mod reader;
mod writer;

use crate::network::graph::LayerGraph;
use crate::network::shape::ShapeError;
use crate::weights::{Weights, WeightsError};
use writer::{Value, Writer};

/// Name of the file's input, f32 [N, 3, S, S].
pub const INPUT: &str = "input";
/// Name of the file's output, f32 [N, D], each row of unit length.
pub const OUTPUT: &str = "embedding";

/// Why a network cannot be written as ONNX.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The weights are those of another network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The layer graph does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// The ONNX file of a network: batch normalization folded, dropout left out.
///
/// Input [`INPUT`], output [`OUTPUT`], the batch a symbol `N`; IR 8, operator set 13.
///
/// # Errors
/// [`OnnxError::Weights`] if the weights do not fit the graph.
pub fn model(graph: &LayerGraph, weights: &Weights) -> Result<Vec<u8>, OnnxError> {
    weights.fit(graph)?;
    let (graph, weights) = fold::fold_batch_norm(graph, weights)?;
    let mut writer = Writer::default();
    let mut values: Vec<Value> = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        let inputs: Vec<Value> = node
            .inputs
            .iter()
            .map(|id| values[id.index()].clone())
            .collect();
        values.push(operator::write(&mut writer, node, &inputs, &weights));
    }
    let last = &values[values.len() - 1];
    let mut output = writer.vector(last);
    if output.name != OUTPUT {
        writer.node("Identity", &[&output.name], OUTPUT, Vec::new());
        output.name = OUTPUT.to_owned();
    }
    let doc = format!(
        "{}: an aligned, normalized face to {} values; an embedding for squared L2 distances",
        graph.name(),
        output.shape.channels
    );
    Ok(writer.finish(graph.name(), &doc, &values[0], &output))
}
