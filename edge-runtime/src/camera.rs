//! Where frames come from: one trait, so that a recording and a live camera look the same to the kiosk.
//!
//! ```text
//! v4l:/dev/video0 ─► v4l (device, negotiation) ─┐ Source: bytes                                  ┌─► wait_newer: decode,
//! v4l:auto        ─► v4l                        ├──────────────► feed: capture thread, watch,    ┤   orientation ─► Captured
//! replay:DIR, in real time ─► replay::paced ────┘                latest frame (queue of 1)       └─► status, counts
//! replay:DIR, frame by frame ─► replay ──────────────────────────────────────────────────────────► Captured
//! ```

mod decode;
pub mod device;
pub mod feed;
mod live;
pub(crate) mod memory;
mod mjpg;
mod negotiation;
pub mod orientation;
pub mod pixel_format;
pub(crate) mod probe;
pub mod recorder;
pub mod replay;
pub mod settings;
pub mod source;
pub mod v4l;
pub mod watch;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::frame::Frame;

use crate::clock::{FrameRateError, Timestamp};
pub use decode::{FAULT_KINDS, FrameFault};
use feed::{Clock, Feed};
use live::LiveCamera;
use replay::{Replay, ReplayError};
use settings::CameraSettings;
use source::{Opener, SourceError};

/// A frame and when it was taken.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The picture.
    pub frame: Frame,
    /// When it was taken, by the camera's own clock.
    pub at: Timestamp,
    /// How many frames came before it.
    pub number: u64,
    /// Where it comes from, for messages: a file, or the camera's name.
    pub origin: String,
}

/// A source of frames.
pub trait Camera {
    /// The next frame, `None` when a recording has ended.
    ///
    /// # Errors
    /// [`CameraError`] when the frame cannot be had.
    fn next_frame(&mut self) -> Result<Option<Captured>, CameraError>;
}

/// Why a camera gives no frame.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// The recording cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The frame rate asked for makes no sense.
    #[error(transparent)]
    FrameRate(#[from] FrameRateError),
    /// The camera cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// No frame came for long.
    #[error("expected a frame within {} s, found none: {cause}; {remedy}", after.as_secs())]
    NoFrame {
        /// How long was waited.
        after: Duration,
        /// What is wrong with the camera.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// There is no thread for the camera.
    #[error("expected a thread for the camera, found: {0}; end other programs")]
    Thread(io::Error),
}

/// Which camera to open, as written on the command line and in the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CameraSource {
    /// `replay:DIR`, a folder of pictures.
    Replay(PathBuf),
    /// `v4l:/dev/videoN`, `v4l:by-path/...` or `v4l:auto`.
    V4l(device::Wanted),
}

impl CameraSource {
    /// Opens the camera frame by frame with default settings; see [`CameraSource::open_with`].
    ///
    /// # Errors
    /// As [`CameraSource::open_with`].
    pub fn open(&self, frames_per_second: Option<f64>) -> Result<Box<dyn Camera>, CameraError> {
        self.open_with(frames_per_second, &CameraSettings::default())
    }

    /// Opens the camera frame by frame; `frames_per_second` goes before a recording's own times.
    ///
    /// A live camera is read by a thread of its own that gives the newest frame each time.
    ///
    /// # Errors
    /// [`CameraError`] for a recording that is none; a live camera is waited for when the first frame is asked for.
    pub fn open_with(
        &self,
        frames_per_second: Option<f64>,
        settings: &CameraSettings,
    ) -> Result<Box<dyn Camera>, CameraError> {
        match self {
            Self::Replay(folder) => Ok(Box::new(Replay::open(folder, frames_per_second)?)),
            Self::V4l(_) => Ok(Box::new(LiveCamera::new(self.feed(
                frames_per_second,
                settings,
                live_clock(),
            )?))),
        }
    }

    /// Starts the capture thread: a live camera, or a recording with the times it was taken at.
    ///
    /// # Errors
    /// [`CameraError`] for a recording that is none, or when there is no thread. A live camera that cannot be opened is
    /// no error: the feed's state tells, and it is tried again.
    pub fn feed(
        &self,
        frames_per_second: Option<f64>,
        settings: &CameraSettings,
        clock: Clock,
    ) -> Result<Feed, CameraError> {
        let opener = self.opener(frames_per_second, settings, &clock)?;
        let first_frame = Duration::from_millis(settings.first_frame_ms);
        Feed::start(opener, first_frame, clock).map_err(CameraError::Thread)
    }

    pub(crate) fn opener(
        &self,
        frames_per_second: Option<f64>,
        settings: &CameraSettings,
        clock: &Clock,
    ) -> Result<Box<dyn Opener>, CameraError> {
        Ok(match self {
            Self::Replay(folder) => Box::new(replay::paced::Paced::open(
                folder,
                frames_per_second,
                settings,
                Arc::clone(clock),
            )?),
            Self::V4l(wanted) => Box::new(v4l::V4lOpener::new(wanted.clone(), *settings)),
        })
    }

    /// Whether it is a camera and no recording.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::V4l(_))
    }
}

/// The clock of a live kiosk: the one on which drivers stamp their frames.
pub fn live_clock() -> Clock {
    Arc::new(feed::monotonic)
}

/// A camera's name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected v4l:auto, v4l:/dev/videoN, v4l:by-path/NAME or replay:DIR, found \"{found}\"; write for example v4l:auto or replay:recordings/visit"
)]
pub struct CameraSourceError {
    /// What was written.
    pub found: String,
}

impl FromStr for CameraSource {
    type Err = CameraSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || CameraSourceError {
            found: text.to_owned(),
        };
        match text.split_once(':') {
            Some(("replay", folder)) if !folder.is_empty() => Ok(Self::Replay(folder.into())),
            Some(("v4l", name)) => device::Wanted::parse(name)
                .map(Self::V4l)
                .ok_or_else(refuse),
            _ => Err(refuse()),
        }
    }
}

impl TryFrom<String> for CameraSource {
    type Error = CameraSourceError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CameraSource> for String {
    fn from(source: CameraSource) -> Self {
        source.to_string()
    }
}

impl fmt::Display for CameraSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(folder) => write!(f, "replay:{}", folder.display()),
            Self::V4l(device::Wanted::Any) => f.write_str("v4l:auto"),
            Self::V4l(wanted) => write!(f, "v4l:{wanted}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cameras() {
        assert_eq!(
            "replay:a/b:c".parse(),
            Ok(CameraSource::Replay("a/b:c".into()))
        );
        for text in [
            "replay:a/b:c",
            "v4l:auto",
            "v4l:/dev/video0",
            "v4l:/dev/v4l/by-path/pci-0000:00:14.0-usb-0:2:1.0-video-index0",
        ] {
            let source: CameraSource = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
            assert_eq!(source.is_live(), text.starts_with("v4l"));
        }
        for text in [
            "",
            "replay",
            "replay:",
            "folder",
            "video:/dev/video0",
            "v4l:",
            "v4l:video0",
            "v4l",
        ] {
            assert!(text.parse::<CameraSource>().is_err(), "{text}");
        }
    }
}
