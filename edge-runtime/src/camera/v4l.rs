//! A camera by Video4Linux: the one file that imports `v4l`, and where what that crate does not forgive is contained.
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

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use v4l::buffer::{Flags, Type};
use v4l::capability::Flags as Able;
use v4l::control::{Control, Description, Value};
use v4l::format::{Colorspace, Quantization};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

use super::device::{self, Identity, Wanted};
use super::negotiation::{self, Choice, Offer, OfferedSize, Sizes};
use super::pixel_format::{Colors, Negotiated, PixelFormat, unsupported};
use super::probe::{ControlFound, DeviceFound, FormatFound};
use super::settings::{CameraSettings, PowerLine};
use super::source::{Arrived, Opener, Source, SourceError};
use crate::clock::Timestamp;

/// Buffers that the driver fills in turn.
const BUFFERS: u32 = 4;

/// Most buffers that V4L2 has (`VIDEO_MAX_FRAME`).
const MOST_BUFFERS: usize = 32;

/// Streams that may fail to close before no more are opened.
const MOST_STUCK: u32 = 3;

/// Sizes of a format that are looked at; no camera lists more, a hostile one could.
const MOST_SIZES: usize = 64;

/// `V4L2_CID_EXPOSURE_AUTO`, a menu.
const EXPOSURE_AUTO: u32 = 0x009a_0901;
/// `V4L2_CID_EXPOSURE_ABSOLUTE`, in units of 100 microseconds.
const EXPOSURE_ABSOLUTE: u32 = 0x009a_0902;
/// `V4L2_CID_POWER_LINE_FREQUENCY`, a menu.
const POWER_LINE_FREQUENCY: u32 = 0x0098_0918;

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

fn captures(place: &str, able: Able) -> Result<(), SourceError> {
    let refuse = |reason: &str, remedy| SourceError::Unsupported {
        place: place.to_owned(),
        reason: reason.to_owned(),
        remedy,
    };
    if able.contains(Able::VIDEO_CAPTURE | Able::STREAMING) {
        return Ok(());
    }
    if able.intersects(Able::VIDEO_CAPTURE_MPLANE | Able::VIDEO_M2M_MPLANE) {
        return Err(refuse(
            "only the multiplanar interface, which is not supported",
            "put v4l2loopback before it, or use a USB camera",
        ));
    }
    if able.contains(Able::VIDEO_CAPTURE) {
        return Err(refuse(
            "no streaming by mapped buffers",
            "use a USB camera of the video class (UVC)",
        ));
    }
    Err(refuse(
        "a node that captures no video",
        "name another node (usher camera probe lists them)",
    ))
}

/// All formats of a device, readable or not.
fn formats(
    place: &str,
    device: &Device,
    settings: &CameraSettings,
) -> Result<Vec<FormatFound>, SourceError> {
    let described = guarded(place, "list its formats", || device.enum_formats())?;
    let mut found = Vec::new();
    for described in described {
        let fourcc = described.fourcc.repr;
        let offer = PixelFormat::of_fourcc(fourcc).map(|format| Offer {
            format,
            fourcc,
            sizes: sizes(place, device, described.fourcc, settings),
        });
        found.push(FormatFound {
            fourcc: String::from_utf8_lossy(&fourcc).trim_end().to_owned(),
            description: described.description,
            unsupported: offer.is_none().then(|| {
                let (why, remedy) = unsupported(fourcc);
                format!("{why}; {remedy}")
            }),
            offer,
        });
    }
    Ok(found)
}

/// Sizes of a format; none where the driver lists none.
fn sizes(
    place: &str,
    device: &Device,
    fourcc: FourCC,
    settings: &CameraSettings,
) -> Vec<OfferedSize> {
    let listed = guarded(place, "list its sizes", || device.enum_framesizes(fourcc));
    let listed = listed.unwrap_or_default();
    let ranges = listed
        .into_iter()
        .take(MOST_SIZES)
        .map(|size| match size.size {
            FrameSizeEnum::Discrete(size) => Sizes::only(size.width, size.height),
            FrameSizeEnum::Stepwise(range) => Sizes {
                least: (range.min_width, range.min_height),
                most: (range.max_width, range.max_height),
                step: (range.step_width, range.step_height),
            },
        });
    ranges
        .map(|sizes| {
            let (width, height) = sizes.nearest((settings.width, settings.height));
            let intervals = guarded(place, "list its rates", || {
                device.enum_frameintervals(fourcc, width, height)
            });
            let mut rates: Vec<f64> = intervals
                .unwrap_or_default()
                .into_iter()
                .take(MOST_SIZES)
                .flat_map(|interval| match interval.interval {
                    FrameIntervalEnum::Discrete(interval) => vec![rate(interval)],
                    FrameIntervalEnum::Stepwise(range) => {
                        let (slow, fast) = (rate(range.max), rate(range.min));
                        let wanted = f64::from(settings.frames_per_second);
                        vec![fast, wanted.clamp(slow.min(fast), fast.max(slow)), slow]
                    }
                })
                .filter(|rate| rate.is_finite() && *rate > 0.0)
                .collect();
            rates.sort_by(|a, b| b.total_cmp(a));
            rates.dedup();
            OfferedSize { sizes, rates }
        })
        .collect()
}

fn rate(interval: Fraction) -> f64 {
    f64::from(interval.denominator) / f64::from(interval.numerator)
}

fn nothing_to_choose(place: &str, found: &[FormatFound], settings: &CameraSettings) -> SourceError {
    let place = place.to_owned();
    let readable = found.iter().any(|found| found.offer.is_some());
    if let (true, Some(format)) = (readable, settings.wanted_format()) {
        return SourceError::Unsupported {
            place,
            reason: format!("no {format}"),
            remedy: "set camera.format to auto; usher camera probe lists what there is",
        };
    }
    let reasons: Vec<&str> = found
        .iter()
        .filter_map(|found| found.unsupported.as_deref())
        .collect();
    SourceError::Unsupported {
        place,
        reason: if reasons.is_empty() {
            "no format at all".to_owned()
        } else {
            reasons.join("; ")
        },
        remedy: "usher camera probe says more",
    }
}

/// Brings the device to the chosen format; what it then gives may still be another size or rate.
fn agree(
    place: &str,
    device: &Device,
    choice: &Choice,
    settings: &CameraSettings,
) -> Result<Negotiated, SourceError> {
    let mut wanted = Format::new(
        choice.width_px,
        choice.height_px,
        FourCC::new(&choice.fourcc),
    );
    wanted.field_order = v4l::format::FieldOrder::Progressive;
    let given = guarded(place, "take a format", || device.set_format(&wanted))?;
    let format = PixelFormat::of_fourcc(given.fourcc.repr);
    if format != Some(choice.format) {
        return Err(SourceError::Unsupported {
            place: place.to_owned(),
            reason: format!("{} where {} was listed", given.fourcc, choice.format),
            remedy: "set camera.format to another one that usher camera probe lists",
        });
    }
    if given.width == 0 || given.height == 0 || given.width > 16_384 || given.height > 16_384 {
        return Err(SourceError::Unsupported {
            place: place.to_owned(),
            reason: format!("a size of {}x{}", given.width, given.height),
            remedy: "choose another camera.width and camera.height",
        });
    }
    // Not every driver knows rates; those that do may take another one.
    let (seconds, frames) = interval(choice.frames_per_second);
    let parameters = Parameters::new(Fraction::new(seconds, frames));
    let taken = guarded(place, "take a rate", || device.set_params(&parameters))
        .ok()
        .map(|taken| rate(taken.interval))
        .filter(|rate| rate.is_finite() && *rate > 0.0);
    let row = choice.format.row_bytes(given.width);
    Ok(Negotiated {
        format: choice.format,
        width_px: given.width,
        height_px: given.height,
        stride_bytes: match given.stride as usize {
            0 => row.unwrap_or(0),
            stride => stride,
        },
        colors: Colors {
            bt709: matches!(given.colorspace, Colorspace::Rec709),
            full_range: matches!(given.quantization, Quantization::FullRange),
        },
        frames_per_second: taken,
        orientation: settings.orientation(),
        may_repeat: false,
    })
}

/// A rate as a fraction: seconds and frames.
fn interval(frames_per_second: f64) -> (u32, u32) {
    let frames = (frames_per_second * 1000.0).round().clamp(1.0, 1e9) as u32;
    if frames.is_multiple_of(1000) {
        (1, frames / 1000)
    } else {
        (1000, frames)
    }
}

/// Sets exposure and mains frequency; says what was not taken.
fn apply_controls(device: &Device, settings: &CameraSettings) -> Vec<String> {
    let set = |id, value| {
        catch_unwind(AssertUnwindSafe(|| {
            device.set_control(Control {
                id,
                value: Value::Integer(value),
            })
        }))
        .is_ok_and(|set| set.is_ok())
    };
    let mut notes = Vec::new();
    match settings.exposure_micros {
        // 3 is "aperture priority", the automatic of USB cameras; 0 that of others. One without either has no choice.
        None => {
            let _ = set(EXPOSURE_AUTO, 3) || set(EXPOSURE_AUTO, 0);
        }
        Some(micros) => {
            let manual = set(EXPOSURE_AUTO, 1);
            if !(set(EXPOSURE_ABSOLUTE, i64::from(micros.div_ceil(100)))) {
                notes.push(format!(
                    "camera.exposure_micros = {micros}: the camera has no exposure time that can be set"
                ));
            } else if !manual {
                notes.push(
                    "camera.exposure_micros: the camera goes on choosing by itself".to_owned(),
                );
            }
        }
    }
    let frequency = match settings.power_line {
        PowerLine::Keep => None,
        PowerLine::Off => Some(0),
        PowerLine::Hz50 => Some(1),
        PowerLine::Hz60 => Some(2),
        PowerLine::Auto => Some(3),
    };
    if frequency.is_some_and(|frequency| !set(POWER_LINE_FREQUENCY, frequency)) {
        notes.push("camera.power_line: the camera has no such filter".to_owned());
    }
    notes
}

/// What is at a node, for `usher camera probe`.
///
/// # Errors
/// [`SourceError`] when the node cannot even be opened.
pub(crate) fn look(node: &Path, settings: &CameraSettings) -> Result<DeviceFound, SourceError> {
    let place = node.display().to_string();
    let device = open_device(node)?;
    let capabilities = guarded(&place, "say what it is", || device.query_caps())?;
    let captures = captures(&place, capabilities.capabilities);
    let formats = if captures.is_ok() {
        formats(&place, &device, settings)?
    } else {
        Vec::new()
    };
    let offers: Vec<Offer> = formats
        .iter()
        .filter_map(|found| found.offer.clone())
        .collect();
    let choice = negotiation::choose(&offers, settings);
    let problem = match (&captures, &choice) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(()), None) => Some(nothing_to_choose(&place, &formats, settings).to_string()),
        (Ok(()), Some(_)) => None,
    };
    Ok(DeviceFound {
        node: place.clone(),
        by_path: device::place_of(node).map(|link| link.display().to_string()),
        driver: capabilities.driver,
        card: capabilities.card,
        bus: capabilities.bus,
        formats,
        controls: controls(&place, &device),
        choice,
        problem,
    })
}

/// The controls of a device, or why they cannot be listed.
fn controls(place: &str, device: &Device) -> Result<Vec<ControlFound>, String> {
    let described = guarded(place, "list its controls", || device.query_controls());
    let described = match described {
        Ok(described) => described,
        // A device without controls says that there is no such request.
        Err(SourceError::Driver { reason, .. })
            if matches!(reason.raw_os_error(), Some(22) | Some(25)) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.to_string()),
    };
    let is_heading = |control: &Description| control.typ == v4l::control::Type::CtrlClass;
    Ok(described
        .iter()
        .filter(|control| !is_heading(control))
        .map(|control| ControlFound {
            id: control.id,
            name: control.name.clone(),
            kind: format!("{:?}", control.typ),
            least: control.minimum,
            most: control.maximum,
            default: control.default,
            now: guarded(place, "tell a control", || device.control(control.id))
                .ok()
                .and_then(|control| match control.value {
                    Value::Integer(value) => Some(value),
                    Value::Boolean(value) => Some(i64::from(value)),
                    _ => None,
                }),
            choices: control
                .items
                .iter()
                .flatten()
                .map(|(index, item)| format!("{index}: {item}"))
                .collect(),
        })
        .collect())
}

/// Sets a control by its number; a button takes any value. For trials with a driver that can be told to fail.
///
/// # Errors
/// [`SourceError`] when the device cannot be opened or has no such control.
pub fn set_control(node: &Path, id: u32, value: Option<i64>) -> Result<(), SourceError> {
    let place = node.display().to_string();
    let device = open_device(node)?;
    let value = value.map_or(Value::None, Value::Integer);
    guarded(&place, "take a control", || {
        device.set_control(Control { id, value })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_fractions() {
        for (rate, expected) in [(30.0, (1, 30)), (29.97, (1000, 29970)), (0.5, (1000, 500))] {
            assert_eq!(interval(rate), expected);
        }
    }

    #[test]
    fn what_is_no_camera_is_said_in_words() {
        let opener =
            |path: &str| V4lOpener::new(Wanted::Node(path.into()), CameraSettings::default());
        let error = opener("/dev/nothing-here").open().err().unwrap();
        assert!(matches!(error, SourceError::Gone { .. }), "{error}");
        // A file that is no device answers no question.
        let error = opener("/dev/null").open().err().unwrap();
        assert!(matches!(error, SourceError::Driver { .. }), "{error}");
        for (able, word) in [
            (Able::VIDEO_CAPTURE_MPLANE | Able::STREAMING, "multiplanar"),
            (Able::VIDEO_CAPTURE, "mapped buffers"),
            (Able::META_CAPTURE | Able::STREAMING, "captures no video"),
        ] {
            let message = captures("x", able).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn panics_of_the_crate_are_errors() {
        let outcome = guarded::<()>("x", "give a frame", || panic!("unknown color space"));
        assert!(matches!(outcome, Err(SourceError::Driver { .. })));
    }
}
