//! TensorBoard's event files: scalars in length-prefixed, checksummed protobuf records.
//!
//! Field numbers from event.proto and summary.proto of TensorFlow 2; the framing from its
//! record_writer.cc: length u64, its masked CRC-32C u32, the message, its masked CRC-32C u32, all
//! little-endian.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::metrics::{Step, Validated};

/// What every event file says first.
const FILE_VERSION: &str = "brain.Event:2";
/// `SessionLog.SessionStatus.START`: readers drop what they hold of this step and later ones.
const SESSION_START: i32 = 1;

/// `Event`; of its oneof exactly one field is set.
#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

/// `Summary`.
#[derive(Clone, PartialEq, prost::Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

/// `Summary.Value`; `optional`, as a value of zero has to be written too.
#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// `SessionLog`.
#[derive(Clone, PartialEq, prost::Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Event files could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write TensorBoard's events to {path}: {source}")]
pub struct EventError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// An event file being written; whatever was added is in the file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// A new file `events.out.tfevents.<seconds>.usher.<number>` in `folder`. TensorBoard reads all
    /// such files of a folder in the order of their names, as one run.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn create(folder: &Path) -> Result<Self, EventError> {
        let seconds = now() as u64;
        let mut number = 0;
        let (path, file) = loop {
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.usher.{number}"));
            let opened = OpenOptions::new().append(true).create_new(true).open(&path);
            match opened {
                Ok(file) => break (path, file),
                // Resumed within the second.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(EventError { path, source }),
            }
        };
        let mut writer = Self { path, file };
        writer.write(Event {
            file_version: Some(FILE_VERSION.to_owned()),
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// A new file of a run that goes on after `step`: TensorBoard no longer shows what earlier
    /// files of the folder hold of later steps.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn resume(folder: &Path, step: u64) -> Result<Self, EventError> {
        let mut writer = Self::create(folder)?;
        writer.write(Event {
            step: step as i64 + 1,
            session_log: Some(SessionLog {
                status: SESSION_START,
            }),
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds values of one step, each under its tag; what stands before a `/` groups them on screen.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), EventError> {
        let value = |(tag, value): &(&str, f64)| Value {
            tag: (*tag).to_owned(),
            simple_value: Some(*value as f32),
        };
        self.write(Event {
            step: step as i64,
            summary: Some(Summary {
                value: values.iter().map(value).collect(),
            }),
            ..Event::default()
        })
    }

    /// Adds a step's numbers.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn step(&mut self, step: &Step) -> Result<(), EventError> {
        let always = [
            ("loss/total", Some(step.loss)),
            ("loss/triplet", step.triplet),
            ("loss/softmax", step.softmax),
            ("loss/distillation", step.distillation),
            ("loss/compatible", step.compatible),
            ("batch/active_share", Some(step.active_share)),
            ("batch/genuine", Some(step.genuine)),
            ("batch/impostor", Some(step.impostor)),
            ("batch/rank", step.rank),
            ("optimizer/learning_rate", Some(step.learning_rate)),
            ("optimizer/gradient_norm", step.gradient_norm),
            (
                "speed/pictures_per_second",
                share(step.pictures as f64, step.seconds),
            ),
            (
                "speed/waiting_share",
                share(step.waited_seconds, step.seconds),
            ),
        ];
        let known = always.into_iter();
        let known: Vec<(&str, f64)> = known
            .filter_map(|(tag, value)| Some((tag, value?)))
            .collect();
        self.scalars(step.step, &known)
    }

    /// Adds a validation's numbers.
    ///
    /// # Errors
    /// [`EventError`].
    pub fn validation(&mut self, validated: &Validated) -> Result<(), EventError> {
        let values = [
            ("validation/accuracy", validated.accuracy),
            ("validation/auc", validated.auc),
            ("validation/genuine", validated.genuine),
            ("validation/impostor", validated.impostor),
            ("validation/threshold", validated.threshold),
        ];
        self.scalars(validated.step, &values)
    }

    fn write(&mut self, event: Event) -> Result<(), EventError> {
        let event = Event {
            wall_time: now(),
            ..event
        };
        // In one call and past any buffer of ours, so that a reader never waits for the next.
        let record = record(&event.encode_to_vec());
        self.file.write_all(&record).map_err(|source| EventError {
            path: self.path.clone(),
            source,
        })
    }
}

/// The share, unless nothing is there to take it of.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// A message in its frame.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [
        &length[..],
        &masked_crc(&length).to_le_bytes(),
        message,
        &masked_crc(message).to_le_bytes(),
    ]
    .concat()
}

/// CRC-32C, turned and shifted so that a checksum of data with checksums in it stays a good one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CRC-32C bit by bit: polynomial 0x1EDC6F41, reflected.
    fn slow_crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
            })
        })
    }

    /// The messages of a file, by a reader that shares nothing with the writer.
    fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let check = |data: &[u8], stored: &[u8]| {
                let crc = slow_crc(data);
                let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
                assert_eq!(masked.to_le_bytes(), stored, "masked checksum");
            };
            let (length, rest) = bytes.split_at(8);
            check(length, &rest[..4]);
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (message, rest) = rest[4..].split_at(length);
            check(message, &rest[..4]);
            found.push(message.to_vec());
            bytes = &rest[4..];
        }
        found
    }

    /// Fields of a protobuf message by number: varints and fixed widths as bytes, in order.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn varint(bytes: &mut &[u8]) -> u64 {
            let mut value = 0;
            for shift in (0..).step_by(7) {
                let (first, rest) = bytes.split_first().unwrap();
                *bytes = rest;
                value |= u64::from(first & 0x7f) << shift;
                if first & 0x80 == 0 {
                    break;
                }
            }
            value
        }
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let length = match key & 7 {
                0 => {
                    let value = varint(&mut bytes);
                    found.push((key >> 3, value.to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => varint(&mut bytes) as usize,
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (value, rest) = bytes.split_at(length);
            found.push((key >> 3, value.to_vec()));
            bytes = rest;
        }
        found
    }

    fn field(fields: &[(u64, Vec<u8>)], number: u64) -> Option<&[u8]> {
        let found = fields.iter().find(|(found, _)| *found == number);
        found.map(|(_, value)| value.as_slice())
    }

    /// Step, tag and value of every scalar in a file.
    fn scalars(path: &Path) -> Vec<(u64, String, f32)> {
        let mut found = Vec::new();
        for message in messages(&std::fs::read(path).unwrap()) {
            let event = fields(&message);
            let step =
                field(&event, 2).map_or(0, |step| u64::from_le_bytes(step.try_into().unwrap()));
            let Some(summary) = field(&event, 5) else {
                continue;
            };
            for (number, value) in fields(summary) {
                assert_eq!(number, 1);
                let value = fields(&value);
                let tag = String::from_utf8(field(&value, 1).unwrap().to_vec()).unwrap();
                let simple = field(&value, 2).unwrap().try_into().unwrap();
                found.push((step, tag, f32::from_le_bytes(simple)));
            }
        }
        found
    }

    #[test]
    fn scalars_are_read_back_by_another_reader() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        writer
            .scalars(1, &[("loss/total", 0.75), ("zero", 0.0)])
            .unwrap();
        writer.scalars(300, &[("loss/total", -1.5)]).unwrap();
        // Nothing is held back: the file is read while its writer lives.
        let expected = [
            (1, "loss/total".to_owned(), 0.75),
            (1, "zero".to_owned(), 0.0),
            (300, "loss/total".to_owned(), -1.5),
        ];
        assert_eq!(scalars(writer.path()), expected);
        let first = &messages(&std::fs::read(writer.path()).unwrap())[0];
        let first = fields(first);
        assert_eq!(field(&first, 3), Some(&b"brain.Event:2"[..]));
        let time = f64::from_le_bytes(field(&first, 1).unwrap().try_into().unwrap());
        assert!(time > 1.6e9, "{time}");
        let name = writer.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("events.out.tfevents."), "{name}");
    }

    #[test]
    fn a_steps_numbers_have_their_tags_and_what_is_unknown_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = EventWriter::create(folder.path()).unwrap();
        let step = Step {
            step: 5,
            pictures: 240,
            seconds: 8.0,
            waited_seconds: 0.4,
            loss: 1.25,
            softmax: Some(1.0),
            ..Step::default()
        };
        writer.step(&step).unwrap();
        let validated = Validated {
            step: 5,
            accuracy: 0.875,
            ..Validated::default()
        };
        writer.validation(&validated).unwrap();
        let found = scalars(writer.path());
        let value = |tag: &str| {
            let mut values = found
                .iter()
                .filter(|(step, other, _)| *step == 5 && other == tag);
            values.next().map(|(_, _, value)| *value)
        };
        for (tag, expected) in [
            ("loss/total", Some(1.25)),
            ("loss/softmax", Some(1.0)),
            ("loss/triplet", None),
            ("batch/rank", None),
            ("speed/pictures_per_second", Some(30.0)),
            ("speed/waiting_share", Some(0.05)),
            ("validation/accuracy", Some(0.875)),
        ] {
            assert_eq!(value(tag), expected, "{tag}");
        }
    }

    #[test]
    fn a_resumed_run_gets_a_file_of_its_own_that_says_from_where() {
        let folder = tempfile::tempdir().unwrap();
        let first = EventWriter::create(folder.path()).unwrap();
        let second = EventWriter::resume(folder.path(), 40).unwrap();
        assert!(first.path() < second.path(), "read in the order of names");
        let messages = messages(&std::fs::read(second.path()).unwrap());
        let start = fields(&messages[1]);
        assert_eq!(field(&start, 2), Some(&41_u64.to_le_bytes()[..]));
        let status = fields(field(&start, 7).unwrap());
        assert_eq!(field(&status, 1), Some(&1_u64.to_le_bytes()[..]));
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let error = EventWriter::create(Path::new("/no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
