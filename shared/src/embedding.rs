//! The vector that stands for a face: unit length by construction.

use std::fmt;

/// Longest vector accepted, in numbers; far beyond any face network's 64 to 512.
pub const MAX_DIMENSION: usize = 4096;

/// Shortest raw vector that still has a direction worth normalizing (L2 norm).
///
/// A network's head puts out norms near 1 or far above; below this bound rounding decides.
pub const MIN_NORM: f64 = 1e-6;

/// A vector of f32 with L2 norm 1 up to rounding, 1 to [`MAX_DIMENSION`] numbers.
#[derive(Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

/// Why numbers are no embedding.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EmbeddingError {
    /// There are no numbers, or too many.
    #[error(
        "expected an embedding of 1 to {MAX_DIMENSION} numbers, found {found}; check the model's output"
    )]
    Dimension {
        /// Numbers given.
        found: usize,
    },
    /// A number is not finite.
    #[error(
        "expected finite numbers in an embedding, found {found} at position {position}; the model's weights are unsound, export it again"
    )]
    NotFinite {
        /// Place in the vector, from 0.
        position: usize,
        /// What stood there: an infinity or NaN.
        found: f32,
    },
    /// The vector has no direction.
    #[error(
        "expected an embedding of length at least {MIN_NORM}, found {norm}; the model has collapsed, train it again"
    )]
    NoDirection {
        /// Its L2 norm.
        norm: f64,
    },
    /// The vector should have been unit length already.
    #[error("expected a template of unit length, found length {norm}; enroll the person again")]
    NotUnit {
        /// Its L2 norm.
        norm: f64,
    },
}

impl Embedding {
    /// The unit vector in the direction of a network's raw output.
    ///
    /// The norm is summed in f64 from first to last, so the bits are the same on every machine.
    ///
    /// # Errors
    /// [`EmbeddingError`] when the vector is empty or too long, holds a NaN or an infinity, or is
    /// shorter than [`MIN_NORM`].
    pub fn from_raw(mut raw: Vec<f32>) -> Result<Embedding, EmbeddingError> {
        let norm = checked_norm(&raw)?;
        if norm < MIN_NORM {
            return Err(EmbeddingError::NoDirection { norm });
        }
        for value in &mut raw {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Embedding(raw))
    }

    /// The embedding with exactly these numbers, which were a unit vector when they were stored.
    ///
    /// # Errors
    /// As [`Embedding::from_raw`], and [`EmbeddingError::NotUnit`] when the length is off by more
    /// than rounding to f32 explains.
    pub fn from_unit(unit: Vec<f32>) -> Result<Embedding, EmbeddingError> {
        let norm = checked_norm(&unit)?;
        // Rounding each number to f32 moves the norm by at most 2^-24 relative to it.
        if (norm - 1.0).abs() > 1e-6 {
            return Err(EmbeddingError::NotUnit { norm });
        }
        Ok(Embedding(unit))
    }

    /// The numbers; their squares sum to 1 up to rounding.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// How many numbers there are.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }
}

fn checked_norm(values: &[f32]) -> Result<f64, EmbeddingError> {
    if values.is_empty() || values.len() > MAX_DIMENSION {
        return Err(EmbeddingError::Dimension {
            found: values.len(),
        });
    }
    if let Some(position) = values.iter().position(|v| !v.is_finite()) {
        return Err(EmbeddingError::NotFinite {
            position,
            found: values[position],
        });
    }
    let mut sum = 0.0_f64;
    for &value in values {
        sum += f64::from(value) * f64::from(value);
    }
    Ok(sum.sqrt())
}

impl fmt::Debug for Embedding {
    /// The dimension alone, so that no template reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding({}-D)", self.dimension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_unit_length_whatever_the_scale() {
        for raw in [
            vec![3.0, 4.0],
            vec![3e-5, -4e-5],
            vec![3e38, 3e38],
            vec![1.0; 512],
        ] {
            let embedding = Embedding::from_raw(raw).unwrap();
            let norm: f64 = embedding
                .values()
                .iter()
                .map(|&v| f64::from(v) * f64::from(v))
                .sum();
            assert!((norm - 1.0).abs() < 1e-6, "norm {norm}");
            assert_eq!(
                Embedding::from_unit(embedding.values().to_vec()).unwrap(),
                embedding
            );
        }
        assert_eq!(
            Embedding::from_raw(vec![3.0, 4.0]).unwrap().values(),
            [0.6, 0.8]
        );
    }

    #[test]
    fn refuses_what_has_no_direction() {
        for (name, raw) in [
            ("empty", vec![]),
            ("too long", vec![1.0; MAX_DIMENSION + 1]),
            ("zero", vec![0.0; 128]),
            ("nearly zero", vec![1e-9; 128]),
            ("NaN", vec![1.0, f32::NAN]),
            ("infinite", vec![1.0, f32::NEG_INFINITY]),
        ] {
            assert!(Embedding::from_raw(raw).is_err(), "{name}");
        }
        assert!(matches!(
            Embedding::from_unit(vec![0.6, 0.81]),
            Err(EmbeddingError::NotUnit { .. })
        ));
    }

    #[test]
    fn debug_shows_no_number() {
        let embedding = Embedding::from_raw(vec![3.0, 4.0]).unwrap();
        assert_eq!(format!("{embedding:?}"), "Embedding(2-D)");
    }
}
