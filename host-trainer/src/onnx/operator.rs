//! One operator of the layer graph as ONNX operators, written for speed in tract.
//!
//! By the book is not always fast: tract computes `LRN` by a power for every value and `PRelu` by
//! a branch, and its `LpNormalization` has no epsilon. Each is written here in operators that
//! tract runs by its vectorized kernels; the results are the same but for rounding.

use super::fold::Affine;
use super::proto::Attribute;
use super::writer::{Layout, Value, Writer, int, ints};
use crate::network::graph::Node;
use crate::network::op::{Conv, L2_EPSILON, L2_POOL_EPSILON, Lrn, Op, Window};
use crate::weights::Weights;

/// Appends what `node` computes from `inputs` to the file and returns its output.
///
/// `weights` must fit the node's graph.
pub(super) fn write(
    writer: &mut Writer,
    node: &Node,
    inputs: &[Value],
    weights: &Weights,
) -> Value {
    let name = node.name.as_str();
    let out = |layout| Value {
        name: name.to_owned(),
        shape: node.shape,
        layout,
    };
    match &node.op {
        Op::Face(_) => Value {
            name: super::INPUT.to_owned(),
            shape: node.shape,
            layout: Layout::Maps,
        },
        Op::Conv(conv) => {
            let input = writer.maps(&inputs[0]);
            let names = parameters(writer, name, &input, conv.bias, weights);
            writer.node("Conv", &as_strs(&names), name, convolution(conv));
            out(Layout::Maps)
        }
        Op::Linear { bias, .. } => {
            let input = writer.vector(&inputs[0]);
            let names = parameters(writer, name, &input, *bias, weights);
            // The weights lie [out, in], as torch has them.
            writer.node("Gemm", &as_strs(&names), name, vec![int("transB", 1)]);
            out(Layout::Vector)
        }
        Op::Maxout {
            out: units, pieces, ..
        } => {
            let input = writer.vector(&inputs[0]);
            maxout(writer, name, &input, (*units, *pieces), weights);
            out(Layout::Vector)
        }
        Op::BatchNorm => {
            batch_norm(writer, name, &inputs[0], weights);
            out(inputs[0].layout)
        }
        Op::Lrn(lrn) => {
            let input = writer.maps(&inputs[0]);
            local_response(writer, name, &input, lrn);
            out(Layout::Maps)
        }
        Op::Relu => {
            writer.node("Relu", &[&inputs[0].name], name, Vec::new());
            out(inputs[0].layout)
        }
        Op::PRelu => {
            prelu(writer, name, &inputs[0], weights);
            out(inputs[0].layout)
        }
        Op::MaxPool(window) => {
            let input = writer.maps(&inputs[0]);
            writer.node("MaxPool", &[&input.name], name, sliding(window));
            out(Layout::Maps)
        }
        Op::L2Pool(window) => {
            let input = writer.maps(&inputs[0]);
            l2_pool(writer, name, &input, window);
            out(Layout::Maps)
        }
        Op::GlobalAveragePool => {
            let input = writer.maps(&inputs[0]);
            writer.node("GlobalAveragePool", &[&input.name], name, Vec::new());
            out(Layout::Maps)
        }
        Op::Concat => {
            let (names, layout) = of_one_layout(writer, inputs);
            writer.node("Concat", &as_strs(&names), name, vec![int("axis", 1)]);
            out(layout)
        }
        Op::Add => {
            let (names, layout) = of_one_layout(writer, inputs);
            writer.node("Add", &as_strs(&names), name, Vec::new());
            out(layout)
        }
        Op::Flatten => writer.vector(&inputs[0]),
        // The identity at inference.
        Op::Dropout { .. } => inputs[0].clone(),
        Op::L2Normalize => {
            let input = writer.vector(&inputs[0]);
            l2_normalize(writer, name, &input);
            out(Layout::Vector)
        }
    }
}

fn as_strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Names of the same values in one layout: as they are if they agree, or else as vectors, which
/// maps then are of one pixel.
fn of_one_layout(writer: &mut Writer, inputs: &[Value]) -> (Vec<String>, Layout) {
    let layout = inputs[0].layout;
    if inputs.iter().all(|input| input.layout == layout) {
        let names = inputs.iter().map(|input| input.name.clone());
        return (names.collect(), layout);
    }
    let names = inputs.iter().map(|input| writer.vector(input).name);
    (names.collect(), Layout::Vector)
}

/// Writes a layer's weight, and its bias if it has one; returns the layer's inputs.
fn parameters(
    writer: &mut Writer,
    name: &str,
    input: &Value,
    bias: bool,
    weights: &Weights,
) -> Vec<String> {
    let mut names = vec![input.name.clone()];
    let parts: &[&str] = if bias {
        &["weight", "bias"]
    } else {
        &["weight"]
    };
    for part in parts {
        let tensor_name = format!("{name}.{part}");
        if let Some(tensor) = weights.get(&tensor_name) {
            writer.constant(&tensor_name, &tensor.extents, &tensor.values);
        }
        names.push(tensor_name);
    }
    names
}

/// Attributes of a window; pads are written out, top and left before bottom and right.
fn sliding(window: &Window) -> Vec<Attribute> {
    let pads = window.padding;
    vec![
        ints("kernel_shape", &[window.kernel; 2]),
        ints("strides", &[window.stride; 2]),
        ints("pads", &[pads.top, pads.left, pads.bottom, pads.right]),
    ]
}

fn convolution(conv: &Conv) -> Vec<Attribute> {
    let mut attributes = sliding(&conv.window);
    attributes.push(int("group", conv.groups));
    attributes
}

/// One product for each piece, each in the operator tract runs fastest, and the largest of them:
/// no reshape to a third axis and no reduction along it.
fn maxout(
    writer: &mut Writer,
    name: &str,
    input: &Value,
    (units, pieces): (usize, usize),
    weights: &Weights,
) {
    let parts = ["weight", "bias"].map(|part| (part, weights.get(&format!("{name}.{part}"))));
    let mut outputs = Vec::with_capacity(pieces);
    for piece in 0..pieces {
        let output = format!("{name}/piece{piece}");
        let mut operands = vec![input.name.clone()];
        for (part, tensor) in &parts {
            let Some(tensor) = tensor else { continue };
            // Rows lie piece by piece, so a piece is one stretch of the values.
            let stretch = tensor.values.len() / pieces;
            let values = &tensor.values[piece * stretch..(piece + 1) * stretch];
            let mut extents = tensor.extents.clone();
            extents[0] = units;
            let constant = format!("{output}.{part}");
            writer.constant(&constant, &extents, values);
            operands.push(constant);
        }
        writer.node("Gemm", &as_strs(&operands), &output, vec![int("transB", 1)]);
        outputs.push(output);
    }
    writer.node("Max", &as_strs(&outputs), name, Vec::new());
}

/// `sqrt(k^2 * mean of squares + epsilon)`, as tract has no `LpPool`. The mean counts padding, so
/// that k^2 times it is the sum.
fn l2_pool(writer: &mut Writer, name: &str, input: &Value, window: &Window) {
    let part = |part: &str| format!("{name}/{part}");
    let (square, mean, sum, bounded) = (part("square"), part("mean"), part("sum"), part("bounded"));
    let (area, epsilon) = (part("area"), part("epsilon"));
    writer.constant(&area, &[], &[(window.kernel * window.kernel) as f32]);
    writer.constant(&epsilon, &[], &[L2_POOL_EPSILON]);
    writer.node("Mul", &[&input.name, &input.name], &square, Vec::new());
    let mut attributes = sliding(window);
    attributes.push(int("count_include_pad", 1));
    writer.node("AveragePool", &[&square], &mean, attributes);
    writer.node("Mul", &[&mean, &area], &sum, Vec::new());
    writer.node("Add", &[&sum, &epsilon], &bounded, Vec::new());
    writer.node("Sqrt", &[&bounded], name, Vec::new());
}

/// A batch normalization that could not be folded: `x * scale + shift`.
fn batch_norm(writer: &mut Writer, name: &str, input: &Value, weights: &Weights) {
    let affine = Affine::of_batch_norm(name, weights);
    let rounded = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
    let part = |part: &str| format!("{name}/{part}");
    let extents = input.per_channel();
    writer.constant(&part("scale"), &extents, &rounded(&affine.scale));
    writer.constant(&part("shift"), &extents, &rounded(&affine.shift));
    let scaled = part("scaled");
    writer.node("Mul", &[&input.name, &part("scale")], &scaled, Vec::new());
    writer.node("Add", &[&scaled, &part("shift")], name, Vec::new());
}

/// `x / s^0.75` with `s = bias + alpha / size * sum of squares`. The sum over neighboring channels
/// is a 1x1 convolution with a banded matrix, and `s^0.75 = sqrt(s) * sqrt(sqrt(s))` needs no power.
fn local_response(writer: &mut Writer, name: &str, input: &Value, lrn: &Lrn) {
    let part = |part: &str| format!("{name}/{part}");
    let channels = input.shape.channels;
    let each = (f64::from(lrn.alpha) / lrn.size as f64) as f32;
    let in_band = |i: usize| (i / channels).abs_diff(i % channels) <= lrn.size / 2;
    let band: Vec<f32> = (0..channels * channels)
        .map(|i| if in_band(i) { each } else { 0.0 })
        .collect();
    let (square, sum, root, fourth) = (part("square"), part("sum"), part("root"), part("fourth"));
    let (divisor, bias) = (part("divisor"), part("bias"));
    writer.constant(&bias, &[channels], &vec![lrn.bias; channels]);
    writer.node("Mul", &[&input.name, &input.name], &square, Vec::new());
    let operands = [square.as_str(), &part("band"), &bias];
    writer.constant(&part("band"), &[channels, channels, 1, 1], &band);
    let attributes = vec![ints("kernel_shape", &[1, 1])];
    writer.node("Conv", &operands, &sum, attributes);
    writer.node("Sqrt", &[&sum], &root, Vec::new());
    writer.node("Sqrt", &[&root], &fourth, Vec::new());
    writer.node("Mul", &[&root, &fourth], &divisor, Vec::new());
    writer.node("Div", &[&input.name, &divisor], name, Vec::new());
}

/// `max(x, 0) + slope * min(x, 0)`.
fn prelu(writer: &mut Writer, name: &str, input: &Value, weights: &Weights) {
    let part = |part: &str| format!("{name}/{part}");
    let slope = format!("{name}.slope");
    if let Some(tensor) = weights.get(&slope) {
        writer.constant(&slope, &input.per_channel(), &tensor.values);
    }
    let (zero, positive, negative) = (part("zero"), part("positive"), part("negative"));
    let sloped = part("sloped");
    writer.constant(&zero, &[], &[0.0]);
    writer.node("Relu", &[&input.name], &positive, Vec::new());
    writer.node("Min", &[&input.name, &zero], &negative, Vec::new());
    writer.node("Mul", &[&negative, &slope], &sloped, Vec::new());
    writer.node("Add", &[&positive, &sloped], name, Vec::new());
}

/// `x / max(|x|, epsilon)` over each face's own values.
fn l2_normalize(writer: &mut Writer, name: &str, input: &Value) {
    let part = |part: &str| format!("{name}/{part}");
    let (norm, epsilon, bounded) = (part("norm"), part("epsilon"), part("bounded"));
    writer.constant(&epsilon, &[], &[L2_EPSILON]);
    let attributes = vec![ints("axes", &[1]), int("keepdims", 1)];
    writer.node("ReduceL2", &[&input.name], &norm, attributes);
    writer.node("Max", &[&norm, &epsilon], &bounded, Vec::new());
    writer.node("Div", &[&input.name, &bounded], name, Vec::new());
}
