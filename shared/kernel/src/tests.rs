//! Every instruction set of this machine against plain sums in f64, over seeded shapes.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Of the largest value: some hundred roundings of f32 in a row.
const TOLERANCE: f64 = 1e-5;
const SHAPES: usize = 120;

fn numbers(draw: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| draw.random_range(-1.0..1.0)).collect()
}

fn activation(draw: &mut ChaCha8Rng, channels: usize) -> Activation {
    match draw.random_range(0..3) {
        0 => Activation::Linear,
        1 => Activation::Relu,
        _ => Activation::PRelu(Numbers::of(&numbers(draw, channels))),
    }
}

fn activated(sum: f64, activation: &Activation, channel: usize) -> f64 {
    match activation {
        Activation::Linear => sum,
        Activation::Relu => sum.max(0.0),
        Activation::PRelu(slopes) => {
            sum.max(0.0) + f64::from(slopes.as_slice()[channel]) * sum.min(0.0)
        }
    }
}

fn agree(name: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected
        .iter()
        .fold(1.0_f64, |largest, e| largest.max(e.abs()));
    for (at, (f, e)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*f) - e).abs();
        assert!(
            off <= TOLERANCE * largest,
            "{name}, number {at}: {f}, expected {e}"
        );
    }
}

/// What a kernel makes by one thread, which is what it makes by three, to the last bit.
fn alone_and_together(len: usize, run: impl Fn(&Crew, &mut [f32])) -> Vec<f32> {
    let [alone, together] = [Crew::default(), Crew::eager(3)].map(|crew| {
        let mut output = vec![f32::NAN; len];
        run(&crew, &mut output);
        output
    });
    assert_eq!(alone, together);
    alone
}

#[test]
fn products_agree_with_plain_sums() {
    let mut draw = ChaCha8Rng::seed_from_u64(81);
    for _ in 0..SHAPES {
        let channels = draw.random_range(1..150);
        let (segments, depth) = (draw.random_range(1..4), draw.random_range(1..80));
        let grid = Grid {
            rows: draw.random_range(1..4),
            columns: draw.random_range(1..60),
            pixel: draw.random_range(0..90),
            row: draw.random_range(0..300),
            segments,
            segment: draw.random_range(0..100),
            depth,
        };
        let last = (grid.rows - 1) * grid.row
            + (grid.columns - 1) * grid.pixel
            + (segments - 1) * grid.segment;
        let input = numbers(&mut draw, last + depth);
        let weights = numbers(&mut draw, segments * depth * channels);
        let bias = numbers(&mut draw, channels);
        let activation = activation(&mut draw, channels);
        let added = draw
            .random_bool(0.5)
            .then(|| numbers(&mut draw, grid.rows * grid.columns * channels));
        let mut expected = vec![];
        for pixel in 0..grid.rows * grid.columns {
            let place = pixel / grid.columns * grid.row + pixel % grid.columns * grid.pixel;
            for channel in 0..channels {
                let product = |i: usize| {
                    let number = input[place + i / depth * grid.segment + i % depth];
                    f64::from(number) * f64::from(weights[i * channels + channel])
                };
                let sum =
                    f64::from(bias[channel]) + (0..segments * depth).map(product).sum::<f64>();
                let added = added
                    .as_ref()
                    .map_or(0.0, |added| f64::from(added[expected.len()]));
                expected.push(activated(sum, &activation, channel) + added);
            }
        }
        for kernel in Kernel::of_this_machine() {
            let mixing = Mixing::new(kernel, &weights, &bias, activation.clone());
            let output = alone_and_together(expected.len(), |crew, output| {
                mixing.run(crew, grid, &input, added.as_deref(), output);
            });
            agree(
                &format!("{}, {grid:?}, {channels} channels", kernel.name()),
                &output,
                &expected,
            );
        }
    }
}

#[test]
fn winograd_is_for_square_kernels_and_channels_enough() {
    let pays = |kernel, channels| Winograd::pays(kernel, [28, 28], channels);
    assert!(pays([3, 3], [64, 64]) && pays([5, 5], [16, 32]));
    for kernel in [[3, 1], [3, 5], [1, 1], [7, 7]] {
        assert!(!pays(kernel, [64, 64]), "{kernel:?}");
    }
    assert!(!pays([3, 3], [1, 1]));
    // Few tiles for many weights.
    assert!(!Winograd::pays([3, 3], [4, 4], [512, 512]));
}

/// Against [`Mixing`], which is held against f64 above.
#[test]
fn winograd_agrees_with_plain_sums() {
    let mut draw = ChaCha8Rng::seed_from_u64(83);
    for shape in 0..SHAPES {
        let side = [3, 5][shape % 2];
        let [depth, channels] = [0, 1].map(|_| draw.random_range(1..90));
        let [rows, columns] = [0, 1].map(|_| draw.random_range(1..15));
        // Many tiles, too, of which not all are worked at together.
        let [rows, columns] = match shape {
            0 | 1 => [70, 90],
            _ => [rows, columns],
        };
        let [height, width] = [rows, columns].map(|len| Winograd::padded(side, len));
        let input = numbers(&mut draw, height * width * depth);
        let weights = numbers(&mut draw, side * side * depth * channels);
        let bias = numbers(&mut draw, channels);
        let activation = activation(&mut draw, channels);
        let added = draw
            .random_bool(0.5)
            .then(|| numbers(&mut draw, rows * columns * channels));
        let grid = Grid {
            rows,
            columns,
            pixel: depth,
            row: width * depth,
            segments: side,
            segment: width * depth,
            depth: side * depth,
        };
        let mut plain = vec![f32::NAN; rows * columns * channels];
        Mixing::new(Kernel::best(), &weights, &bias, activation.clone()).run(
            &Crew::default(),
            grid,
            &input,
            added.as_deref(),
            &mut plain,
        );
        let expected: Vec<f64> = plain.iter().map(|number| f64::from(*number)).collect();
        for kernel in Kernel::of_this_machine() {
            let winograd = Winograd::new(kernel, side, &weights, &bias, activation.clone());
            let extents = [rows, columns];
            let output = alone_and_together(expected.len(), |crew, output| {
                let mut room = vec![f32::NAN; winograd.room(extents)];
                winograd.run(crew, &input, extents, added.as_deref(), &mut room, output);
            });
            let name = kernel.name();
            agree(
                &format!("{name}, {side}, {rows} x {columns}, {depth} to {channels} channels"),
                &output,
                &expected,
            );
        }
    }
}

#[test]
fn filters_agree_with_plain_sums() {
    let mut draw = ChaCha8Rng::seed_from_u64(82);
    for shape in 0..SHAPES {
        let channels = draw.random_range(1..70);
        // Half of them of the size that has loops of its own.
        let size = if shape % 2 == 0 {
            [3, 3]
        } else {
            [draw.random_range(1..8), draw.random_range(1..8)]
        };
        let stride = [draw.random_range(1..4), draw.random_range(1..4)];
        let before = size.map(|size| draw.random_range(0..size));
        let after = size.map(|size| draw.random_range(0..size));
        let lengths = size.map(|size| draw.random_range(size..size + 20));
        let [rows, columns] =
            [0, 1].map(|i| (lengths[i] + before[i] + after[i] - size[i]) / stride[i] + 1);
        let [height, width] = lengths;
        let input = numbers(&mut draw, height * width * channels);
        let weights = numbers(&mut draw, size[0] * size[1] * channels);
        let bias = numbers(&mut draw, channels);
        let activation = activation(&mut draw, channels);
        let mut expected = vec![];
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            for channel in 0..channels {
                let mut sum = f64::from(bias[channel]);
                for (i, k) in (0..size[0]).flat_map(|i| (0..size[1]).map(move |k| (i, k))) {
                    let (y, x) = (row * stride[0] + i, column * stride[1] + k);
                    if (before[0]..before[0] + height).contains(&y)
                        && (before[1]..before[1] + width).contains(&x)
                    {
                        let at = ((y - before[0]) * width + x - before[1]) * channels + channel;
                        let weight = weights[(i * size[1] + k) * channels + channel];
                        sum += f64::from(input[at]) * f64::from(weight);
                    }
                }
                expected.push(activated(sum, &activation, channel));
            }
        }
        for kernel in Kernel::of_this_machine() {
            let filter = Filter::new(
                kernel,
                (size, stride, before),
                &weights,
                &bias,
                activation.clone(),
            );
            let output = alone_and_together(expected.len(), |crew, output| {
                filter.run(crew, (&input, height, width), (output, rows, columns));
            });
            let name = format!(
                "{}, {size:?} by {stride:?} on {lengths:?}, {channels} channels",
                kernel.name()
            );
            agree(&name, &output, &expected);
        }
    }
}

#[test]
fn fully_connected_layers_agree_with_plain_sums() {
    let mut draw = ChaCha8Rng::seed_from_u64(84);
    for shape in 0..SHAPES {
        let (depth, outputs) = (draw.random_range(1..200), draw.random_range(1..40));
        let input = numbers(&mut draw, depth);
        let weights = numbers(&mut draw, depth * outputs);
        let bias = numbers(&mut draw, outputs);
        let relu = shape % 2 == 0;
        let expected: Vec<f64> = weights
            .chunks_exact(depth)
            .zip(&bias)
            .map(|(row, bias)| {
                let products = row.iter().zip(&input);
                let sum: f64 = products.map(|(w, n)| f64::from(*w) * f64::from(*n)).sum();
                let sum = sum + f64::from(*bias);
                if relu { sum.max(0.0) } else { sum }
            })
            .collect();
        let mut fused: Option<Vec<f32>> = None;
        for kernel in Kernel::of_this_machine() {
            let output = alone_and_together(outputs, |crew, output| {
                kernel.dense(crew, (&weights, &bias, relu), &input, output);
            });
            let name = format!("{}, {depth} to {outputs}", kernel.name());
            agree(&name, &output, &expected);
            // All but the portable one round a product and its sum once.
            if kernel != Kernel(Set::Portable) {
                assert_eq!(
                    fused.get_or_insert_with(|| output.clone()),
                    &output,
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn normalization_agrees_with_plain_sums() {
    let mut draw = ChaCha8Rng::seed_from_u64(85);
    for _ in 0..SHAPES {
        let (pixels, channels) = (draw.random_range(1..30), draw.random_range(1..70));
        let reach = draw.random_range(0..5);
        let (weight, bias) = (draw.random_range(0.0..2.0), draw.random_range(0.1..2.0));
        let input = numbers(&mut draw, pixels * channels);
        let mut expected = vec![];
        for pixel in input.chunks_exact(channels) {
            for (channel, number) in pixel.iter().enumerate() {
                let around = channel.saturating_sub(reach)..(channel + reach + 1).min(channels);
                let sum: f64 = pixel[around].iter().map(|n| f64::from(*n).powi(2)).sum();
                let divisor = (f64::from(bias) + f64::from(weight) * sum).powf(0.75);
                expected.push(f64::from(*number) / divisor);
            }
        }
        for kernel in Kernel::of_this_machine() {
            let output = alone_and_together(expected.len(), |crew, output| {
                kernel.normalize(crew, (reach, weight, bias), channels, &input, output);
            });
            let name = format!("{}, {channels} channels, {reach}", kernel.name());
            agree(&name, &output, &expected);
        }
    }
}

#[test]
fn pools_and_sums_are_exact() {
    let mut draw = ChaCha8Rng::seed_from_u64(83);
    for channels in [1, 3, 4, 15, 16, 17, 64, 100] {
        let (height, width) = (draw.random_range(3..12), draw.random_range(3..12));
        let input = numbers(&mut draw, height * width * channels);
        let mut windows = |length: usize| -> Vec<[usize; 2]> {
            let first = draw.random_range(0..length);
            vec![
                [0, length],
                [first, draw.random_range(1..=length - first)],
                [length - 1, 1],
            ]
        };
        let (rows, columns) = (windows(height), windows(width));
        let mut largest = vec![];
        for ([y, high], [x, wide]) in rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| (*row, *column)))
        {
            for channel in 0..channels {
                let places = (y..y + high)
                    .flat_map(|y| (x..x + wide).map(move |x| (y * width + x) * channels + channel));
                largest.push(places.map(|at| input[at]).fold(f32::NEG_INFINITY, f32::max));
            }
        }
        let one = numbers(&mut draw, 6 * 8 * channels);
        let sums = [1, 2].map(|factor| {
            let other = numbers(&mut draw, 48 * channels / (factor * factor));
            let sum = |at: usize| {
                let (pixel, channel) = (at / channels, at % channels);
                let place = pixel / 8 / factor * (8 / factor) + pixel % 8 / factor;
                one[at] + other[place * channels + channel]
            };
            let sums: Vec<f32> = (0..one.len()).map(sum).collect();
            (factor, other, sums)
        });
        for kernel in Kernel::of_this_machine() {
            let output = alone_and_together(largest.len(), |crew, output| {
                kernel.max_pool(crew, (&input, width, channels), &rows, &columns, output);
            });
            assert_eq!(output, largest, "{}, {channels} channels", kernel.name());
            for (factor, other, expected) in &sums {
                let mut output = vec![f32::NAN; one.len()];
                kernel.sum([6, 8, channels], &one, (other, *factor), &mut output);
                assert_eq!(
                    &output,
                    expected,
                    "{}, {channels} channels, {factor}",
                    kernel.name()
                );
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    for kernel in Kernel::of_this_machine() {
        for activation in [
            Activation::Linear,
            Activation::Relu,
            Activation::PRelu(Numbers::of(&[0.5; 3])),
        ] {
            let grid = Grid {
                rows: 1,
                columns: 1,
                pixel: 1,
                row: 1,
                segments: 1,
                segment: 0,
                depth: 1,
            };
            let mut output = [0.0; 3];
            Mixing::new(kernel, &[1.0; 3], &[0.0; 3], activation).run(
                &Crew::default(),
                grid,
                &[f32::NAN],
                None,
                &mut output,
            );
            let mut of_dense = [0.0];
            let weights = (&[1.0][..], &[0.0][..], true);
            kernel.dense(&Crew::default(), weights, &[f32::NAN], &mut of_dense);
            assert!(
                output.iter().chain(&of_dense).all(|number| number.is_nan()),
                "{}",
                kernel.name()
            );
        }
    }
}

#[test]
#[should_panic(expected = "the grid within the input")]
fn a_grid_beyond_the_input_is_a_bug() {
    let mixing = Mixing::new(Kernel::best(), &[1.0; 4], &[0.0; 2], Activation::Linear);
    let grid = Grid {
        rows: 2,
        columns: 3,
        pixel: 2,
        row: 6,
        segments: 1,
        segment: 0,
        depth: 2,
    };
    mixing.run(&Crew::default(), grid, &[0.0; 11], None, &mut [0.0; 12]);
}
