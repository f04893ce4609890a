//! YuNet's raw outputs become scored boxes with landmarks: a pure function over slices.

use super::Detection;
use crate::geometry::{Point, Rect};
use crate::landmarks::Landmarks;

/// Pixels between the cells of the three output grids.
pub const STRIDES: [u32; 3] = [8, 16, 32];

/// Kind and columns of the four outputs of each stride; their names are `kind_stride`.
pub const OUTPUTS: [(&str, usize); 4] = [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)];

/// The four outputs of one stride, one row a cell, cells row-major.
#[derive(Clone, Copy, Debug)]
pub struct StrideOutputs<'a> {
    /// Class score, 1 column.
    pub class: &'a [f32],
    /// Objectness, 1 column.
    pub object: &'a [f32],
    /// Center offset x, y in cells and natural logarithm of width, height in cells: 4 columns.
    pub bounds: &'a [f32],
    /// Offsets x, y of five landmarks, in cells: 10 columns.
    pub landmarks: &'a [f32],
}

/// Appends the detections of one stride with score >= `min_score`, in input pixels.
///
/// After OpenCV's `FaceDetectorYN`: with cell (gx, gy) and stride s, score = sqrt(cls * obj), each
/// clamped to 0..=1; center = (gx + b0, gy + b1) s; size = (exp b2, exp b3) s; landmark i =
/// (gx + k2i, gy + k2i+1) s. Rows with a number that is not finite are passed over.
///
/// # Panics
/// When the slices do not hold the same number of whole grid rows of `columns` cells;
/// [`super::Detector`] has checked this.
pub fn decode(
    stride: u32,
    columns: u32,
    outputs: &StrideOutputs<'_>,
    min_score: f32,
    found: &mut Vec<Detection>,
) {
    let columns = columns as usize;
    let cells = outputs.class.len();
    assert_eq!(cells % columns, 0, "class scores");
    assert_eq!(outputs.object.len(), cells, "objectness");
    assert_eq!(outputs.bounds.len(), 4 * cells, "boxes");
    assert_eq!(outputs.landmarks.len(), 10 * cells, "landmarks");

    let cell_px = stride as f32;
    for cell in 0..cells {
        let score = score(outputs.class[cell], outputs.object[cell]);
        if score.is_nan() || score < min_score {
            continue;
        }
        let (column, row) = ((cell % columns) as f32, (cell / columns) as f32);
        let b = &outputs.bounds[4 * cell..4 * cell + 4];
        let (width, height) = (b[2].exp() * cell_px, b[3].exp() * cell_px);
        let (center_x, center_y) = ((column + b[0]) * cell_px, (row + b[1]) * cell_px);
        let k = &outputs.landmarks[10 * cell..10 * cell + 10];
        let detection = Detection {
            bounds: Rect {
                left: center_x - 0.5 * width,
                top: center_y - 0.5 * height,
                width,
                height,
            },
            score,
            landmarks: Landmarks(std::array::from_fn(|i| {
                Point::new(
                    (column + k[2 * i]) * cell_px,
                    (row + k[2 * i + 1]) * cell_px,
                )
            })),
        };
        if is_finite(&detection) {
            found.push(detection);
        }
    }
}

fn score(class: f32, object: f32) -> f32 {
    (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt()
}

fn is_finite(detection: &Detection) -> bool {
    let Rect {
        left,
        top,
        width,
        height,
    } = detection.bounds;
    [left, top, width, height].iter().all(|v| v.is_finite()) && detection.landmarks.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Outputs of a grid of 2 x 2 cells (stride 32), all zero but what a test sets.
    struct Grid {
        class: Vec<f32>,
        object: Vec<f32>,
        bounds: Vec<f32>,
        landmarks: Vec<f32>,
    }

    impl Grid {
        fn empty() -> Grid {
            Grid {
                class: vec![0.0; 4],
                object: vec![0.0; 4],
                bounds: vec![0.0; 16],
                landmarks: vec![0.0; 40],
            }
        }

        fn scored(cell: usize, class: f32, object: f32) -> Grid {
            let mut grid = Grid::empty();
            grid.class[cell] = class;
            grid.object[cell] = object;
            grid
        }

        fn decode(&self) -> Vec<Detection> {
            let outputs = StrideOutputs {
                class: &self.class,
                object: &self.object,
                bounds: &self.bounds,
                landmarks: &self.landmarks,
            };
            let mut found = Vec::new();
            decode(32, 2, &outputs, 0.6, &mut found);
            found
        }
    }

    #[test]
    fn one_cell_by_hand() {
        // Cell 2 is column 0, row 1.
        let mut grid = Grid::scored(2, 0.81, 1.0);
        grid.bounds[8..12].copy_from_slice(&[0.5, -0.25, 0.0, std::f32::consts::LN_2]);
        for i in 0..5 {
            grid.landmarks[20 + 2 * i] = 0.125 * i as f32;
            grid.landmarks[21 + 2 * i] = -0.5;
        }
        let found = grid.decode();
        assert_eq!(found.len(), 1);
        let Detection {
            bounds,
            score,
            landmarks,
        } = found[0];
        assert!((score - 0.9).abs() < 1e-6);
        // Center (16, 24), 32 wide, 64 high.
        assert_eq!((bounds.left, bounds.width), (0.0, 32.0));
        assert!((bounds.top + 8.0).abs() < 1e-4 && (bounds.height - 64.0).abs() < 1e-4);
        for (i, p) in landmarks.0.iter().enumerate() {
            assert_eq!(*p, Point::new(4.0 * i as f32, 16.0));
        }
    }

    #[test]
    fn cells_run_row_by_row() {
        for (cell, x, y) in [
            (0, 0.0, 0.0),
            (1, 32.0, 0.0),
            (2, 0.0, 32.0),
            (3, 32.0, 32.0),
        ] {
            let found = Grid::scored(cell, 1.0, 1.0).decode();
            assert_eq!(found[0].landmarks.0[0], Point::new(x, y), "cell {cell}");
            assert_eq!(found[0].bounds.center(), Point::new(x, y), "cell {cell}");
        }
    }

    #[test]
    fn scores_are_clamped_and_cut() {
        for (name, class, object, kept) in [
            ("both sure", 1.0, 1.0, true),
            ("at the threshold", 0.6, 0.6, true),
            ("below", 0.59, 0.6, false),
            ("beyond one", 5.0, 0.36, true),
            ("beyond one does not lift the other", 5.0, 0.35, false),
            ("both negative", -1.0, -1.0, false),
            ("NaN", f32::NAN, 1.0, false),
        ] {
            let found = Grid::scored(0, class, object).decode();
            assert_eq!(found.len() == 1, kept, "{name}");
            assert!(found.iter().all(|d| d.score <= 1.0), "{name}");
        }
    }

    #[test]
    fn rows_that_are_not_finite_are_passed_over() {
        for (name, value) in [("NaN", f32::NAN), ("overflow of exp", 1e5)] {
            let mut grid = Grid::scored(1, 1.0, 1.0);
            grid.bounds[6] = value;
            assert!(grid.decode().is_empty(), "{name}");
        }
        let mut grid = Grid::scored(1, 1.0, 1.0);
        grid.landmarks[19] = f32::INFINITY;
        assert!(grid.decode().is_empty(), "landmark");
    }

    #[test]
    #[should_panic(expected = "boxes")]
    fn short_outputs_are_a_bug() {
        let mut grid = Grid::empty();
        grid.bounds.pop();
        grid.decode();
    }
}
