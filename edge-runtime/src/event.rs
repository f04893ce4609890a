//! What happened, one JSON line each: never a picture, an embedding, or anything about a stranger but a distance.

use std::fs::{File, OpenOptions};
use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::clock::Timestamp;

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<'a> {
    /// Milliseconds since the camera's first frame.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening<'a>,
}

/// What happened, and the numbers behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Happening<'a> {
    /// Somebody known was greeted.
    Greeted {
        /// Number in the gallery.
        identity: String,
        /// The name that was shown.
        name: &'a str,
        /// Squared L2 from the probe to the nearest template.
        distance: f32,
        /// The most that would have been a match.
        threshold: f32,
        /// Number of the frame that decided.
        frame: u64,
    },
    /// Somebody was not recognized.
    Unknown {
        /// Squared L2 to the nearest template of anybody, absent in an empty gallery.
        nearest_distance: Option<f32>,
        /// The most that would have been a match.
        threshold: f32,
        /// Number of the frame that decided.
        frame: u64,
    },
    /// Somebody was enrolled.
    Enrolled {
        /// Number in the gallery.
        identity: String,
        /// The name given.
        name: &'a str,
        /// Templates stored.
        templates: usize,
        /// Frames looked at.
        frames: u64,
    },
    /// The kiosk cannot go on.
    Fault {
        /// What is wrong.
        cause: &'a str,
        /// What to do.
        remedy: &'a str,
    },
}

/// Why an event was lost.
#[derive(Debug, thiserror::Error)]
#[error("expected to write events to {path}, found: {source}; check folder, space and permissions")]
pub struct EventLogError {
    path: PathBuf,
    source: io::Error,
}

/// Where events go.
#[derive(Debug)]
pub enum EventLog {
    /// To standard output.
    Stdout(Stdout),
    /// To the end of a file.
    File {
        /// Where it lies.
        path: PathBuf,
        /// The open file.
        file: File,
    },
}

impl EventLog {
    /// Events go to the end of the file at `path`, or to standard output when there is none.
    pub fn open(path: Option<&Path>) -> Result<Self, EventLogError> {
        let Some(path) = path else {
            return Ok(Self::Stdout(io::stdout()));
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| EventLogError {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self::File {
            path: path.to_owned(),
            file,
        })
    }

    /// Writes one whole line.
    pub fn write(&mut self, at: Timestamp, happening: Happening<'_>) -> Result<(), EventLogError> {
        let record = Record {
            at_ms: at.millis(),
            happening,
        };
        let line = serde_json::to_string(&record)
            .map(|json| json + "\n")
            .map_err(io::Error::from);
        match self {
            Self::Stdout(stdout) => line
                .and_then(|line| {
                    stdout
                        .write_all(line.as_bytes())
                        .and_then(|()| stdout.flush())
                })
                .map_err(|source| EventLogError {
                    path: "standard output".into(),
                    source,
                }),
            Self::File { path, file } => line
                .and_then(|line| file.write_all(line.as_bytes()))
                .map_err(|source| EventLogError {
                    path: path.clone(),
                    source,
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_other_programs_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let greeted = Happening::Greeted {
            identity: "1".to_owned(),
            name: "Ada \"Countess\" Lovelace",
            distance: 0.81,
            threshold: 1.05,
            frame: 17,
        };
        EventLog::open(Some(&path))
            .unwrap()
            .write(Timestamp::from_millis(1700), greeted)
            .unwrap();
        let mut log = EventLog::open(Some(&path)).unwrap();
        let unknown = Happening::Unknown {
            nearest_distance: None,
            threshold: 1.05,
            frame: 20,
        };
        log.write(Timestamp::from_millis(2000), unknown).unwrap();
        log.write(
            Timestamp::from_millis(2100),
            Happening::Fault {
                cause: "a",
                remedy: "b",
            },
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            concat!(
                r#"{"at_ms":1700,"event":"greeted","identity":"1","name":"Ada \"Countess\" Lovelace","#,
                r#""distance":0.81,"threshold":1.05,"frame":17}"#,
                "\n",
                r#"{"at_ms":2000,"event":"unknown","nearest_distance":null,"threshold":1.05,"frame":20}"#,
                "\n",
                r#"{"at_ms":2100,"event":"fault","cause":"a","remedy":"b"}"#,
                "\n"
            )
        );
    }
}
