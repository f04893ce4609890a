//! The seam between the capture thread and whatever gives frames: a V4L2 device, a recording, or a test's script.

use std::io;
use std::time::Duration;

use super::pixel_format::Negotiated;
use crate::clock::Timestamp;

/// A frame that has come; its bytes lie in the buffer that was handed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// The driver's running number, if it counts.
    pub sequence: Option<u32>,
    /// When it was taken, if the driver says so on the clock of this machine.
    pub taken: Option<Timestamp>,
    /// Whether the driver marks it as damaged.
    pub damaged: bool,
}

/// An opened camera that streams.
pub trait Source: Send {
    /// What it was brought to give.
    fn negotiated(&self) -> &Negotiated;

    /// Its name, for messages.
    fn origin(&self) -> &str;

    /// Waits at most `patience` for the next frame and puts its bytes into `bytes`, whose content is replaced.
    /// `None` when none came. After an error the source is dropped and opened again.
    ///
    /// # Errors
    /// [`SourceError`] when the stream has broken.
    fn next(
        &mut self,
        patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError>;
}

/// Opens a camera, and opens it again when it was lost.
pub trait Opener: Send {
    /// Finds and opens the camera.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be had now.
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError>;
}

/// Why a camera cannot be opened, or a stream has ended.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is no such camera, or no longer.
    #[error("expected a camera at {place}, found none; plug it in again")]
    Gone {
        /// Where it was looked for.
        place: String,
    },
    /// The camera may not be used.
    #[error("expected to open {place}, found: {reason}; {remedy}")]
    Refused {
        /// Which camera.
        place: String,
        /// What the system said.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The camera gives nothing that can be read.
    #[error("expected pictures from {place}, found: {reason}; {remedy}")]
    Unsupported {
        /// Which camera.
        place: String,
        /// What it gives instead.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The driver reports an error.
    #[error("expected {place} to {deed}, found: {reason}; check cable and power of the camera")]
    Driver {
        /// Which camera.
        place: String,
        /// What was asked of it.
        deed: &'static str,
        /// What it said.
        reason: io::Error,
    },
    /// Streams could not be closed so often that opening more would only leak.
    #[error(
        "expected to close the stream of {place}, found it stuck {times} times; restart usher, and the device if that does not help"
    )]
    Stuck {
        /// Which camera.
        place: String,
        /// How often.
        times: u32,
    },
    /// The recording is over.
    #[error("expected another frame of {place}, found its end; nothing is to be done")]
    Ended {
        /// Which recording.
        place: String,
    },
}

/// Errors as the kernel numbers them: of a device that is gone.
const GONE: [rustix::io::Errno; 3] = [
    rustix::io::Errno::NODEV,
    rustix::io::Errno::NXIO,
    rustix::io::Errno::NOENT,
];

impl SourceError {
    /// What the system's error means for a camera.
    pub(super) fn of(place: &str, deed: &'static str, error: io::Error) -> Self {
        let errno = rustix::io::Errno::from_io_error(&error);
        let place = place.to_owned();
        match errno {
            Some(errno) if GONE.contains(&errno) => Self::Gone { place },
            Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => Self::Refused {
                place,
                reason: error.to_string(),
                remedy: "add the user to the group video, or run usher as its service does",
            },
            Some(rustix::io::Errno::BUSY) => Self::Refused {
                place,
                reason: error.to_string(),
                remedy: "end the other program that uses the camera (fuser -v /dev/video*)",
            },
            _ => Self::Driver {
                place,
                deed,
                reason: error,
            },
        }
    }

    /// Whether trying again soon is of use: a camera may be plugged in at any moment.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Driver { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_get_a_remedy() {
        for (errno, word) in [
            (rustix::io::Errno::NODEV, "plug it in"),
            (rustix::io::Errno::ACCESS, "group video"),
            (rustix::io::Errno::BUSY, "fuser"),
            (rustix::io::Errno::IO, "cable"),
            (rustix::io::Errno::INVAL, "cable"),
        ] {
            let error = SourceError::of("/dev/video0", "start", errno.into());
            let message = error.to_string();
            assert!(
                message.contains(word) && message.contains("/dev/video0"),
                "{message}"
            );
        }
    }
}
