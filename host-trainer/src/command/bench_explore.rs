//! `usher-train bench-explore`: the work of `scripts/bench-explore`, on a matrix in a file.

mod cluster;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use shared::atomic_file::{self, Readers};

use super::embedding::EmbeddingArguments;
use crate::embeddings::{Faces, Photos};
use crate::tsne::{self, Settings};

/// Do once what scripts/bench-explore measures
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "Example: usher-train bench-explore tsne --in matrix.safetensors --out picture.safetensors"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Embeddings of the first pictures of a folder, the middle face of each
    Embed {
        /// The folder
        #[arg(long)]
        photos: PathBuf,
        /// How many embeddings
        #[arg(long)]
        most: usize,
        /// The matrix, as safetensors
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        embedding: EmbeddingArguments,
    },
    /// t-SNE: `embeddings` f32 [n, dimension] in, `points` f32 [n, 2] out
    Tsne {
        /// The matrix, as safetensors
        #[arg(long = "in", value_name = "FILE")]
        input: PathBuf,
        /// The picture, as safetensors
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Clustering of made embeddings, or of those in a file; prints a line of JSON
    Cluster(cluster::Arguments),
}

/// Does it.
///
/// # Errors
/// If the matrix cannot be read, or the result not be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.what {
        What::Embed {
            photos,
            most,
            out,
            embedding,
        } => {
            let set = embedding
                .source()
                .embed(&Photos::open(photos)?, Faces::Central)?;
            let rows = set.matrix();
            let wanted = most * set.dimension;
            if rows.len() < wanted {
                bail!(
                    "expected {most} faces, found {}; name more pictures",
                    set.faces.len()
                );
            }
            write(out, "embeddings", &rows[..wanted], set.dimension)
        }
        What::Tsne { input, out } => {
            let (rows, dimension) = matrix(input)?;
            let picture = tsne::tsne(&rows, dimension, &Settings::default())?;
            write(out, "points", picture.points.as_flattened(), 2)
        }
        What::Cluster(arguments) => cluster::run(arguments),
    }
}

/// Writes a matrix as the one tensor of a file, for its owner alone.
fn write(path: &Path, name: &str, values: &[f32], width: usize) -> anyhow::Result<()> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![values.len() / width, width], &bytes)?;
    let file = safetensors::serialize([(name, view)], None)?;
    atomic_file::replace(path, &file, Readers::Owner)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The tensor `embeddings` of a file, row after row, and the numbers in a row.
///
/// # Errors
/// If the file is unreadable or has no such matrix of f32.
fn matrix(path: &Path) -> anyhow::Result<(Vec<f32>, usize)> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let context = || {
        format!(
            "expected a tensor `embeddings` f32 [n, dimension] in {}",
            path.display()
        )
    };
    let file = SafeTensors::deserialize(&bytes).with_context(context)?;
    let rows = file.tensor("embeddings").with_context(context)?;
    let (Dtype::F32, &[_, dimension]) = (rows.dtype(), rows.shape()) else {
        bail!("{}, found {:?} {:?}", context(), rows.dtype(), rows.shape());
    };
    let values = rows.data().as_chunks::<4>().0.iter();
    Ok((
        values.map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        dimension,
    ))
}
