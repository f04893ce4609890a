//! Fully connected layers: each number of output is a sum over all of the input, so that every weight is
//! read once. They are used as a file has them, a row for each output: nothing is packed, and the layer of
//! a large network, most of its file, is never there twice.
#![allow(
    clippy::needless_range_loop,
    reason = "indices into several arrays of one size; iterators cost registers"
)]

use super::LINE;
use super::vector::Vector;

/// Rows that are summed up together: each number of input is loaded once for all of them.
const ROWS: usize = 4;
/// Vectors that a line of sums is made of with the narrowest vectors.
const MOST: usize = 4;
/// Lines of weights from the ones in work to the ones that are fetched.
const AHEAD: usize = 16;

/// What a fully connected layer works on, all of it checked by `Kernel::dense`.
pub(crate) struct Work<'a> {
    pub(crate) input: &'a [f32],
    /// Output x input.
    pub(crate) weights: &'a [f32],
    /// A number for every output.
    pub(crate) bias: &'a [f32],
    pub(crate) relu: bool,
    pub(crate) output: &'a mut [f32],
}

/// Computes all of the output.
///
/// Sums are the same to the last bit with every length of vector, where products are added without rounding
/// between: [`LINE`] sums of every 16th product, added up in halves.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn run<V: Vector>(work: &mut Work<'_>) {
    let mut row = 0;
    while row < work.output.len() {
        // SAFETY: the caller's contract; the rows exist.
        unsafe {
            if work.output.len() - row >= ROWS {
                rows::<V, ROWS>(work, row);
                row += ROWS;
            } else {
                rows::<V, 1>(work, row);
                row += 1;
            }
        }
    }
}

/// Some rows of weights.
///
/// # Safety
/// As [`run`]; the rows exist.
#[inline(always)]
unsafe fn rows<V: Vector, const R: usize>(work: &mut Work<'_>, first: usize) {
    let depth = work.input.len();
    let vectors = LINE / V::LANES;
    let input = work.input.as_ptr();
    let weights = work.weights.as_ptr().wrapping_add(first * depth);
    // SAFETY: the caller's contract: input and weights hold all that is indexed here.
    unsafe {
        let mut sums = [[V::splat(0.0); MOST]; R];
        let mut at = 0;
        while at + LINE <= depth {
            let mut numbers = [V::splat(0.0); MOST];
            for j in 0..MOST {
                if j < vectors {
                    numbers[j] = V::load(input.wrapping_add(at + j * V::LANES));
                }
            }
            for r in 0..R {
                let weights = weights.wrapping_add(r.wrapping_mul(depth) + at);
                V::prefetch(weights.wrapping_add(AHEAD * LINE));
                for j in 0..MOST {
                    if j < vectors {
                        let line = V::load(weights.wrapping_add(j * V::LANES));
                        sums[r][j] = sums[r][j].plus_product(numbers[j], line);
                    }
                }
            }
            at += LINE;
        }
        for r in 0..R {
            let mut line = [0.0; LINE];
            for j in 0..MOST {
                if j < vectors {
                    sums[r][j].store(line.as_mut_ptr().wrapping_add(j * V::LANES));
                }
            }
            let row = &work.weights[(first + r) * depth..][at..depth];
            for ((sum, weight), number) in line.iter_mut().zip(row).zip(&work.input[at..]) {
                *sum += weight * number;
            }
            let mut half = LINE / 2;
            while half > 0 {
                for i in 0..half {
                    line[i] += line[i + half];
                }
                half /= 2;
            }
            let sum = line[0] + work.bias[first + r];
            // Not a number stays not a number.
            work.output[first + r] = if work.relu && sum < 0.0 { 0.0 } else { sum };
        }
    }
}
