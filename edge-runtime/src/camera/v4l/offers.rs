//! What a device says that it is and can do.

use std::path::Path;

use v4l::capability::Flags as Able;
use v4l::control::{Description, Value};
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::video::Capture;
use v4l::{Device, FourCC, Fraction};

use super::super::device;
use super::super::negotiation::{self, Offer, OfferedSize, Sizes};
use super::super::pixel_format::{PixelFormat, unsupported};
use super::super::probe::{ControlFound, DeviceFound, FormatFound};
use super::super::settings::CameraSettings;
use super::super::source::SourceError;
use super::{guarded, open_device};

/// Sizes of a format that are looked at; no camera lists more, a hostile one could.
const MOST_SIZES: usize = 64;

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

pub(super) fn captures(place: &str, able: Able) -> Result<(), SourceError> {
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
pub(super) fn formats(
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

pub(super) fn rate(interval: Fraction) -> f64 {
    f64::from(interval.denominator) / f64::from(interval.numerator)
}

pub(super) fn nothing_to_choose(
    place: &str,
    found: &[FormatFound],
    settings: &CameraSettings,
) -> SourceError {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_captures_no_video_is_said_in_words() {
        for (able, word) in [
            (Able::VIDEO_CAPTURE_MPLANE | Able::STREAMING, "multiplanar"),
            (Able::VIDEO_CAPTURE, "mapped buffers"),
            (Able::META_CAPTURE | Able::STREAMING, "captures no video"),
        ] {
            let message = captures("x", able).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
