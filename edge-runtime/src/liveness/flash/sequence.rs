//! The colors that the screen shows, drawn anew for each face, and chosen so that they hurt nobody.
//!
//! Photosensitive people first. All colors, the neutral one included, are of nearly one luminance (0.33 to 0.36 of white;
//! WCAG 2.2 counts a change of 0.10 and more as half a flash), none is a saturated red (the linear share of red stays
//! below 0.8), and a color stays for a third of a second at least, so there are at most three changes a second, of hue
//! alone. So the sequence is no flash by WCAG 2.2's 2.3.1, seen from any distance; it is still announced by the neutral
//! color, which goes first. Whoever loosens the palette gives that up: the tests hold it.
//!
//! The price: a third of the light that white would give. The benefit beside safety: a camera's automatic exposure
//! does not see the sequence.

use rand::Rng;

use super::super::patch::linear;

/// Goes first and last: a gray of the palette's luminance.
pub const NEUTRAL: [u8; 3] = [159, 159, 159];

/// The colors; each differs from each other in hue by far.
pub const PALETTE: [[u8; 3]; 6] = [
    [255, 118, 108], // red, far from saturated
    [61, 179, 61],   // green
    [93, 160, 255],  // blue
    [194, 153, 39],  // yellow
    [231, 108, 243], // magenta
    [39, 170, 218],  // cyan
];

/// Least milliseconds that a color stays: three changes a second.
pub const LEAST_COLOR_MS: u64 = 334;

/// Fewest different colors in a sequence: three channels and their common level have to be told apart.
const LEAST_DISTINCT: usize = 4;

/// Draws `count` colors (4 to 8), none twice in a row, at least four different ones.
pub fn draw(random: &mut impl Rng, count: usize) -> Vec<[u8; 3]> {
    loop {
        let mut colors: Vec<[u8; 3]> = Vec::with_capacity(count);
        while colors.len() < count {
            let color = PALETTE[random.random_range(0..PALETTE.len())];
            if colors.last() != Some(&color) {
                colors.push(color);
            }
        }
        let distinct = PALETTE.iter().filter(|color| colors.contains(color));
        // Most draws of four and more have four different colors: a few rounds are enough.
        if distinct.count() >= LEAST_DISTINCT.min(count) {
            return colors;
        }
    }
}

/// The linear light of a color, 0 to 1 a channel.
pub(super) fn light(color: [u8; 3]) -> [f64; 3] {
    color.map(|byte| f64::from(linear(byte)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn luminance(color: [u8; 3]) -> f64 {
        let [red, green, blue] = light(color);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn no_step_is_half_a_flash_and_no_red_is_saturated() {
        for color in PALETTE.into_iter().chain([NEUTRAL]) {
            let luminance = luminance(color);
            assert!((0.32..=0.37).contains(&luminance), "{color:?}: {luminance}");
            let [red, green, blue] = light(color);
            let share = red / (red + green + blue);
            assert!(share < 0.8, "{color:?}: {share}");
        }
    }

    #[test]
    fn sequences_are_seeded_various_and_long_enough() {
        let drawn = |seed, count| draw(&mut ChaCha20Rng::seed_from_u64(seed), count);
        let mut all = std::collections::BTreeSet::new();
        for seed in 0..2_000 {
            let colors = drawn(seed, 5);
            assert_eq!(colors.len(), 5);
            assert!(colors.windows(2).all(|pair| pair[0] != pair[1]));
            assert_eq!(colors, drawn(seed, 5));
            all.insert(colors);
        }
        assert!(all.len() > 1_300, "{} different ones of 2,000", all.len());
    }
}
