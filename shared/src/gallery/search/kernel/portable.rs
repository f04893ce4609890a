//! The scan in plain Rust: what the others are tested against, and what runs where none of them does.

use super::{BLOCK, Line, Quads, parts};

pub(super) fn values(block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
    let [values] = tile(block, probe);
    values
}

pub(super) fn scan<const P: usize>(
    blocks: &[Line],
    probes: &Quads<P>,
    largest: &mut [&mut [f32]; P],
) {
    for (b, block) in blocks.chunks_exact(probes.lines_per_block()).enumerate() {
        for (values, room) in tile(block, probes).iter().zip(largest.iter_mut()) {
            room[b] = values.iter().fold(f32::NEG_INFINITY, |a, &v| a.max(v));
        }
    }
}

fn tile<const P: usize>(block: &[Line], probes: &Quads<P>) -> [[f32; BLOCK]; P] {
    let (codes, scales, radii) = parts(block);
    let mut sums = [[0_i32; BLOCK]; P];
    for (line, quads) in codes.iter().zip(&probes.codes) {
        for (sums, quad) in sums.iter_mut().zip(quads) {
            let quad = quad.to_ne_bytes().map(|byte| i32::from(byte as i8));
            for (sum, four) in sums.iter_mut().zip(line.0.as_chunks::<4>().0) {
                for (&code, q) in four.iter().zip(quad) {
                    *sum += i32::from(code as i8) * q;
                }
            }
        }
    }
    let mut values = [[0.0; BLOCK]; P];
    for p in 0..P {
        for t in 0..BLOCK {
            values[p][t] =
                number(scales, t) * sums[p][t] as f32 + number(radii, t) * probes.reaches[p];
        }
    }
    values
}

fn number(line: &Line, t: usize) -> f32 {
    f32::from_ne_bytes(line.0.as_chunks::<4>().0[t])
}
