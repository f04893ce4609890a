//! Settings of the screen-flash challenge.

use serde::{Deserialize, Serialize};

use super::super::config::{number, whole};
use super::sequence;

/// Settings of the screen-flash challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlashRules {
    /// How many colors are shown, 4 to 8.
    pub colors: usize,
    /// Milliseconds that a color stays at least, 334 (three changes a second) to 1000.
    pub color_ms: u64,
    /// Milliseconds of the neutral color before, 300 to 3000.
    pub lead_ms: u64,
    /// Longest time from a prompt to its color in the picture that is searched, in milliseconds, 0 to 1000.
    pub most_lag_ms: u64,
    /// Least correlation of what came back with what was shown, 0 to 1.
    pub least_correlation: f32,
    /// Least strength: the screen's light on the face, were it white, as a multiple of the room's, above 0.
    pub least_strength: f32,
    /// Least unevenness of the strength over the face: its standard deviation over its mean, above 0.
    pub least_unevenness: f32,
    /// Most that the strongest place may have of the median place's strength, 1 and more.
    pub most_brightest: f32,
    /// Most that the standard error of a place's strength may be, over the mean strength, above 0.
    pub most_uncertainty: f32,
    /// Most overexposed share of a place, 0 to 1.
    pub most_clipped: f32,
    /// Pixels between the eyes below which it is not tried.
    pub least_eye_distance_px: f32,
    /// Frames with a usable face that each color needs, 2 to 30.
    pub least_frames_per_color: usize,
}

impl Default for FlashRules {
    /// Chosen on the simulations of the tests, and on nothing else: set them anew from `usher pad report`.
    fn default() -> Self {
        FlashRules {
            colors: 6,
            color_ms: 400,
            lead_ms: 600,
            most_lag_ms: 400,
            least_correlation: 0.85,
            least_strength: 0.03,
            least_unevenness: 0.1,
            most_brightest: 2.5,
            most_uncertainty: 0.1,
            most_clipped: 0.05,
            least_eye_distance_px: 40.0,
            least_frames_per_color: 3,
        }
    }
}

impl FlashRules {
    /// The first setting that makes no sense, in words; `at` is where the settings stand.
    pub(in crate::liveness) fn check(&self, at: &str) -> Result<(), String> {
        whole(at, "colors", self.colors as u64, 4, 8)?;
        whole(
            at,
            "color_ms",
            self.color_ms,
            sequence::LEAST_COLOR_MS,
            1000,
        )?;
        whole(at, "lead_ms", self.lead_ms, 300, 3000)?;
        whole(at, "most_lag_ms", self.most_lag_ms, 0, 1000)?;
        number(at, "least_correlation", self.least_correlation, 0.3, 1.0)?;
        number(at, "least_strength", self.least_strength, 0.001, 10.0)?;
        number(at, "least_unevenness", self.least_unevenness, 0.01, 2.0)?;
        number(at, "most_brightest", self.most_brightest, 1.0, 100.0)?;
        number(at, "most_uncertainty", self.most_uncertainty, 0.001, 1.0)?;
        number(at, "most_clipped", self.most_clipped, 0.0, 1.0)?;
        number(
            at,
            "least_eye_distance_px",
            self.least_eye_distance_px,
            8.0,
            1000.0,
        )?;
        let frames = self.least_frames_per_color as u64;
        whole(at, "least_frames_per_color", frames, 2, 30)
    }

    /// Milliseconds that one try takes at least.
    pub fn duration_ms(&self) -> u64 {
        self.lead_ms + self.colors as u64 * self.color_ms + self.most_lag_ms
    }
}
