//! New faces into old clusters: each to the cluster whose faces are nearest on average, if that is
//! within D.

use ndarray::Array2;
use rayon::prelude::*;
use shared::Threshold;

use super::{Rows, distance_of};

/// The old cluster of each new face: the one with the least mean distance, if at most D.
///
/// `clusters[i]` are the rows of `old` in cluster i. The mean squared distance of a unit vector to
/// those of a cluster is 2 - 2 x their mean · it, so no pair is looked at.
pub fn assign(
    old: Rows<'_>,
    clusters: &[Vec<usize>],
    new: Rows<'_>,
    threshold: Threshold,
) -> Vec<Option<usize>> {
    if clusters.is_empty() {
        return vec![None; new.count()];
    }
    let means = means(old, clusters);
    let nearest = |face: usize| {
        let row = ndarray::ArrayView1::from(new.row(face));
        let products = means.dot(&row);
        let best = products
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1));
        let (cluster, product) = best?;
        (distance_of(*product) <= threshold.value()).then_some(cluster)
    };
    (0..new.count()).into_par_iter().map(nearest).collect()
}

/// The mean of each cluster's rows, not of unit length: the shorter, the more scattered they are.
pub fn means(rows: Rows<'_>, clusters: &[Vec<usize>]) -> Array2<f32> {
    let mut means = Array2::zeros((clusters.len(), rows.dimension()));
    for (members, mut mean) in clusters.iter().zip(means.rows_mut()) {
        for member in members {
            mean += &ndarray::ArrayView1::from(rows.row(*member));
        }
        mean /= members.len().max(1) as f32;
    }
    means
}

/// Squared distance of each row to the center of its cluster, the unit vector along the mean.
pub fn to_center(rows: Rows<'_>, clusters: &[Vec<usize>]) -> Vec<f32> {
    let means = means(rows, clusters);
    let mut distances = vec![0.0; rows.count()];
    for (members, mean) in clusters.iter().zip(means.rows()) {
        let length = mean.dot(&mean).sqrt();
        for member in members {
            let product = mean.dot(&ndarray::ArrayView1::from(rows.row(*member)));
            distances[*member] = if length > 0.0 {
                distance_of(product / length)
            } else {
                2.0
            };
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_face_joins_the_nearest_cluster_within_d() {
        let old = [1.0, 0.0, 0.6, 0.8, -1.0, 0.0];
        let (old, clusters) = (Rows::new(&old, 2).unwrap(), [vec![0, 1], vec![2]]);
        // Mean distances: to the first (0 + 0.8) / 2 = 0.4; to the second 0.4; of the third 2 and 2.4.
        let new = [1.0, 0.0, -0.8, -0.6, 0.0, -1.0];
        let new = Rows::new(&new, 2).unwrap();
        for (d, expected) in [
            (0.41, [Some(0), Some(1), None]),
            (0.39, [None, None, None]),
            (2.01, [Some(0), Some(1), Some(1)]),
        ] {
            let found = assign(old, &clusters, new, Threshold::new(d).unwrap());
            assert_eq!(found, expected, "{d}");
        }
        assert_eq!(
            assign(old, &[], new, Threshold::new(4.0).unwrap()),
            [None; 3]
        );
        // The middle between (1, 0) and (0.6, 0.8) is 2 - 2 sqrt(0.8) from both.
        let distances = to_center(old, &clusters);
        let expected = 2.0 - 2.0 * 0.8_f32.sqrt();
        for (found, expected) in distances.iter().zip([expected, expected, 0.0]) {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
