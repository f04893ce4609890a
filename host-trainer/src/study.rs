//! The paper's studies on open data: one thing is varied, and what is measured stands beside the
//! paper's table.
//!
//! Nothing here reproduces the paper's numbers: its network is larger, its pictures are private and
//! a thousand times as many. What can be compared is the course of a column, not its height.

pub mod change;
pub mod faces;
pub mod measure;
pub mod paper;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use serde::Serialize;

use crate::telemetry::metrics::Validated;
use crate::verification::rates::Distances;
use paper::PaperVal;

/// False accept rates at which VAL is told; the paper's tables are at 1e-3.
pub const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

/// Impostor comparisons that a false accept rate has to let through for VAL to be told: Doddington's
/// rule of 30.
const LEAST_FALSE_ACCEPTS: u64 = 30;

/// What a study varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Values in an embedding.
    Dimension,
    /// Quality of the JPEG files.
    Jpeg,
    /// Pixels of the face.
    Size,
    /// Number of training pictures.
    Pictures,
    /// What teaches: triplets, then margin softmax, a teacher and varied pictures beside them.
    Losses,
}

impl Kind {
    /// What the study is called.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Dimension => "Embedding dimension",
            Kind::Jpeg => "JPEG quality",
            Kind::Size => "Image size",
            Kind::Pictures => "Number of training pictures",
            Kind::Losses => "What teaches",
        }
    }

    /// What stands above the values.
    pub fn column(self) -> &'static str {
        match self {
            Kind::Dimension => "dimension",
            Kind::Jpeg => "JPEG quality",
            Kind::Size => "pixels of the face",
            Kind::Pictures => "training pictures",
            Kind::Losses => "taught by",
        }
    }
}

/// A study's result.
#[derive(Debug, Clone, Serialize)]
pub struct Study {
    /// What was varied.
    pub study: Kind,
    /// Model or config, data, split, numbers of pairs; how the paper's numbers differ. A sentence
    /// or two each.
    pub about: Vec<String>,
    /// One for each value, and for values of the paper that stand alone, from small to large.
    pub rows: Vec<Row>,
}

/// One value's result.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The value, as the table shows it.
    pub value: String,
    /// What was measured; absent where the paper alone has the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What the paper found, if it has the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paper: Option<PaperVal>,
}

/// What was measured at one value.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Pairs decided rightly by a threshold chosen on other pairs, 0 to 1.
    pub accuracy: f64,
    /// Standard error of that share, the pairs taken as independent.
    pub standard_error: f64,
    /// Pairs that it is of: those with a face found in both pictures.
    pub pairs: usize,
    /// Chance that a genuine comparison is nearer than an impostor one, 0 to 1.
    pub auc: f64,
    /// Share of genuine comparisons accepted at a false accept rate, where enough impostor
    /// comparisons support it; empty where only the list's pairs were compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub val: Vec<Val>,
    /// How long the network was trained for this row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<Trained>,
}

/// FaceNet's VAL at a FAR.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Val {
    /// Share of impostor comparisons accepted.
    pub far: f64,
    /// Squared L2 up to which comparisons are accepted.
    pub threshold: f32,
    /// Share of genuine comparisons accepted, 0 to 1.
    pub val: f64,
}

/// How long a network was trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trained {
    /// Steps of the optimizer.
    pub steps: u64,
    /// Pictures seen, repeats counted.
    pub pictures_seen: u64,
}

impl Measured {
    /// What the last validation of a run says.
    pub fn of_run(last: &Validated) -> Self {
        let pairs = last.pairs as usize;
        Self {
            accuracy: last.accuracy,
            standard_error: standard_error(last.accuracy, pairs),
            pairs,
            auc: last.auc,
            val: Vec::new(),
            trained: Some(Trained {
                steps: last.step,
                pictures_seen: last.pictures,
            }),
        }
    }
}

/// VAL at each of [`FALSE_ACCEPT_RATES`] that these comparisons support.
pub fn vals(distances: &Distances) -> Vec<Val> {
    let rates = FALSE_ACCEPT_RATES.into_iter();
    let vals = rates.filter_map(|far| {
        let threshold = distances.threshold_at(far, LEAST_FALSE_ACCEPTS).ok()?;
        let val = 1.0 - distances.fnmr(threshold)?;
        Some(Val {
            far,
            threshold,
            val,
        })
    });
    vals.collect()
}

/// Standard error of a share of `count` independent decisions.
fn standard_error(share: f64, count: usize) -> f64 {
    (share * (1.0 - share) / count.max(1) as f64).sqrt()
}
