//! The colors of the kiosk: light on dark, one accent, and a sign besides color for every meaning.

use embedded_graphics::pixelcolor::Rgb888;

/// Behind everything.
pub const BACKGROUND: Rgb888 = Rgb888::new(0x0B, 0x10, 0x14);
/// Cards and badges that lie on the background.
pub const SURFACE: Rgb888 = Rgb888::new(0x18, 0x20, 0x27);
/// Tracks of rings, lines that only divide.
pub const LINE: Rgb888 = Rgb888::new(0x2C, 0x37, 0x40);
/// Headlines and names.
pub const TEXT: Rgb888 = Rgb888::new(0xF4, 0xF7, 0xF8);
/// Sentences below a headline.
pub const TEXT_SOFT: Rgb888 = Rgb888::new(0xB3, 0xC0, 0xC8);
/// Notes that nobody has to read.
pub const TEXT_QUIET: Rgb888 = Rgb888::new(0x84, 0x93, 0x9D);
/// The accent: Usher itself, progress, and a known face.
pub const ACCENT: Rgb888 = Rgb888::new(0x3D, 0xD9, 0xB8);
/// A face that is not known.
pub const UNKNOWN: Rgb888 = Rgb888::new(0xFF, 0xB4, 0x4A);
/// Something is broken.
pub const FAULT: Rgb888 = Rgb888::new(0xFF, 0x86, 0x7A);

#[cfg(test)]
mod tests {
    use embedded_graphics::prelude::RgbColor;

    use super::*;

    /// Contrast of WCAG 2.2, 1 to 21.
    fn contrast(a: Rgb888, b: Rgb888) -> f64 {
        let luminance = |color: Rgb888| {
            let linear = |channel: u8| {
                let value = f64::from(channel) / 255.0;
                if value <= 0.04045 {
                    value / 12.92
                } else {
                    ((value + 0.055) / 1.055).powf(2.4)
                }
            };
            0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn everything_that_is_read_stands_out() {
        for (name, color) in [
            ("text", TEXT),
            ("soft text", TEXT_SOFT),
            ("quiet text", TEXT_QUIET),
            ("accent", ACCENT),
            ("unknown", UNKNOWN),
            ("fault", FAULT),
        ] {
            for (below, ground) in [("background", BACKGROUND), ("surface", SURFACE)] {
                let contrast = contrast(color, ground);
                assert!(contrast >= 4.5, "{name} on {below}: {contrast:.2}");
            }
        }
    }
}
