//! The tables of the paper that the studies stand beside.
//!
//! Schroff, Kalenichenko, Philbin, "FaceNet", CVPR 2015, Tables 4, 5 and 6: VAL at FAR 1e-3 on the
//! paper's private hold-out sets. Table 4 is of NN1 on the first of its five splits; Table 5 of NN1
//! with the standard error over five splits; Table 6 of a network as NN4 after 700 hours.

use serde::Serialize;

/// A result of the paper, in percent as it prints them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PaperVal {
    /// VAL at FAR 1e-3, in percent.
    pub val_percent: f64,
    /// Its standard error, where the paper states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

const fn val(val_percent: f64) -> PaperVal {
    PaperVal {
        val_percent,
        standard_error: None,
    }
}

const fn within(val_percent: f64, standard_error: f64) -> PaperVal {
    PaperVal {
        val_percent,
        standard_error: Some(standard_error),
    }
}

/// Table 4, left: quality of the JPEG files.
pub const JPEG: [(u8, PaperVal); 6] = [
    (10, val(67.3)),
    (20, val(81.4)),
    (30, val(83.9)),
    (50, val(85.5)),
    (70, val(86.1)),
    (90, val(86.5)),
];

/// Table 4, right: side of the face in pixels; the paper states its square, 1,600 to 65,536.
pub const SIDE: [(u32, PaperVal); 5] = [
    (40, val(37.8)),
    (80, val(79.5)),
    (120, val(84.5)),
    (160, val(85.7)),
    (256, val(86.4)),
];

/// Table 5: values in an embedding. The paper calls the differences statistically insignificant.
pub const DIMENSION: [(usize, PaperVal); 4] = [
    (64, within(86.8, 1.7)),
    (128, within(87.9, 1.9)),
    (256, within(87.7, 1.9)),
    (512, within(85.6, 2.0)),
];

/// Table 6: training pictures.
pub const PICTURES: [(u64, PaperVal); 4] = [
    (2_600_000, val(76.3)),
    (26_000_000, val(85.1)),
    (52_000_000, val(85.1)),
    (260_000_000, val(86.2)),
];
