//! From embeddings to a report.

use super::embedded::Embedded;
use super::report::{
    AtThreshold, Curve, Data, Histograms, Measured, Refused, Validation, WorstErrors, WorstPair,
};
use crate::verification::bootstrap::{DRAWS, Tally};
use crate::verification::curve::{det, equal_error};
use crate::verification::folds::{Comparison, TooFew, cross_validate};
use crate::verification::groups::{GroupTable, Grouped};
use crate::verification::histogram::{BINS, Histogram};
use crate::verification::interval::RULE_OF_3;
use crate::verification::meetings::Meeting;
use crate::verification::rates::{Distances, Unsupported};

/// Points of a curve: more would not be seen.
const CURVE_POINTS: usize = 400;
/// What the draws of the subject bootstrap start from.
pub const SEED: u64 = 1;

/// Of each rate its VAL, or why it cannot be told: the rule of 3, as literature reports VAL with
/// three false accepts and more (LFW: 3 of 3,000 at 1e-3).
pub fn vals(distances: &Distances, fars: &[f64]) -> (Vec<Validation>, Vec<Unsupported>) {
    let (mut vals, mut refused) = (Vec::new(), Vec::new());
    for far in fars {
        match distances.threshold_at(*far, RULE_OF_3) {
            Ok(threshold) => vals.extend(distances.fnmr(threshold).map(|fnmr| Validation {
                far: *far,
                threshold,
                val: 1.0 - fnmr,
                false_accepts: distances.accepted_impostors(threshold),
            })),
            Err(error) => refused.push(error),
        }
    }
    (vals, refused)
}

/// The protocol on comparisons in folds; VAL is of `distances`, or of the folds' without any.
///
/// # Errors
/// [`TooFew`] if the folds do not choose a threshold.
pub fn measure(
    folds: &[Vec<Comparison>],
    distances: Option<&Distances>,
    fars: &[f64],
) -> Result<Measured, TooFew> {
    let all = folds.concat();
    let of = |genuine: bool| -> Vec<f32> {
        let kind = all.iter().filter(|pair| pair.genuine == genuine);
        kind.filter_map(|pair| pair.distance).collect()
    };
    let (val, refused) = match distances {
        Some(distances) => vals(distances, fars),
        None => vals(&Distances::new(of(true), of(false)), fars),
    };
    Ok(Measured {
        cross_validation: cross_validate(folds)?,
        pairs: all.len(),
        pairs_not_found: all.iter().filter(|pair| pair.distance.is_none()).count(),
        val,
        val_refused: refused
            .into_iter()
            .map(|error| Refused {
                far: error.fmr,
                needed: error.needed,
                why: error.to_string(),
            })
            .collect(),
    })
}

/// What the material is.
pub fn data(embedded: &Embedded, distances: &Distances) -> Data {
    let material = embedded.material;
    Data {
        name: material.name.clone(),
        pictures: material.pictures.len(),
        unreadable: embedded.unreadable,
        people: material.names.len(),
        genuine: distances.genuine_count(),
        impostor: distances.impostor_count(),
        all: material.all,
        sha256: embedded.sha256.clone(),
    }
}

/// Both rates at a threshold, with the subject bootstrap's bounds; none without comparisons of
/// either kind.
pub fn at_threshold(
    embedded: &Embedded,
    distances: &Distances,
    threshold: f32,
) -> Option<AtThreshold> {
    let tallies = Tally::at(&embedded.meetings(), &[threshold]);
    let intervals = tallies.first()?.intervals(DRAWS, SEED);
    Some(AtThreshold {
        threshold,
        fmr: distances.fmr(threshold)?,
        fmr_interval: intervals.fmr,
        fnmr: distances.fnmr(threshold)?,
        fnmr_interval: intervals.fnmr,
    })
}

/// Rates over all thresholds; none without comparisons of either kind.
pub fn curve(distances: &Distances) -> Option<Curve> {
    Some(Curve {
        auc: distances.auc()?,
        eer: equal_error(distances)?,
        points: det(distances, CURVE_POINTS),
    })
}

/// Where the distances lie.
pub fn histograms(distances: &Distances) -> Histograms {
    Histograms {
        genuine: Histogram::new(distances.genuine(), BINS),
        impostor: Histogram::new(distances.impostor(), BINS),
    }
}

/// The worst errors at a threshold, at most `count` of either kind.
pub fn worst(embedded: &Embedded, threshold: f32, count: usize) -> WorstErrors {
    let pictures = &embedded.material.pictures;
    let pair = |meeting: &Meeting| WorstPair {
        pictures: meeting.faces.map(|place| pictures[place].path.clone()),
        places: meeting.faces,
        distance: meeting.distance,
    };
    let [impostors, genuine] = embedded.meetings().worst(threshold, count);
    WorstErrors {
        false_matches: impostors.iter().map(pair).collect(),
        false_non_matches: genuine.iter().map(pair).collect(),
    }
}

/// The table of groups: by the people's groups if given, else by those that the list names for its
/// pairs; none without either.
pub fn groups(
    embedded: &Embedded,
    threshold: f32,
    groups_of: Option<&[Option<String>]>,
) -> Option<GroupTable> {
    let material = embedded.material;
    if let Some(groups_of) = groups_of {
        let group = |meeting: &Meeting| {
            let [first, second] = meeting
                .faces
                .map(|place| &groups_of[material.people[place]]);
            first.as_deref().filter(|_| first == second)
        };
        let grouped = embedded.meetings().fold(
            Vec::new,
            |list: &mut Vec<Grouped>, meeting| {
                list.extend(group(&meeting).map(|group| Grouped {
                    group,
                    distance: meeting.distance,
                    genuine: meeting.genuine,
                }));
            },
            |mut left, right| {
                left.extend(right);
                left
            },
        );
        return Some(GroupTable::new(threshold, grouped));
    }
    if material.pair_groups.is_empty() {
        return None;
    }
    let comparisons = embedded.folds().concat().into_iter();
    let grouped = comparisons.zip(&material.pair_groups);
    let grouped = grouped.filter_map(|(comparison, group)| {
        Some(Grouped {
            group: group.as_deref()?,
            distance: comparison.distance?,
            genuine: comparison.genuine,
        })
    });
    Some(GroupTable::new(threshold, grouped))
}
