//! `usher-train verify`: whether two pictures show one person.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use shared::atomic_file::{self, Readers};
use shared::{ModelManifest, SquaredL2, Threshold};

use super::embedding::EmbeddingArguments;
use super::place;
use crate::drawing;
use crate::embeddings::{Face, Faces, Photos, largest};
use crate::verification::meaning::Meaning;

/// Side of a drawn face, in pixels.
const FACE_PX: u32 = 224;

/// Tell whether two pictures show the same person
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train verify passport.jpg camera.jpg --out both.png\n\
    Of several faces in a picture the largest is compared. Exit 0 whatever the answer is."
)]
pub struct Arguments {
    /// A picture
    first: PathBuf,
    /// Another picture
    second: PathBuf,
    #[command(flatten)]
    embedding: EmbeddingArguments,
    #[command(flatten)]
    decision: DecisionArguments,
    /// Draw both faces as the network sees them, with the decision, into this PNG
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Up to which distance two faces count as one person.
#[derive(Debug, Clone, clap::Args)]
pub struct DecisionArguments {
    /// Operating point of the model whose D decides
    #[arg(long, default_value = "verify", value_name = "NAME")]
    pub point: String,
    /// D itself, squared L2 from 0 to 4, in place of an operating point's
    #[arg(long, value_name = "D", conflicts_with = "point")]
    pub threshold: Option<f32>,
}

impl DecisionArguments {
    /// D for that model.
    ///
    /// # Errors
    /// If the model has no such operating point, or D is out of its range.
    pub fn threshold(&self, manifest: &ModelManifest) -> anyhow::Result<Threshold> {
        match self.threshold {
            Some(threshold) => Ok(Threshold::new(threshold)?),
            None => {
                let point = manifest.operating_point(&self.point);
                let point = point
                    .map_err(|error| anyhow::anyhow!("{error}; or name D itself by --threshold"))?;
                Ok(point.threshold)
            }
        }
    }

    /// Where D is from, in words.
    pub fn origin(&self) -> String {
        match self.threshold {
            Some(_) => "as asked".to_owned(),
            None => format!("operating point {}", self.point),
        }
    }
}

#[derive(Serialize)]
struct Report {
    model: String,
    same: bool,
    /// Squared L2.
    distance: f32,
    threshold: f32,
    /// Threshold less distance.
    margin: f32,
    strangers_as_near: Meaning,
    pictures: [Picture; 2],
}

/// What was found in a picture.
#[derive(Serialize)]
struct Picture {
    path: PathBuf,
    faces: usize,
    /// The detector's, 0 to 1.
    score: f32,
}

/// Verifies.
///
/// # Errors
/// If model or pictures are unusable, or a picture shows no face.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(out) = &arguments.out {
        place::file(out, "png", &[&arguments.first, &arguments.second])?;
    }
    let source = arguments.embedding.source();
    let manifest = source.manifest()?;
    let threshold = arguments.decision.threshold(&manifest)?;
    let mut photos = Photos::open(&arguments.first)?;
    photos
        .photos
        .extend(Photos::open(&arguments.second)?.photos);
    if photos.photos.len() != 2 {
        bail!("expected two pictures, found a folder; `usher-train identify` takes folders");
    }
    let set = source.embed(&photos, Faces::All)?;
    if let Some((_, reason)) = set.unreadable.first() {
        bail!("{reason}");
    }
    if let Some(path) = set.without_face.first() {
        bail!(
            "expected a face in {}, found none; take a picture with the face larger, lit and turned to the camera",
            path.display()
        );
    }
    // The same file given twice is two pictures still.
    let second = set
        .faces
        .iter()
        .rposition(|face| face.index == 0)
        .unwrap_or(0);
    let (first, second) = set.faces.split_at(second);
    let chosen = [meant(first)?, meant(second)?];
    let distance = SquaredL2::between(&chosen[0].embedding, &chosen[1].embedding);
    let picture = |face: &Face, faces: usize| Picture {
        path: face.path.clone(),
        faces,
        score: face.detection.map_or(0.0, |detection| detection.score),
    };
    let report = Report {
        model: manifest.name.clone(),
        same: threshold.accepts(distance),
        distance: distance.value(),
        threshold: threshold.value(),
        margin: threshold.value() - distance.value(),
        strangers_as_near: Meaning::of(distance, &manifest.operating_points),
        pictures: [
            picture(chosen[0], first.len()),
            picture(chosen[1], second.len()),
        ],
    };
    if let Some(path) = &arguments.out {
        draw(&report, chosen, path)?;
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report, &arguments.decision.origin()));
    }
    if let Some(path) = &arguments.out {
        eprintln!("{}", path.display());
    }
    Ok(())
}

/// The face that covers most of its picture.
fn meant(faces: &[Face]) -> anyhow::Result<&Face> {
    let place = largest(faces.iter().map(|face| face.detection.as_ref()));
    faces.get(place).context("expected a face in both pictures")
}

fn text(report: &Report, origin: &str) -> String {
    let (answer, side) = match report.same {
        true => ("the same person", "below"),
        false => ("different people", "above"),
    };
    let mut text = format!(
        "{answer}: distance {:.3}, {:.3} {side} D = {:.3} ({origin} of {})\n{}\n",
        report.distance,
        report.margin.abs(),
        report.threshold,
        report.model,
        report.strangers_as_near
    );
    for picture in &report.pictures {
        if picture.faces > 1 {
            text += &format!(
                "{} shows {} faces: the largest was compared\n",
                picture.path.display(),
                picture.faces
            );
        }
    }
    text
}

fn draw(report: &Report, faces: [&Face; 2], path: &Path) -> anyhow::Result<()> {
    let faces = [faces[0].thumbnail(FACE_PX)?, faces[1].thumbnail(FACE_PX)?];
    let (verdict, color) = match report.same {
        true => ("the same person", drawing::GREEN),
        false => ("different people", drawing::RED),
    };
    let numbers = format!(
        "distance {:.3}   D {:.3}",
        report.distance, report.threshold
    );
    let picture = drawing::side_by_side(&faces, verdict, &numbers, color);
    let png = drawing::png(&picture)?;
    // Faces are biometric data.
    atomic_file::replace(path, &png, Readers::Owner)
        .with_context(|| format!("cannot write {}", path.display()))
}
