//! Revocable templates: a secret orthogonal matrix turns every embedding of a deployment.
//!
//! Distances stay (up to rounding in f32, below 1e-5 squared L2), but templates of two deployments
//! cannot be compared, and a rekey with a fresh seed issues all of them anew. It is no substitute for
//! encryption: whoever holds enough pairs of embeddings and templates solves for the matrix, and
//! whoever reads the gallery's key reads the seed beside the templates.
//!
//! The matrix is a product of Householder reflections, the k-th of which leaves the first k numbers
//! alone; with normally distributed vectors it is distributed evenly over all orthogonal matrices
//! (Stewart 1980). Only + - x / sqrt in f64 and a fixed order, so that it is equal on every machine.

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::embedding::Embedding;

/// A secret orthogonal matrix.
#[derive(Clone, PartialEq)]
pub struct Rotation {
    seed: [u8; 32],
    /// One after another, of D, D - 1, ... 1 numbers, each of unit length.
    reflections: Vec<Vec<f64>>,
}

impl Rotation {
    /// The matrix that a seed stands for.
    pub fn from_seed(seed: [u8; 32], dimension: usize) -> Rotation {
        let mut draw = Normal::new(&seed);
        let reflections = (0..dimension)
            .map(|skipped| {
                loop {
                    let mut vector: Vec<f64> = (skipped..dimension).map(|_| draw.next()).collect();
                    let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
                    if norm > 1e-3 {
                        vector.iter_mut().for_each(|x| *x /= norm);
                        break vector;
                    }
                }
            })
            .collect();
        Rotation { seed, reflections }
    }

    /// The seed.
    pub(super) fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// The embedding as this deployment stores and compares it.
    pub fn turn(&self, embedding: &Embedding) -> Embedding {
        self.reflect(embedding, self.reflections.iter().enumerate())
    }

    /// The embedding as the model made it.
    pub fn turn_back(&self, embedding: &Embedding) -> Embedding {
        self.reflect(embedding, self.reflections.iter().enumerate().rev())
    }

    #[allow(
        clippy::expect_used,
        reason = "a unit vector that is reflected has length 1"
    )]
    fn reflect<'a>(
        &self,
        embedding: &Embedding,
        reflections: impl Iterator<Item = (usize, &'a Vec<f64>)>,
    ) -> Embedding {
        assert_eq!(
            embedding.dimension(),
            self.reflections.len(),
            "embeddings of two models must never meet"
        );
        let mut values: Vec<f64> = embedding.values().iter().map(|&v| f64::from(v)).collect();
        for (skipped, vector) in reflections {
            let part = &mut values[skipped..];
            let dot: f64 = part.iter().zip(vector).map(|(x, v)| x * v).sum();
            for (x, v) in part.iter_mut().zip(vector) {
                *x -= 2.0 * dot * v;
            }
        }
        let turned = values.iter().map(|&v| v as f32).collect();
        values.zeroize();
        Embedding::from_raw(turned).expect("a reflection keeps the length")
    }
}

impl Drop for Rotation {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.reflections.zeroize();
    }
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotation({}-D)", self.reflections.len())
    }
}

/// Nearly normal numbers: sums of twelve even ones (Irwin-Hall), which need no logarithm.
struct Normal<'a> {
    seed: &'a [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl<'a> Normal<'a> {
    fn new(seed: &'a [u8; 32]) -> Self {
        Normal {
            seed,
            counter: 0,
            block: [0; 32],
            used: 32,
        }
    }

    fn next(&mut self) -> f64 {
        (0..12).map(|_| self.even()).sum::<f64>() - 6.0
    }

    /// 0 to 1, by 32 bits of SHA-256 over seed and counter.
    fn even(&mut self) -> f64 {
        if self.used == 32 {
            let mut hash = Sha256::new();
            hash.update(b"usher rotation");
            hash.update(self.seed);
            hash.update(self.counter.to_le_bytes());
            self.block = hash.finalize().into();
            self.counter += 1;
            self.used = 0;
        }
        let bits = u32::from_le_bytes(std::array::from_fn(|i| self.block[self.used + i]));
        self.used += 4;
        f64::from(bits) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distance::SquaredL2;

    fn faces(count: usize, dimension: usize) -> Vec<Embedding> {
        let seed = [9; 32];
        let mut draw = Normal::new(&seed);
        (0..count)
            .map(|_| {
                let raw = (0..dimension).map(|_| draw.next() as f32).collect();
                Embedding::from_raw(raw).unwrap()
            })
            .collect()
    }

    #[test]
    fn distances_stay_and_numbers_do_not() {
        let rotation = Rotation::from_seed([1; 32], 128);
        let faces = faces(30, 128);
        let turned: Vec<_> = faces.iter().map(|face| rotation.turn(face)).collect();
        for (a, turned_a) in faces.iter().zip(&turned) {
            for (b, turned_b) in faces.iter().zip(&turned) {
                let kept = SquaredL2::between(turned_a, turned_b).value();
                assert!((kept - SquaredL2::between(a, b).value()).abs() < 1e-5);
            }
            // A template says nothing of the embedding: they are as far apart as strangers.
            assert!(SquaredL2::between(a, turned_a).value() > 0.5);
            let back = rotation.turn_back(turned_a);
            assert!(SquaredL2::between(a, &back).value() < 1e-12);
        }
    }

    #[test]
    fn two_deployments_are_strangers() {
        let (one, two) = (
            Rotation::from_seed([1; 32], 128),
            Rotation::from_seed([2; 32], 128),
        );
        for face in faces(30, 128) {
            assert!(SquaredL2::between(&one.turn(&face), &two.turn(&face)).value() > 0.5);
        }
    }

    #[test]
    fn is_the_same_on_every_machine() {
        let face = Embedding::from_raw(vec![1.0, 0.0, 0.0]).unwrap();
        let turned = Rotation::from_seed([1; 32], 3).turn(&face);
        let bits: Vec<u32> = turned.values().iter().map(|v| v.to_bits()).collect();
        assert_eq!(bits, GOLDEN);
    }

    const GOLDEN: [u32; 3] = [1065234139, 3181167303, 1035627554];
}
