//! Where t-SNE starts: every row's place along the two directions in which rows vary most.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Standard deviation of the start along x: so small that forces decide, not the start's extent.
const DEVIATION: f32 = 1e-4;
/// Of that, what is random: equal rows must be able to part.
const RANDOM: f32 = 1e-2;
/// Steps of power iteration. A start need not be exact to be good.
const ITERATIONS: usize = 100;

/// x and y of each row, point after point.
///
/// # Panics
/// If `rows` is no whole number of rows of `dimension` numbers.
pub(super) fn widest(rows: &[f32], dimension: usize, seed: u64) -> Vec<f32> {
    let count = rows.len() / dimension;
    let Ok(rows) = ArrayView2::from_shape((count, dimension), rows) else {
        panic!("expected rows of {dimension} numbers, found {}", rows.len());
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mean = rows
        .mean_axis(Axis(0))
        .unwrap_or_else(|| Array1::zeros(dimension));
    let centered = &rows - &mean;
    let covariance = centered.t().dot(&centered) / count as f32;
    let mut axes: Vec<Array1<f32>> = Vec::new();
    for _ in 0..2 {
        let axis = direction(&covariance, &axes, &mut random);
        axes.push(axis);
    }
    let x = centered.dot(&axes[0]);
    let y = centered.dot(&axes[1]);
    let deviation = (x.dot(&x) / count as f32).sqrt();
    let scale = if deviation > 0.0 {
        DEVIATION / deviation
    } else {
        0.0
    };
    let mut jitter = || random.random_range(-1.0..1.0f32) * DEVIATION * RANDOM;
    x.iter()
        .zip(&y)
        .flat_map(|(x, y)| [x * scale + jitter(), y * scale + jitter()])
        .collect()
}

/// The direction of most variance at right angles to those known; its largest part is positive.
fn direction(
    covariance: &Array2<f32>,
    known: &[Array1<f32>],
    random: &mut ChaCha8Rng,
) -> Array1<f32> {
    let mut axis = Array1::from_shape_fn(covariance.nrows(), |_| random.random_range(-1.0..1.0));
    for _ in 0..ITERATIONS {
        let mut next = covariance.dot(&axis);
        for other in known {
            let along = next.dot(other);
            next.scaled_add(-along, other);
        }
        let length = next.dot(&next).sqrt();
        // Nothing varies in any other direction: then any will do.
        if length <= f32::MIN_POSITIVE {
            return Array1::zeros(covariance.nrows());
        }
        axis = next / length;
    }
    let largest = axis
        .iter()
        .copied()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()));
    if largest.is_some_and(|largest| largest < 0.0) {
        -axis
    } else {
        axis
    }
}
