//! `usher-train evaluate`: a model's accuracy by LFW's protocol, View 2.

mod against;

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use shared::ModelManifest;
use shared::atomic_file::{self, Readers};

use crate::command::embedding::EmbeddingArguments;
use crate::dataset::lfw::{Lfw, VIEW_2};
use crate::model_card;
use crate::verification::faces;
use crate::verification::folds::{Comparison, CrossValidation, cross_validate};
use crate::verification::rates::Distances;

/// False accept rates at which the share of accepted genuine pairs is told (FaceNet's VAL).
const FALSE_ACCEPT_RATES: [f64; 2] = [1e-2, 1e-3];

/// Measure a model by LFW's protocol: ten folds, the threshold chosen on nine, measured on the tenth
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train evaluate --model models/usher-small.toml --lfw lfw --json"
)]
pub struct Arguments {
    #[command(flatten)]
    embedding: EmbeddingArguments,
    /// Folder with pairs.txt and the pictures
    #[arg(long)]
    lfw: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write the result into the model's card
    #[arg(long, conflicts_with = "against")]
    card: bool,
    /// An older model's manifest: compare probes by --model with templates of that one too
    #[arg(long, value_name = "MANIFEST")]
    against: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    model: String,
    /// Pictures without a face found.
    not_found: usize,
    #[serde(flatten)]
    result: Measured,
}

/// What the protocol says of comparisons.
#[derive(Debug, Serialize)]
struct Measured {
    #[serde(flatten)]
    cross_validation: CrossValidation,
    /// Pairs compared by the protocol.
    pairs: usize,
    /// Pairs with a picture in which no face was found.
    pairs_not_found: usize,
    val: Vec<Validation>,
}

/// FaceNet's VAL at a FAR: the share of genuine pairs accepted where that share of impostor pairs is.
#[derive(Debug, Serialize)]
struct Validation {
    far: f64,
    threshold: f32,
    val: f64,
}

/// Evaluates.
///
/// # Errors
/// If model or data are unusable.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(old) = &arguments.against {
        return against::run(arguments, old);
    }
    let manifest = ModelManifest::read(&arguments.embedding.model)?;
    let lfw = Lfw::new(&arguments.lfw);
    let list = lfw.pairs(VIEW_2)?;
    let pictures = lfw.pictures(&list.pictures())?;
    let embeddings = faces::embed(&pictures, &arguments.embedding.source())?;
    let folds = list.folds.iter();
    let folds: Vec<_> = folds
        .map(|fold| faces::compare(fold, &embeddings))
        .collect();
    let not_found = embeddings.values().filter(|found| found.is_none()).count();
    let report = Report {
        model: named(&manifest),
        not_found,
        result: measure(&folds)?,
    };
    if arguments.card {
        let path = arguments.embedding.model.with_extension("md");
        let context = || format!("cannot renew {}", path.display());
        let card = std::fs::read_to_string(&path).with_context(context)?;
        let card = model_card::with_section(&card, model_card::ACCURACY, &text(&report));
        atomic_file::replace(&path, card.as_bytes(), Readers::Everyone).with_context(context)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    Ok(())
}

/// A model's name and id.
fn named(manifest: &ModelManifest) -> String {
    format!("{} {}", manifest.name, manifest.model_id())
}

fn measure(folds: &[Vec<Comparison>]) -> anyhow::Result<Measured> {
    let all = folds.concat();
    let of = |genuine: bool| -> Vec<f32> {
        let kind = all
            .iter()
            .filter(|comparison| comparison.genuine == genuine);
        kind.filter_map(|comparison| comparison.distance).collect()
    };
    let distances = Distances::new(of(true), of(false));
    // As the literature reports them, without asking for more than one impostor accepted: at
    // 1e-3, three of 3,000.
    let val = FALSE_ACCEPT_RATES.into_iter().filter_map(|far| {
        let threshold = distances.threshold_at(far, 1).ok()?;
        Some(Validation {
            far,
            threshold,
            val: 1.0 - distances.fnmr(threshold)?,
        })
    });
    Ok(Measured {
        cross_validation: cross_validate(folds)?,
        pairs: all.len(),
        pairs_not_found: all.iter().filter(|pair| pair.distance.is_none()).count(),
        val: val.collect(),
    })
}

fn text(report: &Report) -> String {
    let measured = &report.result;
    let result = &measured.cross_validation;
    let mut text = format!(
        "LFW View 2, {} pairs: {:.2} % ± {:.2} % right, threshold {:.4} on average; with pairs \
         without a face counted as wrong {:.2} %.\nNo face found in {} pictures, of {} pairs.\n",
        measured.pairs,
        result.accuracy * 100.0,
        result.standard_error * 100.0,
        result.threshold,
        result.accuracy_of_all * 100.0,
        report.not_found,
        measured.pairs_not_found
    );
    for val in &measured.val {
        text.push_str(&format!(
            "VAL {:.2} % at FAR {:.0e}, threshold {:.4}.\n",
            val.val * 100.0,
            val.far,
            val.threshold
        ));
    }
    text
}
