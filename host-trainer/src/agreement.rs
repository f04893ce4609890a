//! Agreement: every backend computes what the referee computes, per operator and for whole nets.

use std::path::{Path, PathBuf};
use std::process::Command;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::OnnxModel;

use crate::network::graph::LayerGraph;
use crate::network::mobilefacenet::mobilefacenet;
use crate::network::nn1::nn1;
use crate::network::op::{Conv, Lrn, Op, Padding, Window};
use crate::network::shape::Shape;
use crate::torch::module::Network;
use crate::torch::operator::Mode;
use crate::weights::{Tensor, Weights};
use crate::{onnx, reference};

/// Largest difference allowed, relative to the largest value that the referee gives.
///
/// The referee rounds each activation once; a backend sums up to some 12,544 products in f32, in
/// its own order, which has been seen to differ by 8e-7 on unit embeddings of a full NN1. Ten
/// times that is room for another machine's order; a wrong rule differs by 1e-2 and more.
const TOLERANCE: f32 = 1e-5;

/// A network or a part of one, its weights, and two faces.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) graph: LayerGraph,
    pub(crate) weights: Weights,
    pub(crate) faces: [Vec<f32>; 2],
}

impl Case {
    fn new(name: &'static str, graph: LayerGraph) -> Self {
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
    fn chain(name: &'static str, face: Shape, ops: &[Op]) -> Self {
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

    /// What the referee gives for each face.
    pub(crate) fn expected(&self) -> [Vec<f32>; 2] {
        let embed = |face: &Vec<f32>| reference::embed(&self.graph, &self.weights, face).unwrap();
        [embed(&self.faces[0]), embed(&self.faces[1])]
    }

    /// Panics unless `found` agrees with the referee.
    pub(crate) fn check(&self, backend: &str, expected: &[f32], found: &[f32]) {
        assert_eq!(expected.len(), found.len(), "{backend}: {}", self.name);
        let largest = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, f32::max);
        let scale = largest(&mut expected.iter().map(|x| x.abs())).max(f32::MIN_POSITIVE);
        let off = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        assert!(
            found.iter().all(|x| x.is_finite()),
            "{backend}: {}",
            self.name
        );
        let difference = largest(&mut off.into_iter()) / scale;
        assert!(
            difference <= TOLERANCE,
            "{backend} and the referee disagree on {} by {difference}",
            self.name
        );
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

fn shape(channels: usize, height: usize, width: usize) -> Shape {
    Shape {
        channels,
        height,
        width,
    }
}

fn window(kernel: usize, stride: usize, padding: [usize; 4]) -> Window {
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

fn conv(out_channels: usize, window: Window, groups: usize, bias: bool) -> Op {
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
            "conv of a vector",
            shape(3, 2, 2),
            &[Op::Flatten, conv(5, window(1, 1, none), 1, true)],
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
        chain("linear of maps of one pixel", vector, &[BIASED]),
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
        l2(
            "L2 of maps of one pixel",
            &[conv(5, window(2, 1, [0; 4]), 1, true), Op::L2Normalize],
        ),
        chain("relu", maps, &[Op::Relu]),
        chain("prelu", maps, &[Op::PRelu]),
        chain("prelu of a vector", maps, &[Op::Flatten, Op::PRelu]),
        chain("dropout", maps, &[Op::Dropout { probability: 0.5 }]),
        chain("lrn 3", maps, &[lrn(3)]),
        chain("lrn 5", maps, &[lrn(5)]),
        chain("lrn wider than its input", shape(2, 3, 3), &[lrn(7)]),
        chain("lrn of a vector", maps, &[Op::Flatten, lrn(3)]),
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
        add("add a vector and maps", Op::Flatten),
        norm_with_two_readers(),
    ]
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

/// Every operator, and the two networks at a fraction of their width.
pub(crate) fn cases() -> Vec<Case> {
    let nets = vec![
        Case::new("nn1 at 1/20", nn1(16, 0.05).unwrap()),
        Case::new("mobilefacenet at 1/8", mobilefacenet(16, 0.125).unwrap()),
    ];
    let all = [convolutions(), linears_and_norms(), others(), nets];
    all.into_iter().flatten().collect()
}

/// The device's network at its full width.
pub(crate) fn full_mobilefacenet() -> Case {
    Case::new("mobilefacenet", mobilefacenet(128, 1.0).unwrap())
}

#[test]
fn every_operator_is_among_the_cases() {
    let cases = cases();
    let ops = cases.iter().flat_map(|case| case.graph.nodes());
    let mut names: Vec<&str> = ops.map(|node| node.op.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "Add",
            "BatchNorm",
            "Conv",
            "DepthwiseConv",
            "Dropout",
            "Face",
            "Flatten",
            "L2Normalize",
            "Linear",
            "Lrn",
            "MaxPool",
            "PRelu",
            "Relu"
        ]
    );
}

/// What the device computes for one face.
fn by_tract(case: &Case, face: &[f32]) -> Vec<f32> {
    let bytes = onnx::model(&case.graph, &case.weights).unwrap();
    let shape = case.graph.input();
    let input = [1, shape.channels, shape.height, shape.width];
    let mut model = OnnxModel::load(&bytes, &input).unwrap();
    let outputs = model.run(face).unwrap();
    assert_eq!(outputs.len(), 1, "{}", case.name);
    outputs.into_iter().next().unwrap()
}

/// What the trainer computes for both faces as one batch.
fn by_torch(case: &Case) -> Vec<f32> {
    let device = tch::Device::Cpu;
    let network = Network::new(case.graph.clone(), &case.weights, device).unwrap();
    let shape = case.graph.input();
    let extents = [2, shape.channels, shape.height, shape.width].map(|extent| extent as i64);
    let faces = tch::Tensor::from_slice(&case.faces.concat()).reshape(extents);
    let output = tch::no_grad(|| network.forward(&faces, Mode::Inference));
    Vec::try_from(output.contiguous().view(-1)).unwrap()
}

#[test]
fn tract_agrees() {
    for case in cases().iter().chain([&full_mobilefacenet()]) {
        for (face, expected) in case.faces.iter().zip(case.expected()) {
            case.check("tract", &expected, &by_tract(case, face));
        }
    }
}

#[test]
fn torch_agrees() {
    for case in cases().iter().chain([&full_mobilefacenet()]) {
        case.check("torch", &case.expected().concat(), &by_torch(case));
    }
}

#[test]
#[ignore = "72 million weights: 2 GB of memory"]
fn full_nn1_agrees() {
    let case = Case::new("nn1", nn1(128, 1.0).unwrap());
    let expected = case.expected();
    case.check("tract", &expected[0], &by_tract(&case, &case.faces[0]));
    case.check("torch", &expected.concat(), &by_torch(&case));
}

/// The Python with onnx and onnxruntime that `USHER_PYTHON` names.
fn python() -> Option<PathBuf> {
    std::env::var_os("USHER_PYTHON").map(PathBuf::from)
}

fn write_floats(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    std::fs::write(path, bytes).unwrap();
}

fn read_floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

#[test]
fn onnxruntime_agrees_and_the_checker_accepts() {
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: onnx's checker and onnxruntime were not asked; name a Python with onnx and \
             onnxruntime in USHER_PYTHON to ask them"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut cases = cases();
    cases.push(full_mobilefacenet());
    for (index, case) in cases.iter().enumerate() {
        let stem = folder.path().join(format!("{index:02}"));
        let bytes = onnx::model(&case.graph, &case.weights).unwrap();
        std::fs::write(stem.with_extension("onnx"), bytes).unwrap();
        // Both faces as one batch: what one face gives must not depend on the other.
        write_floats(&stem.with_extension("input"), &case.faces.concat());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_check.py");
    let output = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for (index, case) in cases.iter().enumerate() {
        let found = read_floats(&folder.path().join(format!("{index:02}.output")));
        case.check("onnxruntime", &case.expected().concat(), &found);
    }
}
