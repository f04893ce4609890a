//! How weights came to be: the files of a run, and the runs they went through, first to last.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::dataset::Source;
use crate::weights::Weights;

/// Checkpoint a run ends with, and the newest while it goes on.
pub const LAST: &str = "last.safetensors";
/// The effective config.
pub const CONFIG: &str = "config.toml";
/// The runs that this one goes on from, if any.
pub const EARLIER: &str = "earlier.json";
/// What was learnt from.
pub const DATA: &str = "data.json";
/// Each step's numbers.
pub const METRICS: &str = "metrics.jsonl";

/// What a run was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// SHA-256 of the set, in hexadecimal.
    pub sha256: String,
    /// Its parts.
    pub sources: Vec<Source>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// The training config, as TOML.
    pub recipe: String,
    /// What it learnt from.
    pub data: DataSummary,
    /// How long it went on; absent before its first step.
    pub effort: Option<Effort>,
}

/// How long a run went on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// Steps of the optimizer.
    pub step: u64,
    /// Pictures seen, repeats counted.
    pub pictures: u64,
    /// Time taken.
    pub seconds: f64,
}

/// The stages behind a run: those it started from, and its own, as far as its numbers tell.
///
/// # Errors
/// If a file of the run cannot be read, or is not what a run writes.
pub fn of_run(folder: &Path) -> anyhow::Result<Vec<Stage>> {
    let mut stages: Vec<Stage> = match folder.join(EARLIER) {
        path if path.exists() => serde_json::from_str(&read(&path)?)
            .with_context(|| format!("{} is no list of earlier runs", path.display()))?,
        _ => Vec::new(),
    };
    stages.push(Stage {
        recipe: read(&folder.join(CONFIG))?,
        data: data(&folder.join(DATA))?,
        effort: effort(&folder.join(METRICS))?,
    });
    Ok(stages)
}

/// The stages behind weights that training starts from, the last as far as it had come when they
/// were written; none if they lie in no run's folder.
///
/// # Errors
/// As [`of_run`].
pub fn of_weights(path: &Path) -> anyhow::Result<Vec<Stage>> {
    let folder = match path.parent() {
        Some(folder) if folder.join(CONFIG).exists() => folder,
        _ => return Ok(Vec::new()),
    };
    let mut stages = of_run(folder)?;
    let effort = Weights::note(path)?.and_then(|note| serde_json::from_str(&note).ok());
    if let (Some(stage), Some(effort)) = (stages.last_mut(), effort) {
        stage.effort = Some(effort);
    }
    Ok(stages)
}

/// Everything that any of the stages learnt from. A source that several of them share stands once,
/// as large as the largest share of it.
pub fn sources(stages: &[Stage]) -> Vec<Source> {
    let mut all: Vec<Source> = Vec::new();
    for source in stages.iter().flat_map(|stage| &stage.data.sources) {
        let same =
            |known: &&mut Source| (&known.name, &known.licence) == (&source.name, &source.licence);
        match all.iter_mut().find(same) {
            Some(known) if known.pictures < source.pictures => *known = source.clone(),
            Some(_) => {}
            None => all.push(source.clone()),
        }
    }
    all
}

/// What a run was trained on.
///
/// # Errors
/// If the file cannot be read, or is none that a run writes.
pub fn data(path: &Path) -> anyhow::Result<DataSummary> {
    serde_json::from_str(&read(path)?)
        .with_context(|| format!("{} is no summary of training data", path.display()))
}

/// The last whole line of a run's metrics.
fn effort(metrics: &Path) -> anyhow::Result<Option<Effort>> {
    let text = read(metrics)?;
    // A run that is still going may be writing its last line.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let last = whole.lines().last().map(serde_json::from_str).transpose();
    last.with_context(|| format!("{} ends with a line that is no step", metrics.display()))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_runs_share_stands_once() {
        let source = |name: &str, pictures| Source {
            name: name.to_owned(),
            pictures,
            identities: 2,
            licence: "research".to_owned(),
        };
        let stage = |sources| Stage {
            recipe: String::new(),
            data: DataSummary {
                sha256: String::new(),
                sources,
            },
            effort: None,
        };
        let stages = [
            stage(vec![source("a", 5), source("b", 9)]),
            stage(vec![source("a", 7), source("c", 1)]),
        ];
        assert_eq!(
            sources(&stages),
            [source("a", 7), source("b", 9), source("c", 1)]
        );
    }
}
