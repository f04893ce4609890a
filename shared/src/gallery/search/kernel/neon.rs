//! NEON without dot product: bytes to 16-bit products, two lines' added, then pairs to 32 bits.
//!
//! Exact, as no code is -128 and 2 * 127 * 127 < 2^15.

use std::arch::aarch64::*;
use std::arch::asm;

use super::{BLOCK, Line, Quads, parts};

/// Vectors in a line, of four templates each.
const QUARTERS: usize = 4;

#[target_feature(enable = "neon")]
pub(super) fn values(block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
    store(one(block, probe, 0))
}

#[target_feature(enable = "neon")]
pub(super) fn scan<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    largest: &mut [&mut [f32]; P],
) {
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        for (p, room) in largest.iter_mut().enumerate() {
            room[b] = reduce_max(one(block, probes, p));
        }
    }
}

/// v of the block's templates for one of the probes.
#[inline]
#[target_feature(enable = "neon")]
fn one<const P: usize>(block: &[Line], probes: &Quads<P>, p: usize) -> [float32x4_t; QUARTERS] {
    let (codes, scales, radii) = parts(block);
    // Each vector of four templates has two of sums: numbers 0 and 1, 2 and 3 of two templates.
    let mut low = [vdupq_n_s32(0); QUARTERS];
    let mut high = [vdupq_n_s32(0); QUARTERS];
    let fours = codes.as_chunks::<4>().0;
    for (lines, quads) in fours.iter().zip(probes.codes.as_chunks::<4>().0) {
        let quads = quad_vector([quads[0][p], quads[1][p], quads[2][p], quads[3][p]]);
        let quads = [
            everywhere::<0>(quads),
            everywhere::<1>(quads),
            everywhere::<2>(quads),
            everywhere::<3>(quads),
        ];
        for pair in [0, 2] {
            let (first, second) = (load(&lines[pair]), load(&lines[pair + 1]));
            let (q_first, q_second) = (quads[pair], quads[pair + 1]);
            for j in 0..QUARTERS {
                let products = vmull_s8(vget_low_s8(first[j]), vget_low_s8(q_first));
                let products = vmlal_s8(products, vget_low_s8(second[j]), vget_low_s8(q_second));
                low[j] = vpadalq_s16(low[j], products);
                let products = vmull_high_s8(first[j], q_first);
                let products = vmlal_high_s8(products, second[j], q_second);
                high[j] = vpadalq_s16(high[j], products);
            }
        }
    }
    let mut sums = low;
    for j in 0..QUARTERS {
        sums[j] = vpaddq_s32(low[j], high[j]);
    }
    finish(sums, scales, radii, probes.reaches[p])
}

/// Four quads as a vector.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn quad_vector(quads: [i32; 4]) -> int8x16_t {
    // SAFETY: four numbers are 16 bytes; the load needs no alignment.
    unsafe { vreinterpretq_s8_s32(vld1q_s32(quads.as_ptr())) }
}

/// One quad of a vector in all four places.
///
/// By assembly: the compiler, once it knows that both halves are equal, multiplies with the low one
/// alone and moves the other factor's high half down first, an instruction more per product.
#[inline]
#[target_feature(enable = "neon")]
fn everywhere<const LANE: i32>(quads: int8x16_t) -> int8x16_t {
    let result: int8x16_t;
    // SAFETY: dup works on registers alone, and every NEON has it.
    unsafe {
        asm!(
            "dup {result:v}.4s, {quads:v}.s[{lane}]",
            result = lateout(vreg) result, quads = in(vreg) quads, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    result
}

/// From sums of products to v.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn finish(
    sums: [int32x4_t; QUARTERS],
    scales: &Line,
    radii: &Line,
    reach: f32,
) -> [float32x4_t; QUARTERS] {
    let (scales, radii) = (load(scales), load(radii));
    let mut values = [vdupq_n_f32(0.0); QUARTERS];
    for j in 0..QUARTERS {
        let products = vmulq_f32(vreinterpretq_f32_s8(scales[j]), vcvtq_f32_s32(sums[j]));
        let margins = vmulq_n_f32(vreinterpretq_f32_s8(radii[j]), reach);
        values[j] = vaddq_f32(products, margins);
    }
    values
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn reduce_max(values: [float32x4_t; QUARTERS]) -> f32 {
    vmaxvq_f32(vmaxq_f32(
        vmaxq_f32(values[0], values[1]),
        vmaxq_f32(values[2], values[3]),
    ))
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store(vectors: [float32x4_t; QUARTERS]) -> [f32; BLOCK] {
    let mut values = [0.0; BLOCK];
    for (room, vector) in values.as_chunks_mut::<4>().0.iter_mut().zip(vectors) {
        // SAFETY: there is room for four numbers; the store needs no alignment.
        unsafe { vst1q_f32(room.as_mut_ptr(), vector) };
    }
    values
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load(line: &Line) -> [int8x16_t; QUARTERS] {
    // SAFETY: a line is 64 bytes; the load needs no alignment.
    let int8x16x4_t(a, b, c, d) = unsafe { vld1q_s8_x4(line.0.as_ptr().cast()) };
    [a, b, c, d]
}
