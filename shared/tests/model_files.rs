//! A model's two files: together they load and embed, and whatever disagrees is refused in words.
//!
//! `tests/data/tiny_embedder.onnx` averages each color plane, multiplies by a 3 x 4 matrix and
//! normalizes; its batch is the symbol N. It was written with the Python package onnx 1.23.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use shared::model_id::sha256_hex;
use shared::{
    AlignedFace, Detector, DetectorError, Embedder, EmbedderError, Embedding, InferenceError,
    ModelManifest, OnnxModel, Preprocessing, SquaredL2,
};

fn onnx(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    std::fs::read(path).unwrap()
}

/// A small recipe: the manifest's lower bound is 16, and the network fits any side.
const SIDE_PX: u32 = 16;

/// A model in a folder of its own, with its manifest changed before it is written.
struct Model {
    folder: tempfile::TempDir,
}

impl Model {
    fn new(onnx: &[u8], change: impl FnOnce(&mut ModelManifest)) -> Model {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.onnx"), onnx).unwrap();
        let mut manifest = ModelManifest {
            format: 1,
            name: "tiny".into(),
            network: "tiny".into(),
            onnx: "tiny.onnx".into(),
            sha256: sha256_hex(onnx),
            dimension: 4,
            parameters: 12,
            multiply_adds: 12,
            licence: "MIT OR Apache-2.0".into(),
            preprocessing: Preprocessing::usher(SIDE_PX),
            operating_points: vec![],
            training_data: vec![],
        };
        change(&mut manifest);
        manifest.write(&folder.path().join("tiny.toml")).unwrap();
        Model { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Result<Embedder, EmbedderError> {
        Embedder::load(&self.path("tiny.toml"))
    }
}

fn plain(rgb: [u8; 3]) -> AlignedFace {
    AlignedFace::from_rgb(SIDE_PX, rgb.repeat((SIDE_PX * SIDE_PX) as usize)).unwrap()
}

fn message<T>(result: Result<T, EmbedderError>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn embeds_by_the_matrix_in_the_file() {
    let mut embedder = Model::new(&onnx("tiny_embedder.onnx"), |_| {})
        .load()
        .unwrap();
    let recipe = embedder.manifest().preprocessing.clone();
    // The state is reused: the same face gives the same bits whatever came between.
    let first = embedder
        .embed(&recipe.normalize(&plain([255, 0, 31])))
        .unwrap();
    for rgb in [[255, 0, 31], [10, 200, 90], [255, 0, 31]] {
        let [r, g, b] = rgb.map(|v| (f32::from(v) - 127.5) / 128.0);
        let raw = vec![r, 2.0 * g, 4.0 * b, 0.5 * r + 0.25 * g + 0.125 * b];
        let expected = Embedding::from_raw(raw).unwrap();
        let found = embedder.embed(&recipe.normalize(&plain(rgb))).unwrap();
        // f32 sums over 256 pixels in another order.
        let off = SquaredL2::between(&found, &expected).value();
        assert!(off < 1e-10, "{rgb:?}: {off}");
        assert_eq!(found == first, rgb == [255, 0, 31]);
    }
}

#[test]
fn a_face_of_another_side_is_refused() {
    let mut embedder = Model::new(&onnx("tiny_embedder.onnx"), |_| {})
        .load()
        .unwrap();
    let face = AlignedFace::from_rgb(8, vec![0; 192]).unwrap();
    let tensor = embedder.manifest().preprocessing.normalize(&face);
    let text = message(embedder.embed(&tensor));
    assert!(
        text.contains("expected a face of 16 pixels a side, found 8"),
        "{text}"
    );
}

#[test]
fn a_network_cut_short_or_changed_is_named_with_both_digests() {
    let whole = onnx("tiny_embedder.onnx");
    let mut changed = whole.clone();
    changed[200] ^= 1;
    for content in [&whole[..100], &changed, b""] {
        let model = Model::new(&whole, |_| {});
        std::fs::write(model.path("tiny.onnx"), content).unwrap();
        let text = message(model.load());
        for part in [
            "tiny.onnx",
            "tiny.toml",
            &sha256_hex(&whole),
            &sha256_hex(content),
            &format!("over {} bytes", content.len()),
            "copy both files of the model again",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn a_missing_network_is_named() {
    let model = Model::new(&onnx("tiny_embedder.onnx"), |_| {});
    std::fs::remove_file(model.path("tiny.onnx")).unwrap();
    let text = message(model.load());
    assert!(
        text.contains("tiny.onnx") && text.contains("into one folder"),
        "{text}"
    );
}

#[test]
fn a_network_that_disagrees_with_its_manifest_is_refused() {
    type Change = fn(&mut ModelManifest);
    let no_change: Change = |_| {};
    let cases: [(&str, Vec<u8>, Change, &str); 5] = [
        (
            "other dimension",
            onnx("tiny_embedder.onnx"),
            |m| m.dimension = 128,
            "output [1, 128], found [1, 4]",
        ),
        (
            "two outputs",
            onnx("two_outputs.onnx"),
            no_change,
            "found [1, 4], [1, 4]",
        ),
        (
            "two inputs",
            onnx("two_inputs.onnx"),
            no_change,
            "one input, found 2",
        ),
        (
            "text",
            b"Dear Sir or Madam,".to_vec(),
            no_change,
            "18 bytes that are not one",
        ),
        (
            "cut, with the digest of the cut",
            onnx("tiny_embedder.onnx")[..300].to_vec(),
            no_change,
            "not one",
        ),
    ];
    for (name, onnx, change, expected) in cases {
        let text = message(Model::new(&onnx, change).load());
        assert!(text.contains(expected), "{name}: {text}");
        assert!(
            text.contains("tiny.onnx") && !text.contains('\n'),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_recipe_of_another_side_than_the_file_declares_is_refused() {
    let model = Model::new(&onnx("fixed_side.onnx"), |m| m.preprocessing.side_px = 32);
    let text = message(model.load());
    assert!(
        text.contains("[N, 3, 32, 32], found [N, 3, 16, 16]"),
        "{text}"
    );
}

#[test]
fn inference_checks_its_input() {
    let mut model = OnnxModel::load(&onnx("tiny_embedder.onnx"), &[1, 3, 8, 8]).unwrap();
    assert_eq!(model.declared_input(), [None, Some(3), None, None]);
    assert_eq!(model.outputs()[0].name, "embedding");
    assert_eq!(model.outputs()[0].shape, [1, 4]);
    assert_eq!(
        model.run(&[0.0; 191]),
        Err(InferenceError::InputLength {
            expected: 192,
            found: 191
        })
    );
    assert_eq!(model.run(&[1.0; 192]).unwrap()[0].len(), 4);
}

#[test]
fn a_batch_of_any_size_is_resolved_before_the_plan() {
    let bytes = onnx("tiny_embedder.onnx");
    for batch in [1, 3] {
        let model = OnnxModel::load(&bytes, &[batch, 3, 8, 8]).unwrap();
        assert_eq!(model.outputs()[0].shape, [batch, 4]);
    }
}

#[test]
fn no_damage_makes_loading_panic() {
    let whole = onnx("tiny_embedder.onnx");
    for length in 0..whole.len() {
        assert!(
            OnnxModel::load(&whole[..length], &[1, 3, 8, 8]).is_err(),
            "{length} bytes"
        );
    }
    let mut state = 2_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let mut damaged = whole.clone();
        let place = draw() % damaged.len();
        damaged[place] = draw() as u8;
        if let Ok(mut model) = OnnxModel::load(&damaged, &[1, 3, 8, 8]) {
            let _ = model.run(&[0.5; 192]);
        }
    }
}

#[test]
fn another_network_is_no_detector() {
    let model = Model::new(&onnx("tiny_embedder.onnx"), |_| {});
    let error = |path: &Path, side| Detector::load(path, side).err().unwrap();
    let text = error(&model.path("tiny.onnx"), 320).to_string();
    assert!(
        text.contains("cls_8") && text.contains("embedding [1, 4]"),
        "{text}"
    );
    let text = error(&model.path("tiny.toml"), 320).to_string();
    assert!(
        text.contains("tiny.toml") && text.contains("scripts/setup"),
        "{text}"
    );
    assert!(matches!(
        error(&model.path("absent"), 320),
        DetectorError::Read { .. }
    ));
    for side in [0, 31, 100, 8192] {
        let text = error(&model.path("tiny.onnx"), side).to_string();
        assert!(text.contains(&format!("found {side};")), "{text}");
    }
}

#[test]
fn detector_and_embedder_may_move_to_another_thread() {
    fn moves<T: Send>() {}
    moves::<Detector>();
    moves::<Embedder>();
    moves::<shared::Pipeline>();
}
