//! Times clustering, of made embeddings or of those in a file.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use shared::Threshold;

use crate::cluster::Rows;
use crate::cluster::metrics::Metrics;
use crate::cluster::synthetic::Synthetic;
use crate::command::cluster::Choice;
use crate::doctor::machine::peak_bytes;

/// What is clustered, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The matrix, as safetensors
    #[arg(long, required_unless_present = "made")]
    matrix: Option<PathBuf>,
    /// Make so many faces of 128 numbers
    #[arg(long, conflicts_with = "matrix", value_name = "FACES")]
    made: Option<usize>,
    /// Of so many people, besides lone faces
    #[arg(long, default_value_t = 500)]
    people: usize,
    /// Mean squared distance of two made faces of one person; strangers are 2 apart
    #[arg(long, default_value_t = 0.75)]
    spread: f32,
    /// D
    #[arg(long, default_value_t = 1.3)]
    threshold: f32,
    #[arg(long, value_enum, default_value = "auto")]
    method: Choice,
}

/// Times, and prints a line of JSON.
///
/// # Errors
/// If the file is unusable or holds too many faces for the method.
pub(super) fn run(wanted: &Arguments) -> anyhow::Result<()> {
    let (values, dimension, people) = match (&wanted.matrix, wanted.made) {
        (Some(path), _) => {
            let (values, dimension) = super::matrix(path)?;
            (values, dimension, None)
        }
        (None, faces) => {
            let made = Synthetic {
                faces: faces.unwrap_or(10_000),
                people: wanted.people,
                spread: wanted.spread,
                ..Synthetic::default()
            };
            let made = made.make();
            (made.values, made.dimension, Some(made.people))
        }
    };
    let rows = Rows::new(&values, dimension)?;
    let method = wanted.method.method(rows.count());
    let threshold = Threshold::new(wanted.threshold)?;
    let started = Instant::now();
    let clustering = method.cluster(rows, threshold)?;
    let seconds = started.elapsed().as_secs_f64();
    let metrics = people.and_then(|people| Metrics::of(clustering.of_face.iter().zip(people)));
    let report = json!({
        "method": method,
        "threshold": wanted.threshold,
        "faces": rows.count(),
        "dimension": dimension,
        "seconds": seconds,
        "clusters": clustering.groups(),
        "lone": clustering.lone(),
        "metrics": metrics,
        "peak_bytes": peak_bytes(),
    });
    println!("{report}");
    Ok(())
}
