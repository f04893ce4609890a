//! Are my nearest in the picture my nearest in truth: how far a picture may be believed.

use super::neighbors::{self, Neighbors};

/// Neighbors that are compared.
pub const NEAREST: usize = 10;

/// How many of a point's nearest in truth are among its nearest in the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Preservation {
    /// Neighbors compared: [`NEAREST`], or all others where there are fewer.
    pub of: usize,
    /// For each point how many were kept, 0 to `of`.
    pub kept: Vec<u8>,
}

impl Preservation {
    /// The mean share kept, 0 to 1; none without neighbors.
    pub fn mean(&self) -> Option<f64> {
        let possible = self.kept.len() * self.of;
        let kept: usize = self.kept.iter().map(|&kept| usize::from(kept)).sum();
        (possible > 0).then(|| kept as f64 / possible as f64)
    }
}

/// Compares the nearest [`NEAREST`] in the picture with those of `truth`.
///
/// # Panics
/// If picture and truth are not of the same points.
pub fn preservation(truth: &Neighbors, points: &[[f32; 2]]) -> Preservation {
    assert_eq!(truth.len(), points.len(), "points of truth and picture");
    let of = NEAREST.min(truth.each());
    let picture = neighbors::nearest(points.as_flattened(), 2, of);
    let kept = |row: usize| {
        let truly = &truth.of(row)[..of];
        let shown = picture.of(row).iter();
        let both = shown.filter(|(_, other)| truly.iter().any(|(_, true_one)| true_one == other));
        both.count() as u8
    };
    let kept = (0..points.len()).map(kept).collect();
    Preservation { of, kept }
}
