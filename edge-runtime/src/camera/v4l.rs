//! A camera by Video4Linux: the one room that imports `v4l`, and where what that crate does not forgive is contained.
//!
//! Traps of `v4l` 0.14, and what is done about them:
//! - It waits forever by default, and after a timeout its next call queues a buffer twice (EINVAL). So it is only asked
//!   for a frame when `poll` says that there is one; a stall is the feed's to judge, which drops the stream.
//! - The first frame of a stream is only used to begin with: `dequeue` gives no access to the bytes, `next` does.
//! - `next` returns the whole mapping: it is cut to `bytesused`. Rows may be longer than their pixels (`bytesperline`).
//! - EINTR surfaces: the wait goes on with what is left of its time, a dequeue begins again.
//! - It panics on text that is no UTF-8, on unknown kinds of controls and color spaces, and when closing fails other
//!   than by ENODEV; a second panic while the first unwinds would abort the process. Every call runs inside
//!   `guarded`; a stream is stopped before it is dropped, and one that cannot be stopped is forgotten instead
//!   (4 buffers and a descriptor), at most `MOST_STUCK` times, after which the camera counts as lost for good.
//! - One plane a picture: cameras that only have the multiplanar interface are refused with words.

mod agreement;
mod offers;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use v4l::Device;
use v4l::buffer::{Flags, Type};
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};

use super::device::{self, Identity, Wanted};
use super::negotiation::{self, Offer};
use super::pixel_format::Negotiated;
use super::settings::CameraSettings;
use super::source::{Arrived, Opener, Source, SourceError};
use crate::clock::Timestamp;
pub use agreement::set_control;
use agreement::{agree, apply_controls};
pub(crate) use offers::look;
use offers::{captures, formats, nothing_to_choose};

/// Buffers that the driver fills in turn.
const BUFFERS: u32 = 4;

/// Most buffers that V4L2 has (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: usize = 32;

/// Streams that may fail to close before no more are opened.
const MOST_STUCK: u32 = 3;

/// Runs a call into `v4l`, whose panics count as errors of the driver.
fn guarded<T>(
    place: &str,
    deed: &'static str,
    call: impl FnOnce() -> io::Result<T>,
) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| {
            Err(io::Error::other(
                "something that the v4l crate does not understand",
            ))
        })
        .map_err(|error| SourceError::of(place, deed, error))
}

/// Opens a V4L2 camera, again and again if need be.
pub(super) struct V4lOpener {
    wanted: Wanted,
    settings: CameraSettings,
    known: Option<Identity>,
    stuck: Arc<AtomicU32>,
}

impl V4lOpener {
    pub(super) fn new(wanted: Wanted, settings: CameraSettings) -> Self {
        Self {
            wanted,
            settings,
            known: None,
            stuck: Arc::default(),
        }
    }

    /// Nodes to try, the one that is surely meant first.
    fn nodes(&self) -> Vec<PathBuf> {
        let mut nodes = device::candidates(&self.wanted, self.known.as_ref(), device::nodes());
        let Some(known) = &self.known else {
            return nodes;
        };
        let is_known = |node: &PathBuf| {
            identify(node).is_ok_and(|found| found.bus == known.bus && found.index == known.index)
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = nodes.drain(..).partition(is_known);
        // Another camera under the very name that was asked for is taken, one under another name is not.
        first.extend(rest.into_iter().filter(|node| match &self.wanted {
            Wanted::Node(path) => node == path,
            Wanted::Place(_) | Wanted::Any => true,
        }));
        first
    }
}

impl Opener for V4lOpener {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        let times = self.stuck.load(Ordering::Relaxed);
        if times >= MOST_STUCK {
            return Err(SourceError::Stuck {
                place: self.wanted.to_string(),
                times,
            });
        }
        let mut telling = None;
        for node in self.nodes() {
            match V4lSource::open(&node, &self.settings, &self.stuck) {
                Ok(source) => {
                    self.known = Some(source.identity.clone());
                    return Ok(Box::new(source));
                }
                // A camera that cannot be used says more than a node that is not there.
                Err(error @ SourceError::Gone { .. }) => telling = telling.or(Some(error)),
                Err(error) => {
                    telling = match telling {
                        None | Some(SourceError::Gone { .. }) => Some(error),
                        earlier => earlier,
                    }
                }
            }
        }
        Err(telling.unwrap_or_else(|| SourceError::Gone {
            place: self.wanted.to_string(),
        }))
    }
}

fn open_device(node: &Path) -> Result<Device, SourceError> {
    let place = node.display().to_string();
    guarded(&place, "open", || Device::with_path(node))
}

fn identify(node: &Path) -> Result<Identity, SourceError> {
    let place = node.display().to_string();
    let device = open_device(node)?;
    let found = guarded(&place, "say what it is", || device.query_caps())?;
    Ok(Identity {
        bus: found.bus,
        card: found.card,
        index: device::index_of(node),
    })
}

/// A V4L2 camera that streams.
struct V4lSource {
    /// `None` only while it is being dropped.
    stream: Option<Stream<'static>>,
    /// Whether a buffer is held that `next` will give back first.
    primed: bool,
    negotiated: Negotiated,
    identity: Identity,
    place: String,
    stuck: Arc<AtomicU32>,
}

impl V4lSource {
    fn open(
        node: &Path,
        settings: &CameraSettings,
        stuck: &Arc<AtomicU32>,
    ) -> Result<Self, SourceError> {
        let place = node.display().to_string();
        let device = open_device(node)?;
        let capabilities = guarded(&place, "say what it is", || device.query_caps())?;
        captures(&place, capabilities.capabilities)?;
        let found = formats(&place, &device, settings)?;
        let offers: Vec<Offer> = found
            .iter()
            .filter_map(|found| found.offer.clone())
            .collect();
        let choice = negotiation::choose(&offers, settings)
            .ok_or_else(|| nothing_to_choose(&place, &found, settings))?;
        let negotiated = agree(&place, &device, &choice, settings)?;
        for note in apply_controls(&device, settings) {
            tracing::warn!(
                camera = place,
                note,
                "a setting of the camera was not taken"
            );
        }
        let stream = guarded(&place, "map its buffers", || {
            Stream::with_buffers(&device, Type::VideoCapture, BUFFERS)
        })?;
        let mut source = Self {
            stream: Some(stream),
            primed: false,
            negotiated,
            identity: Identity {
                bus: capabilities.bus,
                card: capabilities.card,
                index: device::index_of(node),
            },
            place,
            stuck: Arc::clone(stuck),
        };
        source.start()?;
        tracing::info!(camera = source.place, card = source.identity.card, taken = %source.negotiated, "camera opened");
        Ok(source)
    }

    fn start(&mut self) -> Result<(), SourceError> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        guarded(&self.place, "start", || {
            // The crate does not say how many buffers there are: EINVAL does.
            for index in 0..MOST_BUFFERS {
                match CaptureStream::queue(stream, index) {
                    Err(error) if index == 0 => return Err(error),
                    Err(_) => break,
                    Ok(()) => {}
                }
            }
            // Only a net below the poll in `next`.
            stream.set_timeout(Duration::from_secs(1));
            stream.start()
        })
    }

    /// Whether a frame is there within `patience`.
    fn wait(&self, stream: &Stream<'static>, patience: Duration) -> Result<bool, SourceError> {
        // POLLIN, as every Linux numbers it.
        const READABLE: i16 = 1;
        let begin = Instant::now();
        let handle = stream.handle();
        loop {
            let left = patience.saturating_sub(begin.elapsed());
            let polled = guarded(&self.place, "wait for a frame", || {
                match handle.poll(READABLE, left.as_millis().min(10_000) as i32) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
                    Err(error) => Err(error),
                    Ok(ready) => Ok(Some(ready > 0)),
                }
            })?;
            match polled {
                Some(ready) => return Ok(ready),
                None if left.is_zero() => return Ok(false),
                None => {}
            }
        }
    }
}

impl Source for V4lSource {
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
        let Some(mut stream) = self.stream.take() else {
            return Ok(None);
        };
        let ready = self.wait(&stream, patience);
        let taken = match ready {
            Ok(true) => guarded(&self.place, "give a frame", || {
                take(&mut stream, &mut self.primed, bytes)
            }),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        self.stream = Some(stream);
        taken
    }
}

/// Takes the frame that `poll` said is there; `None` where it only serves to begin with.
fn take(
    stream: &mut Stream<'static>,
    primed: &mut bool,
    bytes: &mut Vec<u8>,
) -> io::Result<Option<Arrived>> {
    if !*primed {
        return match CaptureStream::dequeue(stream) {
            Ok(_) => {
                *primed = true;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        };
    }
    match CaptureStream::next(stream) {
        Ok((buffer, meta)) => {
            let used = (meta.bytesused as usize).min(buffer.len());
            bytes.clear();
            bytes.extend_from_slice(&buffer[..used]);
            let monotonic = (meta.flags & Flags::TIMESTAMP_MASK) == Flags::TIMESTAMP_MONOTONIC;
            let millis = u64::try_from(meta.timestamp.sec)
                .ok()
                .zip(u64::try_from(meta.timestamp.usec).ok())
                .and_then(|(seconds, micros)| {
                    seconds.checked_mul(1000)?.checked_add(micros / 1000)
                });
            Ok(Some(Arrived {
                sequence: Some(meta.sequence),
                taken: millis.filter(|_| monotonic).map(Timestamp::from_millis),
                damaged: meta.flags.contains(Flags::ERROR),
            }))
        }
        // The buffer was given back, but none was taken: begin again with a dequeue.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            *primed = false;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Drop for V4lSource {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else {
            return;
        };
        let stopped = guarded(&self.place, "stop", || {
            loop {
                match stream.stop() {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => return other,
                }
            }
        });
        match stopped {
            // Gone or stopped: closing it has nothing left to panic about, and if it does, that is contained.
            Ok(()) | Err(SourceError::Gone { .. }) => {
                let closed = catch_unwind(AssertUnwindSafe(|| drop(stream)));
                if closed.is_err() {
                    tracing::error!(camera = self.place, "the stream closed with an error");
                }
            }
            Err(error) => {
                tracing::error!(camera = self.place, %error, "the stream cannot be closed and is left open");
                self.stuck.fetch_add(1, Ordering::Relaxed);
                std::mem::forget(stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_is_said_in_words() {
        let opener =
            |path: &str| V4lOpener::new(Wanted::Node(path.into()), CameraSettings::default());
        let error = opener("/dev/nothing-here").open().err().unwrap();
        assert!(matches!(error, SourceError::Gone { .. }), "{error}");
        // A file that is no device answers no question.
        let error = opener("/dev/null").open().err().unwrap();
        assert!(matches!(error, SourceError::Driver { .. }), "{error}");
    }

    #[test]
    fn panics_of_the_crate_are_errors() {
        let outcome = guarded::<()>("x", "give a frame", || panic!("unknown color space"));
        assert!(matches!(outcome, Err(SourceError::Driver { .. })));
    }
}
