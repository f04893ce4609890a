//! What the pixels of an aligned face say about its picture: sharpness, light, and what is covered.

use crate::align::AlignedFace;

/// Part of the aligned face that is skin in almost every face: columns and rows from, to, in 1/112 of its side.
const FACE: Region = [20, 92, 30, 108];
/// Eyes and brows; the template's eyes lie at y = 52.
const EYES: Region = [22, 90, 40, 64];
/// The mouth; the template's corners lie at y = 92.
const MOUTH: Region = [36, 76, 80, 104];
/// Luma up to which a pixel is as good as black.
const BLACK: f32 = 12.0;
/// Luma from which it is as good as white.
const WHITE: f32 = 250.0;

type Region = [u32; 4];

/// Measures on the pixels of an aligned face, taken over its middle.
///
/// All but `brightness` and the clipped shares are ratios, so that dark and light skin, strong and weak light measure
/// alike. Brightness does depend on the skin: a limit on it must be wide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Appearance {
    /// Mean luma (BT.601), 0 to 255.
    pub brightness: f32,
    /// Standard deviation of luma, 0 to 127.
    pub contrast: f32,
    /// Share of pixels as good as black, 0 to 1.
    pub black: f32,
    /// Share of pixels as good as white, 0 to 1.
    pub white: f32,
    /// Difference of the two halves' mean luma over their sum: 0 for even light, 1 for light from one side alone.
    pub imbalance: f32,
    /// Mean square of the Laplacian (four neighbors) over the variance of luma: 0 for what is blurred away, 20 for
    /// noise alone. It cannot tell noise or JPEG blocks from detail, and a picture shaken in the dark may pass.
    pub sharpness: f32,
    /// Mean gradient in the region of the eyes over that of the whole face: about 1.3 for open eyes, less for what is
    /// covered evenly.
    pub eye_texture: f32,
    /// The same for the mouth.
    pub mouth_texture: f32,
}

impl Appearance {
    /// Measures an aligned face of any side from 32 pixels.
    pub fn of(face: &AlignedFace) -> Appearance {
        let luma = Luma::of(face);
        let (left, top, right, bottom) = luma.scaled(FACE);
        let middle = (left + right) / 2;
        let (mut sum, mut square, mut laplacian, mut black, mut white) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut halves = [0.0_f32; 2];
        for y in top..bottom {
            for x in left..right {
                let value = luma.at(x, y);
                sum += value;
                square += value * value;
                let around =
                    luma.at(x - 1, y) + luma.at(x + 1, y) + luma.at(x, y - 1) + luma.at(x, y + 1);
                laplacian += (around - 4.0 * value) * (around - 4.0 * value);
                black += f32::from(u8::from(value <= BLACK));
                white += f32::from(u8::from(value >= WHITE));
                halves[usize::from(x >= middle)] += value;
            }
        }
        let pixels = ((right - left) * (bottom - top)).max(1) as f32;
        let mean = sum / pixels;
        let variance = (square / pixels - mean * mean).max(0.0);
        let whole = luma.gradient(FACE);
        // The + 1 keeps an even surface at 0 rather than 0 / 0; it is far below a face's values.
        Appearance {
            brightness: mean,
            contrast: variance.sqrt(),
            black: black / pixels,
            white: white / pixels,
            imbalance: (halves[0] - halves[1]).abs() / (halves[0] + halves[1] + 1.0),
            sharpness: laplacian / pixels / (variance + 1.0),
            eye_texture: luma.gradient(EYES) / (whole + 0.1),
            mouth_texture: luma.gradient(MOUTH) / (whole + 0.1),
        }
    }
}

/// The brightness of each pixel.
struct Luma {
    side: usize,
    values: Vec<f32>,
}

impl Luma {
    fn of(face: &AlignedFace) -> Luma {
        let values = face
            .rgb()
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[r, g, b]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b))
            .collect();
        Luma {
            side: face.side_px() as usize,
            values,
        }
    }

    fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.side + x]
    }

    /// A region in pixels (left, top, right, bottom) with a neighbor on every side.
    fn scaled(&self, [left, right, top, bottom]: Region) -> (usize, usize, usize, usize) {
        let scale = |value: u32| (value as usize * self.side / 112).clamp(1, self.side.max(3) - 2);
        (scale(left), scale(top), scale(right), scale(bottom))
    }

    /// Mean of |dx| + |dy| in a region.
    fn gradient(&self, region: Region) -> f32 {
        let (left, top, right, bottom) = self.scaled(region);
        let mut sum = 0.0;
        for y in top..bottom {
            for x in left..right {
                sum += (self.at(x + 1, y) - self.at(x - 1, y)).abs()
                    + (self.at(x, y + 1) - self.at(x, y - 1)).abs();
            }
        }
        let pixels = ((right - left) * (bottom - top)).max(1);
        sum / pixels as f32
    }
}
