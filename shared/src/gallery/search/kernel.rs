//! The int8 scan: the one place with unsafe code, a file per instruction set, and a portable twin.
//!
//! Sixteen templates make a block of cache lines. Line i holds four codes of each of them, numbers
//! 4i to 4i + 3, template after template; after these come a line of scales and a line of radii.
//! So the lanes of an accumulator are templates, and nothing is summed across lanes:
//!
//! ```text
//! line 0      t0: c0 c1 c2 c3   t1: c0 c1 c2 c3   ...   t15: c0 c1 c2 c3
//! line 1      t0: c4 c5 c6 c7   ...
//! ...
//! scales      t0   t1   ...   t15     as f32
//! radii       t0   t1   ...   t15     as f32; minus infinity where there is no template
//! ```
//!
//! A kernel computes v = scale * (q.c) + radius * reach for every template, q being the probe's
//! codes, by the same f32 operations in the same order on every instruction set: the same bits.
//! What v is good for is in [`super::bound`].

#![allow(
    unsafe_code,
    reason = "loads of whole vectors, and calls of code for an instruction set found at run time"
)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dot;
mod portable;
#[cfg(test)]
mod tests;

/// Templates in a block.
pub(super) const BLOCK: usize = 16;
/// Lines of scales and radii after a block's codes.
const TERM_LINES: usize = 2;
/// Numbers of a template are padded to a multiple of this, four lines: a vector of 16 codes on NEON.
const PADDED_TO: usize = 16;
/// Probes that a batch kernel takes at a time.
pub(super) const TILE: usize = 8;

/// Sixty-four bytes on a cache line of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Line(pub(super) [u8; 64]);

/// Lines in a block of templates of `dimension` numbers.
pub(super) const fn lines_per_block(dimension: usize) -> usize {
    dimension.div_ceil(PADDED_TO) * (PADDED_TO / 4) + TERM_LINES
}

/// The codes of P probes side by side, by fours: `codes[i][p]` are numbers 4i to 4i + 3 of probe p.
#[derive(Clone, Debug)]
pub(super) struct Quads<const P: usize> {
    /// Four codes each in the order of memory.
    codes: Vec<[i32; P]>,
    /// What v multiplies the radius with.
    reaches: [f32; P],
    /// -128 times the sum of codes: what makes up for codes of templates kept 128 too high.
    corrections: [i32; P],
}

impl<const P: usize> Quads<P> {
    /// Of codes and reach of every probe; all have the same dimension.
    pub(super) fn new(probes: [(&Vec<i8>, f32); P]) -> Quads<P> {
        let lines = lines_per_block(probes[0].0.len()) - TERM_LINES;
        let mut codes = vec![[0; P]; lines];
        let mut corrections = [0; P];
        for (p, (of_probe, _)) in probes.iter().enumerate() {
            for (quad, four) in codes.iter_mut().zip(of_probe.chunks(4)) {
                let mut bytes = [0; 4];
                for (byte, &code) in bytes.iter_mut().zip(four) {
                    *byte = code as u8;
                }
                quad[p] = i32::from_ne_bytes(bytes);
            }
            let sum: i32 = of_probe.iter().map(|&code| i32::from(code)).sum();
            corrections[p] = -128 * sum;
        }
        Quads {
            codes,
            reaches: probes.map(|(_, reach)| reach),
            corrections,
        }
    }

    /// Several probes as one.
    pub(super) fn joined(probes: [&Quads<1>; P]) -> Quads<P> {
        Quads {
            codes: (0..probes[0].codes.len())
                .map(|i| probes.map(|probe| probe.codes[i][0]))
                .collect(),
            reaches: probes.map(|probe| probe.reaches[0]),
            corrections: probes.map(|probe| probe.corrections[0]),
        }
    }

    fn lines_per_block(&self) -> usize {
        self.codes.len() + TERM_LINES
    }
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kernel(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    NeonDot,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Kernel {
    /// The fastest that this machine has.
    pub(super) fn best() -> Kernel {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Kernel::of_this_machine()[0])
    }

    /// All that this machine has, the fastest first, the portable one last.
    pub(super) fn of_this_machine() -> Vec<Kernel> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni") {
                sets.push(Set::Avx512Vnni);
            }
            if is_x86_feature_detected!("avx2") {
                sets.push(Set::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            use std::arch::is_aarch64_feature_detected;
            if is_aarch64_feature_detected!("neon") {
                if is_aarch64_feature_detected!("dotprod") {
                    sets.push(Set::NeonDot);
                }
                sets.push(Set::Neon);
            }
        }
        sets.push(Set::Portable);
        sets.into_iter().map(Kernel).collect()
    }

    /// The instruction set in a word or two.
    pub(super) fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => "AVX-512 VNNI",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => "NEON dot product",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            Set::Portable => "portable",
        }
    }

    /// What a code's byte is combined with, by exclusive or, where it lies in a line: AVX-512 VNNI
    /// wants one factor without sign, so codes are kept 128 too high.
    pub(super) fn flip(self) -> u8 {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => 0x80,
            _ => 0,
        }
    }

    /// v of every template of a block.
    ///
    /// # Panics
    /// When the block is not one block of this dimension.
    pub(super) fn values(self, block: &[Line], probe: &Quads<1>) -> [f32; BLOCK] {
        assert_eq!(block.len(), probe.lines_per_block(), "one block");
        match self.0 {
            // SAFETY: a Kernel is made by of_this_machine alone, which found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { avx512::values(block, probe) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::values(block, probe) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => unsafe { neon_dot::values(block, probe) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::values(block, probe) },
            Set::Portable => portable::values(block, probe),
        }
    }

    /// The largest v of every block, for each of P probes.
    ///
    /// # Panics
    /// When the lines are not whole blocks of this dimension, or there is not room for as many.
    pub(super) fn scan<const P: usize>(
        self,
        blocks: &[Line],
        probes: &Quads<P>,
        largest: &mut [&mut [f32]; P],
    ) {
        for room in largest.iter() {
            assert_eq!(
                blocks.len(),
                room.len() * probes.lines_per_block(),
                "whole blocks"
            );
        }
        match self.0 {
            // SAFETY: a Kernel is made by of_this_machine alone, which found the features.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => unsafe { avx512::scan(blocks, probes, largest) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::scan(blocks, probes, largest) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => unsafe { neon_dot::scan(blocks, probes, largest) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::scan(blocks, probes, largest) },
            Set::Portable => portable::scan(blocks, probes, largest),
        }
    }
}

/// A block's codes, its scales and its radii.
fn parts(block: &[Line]) -> (&[Line], &Line, &Line) {
    let (codes, terms) = block.split_at(block.len() - TERM_LINES);
    (codes, &terms[0], &terms[1])
}
