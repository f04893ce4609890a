//! The nearest neighbors of every face: exactly, or among the cells around it.
//!
//! The approximate search is an inverted file (Jégou, Douze, Schmid, "Product quantization for
//! nearest neighbor search", 2011, section 4): faces lie in cells around centers, and a face looks
//! for its neighbors in the cells whose centers are nearest to it. A graph index was tried and left:
//! at 100,000 x 128 on two busy cores looking at every pair, in blocks, took 20 s, while the HNSW
//! indexes of hnsw_rs 0.3 and instant-distance 0.6 were not built after 250 s; those also differ
//! from run to run, as their threads meet. The cells are the same on every run.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Rows, distance_of};

/// Up to so many faces every pair is looked at: seconds on two cores.
const EXACT_UP_TO: usize = 50_000;
/// Faces in a cell, about.
const CELL: usize = 128;
/// Cells that a face looks into.
const PROBES: usize = 24;
/// Times that the centers move into the middle of their cells.
const ROUNDS: usize = 4;
/// Rows of a block of products.
const BLOCK: usize = 256;
const SEED: u64 = 0x7573_6865_7221;

/// Neighbors of a face with their squared distances, nearest first.
pub(super) type Near = Vec<(u32, f32)>;

/// The `count` nearest others of every face, or nearly.
pub(super) fn nearest(rows: Rows<'_>, count: usize) -> Vec<Near> {
    if rows.count() <= EXACT_UP_TO {
        exact(rows, count)
    } else {
        in_cells(rows, count)
    }
}

/// The `count` nearest others of every face.
fn exact(rows: Rows<'_>, count: usize) -> Vec<Near> {
    let all = rows.view();
    let starts: Vec<usize> = (0..rows.count()).step_by(BLOCK).collect();
    let block = |start: &usize| -> Vec<Near> {
        let own = rows_from(&all, *start);
        let mut best: Vec<Best> = own.rows().into_iter().map(|_| Best::new(count)).collect();
        for other in &starts {
            let products = own.dot(&rows_from(&all, *other).t());
            for (row, (best, products)) in best.iter_mut().zip(products.rows()).enumerate() {
                for (column, product) in products.iter().enumerate() {
                    if *product > best.least && other + column != start + row {
                        best.take((other + column) as u32, *product);
                    }
                }
            }
        }
        best.into_iter().map(Best::finish).collect()
    };
    starts.par_iter().map(block).flatten_iter().collect()
}

fn rows_from<'a>(all: &'a ArrayView2<'_, f32>, start: usize) -> ArrayView2<'a, f32> {
    let end = all.nrows().min(start + BLOCK);
    all.slice_axis(Axis(0), Slice::from(start..end))
}

/// The nearest others that lie in the cells around a face.
fn in_cells(rows: Rows<'_>, count: usize) -> Vec<Near> {
    let all = rows.view();
    let mut centers = all.select(Axis(0), &chosen(rows.count()));
    for _ in 0..ROUNDS {
        let cells = members(&nearest_centers(&all, &centers, 1), centers.nrows());
        for (cell, mut center) in cells.iter().zip(centers.rows_mut()) {
            let sum = all.select(Axis(0), cell).sum_axis(Axis(0));
            let length = sum.dot(&sum).sqrt();
            if length > 0.0 {
                center.assign(&(sum / length));
            }
        }
    }
    let probes = nearest_centers(&all, &centers, PROBES);
    let own: Vec<Vec<u32>> = probes.iter().map(|near| vec![near[0]]).collect();
    let cells = members(&own, centers.nrows());
    let inside: Vec<Array2<f32>> = cells
        .par_iter()
        .map(|cell| all.select(Axis(0), cell))
        .collect();
    // Cell by cell, as faces of a cell look into the same cells.
    let found: Vec<(usize, Near)> = cells
        .par_iter()
        .flat_map_iter(|cell| {
            cell.iter().map(|face| {
                let row = all.row(*face);
                let mut best = Best::new(count);
                for cell in probes[*face].iter().map(|cell| *cell as usize) {
                    let products = inside[cell].dot(&row);
                    for (other, product) in cells[cell].iter().zip(&products) {
                        if *product > best.least && other != face {
                            best.take(*other as u32, *product);
                        }
                    }
                }
                (*face, best.finish())
            })
        })
        .collect();
    let mut nearest = vec![Near::new(); rows.count()];
    for (face, near) in found {
        nearest[face] = near;
    }
    nearest
}

/// The faces that are the first centers.
fn chosen(faces: usize) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut all: Vec<usize> = (0..faces).collect();
    let (chosen, _) = all.partial_shuffle(&mut random, faces.div_ceil(CELL));
    chosen.to_vec()
}

/// The nearest centers of each row, nearest first.
fn nearest_centers(all: &ArrayView2<f32>, centers: &Array2<f32>, count: usize) -> Vec<Vec<u32>> {
    let starts: Vec<usize> = (0..all.nrows()).step_by(BLOCK).collect();
    let block = |start: &usize| -> Vec<Vec<u32>> {
        let products = rows_from(all, *start).dot(&centers.t());
        let nearest = products.rows().into_iter().map(|products| {
            let mut best = Best::new(count);
            for (center, product) in products.iter().enumerate() {
                if *product > best.least {
                    best.take(center as u32, *product);
                }
            }
            best.sorted()
                .into_iter()
                .map(|(center, _)| center)
                .collect()
        });
        nearest.collect()
    };
    starts.par_iter().map(block).flatten_iter().collect()
}

/// The rows whose first center is each.
fn members(nearest: &[Vec<u32>], centers: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); centers];
    for (row, near) in nearest.iter().enumerate() {
        members[near[0] as usize].push(row);
    }
    members
}

/// The largest products met so far.
struct Best {
    count: usize,
    /// A product must be larger to count.
    least: f32,
    found: Vec<(u32, f32)>,
}

impl Best {
    fn new(count: usize) -> Self {
        let found = Vec::with_capacity(2 * count);
        Self {
            count,
            least: f32::NEG_INFINITY,
            found,
        }
    }

    fn take(&mut self, index: u32, product: f32) {
        self.found.push((index, product));
        if self.found.len() >= 2 * self.count {
            self.cut();
        }
    }

    /// Larger products first, of equal ones the lower index.
    fn cut(&mut self) {
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        self.found.sort_unstable_by(order);
        self.found.truncate(self.count);
        if let Some((_, product)) = self.found.get(self.count - 1) {
            self.least = *product;
        }
    }

    fn sorted(mut self) -> Vec<(u32, f32)> {
        self.cut();
        self.found
    }

    fn finish(self) -> Near {
        let near = self.sorted().into_iter();
        near.map(|(index, product)| (index, distance_of(product)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{product, synthetic::Synthetic};

    #[test]
    fn exact_are_those_that_sorting_all_finds() {
        let made = Synthetic {
            faces: 2 * BLOCK + 20,
            people: 11,
            ..Synthetic::default()
        }
        .make();
        let rows = made.rows();
        let found = exact(rows, 5);
        for face in [0, 1, BLOCK - 1, BLOCK, rows.count() - 1] {
            let others = (0..rows.count()).filter(|other| *other != face);
            let mut all: Near = others
                .map(|other| {
                    (
                        other as u32,
                        distance_of(product(rows.row(face), rows.row(other))),
                    )
                })
                .collect();
            all.sort_by(|a, b| a.1.total_cmp(&b.1));
            for (found, expected) in found[face].iter().zip(&all[..5]) {
                assert!((found.1 - expected.1).abs() < 1e-5, "{face}");
            }
            assert_eq!(found[face].len(), 5);
        }
    }

    #[test]
    fn cells_find_most_neighbors_and_the_same_each_time() {
        let made = Synthetic {
            faces: 5000,
            people: 250,
            ..Synthetic::default()
        }
        .make();
        let (exact, cells) = (exact(made.rows(), 10), in_cells(made.rows(), 10));
        assert_eq!(cells, in_cells(made.rows(), 10));
        let found = |(exact, cells): (&Near, &Near)| {
            let is_found = |near: &&(u32, f32)| cells.iter().any(|(other, _)| *other == near.0);
            exact.iter().filter(is_found).count()
        };
        let found: usize = exact.iter().zip(&cells).map(found).sum();
        let recall = found as f64 / (10 * exact.len()) as f64;
        assert!(recall > 0.9, "{recall}");
    }
}
