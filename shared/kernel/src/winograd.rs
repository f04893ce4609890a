//! Convolutions in steps of one pixel by fewer products: F(4x4, 3x3) of A. Lavin and S. Gray, "Fast
//! Algorithms for Convolutional Neural Networks" (2015), and F(2x2, 5x5) by the same points.
//!
//! The sums of a window that moves over a line are the transpose of a product of two polynomials, and such a
//! product is told by its values at [`POINTS`] points, each of them one multiplication. So a kernel is
//! evaluated at the points once (`value_of`), a tile of 6 x 6 pixels goes through the transpose of the
//! interpolation (`to_points`), both are multiplied point by point, as a product of tiles and channels
//! ([`super::product`]), and the transpose of the evaluation (`from_points`) makes the tile's sums of that:
//! 36 multiplications for 4 x 4 sums of nine, or for 2 x 2 of 25.
//!
//! The points are 0, 1, -1, 2, -2 and infinity. Sums come out with several times the rounding of plain
//! ones, far within what kernels may differ by.

use std::ops::Range;

use super::vector::{Vector, put, some};
use super::{Activation, Crew, Finish, Grid, Kernel, LINE, Mixing, Numbers, Ramp, take};

/// Points along an axis, and pixels of a tile of the input.
const POINTS: usize = 6;
const ALL: usize = POINTS * POINTS;
/// Numbers of values and products that are worked at together, unless weights are more: what a cache holds.
const TOGETHER: usize = 256 * 1024;

/// Weights, bias and activation of a convolution of 3 x 3 or 5 x 5 pixels that mixes channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Winograd {
    kernel: Kernel,
    side: usize,
    /// Channels of the input.
    depth: usize,
    channels: usize,
    /// Values of the weights, point by point.
    products: Vec<Mixing>,
    bias: Numbers,
    activation: Activation,
}

impl Winograd {
    /// Whether it is faster than plain sums, for a kernel and an output of so many pixels, and so many
    /// channels before and after.
    pub fn pays(kernel: [usize; 2], output: [usize; 2], [depth, channels]: [usize; 2]) -> bool {
        let side = kernel[0];
        if kernel[1] != side || !(side == 3 || side == 5) {
            return false;
        }
        let tiles = tiles(side, output);
        // Weights are read, too, more of them than for plain sums: it takes about as long as 8 tiles more.
        let products = ALL * (tiles + 8) * depth * channels;
        // Turning a value costs about as much as 8 products of a vector.
        let values = tiles * ALL * 8 * (depth + channels);
        let plain = side * side * output[0] * output[1] * depth * channels;
        products + values < plain
    }

    /// Rows, or columns, that the input has with its zeros around it, for so many of the output.
    pub fn padded(side: usize, output: usize) -> usize {
        output.next_multiple_of(step(side)) + side - 1
    }

    /// Of weights, side x side x depth rows of `bias.len()`.
    ///
    /// # Panics
    /// When a length does not fit, or the side is neither 3 nor 5.
    pub fn new(
        kernel: Kernel,
        side: usize,
        weights: &[f32],
        bias: &[f32],
        activation: Activation,
    ) -> Winograd {
        assert!(side == 3 || side == 5, "a kernel of 3 or 5");
        let channels = bias.len();
        let depth = weights.len() / (side * side * channels);
        let each = depth * channels;
        assert_eq!(weights.len(), side * side * each, "weights");
        let mut products = vec![];
        for row in 0..POINTS {
            let line = value_of(weights.chunks_exact(side * each), side, row);
            for column in 0..POINTS {
                let values = value_of(line.chunks_exact(each), side, column);
                let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
                let no_bias = vec![0.0; channels];
                products.push(Mixing::new(kernel, &values, &no_bias, Activation::Linear));
            }
        }
        Winograd {
            kernel,
            side,
            depth,
            channels,
            products,
            bias: Numbers::of(bias).padded(),
            activation: activation.padded(channels),
        }
    }

    /// Numbers that [`Winograd::run`] needs room for.
    pub fn room(&self, output: [usize; 2]) -> usize {
        let count = self.together(output);
        ALL * (apart(count * self.depth) + apart(count * self.channels))
    }

    /// Tiles that are worked at together.
    fn together(&self, output: [usize; 2]) -> usize {
        let tiles = tiles(self.side, output);
        let numbers = TOGETHER.max(ALL * self.depth * self.channels);
        let most = (numbers / (ALL * (self.depth + self.channels))).max(1);
        tiles.div_ceil(tiles.div_ceil(most))
    }

    /// output = activation(bias + weights x input) (+ added), rows x columns; the input has zeros around
    /// it, [`Winograd::padded`] of both.
    ///
    /// # Panics
    /// When input, output, room or what is added have another size.
    pub fn run(
        &self,
        crew: &Crew,
        input: &[f32],
        [rows, columns]: [usize; 2],
        added: Option<&[f32]>,
        room: &mut [f32],
        output: &mut [f32],
    ) {
        let Winograd {
            depth, channels, ..
        } = *self;
        let [height, width] = [rows, columns].map(|len| Winograd::padded(self.side, len));
        assert_eq!(input.len(), height * width * depth, "input");
        assert_eq!(output.len(), rows * columns * channels, "output");
        assert!(
            added.is_none_or(|added| added.len() == output.len()),
            "what is added"
        );
        let together = self.together([rows, columns]);
        let (of_value, of_sum) = (apart(together * depth), apart(together * channels));
        assert_eq!(room.len(), ALL * (of_value + of_sum), "room");
        let (values, sums) = room.split_at_mut(ALL * of_value);
        let step = step(self.side);
        let across = columns.div_ceil(step);
        let tiles = tiles(self.side, [rows, columns]);
        for first in (0..tiles).step_by(together) {
            let count = together.min(tiles - first);
            let some = |part: Range<usize>| Tiles {
                first: first + part.start,
                count: part.len(),
                across,
                step,
            };
            // Turning tiles takes memory longer than the processor.
            let turning = |channels| 4 * ALL * POINTS * count * channels;
            let to = Places(values.as_mut_ptr());
            let spreads = crew.pieces(count, turning(depth)).map(|part| Spread {
                input,
                width,
                channels: depth,
                apart: of_value,
                values: to.after(part.start * depth),
                tiles: some(part),
            });
            crew.share(spreads, |work| self.kernel.spread(work));
            let grid = Grid {
                rows: 1,
                columns: count,
                pixel: depth,
                row: 0,
                segments: 1,
                segment: 0,
                depth,
            };
            let mut left = &mut *sums;
            let points = crew.pieces(ALL, ALL * count * depth * channels);
            let points = points.map(|part| (part.clone(), take(&mut left, part.len() * of_sum)));
            crew.share(points, |(part, sums)| {
                for (point, sums) in part.zip(sums.chunks_exact_mut(of_sum)) {
                    let values = &values[point * of_value..][..count * depth];
                    let sums = &mut sums[..count * channels];
                    self.products[point].run(&Crew::default(), grid, values, None, sums);
                }
            });
            let to = Places(output.as_mut_ptr());
            let gathers = crew.pieces(count, turning(channels)).map(|part| Gather {
                sums: &sums[part.start * channels..],
                apart: of_sum,
                tiles: some(part),
                rows,
                columns,
                channels,
                bias: self.bias.as_slice(),
                ramp: self.activation.ramp(),
                added,
                output: to.after(0),
            });
            crew.share(gathers, |work| self.kernel.gather(work));
        }
    }
}

/// Sums that a tile gives along an axis, and pixels from a tile to the next.
const fn step(side: usize) -> usize {
    POINTS + 1 - side
}

/// Tiles of an output.
fn tiles(side: usize, output: [usize; 2]) -> usize {
    output.iter().map(|len| len.div_ceil(step(side))).product()
}

/// Numbers from a point's values to the next one's: an odd number of lines, for a cache has few places for
/// lines that lie a power of two apart.
const fn apart(numbers: usize) -> usize {
    (numbers.div_ceil(LINE) | 1) * LINE
}

/// Polynomials' values at a point, from their coefficients, divided by what the points ask for.
fn value_of<'a, N: Copy + Into<f64> + 'a>(
    coefficients: impl Iterator<Item = &'a [N]>,
    side: usize,
    point: usize,
) -> Vec<f64> {
    // 1 / the product of the distances to all other points.
    let (x, divisor): (f64, f64) = match point {
        0 => (0.0, 4.0),
        1 => (1.0, -6.0),
        2 => (-1.0, -6.0),
        3 => (2.0, 24.0),
        4 => (-2.0, 24.0),
        _ => (f64::INFINITY, 1.0),
    };
    let mut values = vec![];
    for (power, numbers) in coefficients.enumerate() {
        values.resize(numbers.len(), 0.0);
        // At infinity the highest one counts alone.
        let factor = match (x.is_finite(), power + 1 == side) {
            (true, _) => x.powi(power as i32) / divisor,
            (false, highest) => f64::from(u8::from(highest)),
        };
        for (value, number) in values.iter_mut().zip(numbers) {
            *value += factor * (*number).into();
        }
    }
    values
}

/// Some tiles, counted row by row.
#[derive(Clone, Copy)]
struct Tiles {
    first: usize,
    count: usize,
    /// Tiles of a row.
    across: usize,
    /// Pixels from a tile to the next.
    step: usize,
}

impl Tiles {
    /// Row and column of the first pixel.
    fn place(&self, tile: usize) -> (usize, usize) {
        let number = self.first + tile;
        (
            number / self.across * self.step,
            number % self.across * self.step,
        )
    }
}

/// Where numbers are written that lie between those of other tiles, which other threads write.
#[derive(Clone, Copy)]
struct Places(*mut f32);

// SAFETY: two threads never write one number: each has tiles of its own, and each tile numbers of its own.
unsafe impl Send for Places {}

impl Places {
    /// The same from a number on.
    fn after(self, number: usize) -> Places {
        Places(self.0.wrapping_add(number))
    }
}

/// Tiles to turn into values; all of it checked by `Winograd::run`.
pub(crate) struct Spread<'a> {
    /// Pictures with their zeros.
    input: &'a [f32],
    width: usize,
    channels: usize,
    tiles: Tiles,
    /// Numbers from a point to the next.
    apart: usize,
    /// Points x tiles x channels.
    values: Places,
}

/// Values to turn into sums; all of it checked by `Winograd::run`.
pub(crate) struct Gather<'a> {
    /// Points x tiles x channels.
    sums: &'a [f32],
    /// Numbers from a point to the next.
    apart: usize,
    tiles: Tiles,
    rows: usize,
    columns: usize,
    channels: usize,
    /// A number for every channel of whole vectors.
    bias: &'a [f32],
    ramp: Ramp<'a>,
    added: Option<&'a [f32]>,
    /// Rows x columns x channels.
    output: Places,
}

/// Six pixels in a row, ready to be multiplied by a kernel's values at the points.
///
/// # Safety
/// Called where V's features are enabled.
#[inline(always)]
unsafe fn to_points<V: Vector>([a, b, c, d, e, f]: [V; POINTS]) -> [V; POINTS] {
    // SAFETY: the caller's contract.
    unsafe {
        let [four, minus_four, minus_five] = [V::splat(4.0), V::splat(-4.0), V::splat(-5.0)];
        let [minus_one, two, minus_two] = [V::splat(-1.0), V::splat(2.0), V::splat(-2.0)];
        let even = e.plus_product(c, minus_four);
        let odd = d.plus_product(b, minus_four);
        let far_even = e.plus_product(c, minus_one);
        let far_odd = d.plus_product(b, minus_one);
        [
            e.plus_product(c, minus_five).plus_product(a, four),
            even.plus(odd),
            even.plus_product(odd, minus_one),
            far_even.plus_product(far_odd, two),
            far_even.plus_product(far_odd, minus_two),
            f.plus_product(d, minus_five).plus_product(b, four),
        ]
    }
}

/// Four sums in a row, as a kernel of 3 has them. What infinity gives belongs to the last one: the fourth,
/// or in steps of two, for a kernel of 5, the second; the other two are not used then.
///
/// # Safety
/// Called where V's features are enabled.
#[inline(always)]
unsafe fn from_points<V: Vector>([a, b, c, d, e, f]: [V; POINTS], step: usize) -> [V; 4] {
    // SAFETY: the caller's contract.
    unsafe {
        let minus_one = V::splat(-1.0);
        let (near, far) = (b.plus(c), d.plus(e));
        let near_apart = b.plus_product(c, minus_one);
        let far_apart = d.plus_product(e, minus_one);
        let second = near_apart.plus_product(far_apart, V::splat(2.0));
        [
            a.plus(near).plus(far),
            if step == 2 { second.plus(f) } else { second },
            near.plus_product(far, V::splat(4.0)),
            near_apart.plus_product(far_apart, V::splat(8.0)).plus(f),
        ]
    }
}

/// Turns tiles into values.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn spread<V: Vector>(work: &mut Spread<'_>) {
    let channels = work.channels;
    let row = work.width * channels;
    for tile in 0..work.tiles.count {
        let (y, x) = work.tiles.place(tile);
        let mut channel = 0;
        while channel < channels {
            let count = V::LANES.min(channels - channel);
            let from = work
                .input
                .as_ptr()
                .wrapping_add(y * row + x * channels + channel);
            let to = work.values.after(tile * channels + channel).0;
            // SAFETY: the caller's contract: input and values hold all that is indexed here.
            unsafe {
                let mut columns = [[V::splat(0.0); POINTS]; POINTS];
                for (x, column) in columns.iter_mut().enumerate() {
                    let from = from.wrapping_add(x * channels);
                    let pixel = |y: usize| some::<V>(from.wrapping_add(y * row), count);
                    *column =
                        to_points([pixel(0), pixel(1), pixel(2), pixel(3), pixel(4), pixel(5)]);
                }
                for y in 0..POINTS {
                    let values = to_points(columns.map(|column| column[y]));
                    for (x, value) in values.into_iter().enumerate() {
                        put(value, to.wrapping_add((y * POINTS + x) * work.apart), count);
                    }
                }
            }
            channel += V::LANES;
        }
    }
}

/// Turns sums of products of values into sums of products.
///
/// # Safety
/// Called where V's features are enabled; the work keeps its promises.
#[inline(always)]
pub(crate) unsafe fn gather<V: Vector>(work: &mut Gather<'_>) {
    let (channels, step) = (work.channels, work.tiles.step);
    for tile in 0..work.tiles.count {
        let (y, x) = work.tiles.place(tile);
        let (height, width) = (step.min(work.rows - y), step.min(work.columns - x));
        let mut channel = 0;
        while channel < channels {
            let count = V::LANES.min(channels - channel);
            let from = work.sums.as_ptr().wrapping_add(tile * channels + channel);
            // SAFETY: the caller's contract: sums, bias and output hold all that is indexed here.
            unsafe {
                let mut columns = [[V::splat(0.0); 4]; POINTS];
                for (x, column) in columns.iter_mut().enumerate() {
                    let from = from.wrapping_add(x * work.apart);
                    let point =
                        |y: usize| some::<V>(from.wrapping_add(y * POINTS * work.apart), count);
                    let points = [point(0), point(1), point(2), point(3), point(4), point(5)];
                    *column = from_points(points, step);
                }
                let bias = V::load(work.bias.as_ptr().wrapping_add(channel));
                let finish = Finish::<V>::of(work.ramp, channel);
                for i in 0..height {
                    let sums = from_points(columns.map(|column| column[i]), step);
                    let first = ((y + i) * work.columns + x) * channels + channel;
                    for (j, sum) in sums.into_iter().take(width).enumerate() {
                        let at = first + j * channels;
                        let mut sum = finish.of_sum(sum.plus(bias));
                        if let Some(added) = work.added {
                            sum = sum.plus(some(added.as_ptr().wrapping_add(at), count));
                        }
                        put(sum, work.output.after(at).0, count);
                    }
                }
            }
            channel += V::LANES;
        }
    }
}
