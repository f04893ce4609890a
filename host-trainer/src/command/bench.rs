//! `usher-train bench`: one thing again and again, when asked, for `scripts/bench-train`.
//!
//! Each line on stdin asks for one round, each line on stdout is its time, so that the script can
//! let two programs take turns. At the end of stdin comes a line with the peak of memory.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde_json::{Value, json};
use shared::picture;

use crate::config::Config;
use crate::dataset::folder::entries;
use crate::doctor::machine::peak_bytes;
use crate::torch::bench::Stepper;
use crate::torch::device;

/// Time the training step or the decoder, a round for each line on stdin
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "Example: yes | head -5 | usher-train bench step --config host-trainer/configs/nn1.toml"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A training step on fixed random faces
    Step {
        /// What to train and how, in TOML
        #[arg(long)]
        config: PathBuf,
    },
    /// Decoding every picture of a folder, on one thread
    Decode {
        /// The pictures
        #[arg(long)]
        pictures: PathBuf,
    },
}

/// Times until stdin ends.
///
/// # Errors
/// If what is to be timed does not work.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.what {
        What::Step { config } => {
            let mut stepper = Stepper::new(Config::read(config)?)?;
            say(&json!({
                "parameters": stepper.parameters(),
                "batch": stepper.batch(),
                "threads": device::threads(),
            }))?;
            rounds(|| {
                let timed = stepper.step()?;
                Ok(json!({
                    "seconds": timed.whole.as_secs_f64(),
                    "mining_seconds": timed.mining.as_secs_f64(),
                    "triplets": timed.triplets,
                    "loss": timed.loss,
                }))
            })
        }
        What::Decode { pictures } => {
            let files = read_all(pictures)?;
            say(&json!({ "pictures": files.len() }))?;
            rounds(|| {
                let started = Instant::now();
                for (path, bytes) in &files {
                    picture::decode(bytes, path)?;
                }
                Ok(json!({ "seconds": started.elapsed().as_secs_f64() }))
            })
        }
    }
}

fn rounds(mut round: impl FnMut() -> anyhow::Result<Value>) -> anyhow::Result<()> {
    for line in std::io::stdin().lock().lines() {
        line?;
        say(&round()?)?;
    }
    say(&json!({ "peak_bytes": peak_bytes() }))
}

/// A line that whoever waits for it sees at once.
fn say(value: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

fn read_all(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let read = |path: PathBuf| {
        let bytes =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path, bytes))
    };
    entries(folder)?.into_iter().map(read).collect()
}
