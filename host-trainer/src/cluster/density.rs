//! Clustering by density: HDBSCAN (Campello, Moulavi, Zimek, Sander, 2015), which needs no D.
//!
//! By the crate petal-clustering. Tried on 5,000 faces x 128 on two cores, all with equal results:
//! petal-clustering 0.14 by Prim 2.4 s, its dual-tree Borůvka 11.8 s (trees do not help in 128
//! dimensions), the crate hdbscan 0.12 4.9 s on both cores.

use ndarray::ArrayView2;
use petal_clustering::{Fit, HDbscan};
use petal_neighbors::distance::Euclidean;

use super::{ClusterError, Clustering, Rows};

/// Most faces taken: 10,000 took 49 s on two busy cores, and time grows with the square.
pub const FACES_LIMIT: usize = 20_000;
/// Two pictures of a person are a group already.
const LEAST_FACES: usize = 2;

pub(super) fn cluster(rows: Rows<'_>) -> Result<Clustering, ClusterError> {
    let faces = rows.count();
    if faces > FACES_LIMIT {
        return Err(ClusterError::Faces { faces });
    }
    // Everyone alone at first: noise stays so.
    let mut marks: Vec<usize> = (0..faces).collect();
    if faces > LEAST_FACES {
        let view: ArrayView2<'_, f32> = rows.view();
        let mut hdbscan = HDbscan {
            alpha: 1.0,
            min_samples: LEAST_FACES,
            min_cluster_size: LEAST_FACES,
            metric: Euclidean::default(),
            boruvka: false,
        };
        let (clusters, _noise, _scores) = hdbscan.fit(&view, None);
        for members in clusters.into_values() {
            if let Some(first) = members.iter().min().copied() {
                for member in members {
                    marks[member] = first;
                }
            }
        }
    }
    Ok(Clustering::of_marks(&marks))
}
