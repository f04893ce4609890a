//! Convolutions: those that mix channels, and those of each channel by itself.

use crate::activation::Activation;
use crate::crew::{Crew, take};
use crate::numbers::Numbers;
use crate::{Kernel, depthwise, product};

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
