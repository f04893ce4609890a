//! `usher-train identify`: who it is in a picture, or in each picture of a folder.

mod known;
mod report;

use std::path::PathBuf;

use anyhow::ensure;
use rayon::prelude::*;
use shared::gallery::options::KeyOptions;

use super::embedding::EmbeddingArguments;
use super::verify::DecisionArguments;
use crate::embeddings::{Faces, Photos};
use crate::verification::neighbors;
use known::Known;
use report::{Answer, Candidate, Report};

/// Tell who is in a picture, or in each picture of a folder, by the nearest known faces
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  usher-train identify door.jpg --gallery photos\n  \
    usher-train identify probes --gallery people.gallery --k 5 --point greet --key gallery.key\n\
    A gallery is a folder per person, or a kiosk's gallery file of the same model. Where the pictures \
    of a folder lie in a folder per person too, right and wrong answers are counted."
)]
pub struct Arguments {
    /// A picture, or a folder of pictures
    probes: PathBuf,
    /// Who is known: a folder per person, or a gallery file
    #[arg(long, value_name = "FOLDER|FILE")]
    gallery: PathBuf,
    #[command(flatten)]
    keys: KeyOptions,
    /// Nearest templates that vote
    #[arg(long, default_value_t = 5, value_name = "COUNT")]
    k: usize,
    #[command(flatten)]
    embedding: EmbeddingArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    /// Every face of a picture is asked for, not only the one nearest to its middle
    #[arg(long)]
    all_faces: bool,
    /// Show every answer of a folder, not only the wrong ones where labels are known
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Identifies.
///
/// # Errors
/// If model, gallery or pictures are unusable.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.k > 0, "expected --k of at least 1, found 0");
    let source = arguments.embedding.source();
    let manifest = source.manifest()?;
    let threshold = arguments.decision.threshold(&manifest)?;
    let known = Known::open(&arguments.gallery, &source, &arguments.keys)?;
    let faces = match arguments.all_faces {
        true => Faces::All,
        false => Faces::Central,
    };
    let photos = Photos::open(&arguments.probes)?;
    let probes = source.embed(&photos, faces)?;
    eprint!("{}", probes.left_out());
    let answers = probes.faces.par_iter().map(|face| {
        let near = neighbors::nearest(
            &face.embedding,
            Some(face.digest),
            &known.templates,
            arguments.k,
        );
        let candidate = |neighbor: &neighbors::Neighbor| Candidate {
            person: known.names[neighbor.person].clone(),
            distance: neighbor.distance.value(),
        };
        let vote = neighbors::vote(&near, threshold);
        Answer {
            picture: face.path.clone(),
            face: face.index,
            person: vote.map(|vote| known.names[vote.person].clone()),
            distance: vote.map(|vote| vote.distance.value()),
            votes: vote.map_or(0, |vote| vote.votes),
            of: vote.map_or(0, |vote| vote.of),
            label: face.label.clone(),
            mated: face
                .label
                .as_deref()
                .map(|label| known.has_another(label, &face.digest)),
            nearest: near.iter().map(candidate).collect(),
        }
    });
    let report = Report::new(
        manifest.name.clone(),
        threshold.value(),
        &known,
        answers.collect(),
        probes.without_face.len() + probes.unreadable.len(),
    );
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!(
            "{}",
            report.text(arguments.all, &arguments.decision.origin())
        );
    }
    Ok(())
}
