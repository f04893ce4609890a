//! `usher-train study`: the paper's studies on open data, beside the paper's tables.

mod changed;
#[cfg(feature = "torch")]
mod trained;

use std::path::PathBuf;

use anyhow::Context;
use shared::atomic_file::{self, Readers};

use crate::plot::study as chart;
use crate::study::{Kind, Study};

/// Repeat a study of the FaceNet paper on open data, printed beside the paper's table
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  usher-train study jpeg --model models/usher-small.toml --lfw lfw --out jpeg.svg\n  \
                  usher-train study dimension --config host-trainer/configs/mobilefacenet.toml \
                  --data data/aligned --lfw lfw --runs runs/dimension --minutes 60\n\
                  All of them measure on LFW's View 1, never on View 2, which stays the test."
)]
pub struct Arguments {
    #[command(subcommand)]
    study: Which,
}

#[derive(Debug, clap::Subcommand)]
enum Which {
    /// Train the config once for each embedding dimension: 64, 128, 256, 512
    #[cfg(feature = "torch")]
    Dimension(trained::Arguments),
    /// Train the config once by triplets alone, then with margin softmax, a teacher and varied pictures added
    #[cfg(feature = "torch")]
    Losses(trained::Arguments),
    /// Embed View 1 after JPEG files of quality 10 to 90; the alignment is the original's
    Jpeg(changed::Arguments),
    /// Embed View 1's faces cut out at 40x40 to 256x256 pixels and scaled to the network's side
    Size(changed::Arguments),
    /// Train the config once on each share of the training pictures: 1/8, 1/4, 1/2, all
    #[cfg(feature = "torch")]
    Pictures(trained::Arguments),
}

/// Where a result goes.
#[derive(Debug, clap::Args)]
struct Output {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the result into this SVG picture too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Studies.
///
/// # Errors
/// If model, config or data are unusable, or a run breaks off: finished ones are kept.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.study {
        #[cfg(feature = "torch")]
        Which::Dimension(arguments) => trained::run(Kind::Dimension, arguments),
        Which::Jpeg(arguments) => changed::run(Kind::Jpeg, arguments),
        Which::Size(arguments) => changed::run(Kind::Size, arguments),
        #[cfg(feature = "torch")]
        Which::Losses(arguments) => trained::run(Kind::Losses, arguments),
        #[cfg(feature = "torch")]
        Which::Pictures(arguments) => trained::run(Kind::Pictures, arguments),
    }
}

fn tell(study: &Study, output: &Output) -> anyhow::Result<()> {
    if output.json {
        println!("{}", serde_json::to_string_pretty(study)?);
    } else {
        print!("{study}");
    }
    if let Some(out) = &output.out {
        let picture = chart::svg(study)?;
        atomic_file::replace(out, picture.as_bytes(), Readers::Everyone)
            .with_context(|| format!("cannot write {}", out.display()))?;
        eprintln!("{}", out.display());
    }
    Ok(())
}
