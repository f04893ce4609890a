//! What can be set about a camera: the section `[camera]` of the kiosk's settings.

use serde::{Deserialize, Serialize};

use super::orientation::{Orientation, Rotation};
use super::pixel_format::PixelFormat;

/// How the camera is asked to take pictures; what it gives instead is the nearest that it offers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraSettings {
    /// Wanted width in pixels, 16 to 4096, as the camera lies (before `rotation`).
    pub width: u32,
    /// Wanted height in pixels, 16 to 4096.
    pub height: u32,
    /// Wanted frames per second, 1 to 240.
    pub frames_per_second: u32,
    /// Layout of pixels: `auto`, or one of MJPG, YUYV, NV12, UYVY, RGB3, BGR3, GREY, which then must be offered.
    pub format: WantedFormat,
    /// Degrees by which frames are turned clockwise to stand upright: 0, 90, 180 or 270.
    pub rotation: Rotation,
    /// Whether left and right change places, for a camera that mirrors by itself. The screen mirrors in any case.
    pub mirror: bool,
    /// Exposure time in microseconds, 1 to 1000000; without it the camera chooses by itself.
    pub exposure_micros: Option<u32>,
    /// Frequency of the mains that lamps flicker by: `keep` (as it is), `off`, `50hz`, `60hz` or `auto`.
    pub power_line: PowerLine,
    /// How long a camera may take for its first frame after it was opened, 1000 to 10000 milliseconds.
    pub first_frame_ms: u64,
}

/// Which layouts of pixels may be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WantedFormat {
    /// Any that can be read.
    #[default]
    Auto,
    /// This one alone.
    Only(PixelFormat),
}

impl TryFrom<String> for WantedFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        PixelFormat::OF_CAMERAS
            .into_iter()
            .find(|format| format.to_string().eq_ignore_ascii_case(&text))
            .map(Self::Only)
            .ok_or_else(|| {
                format!(
                    "camera.format = \"{text}\", which is not auto, MJPG, YUYV, NV12, UYVY, RGB3, BGR3 or GREY"
                )
            })
    }
}

impl From<WantedFormat> for String {
    fn from(wanted: WantedFormat) -> Self {
        match wanted {
            WantedFormat::Auto => "auto".to_owned(),
            WantedFormat::Only(format) => format.to_string(),
        }
    }
}

/// Frequency of the mains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerLine {
    /// As the camera has it.
    #[default]
    #[serde(rename = "keep")]
    Keep,
    /// No filter.
    #[serde(rename = "off")]
    Off,
    /// 50 Hz, most of the world.
    #[serde(rename = "50hz")]
    Hz50,
    /// 60 Hz, the Americas and others.
    #[serde(rename = "60hz")]
    Hz60,
    /// The camera finds out.
    #[serde(rename = "auto")]
    Auto,
}

impl Default for CameraSettings {
    /// 1280x720 at 30 frames a second: a face two meters away has 24 pixels between the eyes.
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
            frames_per_second: 30,
            format: WantedFormat::Auto,
            rotation: Rotation::None,
            mirror: false,
            exposure_micros: None,
            power_line: PowerLine::Keep,
            first_frame_ms: 3000,
        }
    }
}

impl CameraSettings {
    /// Whether the values can be used; names the first one that cannot.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ranges = [
            ("width", u64::from(self.width), 16, 4096),
            ("height", u64::from(self.height), 16, 4096),
            (
                "frames_per_second",
                u64::from(self.frames_per_second),
                1,
                240,
            ),
            (
                "exposure_micros",
                u64::from(self.exposure_micros.unwrap_or(1)),
                1,
                1_000_000,
            ),
            ("first_frame_ms", self.first_frame_ms, 1000, 10_000),
        ];
        for (name, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "camera.{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        Ok(())
    }

    /// The only format that may be taken, if one is named.
    pub(crate) fn wanted_format(&self) -> Option<PixelFormat> {
        match self.format {
            WantedFormat::Auto => None,
            WantedFormat::Only(format) => Some(format),
        }
    }

    /// How frames are turned upright.
    pub(crate) fn orientation(&self) -> Orientation {
        Orientation {
            rotation: self.rotation,
            mirror: self.mirror,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_from_toml() {
        let settings: CameraSettings = toml::from_str(
            "width = 640\nheight = 480\nformat = \"yuyv\"\nrotation = 90\nmirror = true\npower_line = \"50hz\"\nexposure_micros = 10000",
        )
        .unwrap();
        assert_eq!(settings.wanted_format(), Some(PixelFormat::Yuyv));
        assert_eq!(settings.orientation().rotation, Rotation::Quarter);
        assert_eq!(settings.power_line, PowerLine::Hz50);
        assert_eq!(settings.check(), Ok(()));
        let text = toml::to_string(&settings).unwrap();
        assert_eq!(toml::from_str::<CameraSettings>(&text).unwrap(), settings);
        assert_eq!(CameraSettings::default().check(), Ok(()));
        assert_eq!(CameraSettings::default().wanted_format(), None);
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        for (text, named) in [
            ("width = 8", "camera.width = 8"),
            ("frames_per_second = 0", "camera.frames_per_second = 0"),
            ("first_frame_ms = 10", "camera.first_frame_ms = 10"),
            ("format = \"H264\"", "camera.format = \"H264\""),
            ("exposure_micros = 0", "camera.exposure_micros = 0"),
            ("rotation = 45", "camera.rotation = 45"),
            ("shutter = 1", "shutter"),
        ] {
            let message = match toml::from_str::<CameraSettings>(text) {
                Ok(settings) => settings.check().unwrap_err(),
                Err(error) => error.to_string(),
            };
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
