//! Format, rate and controls that a device is brought to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use v4l::control::{Control, Value};
use v4l::format::{Colorspace, Quantization};
use v4l::video::Capture;
use v4l::video::capture::Parameters;
use v4l::{Device, Format, FourCC, Fraction};

use super::super::negotiation::Choice;
use super::super::pixel_format::{Colors, Negotiated, PixelFormat};
use super::super::settings::{CameraSettings, PowerLine};
use super::super::source::SourceError;
use super::offers::rate;
use super::{guarded, open_device};

/// `V4L2_CID_EXPOSURE_AUTO`, a menu.
const EXPOSURE_AUTO: u32 = 0x009a_0901;
/// `V4L2_CID_EXPOSURE_ABSOLUTE`, in units of 100 microseconds.
const EXPOSURE_ABSOLUTE: u32 = 0x009a_0902;
/// `V4L2_CID_POWER_LINE_FREQUENCY`, a menu.
const POWER_LINE_FREQUENCY: u32 = 0x0098_0918;

/// Brings the device to the chosen format; what it then gives may still be another size or rate.
pub(super) fn agree(
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
pub(super) fn apply_controls(device: &Device, settings: &CameraSettings) -> Vec<String> {
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
}
