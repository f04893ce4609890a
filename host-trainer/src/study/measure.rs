//! LFW's View 1, never View 2: the threshold from its training list, accuracy and VAL on its test
//! list.

use std::collections::BTreeSet;

use super::{Measured, standard_error, vals};
use crate::dataset::lfw::{Lfw, LfwError, VIEW_1_TEST, VIEW_1_TRAIN};
use crate::validation::list::sample_by;
use crate::verification::faces::{Embeddings, all_against_all, compare};
use crate::verification::folds::{TooFew, best_threshold, right_at};
use crate::verification::pairs::{Pair, PictureId};
use crate::verification::rates::Distances;

/// The pairs of a study.
#[derive(Debug, Clone)]
pub struct View1 {
    /// Pairs of the training list, that a threshold is chosen on.
    pub choose: Vec<Pair>,
    /// Pairs of the test list, that are measured.
    pub measure: Vec<Pair>,
}

impl View1 {
    /// View 1 in LFW's folder, at most `limit` pairs of either list: half genuine, half impostor,
    /// evenly from the whole list, always the same.
    ///
    /// # Errors
    /// [`LfwError`] if a list cannot be read.
    pub fn read(lfw: &Lfw, limit: Option<usize>) -> Result<Self, LfwError> {
        let pairs = |list: &str| -> Result<Vec<Pair>, LfwError> {
            let pairs = lfw.pairs(list)?.folds.concat();
            Ok(match limit {
                Some(limit) => sample_by(&pairs, limit, Pair::is_genuine),
                None => pairs,
            })
        };
        Ok(Self {
            choose: pairs(VIEW_1_TRAIN)?,
            measure: pairs(VIEW_1_TEST)?,
        })
    }

    /// Every picture of either list.
    pub fn pictures(&self) -> BTreeSet<PictureId> {
        pictures_of([&self.choose[..], &self.measure].concat())
    }

    /// Every picture of the test list.
    pub fn measured_pictures(&self) -> BTreeSet<PictureId> {
        pictures_of(self.measure.clone())
    }

    /// The threshold with the most right decisions on the training list, squared L2.
    ///
    /// # Errors
    /// [`TooFew`] if faces of genuine or of impostor pairs lack.
    pub fn threshold(&self, embeddings: &Embeddings) -> Result<f32, TooFew> {
        Ok(best_threshold(&compare(&self.choose, embeddings))?.threshold)
    }

    /// Accuracy of the test list's pairs at that threshold; VAL of all comparisons that its
    /// pictures allow.
    pub fn measure(&self, threshold: f32, embeddings: &Embeddings) -> Measured {
        let (right, pairs) = right_at(threshold, &compare(&self.measure, embeddings));
        let accuracy = right as f64 / pairs.max(1) as f64;
        let all = self.comparisons(embeddings);
        Measured {
            accuracy,
            standard_error: standard_error(accuracy, pairs),
            pairs,
            auc: all.auc().unwrap_or_default(),
            val: vals(&all),
            trained: None,
        }
    }

    /// Every comparison among the test list's pictures.
    pub fn comparisons(&self, embeddings: &Embeddings) -> Distances {
        let (genuine, impostor) = all_against_all(&self.measured_pictures(), embeddings);
        Distances::new(genuine, impostor)
    }
}

fn pictures_of(pairs: Vec<Pair>) -> BTreeSet<PictureId> {
    let both = pairs.into_iter().flat_map(|pair| [pair.first, pair.second]);
    both.collect()
}
