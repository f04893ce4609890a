//! Writes what a camera sees as a recording that `replay:DIR` plays: private files, each frame with its own time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;

use super::decode::{Decoder, FrameFault};
use super::mjpg;
use super::pixel_format::{Negotiated, PixelFormat};
use super::replay::{TIMING_FILE, Timing};
use crate::clock::Timestamp;

/// JPEG quality of frames that do not come as JPEG: what is lost is less than a sensor's noise.
const QUALITY: u8 = 95;

/// Why a recording cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// There is something at this place already.
    #[error(
        "expected no file or folder at {path}, found one; choose another path, nothing is written over"
    )]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error("expected to write the recording {path}, found: {source}; check space and permissions")]
    Write {
        /// The recording.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The frame cannot be decoded.
    #[error(transparent)]
    Frame(#[from] FrameFault),
}

/// A recording being written; unless it is finished it is removed.
pub struct Recorder {
    folder: PathBuf,
    at_ms: Vec<u64>,
    first: Option<Timestamp>,
    decoder: Decoder,
    finished: bool,
}

impl Recorder {
    /// Makes the folder, which must not be there yet, for its owner alone (mode 700).
    ///
    /// # Errors
    /// [`RecorderError`] when something is there or the folder cannot be made.
    pub fn create(folder: &Path) -> Result<Self, RecorderError> {
        DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => RecorderError::Exists {
                    path: folder.to_owned(),
                },
                _ => RecorderError::Write {
                    path: folder.to_owned(),
                    source,
                },
            })?;
        Ok(Self {
            folder: folder.to_owned(),
            at_ms: Vec::new(),
            first: None,
            decoder: Decoder::default(),
            finished: false,
        })
    }

    /// Adds a frame as it came from the camera, taken at `at`; an upright JPEG is kept byte by byte, but for Huffman
    /// tables that the camera left out.
    ///
    /// # Errors
    /// [`RecorderError::Frame`] for a faulty frame, which is left out; the others end the recording.
    pub fn add(
        &mut self,
        negotiated: &Negotiated,
        bytes: &[u8],
        at: Timestamp,
    ) -> Result<(), RecorderError> {
        let mut scratch = Vec::new();
        let encoded;
        let (content, ending): (&[u8], _) = match negotiated.format {
            PixelFormat::Mjpg if negotiated.orientation.is_upright() => {
                let head = mjpg::head(bytes)?;
                (mjpg::with_tables(bytes, &head, &mut scratch), "jpg")
            }
            PixelFormat::File if bytes.starts_with(b"\x89PNG") => (bytes, "png"),
            PixelFormat::File => (bytes, "jpg"),
            _ => {
                let frame = self.decoder.decode(negotiated, bytes)?;
                encoded = jpeg(frame).map_err(|source| self.failed(source))?;
                (&encoded, "jpg")
            }
        };
        let name = format!("frame-{:06}.{ending}", self.at_ms.len());
        write_private(&self.folder.join(name), content).map_err(|source| self.failed(source))?;
        let first = *self.first.get_or_insert(at);
        // Times never fall, as a replay demands: the watch saw to their order, this to its rounding.
        let after = at.since(first).as_millis() as u64;
        self.at_ms
            .push(after.max(self.at_ms.last().copied().unwrap_or(0)));
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> usize {
        self.at_ms.len()
    }

    /// Writes the times; returns how many frames there are.
    ///
    /// # Errors
    /// [`RecorderError::Write`].
    pub fn finish(mut self) -> Result<usize, RecorderError> {
        let frames = self.at_ms.len();
        let length = self.at_ms.last().copied().unwrap_or(0);
        let rate = if frames > 1 && length > 0 {
            ((frames - 1) as f64 * 1000.0 / length as f64).clamp(0.1, 1000.0)
        } else {
            super::replay::DEFAULT_FRAMES_PER_SECOND
        };
        let timing = Timing {
            frames_per_second: (rate * 1000.0).round() / 1000.0,
            at_ms: Some(std::mem::take(&mut self.at_ms)),
        };
        toml::to_string(&timing)
            .map_err(io::Error::other)
            .and_then(|text| write_private(&self.folder.join(TIMING_FILE), text.as_bytes()))
            .and_then(|()| File::open(&self.folder)?.sync_all())
            .map_err(|source| self.failed(source))?;
        self.finished = true;
        Ok(frames)
    }

    fn failed(&self, source: io::Error) -> RecorderError {
        RecorderError::Write {
            path: self.folder.clone(),
            source,
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            tracing::error!(%error, "a recording that was given up could not be removed; remove it by hand");
        }
    }
}

fn jpeg(frame: shared::frame::Frame) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode_image(&frame.into_image())
        .map_err(io::Error::other)?;
    Ok(bytes)
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(content)
}

/// That a recording is under way, for whatever shows the screen: a file that lives as long as this does.
pub struct Announcement {
    path: PathBuf,
}

impl Announcement {
    /// Where the flag lies: in the folder of this service or user for what runs now, `None` where there is none.
    pub fn place() -> Option<PathBuf> {
        ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"]
            .into_iter()
            .filter_map(std::env::var_os)
            .map(PathBuf::from)
            .chain([PathBuf::from("/run/usher")])
            .find(|folder| folder.is_dir())
            .map(|folder| folder.join("usher-recording"))
    }

    /// Raises the flag at `path`; it holds the number of this process, so that one left behind by a crash is told.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn raise(path: PathBuf) -> io::Result<Self> {
        fs::write(&path, std::process::id().to_string())?;
        Ok(Self { path })
    }

    /// Whether the flag at `path` is up and the process that raised it still runs.
    pub fn is_up(path: &Path) -> bool {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse::<u32>().ok())
            .is_some_and(|process| Path::new("/proc").join(process.to_string()).exists())
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Nothing is lost: the number of a process that has ended says that the flag is down.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::Camera;
    use super::super::mjpg::tests::{jpeg, without_tables};
    use super::super::orientation::{Orientation, Rotation};
    use super::super::pixel_format::Colors;
    use super::super::replay::Replay;
    use super::*;

    fn negotiated(format: PixelFormat, rotation: Rotation) -> Negotiated {
        Negotiated {
            format,
            width_px: 32,
            height_px: 16,
            stride_bytes: format.row_bytes(32).unwrap_or(0),
            colors: Colors::default(),
            frames_per_second: Some(30.0),
            orientation: Orientation {
                rotation,
                mirror: false,
            },
            may_repeat: false,
        }
    }

    #[test]
    fn a_recording_is_private_and_comes_back_with_its_times() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("visit");
        let mut recorder = Recorder::create(&out).unwrap();
        assert!(matches!(
            Recorder::create(&out),
            Err(RecorderError::Exists { .. })
        ));
        let whole = jpeg(32, 16, 0);
        let mjpg = negotiated(PixelFormat::Mjpg, Rotation::None);
        let turned = negotiated(PixelFormat::Yuyv, Rotation::Quarter);
        let at = Timestamp::from_millis;
        recorder.add(&mjpg, &whole, at(7000)).unwrap();
        recorder
            .add(&mjpg, &without_tables(&jpeg(32, 16, 9)), at(7033))
            .unwrap();
        recorder.add(&turned, &[128; 1024], at(7100)).unwrap();
        let fault = recorder.add(&mjpg, &whole[..99], at(7133)).unwrap_err();
        assert!(matches!(fault, RecorderError::Frame(_)));
        assert_eq!(recorder.finish().unwrap(), 3);

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&out), 0o700);
        assert_eq!(mode(&out.join("frame-000000.jpg")), 0o600);
        assert_eq!(fs::read(out.join("frame-000000.jpg")).unwrap(), whole);
        let mut replay = Replay::open(&out, None).unwrap();
        let mut seen = Vec::new();
        while let Some(captured) = replay.next_frame().unwrap() {
            let frame = &captured.frame;
            seen.push((captured.at.millis(), frame.width_px(), frame.height_px()));
        }
        assert_eq!(seen, [(0, 32, 16), (33, 32, 16), (100, 16, 32)]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("visit");
        let mut recorder = Recorder::create(&out).unwrap();
        let mjpg = negotiated(PixelFormat::Mjpg, Rotation::None);
        recorder
            .add(&mjpg, &jpeg(32, 16, 0), Timestamp::from_millis(0))
            .unwrap();
        drop(recorder);
        assert!(!out.exists());
    }

    #[test]
    fn the_flag_is_up_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flag");
        assert!(!Announcement::is_up(&path));
        let announcement = Announcement::raise(path.clone()).unwrap();
        assert!(Announcement::is_up(&path));
        drop(announcement);
        assert!(!Announcement::is_up(&path));
        // Left behind by a process that is no more: numbers end at 2^22.
        fs::write(&path, "4194305").unwrap();
        assert!(!Announcement::is_up(&path));
    }
}
