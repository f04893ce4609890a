//! The `[screen]` section of the kiosk's settings.

use std::path::PathBuf;
use std::time::Duration;

use embedded_graphics::prelude::Size;
use serde::{Deserialize, Serialize};

use super::dimming::Dimming;
use super::panel::Rotation;
use super::target::ScreenTarget;
use super::theme::{Accent, Ground};
use super::words::Language;

/// How the screen looks and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenSettings {
    /// Where it is: "drm", "drm:/dev/dri/card0", "fb:/dev/fb0", "window", "png:DIR" or "none".
    pub backend: ScreenTarget,
    /// Width and height as in "1280x800", after the rotation; absent: the panel's own, or 800x480 without a panel.
    pub size: Option<String>,
    /// Degrees by which the picture is turned clockwise to stand upright on the panel: 0, 90, 180 or 270.
    pub rotation: Rotation,
    /// Light letters on dark ("dark"), or dark ones on light ("light").
    pub theme: Ground,
    /// The color of the house as in "#3DD9B8"; absent: Usher's own. Made lighter or darker where it could not be read.
    pub accent: Option<String>,
    /// A PNG file of at most 1 MiB, 32 to 2048 pixels a side, shown on the idle screen in place of Usher's mark.
    pub logo: Option<PathBuf>,
    /// The language: "en" or "de".
    pub language: Language,
    /// A file that says some of the words otherwise.
    pub words: Option<PathBuf>,
    /// Whether the idle screen shows the time of day.
    pub clock: bool,
    /// Whether one view fades into the next.
    pub motion: bool,
    /// Pixels by which a still picture wanders against burn-in, 0 to 32.
    pub burn_in_shift_px: u32,
    /// Seconds with nobody there after which the screen dims, 0 to 86400; 0 never does.
    pub dim_after_s: u64,
    /// Brightness then, 0 (dark) to 1 (full).
    pub dim_level: f32,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self {
            backend: ScreenTarget::Drm(None),
            size: None,
            rotation: Rotation::Upright,
            theme: Ground::Dark,
            accent: None,
            logo: None,
            language: Language::En,
            words: None,
            clock: true,
            motion: true,
            burn_in_shift_px: 6,
            dim_after_s: 60,
            dim_level: 0.3,
        }
    }
}

impl ScreenSettings {
    /// Whether each value can be used; logo and words are looked at when the screen is made.
    ///
    /// # Errors
    /// Names the key in full, and what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if let Some(size) = &self.size {
            let size = parse_size(size)
                .ok_or_else(|| format!("screen.size = \"{size}\", which is not as in 1280x800"))?;
            super::check_size(size.width, size.height)
                .map_err(|error| format!("screen.size: {error}"))?;
        }
        if let Some(accent) = &self.accent {
            let accent = accent
                .parse::<Accent>()
                .and_then(|accent| super::theme::Theme::new(self.theme).with_accent(accent));
            accent.map_err(|error| format!("screen.accent: {error}"))?;
        }
        let numbers = [
            (
                "screen.burn_in_shift_px",
                f64::from(self.burn_in_shift_px),
                32.0,
            ),
            ("screen.dim_after_s", self.dim_after_s as f64, 86_400.0),
            ("screen.dim_level", f64::from(self.dim_level), 1.0),
        ];
        for (name, found, most) in numbers {
            if !(0.0..=most).contains(&found) {
                return Err(format!("{name} = {found}, which is not from 0 to {most}"));
            }
        }
        Ok(())
    }

    /// The size asked for, in pixels.
    pub fn pixel_size(&self) -> Option<Size> {
        self.size.as_deref().and_then(parse_size)
    }

    /// When and how far the screen dims.
    pub fn dimming(&self) -> Dimming {
        Dimming {
            after: Duration::from_secs(self.dim_after_s),
            level: self.dim_level,
        }
    }
}

fn parse_size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    Some(Size::new(width.parse().ok()?, height.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ScreenSettings, String> {
        let settings: ScreenSettings =
            toml::from_str(text).map_err(|error| error.message().to_owned())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn settings_are_read() {
        assert_eq!(read("").unwrap(), ScreenSettings::default());
        let settings = read(
            "backend = \"fb:/dev/fb0\"\nsize = \"800x1280\"\nrotation = 90\ntheme = \"light\"\nlanguage = \"de\"\n\
             accent = \"#0057B8\"",
        )
        .unwrap();
        assert_eq!(
            settings.backend,
            ScreenTarget::Framebuffer("/dev/fb0".into())
        );
        assert_eq!(settings.rotation, Rotation::Right);
        assert_eq!(settings.pixel_size(), Some(Size::new(800, 1280)));
        let written = toml::to_string(&settings).unwrap();
        assert_eq!(read(&written).unwrap(), settings);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, named) in [
            ("backend = \"vga\"", "found \"vga\""),
            ("size = \"large\"", "screen.size = \"large\""),
            ("size = \"640x480\"", "screen.size"),
            ("rotation = 45", "found 45"),
            ("theme = \"blue\"", "blue"),
            ("accent = \"teal\"", "screen.accent"),
            ("accent = \"#101010\"", "found #101010"),
            ("language = \"fr\"", "fr"),
            ("burn_in_shift_px = 33", "screen.burn_in_shift_px = 33"),
            ("dim_after_s = 90000", "screen.dim_after_s = 90000"),
            ("dim_level = 1.5", "screen.dim_level = 1.5"),
            ("dim_level = nan", "screen.dim_level"),
            ("brightness = 1", "brightness"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
