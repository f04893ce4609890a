//! A recording in real time: each frame when it was taken, and those that nobody was there for left out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::CameraError;
use super::super::feed::Clock;
use super::super::pixel_format::{Colors, Negotiated, PixelFormat};
use super::super::settings::CameraSettings;
use super::super::source::{Arrived, Opener, Source, SourceError};
use super::Replay;
use crate::clock::Timestamp;

/// Waits in real time; a test moves its clock instead.
pub(crate) type Sleep = Arc<dyn Fn(Duration) + Send + Sync>;

/// Opens a recording.
pub(crate) struct Paced {
    folder: PathBuf,
    frames: Vec<(PathBuf, Timestamp)>,
    settings: CameraSettings,
    clock: Clock,
    sleep: Sleep,
}

impl Paced {
    /// Lists the pictures of `folder` and their times.
    pub(crate) fn open(
        folder: &Path,
        frames_per_second: Option<f64>,
        settings: &CameraSettings,
        clock: Clock,
    ) -> Result<Self, CameraError> {
        let replay = Replay::open(folder, frames_per_second)?;
        Ok(Self {
            folder: folder.to_owned(),
            frames: replay.frames(),
            settings: *settings,
            clock,
            sleep: Arc::new(std::thread::sleep),
        })
    }
}

impl Opener for Paced {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        let first = self.frames.first().map_or(0, |(_, at)| at.millis());
        let length = self.frames.last().map_or(0, |(_, at)| at.millis() - first);
        let intervals = self.frames.len().saturating_sub(1) as f64;
        Ok(Box::new(PacedSource {
            place: self.folder.display().to_string(),
            frames: self.frames.clone(),
            next: 0,
            begun: None,
            negotiated: Negotiated {
                format: PixelFormat::File,
                width_px: self.settings.width,
                height_px: self.settings.height,
                stride_bytes: 0,
                colors: Colors::default(),
                frames_per_second: (length > 0).then(|| intervals * 1000.0 / length as f64),
                orientation: self.settings.orientation(),
                may_repeat: true,
            },
            clock: Arc::clone(&self.clock),
            sleep: Arc::clone(&self.sleep),
        }))
    }
}

struct PacedSource {
    place: String,
    frames: Vec<(PathBuf, Timestamp)>,
    next: usize,
    begun: Option<Timestamp>,
    negotiated: Negotiated,
    clock: Clock,
    sleep: Sleep,
}

impl PacedSource {
    /// When frame `index` is due, on the clock; `None` beyond the last.
    fn due(&self, index: usize, begun: Timestamp) -> Option<Timestamp> {
        let (_, first) = self.frames.first()?;
        let (_, at) = self.frames.get(index)?;
        let after = at.millis().saturating_sub(first.millis());
        Some(Timestamp::from_millis(begun.millis() + after))
    }
}

impl Source for PacedSource {
    fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn origin(&self) -> &str {
        &self.place
    }

    fn next(
        &mut self,
        patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError> {
        let now = (self.clock)();
        let begun = *self.begun.get_or_insert(now);
        while self.due(self.next + 1, begun).is_some_and(|due| due <= now) {
            self.next += 1;
        }
        let Some(due) = self.due(self.next, begun) else {
            return Err(SourceError::Ended {
                place: self.place.clone(),
            });
        };
        let early = due.since(now);
        if !early.is_zero() {
            (self.sleep)(early.min(patience));
            if due.since((self.clock)()) > Duration::ZERO {
                return Ok(None);
            }
        }
        let (path, _) = &self.frames[self.next];
        *bytes = std::fs::read(path)
            .map_err(|error| SourceError::of(&path.display().to_string(), "be read", error))?;
        let sequence = u32::try_from(self.next).ok();
        self.next += 1;
        Ok(Some(Arrived {
            sequence,
            taken: Some(due),
            damaged: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn frames_come_when_they_were_taken() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..6 {
            image::RgbImage::new(2, 2)
                .save(folder.path().join(format!("{number}.png")))
                .unwrap();
        }
        std::fs::write(
            folder.path().join("timing.toml"),
            "frames_per_second = 10\nat_ms = [0, 40, 50, 300, 301, 900]",
        )
        .unwrap();
        let time = Arc::new(AtomicU64::new(5000));
        let read = Arc::clone(&time);
        let clock: Clock = Arc::new(move || Timestamp::from_millis(read.load(Ordering::Relaxed)));
        let mut paced =
            Paced::open(folder.path(), None, &CameraSettings::default(), clock).unwrap();
        let moved = Arc::clone(&time);
        paced.sleep = Arc::new(move |by| {
            moved.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
        });
        let mut source = paced.open().unwrap();
        let mut bytes = Vec::new();
        let mut seen = Vec::new();
        let ended = loop {
            match source.next(Duration::from_millis(100), &mut bytes) {
                Ok(Some(arrived)) => {
                    let now = time.load(Ordering::Relaxed);
                    seen.push((arrived.sequence.unwrap(), now - 5000));
                    // Whoever takes frames is busy for a while after the second one.
                    if seen.len() == 2 {
                        time.fetch_add(270, Ordering::Relaxed);
                    }
                }
                Ok(None) => {}
                Err(error) => break error,
            }
        };
        // Frames 2 and 3 were missed meanwhile.
        assert_eq!(seen, [(0, 0), (1, 40), (4, 310), (5, 900)]);
        assert!(matches!(ended, SourceError::Ended { .. }));
    }
}
