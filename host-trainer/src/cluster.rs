//! Who is who without names: faces grouped by their embeddings alone.
//!
//! Three ways, all on unit vectors and squared L2. [`Method::Average`] is average link cut at D: two
//! groups become one while the mean distance of their faces to one another is at most D. It holds
//! every distance in memory, 4 bytes for each pair of faces. [`Method::Graph`] asks the same of
//! groups that are neighbors, and needs no more memory than the faces themselves, so it takes
//! 100,000 faces and more. [`Method::Density`] is HDBSCAN, which knows no D: it finds for each
//! group its own density, and time grows with the square of the faces.

mod average;
mod density;
mod graph;
pub mod growth;
pub mod metrics;
mod neighbors;
pub mod store;
pub mod synthetic;

use std::fmt;

use shared::Threshold;

pub use average::{MEMORY_LIMIT, memory};
pub use density::FACES_LIMIT;

/// Above so many faces [`Method::automatic`] takes the graph: average link would hold 800 MB.
const AVERAGE_UP_TO: usize = 20_000;

/// Embeddings as rows of a matrix.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    dimension: usize,
}

/// How faces are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Average link by nearest-neighbor chains, cut at D.
    Average,
    /// HDBSCAN: density, without D.
    Density,
    /// Average link between neighbors in a graph, cut at D.
    Graph,
}

/// Which face is in which cluster: numbers from 0, the largest cluster first, lone faces last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clustering {
    /// Cluster of each face, in the order of faces.
    pub of_face: Vec<usize>,
    /// Faces in each cluster, at least 1, falling.
    pub sizes: Vec<usize>,
}

/// Why faces cannot be grouped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A matrix that is none.
    #[error(
        "expected rows of {dimension} numbers, found {found} numbers in all; read the embeddings again"
    )]
    Extent {
        /// Numbers in a row.
        dimension: usize,
        /// Numbers given.
        found: usize,
    },
    /// A row that is no unit vector.
    #[error(
        "expected rows of length 1, found length {length} in row {row}; make the embeddings again"
    )]
    NotUnit {
        /// The first such row, from 0.
        row: usize,
        /// Its length.
        length: f32,
    },
    /// All distances do not fit.
    #[error(
        "average link of {faces} faces needs {} GB for their distances, the limit is {} GB; take --method graph, which needs none of it",
        .bytes / 1_000_000_000, MEMORY_LIMIT / 1_000_000_000
    )]
    Memory {
        /// Faces given.
        faces: usize,
        /// What their distances take.
        bytes: u64,
    },
    /// HDBSCAN would take hours.
    #[error(
        "the density method takes at most {FACES_LIMIT} faces, found {faces}; take --method graph"
    )]
    Faces {
        /// Faces given.
        faces: usize,
    },
}

impl<'a> Rows<'a> {
    /// The rows of f32 [N, dimension], each of unit length.
    ///
    /// # Errors
    /// [`ClusterError::Extent`] and [`ClusterError::NotUnit`].
    pub fn new(values: &'a [f32], dimension: usize) -> Result<Self, ClusterError> {
        if dimension == 0 || !values.len().is_multiple_of(dimension) {
            let found = values.len();
            return Err(ClusterError::Extent { dimension, found });
        }
        let length = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>().sqrt();
        let lengths = values.chunks_exact(dimension).map(length);
        // Rounding to f32 moves a length by far less; a NaN is no length either.
        match lengths
            .enumerate()
            .find(|(_, length)| !(0.999..1.001).contains(length))
        {
            Some((row, length)) => Err(ClusterError::NotUnit { row, length }),
            None => Ok(Self { values, dimension }),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.dimension
    }

    /// Numbers in each.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// One of them.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.dimension..][..self.dimension]
    }

    /// All as a matrix.
    fn view(&self) -> ndarray::ArrayView2<'a, f32> {
        let extents = (self.count(), self.dimension);
        ndarray::ArrayView2::from_shape(extents, self.values)
            .unwrap_or_else(|error| unreachable!("checked when made: {error}"))
    }
}

impl fmt::Debug for Rows<'_> {
    /// Extents alone, so that no embedding reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({}x{})", self.count(), self.dimension)
    }
}

/// Squared L2 of unit vectors whose product is that.
fn distance_of(product: f32) -> f32 {
    (2.0 - 2.0 * product).clamp(0.0, 4.0)
}

/// Scalar product of two rows of one length, in eight sums that processors add at once.
fn product(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

impl Method {
    /// Average link as long as the distances are a small part of memory, the graph beyond.
    pub fn automatic(faces: usize) -> Self {
        match faces {
            0..=AVERAGE_UP_TO => Self::Average,
            _ => Self::Graph,
        }
    }

    /// Groups the faces; the same rows give the same groups on every machine and every run.
    ///
    /// # Errors
    /// [`ClusterError`] where there are too many faces for the method.
    pub fn cluster(self, rows: Rows<'_>, threshold: Threshold) -> Result<Clustering, ClusterError> {
        match self {
            Self::Average => average::cluster(rows, threshold),
            Self::Density => density::cluster(rows),
            Self::Graph => Ok(graph::cluster(rows, threshold)),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Average => "average",
            Self::Density => "density",
            Self::Graph => "graph",
        })
    }
}

impl Clustering {
    /// The clustering in which faces of equal marks are together.
    pub fn of_marks(marks: &[usize]) -> Self {
        let mut order = std::collections::HashMap::<usize, (usize, usize)>::new();
        for (face, mark) in marks.iter().enumerate() {
            order.entry(*mark).or_insert((0, face)).0 += 1;
        }
        let mut clusters: Vec<(usize, (usize, usize))> = order.into_iter().collect();
        // The larger first, of equal ones the one whose face comes first.
        clusters.sort_by_key(|(_, (size, first))| (std::cmp::Reverse(*size), *first));
        let number: std::collections::HashMap<usize, usize> = clusters
            .iter()
            .enumerate()
            .map(|(number, (mark, _))| (*mark, number))
            .collect();
        Self {
            of_face: marks.iter().map(|mark| number[mark]).collect(),
            sizes: clusters.iter().map(|(_, (size, _))| *size).collect(),
        }
    }

    /// The faces of each cluster.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.sizes.len()];
        for (face, cluster) in self.of_face.iter().enumerate() {
            members[*cluster].push(face);
        }
        members
    }

    /// Clusters of two faces and more.
    pub fn groups(&self) -> usize {
        self.sizes.iter().filter(|size| **size > 1).count()
    }

    /// Faces in no such cluster.
    pub fn lone(&self) -> usize {
        self.sizes.len() - self.groups()
    }
}

/// Sets that are joined, each named by one of its members.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn find(&mut self, mut member: usize) -> usize {
        while self.0[member] != member {
            self.0[member] = self.0[self.0[member]];
            member = self.0[member];
        }
        member
    }

    /// Joins the set named `b` to the one named `a`, whose name stays.
    fn join(&mut self, a: usize, b: usize) {
        self.0[b] = a;
    }

    fn clustering(mut self) -> Clustering {
        let marks: Vec<usize> = (0..self.0.len()).map(|face| self.find(face)).collect();
        Clustering::of_marks(&marks)
    }
}

#[cfg(test)]
mod tests;
