//! The exact nearest neighbors of every row, by products of blocks of a matrix with the whole.

use ndarray::{ArrayView2, Axis, Slice, linalg::general_mat_mul};

/// Rows of a block: its products with all rows stay in the processor's cache.
const BLOCK: usize = 64;

/// For each row the nearest other rows, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbors {
    each: usize,
    /// Distance (L2) and row.
    lists: Vec<(f32, u32)>,
    rows: usize,
}

impl Neighbors {
    /// Distance (L2) and number of the rows nearest to that row, nearest first.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn of(&self, row: usize) -> &[(f32, u32)] {
        &self.lists[row * self.each..(row + 1) * self.each]
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Neighbors of each row.
    pub fn each(&self) -> usize {
        self.each
    }
}

/// The `count` nearest of each row by L2, or all others if there are fewer; equally near ones in
/// the order of rows.
///
/// # Panics
/// If `rows` is no whole number of rows of `dimension` numbers.
pub fn nearest(rows: &[f32], dimension: usize, count: usize) -> Neighbors {
    let total = rows.len() / dimension;
    let each = count.min(total.saturating_sub(1));
    let mut lists = Vec::with_capacity(total * each);
    let Ok(all) = ArrayView2::from_shape((total, dimension), rows) else {
        panic!("expected rows of {dimension} numbers, found {}", rows.len());
    };
    let squares: Vec<f32> = all.axis_iter(Axis(0)).map(|row| row.dot(&row)).collect();
    let mut products = ndarray::Array2::<f32>::zeros((BLOCK, total));
    let mut others: Vec<(f32, u32)> = Vec::with_capacity(total);
    for first in (0..total).step_by(BLOCK) {
        let block = all.slice_axis(Axis(0), Slice::from(first..total.min(first + BLOCK)));
        let mut products = products.slice_axis_mut(Axis(0), Slice::from(..block.nrows()));
        general_mat_mul(1.0, &block, &all.t(), 0.0, &mut products);
        for (offset, products) in products.axis_iter(Axis(0)).enumerate() {
            let row = first + offset;
            others.clear();
            let squared = |(other, product): (usize, &f32)| {
                let squared = squares[row] + squares[other] - 2.0 * product;
                (squared.max(0.0), other as u32)
            };
            others.extend(products.iter().enumerate().map(squared));
            others.swap_remove(row);
            let nearer = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            if each > 0 && each < others.len() {
                others.select_nth_unstable_by(each - 1, nearer);
            }
            others.truncate(each);
            others.sort_unstable_by(nearer);
            lists.extend(
                others
                    .iter()
                    .map(|&(squared, other)| (squared.sqrt(), other)),
            );
        }
    }
    Neighbors {
        each,
        lists,
        rows: total,
    }
}
