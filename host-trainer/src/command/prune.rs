//! `usher-train prune`: a narrower network out of a trained wider one, for training to start from.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use indicatif::ProgressIterator;
use shared::{Embedder, Preprocessing};

use crate::dataset::Dataset;
use crate::network::{self, Spec};
use crate::onnx::reader::{self, Normalization};
use crate::teacher;
use crate::torch::prune;

/// Make a narrower network out of a trained wider one, for `train --init` to start from
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train prune models/sface.toml --data data/aligned --out pruned.safetensors\n\
                        then: usher-train train --init pruned.safetensors --teacher models/sface.toml, with \
                        network = \"mobilenet-slim\" in the config"
)]
pub struct Arguments {
    /// The wider network: an imported model whose ONNX holds the weights of `mobilenet`, as SFace's
    model: PathBuf,
    /// Aligned faces, as for train
    #[arg(long)]
    data: PathBuf,
    /// The narrower network
    #[arg(long, default_value = "mobilenet-slim", value_parser = ["mobilenet-slim", "mobilenet-tiny"])]
    network: String,
    /// The weights to write
    #[arg(long)]
    out: PathBuf,
    /// Pictures to look at; about 4 MB of memory each
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    pictures: u32,
}

/// Prunes.
///
/// # Errors
/// If model or data cannot be used; nothing is written then.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    super::train::prepare_environment();
    let (manifest, onnx) = Embedder::read(&arguments.model)?;
    let spec = |name: &str| Spec {
        dimension: manifest.dimension,
        ..Spec::new(name)
    };
    let (full, slim) = (
        network::build(&spec("mobilenet"))?,
        network::build(&spec(&arguments.network))?,
    );
    let (weights, normalization) = reader::weights(&full, &onnx)
        .with_context(|| format!("cannot prune {}", arguments.model.display()))?;
    let recipe = Preprocessing::usher(full.side_px()?);
    let theirs = normalization.unwrap_or(Normalization {
        mean: manifest.preprocessing.mean,
        scale: manifest.preprocessing.scale,
    });
    ensure!(
        (theirs.mean, theirs.scale) == (recipe.mean, recipe.scale)
            && manifest.preprocessing.color_order == recipe.color_order,
        "expected a network whose input is (byte - {}) * {} in {:?}, as our own networks have it, found (byte - {}) * {} in {:?}",
        recipe.mean,
        recipe.scale,
        recipe.color_order,
        theirs.mean,
        theirs.scale,
        manifest.preprocessing.color_order
    );
    let dataset = Dataset::open(&arguments.data)?;
    let count = dataset.pictures.len().min(arguments.pictures as usize);
    let mut faces = Vec::with_capacity(count * full.input().volume());
    for index in (0..count).progress() {
        let picture = index * dataset.pictures.len() / count;
        faces.extend_from_slice(teacher::face(&dataset, picture, &recipe)?.values());
    }
    let pruned = prune::prune(&full, &weights, &slim, &faces)?;
    for block in &pruned.blocks {
        eprintln!(
            "{}: {} of {} channels, {:.1} % of what reads them lost before the fit",
            block.layer,
            block.kept,
            block.of,
            100.0 * block.lost
        );
    }
    eprintln!(
        "{} parameters of {}; embeddings lie {:.3} (squared L2) from the wider network's",
        slim.parameter_count(),
        full.parameter_count(),
        pruned.distance
    );
    pruned.weights.write(&arguments.out)?;
    println!("{}", arguments.out.display());
    Ok(())
}
