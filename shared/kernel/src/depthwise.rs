//! Convolutions of each channel by itself: the loops. Vectors lie along the channels.
#![allow(
    clippy::needless_range_loop,
    reason = "indices into several arrays of one size; iterators cost registers"
)]

use std::ops::Range;

use super::vector::Vector;
use super::{Finish, Ramp};

/// Side of the kernels that have loops of their own.
const SIDE: usize = 3;
/// Columns that are computed at a time with such a kernel.
const TILE: usize = 4;
/// Numbers of input that are taken with all channels before the next are: half of a first cache.
const CHUNK: usize = 4 * 1024;

/// What a depthwise convolution works on, all of it checked by `Filter::run`.
pub(crate) struct Work<'a> {
    /// Height x width x channels.
    pub(crate) input: &'a [f32],
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Kernel height x width x channels.
    pub(crate) weights: &'a [f32],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    /// Rows and columns of zeros before the input.
    pub(crate) padding: [usize; 2],
    pub(crate) bias: &'a [f32],
    pub(crate) ramp: Ramp<'a>,
    /// The output's first row here.
    pub(crate) first: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Rows x columns x channels.
    pub(crate) output: &'a mut [f32],
}

/// Taps of the kernel that meet the input.
#[derive(Clone, Copy)]
struct Taps {
    /// The first tap's row and column in the kernel, and the input number under it, channel 0.
    row: usize,
    column: usize,
    input: usize,
    rows: usize,
    columns: usize,
}

/// A vector, or `count` numbers of it if PART, put down.
///
/// # Safety
/// As [`Vector::store`] and its `_part` twin.
#[inline(always)]
unsafe fn store<V: Vector, const PART: bool>(vector: V, to: *mut f32, count: usize) {
    // SAFETY: the caller's contract.
    unsafe {
        if PART {
            vector.store_part(to, count);
        } else {
            vector.store(to);
        }
    }
}

/// Taps along one axis: the first in the kernel, its place in the input, how many.
#[inline(always)]
fn along(at: usize, stride: usize, padding: usize, kernel: usize, length: usize) -> [usize; 3] {
    let start = at * stride;
    let first = padding.saturating_sub(start).min(kernel);
    let place = start + first - padding.min(start + first);
    [
        first,
        place,
        (kernel - first).min(length.saturating_sub(place)),
    ]
}

/// A vector, or `count` numbers of it if PART.
///
/// # Safety
/// As [`Vector::load`] and its `_part` twin.
#[inline(always)]
unsafe fn load<V: Vector, const PART: bool>(from: *const f32, count: usize) -> V {
    // SAFETY: the caller's contract.
    unsafe {
        if PART {
            V::load_part(from, count)
        } else {
            V::load(from)
        }
    }
}

/// Computes all of the output.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(work: &mut Work<'_>) {
    let inner = inner_columns(work);
    // All channels of some columns, then the next: their input stays in the first cache meanwhile.
    let numbers = SIDE * work.stride[1] * work.channels;
    let chunk = (CHUNK / numbers).next_multiple_of(TILE).max(TILE);
    for row in 0..work.rows {
        let [top, y, high] = along(
            work.first + row,
            work.stride[0],
            work.padding[0],
            work.kernel[0],
            work.height,
        );
        let mut column = 0;
        while column < work.columns {
            let [left, x, wide] = along(
                column,
                work.stride[1],
                work.padding[1],
                work.kernel[1],
                work.width,
            );
            let taps = Taps {
                row: top,
                column: left,
                // Where no tap meets the input, a place that exists.
                input: if high * wide == 0 {
                    0
                } else {
                    (y * work.width + x) * work.channels
                },
                rows: high,
                columns: wide,
            };
            // SAFETY: the caller's contract; the taps lie within input and weights.
            unsafe {
                if inner.contains(&column) && high > 0 {
                    let end = inner.end.min(column + chunk);
                    inside::<V>(work, taps, row, column..end);
                    column = end;
                } else {
                    pixel::<V>(work, taps, row, column);
                    column += 1;
                }
            }
        }
    }
}

/// Columns whose taps all meet the input, if the kernel is of the size and stride that [`inside`]
/// knows; else none.
#[inline(always)]
fn inner_columns(work: &Work<'_>) -> Range<usize> {
    let (stride, padding) = (work.stride[1], work.padding[1]);
    if work.kernel != [SIDE; 2] || !matches!(stride, 1 | 2) || work.width < SIDE {
        return 0..0;
    }
    let first = padding.div_ceil(stride);
    let end = (work.width - SIDE + padding) / stride + 1;
    first..end.min(work.columns).max(first)
}

/// One pixel, all channels, whatever the kernel.
///
/// # Safety
/// As [`run`]; the taps exist.
#[inline(always)]
unsafe fn pixel<V: Vector>(work: &mut Work<'_>, taps: Taps, row: usize, column: usize) {
    let whole = work.channels - work.channels % V::LANES;
    let mut channel = 0;
    // SAFETY: the caller's contract.
    unsafe {
        while channel < whole {
            pixel_vector::<V, false>(work, taps, row, column, channel);
            channel += V::LANES;
        }
        if channel < work.channels {
            pixel_vector::<V, true>(work, taps, row, column, channel);
        }
    }
}

/// One pixel, one vector of channels; PART for the last one, when it is not full.
///
/// # Safety
/// As [`pixel`].
#[inline(always)]
unsafe fn pixel_vector<V: Vector, const PART: bool>(
    work: &mut Work<'_>,
    taps: Taps,
    row: usize,
    column: usize,
    channel: usize,
) {
    let channels = work.channels;
    let count = channels - channel;
    // SAFETY: the caller's contract: taps, channels and pixel exist.
    unsafe {
        let mut sum = V::load(work.bias.as_ptr().wrapping_add(channel));
        let first = taps.row * work.kernel[1] + taps.column;
        let mut weights = work
            .weights
            .as_ptr()
            .wrapping_add(first * channels + channel);
        let mut input = work.input.as_ptr().wrapping_add(taps.input + channel);
        for _ in 0..taps.rows {
            for k in 0..taps.columns {
                let weight = load::<V, PART>(weights.wrapping_add(k.wrapping_mul(channels)), count);
                let number = load::<V, PART>(input.wrapping_add(k.wrapping_mul(channels)), count);
                sum = sum.plus_product(number, weight);
            }
            weights = weights.wrapping_add(work.kernel[1] * channels);
            input = input.wrapping_add(work.width * channels);
        }
        let at = (row * work.columns + column) * channels + channel;
        let finish = Finish::<V>::of(work.ramp, channel);
        store::<V, PART>(
            finish.of_sum(sum),
            work.output.as_mut_ptr().wrapping_add(at),
            count,
        );
    }
}

/// Some inner columns of a row, for kernels of 3 x 3.
///
/// # Safety
/// As [`run`]; the taps are those of the first column.
#[inline(always)]
unsafe fn inside<V: Vector>(work: &mut Work<'_>, taps: Taps, row: usize, columns: Range<usize>) {
    let mut channel = 0;
    while channel < work.channels {
        let (columns, part) = (columns.clone(), work.channels - channel < V::LANES);
        // SAFETY: the caller's contract.
        unsafe {
            match (taps.rows, work.stride[1], part) {
                (3, 1, false) => strip::<V, 3, 1, false>(work, taps, row, columns, channel),
                (3, 1, true) => strip::<V, 3, 1, true>(work, taps, row, columns, channel),
                (3, _, false) => strip::<V, 3, 2, false>(work, taps, row, columns, channel),
                (3, _, true) => strip::<V, 3, 2, true>(work, taps, row, columns, channel),
                (2, 1, false) => strip::<V, 2, 1, false>(work, taps, row, columns, channel),
                (2, 1, true) => strip::<V, 2, 1, true>(work, taps, row, columns, channel),
                (2, _, false) => strip::<V, 2, 2, false>(work, taps, row, columns, channel),
                (2, _, true) => strip::<V, 2, 2, true>(work, taps, row, columns, channel),
                (_, 1, false) => strip::<V, 1, 1, false>(work, taps, row, columns, channel),
                (_, 1, true) => strip::<V, 1, 1, true>(work, taps, row, columns, channel),
                (_, _, false) => strip::<V, 1, 2, false>(work, taps, row, columns, channel),
                (_, _, true) => strip::<V, 1, 2, true>(work, taps, row, columns, channel),
            }
        }
        channel += V::LANES;
    }
}

/// Some inner columns of a row, one vector of channels: the weights stay in registers.
///
/// # Safety
/// As [`inside`].
#[inline(always)]
unsafe fn strip<V: Vector, const ROWS: usize, const STRIDE: usize, const PART: bool>(
    work: &mut Work<'_>,
    taps: Taps,
    row: usize,
    columns: Range<usize>,
    channel: usize,
) {
    let channels = work.channels;
    let count = channels - channel;
    // SAFETY: the caller's contract: taps, channels and columns exist.
    unsafe {
        let mut weights = [[V::splat(0.0); SIDE]; ROWS];
        let from = work
            .weights
            .as_ptr()
            .wrapping_add(taps.row * SIDE * channels + channel);
        for i in 0..ROWS {
            for k in 0..SIDE {
                weights[i][k] = load::<V, PART>(
                    from.wrapping_add((i * SIDE + k).wrapping_mul(channels)),
                    count,
                );
            }
        }
        let bias = V::load(work.bias.as_ptr().wrapping_add(channel));
        let finish = Finish::<V>::of(work.ramp, channel);
        let line = work.width * channels;
        let mut from = work.input.as_ptr().wrapping_add(taps.input + channel);
        let at = (row * work.columns + columns.start) * channels + channel;
        let mut to = work.output.as_mut_ptr().wrapping_add(at);
        let mut left = columns.len();
        while left >= TILE {
            let mut sums = [bias; TILE];
            for i in 0..ROWS {
                for k in 0..SIDE {
                    for t in 0..TILE {
                        let number = from.wrapping_add(
                            i.wrapping_mul(line)
                                .wrapping_add((t * STRIDE + k).wrapping_mul(channels)),
                        );
                        let number = load::<V, PART>(number, count);
                        sums[t] = sums[t].plus_product(number, weights[i][k]);
                    }
                }
            }
            for t in 0..TILE {
                let sum = finish.of_sum(sums[t]);
                store::<V, PART>(sum, to.wrapping_add(t.wrapping_mul(channels)), count);
            }
            from = from.wrapping_add(TILE * STRIDE * channels);
            to = to.wrapping_add(TILE * channels);
            left -= TILE;
        }
        while left > 0 {
            let mut sum = bias;
            for i in 0..ROWS {
                for k in 0..SIDE {
                    let number = load::<V, PART>(
                        from.wrapping_add(
                            i.wrapping_mul(line).wrapping_add(k.wrapping_mul(channels)),
                        ),
                        count,
                    );
                    sum = sum.plus_product(number, weights[i][k]);
                }
            }
            store::<V, PART>(finish.of_sum(sum), to, count);
            from = from.wrapping_add(STRIDE * channels);
            to = to.wrapping_add(channels);
            left -= 1;
        }
    }
}
