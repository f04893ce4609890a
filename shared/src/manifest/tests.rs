//! What a manifest promises: it comes back as written, and what is wrong is named by line and field.

use std::fs;

use super::*;
use crate::operating_point::Threshold;

/// A sound manifest for a network of the given digest.
pub(crate) fn example(sha256: &str) -> ModelManifest {
    ModelManifest {
        format: FORMAT,
        name: "usher-test".into(),
        network: "mobilefacenet".into(),
        onnx: "usher-test.onnx".into(),
        sha256: sha256.into(),
        dimension: 128,
        parameters: 1_000_000,
        multiply_adds: 220_000_000,
        licence: "research use".into(),
        preprocessing: Preprocessing::usher(112),
        operating_points: vec![OperatingPoint {
            name: "greet".into(),
            threshold: Threshold::new(1.1).unwrap(),
            fmr: Some(0.001),
            fnmr: None,
            impostor_pairs: 1100,
            genuine_pairs: 1100,
            fmr_interval: None,
            fnmr_interval: None,
            data_sha256: None,
            data: "LFW View 1".into(),
        }],
        training_data: vec![TrainingData {
            name: "faces128".into(),
            pictures: 14_663,
            identities: 479,
            licence: "research use".into(),
        }],
    }
}

const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn refused(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    fs::write(&path, text).unwrap();
    let message = ModelManifest::read(&path).unwrap_err().to_string();
    assert!(message.contains("model.toml"), "{message}");
    message
}

fn text() -> String {
    toml::to_string(&example(DIGEST)).unwrap()
}

#[test]
fn comes_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    let manifest = example(DIGEST);
    manifest.write(&path).unwrap();
    assert_eq!(ModelManifest::read(&path).unwrap(), manifest);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn golden_toml() {
    assert_eq!(
        text(),
        r#"format = 1
name = "usher-test"
network = "mobilefacenet"
onnx = "usher-test.onnx"
sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
dimension = 128
parameters = 1000000
multiply_adds = 220000000
licence = "research use"

[preprocessing]
side_px = 112
color_order = "rgb"
mean = 127.5
scale = 0.0078125
alignment = "arcface112"
resampling = "supersampled_bilinear"

[[operating_points]]
name = "greet"
threshold = 1.1
fmr = 0.001
impostor_pairs = 1100
genuine_pairs = 1100
data = "LFW View 1"

[[training_data]]
name = "faces128"
pictures = 14663
identities = 479
licence = "research use"
"#
    );
}

#[test]
fn errors_name_line_and_field() {
    for (name, from, to, expected) in [
        (
            "unknown field",
            "name = \"usher-test\"",
            "nam = \"x\"",
            vec!["line 2", "nam"],
        ),
        ("missing field", "dimension = 128\n", "", vec!["dimension"]),
        (
            "other type",
            "dimension = 128",
            "dimension = \"128\"",
            vec!["line 6", "dimension"],
        ),
        (
            "not TOML",
            "[preprocessing]",
            "[preprocessing",
            vec!["line 11"],
        ),
        (
            "unknown variant",
            "\"rgb\"",
            "\"grb\"",
            vec!["line 13", "grb", "bgr"],
        ),
        (
            "threshold too large",
            "threshold = 1.1",
            "threshold = 5.0",
            vec!["line 21", "0 to 4"],
        ),
        (
            "later format",
            "format = 1",
            "format = 2\nnews = 1",
            vec!["format 1", "format 2"],
        ),
        ("no format", "format = 1\n", "", vec!["format"]),
        (
            "a path",
            "\"usher-test.onnx\"",
            "\"../x.onnx\"",
            vec!["onnx", "../x.onnx"],
        ),
        ("short digest", DIGEST, "ba78", vec!["sha256", "ba78"]),
        (
            "no dimension",
            "dimension = 128",
            "dimension = 0",
            vec!["dimension", "found 0"],
        ),
        (
            "no side",
            "side_px = 112",
            "side_px = 0",
            vec!["side_px", "found 0"],
        ),
        (
            "no scale",
            "scale = 0.0078125",
            "scale = 0.0",
            vec!["scale"],
        ),
        (
            "mean not finite",
            "mean = 127.5",
            "mean = nan",
            vec!["mean", "NaN"],
        ),
        (
            "rate beyond one",
            "fmr = 0.001",
            "fmr = 1.5",
            vec!["fmr", "1.5"],
        ),
    ] {
        let sound = text();
        assert!(sound.contains(from), "{name}");
        let message = refused(&sound.replacen(from, to, 1));
        for part in expected {
            assert!(message.contains(part), "{name}: {message}");
        }
        assert!(!message.contains('\n'), "{name}: {message}");
    }
    assert!(refused("").contains("format"));
}

#[test]
fn two_operating_points_of_one_name_are_refused() {
    let mut manifest = example(DIGEST);
    manifest
        .operating_points
        .push(manifest.operating_points[0].clone());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    let message = manifest.write(&path).unwrap_err().to_string();
    assert!(message.contains("operating_points.name") && message.contains("greet"));
    assert!(!path.exists());
}

#[test]
fn finds_an_operating_point_or_names_those_there_are() {
    let mut manifest = example(DIGEST);
    assert_eq!(
        manifest.operating_point("greet").unwrap().threshold.value(),
        1.1
    );
    let message = manifest.operating_point("pay").unwrap_err().to_string();
    assert!(
        message.contains("pay") && message.contains("found greet"),
        "{message}"
    );
    manifest.operating_points.clear();
    let message = manifest.operating_point("pay").unwrap_err().to_string();
    assert!(message.contains("found none"), "{message}");
}

#[test]
fn a_missing_file_is_named() {
    let message = ModelManifest::read(Path::new("no/such/model.toml"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/such/model.toml"), "{message}");
}

#[test]
fn only_weights_and_recipe_make_the_id() {
    let manifest = example(DIGEST);
    let mut recalibrated = manifest.clone();
    recalibrated.operating_points.clear();
    recalibrated.name = "other".into();
    assert_eq!(recalibrated.model_id(), manifest.model_id());
    let mut other = manifest.clone();
    other.preprocessing.side_px = 96;
    assert_ne!(other.model_id(), manifest.model_id());
}

#[test]
fn what_a_calibration_adds_comes_back_and_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    let mut manifest = example(DIGEST);
    let point = &mut manifest.operating_points[0];
    point.fmr_interval = Some([0.0008, 0.0013]);
    point.fnmr_interval = Some([0.0, 1.0]);
    point.data_sha256 = Some(DIGEST.into());
    manifest.write(&path).unwrap();
    assert_eq!(ModelManifest::read(&path).unwrap(), manifest);

    type Change = fn(&mut OperatingPoint);
    let changes: [(&str, Change); 3] = [
        ("fmr_interval", |point| {
            point.fmr_interval = Some([0.5, 0.1])
        }),
        ("fnmr_interval", |point| {
            point.fnmr_interval = Some([0.5, 1.1])
        }),
        ("data_sha256", |point| point.data_sha256 = Some("ab".into())),
    ];
    for (field, change) in changes {
        let mut manifest = manifest.clone();
        change(&mut manifest.operating_points[0]);
        let message = manifest.write(&path).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
}
