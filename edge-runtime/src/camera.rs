//! Where frames come from: one trait, so that a recording and a live camera look the same to the kiosk.

pub mod replay;

use std::path::PathBuf;
use std::str::FromStr;

use shared::frame::Frame;

use crate::clock::{FrameRateError, Timestamp};
use replay::{Replay, ReplayError};

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
}

/// Which camera to open, as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraSource {
    /// `replay:DIR`, a folder of pictures.
    Replay(PathBuf),
}

impl CameraSource {
    /// Opens the camera; `frames_per_second` goes before the recording's own rate.
    pub fn open(&self, frames_per_second: Option<f64>) -> Result<Box<dyn Camera>, CameraError> {
        match self {
            Self::Replay(folder) => Ok(Box::new(Replay::open(folder, frames_per_second)?)),
        }
    }
}

/// A camera's name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected replay:DIR, found \"{found}\"; write for example replay:recordings/visit")]
pub struct CameraSourceError {
    /// What was written.
    pub found: String,
}

impl FromStr for CameraSource {
    type Err = CameraSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("replay", folder)) if !folder.is_empty() => Ok(Self::Replay(folder.into())),
            _ => Err(CameraSourceError {
                found: text.to_owned(),
            }),
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
        for text in ["", "replay", "replay:", "folder", "video:/dev/video0"] {
            assert!(text.parse::<CameraSource>().is_err(), "{text}");
        }
    }
}
