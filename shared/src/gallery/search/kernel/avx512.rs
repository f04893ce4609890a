//! AVX-512 with VNNI: one instruction multiplies and adds a line's 64 codes.

use std::arch::x86_64::*;

use super::{BLOCK, Line, Quads, parts};

#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn values(block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
    let [vector] = tile(block, probe);
    let mut values = [0.0; BLOCK];
    // SAFETY: there is room for 16 numbers; the store needs no alignment.
    unsafe { _mm512_storeu_ps(values.as_mut_ptr(), vector) };
    values
}

#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn scan<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    largest: &mut [&mut [f32]; P],
) {
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        let vectors = tile(block, probes);
        for p in 0..P {
            largest[p][b] = _mm512_reduce_max_ps(vectors[p]);
        }
    }
}

/// v of the block's templates for every probe.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn tile<const P: usize>(block: &[Line], probes: &Quads<P>) -> [__m512; P] {
    let (codes, scales, radii) = parts(block);
    let mut sums = [_mm512_setzero_si512(); P];
    for (sum, &correction) in sums.iter_mut().zip(&probes.corrections) {
        *sum = _mm512_set1_epi32(correction);
    }
    if P == 1 {
        // Four sums, as each addition takes longer than the next line takes to come.
        let mut more = [_mm512_setzero_si512(); 4];
        let fours = codes.as_chunks::<4>().0;
        for (lines, quads) in fours.iter().zip(probes.codes.as_chunks::<4>().0) {
            for j in 0..4 {
                more[j] =
                    _mm512_dpbusd_epi32(more[j], load(&lines[j]), _mm512_set1_epi32(quads[j][0]));
            }
        }
        let even = _mm512_add_epi32(more[0], more[2]);
        let odd = _mm512_add_epi32(more[1], more[3]);
        sums[0] = _mm512_add_epi32(sums[0], _mm512_add_epi32(even, odd));
    } else {
        for (line, quads) in codes.iter().zip(&probes.codes) {
            let line = load(line);
            for p in 0..P {
                sums[p] = _mm512_dpbusd_epi32(sums[p], line, _mm512_set1_epi32(quads[p]));
            }
        }
    }
    let scales = _mm512_castsi512_ps(load(scales));
    let radii = _mm512_castsi512_ps(load(radii));
    let mut values = [_mm512_setzero_ps(); P];
    for p in 0..P {
        let products = _mm512_mul_ps(scales, _mm512_cvtepi32_ps(sums[p]));
        let margins = _mm512_mul_ps(radii, _mm512_set1_ps(probes.reaches[p]));
        values[p] = _mm512_add_ps(products, margins);
    }
    values
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: a line is 64 bytes, aligned to 64.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}
