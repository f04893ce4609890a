//! `usher-train embed`: the embeddings of a folder's faces, for other programs.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use safetensors::tensor::{Dtype, TensorView};
use serde::Serialize;
use shared::atomic_file::{self, Readers};

use super::embedding::EmbeddingArguments;
use super::place;
use crate::embeddings::{EmbeddingSet, Faces, Photos};

/// Write the embeddings of all faces of a folder into a safetensors file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train embed photos --out embeddings.safetensors\n\
    The file holds `embeddings`, f32 [faces, dimension], and in its header under `faces`, as JSON, \
    picture, number in it and label of each row. It is biometric data: its owner's alone."
)]
pub struct Arguments {
    /// A picture, or a folder of pictures
    photos: PathBuf,
    #[command(flatten)]
    embedding: EmbeddingArguments,
    /// Which faces of a picture count
    #[arg(long, value_enum, default_value = "all")]
    faces: Faces,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

/// A row of the matrix.
#[derive(Serialize)]
struct Row<'a> {
    path: String,
    face: usize,
    label: Option<&'a str>,
}

/// Embeds.
///
/// # Errors
/// If model or pictures are unusable, no face is found, or the file cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    place::file(&arguments.out, "safetensors", &[])?;
    let photos = Photos::open(&arguments.photos)?;
    let set = arguments
        .embedding
        .source()
        .embed(&photos, arguments.faces)?;
    eprint!("{}", set.left_out());
    ensure!(
        !set.faces.is_empty(),
        "expected faces in {}, found none",
        arguments.photos.display()
    );
    let bytes = serialize(&set)?;
    atomic_file::replace(&arguments.out, &bytes, Readers::Owner)
        .with_context(|| format!("cannot write {}", arguments.out.display()))?;
    eprintln!(
        "{} faces in {} pictures",
        set.faces.len(),
        photos.photos.len()
    );
    println!("{}", arguments.out.display());
    Ok(())
}

fn serialize(set: &EmbeddingSet) -> anyhow::Result<Vec<u8>> {
    let values: Vec<u8> = set
        .matrix()
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    let extents = vec![set.faces.len(), set.dimension];
    let view = TensorView::new(Dtype::F32, extents, &values)?;
    let rows: Vec<Row> = set
        .faces
        .iter()
        .map(|face| Row {
            path: face.path.display().to_string(),
            face: face.index,
            label: face.label.as_deref(),
        })
        .collect();
    let notes = HashMap::from([
        ("model".to_owned(), set.model.to_string()),
        ("faces".to_owned(), serde_json::to_string(&rows)?),
    ]);
    Ok(safetensors::serialize([("embeddings", view)], Some(notes))?)
}
