//! Average link between neighbors: for sets whose distances of all pairs fit no memory.
//!
//! Each face knows its nearest neighbors; those within D are the edges of a graph, and only groups
//! with an edge between them may become one. The mean distance of two groups of unit vectors needs
//! no pairs: it is 2 - 2 (sum of one · sum of the other) / (their sizes' product). So the merges are
//! average link's own, nearest groups first and cut at the same D, and a chain of likenesses does
//! not pull strangers together, as it does with connected components (DBSCAN). What is lost is a
//! merge of groups no member of which is among the nearest of another.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use shared::Threshold;

use super::{Clustering, Rows, Sets, distance_of, neighbors, product};

/// Neighbors of each face.
const NEIGHBORS: usize = 24;

/// Two groups that may become one.
struct Edge {
    /// Their mean distance when it was last taken.
    distance: f32,
    /// A member of each.
    members: [u32; 2],
    /// Their sizes then.
    sizes: [u32; 2],
}

impl Ord for Edge {
    /// The nearest is the greatest, as a heap wants it; members decide between equals.
    fn cmp(&self, other: &Self) -> Ordering {
        let by_distance = other.distance.total_cmp(&self.distance);
        by_distance.then_with(|| other.members.cmp(&self.members))
    }
}

impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Edge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Edge {}

pub(super) fn cluster(rows: Rows<'_>, threshold: Threshold) -> Clustering {
    let faces = rows.count();
    let mut edges = BinaryHeap::new();
    for (face, near) in neighbors::nearest(rows, NEIGHBORS).into_iter().enumerate() {
        for (other, distance) in near {
            if distance <= threshold.value() {
                let face = face as u32;
                let members = [face.min(other), face.max(other)];
                edges.push(Edge {
                    distance,
                    members,
                    sizes: [1, 1],
                });
            }
        }
    }
    let mut sets = Sets::new(faces);
    let mut sizes = vec![1_u32; faces];
    let dimension = rows.dimension();
    let mut sums = rows.values.to_vec();
    while let Some(edge) = edges.pop() {
        let [a, b] = edge.members.map(|member| sets.find(member as usize));
        if a == b {
            continue;
        }
        // Merging groups never brings one nearer to a third than the nearer of them was, so an edge
        // whose groups grew is looked at again in its turn, not at each merge.
        if [sizes[a], sizes[b]] != edge.sizes {
            let [sum_a, sum_b] = [a, b].map(|group| &sums[group * dimension..][..dimension]);
            let pairs = sizes[a] as f32 * sizes[b] as f32;
            let distance = distance_of(product(sum_a, sum_b) / pairs);
            if distance <= threshold.value() {
                let sizes = [sizes[a], sizes[b]];
                edges.push(Edge {
                    distance,
                    sizes,
                    ..edge
                });
            }
            continue;
        }
        sets.join(a, b);
        sizes[a] += sizes[b];
        for column in 0..dimension {
            sums[a * dimension + column] += sums[b * dimension + column];
        }
    }
    sets.clustering()
}
