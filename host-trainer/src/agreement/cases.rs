//! The cases of the agreement tests: every operator where it could go wrong, and whole networks.

use super::branches;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::network::graph::LayerGraph;
use crate::network::op::{Conv, Lrn, Op, Padding, Window};
use crate::network::shape::Shape;
use crate::network::{self, Spec};
use crate::weights::{Tensor, Weights};

/// A network or a part of one, its weights, and two faces.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) graph: LayerGraph,
    pub(super) weights: Weights,
    pub(super) faces: [Vec<f32>; 2],
}

impl Case {
    pub(super) fn new(name: &'static str, graph: LayerGraph) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let mut face = || -> Vec<f32> {
            let draw = |_| random.random_range(-1.0f32..1.0);
            (0..graph.input().volume()).map(draw).collect()
        };
        let faces = [face(), face()];
        let weights = lively_weights(&graph, 5);
        Self {
            name,
            graph,
            weights,
            faces,
        }
    }

    /// Operators one after the other, the last one's output as a vector.
    pub(super) fn chain(name: &'static str, face: Shape, ops: &[Op]) -> Self {
        let mut graph = LayerGraph::new(name, face);
        let mut last = graph.face();
        for (index, op) in ops.iter().enumerate() {
            last = graph
                .push(&format!("layer{index}"), op.clone(), &[last])
                .unwrap();
        }
        graph.push("flat", Op::Flatten, &[last]).unwrap();
        Self::new(name, graph)
    }
}

/// Weights of which no bias, slope or statistic has its first value, so that a part left out is
/// seen.
fn lively_weights(graph: &LayerGraph, seed: u64) -> Weights {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = Weights::initialize(graph, seed);
    for named in graph.parameters() {
        let range = match named.parameter.name {
            "bias" | "running_mean" => -0.5f32..0.5,
            "slope" => -0.5..1.5,
            "running_var" => 0.2..3.0,
            "weight" if named.parameter.extents.len() == 1 => 0.5..1.5,
            _ => continue,
        };
        let draw = |_| random.random_range(range.clone());
        let values = (0..named.parameter.volume()).map(draw).collect();
        let extents = named.parameter.extents;
        weights.insert(&named.name, Tensor { extents, values });
    }
    weights
}

pub(super) fn shape(channels: usize, height: usize, width: usize) -> Shape {
    Shape {
        channels,
        height,
        width,
    }
}

pub(super) fn window(kernel: usize, stride: usize, padding: [usize; 4]) -> Window {
    let [top, left, bottom, right] = padding;
    let padding = Padding {
        top,
        left,
        bottom,
        right,
    };
    Window {
        kernel,
        stride,
        padding,
    }
}

pub(super) fn conv(out_channels: usize, window: Window, groups: usize, bias: bool) -> Op {
    Op::Conv(Conv {
        out_channels,
        window,
        groups,
        bias,
    })
}

fn lrn(size: usize) -> Op {
    // Strong enough that the window and the power show in every digit.
    Op::Lrn(Lrn {
        size,
        alpha: 2.0,
        beta: 0.75,
        bias: 0.5,
    })
}

const BIASED: Op = Op::Linear { out: 6, bias: true };
const UNBIASED: Op = Op::Linear {
    out: 6,
    bias: false,
};

/// Each operator in the positions that could go wrong.
fn convolutions() -> Vec<Case> {
    let none = [0; 4];
    let same = |side: usize, kernel: usize| Window {
        kernel,
        stride: 2,
        padding: Padding::same(Shape::square(3, side), kernel, 2),
    };
    let chain = Case::chain;
    vec![
        chain(
            "conv 1x1",
            shape(3, 5, 4),
            &[conv(4, window(1, 1, none), 1, true)],
        ),
        chain(
            "conv SAME stride 2 even",
            Shape::square(3, 20),
            &[conv(4, same(20, 7), 1, true)],
        ),
        chain(
            "conv SAME stride 2 odd",
            Shape::square(3, 21),
            &[conv(4, same(21, 7), 1, true)],
        ),
        chain(
            "conv uneven padding",
            shape(2, 7, 9),
            &[conv(3, window(3, 2, [2, 0, 1, 3]), 1, false)],
        ),
        chain(
            "depthwise stride 2",
            shape(4, 8, 9),
            &[conv(4, window(3, 2, [1; 4]), 4, true)],
        ),
        chain(
            "conv in two groups",
            shape(4, 6, 6),
            &[conv(6, window(3, 1, [1; 4]), 2, true)],
        ),
        chain(
            "conv, norm",
            shape(3, 6, 6),
            &[conv(4, window(3, 1, [1; 4]), 1, false), Op::BatchNorm],
        ),
        chain(
            "conv with bias, norm",
            shape(3, 6, 6),
            &[conv(4, window(3, 2, none), 1, true), Op::BatchNorm],
        ),
        chain(
            "depthwise, norm, prelu",
            shape(4, 7, 7),
            &[
                conv(4, window(3, 2, [1; 4]), 4, false),
                Op::BatchNorm,
                Op::PRelu,
            ],
        ),
        chain(
            "conv, two norms",
            shape(3, 4, 4),
            &[
                conv(4, window(3, 1, none), 1, false),
                Op::BatchNorm,
                Op::BatchNorm,
            ],
        ),
    ]
}

fn linears_and_norms() -> Vec<Case> {
    let vector = shape(7, 1, 1);
    let chain = Case::chain;
    vec![
        chain("linear", vector, &[Op::Flatten, BIASED]),
        chain("linear without bias", vector, &[Op::Flatten, UNBIASED]),
        chain(
            "linear, norm",
            vector,
            &[Op::Flatten, UNBIASED, Op::BatchNorm],
        ),
        chain(
            "linear with bias, norm, prelu",
            vector,
            &[Op::Flatten, BIASED, Op::BatchNorm, Op::PRelu],
        ),
        chain("norm of maps", shape(3, 4, 5), &[Op::BatchNorm]),
        chain(
            "norm of a vector",
            vector,
            &[Op::Flatten, Op::Relu, Op::BatchNorm],
        ),
    ]
}

fn others() -> Vec<Case> {
    let maps = shape(6, 4, 5);
    let chain = Case::chain;
    let l2 = |name, ops: &[Op]| Case::chain(name, shape(3, 2, 2), ops);
    let mut zero = l2("L2 of zeros", &[Op::Flatten, Op::L2Normalize]);
    zero.faces[1].fill(0.0);
    let mut negative = chain(
        "pool of negatives",
        shape(2, 8, 7),
        &[Op::MaxPool(window(3, 2, [1; 4]))],
    );
    for value in negative.faces.iter_mut().flatten() {
        *value -= 2.0;
    }
    vec![
        zero,
        negative,
        chain("relu", maps, &[Op::Relu]),
        chain("prelu", maps, &[Op::PRelu]),
        chain("prelu of a vector", maps, &[Op::Flatten, Op::PRelu]),
        chain("dropout", maps, &[Op::Dropout { probability: 0.5 }]),
        chain("lrn 3", maps, &[lrn(3)]),
        chain("lrn 5", maps, &[lrn(5)]),
        chain("lrn wider than its input", shape(2, 3, 3), &[lrn(7)]),
        chain(
            "pool SAME even",
            maps,
            &[Op::MaxPool(window(3, 2, [0, 0, 1, 1]))],
        ),
        chain(
            "pool uneven padding",
            maps,
            &[Op::MaxPool(window(3, 2, [1, 0, 0, 1]))],
        ),
        add("add maps", Op::Relu),
        norm_with_two_readers(),
        norm_of_little_variance(),
    ]
}

/// A norm of channels that hardly vary, where its epsilon counts.
fn norm_of_little_variance() -> Case {
    let operators = [conv(4, window(1, 1, [0; 4]), 1, false), Op::BatchNorm];
    let mut case = Case::chain("norm of little variance", shape(3, 4, 4), &operators);
    let little = Tensor {
        extents: vec![4],
        values: vec![1e-4; 4],
    };
    case.weights.insert("layer1.running_var", little);
    case
}

/// A vector where maps are usual, and maps of one pixel where a vector is: the shapes allow it.
///
/// No network here does this, and the trainer's tensors keep the rank they have, so torch is not
/// asked.
pub(super) fn mixed() -> Vec<Case> {
    let (maps, vector) = (shape(6, 4, 5), shape(7, 1, 1));
    let pixel = window(1, 1, [0; 4]);
    let chain = Case::chain;
    let mut cases = vec![
        chain(
            "conv of a vector",
            maps,
            &[Op::Flatten, conv(5, pixel, 1, true)],
        ),
        chain("lrn of a vector", maps, &[Op::Flatten, lrn(3)]),
        chain("linear of maps of one pixel", vector, &[BIASED]),
        chain(
            "L2 of maps of one pixel",
            vector,
            &[Op::PRelu, Op::L2Normalize],
        ),
        add("add a vector and maps", Op::Flatten),
    ];
    cases.extend(branches::mixed());
    cases
}

/// The face plus what `op` makes of it.
fn add(name: &'static str, op: Op) -> Case {
    let mut graph = LayerGraph::new(name, Shape::vector(5));
    let face = graph.face();
    let other = graph.push("other", op, &[face]).unwrap();
    graph.push("sum", Op::Add, &[other, face]).unwrap();
    Case::new(name, graph)
}

/// A convolution whose plain output is needed too, so that its norm must not be folded into it.
fn norm_with_two_readers() -> Case {
    let name = "conv read by a norm and a sum";
    let mut graph = LayerGraph::new(name, Shape::square(3, 4));
    let op = conv(4, window(1, 1, [0; 4]), 1, true);
    let plain = graph.push("plain", op, &[graph.face()]).unwrap();
    let norm = graph.push("norm", Op::BatchNorm, &[plain]).unwrap();
    graph.push("sum", Op::Add, &[plain, norm]).unwrap();
    Case::new(name, graph)
}

/// A network at that width.
fn network(name: &'static str, network: &str, width: f64) -> Case {
    let spec = Spec {
        width,
        ..Spec::new(network)
    };
    Case::new(name, network::build(&spec).unwrap())
}

/// Every operator, and networks at a fraction of their width.
pub(super) fn cases() -> Vec<Case> {
    let nets = vec![
        network("nn1 at 1/20", "nn1", 0.05),
        network("nn1-maxout at 1/20", "nn1-maxout", 0.05),
        network("nn4 at 1/8", "nn4", 0.125),
        network("mobilefacenet at 1/8", "mobilefacenet", 0.125),
    ];
    let all = [
        convolutions(),
        linears_and_norms(),
        others(),
        branches::all(),
        nets,
    ];
    all.into_iter().flatten().collect()
}
