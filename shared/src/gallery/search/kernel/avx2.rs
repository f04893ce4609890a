//! AVX2: the probe's sign moves to the code, then bytes are multiplied and added by pairs and fours.
//!
//! maddubs adds two products in 16 bits: exact, as no code is -128 and 2 * 127 * 127 < 2^15.

use std::arch::x86_64::*;

use super::{BLOCK, Line, Quads, parts};

/// Vectors in a line, of eight templates each.
const HALVES: usize = 2;
/// Templates in a vector.
const LANES: usize = BLOCK / HALVES;

#[target_feature(enable = "avx2")]
pub(super) fn values(block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
    let mut values = [0.0; BLOCK];
    for half in 0..HALVES {
        let [vector] = tile(block, probe, half);
        let room = &mut values[half * LANES..][..LANES];
        // SAFETY: there is room for 8 numbers; the store needs no alignment.
        unsafe { _mm256_storeu_ps(room.as_mut_ptr(), vector) };
    }
    values
}

#[target_feature(enable = "avx2")]
pub(super) fn scan<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    largest: &mut [&mut [f32]; P],
) {
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        let low = tile(block, probes, 0);
        let high = tile(block, probes, 1);
        for p in 0..P {
            largest[p][b] = reduce_max(_mm256_max_ps(low[p], high[p]));
        }
    }
}

/// v of half of the block's templates for every probe.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const P: usize>(block: &[Line], probes: &Quads<P>, half: usize) -> [__m256; P] {
    let (codes, scales, radii) = parts(block);
    let ones = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); P];
    for (line, quads) in codes.iter().zip(&probes.codes) {
        let line = load(line, half);
        for p in 0..P {
            let quad = _mm256_set1_epi32(quads[p]);
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(quad), _mm256_sign_epi8(line, quad));
            sums[p] = _mm256_add_epi32(sums[p], _mm256_madd_epi16(pairs, ones));
        }
    }
    let scales = _mm256_castsi256_ps(load(scales, half));
    let radii = _mm256_castsi256_ps(load(radii, half));
    let mut values = [_mm256_setzero_ps(); P];
    for p in 0..P {
        let products = _mm256_mul_ps(scales, _mm256_cvtepi32_ps(sums[p]));
        let margins = _mm256_mul_ps(radii, _mm256_set1_ps(probes.reaches[p]));
        values[p] = _mm256_add_ps(products, margins);
    }
    values
}

#[inline]
#[target_feature(enable = "avx2")]
fn reduce_max(vector: __m256) -> f32 {
    let four = _mm_max_ps(
        _mm256_castps256_ps128(vector),
        _mm256_extractf128_ps::<1>(vector),
    );
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(line: &Line, half: usize) -> __m256i {
    let bytes = &line.0[half * 32..][..32];
    // SAFETY: the slice is 32 bytes, and a line is aligned to 64, so both halves are to 32.
    unsafe { _mm256_load_si256(bytes.as_ptr().cast()) }
}
