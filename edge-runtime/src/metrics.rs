//! What the kiosk counts and measures: one registry of atomics that the threads write and a scrape reads.
//!
//! Nothing here is about one person: counts by kind, times by stage, the state of the process, digests.
//!
//! | metric | type | labels |
//! |---|---|---|
//! | `usher_frames_total` | counter | |
//! | `usher_frames_dropped_total` | counter | |
//! | `usher_frames_faulty_total` | counter | `kind` |
//! | `usher_camera_reopens_total` | counter | |
//! | `usher_decisions_total` | counter | `kind` |
//! | `usher_door_opened_total`, `usher_door_refused_total` | counter | |
//! | `usher_events_lost_total`, `usher_mqtt_dropped_total`, `usher_clock_jumps_total` | counter | |
//! | `usher_stage_seconds` | histogram | `stage` |
//! | `usher_queue_depth` | gauge | |
//! | `usher_people`, `usher_templates`, `usher_faults` | gauge | |
//! | `usher_mqtt_connected`, `usher_clock_synced` | gauge, 0 or 1 | |
//! | `usher_uptime_seconds` | gauge | |
//! | `usher_resident_memory_bytes`, `usher_threads`, `usher_open_files` | gauge | |
//! | `usher_temperature_celsius` | gauge | `zone` |
//! | `usher_info` | gauge, 1 | `version`, `model`, `model_sha256`, `gallery_sha256` |

pub mod process;
mod text;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::camera::FAULT_KINDS;
use crate::camera::feed::Counts;
use crate::latency::Stage;
use process::Process;
pub use text::CONTENT_TYPE;

/// Where metrics and the status are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Unix socket of `usher status` and of /metrics; empty: none.
    pub socket: PathBuf,
    /// Port of 127.0.0.1 that answers too; 0: none.
    pub tcp_port: u16,
}

impl Default for MetricsConfig {
    /// The socket in the folder that the service's unit makes; no port.
    fn default() -> Self {
        Self {
            socket: "/run/usher/usher.sock".into(),
            tcp_port: 0,
        }
    }
}

impl MetricsConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        /// Longest path of a Unix socket on Linux, less its zero byte.
        const MOST_BYTES: usize = 107;
        let bytes = self.socket.as_os_str().len();
        match bytes <= MOST_BYTES {
            true => Ok(()),
            false => Err(format!(
                "metrics.socket has {bytes} bytes, which are more than {MOST_BYTES}"
            )),
        }
    }
}

/// Upper bounds of the buckets of a stage's times, in milliseconds.
pub(crate) const BUCKETS_MS: [u64; 12] = [1, 2, 5, 10, 20, 30, 40, 60, 100, 200, 500, 1000];

/// How a decision came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// Somebody known was greeted.
    Greeted,
    /// Nobody was recognized.
    Unknown,
    /// The face was refused as not living.
    NotLive,
    /// A face that could not be decided on.
    Unusable,
}

impl DecisionKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Greeted, Self::Unknown, Self::NotLive, Self::Unusable];

    fn name(self) -> &'static str {
        match self {
            Self::Greeted => "greeted",
            Self::Unknown => "unknown",
            Self::NotLive => "not_live",
            Self::Unusable => "unusable",
        }
    }
}

/// Something that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// As many as another counter says.
    pub fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    /// How many.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Something that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// It is this now.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often each stage took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// One for each bound, and one for what is above all of them; not cumulative.
    counts: [Counter; BUCKETS_MS.len() + 1],
    micros: Counter,
}

impl Histogram {
    fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BUCKETS_MS.iter().position(|bound| micros <= bound * 1000);
        self.counts[place.unwrap_or(BUCKETS_MS.len())].add_one();
        self.micros.add(micros);
    }
}

/// What does not change while the kiosk runs, for the info metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// Of this program.
    pub version: String,
    /// The model's name.
    pub model: String,
    /// SHA-256 of its ONNX file.
    pub model_sha256: String,
    /// SHA-256 of the gallery's file as it was opened.
    pub gallery_sha256: String,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Frames that the camera gave.
    pub frames: Counter,
    /// Frames that a newer one replaced before anybody looked.
    pub dropped: Counter,
    /// How often the camera was opened anew.
    pub reopens: Counter,
    /// How often the door opened.
    pub door_opened: Counter,
    /// Greetings that did not open it.
    pub door_refused: Counter,
    /// Events that could not be written.
    pub events_lost: Counter,
    /// Messages that the broker never got.
    pub mqtt_dropped: Counter,
    /// How often the wall clock was set.
    pub clock_jumps: Counter,
    /// Frames that wait between camera and recognition.
    pub queue_depth: Gauge,
    /// People in the gallery.
    pub people: Gauge,
    /// Their templates.
    pub templates: Gauge,
    /// Faults there are now.
    pub faults: Gauge,
    /// Whether the broker is connected.
    pub mqtt_connected: Gauge,
    /// Whether the wall clock is synced.
    pub clock_synced: Gauge,
    faulty: [Counter; FAULT_KINDS.len()],
    decisions: [Counter; DecisionKind::ALL.len()],
    stages: [Histogram; Stage::ALL.len()],
    info: Mutex<Info>,
}

impl Metrics {
    /// What the camera's feed has counted since the start.
    pub fn camera(&self, counts: &Counts) {
        self.frames.set(counts.arrived);
        self.dropped.set(counts.skipped + counts.missed);
        self.reopens.set(counts.opened.saturating_sub(1));
        for (kind, count) in self.faulty.iter().zip(counts.faulty) {
            kind.set(count);
        }
    }

    /// A decision was made.
    pub fn decided(&self, kind: DecisionKind) {
        self.decisions[kind as usize].add_one();
    }

    /// A stage took so long.
    pub fn took(&self, stage: Stage, time: Duration) {
        self.stages[stage as usize].note(time);
    }

    /// What the info metric says.
    pub fn set_info(&self, info: Info) {
        *self.info.lock().unwrap_or_else(PoisonError::into_inner) = info;
    }

    /// All of it in Prometheus' text format, with the state of the process as given.
    pub fn to_text(&self, uptime: Duration, process: &Process) -> String {
        text::write(self, uptime, process)
    }
}

#[cfg(test)]
mod tests;
