//! `usher-train export`: what lies in the folder afterwards, and what does not after a failure.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::path::Path;
use std::process::{Command, Output};

use host_trainer::network::{self, Spec};
use host_trainer::weights::Weights;
use shared::Embedder;

/// Weights that no training has touched.
fn write_weights(path: &Path, dimension: usize, seed: u64) {
    let graph = network::build(&Spec {
        dimension,
        ..Spec::new("mobilefacenet")
    })
    .unwrap();
    Weights::initialize(&graph, seed).write(path).unwrap();
}

fn export(arguments: &[&str], models: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_usher-train"))
        .arg("export")
        .args(arguments)
        .args(["--name", "trial", "--models"])
        .arg(models)
        .output()
        .unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn weights_become_a_model_that_is_replaced_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, models) = (
        folder.path().join("w.safetensors"),
        folder.path().join("models"),
    );
    write_weights(&weights, 64, 1);
    let weights_path = weights.to_string_lossy();
    let arguments = [
        "--weights",
        &weights_path,
        "--network",
        "mobilefacenet",
        "--dimension",
        "64",
    ];

    let output = export(&arguments, &models);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(names(&models), ["trial.md", "trial.onnx", "trial.toml"]);
    let manifest = models.join("trial.toml");
    let first = Embedder::load(&manifest).unwrap().manifest().clone();
    assert_eq!((first.dimension, first.preprocessing.side_px), (64, 112));
    assert!(first.operating_points.is_empty() && first.training_data.is_empty());

    write_weights(&weights, 64, 2);
    let output = export(&arguments, &models);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--force"), "{}", said(&output));
    assert_eq!(*Embedder::load(&manifest).unwrap().manifest(), first);

    let output = export(&[&arguments[..], &["--force"]].concat(), &models);
    assert!(output.status.success(), "{}", said(&output));
    let second = Embedder::load(&manifest).unwrap();
    assert_ne!(second.manifest().model_id(), first.model_id());
    assert_eq!(names(&models), ["trial.md", "trial.onnx", "trial.toml"]);

    let untrained = [&["--untrained", "1", "--force"], &arguments[2..]].concat();
    let output = export(&untrained, &models);
    assert!(output.status.success(), "{}", said(&output));
    let again = Embedder::load(&manifest).unwrap();
    assert_eq!(again.manifest().model_id(), first.model_id());
    let card = std::fs::read_to_string(models.join("trial.md")).unwrap();
    assert!(
        card.contains("as before training, drawn by seed 1"),
        "{card}"
    );
    assert!(card.contains("export --untrained 1 --network mobilefacenet --dimension 64"));
    for wrong in [
        &["--untrained", "1", "--weights", &weights_path][..],
        &["--untrained", "1", "--run", "somewhere"],
        &["--untrained", "1"],
    ] {
        let output = export(&[wrong, &["--force"]].concat(), &models);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
}

#[test]
fn a_run_tells_where_the_model_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let (run, models) = (folder.path().join("run"), folder.path().join("models"));
    std::fs::create_dir(&run).unwrap();
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/demo.toml");
    std::fs::copy(config, run.join("config.toml")).unwrap();
    let dimension = 128;
    write_weights(&run.join("last.safetensors"), dimension, 1);
    let data = r#"{"sha256": "0", "sources": [{"name": "Faces & Co", "pictures": 1234,
        "identities": 12, "licence": "research only"}]}"#;
    std::fs::write(run.join("data.json"), data).unwrap();
    let metrics = "{\"step\": 7, \"pictures\": 1400, \"seconds\": 120.0}\n{\"step\": 8, \"pic";
    std::fs::write(run.join("metrics.jsonl"), metrics).unwrap();

    let output = export(&["--run", &run.to_string_lossy()], &models);
    assert!(output.status.success(), "{}", said(&output));
    let embedder = Embedder::load(&models.join("trial.toml")).unwrap();
    let [data] = embedder.manifest().training_data.as_slice() else {
        panic!("{:?}", embedder.manifest().training_data);
    };
    assert_eq!((data.name.as_str(), data.pictures), ("Faces & Co", 1234));
    let card = std::fs::read_to_string(models.join("trial.md")).unwrap();
    for expected in [
        "| Faces & Co | 1,234 | 12 | research only |",
        "after 7 steps: 1,400 pictures seen in 2 minutes",
        "Not measured yet",
        "mobilefacenet",
    ] {
        assert!(card.contains(expected), "{expected}: {card}");
    }
}

#[test]
fn what_cannot_be_exported_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, models) = (
        folder.path().join("w.safetensors"),
        folder.path().join("models"),
    );
    write_weights(&weights, 64, 1);
    let path = weights.to_string_lossy().into_owned();
    let whole = std::fs::read(&weights).unwrap();
    let short = folder.path().join("short.safetensors");
    std::fs::write(&short, &whole[..whole.len() / 2]).unwrap();
    let short = short.to_string_lossy().into_owned();
    let absent = folder.path().join("absent").to_string_lossy().into_owned();
    for (name, arguments, expected) in [
        (
            "another dimension",
            ["--weights", &path, "--network", "mobilefacenet"],
            "linear.weight",
        ),
        (
            "another network",
            ["--weights", &path, "--network", "nn1"],
            "conv1.weight",
        ),
        (
            "no such network",
            ["--weights", &path, "--network", "nn9"],
            "nn1, nn1-maxout",
        ),
        (
            "cut short",
            ["--weights", &short, "--network", "mobilefacenet"],
            "short.safetensors",
        ),
    ] {
        let output = export(&arguments, &models);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", said(&output));
        assert!(
            said(&output).contains(expected),
            "{name}: {}",
            said(&output)
        );
        assert_eq!(names(&models), Vec::<String>::new(), "{name}");
    }
    let output = export(&["--run", &absent], &models);
    assert!(said(&output).contains("config.toml"), "{}", said(&output));
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_usher-train"))
        .args([
            "export",
            "--run",
            "runs/none",
            "--name",
            "../trial",
            "--models",
        ])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("../trial"), "{}", said(&output));
}
