//! What happened, one JSON line each: never a picture, an embedding, or anything about a stranger but a distance.
//!
//! Every line has `at_ms` and `event`; a line of a live kiosk also has the wall clock. What else there is by `event`:
//!
//! | `event` | fields | when |
//! |---|---|---|
//! | `started` | `version`, `model`, `people` | the kiosk is ready |
//! | `greeted` | `identity`, `name`, `distance`, `threshold`, `frame`, `one_in` | somebody known was greeted |
//! | `unknown` | `nearest_distance`, `threshold`, `frame`, `one_in` | somebody was not recognized |
//! | `not_live` | `frame` | a face was refused as a picture, a display or a mask |
//! | `left` | | whoever stood there has gone |
//! | `enrolled` | `identity`, `name`, `templates`, `frames` | somebody was enrolled |
//! | `door` | `active`, `why`, `identity` | the door's relay changed, or a greeting did not open it |
//! | `recording` | `active` | an operator's recording began or ended |
//! | `updating` | `active`, `what` | something is updated, and nobody decided on meanwhile; or that is over |
//! | `clock` | `jumped_ms` | the wall clock was set while the kiosk ran |
//! | `fault` | `cause`, `remedy` | something does not work |
//! | `recovered` | `cause`, `after_ms` | it works again |
//! | `stopped` | `why` | the kiosk has ended |
//!
//! | field | type | what it is |
//! |---|---|---|
//! | `at_ms` | integer | milliseconds since the camera's first frame, or since the device was switched on |
//! | `utc` | string, RFC 3339 with milliseconds | what the wall clock showed; absent in a replay |
//! | `monotonic_ms` | integer | milliseconds since the device was switched on; absent in a replay |
//! | `boot` | string, 32 hex digits | the boot that `monotonic_ms` counts from; absent in a replay |
//! | `synced` | bool | whether a time server is known to have set the wall clock; absent in a replay |
//! | `identity` | string | number in the gallery |
//! | `name` | string | absent in files and on the network unless the settings ask for names there |
//! | `distance`, `nearest_distance`, `threshold` | number, 0 to 4 | squared L2; `nearest_distance` is null in an empty gallery |
//! | `one_in` | integer | one stranger in so many is taken for somebody at this threshold; absent if not measured |
//!
//! A name is left out of files by default because a file of events lies unsealed for weeks beside a gallery that is
//! sealed: the number says who it was to whoever may open the gallery, and to nobody once the person is removed.

use std::io::{self, Stdout, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::gallery::Gallery;
use shared::gallery::consent::WallTime;

use crate::clock::Timestamp;
use crate::clock::judge::Judged;
use crate::clock::moment::Moment;
use crate::rolling_file::{Retention, RollingFile};
use crate::session::Event;

/// One line of the event log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record<'a> {
    /// Milliseconds since the camera's first frame.
    pub at_ms: u64,
    /// When, by the device's clocks; a replay has none, so that it always gives the same lines.
    #[serde(flatten)]
    pub moment: Option<Moment>,
    /// What happened.
    #[serde(flatten)]
    pub happening: Happening<'a>,
}

/// What happened, and the numbers behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening<'a> {
    /// The kiosk is ready.
    Started {
        /// Of this program.
        version: &'a str,
        /// The model's id, in short.
        model: String,
        /// How many people it knows.
        people: usize,
    },
    /// Somebody known was greeted.
    Greeted {
        /// Number in the gallery.
        identity: String,
        /// The name that was shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// Squared L2 from the probe to the nearest template.
        distance: f32,
        /// The most that would have been a match.
        threshold: f32,
        /// Number of the frame that decided.
        frame: u64,
        /// One stranger in so many is taken for somebody.
        #[serde(skip_serializing_if = "Option::is_none")]
        one_in: Option<u64>,
    },
    /// Somebody was not recognized.
    Unknown {
        /// Squared L2 to the nearest template of anybody, absent in an empty gallery.
        nearest_distance: Option<f32>,
        /// The most that would have been a match.
        threshold: f32,
        /// Number of the frame that decided.
        frame: u64,
        /// One stranger in so many is taken for somebody.
        #[serde(skip_serializing_if = "Option::is_none")]
        one_in: Option<u64>,
    },
    /// A face was refused as a picture, a display or a mask.
    NotLive {
        /// Number of the frame that decided.
        frame: u64,
    },
    /// Whoever stood there has gone.
    Left,
    /// Somebody was enrolled.
    Enrolled {
        /// Number in the gallery.
        identity: String,
        /// The name given.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// Templates stored.
        templates: usize,
        /// Frames looked at; absent where nobody counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        frames: Option<u64>,
    },
    /// The door's relay changed, or a greeting did not open it.
    Door {
        /// Whether the relay is active now.
        active: bool,
        /// Why.
        why: &'a str,
        /// For whom, as a number in the gallery.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity: Option<String>,
    },
    /// An operator's recording of frames began or ended.
    Recording {
        /// Whether frames are written now.
        active: bool,
    },
    /// Something of the device is updated, or no longer.
    Updating {
        /// Whether it is now.
        active: bool,
        /// What it is, by whoever updates.
        what: &'a str,
    },
    /// The wall clock was set while the kiosk ran.
    Clock {
        /// Milliseconds, less than zero when it went backward.
        jumped_ms: i64,
    },
    /// Something does not work.
    Fault {
        /// What is wrong.
        cause: &'a str,
        /// What to do.
        remedy: &'a str,
    },
    /// It works again.
    Recovered {
        /// What was wrong.
        cause: &'a str,
        /// Milliseconds that it was.
        after_ms: u64,
    },
    /// The kiosk has ended.
    Stopped {
        /// Why.
        why: &'a str,
    },
}

impl<'a> Happening<'a> {
    /// What the session tells, of whom `gallery` knows and by the frame of that number.
    pub fn of(event: &Event, gallery: &'a Gallery, frame: u64) -> Self {
        let whole = |one_in: Option<f64>| one_in.map(|one_in| one_in as u64);
        match event {
            Event::Greeted {
                identity,
                distance,
                threshold,
                one_in,
            } => Self::Greeted {
                identity: identity.to_string(),
                name: gallery.identity(*identity).map(|known| known.name()),
                distance: distance.value(),
                threshold: threshold.value(),
                frame,
                one_in: whole(*one_in),
            },
            Event::Unknown {
                nearest,
                threshold,
                one_in,
            } => Self::Unknown {
                nearest_distance: nearest.map(|nearest| nearest.value()),
                threshold: threshold.value(),
                frame,
                one_in: whole(*one_in),
            },
            Event::NotLive => Self::NotLive { frame },
            Event::Left => Self::Left,
        }
    }

    /// The same without anybody's name.
    pub fn without_name(mut self) -> Self {
        if let Self::Greeted { name, .. } | Self::Enrolled { name, .. } = &mut self {
            *name = None;
        }
        self
    }
}

/// Where events are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventsConfig {
    /// File that events are added to; empty: standard output.
    pub path: PathBuf,
    /// Days until they are deleted.
    pub keep_days: u64,
    /// Bytes that all of them may take.
    pub max_bytes: u64,
    /// Whether names are written; a recording gone through frame by frame prints them on standard output in any case.
    pub names: bool,
}

impl Default for EventsConfig {
    /// A month, 16 MiB (about 60,000 events), no names.
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            keep_days: 30,
            max_bytes: 16 << 20,
            names: false,
        }
    }
}

impl EventsConfig {
    /// The defaults with this path; without one, events go to standard output.
    pub fn at(path: Option<&Path>) -> Self {
        Self {
            path: path.map_or_else(PathBuf::new, Path::to_owned),
            ..Self::default()
        }
    }

    fn retention(&self) -> Retention {
        Retention {
            keep_days: self.keep_days,
            max_bytes: self.max_bytes,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.retention().check("events")
    }
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
    /// To standard output, with names.
    Stdout(Stdout),
    /// To a file.
    File {
        /// The open file.
        file: RollingFile,
        /// Whether names go there.
        names: bool,
        /// The time of the latest event that had one.
        latest: WallTime,
    },
}

impl EventLog {
    /// Events go to the file that `config` names, or to standard output when it names none; `now` decides which old
    /// files are deleted.
    ///
    /// # Errors
    /// [`EventLogError`] when the file cannot be opened or old ones not be deleted.
    pub fn open(config: &EventsConfig, now: WallTime) -> Result<Self, EventLogError> {
        if config.path.as_os_str().is_empty() {
            return Ok(Self::Stdout(io::stdout()));
        }
        let file = RollingFile::open(&config.path, config.retention(), now)
            .map_err(|source| lost(&config.path, source))?;
        Ok(Self::File {
            file,
            names: config.names,
            latest: now,
        })
    }

    /// Adds a line that was made by [`line()`], names and all; `believed` is the time by the device's clocks.
    ///
    /// # Errors
    /// [`EventLogError`] when the line is lost.
    pub(crate) fn add(&mut self, line: &str, believed: WallTime) -> Result<(), EventLogError> {
        match self {
            Self::Stdout(stdout) => stdout
                .write_all(format!("{line}\n").as_bytes())
                .and_then(|()| stdout.flush())
                .map_err(|source| lost(Path::new("standard output"), source)),
            Self::File { file, .. } => file
                .add(line, believed)
                .map_err(|source| lost(file.path(), source)),
        }
    }

    /// Writes one whole line; `judged` is the time by the device's clocks, `None` in a replay.
    ///
    /// # Errors
    /// [`EventLogError`] when the line is lost.
    pub fn write(
        &mut self,
        at: Timestamp,
        judged: Option<&Judged>,
        happening: Happening<'_>,
    ) -> Result<(), EventLogError> {
        let (happening, believed) = match self {
            Self::Stdout(_) => (happening, WallTime::default()),
            Self::File { names, latest, .. } => {
                *latest = judged.map_or(*latest, |judged| judged.believed);
                let happening = match names {
                    true => happening,
                    false => happening.without_name(),
                };
                (happening, *latest)
            }
        };
        let moment = judged.map(|judged| judged.moment);
        let line = line(at, moment, happening)
            .map_err(|source| lost(Path::new("a line of JSON"), source))?;
        self.add(&line, believed)
    }
}

/// One event as a line of JSON, without the line feed.
pub(crate) fn line(
    at: Timestamp,
    moment: Option<Moment>,
    happening: Happening<'_>,
) -> io::Result<String> {
    let record = Record {
        at_ms: at.millis(),
        moment,
        happening,
    };
    Ok(serde_json::to_string(&record)?)
}

fn lost(path: &Path, source: io::Error) -> EventLogError {
    EventLogError {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests;
