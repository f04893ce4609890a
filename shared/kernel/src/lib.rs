//! Arithmetic of networks on f32, channels last: the one place of inference with unsafe code, a file per
//! instruction set, and a portable twin.
//!
//! A picture is rows x columns x channels, so a vector holds neighboring channels of one pixel:
//! whatever the kernel's size, stride and padding, no vector crosses a border. The loops are written
//! once over `vector::Vector` and compiled for each instruction set.

#![allow(
    unsafe_code,
    reason = "loads of whole vectors, calls of code for an instruction set found at run time, and work that \
              threads share"
)]

/// Entry points of an instruction set: the loops, compiled with its features.
macro_rules! entry_points {
    ($vector:ty $(, $features:literal)?) => {
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn product(work: &mut product::Work<'_>) {
            // SAFETY: the caller's contract.
            unsafe { product::run::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn depthwise(work: &mut depthwise::Work<'_>) {
            // SAFETY: the caller's contract.
            unsafe { depthwise::run::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn max_pool(work: &mut pool::Pool<'_>) {
            // SAFETY: the caller's contract.
            unsafe { pool::max_pool::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn sum(work: &mut pool::Sum<'_>) {
            // SAFETY: the caller's contract.
            unsafe { pool::sum::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn spread(work: &mut winograd::Spread<'_>) {
            // SAFETY: the caller's contract.
            unsafe { winograd::spread::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn gather(work: &mut winograd::Gather<'_>) {
            // SAFETY: the caller's contract.
            unsafe { winograd::gather::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn dense(work: &mut dense::Work<'_>) {
            // SAFETY: the caller's contract.
            unsafe { dense::run::<$vector>(work) }
        }
        /// # Safety
        /// The machine has the features; the work keeps its promises.
        $(#[target_feature(enable = $features)])?
        pub(crate) unsafe fn normalize(work: &mut normalize::Work<'_>) {
            // SAFETY: the caller's contract.
            unsafe { normalize::run::<$vector>(work) }
        }
        pub(crate) const LANES: usize = <$vector as Vector>::LANES;
        pub(crate) const WIDTH: usize = <$vector as Vector>::WIDTH;
    };
}

/// Runs an entry point of the kernel's instruction set.
macro_rules! dispatch {
    ($kernel:expr, $name:ident, $work:expr) => {
        match $kernel.0 {
            // SAFETY: a Kernel is made by of_this_machine alone, which found the features, and the
            // work was checked by the caller.
            #[cfg(target_arch = "x86_64")]
            $crate::Set::Avx512 => unsafe { $crate::avx512::$name($work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            $crate::Set::Avx2 => unsafe { $crate::avx2::$name($work) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            $crate::Set::Neon => unsafe { $crate::neon::$name($work) },
            // SAFETY: as above; it needs no features.
            $crate::Set::Portable => unsafe { $crate::portable::$name($work) },
        }
    };
}

mod activation;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod convolution;
mod crew;
mod dense;
mod depthwise;
#[cfg(target_arch = "aarch64")]
mod neon;
mod normalize;
mod numbers;
mod pool;
mod portable;
mod product;
#[cfg(test)]
mod tests;
mod vector;
mod winograd;

pub use activation::Activation;
use activation::{Finish, Ramp};
pub use convolution::{Filter, Grid, Mixing};
pub use crew::Crew;
use crew::take;
use numbers::LINE;
pub use numbers::Numbers;
pub use winograd::Winograd;

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Portable,
}

impl Kernel {
    /// The fastest that this machine has.
    pub fn best() -> Kernel {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Kernel::of_this_machine()[0])
    }

    /// All that this machine has, the fastest first, the portable one last.
    pub fn of_this_machine() -> Vec<Kernel> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                sets.push(Set::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                sets.push(Set::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("neon") {
            sets.push(Set::Neon);
        }
        sets.push(Set::Portable);
        sets.into_iter().map(Kernel).collect()
    }

    /// The instruction set in a word.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            Set::Portable => "portable",
        }
    }

    /// Numbers in a vector, and vectors in a panel of weights.
    fn extents(self) -> (usize, usize) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => (avx512::LANES, avx512::WIDTH),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => (avx2::LANES, avx2::WIDTH),
            #[cfg(target_arch = "aarch64")]
            Set::Neon => (neon::LANES, neon::WIDTH),
            Set::Portable => (portable::LANES, portable::WIDTH),
        }
    }

    /// output = weights x input + bias, what is negative of it made zero if `relu`; weights are a row for
    /// each number of output.
    ///
    /// # Panics
    /// When a size does not fit.
    pub fn dense(
        self,
        crew: &Crew,
        (weights, bias, relu): (&[f32], &[f32], bool),
        input: &[f32],
        mut output: &mut [f32],
    ) {
        assert_eq!(bias.len(), output.len(), "bias");
        assert_eq!(weights.len(), input.len() * output.len(), "weights");
        let pieces = crew.pieces(output.len(), weights.len()).map(|part| {
            let rows = part.start * input.len()..part.end * input.len();
            dense::Work {
                input,
                weights: &weights[rows],
                bias: &bias[part.clone()],
                relu,
                output: take(&mut output, part.len()),
            }
        });
        crew.share(pieces, |mut work| dispatch!(self, dense, &mut work));
    }

    /// Pixels of so many channels, each divided by `(bias + weight * sum)^0.75`, the sum over the squares of
    /// the channel and of `reach` on either side.
    ///
    /// # Panics
    /// When a size does not fit.
    pub fn normalize(
        self,
        crew: &Crew,
        (reach, weight, bias): (usize, f32, f32),
        channels: usize,
        input: &[f32],
        mut output: &mut [f32],
    ) {
        assert!(input.len().is_multiple_of(channels), "whole pixels");
        assert_eq!(output.len(), input.len(), "output");
        // Roots and a quotient take as long as some twenty products.
        let multiply_adds = input.len() * (2 * reach + 24);
        let pieces = crew.pieces(input.len() / channels, multiply_adds);
        let pieces = pieces.map(|part| normalize::Work {
            input: &input[part.start * channels..part.end * channels],
            channels,
            reach,
            weight,
            bias,
            output: take(&mut output, part.len() * channels),
        });
        crew.share(pieces, |mut work| dispatch!(self, normalize, &mut work));
    }

    /// The largest number under each window; windows are first row or column and how many.
    ///
    /// # Panics
    /// When a window is empty or leaves the input, or the output has another size.
    pub fn max_pool(
        self,
        crew: &Crew,
        (input, width, channels): (&[f32], usize, usize),
        rows: &[[usize; 2]],
        columns: &[[usize; 2]],
        mut output: &mut [f32],
    ) {
        let height = input.len() / (width * channels);
        let within = |windows: &[[usize; 2]], length| {
            windows
                .iter()
                .all(|[first, count]| *count > 0 && first + count <= length)
        };
        assert!(
            within(rows, height) && within(columns, width),
            "windows within the input"
        );
        assert_eq!(
            output.len(),
            rows.len() * columns.len() * channels,
            "output"
        );
        let each = columns.len() * channels;
        let [high, wide] =
            [rows, columns].map(|of| of.iter().map(|[_, count]| count).sum::<usize>());
        let pieces = crew
            .pieces(rows.len(), high * wide * channels)
            .map(|part| pool::Pool {
                input,
                width,
                channels,
                rows: &rows[part.clone()],
                columns,
                output: take(&mut output, part.len() * each),
            });
        crew.share(pieces, |mut work| dispatch!(self, max_pool, &mut work));
    }

    /// One picture of rows x columns x channels plus another that is `factor` times smaller along
    /// both axes, its pixels repeated.
    ///
    /// # Panics
    /// When a size does not fit.
    pub fn sum(
        self,
        [rows, columns, channels]: [usize; 3],
        one: &[f32],
        (other, factor): (&[f32], usize),
        output: &mut [f32],
    ) {
        assert!(
            rows.is_multiple_of(factor) && columns.is_multiple_of(factor),
            "whole repetitions"
        );
        assert_eq!(one.len(), rows * columns * channels, "one picture");
        assert_eq!(
            other.len() * factor * factor,
            one.len(),
            "the other picture"
        );
        assert_eq!(output.len(), one.len(), "output");
        let mut work = pool::Sum {
            one,
            other,
            rows,
            columns,
            channels,
            factor,
            output,
        };
        dispatch!(self, sum, &mut work);
    }

    fn spread(self, mut work: winograd::Spread<'_>) {
        dispatch!(self, spread, &mut work);
    }

    fn gather(self, mut work: winograd::Gather<'_>) {
        dispatch!(self, gather, &mut work);
    }
}
