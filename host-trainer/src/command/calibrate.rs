//! `usher-train calibrate`: chooses a model's thresholds on LFW's View 1.

use std::path::PathBuf;

use anyhow::Context;
use shared::atomic_file::{self, Readers};
use shared::{ModelManifest, OperatingPoint, Threshold};

use crate::command::embedding::EmbeddingArguments;
use crate::dataset::lfw::{Lfw, VIEW_1_TEST, VIEW_1_TRAIN};
use crate::model_card;
use crate::verification::folds::{best_threshold, right_at};
use crate::verification::rates::Distances;
use crate::verification::{faces, folds, pairs};

/// Operating points by their false match rate, each ten times stricter than the next.
const BY_RATE: [(&str, f64); 3] = [("door", 1e-4), ("greet", 1e-3), ("lenient", 1e-2)];
/// The operating point of best accuracy on the list of pairs.
const VERIFY: &str = "verify";
/// Doddington's rule: see [`Distances::threshold_at`].
const LEAST_ERRORS: u64 = 30;

/// Choose a model's thresholds on LFW's View 1 and write them into its manifest
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train calibrate --model models/usher-small.toml --lfw lfw")]
pub struct Arguments {
    #[command(flatten)]
    embedding: EmbeddingArguments,
    /// Folder with pairsDevTrain.txt, pairsDevTest.txt and the pictures
    #[arg(long)]
    lfw: PathBuf,
}

/// Calibrates.
///
/// # Errors
/// If model or data are unusable, or too few faces are found for the smallest rate; the manifest
/// is then as it was.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut manifest = ModelManifest::read(&arguments.embedding.model)?;
    let lfw = Lfw::new(&arguments.lfw);
    let (train, test) = (lfw.pairs(VIEW_1_TRAIN)?, lfw.pairs(VIEW_1_TEST)?);
    let pictures = train.pictures().union(&test.pictures()).cloned().collect();
    let pictures = lfw.pictures(&pictures)?;
    let embeddings = faces::embed(&pictures, &arguments.embedding.source())?;
    let compare = |list: &pairs::PairList| faces::compare(&list.folds.concat(), &embeddings);
    let distances = |list: &pairs::PairList| {
        let (genuine, impostor) = faces::all_against_all(&list.pictures(), &embeddings);
        Distances::new(genuine, impostor)
    };
    let (on_train, on_test) = (compare(&train), compare(&test));
    let (train_distances, test_distances) = (distances(&train), distances(&test));

    let best = best_threshold(&on_train)?;
    manifest.operating_points = operating_points(best.threshold, &train_distances)?;
    manifest.write(&arguments.embedding.model)?;
    let card_path = arguments.embedding.model.with_extension("md");
    if card_path.exists() {
        let context = || format!("cannot renew {}", card_path.display());
        let card = std::fs::read_to_string(&card_path).with_context(context)?;
        let body = model_card::operating_points(&manifest.operating_points);
        let card = model_card::with_section(&card, model_card::OPERATING_POINTS, &body);
        atomic_file::replace(&card_path, card.as_bytes(), Readers::Everyone)
            .with_context(context)?;
    }

    let lacking = embeddings.values().filter(|found| found.is_none()).count();
    println!(
        "no face found in {lacking} of {} pictures",
        embeddings.len()
    );
    println!(
        "{:<10} {:>10} {:>27} {:>23}",
        "", "", "chosen on View 1 train", "seen on View 1 test"
    );
    println!(
        "{:<10} {:>10} {:>13} {:>13} {:>11} {:>11}",
        "point", "threshold", "FMR", "FNMR", "FMR", "FNMR"
    );
    for point in &manifest.operating_points {
        let threshold = point.threshold.value();
        println!(
            "{:<10} {threshold:>10.4} {:>13} {:>13} {:>11} {:>11}",
            point.name,
            rate(point.fmr),
            rate(point.fnmr),
            rate(test_distances.fmr(threshold)),
            rate(test_distances.fnmr(threshold)),
        );
    }
    println!(
        "pairs {} at {:.4}: {:.2} % right on {VIEW_1_TRAIN}, {:.2} % on {VIEW_1_TEST}",
        VERIFY,
        best.threshold,
        best.accuracy * 100.0,
        share_right(best.threshold, &on_test) * 100.0
    );
    println!("{}", arguments.embedding.model.display());
    eprintln!(
        "next: usher-train evaluate --model {} --lfw {}",
        arguments.embedding.model.display(),
        arguments.lfw.display()
    );
    Ok(())
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2e}"))
}

fn share_right(threshold: f32, comparisons: &[folds::Comparison]) -> f64 {
    let (right, usable) = right_at(threshold, comparisons);
    right as f64 / usable as f64
}

/// The points at `verify` and at each rate of [`BY_RATE`], with error rates on `distances`.
fn operating_points(verify: f32, distances: &Distances) -> anyhow::Result<Vec<OperatingPoint>> {
    let people = "measured on every pair among the pictures of LFW's View 1 training list";
    let point = |name: &str, threshold: f32, chosen: &str| -> anyhow::Result<OperatingPoint> {
        Ok(OperatingPoint {
            name: name.to_owned(),
            threshold: Threshold::new(threshold)?,
            fmr: distances.fmr(threshold),
            fnmr: distances.fnmr(threshold),
            impostor_pairs: distances.impostor_count(),
            genuine_pairs: distances.genuine_count(),
            data: format!("{chosen}; {people}"),
        })
    };
    let chosen = format!("best accuracy on the pairs of {VIEW_1_TRAIN}");
    let mut points = vec![point(VERIFY, verify, &chosen)?];
    for (name, fmr) in BY_RATE {
        let threshold = distances.threshold_at(fmr, LEAST_ERRORS)?;
        let chosen = format!("largest threshold with a false match rate of at most {fmr:.0e}");
        points.push(point(name, threshold, &chosen)?);
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_has_its_rate() {
        // A million impostors evenly from 1 to 3, a thousand genuine evenly from 0 to 2.
        let impostor = (0..1_000_000).map(|i| 1.0 + i as f32 / 500_000.0).collect();
        let genuine = (0..1000).map(|i| i as f32 / 500.0).collect();
        let points = operating_points(1.25, &Distances::new(genuine, impostor)).unwrap();
        let names: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
        assert_eq!(names, ["verify", "door", "greet", "lenient"]);
        for (point, threshold, fmr, fnmr) in [
            (&points[0], 1.25, 0.125, 0.374),
            (&points[1], 1.0002, 1e-4, 0.499),
            (&points[2], 1.002, 1e-3, 0.498),
            (&points[3], 1.02, 1e-2, 0.489),
        ] {
            assert!(
                (point.threshold.value() - threshold).abs() < 1e-5,
                "{point:?}"
            );
            assert!((point.fmr.unwrap() - fmr).abs() < 2e-6, "{point:?}");
            assert!((point.fnmr.unwrap() - fnmr).abs() < 1.1e-3, "{point:?}");
            assert_eq!(
                (point.impostor_pairs, point.genuine_pairs),
                (1_000_000, 1000)
            );
        }
    }

    #[test]
    fn too_few_people_are_refused() {
        let few = Distances::new(vec![0.5], vec![1.5; 299_999]);
        let error = operating_points(1.0, &few).unwrap_err().to_string();
        assert!(error.contains("at least 300000 impostor"), "{error}");
    }
}
