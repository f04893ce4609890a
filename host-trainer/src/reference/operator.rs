//! The operators as their definitions say, in loops over channels, rows and columns.

use std::ops::Range;

use crate::network::op::{BATCH_NORM_EPSILON, Conv, L2_EPSILON, L2_POOL_EPSILON, Lrn, Window};
use crate::network::shape::Shape;

/// The taps of the window at `position` that lie on the input; the others are on padding. Tap `t`
/// is at pixel `position * stride + t - before`.
fn covered(window: &Window, position: usize, before: usize, extent: usize) -> Range<usize> {
    let start = position * window.stride;
    let until = |end: usize| end.saturating_sub(start).min(window.kernel);
    until(before)..until(before + extent)
}

/// The sum of products, in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
    products.sum()
}

/// Convolution with zero padding; `weight` is [out, in / groups, k, k], `bias` empty or one value
/// per output.
pub(super) fn conv(
    conv: &Conv,
    entering: Shape,
    leaving: Shape,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let window = &conv.window;
    let (top, left) = (window.padding.top, window.padding.left);
    let depth = entering.channels / conv.groups;
    let out_depth = leaving.channels / conv.groups;
    let mut output = Vec::with_capacity(leaving.volume());
    for out in 0..leaving.channels {
        let first = out / out_depth * depth;
        for y in 0..leaving.height {
            for x in 0..leaving.width {
                let columns = covered(window, x, left, entering.width);
                let column = x * window.stride + columns.start - left;
                let mut sum = bias.get(out).map_or(0.0, |b| f64::from(*b));
                for i in 0..depth {
                    for ky in covered(window, y, top, entering.height) {
                        let row = y * window.stride + ky - top;
                        let line = ((first + i) * entering.height + row) * entering.width;
                        let taps = ((out * depth + i) * window.kernel + ky) * window.kernel;
                        let pixels = &input[line + column..][..columns.len()];
                        let taps = &weight[taps + columns.start..][..columns.len()];
                        sum += dot(pixels, taps);
                    }
                }
                output.push(sum as f32);
            }
        }
    }
    output
}

/// `weight * input + bias`; `weight` is [out, in], `bias` empty or one value per output.
pub(super) fn linear(out: usize, input: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let row = |o: usize| {
        let weights = &weight[o * input.len()..(o + 1) * input.len()];
        (dot(input, weights) + bias.get(o).map_or(0.0, |b| f64::from(*b))) as f32
    };
    (0..out).map(row).collect()
}

/// The largest of the pieces of `weight * input + bias`, whose rows lie piece by piece.
pub(super) fn maxout(
    out: usize,
    pieces: usize,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Vec<f32> {
    let values = linear(out * pieces, input, weight, bias);
    let largest = |o: usize| {
        let of_unit = values.iter().skip(o).step_by(out);
        of_unit.copied().fold(f32::NEG_INFINITY, f32::max)
    };
    (0..out).map(largest).collect()
}

/// Applies `per_value(channel, value)` to every value.
fn by_channel(shape: Shape, input: &[f32], per_value: impl Fn(usize, f64) -> f64) -> Vec<f32> {
    let area = shape.height * shape.width;
    let value = |(i, x): (usize, &f32)| per_value(i / area, f64::from(*x)) as f32;
    input.iter().enumerate().map(value).collect()
}

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias` with the running statistics.
pub(super) fn batch_norm(
    shape: Shape,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    (mean, variance): (&[f32], &[f32]),
) -> Vec<f32> {
    by_channel(shape, input, |c, x| {
        let deviation = (f64::from(variance[c]) + f64::from(BATCH_NORM_EPSILON)).sqrt();
        (x - f64::from(mean[c])) / deviation * f64::from(weight[c]) + f64::from(bias[c])
    })
}

/// `x` where it is positive, `slope * x` elsewhere.
pub(super) fn prelu(shape: Shape, input: &[f32], slope: &[f32]) -> Vec<f32> {
    by_channel(shape, input, |c, x| {
        if x > 0.0 { x } else { f64::from(slope[c]) * x }
    })
}

/// Local response normalization: the window lies symmetrically around the channel and is cut at
/// the first and last.
pub(super) fn lrn(lrn: &Lrn, shape: Shape, input: &[f32]) -> Vec<f32> {
    let area = shape.height * shape.width;
    let reach = lrn.size / 2;
    let mut output = Vec::with_capacity(input.len());
    for channel in 0..shape.channels {
        let window = channel.saturating_sub(reach)..(channel + reach + 1).min(shape.channels);
        for pixel in 0..area {
            let squares = window
                .clone()
                .map(|c| f64::from(input[c * area + pixel]).powi(2));
            let scale = f64::from(lrn.alpha) / lrn.size as f64 * squares.sum::<f64>();
            let divisor = (f64::from(lrn.bias) + scale).powf(f64::from(lrn.beta));
            output.push((f64::from(input[channel * area + pixel]) / divisor) as f32);
        }
    }
    output
}

/// What `of_window` makes of each window's values, those of the padding left out.
fn pool(
    window: &Window,
    entering: Shape,
    leaving: Shape,
    input: &[f32],
    of_window: impl Fn(&[f32]) -> f32,
) -> Vec<f32> {
    let mut output = Vec::with_capacity(leaving.volume());
    let (top, left) = (window.padding.top, window.padding.left);
    let mut seen = Vec::with_capacity(window.kernel * window.kernel);
    for channel in 0..leaving.channels {
        for y in 0..leaving.height {
            for x in 0..leaving.width {
                seen.clear();
                let columns = covered(window, x, left, entering.width);
                let column = x * window.stride + columns.start - left;
                for ky in covered(window, y, top, entering.height) {
                    let row = y * window.stride + ky - top;
                    let line = (channel * entering.height + row) * entering.width;
                    seen.extend(&input[line + column..][..columns.len()]);
                }
                output.push(of_window(&seen));
            }
        }
    }
    output
}

/// The largest value of each window among those that lie in the input.
pub(super) fn max_pool(
    window: &Window,
    entering: Shape,
    leaving: Shape,
    input: &[f32],
) -> Vec<f32> {
    pool(window, entering, leaving, input, |seen| {
        seen.iter().copied().fold(f32::NEG_INFINITY, f32::max)
    })
}

/// The square root of each window's sum of squares and an epsilon; padding adds nothing.
pub(super) fn l2_pool(window: &Window, entering: Shape, leaving: Shape, input: &[f32]) -> Vec<f32> {
    pool(window, entering, leaving, input, |seen| {
        let squares = seen.iter().map(|x| f64::from(*x).powi(2));
        (squares.sum::<f64>() + f64::from(L2_POOL_EPSILON)).sqrt() as f32
    })
}

/// The mean of each map.
pub(super) fn global_average_pool(entering: Shape, input: &[f32]) -> Vec<f32> {
    let area = entering.height * entering.width;
    let mean = |map: &[f32]| map.iter().copied().map(f64::from).sum::<f64>() / area as f64;
    input.chunks(area).map(|map| mean(map) as f32).collect()
}

/// `x / max(|x|, epsilon)`.
pub(super) fn l2_normalize(input: &[f32]) -> Vec<f32> {
    let squares = input.iter().map(|x| f64::from(*x).powi(2));
    let norm = squares.sum::<f64>().sqrt().max(f64::from(L2_EPSILON));
    input
        .iter()
        .map(|x| (f64::from(*x) / norm) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::op::Padding;

    // Each answer below was worked out by hand.

    const ROW: Shape = Shape {
        channels: 1,
        height: 1,
        width: 4,
    };

    #[test]
    fn convolution_pads_with_zeros_and_does_not_flip() {
        let window = Window {
            kernel: 2,
            stride: 1,
            padding: Padding {
                top: 0,
                left: 1,
                bottom: 1,
                right: 0,
            },
        };
        let operator = Conv {
            out_channels: 1,
            window,
            groups: 1,
            bias: true,
        };
        // The lower row of taps always lies on the padding below.
        let output = conv(
            &operator,
            ROW,
            ROW,
            &[1.0, 2.0, 3.0, 4.0],
            &[10.0, 1.0, 7.0, 7.0],
            &[0.5],
        );
        assert_eq!(output, [1.5, 12.5, 23.5, 34.5]);
    }

    #[test]
    fn groups_see_only_their_own_channels() {
        let window = Window {
            kernel: 1,
            stride: 1,
            padding: Padding::even(0),
        };
        let operator = Conv {
            out_channels: 4,
            window,
            groups: 2,
            bias: false,
        };
        let (entering, leaving) = (Shape::vector(4), Shape::vector(4));
        let weight = [1.0, 1.0, 1.0, -1.0, 2.0, 2.0, 0.0, 1.0];
        let output = conv(
            &operator,
            entering,
            leaving,
            &[1.0, 2.0, 3.0, 4.0],
            &weight,
            &[],
        );
        assert_eq!(output, [3.0, -1.0, 14.0, 4.0]);
    }

    #[test]
    fn padding_never_wins_a_pool() {
        let window = Window {
            kernel: 3,
            stride: 2,
            padding: Padding {
                top: 1,
                left: 0,
                bottom: 1,
                right: 1,
            },
        };
        let leaving = Shape {
            channels: 1,
            height: 1,
            width: 2,
        };
        let output = max_pool(&window, ROW, leaving, &[-4.0, -3.0, -2.0, -1.0]);
        assert_eq!(output, [-2.0, -1.0]);
    }

    #[test]
    fn linear_reads_its_weights_row_by_row() {
        let output = linear(2, &[1.0, 2.0], &[3.0, 4.0, 5.0, 6.0], &[0.0, 100.0]);
        assert_eq!(output, [11.0, 117.0]);
    }

    #[test]
    fn maxout_takes_the_largest_piece_of_each_unit() {
        // Rows 1x, -1x | 2x, 3x: unit 0 is max(x, 2x + 0.5), unit 1 max(-x + 10, 3x).
        let (weight, bias) = ([1.0, -1.0, 2.0, 3.0], [0.0, 10.0, 0.5, 0.0]);
        assert_eq!(maxout(2, 2, &[1.0], &weight, &bias), [2.5, 9.0]);
        assert_eq!(maxout(2, 2, &[-2.0], &weight, &bias), [-2.0, 12.0]);
        assert_eq!(maxout(2, 2, &[4.0], &weight, &[]), [8.0, 12.0]);
    }

    #[test]
    fn l2_pool_takes_no_mean_and_padding_adds_nothing() {
        let window = Window {
            kernel: 3,
            stride: 2,
            padding: Padding {
                top: 1,
                left: 1,
                bottom: 1,
                right: 0,
            },
        };
        let leaving = Shape {
            channels: 1,
            height: 1,
            width: 2,
        };
        // Padding, 3, 4: 9 + 16; and 4, 0, -3: 16 + 9.
        let output = l2_pool(&window, ROW, leaving, &[3.0, 4.0, 0.0, -3.0]);
        assert_eq!(output, [5.0, 5.0]);
        let output = l2_pool(&window, ROW, leaving, &[0.0; 4]);
        assert_eq!(output, [1e-6, 1e-6]);
    }

    #[test]
    fn the_global_average_is_of_each_map_alone() {
        let shape = Shape {
            channels: 2,
            height: 2,
            width: 1,
        };
        let output = global_average_pool(shape, &[1.0, 2.0, -5.0, 5.0]);
        assert_eq!(output, [1.5, 0.0]);
    }

    #[test]
    fn batch_norm_uses_the_running_statistics() {
        let variance = 4.0 - BATCH_NORM_EPSILON;
        let output = batch_norm(
            Shape::vector(1),
            &[5.0],
            &[3.0],
            &[1.0],
            (&[2.0], &[variance]),
        );
        assert_eq!(output, [5.5]);
    }

    #[test]
    fn lrn_is_cut_at_the_first_and_last_channel() {
        let operator = Lrn {
            size: 3,
            alpha: 3.0,
            beta: 0.75,
            bias: 2.0,
        };
        // Sums of squares 1 + 4 = 5, 1 + 4 + 9 = 14, 4 + 9 = 13; plus 2, to the power 0.75.
        let output = lrn(&operator, Shape::vector(3), &[1.0, 2.0, 3.0]);
        let expected = [
            1.0 / 7f64.powf(0.75),
            2.0 / 16f64.powf(0.75),
            3.0 / 15f64.powf(0.75),
        ];
        assert_eq!(output, expected.map(|x| x as f32));
        assert_eq!(output[1], 0.25);
    }

    #[test]
    fn prelu_slopes_belong_to_channels() {
        let shape = Shape {
            channels: 2,
            height: 1,
            width: 2,
        };
        let output = prelu(shape, &[-1.0, 2.0, -3.0, 4.0], &[0.5, -2.0]);
        assert_eq!(output, [-0.5, 2.0, 6.0, 4.0]);
    }

    #[test]
    fn l2_normalize_gives_unit_length_and_keeps_zero() {
        assert_eq!(l2_normalize(&[3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(l2_normalize(&[0.0, 0.0]), [0.0, 0.0]);
    }
}
