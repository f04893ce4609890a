//! A whole evaluation: what is asked of a material, and the report of it.

use shared::ModelManifest;

use super::embedded::Embedded;
use super::material::Material;
use super::measure::{at_threshold, curve, data, groups, histograms, measure, worst};
use super::report::{Report, SweepKind};
use super::sweep::sweep;
use crate::embeddings::{EmbeddingsError, Source};
use crate::verification::folds::TooFew;
use crate::verification::identification::{Galleries, TooFewPeople, identify};

/// What is looked at besides the protocol.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    /// False accept rates at which VAL is told.
    pub fars: Vec<f64>,
    /// Each person's group.
    pub groups: Option<Vec<Option<String>>>,
    /// Galleries to draw for open-set identification.
    pub open_set: Option<Galleries>,
    /// How many of the worst errors are listed.
    pub worst: Option<usize>,
    /// Changes of the pictures.
    pub sweeps: Vec<SweepKind>,
    /// Most pairs that changed pictures are measured on.
    pub sweep_pairs: usize,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// Model, detector or pictures.
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    /// Too few pairs.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// Too few people for galleries.
    #[error(transparent)]
    TooFewPeople(#[from] TooFewPeople),
    /// No comparisons of either kind.
    #[error(
        "expected comparisons of one person and of two with faces found, found {genuine} and {impostor}; give more pictures"
    )]
    OneKind {
        /// Of one person.
        genuine: u64,
        /// Of two people.
        impostor: u64,
    },
}

/// A model's name and id.
pub fn named(manifest: &ModelManifest) -> String {
    format!("{} {}", manifest.name, manifest.model_id())
}

/// Embeds the material and answers every question.
///
/// # Errors
/// [`EvaluateError`] if model or pictures are unusable, or too few for a question.
pub fn evaluate(
    material: &Material,
    source: &Source,
    questions: &Questions,
) -> Result<Report, EvaluateError> {
    let manifest = source.manifest().map_err(EmbeddingsError::from)?;
    let embedded = Embedded::new(material, source)?;
    let distances = embedded.meetings().distances();
    let measured = measure(&embedded.folds(), Some(&distances), &questions.fars)?;
    let threshold = measured.cross_validation.threshold as f32;
    let one_kind = || EvaluateError::OneKind {
        genuine: distances.genuine_count(),
        impostor: distances.impostor_count(),
    };
    let open_set = questions.open_set.as_ref();
    let open_set = open_set.map(|asked| identify(&embedded.embeddings, &material.people, asked));
    Ok(Report {
        model: named(&manifest),
        data: data(&embedded, &distances),
        not_found: embedded.without_face(),
        measured,
        at_threshold: at_threshold(&embedded, &distances, threshold).ok_or_else(one_kind)?,
        curve: curve(&distances).ok_or_else(one_kind)?,
        histograms: histograms(&distances),
        worst: questions
            .worst
            .map(|count| worst(&embedded, threshold, count)),
        open_set: open_set.transpose()?,
        groups: groups(&embedded, threshold, questions.groups.as_deref()),
        robustness: match questions.sweeps.is_empty() {
            true => Vec::new(),
            false => sweep(
                material,
                source,
                &questions.sweeps,
                threshold,
                questions.sweep_pairs,
            )?,
        },
    })
}
