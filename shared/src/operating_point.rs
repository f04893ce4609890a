//! The threshold of a decision, and the error rates it was chosen for.

use serde::{Deserialize, Serialize};

use crate::distance::SquaredL2;

/// The largest squared distance that still counts as the same person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Threshold(SquaredL2);

/// A number that is no threshold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "expected a threshold of squared L2 from 0 to 4, found {found}; calibrate the model again or correct the number"
)]
pub struct ThresholdError {
    /// The number given.
    pub found: f32,
}

impl Threshold {
    /// The threshold at this squared distance.
    ///
    /// # Errors
    /// [`ThresholdError`] outside 0 to 4 or not a number.
    pub fn new(value: f32) -> Result<Threshold, ThresholdError> {
        SquaredL2::new(value)
            .map(Threshold)
            .map_err(|error| ThresholdError { found: error.found })
    }

    /// Whether a comparison at this distance counts as the same person: distance <= threshold.
    pub fn accepts(&self, distance: SquaredL2) -> bool {
        distance <= self.0
    }

    /// The squared distance, 0 to 4.
    pub fn value(&self) -> f32 {
        self.0.value()
    }
}

impl TryFrom<f32> for Threshold {
    type Error = ThresholdError;

    fn try_from(value: f32) -> Result<Self, ThresholdError> {
        Threshold::new(value)
    }
}

impl From<Threshold> for f32 {
    fn from(threshold: Threshold) -> f32 {
        threshold.value()
    }
}

/// A named threshold with the error rates measured at it (ISO/IEC 19795-1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// What it is for, unique in its manifest: "greet", "verify".
    pub name: String,
    /// Squared L2 up to which two faces count as one person.
    pub threshold: Threshold,
    /// False match rate: share of impostor comparisons accepted, 0 to 1; absent if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmr: Option<f64>,
    /// False non-match rate: share of genuine comparisons refused, 0 to 1; absent if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fnmr: Option<f64>,
    /// Comparisons of two people that `fmr` was measured on.
    pub impostor_pairs: u64,
    /// Comparisons of one person with herself that `fnmr` was measured on.
    pub genuine_pairs: u64,
    /// Bounds of the true FMR at 95 % confidence, 0 to 1: the wider on either side of
    /// Clopper-Pearson's interval and that of the subject bootstrap; absent if not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmr_interval: Option<[f64; 2]>,
    /// Bounds of the true FNMR, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fnmr_interval: Option<[f64; 2]>,
    /// SHA-256 over the digests of the pictures, whose they are and which were compared, 64
    /// lower-case hex digits; absent if not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// The data it was measured on, in words.
    pub data: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_up_to_and_at_the_threshold() {
        let threshold = Threshold::new(1.25).unwrap();
        for (distance, accepted) in [
            (0.0, true),
            (1.25, true),
            (1.250_000_1, false),
            (4.0, false),
        ] {
            assert_eq!(
                threshold.accepts(SquaredL2::new(distance).unwrap()),
                accepted,
                "{distance}"
            );
        }
    }

    #[test]
    fn refuses_numbers_outside_its_range() {
        for found in [-1.0, 4.01, f32::NAN] {
            assert!(Threshold::new(found).is_err(), "{found}");
        }
    }
}
