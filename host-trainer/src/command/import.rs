//! `usher-train import`: brings an embedder trained elsewhere into the family.

mod recipes;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::model_id::sha256_hex;
use shared::{
    AlignedFace, Alignment, ColorOrder, Embedder, Embedding, ModelManifest, OnnxModel,
    Preprocessing, Resampling, SquaredL2, manifest,
};

use super::embedding::EmbeddingArguments;
use super::{calibrate, evaluate};
use crate::model_card;
use crate::model_files::ModelFiles;

/// Bring any ONNX face embedder into the family: probe it, write its manifest and card
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example (SFace of the OpenCV zoo takes bytes as they are):\n  usher-train import \
    face_recognition_sface_2021dec.onnx --name sface --size 112 --scale 1 --bias 0 --order rgb \\\n      \
    --licence Apache-2.0 --source https://github.com/opencv/opencv_zoo --lfw LFW\n\
    A network's input is value = byte * SCALE + BIAS in planes of one color, its face aligned to the \
    ArcFace template; its output one embedding of any length."
)]
pub struct Arguments {
    /// The network: one input [N, 3, SIZE, SIZE], one output [N, dimension]
    onnx: PathBuf,
    /// Name of the model and of its files
    #[arg(long)]
    name: String,
    /// Side of its input, in pixels
    #[arg(long, value_name = "PIXELS")]
    size: u32,
    /// Factor of a byte
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f32,
    /// Added to the product
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    bias: f32,
    /// Which color's plane comes first
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// Terms under which the weights may be used
    #[arg(long)]
    licence: String,
    /// Where the network comes from, for the card
    #[arg(long, default_value = "not stated")]
    source: String,
    /// LFW's folder: the recipe is compared with likely others on View 1, the model calibrated there
    /// and evaluated on View 2
    #[arg(long)]
    lfw: Option<PathBuf>,
    /// The face detector, for --lfw
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Folder to write NAME.onnx, NAME.toml and NAME.md to
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// Replace a model of that name
    #[arg(long)]
    force: bool,
}

/// The order of color planes.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Order {
    #[default]
    Rgb,
    Bgr,
}

/// Imports.
///
/// # Errors
/// If the network is not an embedder of that size, or a model of that name is there; nothing is
/// written then.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let files = ModelFiles::new(&arguments.models, &arguments.name, arguments.force)?;
    let bytes = std::fs::read(&arguments.onnx)
        .with_context(|| format!("cannot read {}", arguments.onnx.display()))?;
    let manifest = manifest(arguments, &bytes)?;
    let card = model_card::render_imported(&manifest, &arguments.source);
    files.publish(&bytes, &manifest, &card, |path| {
        let apart = probe(&mut Embedder::load(path)?)?;
        eprintln!(
            "{} numbers an embedding; two faces of noise lie {apart:.3} apart",
            manifest.dimension
        );
        match &arguments.lfw {
            Some(lfw) => recipes::compare(path, &manifest, &arguments.detector, lfw),
            None => Ok(()),
        }
    })?;
    for file in files.paths() {
        println!("{}", file.display());
    }
    let Some(lfw) = &arguments.lfw else {
        eprintln!(
            "next: usher-train calibrate --model {0} --lfw LFW; usher-train evaluate --model {0} --lfw LFW --card",
            files.manifest().display()
        );
        return Ok(());
    };
    let embedding = EmbeddingArguments {
        model: files.manifest(),
        detector: arguments.detector.clone(),
        detector_side: None,
        cache: None,
        no_cache: false,
    };
    calibrate::run(&calibrate::Arguments::on_lfw(
        embedding.clone(),
        lfw.clone(),
    ))?;
    evaluate::run(&evaluate::Arguments::on_lfw(embedding, lfw.clone()))
}

fn manifest(arguments: &Arguments, onnx: &[u8]) -> anyhow::Result<ModelManifest> {
    ensure!(
        arguments.scale.is_finite() && arguments.scale != 0.0 && arguments.bias.is_finite(),
        "expected a finite --bias and a finite --scale other than 0, found {} and {}",
        arguments.bias,
        arguments.scale
    );
    let side = arguments.size as usize;
    let shape = [1, 3, side, side];
    let refused = || {
        format!(
            "{} is no embedder of faces of {side}x{side} pixels",
            arguments.onnx.display()
        )
    };
    let model = OnnxModel::load(onnx, &shape).with_context(refused)?;
    let extent = OnnxModel::extent(onnx, &shape).with_context(refused)?;
    let shapes: Vec<&[usize]> = model
        .outputs()
        .iter()
        .map(|output| output.shape.as_slice())
        .collect();
    let [[1, dimension]] = shapes[..] else {
        anyhow::bail!(
            "{}: expected one output [1, dimension], found {shapes:?}; cut the network behind its embedding",
            refused()
        );
    };
    Ok(ModelManifest {
        format: manifest::FORMAT,
        name: arguments.name.clone(),
        network: "imported".to_owned(),
        onnx: format!("{}.onnx", arguments.name),
        sha256: sha256_hex(onnx),
        dimension: *dimension,
        parameters: extent.parameters,
        multiply_adds: extent.multiply_adds,
        licence: arguments.licence.clone(),
        preprocessing: Preprocessing {
            side_px: arguments.size,
            color_order: match arguments.order {
                Order::Rgb => ColorOrder::Rgb,
                Order::Bgr => ColorOrder::Bgr,
            },
            // byte * scale + bias = (byte - mean) * scale; a plain 0 where there is no bias.
            mean: if arguments.bias == 0.0 {
                0.0
            } else {
                -arguments.bias / arguments.scale
            },
            scale: arguments.scale,
            alignment: Alignment::ArcFace112,
            resampling: Resampling::SupersampledBilinear,
        },
        operating_points: Vec::new(),
        training_data: Vec::new(),
    })
}

/// Embeds two faces of noise: the same one twice must give the same, another one something else.
/// Returns how far apart they are.
fn probe(embedder: &mut Embedder) -> anyhow::Result<f32> {
    let recipe = embedder.manifest().preprocessing.clone();
    let mut embed = |seed: u64| -> anyhow::Result<Embedding> {
        let mut rgb = vec![0; 3 * (recipe.side_px as usize).pow(2)];
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut rgb);
        let face = recipe.normalize(&AlignedFace::from_rgb(recipe.side_px, rgb)?);
        Ok(embedder.embed(&face)?)
    };
    let (first, again, other) = (embed(1)?, embed(1)?, embed(2)?);
    ensure!(
        first == again,
        "the network gives another embedding for the same face each time: export it in inference mode"
    );
    let apart = SquaredL2::between(&first, &other).value();
    ensure!(
        apart > 1e-6,
        "the network gives one embedding for every face: are scale and bias those it was trained with?"
    );
    Ok(apart)
}
