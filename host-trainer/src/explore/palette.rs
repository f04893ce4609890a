//! Colors that tell groups apart: twenty chosen, then by name, all about equally bright.

/// The twenty largest groups' colors, in OKLCH at changing lightness so that neighbors on the wheel
/// differ by more than hue; readable on white and on near-black.
const LIGHTNESS: [f64; 2] = [0.64, 0.74];
const CHROMA: f64 = 0.15;
/// Groups with a color of their own.
pub const CHOSEN: usize = 20;

/// The color, as #rrggbb, of the group at that place in the order of size.
pub fn color(place: usize, name: &str) -> String {
    if place < CHOSEN {
        // Steps of 7/20 of the wheel: the first few are as far apart as can be.
        let hue = 250.0 + 360.0 * ((place * 7) % CHOSEN) as f64 / CHOSEN as f64;
        return oklch(LIGHTNESS[place % 2], CHROMA, hue);
    }
    let hash = hash(name);
    let lightness = 0.60 + 0.16 * ((hash >> 32) % 97) as f64 / 96.0;
    let chroma = 0.07 + 0.07 * ((hash >> 48) % 89) as f64 / 88.0;
    oklch(lightness, chroma, (hash % 360) as f64)
}

/// FNV-1a with a last mixing; no promise but being the same on every machine.
fn hash(name: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Ottosson's OKLab, from lightness, chroma and hue in degrees, as sRGB; out of gamut is cut off.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> String {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    let [red, green, blue] = linear.map(|value| {
        let value = value.clamp(0.0, 1.0);
        let value = match value <= 0.003_130_8 {
            true => 12.92 * value,
            false => 1.055 * value.powf(1.0 / 2.4) - 0.055,
        };
        (255.0 * value).round() as u8
    });
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklch_is_that_of_css() {
        // CSS Color 4: red is oklch(0.62796 0.25768 29.234), blue oklch(0.45201 0.31321 264.052).
        assert_eq!(oklch(0.627_955, 0.257_683, 29.2339), "#ff0000");
        assert_eq!(oklch(0.452_014, 0.313_214, 264.052), "#0000ff");
        assert_eq!(oklch(1.0, 0.0, 0.0), "#ffffff");
    }

    #[test]
    fn chosen_colors_differ_and_others_are_the_names_own() {
        let chosen: std::collections::BTreeSet<String> =
            (0..CHOSEN).map(|p| color(p, "")).collect();
        assert_eq!(chosen.len(), CHOSEN);
        assert_eq!(color(20, "ada"), color(99, "ada"));
        assert_ne!(color(20, "ada"), color(20, "bob"));
    }
}
