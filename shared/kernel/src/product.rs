//! Convolutions that mix channels, as products of pixels and packed weights: the loops.
//!
//! A tile is some pixels of a row by up to [`Vector::WIDTH`] vectors of output
//! channels, all in registers. Its sums run over segments of memory that lie in one piece: the
//! channels of a pixel for a 1x1 kernel, for a wider one the columns of one of its rows.
#![allow(
    clippy::needless_range_loop,
    reason = "indices into several arrays of one size; iterators cost registers"
)]

use super::vector::Vector;
use super::{Finish, LINE, Ramp};

/// Numbers of the input that are taken with all channels before the next are: half of a small L2.
const BLOCK: usize = 32 * 1024;
/// Such a block is a multiple of so many pixels, of which all tiles' heights are parts.
const TOGETHER: usize = 24;
/// Lines of weights from the one in work to the one that is fetched: weights are read from far away once,
/// faster than a processor that only guesses brings them.
const AHEAD: usize = 32;

/// What a product works on, all of it checked by `Mixing::run`.
pub(crate) struct Work<'a> {
    /// From the first pixel's first number on.
    pub(crate) input: &'a [f32],
    /// Numbers from a pixel to the next of its row.
    pub(crate) pixel: usize,
    /// Numbers from a row of output to the next one's input.
    pub(crate) row: usize,
    /// Numbers from a segment to the next.
    pub(crate) segment: usize,
    /// Segments of a pixel.
    pub(crate) segments: usize,
    /// Numbers of a segment.
    pub(crate) depth: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Panels of [`Vector::WIDTH`] vectors of channels: for every input number a line of weights.
    pub(crate) weights: &'a [f32],
    /// A number for every channel of the panels.
    pub(crate) bias: &'a [f32],
    pub(crate) ramp: Ramp<'a>,
    pub(crate) channels: usize,
    /// Added last, laid out as the output.
    pub(crate) added: Option<&'a [f32]>,
    /// Rows x columns x channels.
    pub(crate) output: &'a mut [f32],
}

/// A column of tiles: one panel's channels.
#[derive(Clone, Copy)]
struct Panel {
    weights: *const f32,
    /// The first channel.
    channel: usize,
    /// Channels of the last vector that exist.
    tail: usize,
}

/// Computes all of the output.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(work: &mut Work<'_>) {
    let numbers = work.segments * work.depth;
    let block = (BLOCK / numbers).next_multiple_of(TOGETHER);
    for row in 0..work.rows {
        let mut first = 0;
        while first < work.columns {
            let count = block.min(work.columns - first);
            let (mut channel, mut at) = (0, 0);
            while channel < work.channels {
                let left = work.channels - channel;
                let vectors = left.div_ceil(V::LANES).min(V::WIDTH);
                let panel = Panel {
                    // Within the weights, as their length was checked.
                    weights: work.weights[at..].as_ptr(),
                    channel,
                    tail: (left - (vectors - 1) * V::LANES).min(V::LANES),
                };
                // SAFETY: the caller's contract; the pixels and channels exist.
                unsafe {
                    match vectors {
                        1 => pixels::<V, 1>(work, panel, row, first, count),
                        2 => pixels::<V, 2>(work, panel, row, first, count),
                        3 => pixels::<V, 3>(work, panel, row, first, count),
                        _ => pixels::<V, 4>(work, panel, row, first, count),
                    }
                }
                channel += vectors * V::LANES;
                at += numbers * vectors * V::LANES;
            }
            first += count;
        }
    }
}

/// Some pixels of a row by one panel, in tiles of nearly equal heights.
///
/// # Safety
/// As [`run`], and `first + count` is within the row.
#[inline(always)]
unsafe fn pixels<V: Vector, const W: usize>(
    work: &mut Work<'_>,
    panel: Panel,
    row: usize,
    first: usize,
    count: usize,
) {
    if W > V::WIDTH {
        return; // Never: such panels are not packed.
    }
    let tiles = count.div_ceil(tallest::<V>(W));
    let (height, taller) = (count / tiles, count % tiles);
    let mut at = first;
    for i in 0..tiles {
        let height = if i < taller { height + 1 } else { height };
        // SAFETY: the caller's contract.
        unsafe {
            match height {
                1 => tile::<V, W, 1>(work, panel, row, at),
                2 => tile::<V, W, 2>(work, panel, row, at),
                3 => tile::<V, W, 3>(work, panel, row, at),
                4 => tile::<V, W, 4>(work, panel, row, at),
                5 => tile::<V, W, 5>(work, panel, row, at),
                6 => tile::<V, W, 6>(work, panel, row, at),
                7 => tile::<V, W, 7>(work, panel, row, at),
                8 => tile::<V, W, 8>(work, panel, row, at),
                9 => tile::<V, W, 9>(work, panel, row, at),
                10 => tile::<V, W, 10>(work, panel, row, at),
                11 => tile::<V, W, 11>(work, panel, row, at),
                _ => tile::<V, W, 12>(work, panel, row, at),
            }
        }
        at += height;
    }
}

/// Pixels of the tallest tile that has its sums, a line of weights and a pixel's number in
/// registers, for a panel of so many vectors.
const fn tallest<V: Vector>(vectors: usize) -> usize {
    match vectors {
        1 => 12,
        // Twelve would fit, too, but a compiler that optimizes little does not unroll so much.
        2 if V::WIDTH == 4 => 8,
        _ => 6 * V::WIDTH / vectors,
    }
}

/// Where the next number of each of a tile's pixels lies.
///
/// A pointer to every third pixel: processors add once or twice a distance in the load itself, so that
/// nothing is left to be added up for each number.
struct Columns {
    thirds: [*const f32; 4],
    pixel: usize,
}

impl Columns {
    /// From the first pixel's number on.
    #[inline(always)]
    fn new(first: *const f32, pixel: usize) -> Columns {
        let third = |i: usize| first.wrapping_add((3 * i).wrapping_mul(pixel));
        Columns {
            thirds: [third(0), third(1), third(2), third(3)],
            pixel,
        }
    }

    #[inline(always)]
    fn of(&self, pixel: usize) -> *const f32 {
        self.thirds[pixel / 3].wrapping_add((pixel % 3).wrapping_mul(self.pixel))
    }

    #[inline(always)]
    fn advance(&mut self, numbers: usize) {
        self.thirds = self.thirds.map(|third| third.wrapping_add(numbers));
    }
}

/// Adds what the pixels' numbers `ahead` make of their line of weights.
///
/// # Safety
/// Called where V's features are enabled, for numbers and weights that exist.
#[inline(always)]
unsafe fn add_products<V: Vector, const W: usize, const P: usize>(
    sums: &mut [[V; W]; P],
    at: &Columns,
    ahead: usize,
    weights: *const f32,
) {
    // SAFETY: the caller's contract; what is prefetched need not exist.
    unsafe {
        for j in 0..W {
            // At most once for each cache line of the line of weights.
            if j * V::LANES % LINE == 0 {
                V::prefetch(weights.wrapping_add((AHEAD * W + j) * V::LANES));
            }
        }
        let mut line = [V::splat(0.0); W];
        for j in 0..W {
            line[j] = V::load(weights.wrapping_add(j * V::LANES));
        }
        for p in 0..P {
            let number = V::splat(at.of(p).wrapping_add(ahead).read_unaligned());
            for j in 0..W {
                sums[p][j] = sums[p][j].plus_product(number, line[j]);
            }
        }
    }
}

/// P pixels by W vectors of channels.
///
/// # Safety
/// As [`pixels`], for the pixels `column..column + P`.
#[inline(always)]
unsafe fn tile<V: Vector, const W: usize, const P: usize>(
    work: &mut Work<'_>,
    panel: Panel,
    row: usize,
    column: usize,
) {
    if P > tallest::<V>(W) {
        return; // Never: no code for tiles that are not asked for.
    }
    // Pointers wrap, and so do the sums behind them: checked ones, which little optimized builds
    // have, take several times as long as the arithmetic.
    // SAFETY: the work's promises: input, weights, bias and output hold all that is indexed here.
    unsafe {
        let mut sums = [[V::splat(0.0); W]; P];
        for p in 0..P {
            for j in 0..W {
                sums[p][j] = V::load(
                    work.bias
                        .as_ptr()
                        .wrapping_add(panel.channel + j * V::LANES),
                );
            }
        }
        let mut weights = panel.weights;
        let first = work
            .input
            .as_ptr()
            .wrapping_add(row * work.row + column * work.pixel);
        for segment in 0..work.segments {
            let mut at = Columns::new(first.wrapping_add(segment * work.segment), work.pixel);
            for _ in 0..work.depth / V::UNROLLED {
                for i in 0..V::UNROLLED {
                    add_products(&mut sums, &at, i, weights.wrapping_add(i * W * V::LANES));
                }
                weights = weights.wrapping_add(V::UNROLLED * W * V::LANES);
                at.advance(V::UNROLLED);
            }
            for _ in 0..work.depth % V::UNROLLED {
                add_products(&mut sums, &at, 0, weights);
                weights = weights.wrapping_add(W * V::LANES);
                at.advance(1);
            }
        }
        // Loops so small that the compiler unrolls them all: what is indexed by a loop that it keeps
        // would lie in memory instead of registers, all the time.
        match work.ramp {
            Ramp::Linear => {}
            Ramp::Relu => {
                for p in 0..P {
                    for j in 0..W {
                        sums[p][j] = Finish::Relu.of_sum(sums[p][j]);
                    }
                }
            }
            Ramp::PRelu(slopes) => {
                let mut line = [V::splat(0.0); W];
                for j in 0..W {
                    line[j] = V::load(slopes.as_ptr().wrapping_add(panel.channel + j * V::LANES));
                }
                for p in 0..P {
                    for j in 0..W {
                        sums[p][j] = Finish::PRelu(line[j]).of_sum(sums[p][j]);
                    }
                }
            }
        }
        let at = (row * work.columns + column) * work.channels + panel.channel;
        let last = (W - 1) * V::LANES;
        if let Some(added) = work.added {
            let added = added.as_ptr().wrapping_add(at);
            for p in 0..P {
                let added = added.wrapping_add(p.wrapping_mul(work.channels));
                for j in 0..W - 1 {
                    sums[p][j] = sums[p][j].plus(V::load(added.wrapping_add(j * V::LANES)));
                }
                sums[p][W - 1] =
                    sums[p][W - 1].plus(V::load_part(added.wrapping_add(last), panel.tail));
            }
        }
        let to = work.output.as_mut_ptr().wrapping_add(at);
        if panel.tail == V::LANES {
            for p in 0..P {
                for j in 0..W {
                    sums[p][j].store(to.wrapping_add(p.wrapping_mul(work.channels) + j * V::LANES));
                }
            }
        } else {
            for p in 0..P {
                for j in 0..W - 1 {
                    sums[p][j].store(to.wrapping_add(p.wrapping_mul(work.channels) + j * V::LANES));
                }
                sums[p][W - 1].store_part(
                    to.wrapping_add(p.wrapping_mul(work.channels) + last),
                    panel.tail,
                );
            }
        }
    }
}
