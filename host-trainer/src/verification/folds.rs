//! Accuracy at the best threshold, and LFW's cross-validation of it.

/// One comparison of a verification list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Squared L2; absent if no face was found in one of the pictures.
    pub distance: Option<f32>,
    /// Whether both pictures show one person.
    pub genuine: bool,
}

/// Of some comparisons, the best threshold and how many it decides rightly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Squared L2: distances up to it are called the same person.
    pub threshold: f32,
    /// Comparisons decided rightly, 0 to 1.
    pub accuracy: f64,
}

/// A fold's result with the threshold chosen on the others.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Fold {
    /// Squared L2, chosen on the other folds.
    pub threshold: f32,
    /// Right decisions among comparisons with a distance, 0 to 1.
    pub accuracy: f64,
    /// Right decisions among all comparisons, those without a distance counted as wrong, 0 to 1.
    pub accuracy_of_all: f64,
}

/// Results over all folds.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CrossValidation {
    /// Mean accuracy, 0 to 1, of comparisons with a distance.
    pub accuracy: f64,
    /// Standard error of that mean over the folds.
    pub standard_error: f64,
    /// Mean accuracy with comparisons without a distance counted as wrong.
    pub accuracy_of_all: f64,
    /// Mean of the thresholds.
    pub threshold: f64,
    /// Each fold.
    pub folds: Vec<Fold>,
}

/// Why there is no best threshold.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected comparisons of the same and of different people with faces found, in at least two folds where folds are asked for; found {found}"
)]
pub struct TooFew {
    found: String,
}

fn distances(comparisons: &[Comparison]) -> impl Iterator<Item = (f32, bool)> {
    comparisons
        .iter()
        .filter_map(|comparison| Some((comparison.distance?, comparison.genuine)))
}

/// The threshold with the most right decisions, halfway to the next distance above it; among
/// equals the smallest, which calls the fewest strangers the same person.
///
/// # Errors
/// [`TooFew`] without a genuine and an impostor comparison that have distances.
pub fn best_threshold(comparisons: &[Comparison]) -> Result<Best, TooFew> {
    let mut sorted: Vec<(f32, bool)> = distances(comparisons).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let genuine = sorted.iter().filter(|(_, genuine)| *genuine).count();
    let impostors = sorted.len() - genuine;
    if genuine == 0 || impostors == 0 {
        let found = format!("{genuine} of the same and {impostors} of different people");
        return Err(TooFew { found });
    }
    // Below the smallest distance nobody is accepted: every impostor is decided rightly.
    let mut right = impostors;
    let mut best = (right, sorted[0].0.next_down().max(0.0));
    for (index, (distance, is_genuine)) in sorted.iter().enumerate() {
        right = if *is_genuine { right + 1 } else { right - 1 };
        let next = sorted.get(index + 1).map(|(next, _)| *next);
        // A threshold cannot lie between equal distances.
        if right > best.0 && next != Some(*distance) {
            best = (
                right,
                next.map_or(*distance, |next| distance + (next - distance) / 2.0),
            );
        }
    }
    Ok(Best {
        threshold: best.1,
        accuracy: best.0 as f64 / sorted.len() as f64,
    })
}

/// Right decisions at a threshold: among comparisons with a distance, and how many those are.
pub fn right_at(threshold: f32, comparisons: &[Comparison]) -> (usize, usize) {
    distances(comparisons).fold((0, 0), |(right, all), (distance, genuine)| {
        (
            right + usize::from((distance <= threshold) == genuine),
            all + 1,
        )
    })
}

/// LFW's protocol: for each fold the threshold is chosen on the others and measured on it.
///
/// # Errors
/// [`TooFew`] with fewer than two folds, or a fold or its others without usable comparisons.
pub fn cross_validate(folds: &[Vec<Comparison>]) -> Result<CrossValidation, TooFew> {
    if folds.len() < 2 {
        let found = format!("{} folds", folds.len());
        return Err(TooFew { found });
    }
    let mut results = Vec::with_capacity(folds.len());
    for (index, fold) in folds.iter().enumerate() {
        let others = folds
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let others: Vec<Comparison> = others.flat_map(|(_, fold)| fold).copied().collect();
        let threshold = best_threshold(&others)?.threshold;
        let (right, usable) = right_at(threshold, fold);
        if usable == 0 {
            let found = format!("a fold {} without any face", index + 1);
            return Err(TooFew { found });
        }
        results.push(Fold {
            threshold,
            accuracy: right as f64 / usable as f64,
            accuracy_of_all: right as f64 / fold.len() as f64,
        });
    }
    let (accuracy, standard_error) = mean_and_error(results.iter().map(|fold| fold.accuracy));
    Ok(CrossValidation {
        accuracy,
        standard_error,
        accuracy_of_all: mean_and_error(results.iter().map(|fold| fold.accuracy_of_all)).0,
        threshold: mean_and_error(results.iter().map(|fold| f64::from(fold.threshold))).0,
        folds: results,
    })
}

/// Mean and its standard error (sample deviation over the root of the count) of two or more values.
fn mean_and_error(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (variance / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparisons(genuine: &[f32], impostors: &[f32]) -> Vec<Comparison> {
        let of = |genuine| {
            move |distance: &f32| Comparison {
                distance: Some(*distance),
                genuine,
            }
        };
        let same = genuine.iter().map(of(true));
        same.chain(impostors.iter().map(of(false))).collect()
    }

    #[test]
    fn the_best_threshold_lies_halfway() {
        for (name, genuine, impostors, threshold, accuracy) in [
            ("apart", &[0.25f32, 0.5][..], &[1.0f32, 2.0][..], 0.75, 1.0),
            (
                "one genuine far off",
                &[0.25, 0.5, 3.0],
                &[1.0, 2.0, 2.5],
                0.75,
                5.0 / 6.0,
            ),
            (
                "equals go to the smallest",
                &[0.5, 2.0],
                &[1.0, 3.0],
                0.75,
                0.75,
            ),
            (
                "all genuine below the last",
                &[0.5, 2.0, 2.5],
                &[1.0, 3.0],
                2.75,
                0.8,
            ),
            (
                "no threshold between equals",
                &[1.0, 1.0],
                &[1.0],
                1.0,
                2.0 / 3.0,
            ),
            ("genuine last", &[0.5, 2.0, 2.5], &[1.0], 2.5, 0.75),
        ] {
            let best = best_threshold(&comparisons(genuine, impostors)).unwrap();
            assert_eq!(best.threshold, threshold, "{name}");
            assert_eq!(best.accuracy, accuracy, "{name}");
        }
    }

    #[test]
    fn where_nobody_should_be_accepted_nobody_is() {
        let list = comparisons(&[3.0], &[1.0, 2.0]);
        let best = best_threshold(&list).unwrap();
        assert!(best.threshold < 1.0, "{best:?}");
        assert_eq!(right_at(best.threshold, &list), (2, 3));
    }

    #[test]
    fn one_kind_of_comparison_is_too_few() {
        assert!(best_threshold(&comparisons(&[1.0], &[])).is_err());
        assert!(best_threshold(&comparisons(&[], &[1.0])).is_err());
    }

    #[test]
    fn each_fold_is_measured_at_the_threshold_of_the_others() {
        // Fold 2 wants 1.5; folds 1 and 3 want 0.75. At 0.75 fold 2 gets its genuine pair wrong.
        let fold_1 = comparisons(&[0.5], &[1.0]);
        let fold_2 = comparisons(&[1.25], &[1.75]);
        let folds = [fold_1.clone(), fold_2, fold_1];
        let result = cross_validate(&folds).unwrap();
        // Worked out by hand: of folds 2 and 3 together 0.5, 1.25 genuine, 1.0, 1.75 impostor:
        // 0.75 and 1.5 both decide 3 of 4, the smaller is taken.
        for fold in &result.folds {
            assert_eq!(fold.threshold, 0.75);
        }
        let accuracies: Vec<f64> = result.folds.iter().map(|fold| fold.accuracy).collect();
        assert_eq!(accuracies, [1.0, 0.5, 1.0]);
        assert!((result.accuracy - 2.5 / 3.0).abs() < 1e-12);
        // Deviations 1/6, -1/3, 1/6: variance (1/36 + 4/36 + 1/36) / 2 = 1/12; / 3 = 1/36.
        assert!((result.standard_error - 1.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_fold_does_not_see_its_own_threshold() {
        // Of the other two folds 0.75 is best; this fold alone would choose 2.5.
        let other = comparisons(&[0.5], &[1.0]);
        let own = comparisons(&[2.0, 2.0, 2.0, 2.0, 2.0], &[3.0]);
        let result = cross_validate(&[other.clone(), other, own]).unwrap();
        assert_eq!(result.folds[2].threshold, 0.75);
        assert_eq!(result.folds[2].accuracy, 1.0 / 6.0);
    }

    #[test]
    fn a_missing_face_counts_as_wrong_in_the_second_number_only() {
        let mut fold = comparisons(&[0.5], &[1.0]);
        fold.push(Comparison {
            distance: None,
            genuine: true,
        });
        let result = cross_validate(&[fold.clone(), fold]).unwrap();
        assert_eq!(result.accuracy, 1.0);
        assert!((result.accuracy_of_all - 2.0 / 3.0).abs() < 1e-12);
    }
}
