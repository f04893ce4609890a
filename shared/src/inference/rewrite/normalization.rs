//! Local response normalization, found in a typed network as our exporter writes it: squares, their sums by a
//! banded matrix, two roots, a product and a quotient.

use std::collections::HashMap;

use kernel::Activation;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::Sqrt;

use super::pattern::{Group, is_divide, is_multiply, only_reader, readers};
use crate::inference::operator::{Means, Normalize, of};

/// A normalization: nodes that become one operator.
pub(super) struct Normalization {
    /// All nodes but the last.
    pub(super) inside: Vec<usize>,
    /// The pictures that it reads.
    pub(super) from: OutletId,
    band: Band,
    sums: Group,
}

/// A matrix that sums up a channel and those around it.
#[derive(Clone, Copy)]
struct Band {
    reach: usize,
    weight: f32,
    bias: f32,
}

impl Normalization {
    pub(super) fn operator(&self, means: &Means) -> Normalize {
        let Band {
            reach,
            weight,
            bias,
        } = self.band;
        Normalize {
            reach,
            weight: weight.to_bits(),
            bias: bias.to_bits(),
            output: self.sums.output,
            means: means.clone(),
        }
    }
}

/// All normalizations of a network, by their last nodes; their sums are groups no more.
pub(super) fn normalizations(
    model: &TypedModel,
    groups: &mut HashMap<usize, Group>,
) -> TractResult<HashMap<usize, Normalization>> {
    let mut found = HashMap::new();
    let mut ends: Vec<usize> = groups.keys().copied().collect();
    ends.sort_unstable();
    for end in ends {
        if let Some((last, inside)) = around(model, &groups[&end])
            && let Some(band) = band(&groups[&end])?
            && let Some(sums) = groups.remove(&end)
        {
            let normalization = Normalization {
                inside,
                from: model.node(sums.from.node).inputs[0],
                band,
                sums,
            };
            found.insert(last, normalization);
        }
    }
    Ok(found)
}

/// What makes a normalization of these sums: its last node and all others.
fn around(model: &TypedModel, sums: &Group) -> Option<(usize, Vec<usize>)> {
    let square = model.node(sums.from.node);
    let from = *square.inputs.first()?;
    if !is_multiply(square)
        || square.inputs[..] != [from; 2]
        || only_reader(model, square.id)? != sums.end
    {
        return None;
    }
    let root = only_reader(model, sums.end).filter(|&node| is_root(model.node(node)))?;
    let fourth = readers(model, root.into())
        .into_iter()
        .find(|&node| is_root(model.node(node)))?;
    let divisor = only_reader(model, fourth).filter(|&node| is_multiply(model.node(node)))?;
    let mut of_root = readers(model, root.into());
    let mut both = vec![fourth, divisor];
    of_root.sort_unstable();
    both.sort_unstable();
    let last = only_reader(model, divisor).filter(|&node| is_divide(model.node(node)))?;
    let is_whole = of_root == both && model.node(last).inputs[..] == [from, divisor.into()];
    is_whole.then(|| (last, vec![square.id, sums.end, root, fourth, divisor]))
}

/// The band that a convolution's weights are, if they are nothing else.
fn band(sums: &Group) -> TractResult<Option<Band>> {
    let channels = sums.input.channels;
    let plain = sums.kernel == [1, 1]
        && sums.stride == [1, 1]
        && sums.padding == [[0; 2]; 2]
        && sums.added.is_none()
        && sums.activation == Activation::Linear
        && sums.inside.is_empty()
        && sums.output == sums.input
        && !sums.depthwise;
    let weights = of(&sums.weights)?;
    if !plain || weights.len() != channels * channels {
        return Ok(None);
    }
    let (weight, bias) = (weights[0], sums.bias.as_slice()[0]);
    let row = weights[..channels].iter();
    // None for what is not even itself.
    let Some(reach) = row
        .take_while(|&&number| number == weight)
        .count()
        .checked_sub(1)
    else {
        return Ok(None);
    };
    let expected = |i: usize| match (i / channels).abs_diff(i % channels) <= reach {
        true => weight,
        false => 0.0,
    };
    let is_band = (0..weights.len()).all(|i| weights[i] == expected(i))
        && sums.bias.as_slice().iter().all(|&number| number == bias);
    Ok(is_band.then_some(Band {
        reach,
        weight,
        bias,
    }))
}

fn is_root(node: &TypedNode) -> bool {
    node.op_as::<ElementWiseOp>()
        .is_some_and(|op| op.0.is::<Sqrt>())
}
