//! Agreement: every backend computes what the referee computes, per operator and for whole nets,
//! these with trained weights.

mod branches;
mod cases;
mod trained;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use shared::OnnxModel;

use crate::network::{self, Spec};
use crate::torch::module::Network;
use crate::torch::operator::Mode;
use crate::weights::Weights;
use crate::{onnx, reference};
use cases::{Case, cases, mixed};

/// Largest difference allowed, relative to the largest value that the referee gives.
///
/// The referee rounds each activation once; a backend sums up to some 12,544 products in f32, in
/// its own order, which has been seen to differ by 8e-7 on unit embeddings of a full NN1. Ten
/// times that is room for another machine's order; a wrong rule differs by 1e-2 and more.
const TOLERANCE: f32 = 1e-5;

/// A case with what the referee gives for each face.
struct Judged {
    case: Case,
    expected: [Vec<f32>; 2],
}

impl Judged {
    fn new(case: Case) -> Self {
        let expected = case.expected();
        Self { case, expected }
    }
}

/// The cases for every backend: operators, networks at a fraction of their width, and all
/// networks trained. Judged once, as the referee is slow.
static CASES: LazyLock<Vec<Judged>> = LazyLock::new(|| {
    let all = cases().into_iter().chain(trained::networks());
    all.map(Judged::new).collect()
});

/// Those that torch is not asked: see [`mixed`].
static MIXED: LazyLock<Vec<Judged>> =
    LazyLock::new(|| mixed().into_iter().map(Judged::new).collect());

impl Case {
    /// What the referee gives for each face.
    fn expected(&self) -> [Vec<f32>; 2] {
        let embed = |face: &Vec<f32>| reference::embed(&self.graph, &self.weights, face).unwrap();
        [embed(&self.faces[0]), embed(&self.faces[1])]
    }

    /// Panics unless `found` agrees with the referee.
    fn check(&self, backend: &str, expected: &[f32], found: &[f32]) {
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

#[test]
fn every_operator_is_among_the_cases() {
    let ops = CASES.iter().flat_map(|judged| judged.case.graph.nodes());
    let mut names: Vec<&str> = ops.map(|node| node.op.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        [
            "Add",
            "BatchNorm",
            "Concat",
            "Conv",
            "DepthwiseConv",
            "Dropout",
            "Face",
            "Flatten",
            "GlobalAveragePool",
            "L2Normalize",
            "L2Pool",
            "Linear",
            "Lrn",
            "MaxPool",
            "Maxout",
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
    tch::set_num_threads(1); // the tests share few cores
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
    for Judged { case, expected } in CASES.iter().chain(MIXED.iter()) {
        for (face, expected) in case.faces.iter().zip(expected) {
            case.check("tract", expected, &by_tract(case, face));
        }
    }
}

#[test]
fn torch_agrees() {
    for Judged { case, expected } in CASES.iter() {
        case.check("torch", &expected.concat(), &by_torch(case));
    }
}

#[test]
fn full_nn1_agrees() {
    let case = Case::new("nn1", network::build(&Spec::new("nn1")).unwrap());
    // One face is enough of a network of this size.
    let face = &case.faces[0];
    let expected = reference::embed(&case.graph, &case.weights, face).unwrap();
    case.check("tract", &expected, &by_tract(&case, face));
    case.check("torch", &expected, &by_torch(&case)[..expected.len()]);
}

#[test]
fn torch_embeds_smaller_faces_where_the_size_is_not_fixed() {
    let mut seen = 0;
    for name in network::NAMES {
        let spec = Spec {
            width: 0.1,
            ..Spec::new(name)
        };
        let graph = network::build(&spec).unwrap();
        if graph.is_fixed_size() {
            continue;
        }
        seen += 1;
        let side = i64::from(graph.side_px().unwrap() / 2);
        let weights = Weights::initialize(&graph, 3);
        let network = Network::new(graph, &weights, tch::Device::Cpu).unwrap();
        let faces = tch::Tensor::rand([2, 3, side, side], tch::kind::FLOAT_CPU);
        let rows = tch::no_grad(|| network.forward(&faces, Mode::Inference));
        assert_eq!(rows.size(), [2, 128], "{name}");
        let lengths = rows
            .square()
            .sum_dim_intlist([1i64].as_slice(), false, None);
        let off = (lengths - 1.0).abs().max().double_value(&[]);
        assert!(off < 1e-5, "{name}: {off}");
    }
    assert_eq!(seen, 5);
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
        crate::skip::skip("USHER_PYTHON names no Python with onnx and onnxruntime to ask");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cases = || CASES.iter().chain(MIXED.iter()).enumerate();
    for (index, Judged { case, .. }) in cases() {
        let stem = folder.path().join(format!("{index:03}"));
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
    for (index, Judged { case, expected }) in cases() {
        let found = read_floats(&folder.path().join(format!("{index:03}.output")));
        case.check("onnxruntime", &expected.concat(), &found);
    }
}
