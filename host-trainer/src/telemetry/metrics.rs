//! `metrics.jsonl`: a line for every step and every validation of a run.
//!
//! A line's `kind` tells which it is; a line without one, as older runs wrote them, is a step.
//! Both kinds carry `step`, `pictures` and `seconds`, so that whoever wants to know how far a run
//! has come may read any line. A number that is none (NaN, infinite) is written as `null`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use shared::atomic_file::{self, Readers};

/// One step's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Steps done, this one counted.
    pub step: u64,
    /// The batch's epoch, from 0.
    pub epoch: u64,
    /// Pictures seen so far.
    pub pictures: u64,
    /// Trained so far.
    pub seconds: f64,
    /// Spent waiting for data so far.
    pub waited_seconds: f64,
    /// Spent mining triplets so far.
    #[serde(default)]
    pub mining_seconds: f64,
    /// Side of the faces.
    pub side_px: u32,
    /// Step size.
    pub learning_rate: f64,
    /// The loss that was minimized: the weighted sum of its parts.
    #[serde(deserialize_with = "number_or_nan")]
    pub loss: f64,
    /// What the triplets add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triplet: Option<f64>,
    /// What margin softmax adds to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<f64>,
    /// What the distance to a teacher's embeddings adds to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<f64>,
    /// What the triplets with an older model's embeddings add to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible: Option<f64>,
    /// Share of the possible triplets that taught something, 0 to 1.
    #[serde(deserialize_with = "number_or_nan")]
    pub active_share: f64,
    /// Mean squared L2 of the batch's genuine pairs.
    #[serde(deserialize_with = "number_or_nan")]
    pub genuine: f64,
    /// Mean squared L2 of the batch's impostor pairs.
    #[serde(deserialize_with = "number_or_nan")]
    pub impostor: f64,
    /// Effective rank of the batch's embeddings ([`effective_rank`]); not computed at every step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<f64>,
    /// L2 norm of the gradient over all weights, before any clipping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
}

/// One validation's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// Steps done before it.
    pub step: u64,
    /// Pictures seen so far.
    pub pictures: u64,
    /// Trained so far.
    pub seconds: f64,
    /// Pairs decided rightly, 0 to 1.
    pub accuracy: f64,
    /// Squared L2 up to which a pair was called genuine.
    pub threshold: f64,
    /// Mean squared L2 of genuine pairs.
    pub genuine: f64,
    /// Mean squared L2 of impostor pairs.
    pub impostor: f64,
    /// Chance that a genuine pair is nearer than an impostor pair, 0 to 1.
    pub auc: f64,
    /// Pairs that the accuracy is of.
    pub pairs: u64,
}

/// A line of the file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Line {
    /// A step.
    Step(Step),
    /// A validation.
    Validation(Validated),
}

/// Everything a run has told so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metrics {
    /// Its steps, in the order of the file.
    pub steps: Vec<Step>,
    /// Its validations, in the order of the file.
    pub validations: Vec<Validated>,
}

/// Why metrics could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The file system refused to read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system refused to write.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A whole line is neither a step nor a validation.
    #[error(
        "{path}, line {line}: expected a step's or a validation's numbers as JSON, found {found:?} ({source}); take the line out"
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// How the line begins.
        found: String,
        /// What does not fit.
        source: serde_json::Error,
    },
}

/// Reads a run's metrics. A last line without its end is left out: somebody may be writing it.
///
/// # Errors
/// A [`MetricsError`] naming file and line.
pub fn read(path: &Path) -> Result<Metrics, MetricsError> {
    let mut metrics = Metrics::default();
    for (line, _) in lines(path, &bytes(path)?)? {
        match line {
            Line::Step(step) => metrics.steps.push(step),
            Line::Validation(validated) => metrics.validations.push(validated),
        }
    }
    Ok(metrics)
}

/// Takes out every line after `step`, and a last line without its end: what a run goes on from
/// when it resumes from the checkpoint of that step. The rest stays byte for byte.
///
/// # Errors
/// A [`MetricsError`]; the file is then as it was.
pub fn truncate_after(path: &Path, step: u64) -> Result<(), MetricsError> {
    let bytes = bytes(path)?;
    let kept: Vec<&[u8]> = lines(path, &bytes)?
        .into_iter()
        .filter(|(line, _)| line.step() <= step)
        .map(|(_, text)| text)
        .collect();
    let kept = kept.concat();
    if kept.len() == bytes.len() {
        return Ok(());
    }
    atomic_file::replace(path, &kept, Readers::Everyone).map_err(|source| MetricsError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Effective rank of embeddings: the exponential of the entropy of their normalized singular
/// values (Roy and Vetterli 2007). From 1, all in one line, to the dimension, spread evenly; a
/// fall to a few is a collapse under way. None if there is no positive singular value.
pub fn effective_rank(singular_values: &[f64]) -> Option<f64> {
    let sum: f64 = singular_values.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return None;
    }
    let shares = singular_values.iter().map(|value| value / sum);
    let entropy: f64 = shares
        .filter(|share| *share > 0.0)
        .map(|share| -share * share.ln())
        .sum();
    Some(entropy.exp())
}

/// Metrics being written, each line at once and whole.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
}

impl Writer {
    /// Starts an empty file.
    ///
    /// # Errors
    /// [`MetricsError::Write`] if there is one already, or the place cannot be written.
    pub fn create(path: &Path) -> Result<Self, MetricsError> {
        Self::open(path, OpenOptions::new().append(true).create_new(true))
    }

    /// Goes on after the checkpoint of `step`: see [`truncate_after`].
    ///
    /// # Errors
    /// A [`MetricsError`].
    pub fn resume(path: &Path, step: u64) -> Result<Self, MetricsError> {
        truncate_after(path, step)?;
        Self::open(path, OpenOptions::new().append(true))
    }

    fn open(path: &Path, options: &OpenOptions) -> Result<Self, MetricsError> {
        let path = path.to_owned();
        match options.open(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(MetricsError::Write { path, source }),
        }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`MetricsError::Write`] if it cannot be written.
    pub fn write(&mut self, line: &Line) -> Result<(), MetricsError> {
        let text = serde_json::to_string(line).map_err(io::Error::from);
        text.and_then(|text| self.file.write_all(format!("{text}\n").as_bytes()))
            .map_err(|source| MetricsError::Write {
                path: self.path.clone(),
                source,
            })
    }
}

impl Writer {
    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// [`MetricsError::Write`] if the disk refuses.
    pub fn sync(&mut self) -> Result<(), MetricsError> {
        self.file.sync_data().map_err(|source| MetricsError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

impl Line {
    /// Steps done when it was written.
    pub fn step(&self) -> u64 {
        match self {
            Line::Step(step) => step.step,
            Line::Validation(validated) => validated.step,
        }
    }

    fn parse(text: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "snake_case")]
        enum Kind {
            #[default]
            Step,
            Validation,
        }
        #[derive(Deserialize)]
        struct Tag {
            #[serde(default)]
            kind: Kind,
        }
        Ok(match serde_json::from_slice::<Tag>(text)?.kind {
            Kind::Step => Line::Step(serde_json::from_slice(text)?),
            Kind::Validation => Line::Validation(serde_json::from_slice(text)?),
        })
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, MetricsError> {
    std::fs::read(path).map_err(|source| MetricsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Every whole line with the bytes it was read from, its end included.
fn lines<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<(Line, &'a [u8])>, MetricsError> {
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    whole
        .filter(|(_, text)| text.ends_with(b"\n"))
        .map(|(index, text)| match Line::parse(text) {
            Ok(line) => Ok((line, text)),
            Err(source) => Err(MetricsError::Line {
                path: path.to_owned(),
                line: index + 1,
                found: String::from_utf8_lossy(text)
                    .trim()
                    .chars()
                    .take(40)
                    .collect(),
                source,
            }),
        })
        .collect()
}

fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> Line {
        Line::Step(Step {
            step,
            loss: 0.5,
            triplet: Some(0.5),
            ..Step::default()
        })
    }

    fn validation(step: u64) -> Line {
        Line::Validation(Validated {
            step,
            accuracy: 0.75,
            ..Validated::default()
        })
    }

    fn written(folder: &Path, lines: &[Line]) -> PathBuf {
        let path = folder.join("metrics.jsonl");
        let mut writer = Writer::create(&path).unwrap();
        for line in lines {
            writer.write(line).unwrap();
        }
        path
    }

    fn append(path: &Path, text: &[u8]) {
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text).unwrap();
    }

    #[test]
    fn what_is_written_is_read_back_but_for_a_half_written_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[step(1), step(2), validation(2), step(3)]);
        append(&path, b"{\"kind\":\"step\",\"step\":4\xff");
        let metrics = read(&path).unwrap();
        let steps: Vec<Line> = metrics.steps.into_iter().map(Line::Step).collect();
        assert_eq!(steps, [step(1), step(2), step(3)]);
        let validations: Vec<Line> = metrics
            .validations
            .into_iter()
            .map(Line::Validation)
            .collect();
        assert_eq!(validations, [validation(2)]);
    }

    #[test]
    fn lines_of_older_runs_are_steps() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[]);
        append(
            &path,
            br#"{"step":7,"epoch":0,"pictures":336,"seconds":1.5,"waited_seconds":0.1,"side_px":64,"learning_rate":0.001,"loss":9.5,"active_share":0.25,"genuine":1.5,"impostor":1.75}
"#,
        );
        let steps = read(&path).unwrap().steps;
        assert_eq!((steps[0].step, steps[0].genuine), (7, 1.5));
        assert_eq!((steps[0].triplet, steps[0].rank), (None, None));
    }

    #[test]
    fn older_readers_find_their_numbers_in_either_kind_of_line() {
        for line in [step(9), validation(9)] {
            let text = serde_json::to_string(&line).unwrap();
            let effort: crate::history::Effort = serde_json::from_str(&text).unwrap();
            assert_eq!(effort.step, 9, "{text}");
        }
    }

    #[test]
    fn a_loss_that_is_no_number_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let lost = Line::Step(Step {
            loss: f64::NAN,
            ..Step::default()
        });
        let path = written(folder.path(), &[lost]);
        assert!(read(&path).unwrap().steps[0].loss.is_nan());
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[step(1)]);
        append(&path, b"step two\n");
        let said = read(&path).unwrap_err().to_string();
        assert!(
            said.contains("metrics.jsonl, line 2") && said.contains("step two"),
            "{said}"
        );
        assert!(read(folder.path()).is_err());
    }

    #[test]
    fn a_resumed_run_goes_on_where_its_checkpoint_was() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [step(1), step(2), validation(2), step(3), validation(3)];
        let path = written(folder.path(), &lines);
        let whole = std::fs::read(&path).unwrap();
        append(&path, b"{\"kind\":");
        let mut writer = Writer::resume(&path, 2).unwrap();
        let kept = std::fs::read(&path).unwrap();
        assert!(whole.starts_with(&kept), "the rest stays byte for byte");
        assert_eq!(read(&path).unwrap().steps.len(), 2);
        assert_eq!(read(&path).unwrap().validations.len(), 1);
        for line in &lines[3..] {
            writer.write(line).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn metrics_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[step(1)]);
        assert!(Writer::create(&path).is_err());
        assert_eq!(read(&path).unwrap().steps.len(), 1);
    }

    #[test]
    fn the_rank_tells_how_many_directions_are_used() {
        for (name, values, expected) in [
            ("one direction", &[3.0, 0.0, 0.0][..], Some(1.0)),
            ("three alike", &[2.0, 2.0, 2.0], Some(3.0)),
            ("all zero", &[0.0, 0.0], None),
            ("none", &[], None),
            ("no number", &[f64::NAN], None),
        ] {
            let found = effective_rank(values);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(
                match (found, expected) {
                    (Some(found), Some(expected)) => near(found, expected),
                    (found, expected) => found == expected,
                },
                "{name}: {found:?}"
            );
        }
    }
}
