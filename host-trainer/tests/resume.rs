//! A run that is killed again and again ends bit for bit where one that was let alone ends.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use host_trainer::telemetry::metrics::{self, Metrics};
use host_trainer::weights::Weights;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Everything that has a state of its own: running statistics, moments, an average, centers, two
/// passes over a batch, a side that changes, epochs of 9 batches.
const LIVELY: &str = "
    network = 'mobilefacenet'
    width = 0.25
    dimension = 64
    seed = 3
    steps = 60
    checkpoint_steps = 3
    keep = 2
    average = 0.9
    gradient_clip = 5.0
    batch = { identities = 2, per_identity = 2, chunk = 2 }
    softmax = { scale = 16.0, margin = 0.1, weight = 1.0 }
    optimizer = { kind = 'adam_w', learning_rate = 0.001, weight_decay = 0.01 }
    augment = { jpeg = 0.5, occlusion = 0.5, low_resolution = 0.5 }
    early = [{ side_px = 32, until = 0.5 }, { side_px = 48, until = 0.99 }]
";
/// With dropout, whose draws have to be the same.
const DROPPING: &str = "
    network = 'nn1'
    width = 0.03
    dimension = 64
    seed = 4
    steps = 8
    checkpoint_steps = 2
    batch = { identities = 2, per_identity = 2 }
    triplet = { mining = 'batch_hard', margin = 'soft' }
    optimizer = { kind = 'ada_grad', learning_rate = 0.01 }
";

/// When a process is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// As soon as the numbers of that step are written.
    AfterStep(u64),
    /// As soon as a checkpoint is being written after that step.
    InCheckpoint(u64),
}

/// Six identities with six pictures each.
fn pictures(folder: &Path) {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for identity in 0..6u8 {
        let folder = folder.join(format!("identity-{identity}"));
        std::fs::create_dir_all(&folder).unwrap();
        for picture in 0..6 {
            let image = image::RgbImage::from_fn(128, 128, |x, _| {
                let noise = random.random_range(0..40u8);
                image::Rgb([30 * identity + noise, x as u8, 200 - 30 * identity + noise])
            });
            image.save(folder.join(format!("{picture}.png"))).unwrap();
        }
    }
}

fn train(arguments: &[&str], folder: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher-train"));
    command.arg("train").args(arguments).current_dir(folder);
    command.env("OMP_NUM_THREADS", "1");
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn steps_done(run: &Path) -> u64 {
    let metrics = metrics::read(&run.join("metrics.jsonl")).unwrap_or_default();
    metrics.steps.last().map_or(0, |step| step.step)
}

fn is_writing(run: &Path) -> bool {
    let entries = std::fs::read_dir(run).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(".writing-")
    })
}

/// Lets a process run until `kill`, and kills it (SIGKILL); false if it ended before.
fn kill_at(mut child: Child, run: &Path, kill: Kill) -> bool {
    let started = Instant::now();
    loop {
        let due = match kill {
            Kill::AfterStep(step) => steps_done(run) >= step,
            Kill::InCheckpoint(step) => is_writing(run) && steps_done(run) > step,
        };
        if due {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            finish(child);
            return false;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{kill:?}");
    }
}

/// Steps without what the clock says.
fn without_times(mut metrics: Metrics) -> Metrics {
    for step in &mut metrics.steps {
        (step.seconds, step.waited_seconds, step.mining_seconds) = (0.0, 0.0, 0.0);
    }
    metrics
}

/// Runs `config` once in peace and once with those kills, and compares.
fn check(config: &str, kills: &[Kill]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    pictures(&folder.join("data"));
    std::fs::write(folder.join("config.toml"), config).unwrap();
    let start = |run: &'static str| {
        train(
            &["--config", "config.toml", "--data", "data", "--run", run],
            folder,
        )
    };
    finish(start("calm"));
    let run = folder.join("killed");
    let mut in_checkpoint = 0;
    for (index, kill) in kills.iter().enumerate() {
        let child = match index {
            0 => start("killed"),
            _ => train(&["--resume", "killed"], folder),
        };
        assert!(kill_at(child, &run, *kill), "{kill:?}: ended before");
        in_checkpoint += usize::from(is_writing(&run));
    }
    let wanted = kills
        .iter()
        .filter(|kill| matches!(kill, Kill::InCheckpoint(_)));
    assert!(
        in_checkpoint * 2 >= wanted.count(),
        "a kill in a checkpoint leaves its file half written: {in_checkpoint}"
    );
    finish(train(&["--resume", "killed"], folder));
    assert!(!is_writing(&run), "what kills left is tidied up");

    let memory = |run: &str| {
        let path = folder.join(run).join("last.safetensors");
        let (tensors, note) = Weights::read_checkpoint(&path).unwrap();
        let mut note: serde_json::Value = serde_json::from_str(&note.unwrap()).unwrap();
        for time in ["seconds", "waited_seconds", "mining_seconds"] {
            note[time] = 0.into();
        }
        (tensors, note)
    };
    let (calm, killed) = (memory("calm"), memory("killed"));
    assert_eq!(calm.1, killed.1);
    for ((name, a), (_, b)) in calm.0.iter().zip(killed.0.iter()) {
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
        assert!(bits(&a.values) == bits(&b.values), "{name} differs");
    }
    assert_eq!(calm.0.iter().count(), killed.0.iter().count());
    let numbers = |run: &str| {
        let path = folder.join(run).join("metrics.jsonl");
        without_times(metrics::read(&path).unwrap())
    };
    assert_eq!(numbers("calm"), numbers("killed"));
}

#[test]
fn twenty_kills_change_no_bit() {
    // Every third step writes a checkpoint; kills fall before, in and after them, in five epochs.
    let kills: Vec<Kill> = (0..20)
        .map(|kill| match kill % 4 {
            3 => Kill::InCheckpoint(kill * 5 / 2),
            _ => Kill::AfterStep(1 + kill * 5 / 2),
        })
        .collect();
    check(LIVELY, &kills);
}

#[test]
fn dropout_drops_the_same_after_a_kill() {
    check(DROPPING, &[Kill::AfterStep(3), Kill::InCheckpoint(4)]);
}
