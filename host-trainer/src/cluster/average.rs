//! Agglomerative clustering by average link (UPGMA), cut at D.
//!
//! By the crate kodama's nearest-neighbor chains (Müllner, "Modern hierarchical, agglomerative
//! clustering algorithms", 2011): n² steps on the distances of all pairs. kodama is small, finished,
//! without dependencies, and tested against Müllner's own fastcluster.

use kodama::{Method, linkage};
use ndarray::{Axis, Slice};
use rayon::prelude::*;
use shared::Threshold;

use super::{ClusterError, Clustering, Rows, Sets, distance_of};

/// Most bytes that the distances may take: 31,622 faces.
pub const MEMORY_LIMIT: u64 = 2_000_000_000;
/// Rows of a block of distances.
const BLOCK: usize = 256;

/// What the distances of so many faces take, in bytes.
pub fn memory(faces: usize) -> u64 {
    let faces = faces as u64;
    faces * faces.saturating_sub(1) / 2 * size_of::<f32>() as u64
}

pub(super) fn cluster(rows: Rows<'_>, threshold: Threshold) -> Result<Clustering, ClusterError> {
    let faces = rows.count();
    let bytes = memory(faces);
    if bytes > MEMORY_LIMIT {
        return Err(ClusterError::Memory { faces, bytes });
    }
    let mut sets = Sets::new(faces);
    if faces < 2 {
        return Ok(sets.clustering());
    }
    let mut distances = condensed(rows);
    let dendrogram = linkage(&mut distances, faces, Method::Average);
    // A step's clusters are faces, or faces + the number of an earlier step.
    let mut face_of: Vec<usize> = (0..faces).collect();
    for step in dendrogram.steps() {
        let (a, b) = (face_of[step.cluster1], face_of[step.cluster2]);
        face_of.push(a);
        if step.dissimilarity <= threshold.value() {
            let (a, b) = (sets.find(a), sets.find(b));
            sets.join(a, b);
        }
    }
    Ok(sets.clustering())
}

/// Distances of all pairs: the upper triangle, row after row, without the diagonal.
fn condensed(rows: Rows<'_>) -> Vec<f32> {
    let faces = rows.count();
    let mut distances = vec![0.0_f32; faces * (faces - 1) / 2];
    // Each block of rows owns one run of the triangle, so threads never meet.
    let mut rest = distances.as_mut_slice();
    let mut blocks = Vec::new();
    for start in (0..faces).step_by(BLOCK) {
        let end = faces.min(start + BLOCK);
        let length: usize = (start..end).map(|row| faces - 1 - row).sum();
        let (block, after) = rest.split_at_mut(length);
        blocks.push((start, end, block));
        rest = after;
    }
    let all = rows.view();
    blocks.into_par_iter().for_each(|(start, end, block)| {
        let own = all.slice_axis(Axis(0), Slice::from(start..end));
        // In blocks of columns, so that the products stay in the cache.
        for column in (start..faces).step_by(BLOCK) {
            let columns = column..faces.min(column + BLOCK);
            let products = own.dot(&all.slice_axis(Axis(0), Slice::from(columns.clone())).t());
            let mut row_start = 0;
            for (row, products) in (start..end).zip(products.rows()) {
                for (other, product) in columns.clone().zip(products) {
                    if other > row {
                        block[row_start + other - row - 1] = distance_of(*product);
                    }
                }
                row_start += faces - 1 - row;
            }
        }
    });
    distances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{product, synthetic::Synthetic};

    #[test]
    fn every_distance_is_at_its_place() {
        let faces = BLOCK + 45;
        let made = Synthetic {
            faces,
            people: 9,
            ..Synthetic::default()
        }
        .make();
        let rows = made.rows();
        let distances = condensed(rows);
        assert_eq!(distances.len() as u64 * 4, memory(faces));
        let mut place = distances.iter();
        for a in 0..faces {
            for b in a + 1..faces {
                let expected = distance_of(product(rows.row(a), rows.row(b)));
                let found = *place.next().unwrap();
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{a}, {b}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn ten_thousand_faces_take_200_megabytes() {
        assert_eq!(memory(10_000), 199_980_000);
        assert!(memory(31_622) <= MEMORY_LIMIT && memory(31_624) > MEMORY_LIMIT);
    }
}
