//! Fully connected layers, found in a typed network: a product of one vector and a file's weights, what is
//! added to it, and its activation.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::einsum::EinSum;

use super::pattern::{constant, is_add, is_max, is_zero, only_reader, other_input};
use crate::inference::operator::{Dense, Means};

/// A fully connected layer: nodes that become one operator.
pub(super) struct Layer {
    /// All nodes but the last.
    pub(super) inside: Vec<usize>,
    /// The vector that it reads.
    pub(super) from: OutletId,
    /// A row for each output.
    weights: Arc<Tensor>,
    bias: Option<Arc<Tensor>>,
    relu: bool,
}

impl Layer {
    pub(super) fn operator(&self, means: &Means) -> TractResult<Dense> {
        let bias = match &self.bias {
            Some(bias) => bias.clone(),
            None => Tensor::zero::<f32>(&self.weights.shape()[..1])?.into_arc_tensor(),
        };
        Ok(Dense {
            weights: self.weights.clone(),
            bias,
            relu: self.relu,
            means: means.clone(),
        })
    }
}

/// All fully connected layers of a network, by their last nodes.
pub(super) fn layers(model: &TypedModel) -> TractResult<HashMap<usize, Layer>> {
    let mut layers = HashMap::new();
    for node in model.nodes() {
        if let Some(product) = node.op_as::<EinSum>()
            && let Some((end, layer)) = layer(model, node, product)?
        {
            layers.insert(end, layer);
        }
    }
    Ok(layers)
}

fn layer(
    model: &TypedModel,
    node: &TypedNode,
    product: &EinSum,
) -> TractResult<Option<(usize, Layer)>> {
    // As a file's Gemm with its second matrix transposed.
    let by_rows = AxesMapping::for_numpy_matmul(2, false, true, false)?;
    if product.q_params.is_some() || product.axes != by_rows {
        return Ok(None);
    }
    let from = node.inputs[0];
    let Some(weights) = constant(model, node.inputs[1])?.filter(|weights| is_f32(weights)) else {
        return Ok(None);
    };
    let (outputs, depth) = (weights.shape()[0], weights.shape()[1]);
    let fact = model.outlet_fact(from)?;
    if fact.datum_type != f32::datum_type()
        || fact.shape.as_concrete() != Some(&[1, depth])
        || constant(model, from)?.is_some()
    {
        return Ok(None);
    }
    let mut layer = Layer {
        inside: vec![],
        from,
        weights,
        bias: None,
        relu: false,
    };
    let mut end = node.id;
    let next = |end: usize, is: fn(&TypedNode) -> bool| {
        only_reader(model, end)
            .filter(|&reader| is(model.node(reader)))
            .map(|reader| (reader, other_input(model, reader, OutletId::new(end, 0))))
    };
    if let Some((reader, Some(other))) = next(end, is_add)
        && let Some(bias) = constant(model, other)?
        && is_f32(&bias)
        && bias.len() == outputs
        && bias.shape().last() == Some(&outputs)
    {
        layer.inside.push(end);
        layer.bias = Some(bias);
        end = reader;
    }
    if let Some((reader, other)) = next(end, is_max)
        && is_zero(model, other)?
    {
        layer.inside.push(end);
        layer.relu = true;
        end = reader;
    }
    // A constant may stretch what it is combined with.
    let whole = model
        .outlet_fact(OutletId::new(end, 0))?
        .shape
        .as_concrete()
        == Some(&[1, outputs]);
    Ok(whole.then_some((end, layer)))
}

fn is_f32(tensor: &Tensor) -> bool {
    tensor.datum_type() == f32::datum_type()
}
