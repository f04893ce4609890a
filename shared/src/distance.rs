//! Squared L2 between unit vectors: the one measure of how alike two faces are.

use std::cmp::Ordering;
use std::fmt;

use crate::embedding::Embedding;

/// Squared Euclidean distance of two unit vectors, 0 (same direction) to 4 (opposite).
///
/// FaceNet's distances and thresholds are squared (Schroff et al. 2015, section 3); the cosine is
/// 1 - d / 2. Never mix it with a plain L2.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SquaredL2(f32);

/// A number that is no squared distance of unit vectors.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "expected a squared L2 distance from 0 to 4, found {found}; check the unit, plain L2 ends at 2"
)]
pub struct DistanceError {
    /// The number given.
    pub found: f32,
}

impl SquaredL2 {
    /// The distance with this value.
    ///
    /// # Errors
    /// [`DistanceError`] outside 0 to 4 or not a number.
    pub fn new(value: f32) -> Result<SquaredL2, DistanceError> {
        if (0.0..=4.0).contains(&value) {
            // + 0.0 turns -0.0 into 0.0, so that equal distances have equal bits.
            Ok(SquaredL2(value + 0.0))
        } else {
            Err(DistanceError { found: value })
        }
    }

    /// The squared distance between two embeddings of one model, summed in f32 from first to last.
    ///
    /// # Panics
    /// When the dimensions differ: embeddings of two models must never meet.
    pub fn between(a: &Embedding, b: &Embedding) -> SquaredL2 {
        assert_eq!(
            a.dimension(),
            b.dimension(),
            "embeddings of two models must never be compared"
        );
        SquaredL2::between_rows(a.values(), b.values())
    }

    /// [`SquaredL2::between`] of the values of two embeddings, where they lie without one.
    pub(crate) fn between_rows(a: &[f32], b: &[f32]) -> SquaredL2 {
        let mut sum = 0.0_f32;
        for (x, y) in a.iter().zip(b) {
            let difference = x - y;
            sum += difference * difference;
        }
        // Rounding can carry opposite vectors a hair beyond 4.
        SquaredL2(sum.min(4.0))
    }

    /// The number, 0 to 4.
    pub fn value(self) -> f32 {
        self.0
    }
}

// The value is never NaN and never -0.0, so total order and equality agree.
impl Eq for SquaredL2 {}

#[allow(
    clippy::derive_ord_xor_partial_ord,
    reason = "both orders agree: the value is never NaN and never -0.0"
)]
impl Ord for SquaredL2 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for SquaredL2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(values: &[f32]) -> Embedding {
        Embedding::from_raw(values.to_vec()).unwrap()
    }

    #[test]
    fn named_distances() {
        let right = unit(&[1.0, 0.0]);
        for (name, other, expected) in [
            ("itself", unit(&[5.0, 0.0]), 0.0),
            ("at a right angle", unit(&[0.0, 1.0]), 2.0),
            ("opposite", unit(&[-1.0, 0.0]), 4.0),
        ] {
            assert_eq!(
                SquaredL2::between(&right, &other).value(),
                expected,
                "{name}"
            );
            assert_eq!(
                SquaredL2::between(&other, &right).value(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn opposite_vectors_never_exceed_four() {
        for dimension in 1..300 {
            let raw: Vec<f32> = (0..dimension).map(|i| 0.1 + i as f32 * 0.37).collect();
            let opposite: Vec<f32> = raw.iter().map(|v| -v).collect();
            let d = SquaredL2::between(&unit(&raw), &unit(&opposite));
            assert!(d.value() <= 4.0 && d.value() > 3.999, "{d}");
        }
    }

    #[test]
    #[should_panic(expected = "two models")]
    fn other_dimensions_never_meet() {
        SquaredL2::between(&unit(&[1.0]), &unit(&[1.0, 0.0]));
    }

    #[test]
    fn refuses_numbers_outside_its_range() {
        for found in [-0.1, 4.1, f32::NAN, f32::INFINITY] {
            assert!(SquaredL2::new(found).is_err(), "{found}");
        }
        assert_eq!(SquaredL2::new(-0.0).unwrap().value().to_bits(), 0);
        assert!(SquaredL2::new(1.0).unwrap() < SquaredL2::new(1.5).unwrap());
    }
}
