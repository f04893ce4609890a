//! What our operators stand for, found in a typed network: convolutions with what follows them.

use std::collections::HashMap;
use std::sync::Arc;

use kernel::{Activation, Filter, Numbers};
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::cnn::{
    Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec, SumPool,
};
use tract_onnx::tract_core::ops::logic::{CompGT, Iff};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{DataFormat, NearestUpsample};

use crate::inference::operator::{self, Means, Pictures, of as numbers};

/// A convolution, its activation and a sum: nodes that become one operator.
pub(super) struct Group {
    /// The last node.
    pub(super) end: usize,
    /// The others.
    pub(super) inside: Vec<usize>,
    /// The pictures that the convolution reads.
    pub(super) from: OutletId,
    /// The pictures that are added after the activation.
    pub(super) added: Option<OutletId>,
    pub(super) depthwise: bool,
    pub(super) input: Pictures,
    pub(super) output: Pictures,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Rows and columns of zeros before and after the input.
    pub(super) padding: [[usize; 2]; 2],
    /// As the file has them: [output, input channels of a group, height, width].
    pub(super) weights: Arc<Tensor>,
    pub(super) bias: Numbers,
    pub(super) activation: Activation,
}

/// All groups of a network, by their last nodes.
pub(super) fn groups(model: &TypedModel) -> TractResult<HashMap<usize, Group>> {
    let mut groups: HashMap<usize, Group> = HashMap::new();
    for node in model.nodes() {
        if let Some(convolution) = node.op_as::<Conv>()
            && let Some(mut group) = convolution_alone(model, node, convolution)?
        {
            with_normalization(model, &mut group)?;
            with_activation(model, &mut group)?;
            if !group.depthwise {
                with_sum(model, &mut group, &groups)?;
            }
            groups.insert(group.end, group);
        }
    }
    Ok(groups)
}

/// A convolution that we have an operator for.
fn convolution_alone(
    model: &TypedModel,
    node: &TypedNode,
    convolution: &Conv,
) -> TractResult<Option<Group>> {
    let pool = &convolution.pool_spec;
    let outlet = OutletId::new(node.id, 0);
    let (Some(input), Some(output)) = (pictures(model, node.inputs[0]), pictures(model, outlet))
    else {
        return Ok(None);
    };
    let depthwise = convolution.group == input.channels && convolution.group == output.channels;
    if !flat(pool)
        || convolution.q_params.is_some()
        || convolution.kernel_fmt != KernelFormat::OIHW
        || (convolution.group > 1 && !depthwise)
    {
        return Ok(None);
    }
    let (Some(weights), Some(bias)) = (
        constant(model, node.inputs[1])?,
        constant(model, node.inputs[2])?,
    ) else {
        return Ok(None);
    };
    let Some(bias) = for_each_channel(&bias, output.channels) else {
        return Ok(None);
    };
    if weights.datum_type() != f32::datum_type() {
        return Ok(None);
    }
    let along = pool.computed_padding(&[input.height, input.width]);
    Ok(Some(Group {
        end: node.id,
        inside: vec![],
        from: node.inputs[0],
        added: None,
        depthwise,
        input,
        output,
        kernel: [pool.kernel_shape[0], pool.kernel_shape[1]],
        stride: [pool.stride(0), pool.stride(1)],
        padding: [0, 1].map(|i| [along[i].pad_before, along[i].pad_after]),
        weights,
        bias,
        activation: Activation::Linear,
    }))
}

/// Two axes, channels first, nothing skipped between the kernel's taps.
fn flat(pool: &PoolSpec) -> bool {
    pool.rank() == 2
        && pool.data_format == DataFormat::NCHW
        && pool.dilations().iter().all(|&dilation| dilation == 1)
}

/// Takes what multiplies every channel or is added to it into weights and bias: a batch
/// normalization, of which tract makes one of each.
fn with_normalization(model: &TypedModel, group: &mut Group) -> TractResult<()> {
    while let Some(reader) = only_reader(model, group.end) {
        let node = model.node(reader);
        if !(is_multiply(node) || is_add(node))
            || pictures(model, OutletId::new(reader, 0)) != Some(group.output)
        {
            return Ok(());
        }
        let other = other_input(model, reader, OutletId::new(group.end, 0));
        let Some(numbers) = of_channels(model, other, group.output.channels)? else {
            return Ok(());
        };
        if is_multiply(node) {
            let mut weights = group.weights.as_ref().clone();
            let mut plain = weights.try_as_plain_ram_mut()?;
            let values = plain.as_slice_mut::<f32>()?;
            let of_output = values.len() / group.output.channels;
            for (weights, factor) in values.chunks_mut(of_output).zip(numbers.as_slice()) {
                weights.iter_mut().for_each(|weight| *weight *= factor);
            }
            group.weights = weights.into_arc_tensor();
        }
        let of_bias = group.bias.as_slice().iter().zip(numbers.as_slice());
        let bias: Vec<f32> = if is_multiply(node) {
            of_bias.map(|(bias, factor)| bias * factor).collect()
        } else {
            of_bias.map(|(bias, summand)| bias + summand).collect()
        };
        group.bias = Numbers::of(&bias);
        group.inside.push(group.end);
        group.end = reader;
    }
    Ok(())
}

/// Takes an activation into the group: `max(x, 0)`, or that plus `slope * min(x, 0)`.
fn with_activation(model: &TypedModel, group: &mut Group) -> TractResult<()> {
    let sum = OutletId::new(group.end, 0);
    if let Some((inside, end, slopes)) = chosen(model, group)? {
        group.inside.push(group.end);
        group.inside.extend(inside);
        group.end = end;
        group.activation = Activation::PRelu(slopes);
        return Ok(());
    }
    let readers = readers(model, sum);
    let clipped = |is: fn(&TypedNode) -> bool| -> TractResult<Option<usize>> {
        for &reader in &readers {
            if is(model.node(reader)) && is_zero(model, other_input(model, reader, sum))? {
                return Ok(Some(reader));
            }
        }
        Ok(None)
    };
    // A constant may stretch what it is combined with.
    let same_size = |node: usize| pictures(model, OutletId::new(node, 0)) == Some(group.output);
    match (clipped(is_max)?, clipped(is_min)?, readers.len()) {
        (Some(relu), None, 1) if same_size(relu) => {
            group.inside.push(group.end);
            group.end = relu;
            group.activation = Activation::Relu;
        }
        (Some(positive), Some(negative), 2) if same_size(positive) && same_size(negative) => {
            let [Some(sloped), Some(end)] =
                [only_reader(model, negative), only_reader(model, positive)]
            else {
                return Ok(());
            };
            if !is_multiply(model.node(sloped))
                || !is_add(model.node(end))
                || only_reader(model, sloped) != Some(end)
            {
                return Ok(());
            }
            let slopes = other_input(model, sloped, OutletId::new(negative, 0));
            let Some(slopes) = of_channels(model, slopes, group.output.channels)? else {
                return Ok(());
            };
            group.inside.extend([group.end, positive, negative, sloped]);
            group.end = end;
            group.activation = Activation::PRelu(slopes);
        }
        _ => {}
    }
    Ok(())
}

/// What tract makes of a file's PRelu: `x * slope` where `0 > x`, else `x`. Its nodes but for the
/// last, the last, and the slopes.
fn chosen(model: &TypedModel, group: &Group) -> TractResult<Option<(Vec<usize>, usize, Numbers)>> {
    let x = OutletId::new(group.end, 0);
    let readers = readers(model, x);
    if readers.len() != 3 {
        return Ok(None);
    }
    let find = |is: fn(&TypedNode) -> bool| readers.iter().copied().find(|&id| is(model.node(id)));
    let (Some(test), Some(sloped), Some(end)) = (
        find(is_greater),
        find(is_multiply),
        find(|node| node.op_is::<Iff>()),
    ) else {
        return Ok(None);
    };
    let is_it = model.node(test).inputs[1] == x
        && is_zero(model, Some(model.node(test).inputs[0]))?
        && model.node(end).inputs[..] == [OutletId::new(test, 0), OutletId::new(sloped, 0), x]
        && [test, sloped]
            .iter()
            .all(|&node| only_reader(model, node) == Some(end))
        && pictures(model, OutletId::new(end, 0)) == Some(group.output);
    if !is_it {
        return Ok(None);
    }
    let slopes = of_channels(model, other_input(model, sloped, x), group.output.channels)?;
    Ok(slopes.map(|slopes| (vec![test, sloped], end, slopes)))
}

/// Takes a sum with other pictures into the group, unless another group ends with it.
fn with_sum(
    model: &TypedModel,
    group: &mut Group,
    others: &HashMap<usize, Group>,
) -> TractResult<()> {
    let Some(add) = only_reader(model, group.end).filter(|&reader| is_add(model.node(reader)))
    else {
        return Ok(());
    };
    let Some(other) = other_input(model, add, OutletId::new(group.end, 0)) else {
        return Ok(());
    };
    if others.contains_key(&add)
        || constant(model, other)?.is_some()
        || pictures(model, other) != Some(group.output)
    {
        return Ok(());
    }
    group.inside.push(group.end);
    group.end = add;
    group.added = Some(other);
    Ok(())
}

/// The weights of a convolution that mixes channels: for each row, column and channel of the
/// kernel a number for every channel of output.
pub(super) fn mixing_weights(group: &Group) -> TractResult<Vec<f32>> {
    let weights = numbers(&group.weights)?;
    let [height, width] = group.kernel;
    let (inputs, outputs) = (group.input.channels, group.output.channels);
    ensure!(
        weights.len() == height * width * inputs * outputs,
        "weights of another size"
    );
    let taps = height * width;
    let mut turned = vec![0.0; weights.len()];
    for (output, of_output) in weights.chunks_exact(taps * inputs).enumerate() {
        for (input, of_input) in of_output.chunks_exact(taps).enumerate() {
            for (tap, &weight) in of_input.iter().enumerate() {
                turned[(tap * inputs + input) * outputs + output] = weight;
            }
        }
    }
    Ok(turned)
}

/// The weights of a depthwise convolution: for each row and column a number for every channel.
pub(super) fn depthwise_weights(group: &Group) -> TractResult<Vec<f32>> {
    let weights = numbers(&group.weights)?;
    let (taps, channels) = (group.kernel[0] * group.kernel[1], group.output.channels);
    ensure!(weights.len() == taps * channels, "weights of another size");
    let mut turned = vec![0.0; weights.len()];
    for (channel, of_channel) in weights.chunks_exact(taps).enumerate() {
        for (tap, &weight) in of_channel.iter().enumerate() {
            turned[tap * channels + channel] = weight;
        }
    }
    Ok(turned)
}

/// Max pooling by our operator, if it has one for this.
pub(super) fn max_pool(
    model: &TypedModel,
    node: &TypedNode,
    pool: &MaxPool,
    means: &Means,
) -> Option<operator::MaxPool> {
    if pool.with_index_outputs.is_some() || !flat(&pool.pool_spec) {
        return None;
    }
    let input = pictures(model, node.inputs[0])?;
    let output = pictures(model, OutletId::new(node.id, 0))?;
    let lengths = [input.height, input.width];
    let along = pool.pool_spec.computed_padding(&lengths);
    let windows = |axis: usize| -> Vec<[usize; 2]> {
        let (before, stride) = (along[axis].pad_before, pool.pool_spec.stride(axis));
        let window = |at: usize| {
            let end = (at * stride + pool.pool_spec.kernel_shape[axis])
                .saturating_sub(before)
                .min(lengths[axis]);
            let first = (at * stride).saturating_sub(before);
            [first, end.saturating_sub(first)]
        };
        (0..along[axis].convoluted).map(window).collect()
    };
    let (rows, columns) = (windows(0), windows(1));
    // A window of padding alone is minus infinity to tract; we leave that to it.
    let whole = rows.iter().chain(&columns).all(|[_, count]| *count > 0);
    (whole && rows.len() == output.height && columns.len() == output.width).then_some(
        operator::MaxPool {
            rows,
            columns,
            input,
            output,
            means: means.clone(),
        },
    )
}

/// Sum or average pooling by our depthwise convolution, if it can be: all weights are equal.
pub(super) fn sum_pool(
    model: &TypedModel,
    node: &TypedNode,
    pool: &SumPool,
    means: &Means,
) -> Option<operator::Depthwise> {
    let spec = &pool.pool_spec;
    if !flat(spec) {
        return None;
    }
    let input = pictures(model, node.inputs[0])?;
    let output = pictures(model, OutletId::new(node.id, 0))?;
    let along = spec.computed_padding(&[input.height, input.width]);
    let padded = along
        .iter()
        .any(|axis| axis.pad_before + axis.pad_after > 0);
    // Windows at the border that count fewer numbers, or reach beyond the padding, are tract's.
    let ceiled = matches!(spec.padding, PaddingSpec::ExplicitOnnxPool(_, _, true));
    if ceiled || (pool.normalize && padded && !pool.count_include_pad) {
        return None;
    }
    let size = [spec.kernel_shape[0], spec.kernel_shape[1]];
    let weight = if pool.normalize {
        1.0 / (size[0] * size[1]) as f32
    } else {
        1.0
    };
    let filter = Filter::new(
        means.kernel,
        (
            size,
            [spec.stride(0), spec.stride(1)],
            [along[0].pad_before, along[1].pad_before],
        ),
        &vec![weight; size[0] * size[1] * input.channels],
        &vec![0.0; input.channels],
        Activation::Linear,
    );
    Some(operator::Depthwise {
        filter: Arc::new(filter),
        input,
        output,
        means: means.clone(),
    })
}

/// Pictures side by side by our operator, if all of them are pictures.
pub(super) fn join(model: &TypedModel, node: &TypedNode, means: &Means) -> Option<operator::Join> {
    let each = |input: &OutletId| Some(pictures(model, *input)?.channels);
    Some(operator::Join {
        channels: node.inputs.iter().map(each).collect::<Option<_>>()?,
        output: pictures(model, OutletId::new(node.id, 0))?,
        means: means.clone(),
    })
}

/// How often a resizing repeats every pixel along both axes, if it does just that.
pub(super) fn factor(resizing: &NearestUpsample) -> Option<usize> {
    match resizing.scales[..] {
        [1, 1, down, across] if down == across => Some(down),
        _ => None,
    }
}

/// Extents of an outlet that is a batch of pictures, channels first, of fixed size.
pub(super) fn pictures(model: &TypedModel, outlet: OutletId) -> Option<Pictures> {
    let fact = model.outlet_fact(outlet).ok()?;
    match *fact.shape.as_concrete()? {
        [batch, channels, height, width]
            if fact.datum_type == f32::datum_type() && batch * channels * height * width > 0 =>
        {
            Some(Pictures {
                batch,
                height,
                width,
                channels,
            })
        }
        _ => None,
    }
}

/// The value of an outlet that is known before the network runs.
pub(super) fn constant(model: &TypedModel, outlet: OutletId) -> TractResult<Option<Arc<Tensor>>> {
    if let Some(tensor) = &model.outlet_fact(outlet)?.konst {
        return Ok(Some(tensor.clone()));
    }
    let node = model.node(outlet.node);
    // What exporters and tract put between a constant and its reader.
    if !(node.op_is::<AxisOp>() || node.op_is::<Cast>()) {
        return Ok(None);
    }
    let Some(tensor) = constant(model, node.inputs[0])? else {
        return Ok(None);
    };
    let value = node.op.eval_out_of_plan(tvec!(tensor.into_tvalue()))?;
    Ok(value.map(|mut values| values.remove(0).into_arc_tensor()))
}

/// [`constant`], where there is an outlet at all.
fn known(model: &TypedModel, outlet: Option<OutletId>) -> TractResult<Option<Arc<Tensor>>> {
    match outlet {
        Some(outlet) => constant(model, outlet),
        None => Ok(None),
    }
}

/// A number for every channel of pictures, which they have along their second axis, where the outlet
/// is a constant that says so.
fn of_channels(
    model: &TypedModel,
    outlet: Option<OutletId>,
    channels: usize,
) -> TractResult<Option<Numbers>> {
    let tensor = known(model, outlet)?;
    let shaped = |tensor: &&Arc<Tensor>| {
        tensor.datum_type() == f32::datum_type()
            && (tensor.len() == 1 || tensor.shape() == [1, channels, 1, 1])
    };
    Ok(tensor
        .as_ref()
        .filter(shaped)
        .and_then(|tensor| for_each_channel(tensor, channels)))
}

/// A number for every channel, from as many or from one.
fn for_each_channel(tensor: &Tensor, channels: usize) -> Option<Numbers> {
    let numbers = numbers(tensor).ok()?;
    match *numbers {
        [one] => Some(Numbers::of(&vec![one; channels])),
        _ => (numbers.len() == channels).then(|| Numbers::of(numbers)),
    }
}

/// The nodes that read an outlet, one for each time; none where the outlet leaves the network.
pub(super) fn readers(model: &TypedModel, outlet: OutletId) -> Vec<usize> {
    if model.outputs.contains(&outlet) {
        return vec![];
    }
    model.node(outlet.node).outputs[outlet.slot]
        .successors
        .iter()
        .map(|inlet| inlet.node)
        .collect()
}

/// The only node that reads a node's output.
pub(super) fn only_reader(model: &TypedModel, node: usize) -> Option<usize> {
    match readers(model, OutletId::new(node, 0))[..] {
        [reader] => Some(reader),
        _ => None,
    }
}

/// The input of a node of two inputs that is not this one.
pub(super) fn other_input(model: &TypedModel, node: usize, one: OutletId) -> Option<OutletId> {
    match model.node(node).inputs[..] {
        [first, other] if first == one && other != one => Some(other),
        [other, second] if second == one && other != one => Some(other),
        _ => None,
    }
}

pub(super) fn is_zero(model: &TypedModel, outlet: Option<OutletId>) -> TractResult<bool> {
    let tensor = known(model, outlet)?;
    Ok(tensor.is_some_and(|tensor| {
        numbers(&tensor).is_ok_and(|numbers| numbers.iter().all(|&number| number == 0.0))
    }))
}

macro_rules! is_binary {
    ($name:ident, $operator:ty) => {
        pub(super) fn $name(node: &TypedNode) -> bool {
            node.op_as::<TypedBinOp>()
                .is_some_and(|op| op.0.is::<$operator>())
        }
    };
}

is_binary!(is_greater, CompGT);
is_binary!(is_add, math::Add);
is_binary!(is_multiply, math::Mul);
is_binary!(is_divide, math::Div);
is_binary!(is_max, math::Max);
is_binary!(is_min, math::Min);
