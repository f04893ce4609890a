//! The colors of the kiosk: dark or light, one accent, and a sign besides color for every meaning.

use std::str::FromStr;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use serde::{Deserialize, Serialize};

/// The least contrast of anything that is read, WCAG 2.2's level AA for text of any size.
pub const LEAST_CONTRAST: f64 = 4.5;

/// The furthest an accent is moved towards white or black to be read, as a share of the way.
const FURTHEST_MOVE: f64 = 0.45;

/// Light letters on a dark ground, or dark ones on a light ground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// Calm in a dim hall; a panel of organic diodes lasts longer.
    #[default]
    Dark,
    /// Easier to read in daylight, and it lights a face.
    Light,
}

/// All colors of a screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Theme {
    /// Behind everything.
    pub background: Rgb888,
    /// Cards, keys and badges that lie on the background.
    pub surface: Rgb888,
    /// Tracks of rings, rims of fields, lines that only divide.
    pub line: Rgb888,
    /// Headlines and names.
    pub text: Rgb888,
    /// Sentences below a headline.
    pub text_soft: Rgb888,
    /// Notes that nobody has to read.
    pub text_quiet: Rgb888,
    /// The accent: Usher itself, progress, and a known face.
    pub accent: Rgb888,
    /// Letters and signs on the accent.
    pub on_accent: Rgb888,
    /// A face that is not known.
    pub unknown: Rgb888,
    /// Something is broken, or was refused.
    pub fault: Rgb888,
    /// The picture is being recorded.
    pub recording: Rgb888,
    /// Signs on `unknown`, `fault` and `recording`.
    pub on_signal: Rgb888,
}

const fn rgb(hex: u32) -> Rgb888 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Rgb888::new(red, green, blue)
}

const DARK: Theme = Theme {
    background: rgb(0x0B_1014),
    surface: rgb(0x18_2027),
    line: rgb(0x2C_3740),
    text: rgb(0xF4_F7F8),
    text_soft: rgb(0xB3_C0C8),
    text_quiet: rgb(0x8A_99A3),
    accent: rgb(0x3D_D9B8),
    on_accent: rgb(0x0B_1014),
    unknown: rgb(0xFF_B44A),
    fault: rgb(0xFF_867A),
    recording: rgb(0xFF_5D55),
    on_signal: rgb(0x0B_1014),
};

const LIGHT: Theme = Theme {
    background: rgb(0xF3_F6F7),
    surface: rgb(0xFF_FFFF),
    line: rgb(0xCF_D8DD),
    text: rgb(0x10_181D),
    text_soft: rgb(0x44_525B),
    text_quiet: rgb(0x5C_6A73),
    accent: rgb(0x0B_7A66),
    on_accent: rgb(0xFF_FFFF),
    unknown: rgb(0x8F_5A00),
    fault: rgb(0xB3_2B22),
    recording: rgb(0xC4_211B),
    on_signal: rgb(0xFF_FFFF),
};

impl Theme {
    /// The colors on `ground`, with Usher's own accent.
    pub const fn new(ground: Ground) -> Self {
        match ground {
            Ground::Dark => DARK,
            Ground::Light => LIGHT,
        }
    }

    /// The same with another accent, moved towards white or black until it can be read on this ground.
    ///
    /// # Errors
    /// [`AccentError`] when it would have to be moved so far that it were another color.
    pub fn with_accent(self, accent: Accent) -> Result<Self, AccentError> {
        let wished = accent.0;
        let least =
            |color: Rgb888| contrast(color, self.background).min(contrast(color, self.surface));
        let aim = self.text;
        let moved = |share: f64| {
            let channel = |from: u8, to: u8| {
                (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8
            };
            Rgb888::new(
                channel(wished.r(), aim.r()),
                channel(wished.g(), aim.g()),
                channel(wished.b(), aim.b()),
            )
        };
        let readable = (0..=100)
            .map(|step| f64::from(step) / 100.0)
            .find(|share| least(moved(*share)) >= LEAST_CONTRAST);
        let accent = match readable {
            Some(share) if share <= FURTHEST_MOVE => moved(share),
            _ => {
                return Err(AccentError::Unreadable {
                    accent,
                    contrast: least(wished),
                    nearest: Accent(moved(readable.unwrap_or(1.0))),
                });
            }
        };
        let (dark, light) = (DARK.background, LIGHT.surface);
        let on_accent = if contrast(accent, dark) >= contrast(accent, light) {
            dark
        } else {
            light
        };
        Ok(Self {
            accent,
            on_accent,
            ..self
        })
    }
}

/// A color of the house, `#RRGGBB`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accent(pub Rgb888);

impl FromStr for Accent {
    type Err = AccentError;

    fn from_str(text: &str) -> Result<Self, AccentError> {
        let digits = text.strip_prefix('#').filter(|digits| {
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map(|hex| Self(rgb(hex)))
            .ok_or_else(|| AccentError::Form {
                found: text.chars().take(20).collect(),
            })
    }
}

impl std::fmt::Display for Accent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02X}{:02X}{:02X}", self.0.r(), self.0.g(), self.0.b())
    }
}

/// A color that cannot be the accent.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AccentError {
    /// Not written as a color.
    #[error(
        "expected a color as in #3DD9B8, found \"{found}\"; write # and six hexadecimal digits"
    )]
    Form {
        /// What was written.
        found: String,
    },
    /// It could not be told from the ground.
    #[error(
        "expected a color that stands out from the ground by 4.5 to 1, found {accent} with {contrast:.1} to 1; \
         take {nearest}, or the other theme"
    )]
    Unreadable {
        /// The refused color.
        accent: Accent,
        /// What it has.
        contrast: f64,
        /// The nearest that would do.
        nearest: Accent,
    },
}

/// Contrast of WCAG 2.2, 1 to 21.
pub fn contrast(a: Rgb888, b: Rgb888) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

/// Relative luminance of WCAG 2.2, 0 to 1.
fn luminance(color: Rgb888) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readable(name: &str, theme: &Theme) {
        let grounds = [("background", theme.background), ("surface", theme.surface)];
        for (part, color) in [
            ("text", theme.text),
            ("soft text", theme.text_soft),
            ("quiet text", theme.text_quiet),
            ("accent", theme.accent),
            ("unknown", theme.unknown),
            ("fault", theme.fault),
            ("recording", theme.recording),
        ] {
            for (below, ground) in grounds {
                let found = contrast(color, ground);
                assert!(
                    found >= LEAST_CONTRAST,
                    "{name}: {part} on {below}: {found:.2}"
                );
            }
        }
        for (part, ground) in [
            ("unknown", theme.unknown),
            ("fault", theme.fault),
            ("recording", theme.recording),
        ] {
            let found = contrast(theme.on_signal, ground);
            assert!(
                found >= LEAST_CONTRAST,
                "{name}: sign on {part}: {found:.2}"
            );
        }
        let found = contrast(theme.on_accent, theme.accent);
        assert!(found >= LEAST_CONTRAST, "{name}: on accent: {found:.2}");
        assert!(
            contrast(theme.text, theme.background) >= 7.0,
            "{name}: AAA for what matters"
        );
    }

    #[test]
    fn everything_that_is_read_stands_out() {
        readable("dark", &Theme::new(Ground::Dark));
        readable("light", &Theme::new(Ground::Light));
    }

    #[test]
    fn any_accent_is_readable_or_refused() {
        let mut refused = 0;
        for ground in [Ground::Dark, Ground::Light] {
            for hex in (0..0x100_0000).step_by(0x1_2345) {
                let accent = Accent(rgb(hex));
                match Theme::new(ground).with_accent(accent) {
                    Ok(theme) => readable(&accent.to_string(), &theme),
                    Err(AccentError::Unreadable { nearest, .. }) => {
                        refused += 1;
                        assert!(Theme::new(ground).with_accent(nearest).is_ok(), "{nearest}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        assert!(refused > 0, "some colors cannot be read");
    }

    #[test]
    fn accents_are_adjusted_or_refused_by_name() {
        let dark = Theme::new(Ground::Dark);
        for (written, kept) in [("#3dd9b8", "#3DD9B8"), ("#FFD400", "#FFD400")] {
            let theme = dark.with_accent(written.parse().unwrap()).unwrap();
            assert_eq!(Accent(theme.accent).to_string(), kept);
        }
        let blue: Accent = "#0057B8".parse().unwrap();
        let theme = dark.with_accent(blue).unwrap();
        assert_ne!(theme.accent, blue.0, "a dark blue is made lighter on dark");
        assert!(theme.accent.b() > theme.accent.r(), "and stays blue");
        let light = Theme::new(Ground::Light).with_accent(blue).unwrap();
        assert_eq!(light.accent, blue.0, "and is left alone on light");
        let black = dark.with_accent("#000000".parse().unwrap());
        let message = black.unwrap_err().to_string();
        assert!(
            message.contains("#000000") && message.contains("; take #"),
            "{message}"
        );
        for text in ["", "3DD9B8", "#3DD9B", "#3DD9BG", "#é3DD9", "red"] {
            let message = text.parse::<Accent>().unwrap_err().to_string();
            assert!(
                message.contains("six hexadecimal digits"),
                "{text}: {message}"
            );
        }
    }
}
