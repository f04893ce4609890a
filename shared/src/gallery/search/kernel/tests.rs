//! Every instruction set against the portable twin, bit for bit, on random and extreme codes.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::gallery::search::tests::seeded;

/// Draws a code.
type Draw = fn(&mut ChaCha8Rng) -> i8;

/// A block of codes, scales and radii, with codes' bytes as `flip` wants them.
fn block(dimension: usize, flip: u8, rows: &[(Vec<i8>, f32, f32)]) -> Vec<Line> {
    let mut lines = vec![Line([flip; 64]); lines_per_block(dimension)];
    let terms = lines.len() - TERM_LINES;
    for (t, (codes, scale, radius)) in rows.iter().enumerate() {
        for (i, &code) in codes.iter().enumerate() {
            lines[i / 4].0[t * 4 + i % 4] = code as u8 ^ flip;
        }
        lines[terms].0[t * 4..][..4].copy_from_slice(&scale.to_ne_bytes());
        lines[terms + 1].0[t * 4..][..4].copy_from_slice(&radius.to_ne_bytes());
    }
    lines
}

/// Compares all kernels on a few blocks and TILE probes of `dimension`, codes drawn by `code`.
/// Returns how many pairs of probe and template were compared.
fn compare(name: &str, dimension: usize, random: &mut ChaCha8Rng, code: Draw) -> usize {
    const BLOCKS: usize = 4;
    let mut codes = || -> Vec<i8> { (0..dimension).map(|_| code(random)).collect() };
    let probes: Vec<Quads<1>> = (0..TILE)
        .map(|p| Quads::new([(&codes(), 1.0 + p as f32)]))
        .collect();
    let rows: Vec<_> = (0..BLOCKS * BLOCK)
        .map(|t| match t % 29 {
            28 => (vec![0; dimension], 0.0, f32::NEG_INFINITY),
            _ => (codes(), 0.001 * (t + 1) as f32, 0.007),
        })
        .collect();
    let tile: Quads<TILE> = Quads::joined(std::array::from_fn(|p| &probes[p]));
    let lines = |flip| -> Vec<Line> {
        rows.chunks(BLOCK)
            .flat_map(|rows| block(dimension, flip, rows))
            .collect()
    };
    let per_block = lines_per_block(dimension);

    // By definition, in whole numbers.
    let plain = lines(0);
    for (p, probe) in probes.iter().enumerate() {
        for (block, of_block) in plain.chunks(per_block).zip(rows.chunks(BLOCK)) {
            let values = portable::values(block, probe);
            for (value, (codes, scale, radius)) in values.iter().zip(of_block) {
                let quads = probe.codes.iter().flat_map(|[quad]| quad.to_ne_bytes());
                let sum: i32 = quads
                    .zip(codes)
                    .map(|(q, &c)| i32::from(q as i8) * i32::from(c))
                    .sum();
                let expected = scale * sum as f32 + radius * (1.0 + p as f32);
                assert_eq!(value.to_bits(), expected.to_bits(), "{name}, {dimension}-D");
            }
        }
    }
    for kernel in Kernel::of_this_machine() {
        let blocks = lines(kernel.flip());
        let name = format!("{name}, {dimension}-D, {}", kernel.name());
        let mut batch = [[0.0; BLOCKS]; TILE];
        kernel.scan(
            &blocks,
            &tile,
            &mut batch.each_mut().map(|room| &mut room[..]),
        );
        for (p, probe) in probes.iter().enumerate() {
            let mut single = [0.0; BLOCKS];
            kernel.scan(&blocks, probe, &mut [&mut single]);
            for b in 0..BLOCKS {
                let expected = portable::values(&plain[b * per_block..][..per_block], probe);
                let values = kernel.values(&blocks[b * per_block..][..per_block], probe);
                assert_eq!(
                    values.map(f32::to_bits),
                    expected.map(f32::to_bits),
                    "{name}"
                );
                let largest = expected.iter().fold(f32::NEG_INFINITY, |a, &v| a.max(v));
                assert_eq!((single[b], batch[p][b]), (largest, largest), "{name}");
            }
        }
    }
    rows.len() * TILE
}

/// A million pairs; more by the variable USHER_CASES, in millions.
#[test]
fn kernels_agree_with_the_portable_twin() {
    let millions: f64 = std::env::var("USHER_CASES").map_or(1.0, |n| n.parse().unwrap());
    let mut random = seeded(7);
    let mut pairs = 0;
    while (pairs as f64) < millions * 1e6 {
        // Mostly short vectors: errors hide at the ends, not in the length.
        let dimension = match pairs % 10 {
            0..=5 => random.random_range(1..=40),
            _ => random.random_range(1..=140),
        };
        let draws: [(&str, Draw); 4] = [
            ("random", |random| random.random_range(-127..=127)),
            ("extreme", |random| {
                [127, -127, 0, 1][random.random_range(0..4)]
            }),
            ("127 and -127", |random| {
                [127, -127][random.random_range(0..2)]
            }),
            ("all 127", |_| 127),
        ];
        for (name, draw) in draws {
            pairs += compare(name, dimension, &mut random, draw);
        }
    }
}

#[test]
fn the_longest_vectors_of_the_largest_codes_do_not_overflow() {
    let mut random = seeded(8);
    for dimension in [519, 520, 1024, 4095, 4096] {
        compare("all 127", dimension, &mut random, |_| 127);
        compare("all -127", dimension, &mut random, |_| -127);
        compare("all zero", dimension, &mut random, |_| 0);
    }
}

#[test]
fn the_best_kernel_is_one_of_this_machine() {
    assert_eq!(Kernel::best(), Kernel::of_this_machine()[0]);
    eprintln!("kernels here: {:?}", Kernel::of_this_machine());
}
