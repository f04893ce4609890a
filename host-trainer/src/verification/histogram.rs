//! How many comparisons lie at which distance, to draw.

use serde::Serialize;

/// Counts in bins of equal width over all distances, 0 to 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Comparisons in each bin; bin i of n holds distances from 4 i / n, and below the next.
    pub counts: Vec<u64>,
}

/// Bins of a [`Histogram`] in a report: of 0.05.
pub const BINS: usize = 80;

impl Histogram {
    /// Counts squared L2 distances into that many bins; 4 itself belongs to the last.
    pub fn new(distances: &[f32], bins: usize) -> Self {
        let mut counts = vec![0; bins];
        for distance in distances {
            let bin = (f64::from(*distance) / 4.0 * bins as f64) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        Self { counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_distance_is_in_its_bin() {
        let histogram = Histogram::new(&[0.0, 0.99, 1.0, 2.5, 4.0], 4);
        assert_eq!(histogram.counts, [2, 1, 1, 1]);
    }
}
