//! `usher-train export`: from weights to a model that the device loads.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::model_id::sha256_hex;
use shared::{AlignedFace, Embedder, ModelManifest, Preprocessing, TrainingData, manifest};

use crate::config::Config;
use crate::history::{self, Stage};
use crate::model_files::ModelFiles;
use crate::network::graph::LayerGraph;
use crate::network::{self, DEFAULT_DIMENSION, Spec};
use crate::weights::Weights;
use crate::{model_card, onnx, reference};

/// Largest difference allowed between the exported model and the plain-Rust referee, on a unit
/// embedding; see `agreement` for where the number comes from.
const TOLERANCE: f32 = 1e-5;
/// Seed of the face that the exported model is tried on.
const FACE_SEED: u64 = 1;
/// What may be done with weights, for want of wider terms: those of face data are never wider.
const LICENCE: &str =
    "non-commercial research and demonstration only, as the terms of the training data ask";

/// Export weights to ONNX with manifest and model card
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train export --run runs/first --name usher-small --models models"
)]
pub struct Arguments {
    /// A run's folder
    #[arg(long, required_unless_present_any = ["weights", "untrained"])]
    run: Option<PathBuf>,
    /// Which of the run's checkpoints: last, best (by validation), or step-000200
    #[arg(long, default_value = "last", conflicts_with_all = ["weights", "untrained"])]
    checkpoint: String,
    /// Weights without a run, in safetensors
    #[arg(long, requires = "network", conflicts_with = "run")]
    weights: Option<PathBuf>,
    /// Weights as before training, drawn by this seed: to time a network before there are others
    #[arg(
        long,
        value_name = "SEED",
        requires = "network",
        conflicts_with_all = ["run", "weights"]
    )]
    untrained: Option<u64>,
    /// Network of --weights or --untrained, such as nn4; `usher-train describe --all` lists them
    #[arg(long, conflicts_with = "run")]
    network: Option<String>,
    /// Values in an embedding of that network
    #[arg(long, default_value_t = DEFAULT_DIMENSION, conflicts_with = "run")]
    dimension: usize,
    /// Factor of the channels of that network
    #[arg(long, default_value_t = 1.0, conflicts_with = "run")]
    width: f64,
    /// Whether that network has batch normalization [default: as the network's paper has it]
    #[arg(long, conflicts_with = "run")]
    batch_norm: Option<bool>,
    /// Name of the model and of its files
    #[arg(long)]
    name: String,
    /// Folder to write NAME.onnx, NAME.toml and NAME.md to
    #[arg(long)]
    models: PathBuf,
    /// Replace a model of that name
    #[arg(long)]
    force: bool,
}

/// Weights of a network, and what is known of their training.
struct Trained {
    graph: LayerGraph,
    weights: Weights,
    data: Vec<TrainingData>,
    stages: Vec<Stage>,
    checkpoint: String,
}

/// Exports.
///
/// # Errors
/// If the weights are unusable, the model exists, or what was written does not compute what the
/// weights say; then no file of that name is touched.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let files = ModelFiles::new(&arguments.models, &arguments.name, arguments.force)?;
    let trained = match (&arguments.run, &arguments.weights, arguments.untrained) {
        (Some(run), _, _) => from_run(run, &arguments.checkpoint)?,
        (_, Some(weights), _) => without_run(network_named(arguments)?, Weights::read(weights)?),
        (_, _, Some(seed)) => {
            let graph = network_named(arguments)?;
            let weights = Weights::initialize(&graph, seed);
            without_run(graph, weights)
        }
        _ => bail!("expected --run, or --network with --weights or --untrained"),
    };
    let bytes = onnx::model(&trained.graph, &trained.weights)?;
    let mut manifest = manifest(&trained, &arguments.name, &bytes)?;
    if arguments.untrained.is_some() {
        manifest.licence = "as the program that drew the weights: MIT OR Apache-2.0".to_owned();
    }
    let mut card = model_card::render(&manifest, &trained.stages, &trained.checkpoint);
    if let Some(seed) = arguments.untrained {
        card = untrained_card(&card, &manifest, seed);
    }
    let difference = files.publish(&bytes, &manifest, &card, |manifest| {
        check(&trained, manifest)
    })?;
    eprintln!("the exported model and the referee differ by {difference:.1e}");
    for file in files.paths() {
        println!("{}", file.display());
    }
    if arguments.untrained.is_none() {
        eprintln!(
            "next: usher-train calibrate --model {} --lfw DIR",
            files.manifest().display()
        );
    }
    Ok(())
}

/// The network that the options describe.
fn network_named(arguments: &Arguments) -> anyhow::Result<LayerGraph> {
    let Some(name) = &arguments.network else {
        bail!("expected --network beside --weights or --untrained");
    };
    Ok(network::build(&Spec {
        name: name.clone(),
        dimension: arguments.dimension,
        batch_norm: arguments.batch_norm,
        width: arguments.width,
    })?)
}

/// The card of weights that were never trained.
fn untrained_card(card: &str, manifest: &ModelManifest, seed: u64) -> String {
    let data = format!(
        "None: the weights are as before training, drawn by seed {seed}. What such a network says of a face \
         means nothing; it is there to be timed."
    );
    let again = format!(
        "`usher-train export --untrained {seed} --network {} --dimension {} --name {} --models models`, with \
         `--width` and `--batch-norm` if they were given.",
        manifest.network, manifest.dimension, manifest.name
    );
    let card = model_card::with_section(card, "Training data", &data);
    model_card::with_section(&card, "How to make it again", &again)
}

fn without_run(graph: LayerGraph, weights: Weights) -> Trained {
    Trained {
        graph,
        weights,
        data: Vec::new(),
        stages: Vec::new(),
        checkpoint: "last".to_owned(),
    }
}

fn from_run(folder: &Path, checkpoint: &str) -> anyhow::Result<Trained> {
    let config = Config::read(&folder.join(history::CONFIG))?;
    let path = folder.join(format!("{checkpoint}.safetensors"));
    ensure!(
        path.exists(),
        "{} has no checkpoint {checkpoint}: expected last, best (there is one once the run has been \
         validated: train --validate) or one of its step-NNNNNN",
        folder.display()
    );
    let weights = Weights::read(&path)?;
    let stages = history::of_weights(&path)?;
    let data = history::sources(&stages)
        .into_iter()
        .map(|source| TrainingData {
            name: source.name,
            pictures: source.pictures,
            identities: source.identities,
            licence: source.licence,
        });
    Ok(Trained {
        graph: network::build(&config.spec())?,
        weights,
        data: data.collect(),
        stages,
        checkpoint: checkpoint.to_owned(),
    })
}

fn manifest(trained: &Trained, name: &str, onnx: &[u8]) -> anyhow::Result<ModelManifest> {
    Ok(ModelManifest {
        format: manifest::FORMAT,
        name: name.to_owned(),
        network: trained.graph.name().to_owned(),
        onnx: format!("{name}.onnx"),
        sha256: sha256_hex(onnx),
        dimension: trained.graph.dimension(),
        parameters: trained.graph.parameter_count(),
        multiply_adds: trained.graph.multiply_adds(),
        licence: LICENCE.to_owned(),
        preprocessing: Preprocessing::usher(trained.graph.side_px()?),
        operating_points: Vec::new(),
        training_data: trained.data.clone(),
    })
}

/// Loads the model as the device does and embeds a face of random pixels with it and with the
/// referee; returns the largest difference.
fn check(trained: &Trained, manifest: &Path) -> anyhow::Result<f32> {
    let mut embedder = Embedder::load(manifest)?;
    let recipe = embedder.manifest().preprocessing.clone();
    let side = recipe.side_px as usize;
    let mut rgb = vec![0; side * side * 3];
    ChaCha8Rng::seed_from_u64(FACE_SEED).fill_bytes(&mut rgb);
    let face = recipe.normalize(&AlignedFace::from_rgb(recipe.side_px, rgb)?);
    let expected = reference::embed(&trained.graph, &trained.weights, face.values())?;
    let found = embedder.embed(&face)?;
    let differences = expected
        .iter()
        .zip(found.values())
        .map(|(a, b)| (a - b).abs());
    let largest = differences.fold(0.0, f32::max);
    let count = (expected.len(), found.dimension());
    ensure!(
        count.0 == count.1
            && expected.iter().all(|value| value.is_finite())
            && largest <= TOLERANCE,
        "the exported model does not compute what its weights say: expected a difference of at most \
         {TOLERANCE:.0e}, found {largest:.1e}; the model was not kept"
    );
    Ok(largest)
}
