//! Narrow branches from one picture, joined: a detector's heads are many, of a channel or a few, and
//! each alone takes the time of a whole vector.

use std::collections::HashMap;

use tract_onnx::tract_core::internal::*;

use super::pattern::{Group, only_reader};
use kernel::{Activation, Numbers};

/// Branches wider than this fill vectors by themselves.
const NARROW: usize = 15;

/// Branches of a 1x1 convolution and a depthwise one each, as one of each.
pub(super) struct Siblings {
    pub(super) mixing: Group,
    pub(super) depthwise: Group,
    /// The last node of each branch, and its channels.
    pub(super) branches: Vec<(usize, usize)>,
}

/// Takes out of the groups what can be joined.
///
/// # Errors
/// When weights are not as the groups say.
pub(super) fn joined(
    model: &TypedModel,
    groups: &mut HashMap<usize, Group>,
) -> TractResult<Vec<Siblings>> {
    let mut pairs: Vec<(usize, usize)> = groups
        .values()
        .filter(|mixing| is_narrow(mixing))
        .filter_map(|mixing| {
            let reader = only_reader(model, mixing.end)?;
            let depthwise = groups
                .values()
                .find(|group| group.from.node == mixing.end)?;
            let alone = depthwise.depthwise && depthwise.activation == Activation::Linear;
            (alone && depthwise.end == reader).then_some((mixing.end, depthwise.end))
        })
        .collect();
    pairs.sort_unstable();
    let mut families: Vec<Vec<(usize, usize)>> = vec![];
    for pair in pairs {
        let family = families
            .iter_mut()
            .find(|family| are_alike(groups, family[0], pair));
        match family {
            Some(family) => family.push(pair),
            None => families.push(vec![pair]),
        }
    }
    let mut siblings = vec![];
    for family in families.iter().filter(|family| family.len() > 1) {
        let mut taken = |ends: Vec<usize>| -> Vec<Group> {
            ends.iter().filter_map(|end| groups.remove(end)).collect()
        };
        let mixing = taken(family.iter().map(|pair| pair.0).collect());
        let depthwise = taken(family.iter().map(|pair| pair.1).collect());
        siblings.push(Siblings {
            branches: depthwise
                .iter()
                .map(|group| (group.end, group.output.channels))
                .collect(),
            mixing: side_by_side(mixing)?,
            depthwise: side_by_side(depthwise)?,
        });
    }
    Ok(siblings)
}

fn is_narrow(group: &Group) -> bool {
    !group.depthwise
        && group.kernel == [1, 1]
        && group.output.channels <= NARROW
        && group.activation == Activation::Linear
        && group.added.is_none()
}

/// Whether two branches read the same picture in the same way.
fn are_alike(groups: &HashMap<usize, Group>, one: (usize, usize), other: (usize, usize)) -> bool {
    let alike = |one: &Group, other: &Group| {
        (one.kernel, one.stride, one.padding) == (other.kernel, other.stride, other.padding)
    };
    groups[&one.0].from == groups[&other.0].from
        && alike(&groups[&one.0], &groups[&other.0])
        && alike(&groups[&one.1], &groups[&other.1])
}

/// Convolutions as one, their channels of output one after the other.
fn side_by_side(groups: Vec<Group>) -> TractResult<Group> {
    let weights: Vec<&Tensor> = groups.iter().map(|group| &*group.weights).collect();
    let weights = Tensor::stack_tensors(0, &weights)?.into_arc_tensor();
    let bias: Vec<f32> = groups
        .iter()
        .flat_map(|group| group.bias.as_slice())
        .copied()
        .collect();
    let inside = groups
        .iter()
        .flat_map(|group| [&group.inside[..], &[group.end]].concat())
        .collect();
    let channels = bias.len();
    let Some(mut joined) = groups.into_iter().next() else {
        bail!("no groups to join");
    };
    joined.output.channels = channels;
    if joined.depthwise {
        joined.input.channels = channels;
    }
    joined.weights = weights;
    joined.bias = Numbers::of(&bias);
    joined.inside = inside;
    Ok(joined)
}
