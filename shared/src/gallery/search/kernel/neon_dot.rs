//! NEON with dot product (Armv8.2 and later): one instruction for four codes of four templates.

use std::arch::aarch64::*;
use std::arch::asm;

use super::neon::{finish, load, quad_vector, reduce_max, store};
use super::{BLOCK, Line, Quads, parts};

/// Vectors in a line, of four templates each.
const QUARTERS: usize = 4;

#[target_feature(enable = "neon,dotprod")]
pub(super) fn values(block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
    let mut values = [0.0; BLOCK];
    single(block, probe, |_, vectors| values = store(vectors));
    values
}

#[target_feature(enable = "neon,dotprod")]
pub(super) fn scan<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    largest: &mut [&mut [f32]; P],
) {
    if P == 1 {
        let room = &mut largest[0][..];
        single(blocks, probes, |b, vectors| room[b] = reduce_max(vectors));
        return;
    }
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        for (room, value) in largest.iter_mut().zip(tile(block, probes)) {
            room[b] = value;
        }
    }
}

/// Gives v of every block's templates for the first probe; a vector of its codes serves four lines.
///
/// Takes what becomes of v as a closure, so that each use is compiled into the loop.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn single<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    mut take: impl FnMut(usize, [float32x4_t; QUARTERS]),
) {
    let probe = probes.codes.as_chunks::<4>().0;
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        let (codes, scales, radii) = parts(block);
        let mut sums = [vdupq_n_s32(0); QUARTERS];
        for (lines, quads) in codes.as_chunks::<4>().0.iter().zip(probe) {
            let quads = quad_vector([quads[0][0], quads[1][0], quads[2][0], quads[3][0]]);
            let lines = [
                load(&lines[0]),
                load(&lines[1]),
                load(&lines[2]),
                load(&lines[3]),
            ];
            for j in 0..QUARTERS {
                sums[j] = dot::<0>(sums[j], lines[0][j], quads);
                sums[j] = dot::<1>(sums[j], lines[1][j], quads);
                sums[j] = dot::<2>(sums[j], lines[2][j], quads);
                sums[j] = dot::<3>(sums[j], lines[3][j], quads);
            }
        }
        take(b, finish(sums, scales, radii, probes.reaches[0]));
    }
}

/// The largest v of the block for every probe.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn tile<const P: usize>(block: &[Line], probes: &Quads<P>) -> [f32; P] {
    let (codes, scales, radii) = parts(block);
    let mut largest = [0.0; P];
    // Four probes at a time: sixteen sums, and a vector that holds a quad of each.
    for first in (0..P).step_by(4) {
        let mut sums = [[vdupq_n_s32(0); QUARTERS]; 4];
        for (line, quads) in codes.iter().zip(&probes.codes) {
            let quads = quad_vector([
                quads[first],
                quads[first + 1],
                quads[first + 2],
                quads[first + 3],
            ]);
            let line = load(line);
            for j in 0..QUARTERS {
                sums[0][j] = dot::<0>(sums[0][j], line[j], quads);
                sums[1][j] = dot::<1>(sums[1][j], line[j], quads);
                sums[2][j] = dot::<2>(sums[2][j], line[j], quads);
                sums[3][j] = dot::<3>(sums[3][j], line[j], quads);
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            let reach = probes.reaches[first + i];
            largest[first + i] = reduce_max(finish(sums, scales, radii, reach));
        }
    }
    largest
}

/// Adds to every lane the dot product of its four codes with the four of lane `LANE`.
///
/// By assembly, as the intrinsic (vdotq_laneq_s32) is not stable yet.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot<const LANE: i32>(mut sum: int32x4_t, codes: int8x16_t, quads: int8x16_t) -> int32x4_t {
    // SAFETY: sdot works on registers alone, and the function asks for its instruction set.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {codes:v}.16b, {quads:v}.4b[{lane}]",
            sum = inout(vreg) sum, codes = in(vreg) codes, quads = in(vreg) quads, lane = const LANE,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
