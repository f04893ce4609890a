//! A folder of pictures as a camera: natural name order, and a clock that only the frames move.

pub(crate) mod paced;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::picture::{self, PictureError};

use super::{Camera, CameraError, Captured};
use crate::clock::{FrameClock, Timestamp};

/// Frames per second of a recording that does not say.
pub const DEFAULT_FRAMES_PER_SECOND: f64 = 10.0;

/// The file beside the pictures that says how fast they were taken.
pub const TIMING_FILE: &str = "timing.toml";

/// File name endings of pictures; other files in the folder are no frames.
const ENDINGS: [&str; 5] = ["bmp", "jpeg", "jpg", "png", "webp"];

/// What [`TIMING_FILE`] holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Frames per second, 0.1 to 1000; of a recording with times of its own, about.
    pub frames_per_second: f64,
    /// When each frame was taken, in milliseconds, never falling; without it all are the same time apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<Vec<u64>>,
}

impl Timing {
    /// Frames that are all the same time apart.
    pub fn steady(frames_per_second: f64) -> Self {
        Self {
            frames_per_second,
            at_ms: None,
        }
    }
}

/// Why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The folder cannot be read.
    #[error("expected a folder of pictures at {path}, found: {source}; check path and permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no picture.
    #[error(
        "expected a picture in {path}, found none among {files} files; name a folder with files that end in .jpg, .png, .webp or .bmp"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Files there.
        files: usize,
    },
    /// The timing file cannot be understood.
    #[error(
        "expected frames_per_second = NUMBER in {path}, found: {reason}; correct the file or give --fps"
    )]
    Timing {
        /// The timing file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A frame is not a picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// A recording being replayed.
#[derive(Debug)]
pub struct Replay {
    pictures: Vec<PathBuf>,
    clock: FrameClock,
    at_ms: Option<Vec<u64>>,
    next: usize,
}

impl Replay {
    /// Lists the pictures of `folder`; `frames_per_second` goes before the recording's own rate and times.
    pub fn open(folder: &Path, frames_per_second: Option<f64>) -> Result<Self, CameraError> {
        let refuse = |source| ReplayError::Folder {
            path: folder.to_owned(),
            source,
        };
        let mut files = 0;
        let mut pictures = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(refuse)? {
            let path = entry.map_err(refuse)?.path();
            files += 1;
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if is_picture(&path) && !hidden {
                pictures.push(path);
            }
        }
        if pictures.is_empty() {
            return Err(ReplayError::Empty {
                path: folder.to_owned(),
                files,
            }
            .into());
        }
        alphanumeric_sort::sort_path_slice(&mut pictures);
        let timing = match frames_per_second {
            Some(rate) => Timing::steady(rate),
            None => timing(&folder.join(TIMING_FILE), pictures.len())?,
        };
        Ok(Self {
            pictures,
            clock: FrameClock::new(timing.frames_per_second)?,
            at_ms: timing.at_ms,
            next: 0,
        })
    }

    /// When frame `number` was taken.
    fn at(&self, number: usize) -> Timestamp {
        let own = self.at_ms.as_ref().and_then(|at_ms| at_ms.get(number));
        own.map_or_else(
            || self.clock.at(number as u64),
            |at| Timestamp::from_millis(*at),
        )
    }

    /// All frames and when they were taken.
    pub(crate) fn frames(&self) -> Vec<(PathBuf, Timestamp)> {
        let pictures = self.pictures.iter().cloned().enumerate();
        pictures
            .map(|(number, path)| (path, self.at(number)))
            .collect()
    }
}

impl Camera for Replay {
    fn next_frame(&mut self) -> Result<Option<Captured>, CameraError> {
        let Some(path) = self.pictures.get(self.next) else {
            return Ok(None);
        };
        let frame = picture::read(path).map_err(ReplayError::from)?;
        let at = self.at(self.next);
        let number = self.next as u64;
        self.next += 1;
        Ok(Some(Captured {
            frame,
            at,
            number,
            origin: path.display().to_string(),
        }))
    }
}

fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|ending| {
        ENDINGS
            .iter()
            .any(|known| ending.eq_ignore_ascii_case(known))
    })
}

fn timing(path: &Path, frames: usize) -> Result<Timing, CameraError> {
    let wrong = |reason: String| ReplayError::Timing {
        path: path.to_owned(),
        reason,
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Timing::steady(DEFAULT_FRAMES_PER_SECOND));
        }
        Err(error) => return Err(wrong(error.to_string()).into()),
    };
    let timing: Timing =
        toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
    FrameClock::new(timing.frames_per_second).map_err(|error| wrong(error.to_string()))?;
    if let Some(at_ms) = &timing.at_ms {
        if at_ms.len() != frames {
            return Err(wrong(format!(
                "at_ms with {} times for {frames} pictures",
                at_ms.len()
            ))
            .into());
        }
        if !at_ms.is_sorted() {
            return Err(wrong("at_ms with a time before the one before it".to_owned()).into());
        }
    }
    Ok(timing)
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    fn folder_with(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (width, name) in (1..).zip(names) {
            RgbImage::new(width, 1)
                .save(folder.path().join(name))
                .unwrap();
        }
        folder
    }

    #[test]
    fn frames_come_in_counting_order_and_on_time() {
        let folder = folder_with(&["10.png", "9.png", "1.PNG"]);
        std::fs::write(folder.path().join(TIMING_FILE), "frames_per_second = 4").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not a frame").unwrap();
        let mut replay = Replay::open(folder.path(), None).unwrap();
        let mut seen = Vec::new();
        while let Some(captured) = replay.next_frame().unwrap() {
            seen.push((
                captured.number,
                captured.at.millis(),
                captured.frame.width_px(),
            ));
        }
        assert_eq!(seen, [(0, 0, 3), (1, 250, 2), (2, 500, 1)]);
    }

    #[test]
    fn frames_may_have_times_of_their_own() {
        let folder = folder_with(&["1.png", "2.png", "3.png"]);
        let timing = folder.path().join(TIMING_FILE);
        std::fs::write(&timing, "frames_per_second = 30\nat_ms = [5, 40, 900]").unwrap();
        let mut replay = Replay::open(folder.path(), None).unwrap();
        for expected in [5, 40, 900] {
            assert_eq!(replay.next_frame().unwrap().unwrap().at.millis(), expected);
        }
        for (times, word) in [("[5, 40]", "2 times for 3"), ("[5, 40, 39]", "before")] {
            std::fs::write(&timing, format!("frames_per_second = 30\nat_ms = {times}")).unwrap();
            let message = Replay::open(folder.path(), None).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        assert!(Replay::open(folder.path(), Some(4.0)).is_ok());
    }

    #[test]
    fn a_rate_that_is_given_goes_first() {
        let folder = folder_with(&["1.png", "2.png"]);
        std::fs::write(folder.path().join(TIMING_FILE), "nonsense").unwrap();
        let mut replay = Replay::open(folder.path(), Some(20.0)).unwrap();
        replay.next_frame().unwrap();
        assert_eq!(replay.next_frame().unwrap().unwrap().at.millis(), 50);
        assert!(
            Replay::open(folder.path(), None)
                .unwrap_err()
                .to_string()
                .contains("timing.toml")
        );
        assert!(Replay::open(folder.path(), Some(0.0)).is_err());
    }

    #[test]
    fn what_is_no_recording_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("nowhere");
        let message = Replay::open(&missing, None).unwrap_err().to_string();
        assert!(
            message.contains("nowhere") && message.contains("check path"),
            "{message}"
        );
        std::fs::write(folder.path().join("notes.txt"), "not a frame").unwrap();
        let message = Replay::open(folder.path(), None).unwrap_err().to_string();
        assert!(message.contains("none among 1 files"), "{message}");
        std::fs::write(folder.path().join("broken.jpg"), "not a picture").unwrap();
        let message = Replay::open(folder.path(), None)
            .unwrap()
            .next_frame()
            .unwrap_err()
            .to_string();
        assert!(message.contains("broken.jpg"), "{message}");
    }
}
