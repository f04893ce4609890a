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
