//! Max pooling and sums of two pictures: the loops. Vectors lie along the channels.

use super::vector::{Vector, put, some};

/// What max pooling works on, all of it checked by `Kernel::max_pool`.
pub(crate) struct Pool<'a> {
    /// Height x width x channels.
    pub(crate) input: &'a [f32],
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// For every row of output, its first row of input and how many there are, at least one.
    pub(crate) rows: &'a [[usize; 2]],
    /// The same for columns.
    pub(crate) columns: &'a [[usize; 2]],
    /// Rows x columns x channels.
    pub(crate) output: &'a mut [f32],
}

/// The largest number under each window, channel by channel.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn max_pool<V: Vector>(work: &mut Pool<'_>) {
    let channels = work.channels;
    let mut to = work.output.as_mut_ptr();
    for &[y, high] in work.rows {
        for &[x, wide] in work.columns {
            let mut channel = 0;
            while channel < channels {
                let count = V::LANES.min(channels - channel);
                // SAFETY: the work's promises: the window lies within the input, the pixel within
                // the output.
                unsafe {
                    let from = work
                        .input
                        .as_ptr()
                        .wrapping_add((y * work.width + x) * channels + channel);
                    let mut largest = some::<V>(from, count);
                    for row in 0..high {
                        for column in 0..wide {
                            let at = row
                                .wrapping_mul(work.width)
                                .wrapping_add(column)
                                .wrapping_mul(channels);
                            largest = largest.max(some::<V>(from.wrapping_add(at), count));
                        }
                    }
                    put(largest, to.wrapping_add(channel), count);
                }
                channel += V::LANES;
            }
            to = to.wrapping_add(channels);
        }
    }
}

/// What a sum works on, all of it checked by `Kernel::sum`.
pub(crate) struct Sum<'a> {
    /// Rows x columns x channels.
    pub(crate) one: &'a [f32],
    /// (Rows / factor) x (columns / factor) x channels.
    pub(crate) other: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) channels: usize,
    /// How often each pixel of the other counts, along both axes.
    pub(crate) factor: usize,
    /// As `one`.
    pub(crate) output: &'a mut [f32],
}

/// One picture plus another, whose pixels are repeated.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn sum<V: Vector>(work: &mut Sum<'_>) {
    let (channels, factor) = (work.channels, work.factor);
    let narrow = work.columns / factor;
    for row in 0..work.rows {
        for column in 0..work.columns {
            let at = (row * work.columns + column) * channels;
            let other = ((row / factor) * narrow + column / factor) * channels;
            let mut channel = 0;
            while channel < channels {
                let count = V::LANES.min(channels - channel);
                // SAFETY: the work's promises: both pixels exist.
                unsafe {
                    let one = some::<V>(work.one.as_ptr().wrapping_add(at + channel), count);
                    let other = some::<V>(work.other.as_ptr().wrapping_add(other + channel), count);
                    put(
                        one.plus(other),
                        work.output.as_mut_ptr().wrapping_add(at + channel),
                        count,
                    );
                }
                channel += V::LANES;
            }
        }
    }
}
