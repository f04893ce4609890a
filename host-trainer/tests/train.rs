//! The real program trains on pictures made here: what a run leaves behind, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::path::Path;
use std::process::{Command, Output};

use host_trainer::history;
use host_trainer::weights::Weights;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CONFIG: &str = "
    network = 'mobilefacenet'
    dimension = 64
    seed = 3
    steps = 3
    checkpoint_steps = 2
    batch = { identities = 3, per_identity = 2 }
    softmax = { scale = 16.0, margin = 0.1, weight = 1.0 }
    optimizer = { kind = 'adam_w', learning_rate = 0.001, weight_decay = 0.01 }
    early = [{ side_px = 64, until = 0.5 }]
";

/// Four identities with three pictures each: a color of their own under noise.
fn pictures(folder: &Path) {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for identity in 0..4u8 {
        let folder = folder.join(format!("identity-{identity}"));
        std::fs::create_dir_all(&folder).unwrap();
        for picture in 0..3 {
            let image = image::RgbImage::from_fn(128, 128, |_, _| {
                let noise = random.random_range(0..40u8);
                image::Rgb([
                    40 * identity + noise,
                    200 - 40 * identity + noise,
                    90 + noise,
                ])
            });
            image.save(folder.join(format!("{picture}.png"))).unwrap();
        }
    }
}

fn train(folder: &Path, run: &str, extra: &[&str]) -> Output {
    let config = folder.join("config.toml");
    if !config.exists() {
        std::fs::write(&config, CONFIG).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher-train"));
    command.arg("train").arg("--config").arg(config);
    command.arg("--data").arg(folder.join("data"));
    command.arg("--run").arg(folder.join(run)).args(extra);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_run_is_written_down_and_the_seed_decides_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    for run in ["first", "second"] {
        let output = train(folder, run, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let weights = |name: &str| Weights::read(&folder.join(name)).unwrap();
    let first = weights("first/last.safetensors");
    assert!(
        first == weights("second/last.safetensors"),
        "same seed, same weights"
    );
    assert!(
        first != weights("first/step-000002.safetensors"),
        "step 3 moved them"
    );
    assert!(first.get("softmax.centers").is_some());

    let metrics = std::fs::read_to_string(folder.join("first/metrics.jsonl")).unwrap();
    let sides: Vec<u64> = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["side_px"].as_u64().unwrap())
        .collect();
    assert_eq!(sides, [64, 64, 112]);
    let data = std::fs::read_to_string(folder.join("first/data.json")).unwrap();
    let data: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(data["sources"][0]["pictures"], 12);

    let output = train(folder, "first", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("holds a run already"),
        "{}",
        said(&output)
    );
}

#[test]
fn training_starts_from_given_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    assert!(train(folder, "first", &[]).status.success());
    let checkpoint = folder.join("first/last.safetensors");
    let output = train(folder, "more", &["--init", checkpoint.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let stages = history::of_run(&folder.join("more")).unwrap();
    let steps: Vec<_> = stages
        .iter()
        .map(|stage| stage.effort.unwrap().step)
        .collect();
    assert_eq!(steps, [3, 3], "the run knows what it went on from");
    let (first, more) = (
        Weights::read(&checkpoint).unwrap(),
        Weights::read(&folder.join("more/last.safetensors")).unwrap(),
    );
    // Three steps at this rate move a weight by at most 0.003, where two random draws of the stem
    // would be about 0.27 apart.
    let (first, more) = (
        first.get("conv1.weight").unwrap(),
        more.get("conv1.weight").unwrap(),
    );
    let moved = first
        .values
        .iter()
        .zip(&more.values)
        .map(|(a, b)| (a - b).abs());
    let farthest = moved.fold(0.0, f32::max);
    assert!(farthest > 0.0 && farthest < 0.01, "{farthest}");
}

/// Numbers of a part of the loss, step by step; none where it was off.
fn parts(run: &Path, part: &str) -> Vec<Option<f64>> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["kind"] == "step")
        .map(|line| line[part].as_f64())
        .collect()
}

#[test]
fn a_teacher_and_an_older_model_are_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let model = models.join("usher-small.toml");
    let (model, cache) = (model.to_str().unwrap(), folder.join("cache"));
    let cache = ["--teacher-cache", cache.to_str().unwrap()];
    let text = CONFIG
        .replace("dimension = 64", "dimension = 128\nwidth = 0.25")
        .replace("steps = 3", "steps = 4")
        + "compatible = { weight = 1.0, last_layer_until = 0.5 }
           distillation = { weight = 1.0, until = 0.5 }
           triplet = { mining = 'batch_hard' }";
    std::fs::write(folder.join("config.toml"), text).unwrap();

    let output = train(
        folder,
        "taught",
        &[&["--teacher", model], &cache[..]].concat(),
    );
    assert!(output.status.success(), "{}", said(&output));
    let distillation = parts(&folder.join("taught"), "distillation");
    let on: Vec<bool> = distillation.iter().map(Option::is_some).collect();
    assert_eq!(on, [true, true, false, false], "{distillation:?}");
    assert!(distillation[0].unwrap() > 0.1, "{distillation:?}");

    let taught = folder.join("taught/last.safetensors");
    let with = [&["--compatible-with", model], &cache[..]].concat();
    let compatible = [&["--init", taught.to_str().unwrap()], &with[..]].concat();
    let output = train(folder, "compatible", &compatible);
    assert!(output.status.success(), "{}", said(&output));
    let run = folder.join("compatible");
    assert!(parts(&run, "compatible").iter().all(Option::is_some));
    // Steps 1 and 2 move the last layer alone.
    let at = |step: u64| Weights::read(&run.join(format!("step-{step:06}.safetensors"))).unwrap();
    let (two, four) = (at(2), at(4));
    let first = Weights::read(&taught).unwrap();
    let same = |a: &Weights, b: &Weights, name: &str| a.get(name).unwrap() == b.get(name).unwrap();
    assert!(same(&two, &first, "conv1.weight") && !same(&four, &first, "conv1.weight"));
    assert!(!same(&two, &first, "linear.weight"));

    std::fs::write(
        folder.join("config.toml"),
        CONFIG.replace("steps = 3", "steps = 4"),
    )
    .unwrap();
    let output = train(folder, "narrower", &with);
    assert_eq!(output.status.code(), Some(1));
    let expected = "expected dimension = 128, found 64";
    assert!(said(&output).contains(expected), "{}", said(&output));
    assert!(!folder.join("narrower").exists());
}

#[test]
fn a_run_that_breaks_down_stops_and_keeps_numbers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    // At the lower rate the statistics run away while the loss is still a number.
    for rate in ["1e6", "1e30"] {
        let text = CONFIG
            .replace("learning_rate = 0.001", &format!("learning_rate = {rate}"))
            .replace("steps = 3", "steps = 30")
            .replace("checkpoint_steps = 2", "checkpoint_steps = 1");
        std::fs::write(folder.join("config.toml"), text).unwrap();
        let output = train(folder, rate, &[]);
        assert_eq!(output.status.code(), Some(1), "{rate}");
        let expected = "lower learning_rate";
        assert!(said(&output).contains(expected), "{}", said(&output));
        for entry in std::fs::read_dir(folder.join(rate)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "safetensors") {
                let (weights, _) = Weights::read_checkpoint(&path).unwrap();
                let mut values = weights.iter().flat_map(|(_, tensor)| &tensor.values);
                assert!(values.all(|value| value.is_finite()), "{path:?}");
            }
        }
    }
}

#[test]
fn what_is_no_run_and_no_aligned_face_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    std::fs::create_dir_all(folder.join("photos/ada")).unwrap();
    let output = train(folder, "photos", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("holds other things, ada"),
        "{}",
        said(&output)
    );

    let photo = image::RgbImage::new(160, 120);
    for name in ["1.png", "2.png"] {
        photo
            .save(folder.join("data/identity-0").join(name))
            .unwrap();
    }
    let output = train(folder, "run", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("found 160x120"), "{}", said(&output));
    assert!(!folder.join("run").exists());
}

#[test]
fn cuda_asked_for_where_there_is_none_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    let output = train(folder, "run", &["--device", "cuda", "--steps", "1"]);
    if tch_sees_cuda() {
        assert!(output.status.success(), "{}", said(&output));
    } else {
        assert_eq!(output.status.code(), Some(1));
        let expected = "expected a CUDA device, found none";
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert!(!folder.join("run").exists());
    }
}

fn tch_sees_cuda() -> bool {
    host_trainer::torch::device::pick(host_trainer::config::device::DeviceChoice::Cuda).is_ok()
}

#[test]
fn unusable_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let output = train(folder, "run", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("data"), "{}", said(&output));

    pictures(&folder.join("data"));
    let broken = folder.join("data/identity-2/1.png");
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..200]).unwrap();
    let output = train(folder, "run-2", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("identity-2/1.png"),
        "{}",
        said(&output)
    );

    std::fs::write(
        folder.join("config.toml"),
        CONFIG.replace("mobilefacenet", "nn1"),
    )
    .unwrap();
    let output = train(folder, "run-3", &[]);
    assert!(said(&output).contains("220 px only"), "{}", said(&output));
}
