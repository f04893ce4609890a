//! What an evaluation found, for JSON, for text and for drawing.

use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::verification::curve::{EqualError, RatePoint};
use crate::verification::folds::CrossValidation;
use crate::verification::groups::GroupTable;
use crate::verification::histogram::Histogram;
use crate::verification::identification::Identification;

/// Everything that was found. Rates and shares are from 0 to 1, distances squared L2.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model's name and id.
    pub model: String,
    /// What it was measured on.
    pub data: Data,
    /// Pictures without a face found.
    pub not_found: usize,
    /// The protocol's result.
    #[serde(flatten)]
    pub measured: Measured,
    /// Both rates at the mean of the folds' thresholds.
    pub at_threshold: AtThreshold,
    /// Rates over all thresholds.
    pub curve: Curve,
    /// Where the distances of either kind lie.
    pub histograms: Histograms,
    /// The worst errors at the mean threshold, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<WorstErrors>,
    /// Galleries of known people and strangers before them, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_set: Option<Identification>,
    /// Rates group by group, if groups are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupTable>,
    /// Accuracy on pictures made worse, if asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub robustness: Vec<Sweep>,
}

/// What a model was measured on.
#[derive(Debug, Clone, Serialize)]
pub struct Data {
    /// What it is called.
    pub name: String,
    /// Pictures.
    pub pictures: usize,
    /// Of them files that are no sound picture.
    pub unreadable: usize,
    /// People on them.
    pub people: usize,
    /// Comparisons of one person that the error rates are of.
    pub genuine: u64,
    /// Comparisons of two people that the error rates are of.
    pub impostor: u64,
    /// Whether these are all that the pictures allow, and not the pairs of a list.
    pub all: bool,
    /// Digest of pictures, people and pairs.
    pub sha256: String,
}

/// What the protocol says of comparisons in folds.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Accuracy and threshold of each fold and on average.
    #[serde(flatten)]
    pub cross_validation: CrossValidation,
    /// Pairs compared by the protocol.
    pub pairs: usize,
    /// Pairs with a picture in which no face was found.
    pub pairs_not_found: usize,
    /// VAL at each FAR that the comparisons support.
    pub val: Vec<Validation>,
    /// Those that they do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub val_refused: Vec<Refused>,
}

/// FaceNet's VAL at a FAR: the share of genuine pairs accepted where that share of impostor pairs is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Validation {
    /// Share of impostor comparisons that may be accepted.
    pub far: f64,
    /// The largest threshold that accepts no more.
    pub threshold: f32,
    /// Share of genuine comparisons accepted there.
    pub val: f64,
    /// Impostor comparisons accepted there: with fewer than 30 the FAR itself is uncertain.
    pub false_accepts: u64,
}

/// A FAR that so few comparisons cannot tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refused {
    /// The rate asked for.
    pub far: f64,
    /// Impostor comparisons that it takes.
    pub needed: u64,
    /// Why not, and what would help.
    pub why: String,
}

/// Both error rates at a threshold, with bounds by the subject bootstrap (95 %).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtThreshold {
    /// Squared L2.
    pub threshold: f32,
    /// Share of impostor comparisons accepted.
    pub fmr: f64,
    /// Its bounds.
    pub fmr_interval: Option<[f64; 2]>,
    /// Share of genuine comparisons refused.
    pub fnmr: f64,
    /// Its bounds.
    pub fnmr_interval: Option<[f64; 2]>,
}

/// Rates over all thresholds.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Where both rates are equal.
    pub eer: EqualError,
    /// Points from all refused to all accepted, thinned for drawing: a DET as they are, a ROC as
    /// (FMR, 1 - FNMR).
    pub points: Vec<RatePoint>,
}

/// Where the distances of either kind lie.
#[derive(Debug, Clone, Serialize)]
pub struct Histograms {
    /// Of one person.
    pub genuine: Histogram,
    /// Of two people.
    pub impostor: Histogram,
}

/// The worst errors of either kind, worst first.
#[derive(Debug, Clone, Serialize)]
pub struct WorstErrors {
    /// Two people that look like one.
    pub false_matches: Vec<WorstPair>,
    /// One person who does not look like herself.
    pub false_non_matches: Vec<WorstPair>,
}

/// Two pictures that were judged wrongly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstPair {
    /// Paths below the folder of pictures.
    #[serde(serialize_with = "lossily")]
    pub pictures: [PathBuf; 2],
    /// Their places among the material's pictures.
    #[serde(skip)]
    pub places: [usize; 2],
    /// Squared L2.
    pub distance: f32,
}

/// Writes paths with a replacement character for what is not UTF-8: Serde's own way is an error.
fn lossily<S: Serializer>(paths: &[PathBuf; 2], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.each_ref().map(|path| path.to_string_lossy()))
}

/// What pictures are put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// The aligned crop is moved by pixels.
    Shift,
    /// The picture passes through a JPEG file.
    Jpeg,
    /// The picture is made smaller.
    Size,
    /// The picture is blurred.
    Blur,
    /// The picture is made darker or lighter.
    Brightness,
}

/// One kind of change and what it does.
#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    /// What pictures are put through.
    pub kind: SweepKind,
    /// What its values are of, in words.
    pub about: String,
    /// The threshold that decides, the same for each value.
    pub threshold: f32,
    /// Pairs compared.
    pub pairs: usize,
    /// One for each value, the pictures as they are first.
    pub points: Vec<SweepPoint>,
}

/// What a change of one size does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepPoint {
    /// Its size; absent where the pictures are as they are.
    pub value: Option<f64>,
    /// Right decisions among pairs with faces found.
    pub accuracy: Option<f64>,
    /// Right decisions among all pairs, those without a face counted as wrong.
    pub accuracy_of_all: f64,
    /// Pairs with a picture in which no face was found.
    pub pairs_not_found: usize,
}
