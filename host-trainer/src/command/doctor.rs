//! `usher-train doctor`: whether this machine is ready to train, and what to do where it is not.

use std::path::PathBuf;

use anyhow::bail;

use crate::config::device::DeviceChoice;
use crate::doctor::{Check, Level, faces, machine, models};

/// Look over libtorch, devices, decoder, data and models; exit 1 if something will not work
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train doctor --data data/aligned --device cuda")]
pub struct Arguments {
    /// Aligned faces to look over: a folder per identity, or manifest.tsv with tar files
    #[arg(long)]
    data: Option<PathBuf>,
    /// A folder of LFW to look over
    #[arg(long)]
    lfw: Option<PathBuf>,
    /// The device you mean to train on
    #[arg(long, value_enum, default_value_t)]
    device: DeviceChoice,
    /// The face detector
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Folder of exported models
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks everything over.
///
/// # Errors
/// If there is a problem.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let checks = checks(arguments);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for check in &checks {
            println!("{check}");
        }
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count();
    match count(Level::Problem) {
        0 => {
            eprintln!("no problem, {} warnings", count(Level::Warning));
            Ok(())
        }
        problems => bail!(
            "{problems} of {} things looked at have a problem",
            checks.len()
        ),
    }
}

fn checks(arguments: &Arguments) -> Vec<Check> {
    let mut checks = libtorch(arguments.device);
    checks.extend([machine::memory(), faces::decoder()]);
    checks.extend(arguments.data.as_deref().map(faces::data));
    checks.extend(arguments.lfw.as_deref().map(faces::lfw));
    checks.push(models::detector(&arguments.detector));
    checks.extend(models::models(&arguments.models));
    checks
}

/// What concerns libtorch.
#[cfg(feature = "torch")]
fn libtorch(device: DeviceChoice) -> Vec<Check> {
    use crate::doctor::libtorch;
    use crate::torch::device::{self, CudaState};
    use crate::torch::environment;
    use crate::torch::library::Library;

    let cores = crate::parallel::cores();
    let asked = std::env::var("OMP_NUM_THREADS").ok();
    vec![
        libtorch::version(&Library::loaded()),
        libtorch::device(&CudaState::here(), device),
        libtorch::threads(device::threads(), cores, asked.as_deref()),
        libtorch::settings(&environment::settings()),
    ]
}

/// What concerns libtorch: this program does without.
#[cfg(not(feature = "torch"))]
fn libtorch(_: DeviceChoice) -> Vec<Check> {
    let remedy = "to train, build it with its default features";
    vec![Check::warning(
        "libtorch",
        "built without it: nothing can be trained",
        remedy,
    )]
}
