//! `usher-train train`: from a folder of aligned faces to weights.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::dataset::Dataset;
use crate::history::{self, LAST};
use crate::run::Run;
use crate::torch::environment;
use crate::torch::train::{self, Budget, Job};

/// Train a network by triplet loss
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train train --config host-trainer/configs/mobilefacenet.toml \
                        --data data/aligned --run runs/first --minutes 60"
)]
pub struct Arguments {
    /// What to train and how, in TOML
    #[arg(long)]
    config: PathBuf,
    /// Aligned faces: a folder per identity (also as in VGGFace2, CASIA-WebFace, LFW), tar files
    /// with manifest.tsv, or tar shards
    #[arg(long)]
    data: PathBuf,
    /// Folder of the run, made anew
    #[arg(long)]
    run: PathBuf,
    /// Train this long in place of the config's steps
    #[arg(long)]
    minutes: Option<f64>,
    /// Start from these weights in place of random ones
    #[arg(long)]
    init: Option<PathBuf>,
    /// Threads that decode pictures
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

/// Trains.
///
/// # Errors
/// If config or data are unusable, the run exists, or training breaks off.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Err(error) = environment::prepare() {
        eprintln!("warning: training slower, without the settings for libtorch: {error}");
    }
    let mut config = Config::read(&arguments.config)?;
    if arguments.minutes.is_some() {
        config.minutes = arguments.minutes;
        config.check(Path::new("--minutes"))?;
    }
    let dataset = Arc::new(Dataset::open(&arguments.data)?);
    eprintln!(
        "{} pictures of {} identities from {} ({})",
        dataset.pictures.len(),
        dataset.identities.len(),
        arguments.data.display(),
        dataset.layout
    );
    let budget = match config.minutes {
        Some(minutes) => Budget::Time(Duration::from_secs_f64(minutes * 60.0)),
        None => Budget::Steps(config.steps),
    };
    // Whatever is wrong is told before the run's folder is made.
    let first = train::first_weights(&config, arguments.init.as_deref())?;
    let earlier = match &arguments.init {
        Some(weights) => history::of_weights(weights)?,
        None => Vec::new(),
    };
    let mut run = Run::create(&arguments.run, &config, &dataset, &earlier)?;
    let job = Job {
        config,
        dataset,
        budget,
        first,
        workers: arguments.workers,
    };
    train::train(&job, &mut run)?;
    run.finish();
    println!("{}", arguments.run.join(LAST).display());
    eprintln!(
        "next: usher-train export --run {} --name NAME --models models",
        arguments.run.display()
    );
    Ok(())
}
