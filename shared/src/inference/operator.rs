//! Operators of our own for tract: over pictures whose channels lie last, [batch, height, width,
//! channels], and over the rows of a layer, [batch, numbers]; f32, of fixed shape.
//!
//! Each wraps a [`kernel`] call for every picture or row of the batch, and owns weights that are ready for it.
//! They are wired by [`super::rewrite`] alone, which has checked all shapes.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kernel::{Crew, Filter, Grid, Kernel, Mixing, Winograd};

use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_core::plan::EvalContext;

use super::memory::Memory;

/// What all operators of a network work with.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) kernel: Kernel,
    pub(super) crew: Crew,
    pub(super) memory: Memory,
}

/// Who works, and in whose memory, makes no operator another one.
impl PartialEq for Means {
    fn eq(&self, other: &Means) -> bool {
        self.kernel == other.kernel
    }
}

impl Eq for Means {}

impl Hash for Means {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kernel.hash(state);
    }
}

/// Extents of a batch of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pictures {
    pub(super) batch: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
}

impl Pictures {
    pub(super) fn shape(self) -> [usize; 4] {
        [self.batch, self.height, self.width, self.channels]
    }

    /// Numbers of one picture.
    fn numbers(self) -> usize {
        self.height * self.width * self.channels
    }
}

/// The numbers of an input.
fn numbers(value: &TValue) -> TractResult<&[f32]> {
    of(value)
}

/// The numbers of a tensor.
pub(super) fn of(tensor: &Tensor) -> TractResult<&[f32]> {
    tensor.try_as_plain_ram()?.as_slice::<f32>()
}

/// An output, whose pictures `fill` writes whole: index, numbers.
fn filled(
    memory: &Memory,
    shape: Pictures,
    mut fill: impl FnMut(usize, &mut [f32]),
) -> TractResult<TVec<TValue>> {
    let mut output = memory.take(&shape.shape())?;
    let mut view = output.try_as_plain_ram_mut()?;
    let pictures = view
        .as_slice_mut::<f32>()?
        .chunks_exact_mut(shape.numbers());
    for (i, picture) in pictures.enumerate() {
        fill(i, picture);
    }
    Ok(tvec!(memory.keep(output)))
}

/// Everything of an operator that is the same for all of ours: one output, of a fixed shape.
macro_rules! operator {
    ($operator:ty, $name:literal) => {
        impl Op for $operator {
            fn name(&self) -> StaticName {
                $name.into()
            }
            op_as_typed_op!();
        }

        impl TypedOp for $operator {
            fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
                Ok(tvec!(f32::fact(self.output.shape())))
            }
            as_op!();
        }
    };
}

/// How a convolution comes to its sums.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sums {
    Plain(Arc<Mixing>),
    /// The padding is as [`Winograd::padded`] wants it.
    Winograd(Arc<Winograd>),
}

/// A convolution that mixes channels, its activation, and a picture added to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Convolution {
    pub(super) sums: Sums,
    pub(super) input: Pictures,
    /// The input's channels lie first, as a network's own input has them.
    pub(super) planar: bool,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// Rows and columns of zeros before and after the input.
    pub(super) padding: [[usize; 2]; 2],
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(Convolution, "UsherConvolution");

impl EvalOp for Convolution {
    op_out_of_plan!();

    /// Inputs: the pictures, and maybe what is added, shaped as the output.
    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let pictures = numbers(&inputs[0])?;
        let added = inputs.get(1).map(numbers).transpose()?;
        let each = self.input.numbers();
        let picture = |i: usize| &pictures[i * each..(i + 1) * each];
        let (sums_len, padded_len) = self.room();
        if sums_len + padded_len == 0 {
            return filled(&self.means.memory, self.output, |i, output| {
                self.compute(picture(i), part(added, i, output.len()), &mut [], output);
            });
        }
        let mut memory = self.means.memory.take(&[sums_len + padded_len])?;
        let mut view = memory.try_as_plain_ram_mut()?;
        let (room, padded) = view.as_slice_mut::<f32>()?.split_at_mut(sums_len);
        let output = filled(&self.means.memory, self.output, |i, output| {
            let mut input = picture(i);
            if padded_len > 0 {
                self.pad(input, padded);
                input = padded;
            }
            self.compute(input, part(added, i, output.len()), room, output);
        })?;
        self.means.memory.keep(memory);
        Ok(output)
    }
}

/// What is added to one picture.
fn part(added: Option<&[f32]>, i: usize, len: usize) -> Option<&[f32]> {
    added.map(|added| &added[i * len..(i + 1) * len])
}

impl Convolution {
    /// Numbers that the sums need room for, and a picture with zeros around it if it needs any.
    fn room(&self) -> (usize, usize) {
        let of_sums = match &self.sums {
            Sums::Plain(_) => 0,
            Sums::Winograd(winograd) => winograd.room([self.output.height, self.output.width]),
        };
        let as_it_is = !self.planar && self.padding == [[0; 2]; 2];
        let of_padded = if as_it_is { 0 } else { self.padded_numbers() };
        (of_sums, of_padded)
    }

    /// Computes one picture.
    fn compute(&self, input: &[f32], added: Option<&[f32]>, room: &mut [f32], output: &mut [f32]) {
        let (crew, extents) = (&self.means.crew, [self.output.height, self.output.width]);
        match &self.sums {
            Sums::Plain(mixing) => mixing.run(crew, self.grid(), input, added, output),
            Sums::Winograd(winograd) => winograd.run(crew, input, extents, added, room, output),
        }
    }

    fn padded_width(&self) -> usize {
        self.input.width + self.padding[1][0] + self.padding[1][1]
    }

    fn padded_numbers(&self) -> usize {
        let height = self.input.height + self.padding[0][0] + self.padding[0][1];
        height * self.padded_width() * self.input.channels
    }

    fn grid(&self) -> Grid {
        let channels = self.input.channels;
        let row = self.padded_width() * channels;
        let [down, across] = self.stride;
        if self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [[0; 2]; 2] {
            // All pixels as one row.
            return Grid {
                rows: 1,
                columns: self.output.height * self.output.width,
                pixel: channels,
                row: 0,
                segments: 1,
                segment: 0,
                depth: channels,
            };
        }
        Grid {
            rows: self.output.height,
            columns: self.output.width,
            pixel: across * channels,
            row: down * row,
            segments: self.kernel[0],
            segment: row,
            depth: self.kernel[1] * channels,
        }
    }

    /// Copies a picture into `room`, channels last, with zeros around it.
    fn pad(&self, picture: &[f32], room: &mut [f32]) {
        let Pictures {
            height,
            width,
            channels,
            ..
        } = self.input;
        let row = self.padded_width() * channels;
        let [[above, _], [left, right]] = self.padding;
        let (left, right) = (left * channels, right * channels);
        let pad_row = |y: usize, to: &mut [f32]| {
            if y < above || y >= above + height {
                to.fill(0.0);
                return;
            }
            let y = y - above;
            to[..left].fill(0.0);
            to[row - right..].fill(0.0);
            let to = &mut to[left..row - right];
            if !self.planar {
                to.copy_from_slice(&picture[y * width * channels..][..width * channels]);
            } else if channels == 3 {
                let [red, green, blue] =
                    [0, 1, 2].map(|c| &picture[(c * height + y) * width..][..width]);
                for (((pixel, r), g), b) in to
                    .as_chunks_mut::<3>()
                    .0
                    .iter_mut()
                    .zip(red)
                    .zip(green)
                    .zip(blue)
                {
                    *pixel = [*r, *g, *b];
                }
            } else {
                for channel in 0..channels {
                    let plane = &picture[(channel * height + y) * width..][..width];
                    for (number, from) in to[channel..].iter_mut().step_by(channels).zip(plane) {
                        *number = *from;
                    }
                }
            }
        };
        self.means.crew.fill(room, row, |rows, to| {
            for (y, to) in rows.zip(to.chunks_exact_mut(row)) {
                pad_row(y, to);
            }
        });
    }
}

/// A convolution of each channel by itself, and its activation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Depthwise {
    pub(super) filter: Arc<Filter>,
    pub(super) input: Pictures,
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(Depthwise, "UsherDepthwise");

impl EvalOp for Depthwise {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let pictures = numbers(&inputs[0])?;
        let Pictures { height, width, .. } = self.input;
        let each = self.input.numbers();
        filled(&self.means.memory, self.output, |i, output| {
            let picture = &pictures[i * each..(i + 1) * each];
            self.filter.run(
                &self.means.crew,
                (picture, height, width),
                (output, self.output.height, self.output.width),
            );
        })
    }
}

/// The largest number under each window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct MaxPool {
    /// First row and rows of each window, within the input.
    pub(super) rows: Vec<[usize; 2]>,
    /// The same for columns.
    pub(super) columns: Vec<[usize; 2]>,
    pub(super) input: Pictures,
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(MaxPool, "UsherMaxPool");

impl EvalOp for MaxPool {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let pictures = numbers(&inputs[0])?;
        let Pictures {
            width, channels, ..
        } = self.input;
        let each = self.input.numbers();
        filled(&self.means.memory, self.output, |i, output| {
            let picture = &pictures[i * each..(i + 1) * each];
            self.means.kernel.max_pool(
                &self.means.crew,
                (picture, width, channels),
                &self.rows,
                &self.columns,
                output,
            );
        })
    }
}

/// One picture plus another, which is `factor` times smaller and whose pixels are repeated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sum {
    pub(super) factor: usize,
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(Sum, "UsherSum");

impl EvalOp for Sum {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (one, other) = (numbers(&inputs[0])?, numbers(&inputs[1])?);
        let Pictures {
            height,
            width,
            channels,
            ..
        } = self.output;
        let each = self.output.numbers();
        let of_other = each / (self.factor * self.factor);
        filled(&self.means.memory, self.output, |i, output| {
            let one = &one[i * each..(i + 1) * each];
            let other = &other[i * of_other..(i + 1) * of_other];
            self.means
                .kernel
                .sum([height, width, channels], one, (other, self.factor), output);
        })
    }
}

/// Pictures of one size side by side: the channels of the first, then those of the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Join {
    /// Channels of each.
    pub(super) channels: Vec<usize>,
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(Join, "UsherJoin");

impl EvalOp for Join {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let Pictures {
            height,
            width,
            channels: all,
            ..
        } = self.output;
        let parts = inputs
            .iter()
            .map(numbers)
            .collect::<TractResult<TVec<_>>>()?;
        filled(&self.means.memory, self.output, |i, output| {
            self.means.crew.fill(output, all, |pixels, output| {
                let mut first = 0;
                for (input, &channels) in parts.iter().zip(&self.channels) {
                    let before = i * height * width + pixels.start;
                    let pixels = input[before * channels..].chunks_exact(channels);
                    for (to, pixel) in output.chunks_exact_mut(all).zip(pixels) {
                        to[first..first + channels].copy_from_slice(pixel);
                    }
                    first += channels;
                }
            });
        })
    }
}

/// Local response normalization across channels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Normalize {
    /// Channels on either side whose squares count.
    pub(super) reach: usize,
    /// What a sum of squares is multiplied by, and what is added to that: bits of f32.
    pub(super) weight: u32,
    /// See `weight`.
    pub(super) bias: u32,
    pub(super) output: Pictures,
    pub(super) means: Means,
}

operator!(Normalize, "UsherNormalize");

impl EvalOp for Normalize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let Means {
            kernel,
            crew,
            memory,
        } = &self.means;
        let band = (
            self.reach,
            f32::from_bits(self.weight),
            f32::from_bits(self.bias),
        );
        let pictures = numbers(&inputs[0])?;
        let each = self.output.numbers();
        filled(memory, self.output, |i, output| {
            let picture = &pictures[i * each..(i + 1) * each];
            kernel.normalize(crew, band, self.output.channels, picture, output);
        })
    }
}

/// A fully connected layer over one vector, and its activation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Dense {
    /// As the file has them: a row for each output.
    pub(super) weights: Arc<Tensor>,
    /// A number for each output.
    pub(super) bias: Arc<Tensor>,
    pub(super) relu: bool,
    pub(super) means: Means,
}

impl Dense {
    fn outputs(&self) -> usize {
        self.weights.shape()[0]
    }
}

impl Op for Dense {
    fn name(&self) -> StaticName {
        "UsherDense".into()
    }
    op_as_typed_op!();
}

impl TypedOp for Dense {
    fn output_facts(&self, _inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact([1, self.outputs()])))
    }
    as_op!();
}

impl EvalOp for Dense {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let Means {
            kernel,
            crew,
            memory,
        } = &self.means;
        let mut output = memory.take(&[1, self.outputs()])?;
        kernel.dense(
            crew,
            (of(&self.weights)?, of(&self.bias)?, self.relu),
            numbers(&inputs[0])?,
            output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?,
        );
        Ok(tvec!(memory.keep(output)))
    }
}
