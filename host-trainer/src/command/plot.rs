//! `usher-train plot`: the curves of one run, or of several, as a picture.

use std::path::{Path, PathBuf};

use anyhow::Context;
use shared::atomic_file::{self, Readers};

use crate::history::METRICS;
use crate::plot::{self, Along, Run};
use crate::telemetry::metrics;

/// Draw the curves of one run, or compare several, as an SVG picture
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  usher-train plot runs/first\n  \
                  usher-train plot runs/first runs/second --along minutes --out compared.svg")]
pub struct Arguments {
    /// Folders of runs, finished or going on
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The picture [default: curves.svg, in the run's folder if there is but one]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What the charts go along
    #[arg(long, value_enum, default_value_t = Along::Steps)]
    along: Along,
}

/// Draws.
///
/// # Errors
/// If a run's metrics cannot be read, or the picture cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runs = arguments.runs.iter().map(|folder| {
        let path = folder.join(METRICS);
        let metrics = metrics::read(&path)
            .with_context(|| format!("expected the folder of a run, found {}", folder.display()))?;
        Ok(Run {
            name: name(folder),
            metrics,
        })
    });
    let runs = runs.collect::<anyhow::Result<Vec<Run>>>()?;
    let out = match (&arguments.out, &arguments.runs[..]) {
        (Some(out), _) => out.clone(),
        (None, [run]) => run.join("curves.svg"),
        (None, _) => PathBuf::from("curves.svg"),
    };
    let picture = plot::svg(&runs, arguments.along)?;
    atomic_file::replace(&out, picture.as_bytes(), Readers::Everyone)
        .with_context(|| format!("cannot write {}", out.display()))?;
    println!("{}", out.display());
    if runs.iter().all(|run| run.metrics.validations.is_empty()) {
        eprintln!("no validation in these runs: the picture has no chart of accuracy");
    }
    Ok(())
}

/// The folder's own name.
fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}
