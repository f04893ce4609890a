//! What stands before a face: a mask, a band over the eyes, anything rectangular; flat or noise.

use rand::Rng;

/// A patch over a face.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patch {
    /// Left, top, right, bottom, as shares of the face's side.
    part: [f64; 4],
    color: [u8; 3],
    /// Whether it is noise in place of the color.
    noise: Option<u64>,
}

impl Patch {
    /// Draws a patch: in a third of the cases each a mask over mouth and nose, a band over the
    /// eyes as of sunglasses, and a rectangle of 10 to 40 % of the side anywhere.
    ///
    /// The places follow the ArcFace template: eyes at 46 % of the height, mouth at 82 %.
    pub(super) fn draw(random: &mut impl Rng) -> Self {
        let kind = random.random_range(0..3);
        let [a, b, c, d]: [f64; 4] = random.random();
        let within = |share: f64, low: f64, high: f64| low + share * (high - low);
        let part = match kind {
            0 => [
                within(a, 0.05, 0.2),
                within(b, 0.55, 0.7),
                within(c, 0.8, 0.95),
                within(d, 0.92, 1.0),
            ],
            1 => [
                within(a, 0.05, 0.2),
                within(b, 0.34, 0.41),
                within(c, 0.8, 0.95),
                within(d, 0.51, 0.58),
            ],
            _ => {
                let (width, height) = (within(c, 0.1, 0.4), within(d, 0.1, 0.4));
                let (left, top) = (a * (1.0 - width), b * (1.0 - height));
                [left, top, left + width, top + height]
            }
        };
        let (color, seed): ([u8; 3], u64) = (random.random(), random.random());
        Self {
            part,
            color,
            noise: random.random::<bool>().then_some(seed),
        }
    }

    /// Covers the part of a face of side x side pixels.
    pub(super) fn cover(&self, rgb: &mut [u8], side_px: u32) {
        let side = side_px as usize;
        let [left, top, right, bottom] = self
            .part
            .map(|share| ((share * side as f64).round() as usize).min(side));
        let mut noise = self.noise;
        for row in rgb.chunks_exact_mut(3 * side).take(bottom).skip(top) {
            for pixel in row[3 * left..3 * right].as_chunks_mut::<3>().0 {
                *pixel = match &mut noise {
                    None => self.color,
                    Some(state) => {
                        // Knuth's MMIX generator; its upper bytes are noise enough.
                        *state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let [red, green, blue, ..] = state.to_be_bytes();
                        [red, green, blue]
                    }
                };
            }
        }
    }
}
