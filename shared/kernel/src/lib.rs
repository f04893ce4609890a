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

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod crew;
mod dense;
mod depthwise;
#[cfg(target_arch = "aarch64")]
mod neon;
mod normalize;
mod pool;
mod portable;
mod product;
#[cfg(test)]
mod tests;
mod vector;
mod winograd;

pub use crew::Crew;
use crew::take;
use vector::Vector;
pub use winograd::Winograd;

/// What is done with a convolution's sum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    Linear,
    /// max(x, 0).
    Relu,
    /// max(x, 0) + slope * min(x, 0), with a slope for every channel.
    PRelu(Numbers),
}

impl Activation {
    fn ramp(&self) -> Ramp<'_> {
        match self {
            Activation::Linear => Ramp::Linear,
            Activation::Relu => Ramp::Relu,
            Activation::PRelu(slopes) => Ramp::PRelu(slopes.as_slice()),
        }
    }

    /// With as many slopes as numbers in that many vectors of any kernel.
    fn padded(self, channels: usize) -> Activation {
        match self {
            Activation::PRelu(slopes) => {
                assert_eq!(slopes.len(), channels, "a slope for every channel");
                Activation::PRelu(slopes.padded())
            }
            other => other,
        }
    }
}

/// An activation as the loops read it: slopes up to the end of the last vector.
#[derive(Clone, Copy)]
enum Ramp<'a> {
    Linear,
    Relu,
    PRelu(&'a [f32]),
}

/// An activation of one vector of channels.
#[derive(Clone, Copy)]
enum Finish<V> {
    Linear,
    Relu,
    PRelu(V),
}

impl<V: Vector> Finish<V> {
    /// Of the vector that begins at a channel.
    ///
    /// # Safety
    /// Called where V's features are enabled, with a channel that has a vector of slopes.
    #[inline(always)]
    unsafe fn of(ramp: Ramp<'_>, channel: usize) -> Finish<V> {
        match ramp {
            Ramp::Linear => Finish::Linear,
            Ramp::Relu => Finish::Relu,
            // SAFETY: the caller's contract.
            Ramp::PRelu(slopes) => Finish::PRelu(unsafe { V::load(slopes.as_ptr().add(channel)) }),
        }
    }

    /// The activation of a sum. Not a number stays not a number.
    ///
    /// # Safety
    /// Called where V's features are enabled.
    #[inline(always)]
    unsafe fn of_sum(self, sum: V) -> V {
        // SAFETY: the caller's contract. The sum stands second: x86 lets it through if unordered.
        unsafe {
            let zero = V::splat(0.0);
            match self {
                Finish::Linear => sum,
                Finish::Relu => zero.max(sum),
                Finish::PRelu(slopes) => zero.max(sum).plus_product(zero.min(sum), slopes),
            }
        }
    }
}

/// Numbers in a vector of the widest kernel, and in a cache line.
const LINE: usize = 16;

/// A cache line of numbers.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Numbers that begin on a cache line, so that no vector of weights lies across two.
#[derive(Clone)]
pub struct Numbers {
    lines: Vec<Line>,
    len: usize,
}

impl Numbers {
    /// That many zeros.
    fn zeros(len: usize) -> Numbers {
        Numbers {
            lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)],
            len,
        }
    }

    /// A copy.
    pub fn of(numbers: &[f32]) -> Numbers {
        let mut copy = Numbers::zeros(numbers.len());
        copy.as_mut_slice().copy_from_slice(numbers);
        copy
    }

    /// With zeros up to the end of the last line.
    fn padded(mut self) -> Numbers {
        self.len = self.lines.len() * LINE;
        self
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: lines are arrays of 16 f32 without gaps, and len is at most 16 times their count.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Numbers) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Numbers {}

impl std::hash::Hash for Numbers {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice()
            .iter()
            .for_each(|number| number.to_bits().hash(state));
    }
}

impl std::fmt::Debug for Numbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.len)
    }
}

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

/// Runs an entry point of the kernel's instruction set.
macro_rules! dispatch {
    ($kernel:expr, $name:ident, $work:expr) => {
        match $kernel.0 {
            // SAFETY: a Kernel is made by of_this_machine alone, which found the features, and the
            // work was checked by the caller.
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => unsafe { avx512::$name($work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => unsafe { avx2::$name($work) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Set::Neon => unsafe { neon::$name($work) },
            // SAFETY: as above; it needs no features.
            Set::Portable => unsafe { portable::$name($work) },
        }
    };
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

/// Weights, bias and activation of a convolution that mixes channels, packed for a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mixing {
    kernel: Kernel,
    /// Numbers of input that each number of output is a sum over.
    numbers: usize,
    channels: usize,
    weights: Numbers,
    bias: Numbers,
    activation: Activation,
}

/// Pixels of a row that are a piece of work: of which all tiles' heights are parts.
const SOME: usize = 24;

/// Where the numbers of each pixel of output lie in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Rows and columns of output.
    pub rows: usize,
    /// See `rows`.
    pub columns: usize,
    /// Numbers from a pixel to the next of its row.
    pub pixel: usize,
    /// Numbers from a row to the next.
    pub row: usize,
    /// Pieces of memory that hold a pixel's numbers, and numbers from one to the next.
    pub segments: usize,
    /// See `segments`.
    pub segment: usize,
    /// Numbers of a piece.
    pub depth: usize,
}

impl Mixing {
    /// Packs weights, a row of `bias.len()` for each number of input.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn new(kernel: Kernel, weights: &[f32], bias: &[f32], activation: Activation) -> Mixing {
        let channels = bias.len();
        let numbers = weights.len() / channels;
        assert_eq!(weights.len(), numbers * channels, "whole rows of weights");
        let (lanes, width) = kernel.extents();
        let mut packed = Numbers::zeros(numbers * channels.next_multiple_of(lanes));
        let mut room = packed.as_mut_slice();
        let mut first = 0;
        while first < channels {
            let across = (channels - first)
                .next_multiple_of(lanes)
                .min(lanes * width);
            let there = across.min(channels - first);
            let (panel, rest) = room.split_at_mut(numbers * across);
            for (line, row) in panel
                .chunks_exact_mut(across)
                .zip(weights.chunks_exact(channels))
            {
                line[..there].copy_from_slice(&row[first..first + there]);
            }
            (room, first) = (rest, first + across);
        }
        Mixing {
            kernel,
            numbers,
            channels,
            weights: packed,
            bias: Numbers::of(bias).padded(),
            activation: activation.padded(channels),
        }
    }

    /// output = activation(bias + weights x input) (+ added).
    ///
    /// # Panics
    /// When the grid leaves the input or does not fit the weights, or output or what is added have
    /// another size.
    pub fn run(
        &self,
        crew: &Crew,
        grid: Grid,
        input: &[f32],
        added: Option<&[f32]>,
        mut output: &mut [f32],
    ) {
        let Grid {
            rows,
            columns,
            pixel,
            row,
            segments,
            segment,
            depth,
        } = grid;
        assert_eq!(segments * depth, self.numbers, "numbers of a pixel");
        assert_eq!(output.len(), rows * columns * self.channels, "output");
        assert!(
            added.is_none_or(|added| added.len() == output.len()),
            "what is added"
        );
        if output.is_empty() {
            return;
        }
        let last = (rows - 1) * row + (columns - 1) * pixel + (segments - 1) * segment;
        assert!(last + depth <= input.len(), "the grid within the input");
        // By rows, or else by pixels of the only one: not by few, as weights are read anew for each piece.
        let (unit, apart, len) = match rows {
            1 => (SOME.min(columns), pixel, columns),
            _ => (1, row, rows),
        };
        let each = output.len() / len;
        let multiply_adds = output.len() * self.numbers;
        let pieces = crew.pieces(len / unit, multiply_adds);
        let pieces = pieces.map(|part| {
            // The last one takes what is left.
            let end = if part.end == len / unit {
                len
            } else {
                part.end * unit
            };
            let part = part.start * unit..end;
            product::Work {
                input: &input[part.start * apart..],
                pixel,
                row,
                segment,
                segments,
                depth,
                rows: if rows > 1 { part.len() } else { 1 },
                columns: if rows > 1 { columns } else { part.len() },
                weights: self.weights.as_slice(),
                bias: self.bias.as_slice(),
                ramp: self.activation.ramp(),
                channels: self.channels,
                added: added.map(|added| &added[part.start * each..part.end * each]),
                output: take(&mut output, part.len() * each),
            }
        });
        crew.share(pieces, |mut work| {
            dispatch!(self.kernel, product, &mut work);
        });
    }
}

/// Weights, bias and activation of a convolution of each channel by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    kernel: Kernel,
    /// Height and width.
    size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    channels: usize,
    weights: Numbers,
    bias: Numbers,
    activation: Activation,
}

impl Filter {
    /// Of weights, height x width x channels; padding is the zeros before the input's first row
    /// and column.
    ///
    /// # Panics
    /// When a length does not fit.
    pub fn new(
        kernel: Kernel,
        (size, stride, padding): ([usize; 2], [usize; 2], [usize; 2]),
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
    ) -> Filter {
        let channels = bias.len();
        assert_eq!(weights.len(), size[0] * size[1] * channels, "weights");
        Filter {
            kernel,
            size,
            stride,
            padding,
            channels,
            weights: Numbers::of(weights),
            bias: Numbers::of(bias).padded(),
            activation: activation.padded(channels),
        }
    }

    /// output = activation(bias + each channel's weights x input), rows x columns.
    ///
    /// # Panics
    /// When input or output have another size.
    pub fn run(
        &self,
        crew: &Crew,
        (input, height, width): (&[f32], usize, usize),
        (mut output, rows, columns): (&mut [f32], usize, usize),
    ) {
        assert_eq!(input.len(), height * width * self.channels, "input");
        assert_eq!(output.len(), rows * columns * self.channels, "output");
        let each = columns * self.channels;
        // A depthwise multiply-add takes several times as long as one of a product.
        let multiply_adds = 4 * output.len() * self.size[0] * self.size[1];
        let pieces = crew
            .pieces(rows, multiply_adds)
            .map(|part| depthwise::Work {
                input,
                height,
                width,
                channels: self.channels,
                weights: self.weights.as_slice(),
                kernel: self.size,
                stride: self.stride,
                padding: self.padding,
                bias: self.bias.as_slice(),
                ramp: self.activation.ramp(),
                first: part.start,
                rows: part.len(),
                columns,
                output: take(&mut output, part.len() * each),
            });
        crew.share(pieces, |mut work| {
            dispatch!(self.kernel, depthwise, &mut work);
        });
    }
}
