//! Local response normalization across channels: `x / (bias + weight * sum)^0.75`, the sum over the squares of a
//! channel and those around it; of A. Krizhevsky and others, "ImageNet Classification with Deep Convolutional
//! Neural Networks" (2012), section 3.3.

use super::LINE;
use super::vector::{Vector, put, some};

/// What a normalization works on, all of it checked by `Kernel::normalize`.
pub(crate) struct Work<'a> {
    /// Pixels x channels.
    pub(crate) input: &'a [f32],
    pub(crate) channels: usize,
    /// Channels on either side whose squares count.
    pub(crate) reach: usize,
    pub(crate) weight: f32,
    pub(crate) bias: f32,
    /// As the input.
    pub(crate) output: &'a mut [f32],
}

/// Computes all of the output.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(work: &mut Work<'_>) {
    let (channels, reach) = (work.channels, work.reach);
    // A pixel's squares, zeros before and after, and room for the last vector.
    let mut squares = vec![0.0; channels + 2 * reach + LINE];
    let pixels = work.input.chunks_exact(channels);
    for (pixel, to) in pixels.zip(work.output.chunks_exact_mut(channels)) {
        for channel in (0..channels).step_by(V::LANES) {
            let count = V::LANES.min(channels - channel);
            // SAFETY: the caller's contract; so many channels are left, and squares has room for them all.
            unsafe {
                let numbers = some::<V>(pixel.as_ptr().wrapping_add(channel), count);
                let square = V::splat(0.0).plus_product(numbers, numbers);
                let place = squares.as_mut_ptr().wrapping_add(reach + channel);
                put(square, place, count);
            }
        }
        for channel in (0..channels).step_by(V::LANES) {
            let count = V::LANES.min(channels - channel);
            // SAFETY: as above; the last vector of squares ends within the room after them.
            unsafe {
                let mut sum = V::splat(0.0);
                for around in 0..=2 * reach {
                    sum = sum.plus(V::load(squares.as_ptr().wrapping_add(channel + around)));
                }
                let root = V::splat(work.bias)
                    .plus_product(sum, V::splat(work.weight))
                    .root();
                let divisor = V::splat(0.0).plus_product(root, root.root());
                let numbers = some::<V>(pixel.as_ptr().wrapping_add(channel), count);
                put(
                    numbers.over(divisor),
                    to.as_mut_ptr().wrapping_add(channel),
                    count,
                );
            }
        }
    }
}
