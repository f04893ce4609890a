//! Operating points: a threshold for each use, the error rates there, and how sure they are.

use shared::{OperatingPoint, Threshold, ThresholdError};

use super::embedded::Embedded;
use super::measure::SEED;
use crate::verification::bootstrap::{DRAWS, Intervals, Tally};
use crate::verification::folds::{Best, TooFew, best_threshold};
use crate::verification::interval::{RULE_OF_30, clopper_pearson};
use crate::verification::rates::{Distances, Unsupported, in_short};
use shared::gallery_size::fmr_for;

/// The operating point of best accuracy on the list of pairs.
pub const VERIFY: &str = "verify";

/// Comparisons of either kind that [`VERIFY`] needs: by the rule of 3 an error rate of 10 % is the
/// least that they can tell.
const LEAST_PAIRS: usize = 30;

/// What is chosen unless something else is asked for: name, false match rate.
pub const DEFAULTS: [(&str, f64); 4] = [
    ("door", 1e-4),
    ("greet", 1e-3),
    ("attendance", 1e-3),
    ("duplicate-check", 1e-2),
];

/// A point that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// The false match rate that it may not exceed.
    pub fmr: f64,
    /// Whether somebody asked for it: then it is not left out in silence.
    pub asked: bool,
}

/// A point that was chosen.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// What stands in the manifest.
    pub point: OperatingPoint,
    /// Bounds of the FMR by Clopper and Pearson, as if pairs were independent.
    pub by_pairs: Option<[f64; 2]>,
    /// Bounds of both rates by the subject bootstrap.
    pub by_people: Intervals,
}

/// What a calibration chose.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// The points, [`VERIFY`] first.
    pub points: Vec<Chosen>,
    /// Points that nobody asked for and the comparisons do not support.
    pub left_out: Vec<(Wanted, String)>,
    /// The threshold of best accuracy and that accuracy.
    pub best: Best,
}

/// Why no thresholds can be chosen.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// A rate that was asked for.
    #[error("{name}: {source}")]
    Unsupported {
        /// The point's name.
        name: String,
        /// Why not.
        source: Unsupported,
    },
    /// Too few pairs.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// So few pairs that the best accuracy among them says nothing.
    #[error(
        "{VERIFY}: expected at least {LEAST_PAIRS} comparisons of one person and {LEAST_PAIRS} of two people, found {genuine} and {impostor}; rule of 3: even no wrong decision in n comparisons leaves an error rate of 3/n possible (95 % confidence), with fewer than {LEAST_PAIRS} more than 10 %; give more pictures"
    )]
    TooFewToVerify {
        /// Of one person, with faces found.
        genuine: usize,
        /// Of two people, with faces found.
        impostor: usize,
    },
    /// A distance out of range.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
}

/// The default points with those asked for in place of, or after, them.
pub fn wanted(asked: &[(String, f64)]) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = DEFAULTS
        .iter()
        .map(|(name, fmr)| Wanted {
            name: (*name).to_owned(),
            fmr: *fmr,
            asked: false,
        })
        .collect();
    for (name, fmr) in asked {
        let point = Wanted {
            name: name.clone(),
            fmr: *fmr,
            asked: true,
        };
        match wanted.iter_mut().find(|known| known.name == *name) {
            Some(known) => *known = point,
            None => wanted.push(point),
        }
    }
    wanted
}

/// Chooses the points on everything that the material compares; `data` says in words what that is.
///
/// # Errors
/// [`CalibrationError`] if a rate that was asked for is not supported: fewer than 30 false matches;
/// or with fewer than 30 pairs of either kind.
pub fn calibrate(
    embedded: &Embedded,
    distances: &Distances,
    wanted: &[Wanted],
    data: &str,
) -> Result<Calibration, CalibrationError> {
    let pairs = embedded.folds().concat();
    let found = |genuine: bool| {
        let pairs = pairs.iter();
        pairs
            .filter(|pair| pair.distance.is_some() && pair.genuine == genuine)
            .count()
    };
    let (genuine, impostor) = (found(true), found(false));
    if genuine.min(impostor) < LEAST_PAIRS {
        return Err(CalibrationError::TooFewToVerify { genuine, impostor });
    }
    let best = best_threshold(&pairs)?;
    let mut chosen = vec![(
        VERIFY.to_owned(),
        best.threshold,
        "best accuracy".to_owned(),
    )];
    let mut left_out = Vec::new();
    for wish in wanted {
        match distances.threshold_at(wish.fmr, RULE_OF_30) {
            Ok(threshold) => {
                let why = format!("false match rate of at most {}", in_short(wish.fmr));
                chosen.push((wish.name.clone(), threshold, why));
            }
            Err(source) if wish.asked => {
                let name = wish.name.clone();
                return Err(CalibrationError::Unsupported { name, source });
            }
            Err(error) => left_out.push((wish.clone(), error.to_string())),
        }
    }
    let thresholds: Vec<f32> = chosen.iter().map(|(_, threshold, _)| *threshold).collect();
    let tallies = Tally::at(&embedded.meetings(), &thresholds);
    let points = chosen.into_iter().zip(tallies);
    let points = points.map(|((name, threshold, why), tally)| {
        let impostor_pairs = distances.impostor_count();
        let by_people = tally.intervals(DRAWS, SEED);
        let false_matches = distances.accepted_impostors(threshold);
        let by_pairs = clopper_pearson(false_matches, impostor_pairs);
        let genuine_pairs = distances.genuine_count();
        let fnmr = distances.fnmr(threshold);
        let refused = fnmr.map(|fnmr| (fnmr * genuine_pairs as f64).round() as u64);
        let refused_by_pairs = refused.and_then(|it| clopper_pearson(it, genuine_pairs));
        Ok(Chosen {
            point: OperatingPoint {
                name,
                threshold: Threshold::new(threshold)?,
                fmr: distances.fmr(threshold),
                fnmr,
                impostor_pairs,
                genuine_pairs,
                fmr_interval: wider(by_pairs, by_people.fmr),
                fnmr_interval: wider(refused_by_pairs, by_people.fnmr),
                data_sha256: Some(embedded.sha256.clone()),
                data: format!("{why}; {data}"),
            },
            by_pairs,
            by_people,
        })
    });
    Ok(Calibration {
        points: points.collect::<Result<_, CalibrationError>>()?,
        left_out,
        best,
    })
}

/// What holds both intervals.
fn wider(a: Option<[f64; 2]>, b: Option<[f64; 2]>) -> Option<[f64; 2]> {
    match (a, b) {
        (Some(a), Some(b)) => Some([a[0].min(b[0]), a[1].max(b[1])]),
        (a, b) => a.or(b),
    }
}

/// What a gallery of `people` needs for a wished FPIR: the FMR, and the threshold for it or why the
/// comparisons cannot tell.
pub fn for_gallery(
    distances: &Distances,
    people: u64,
    fpir: f64,
) -> (f64, Result<f32, Unsupported>) {
    let fmr = fmr_for(fpir, people);
    (fmr, distances.threshold_at(fmr, RULE_OF_30))
}

#[cfg(test)]
mod tests {
    use super::super::material::Material;
    use super::*;
    use shared::Embedding;

    /// People in the plane, `each` pictures of each, a degree apart; people at even angles.
    fn circle(people: usize, each: usize) -> (Material, Vec<Option<Embedding>>) {
        let mut embeddings = Vec::new();
        let mut whose = Vec::new();
        for person in 0..people {
            for picture in 0..each {
                let degrees = person as f32 * 360.0 / people as f32 + picture as f32;
                let angle = degrees.to_radians();
                embeddings.push(Embedding::from_raw(vec![angle.cos(), angle.sin()]).ok());
                whose.push(person);
            }
        }
        let material = Material {
            name: "circle".to_owned(),
            pictures: Vec::new(),
            people: whose,
            names: (0..people).map(|person| person.to_string()).collect(),
            // Of each person the first two pictures, and the first with the next one's.
            folds: (0..people)
                .map(|person| person * each)
                .map(|at| vec![[at, at + 1], [at, (at + each) % (people * each)]])
                .collect(),
            all: true,
            pair_groups: Vec::new(),
        };
        (material, embeddings)
    }

    #[test]
    fn each_point_has_its_rate_and_bounds_around_it() {
        let (material, embeddings) = circle(60, 3);
        let embedded = Embedded::of(&material, embeddings);
        let distances = embedded.meetings().distances();
        // 60 * 59 / 2 * 9 = 15,930 impostor comparisons: 159 at 1e-2, 15 at 1e-3.
        assert_eq!(distances.impostor_count(), 15_930);
        let asked = [("mine".to_owned(), 0.05)];
        let calibration = calibrate(&embedded, &distances, &wanted(&asked), "a circle").unwrap();
        let names: Vec<&str> = calibration
            .points
            .iter()
            .map(|chosen| chosen.point.name.as_str())
            .collect();
        assert_eq!(names, ["verify", "duplicate-check", "mine"]);
        let left_out: Vec<&str> = calibration
            .left_out
            .iter()
            .map(|(wish, _)| wish.name.as_str())
            .collect();
        assert_eq!(left_out, ["door", "greet", "attendance"]);
        for (chosen, most) in calibration.points[1..].iter().zip([0.01, 0.05]) {
            let point = &chosen.point;
            let fmr = point.fmr.unwrap();
            assert!(fmr <= most && fmr > 0.3 * most, "{point:?}");
            let [low, high] = point.fmr_interval.unwrap();
            for [inner_low, inner_high] in
                [chosen.by_pairs, chosen.by_people.fmr].map(Option::unwrap)
            {
                assert!(low <= inner_low && inner_high <= high, "{chosen:?}");
            }
            assert!(low < fmr && fmr < high, "{point:?}");
            assert_eq!(point.data_sha256.as_ref().unwrap().len(), 64);
        }
        // What was asked for is not left out but refused, by name and rule.
        let asked = [("door".to_owned(), 1e-4)];
        let error = calibrate(&embedded, &distances, &wanted(&asked), "").unwrap_err();
        let said = error.to_string();
        assert!(said.contains("door: expected at least 300000"), "{said}");
        assert!(said.contains("rule of 3:"), "{said}");
    }

    #[test]
    fn verify_needs_thirty_comparisons_of_either_kind() {
        let calibrated = |people, faces_lost: usize| {
            let (material, mut embeddings) = circle(people, 3);
            embeddings[..faces_lost].fill(None);
            let embedded = Embedded::of(&material, embeddings);
            let distances = embedded.meetings().distances();
            calibrate(&embedded, &distances, &[], "").map(|found| found.points.len())
        };
        assert_eq!(calibrated(30, 0).unwrap(), 1);
        // The first picture is in a pair of either kind, and in one with the last person's.
        let error = calibrated(31, 1).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("verify: expected at least 30"), "{said}");
        assert!(said.contains("found 30 and 29; rule of 3"), "{said}");
        assert!(calibrated(29, 0).is_err());
    }

    #[test]
    fn a_gallery_needs_a_smaller_rate_than_a_comparison() {
        let impostor = (0..100_000).map(|i| 1.0 + i as f32 / 100_000.0).collect();
        let distances = Distances::new(vec![0.5], impostor);
        let (fmr, threshold) = for_gallery(&distances, 10, 0.1);
        assert!((fmr - 0.010_480_741).abs() < 1e-8, "{fmr}");
        assert!((threshold.unwrap() - 1.01048).abs() < 1e-4);
        let (_, threshold) = for_gallery(&distances, 1000, 0.01);
        assert!(threshold.unwrap_err().to_string().contains("rule of 3"));
    }
}
