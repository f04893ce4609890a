//! A probe made ready for the kernels: codes by fours, and what bounds its error.

use super::bound::KERNEL_ROUNDING;
use super::kernel::Quads;
use super::quantize::Quantized;
use crate::embedding::Embedding;

/// A probe's codes with the terms of its bound; the letters are those of [`super::bound`].
#[derive(Clone, Debug)]
pub(super) struct Probe {
    quads: Quads<1>,
    dimension: usize,
    scale: f64,
    margin: f64,
}

impl Probe {
    /// Quantizes an embedding.
    pub(super) fn new(embedding: &Embedding) -> Probe {
        let quantized = Quantized::nearest(embedding.values());
        // A number of a unit vector is at least 1 / sqrt(n): the scale is not zero.
        let scale = f64::from(quantized.scale);
        let squares: f64 = quantized
            .codes
            .iter()
            .map(|&code| f64::from(code) * f64::from(code))
            .sum();
        // k = |p'| / S is the norm of the codes; a part in a million covers the rounding to f32.
        let reach = (squares.sqrt() * (1.0 + 1e-6)) as f32;
        Probe {
            quads: Quads::new([(&quantized.codes, reach)]),
            dimension: embedding.dimension(),
            scale,
            margin: f64::from(quantized.radius) * (1.0 + 1e-6) + KERNEL_ROUNDING,
        }
    }

    /// What kernels read.
    pub(super) fn quads(&self) -> &Quads<1> {
        &self.quads
    }

    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// S: the number that code 1 stands for.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// What a dot product can exceed S v by.
    pub(super) fn margin(&self) -> f64 {
        self.margin
    }
}
