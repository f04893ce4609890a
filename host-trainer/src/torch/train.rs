//! The training loop: batches in, triplets mined, weights moved, checkpoints out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tch::{Device, Kind, Tensor};

use super::loss;
use super::module::{self, Network};
use super::operator::{KIND, Mode};
use super::optimizer::Optimizer;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::dataset::loader::{Batch, Loader, Plan, Position};
use crate::dataset::sampler::{Fill, Mixing, Shape};
use crate::network;
use crate::run::{Measured, Run};
use crate::triplet::{self, DistanceMatrix, Mined};
use crate::weights::Weights;

/// Name of the tensor that margin softmax learns: one center per training identity.
const CENTERS: &str = "softmax.centers";

/// How long to train.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// This many steps.
    Steps(u64),
    /// This long, whatever it comes to.
    Time(Duration),
}

impl Budget {
    /// Share of the budget that is used up, 0 to 1.
    fn progress(&self, step: u64, elapsed: Duration) -> f64 {
        let progress = match self {
            Budget::Steps(steps) => step as f64 / *steps as f64,
            Budget::Time(limit) => elapsed.as_secs_f64() / limit.as_secs_f64(),
        };
        progress.min(1.0)
    }
}

/// What a run is made of.
#[derive(Debug)]
pub struct Job {
    /// The effective config.
    pub config: Config,
    /// What to learn from.
    pub dataset: Arc<Dataset>,
    /// How long.
    pub budget: Budget,
    /// Weights to start from, as [`first_weights`] finds them.
    pub first: Weights,
    /// Threads that decode pictures.
    pub workers: usize,
}

/// The weights that a run starts from: those of the file `init`, or first values from the seed.
///
/// # Errors
/// If there is no such network, it cannot train as the config says, or the file's weights are
/// another network's.
pub fn first_weights(config: &Config, init: Option<&Path>) -> anyhow::Result<Weights> {
    let graph = network::build(&config.network, config.dimension)?;
    if graph.is_fixed_size() && !config.early.is_empty() {
        bail!(
            "network {} takes faces of {} px only: expected no [[early]] stage, found {}",
            graph.name(),
            graph.input().width,
            config.early.len()
        );
    }
    let Some(path) = init else {
        return Ok(Weights::initialize(&graph, config.seed));
    };
    let weights = Weights::read(path)?;
    weights
        .fit(&graph)
        .with_context(|| format!("cannot start from {}", path.display()))?;
    Ok(weights)
}

/// Trains and returns the final weights, which are also in the run's folder.
///
/// # Errors
/// If a picture cannot be decoded, a file cannot be written, or the loss is no longer a number.
pub fn train(job: &Job, run: &mut Run) -> anyhow::Result<Weights> {
    let config = &job.config;
    let graph = network::build(&config.network, config.dimension)?;
    let own_side = graph.input().width as u32;
    let first = &job.first;
    let network = Network::new(graph, first, Device::Cpu)?;
    let centers = config.softmax.map(|_| first_centers(first, job));
    let mut optimizer = Optimizer::new(config.optimizer);
    let plan = Plan {
        shape: Shape {
            identities: config.batch.identities,
            per_identity: config.batch.per_identity,
            fill: Fill::Pictures,
            mixing: Mixing::Free,
        },
        augment: config.augment,
        seed: config.seed,
    };
    let started = Instant::now();
    let mut side_px = config.side_px(0.0, own_side);
    let mut next = Position::default();
    let mut loader = Loader::start(&job.dataset, plan, side_px, next, job.workers);
    let (mut step, mut pictures, mut waited) = (0, 0, Duration::ZERO);
    loop {
        let progress = job.budget.progress(step, started.elapsed());
        if progress >= 1.0 {
            break;
        }
        if config.side_px(progress, own_side) != side_px {
            side_px = config.side_px(progress, own_side);
            waited += loader.waited();
            loader = Loader::start(&job.dataset, plan, side_px, next, job.workers);
        }
        let batch = loader.next_batch()?;
        next = batch.next;
        let (loss, mined) = learn(&network, centers.as_ref(), config, &batch)?;
        let factor = config.schedule.factor(progress);
        let moved = network
            .trained()
            .chain(centers.iter().map(|tensor| (CENTERS, tensor)));
        optimizer.step(moved, factor);
        step += 1;
        pictures += batch.identities.len() as u64;
        let measured = Measured {
            step,
            epoch: batch.epoch,
            pictures,
            seconds: started.elapsed().as_secs_f64(),
            waited_seconds: (waited + loader.waited()).as_secs_f64(),
            side_px: batch.side_px,
            learning_rate: config.optimizer.learning_rate() * factor,
            loss,
            active_share: mined.active_share(),
            genuine: mined.genuine,
            impostor: mined.impostor,
        };
        run.record(&measured, progress)?;
        if step % config.checkpoint_steps == 0 {
            run.save(&all_weights(&network, centers.as_ref()), Some(step))?;
        }
    }
    let weights = all_weights(&network, centers.as_ref());
    run.save(&weights, None)?;
    Ok(weights)
}

/// One step's gradients; returns the loss and what mining found.
fn learn(
    network: &Network,
    centers: Option<&Tensor>,
    config: &Config,
    batch: &Batch,
) -> anyhow::Result<(f64, Mined)> {
    let side = i64::from(batch.side_px);
    let faces = Tensor::from_slice(&batch.all_normalized()).view([-1, 3, side, side]);
    let embeddings = network.forward(&faces.to_device(network.device()), Mode::Train);
    let mined = triplet::mine(
        &distances(&embeddings),
        &batch.identities,
        config.triplet.alpha as f32,
    );
    let triplets = loss::triplet(&embeddings, &mined.triplets, config.triplet.alpha)
        .map(|loss| loss * config.triplet.weight);
    let softmax = config.softmax.zip(centers).map(|(softmax, centers)| {
        let truth = Tensor::from_slice(&batch.identities).to_device(network.device());
        loss::margin_softmax(&embeddings, centers, &truth, softmax.scale, softmax.margin)
            * softmax.weight
    });
    let loss = match (triplets, softmax) {
        (Some(triplets), Some(softmax)) => triplets + softmax,
        (Some(loss), None) | (None, Some(loss)) => loss,
        (None, None) => return Ok((0.0, mined)), // nothing to learn from this batch
    };
    let value = loss.double_value(&[]);
    if !value.is_finite() {
        bail!(
            "the loss is {value}: expected a number; lower the learning rate, or start from an \
             earlier checkpoint with --init"
        );
    }
    loss.backward();
    Ok((value, mined))
}

/// Squared L2 between all rows: 2 - 2 cosines, as the rows are unit vectors.
fn distances(embeddings: &Tensor) -> DistanceMatrix {
    let rows = embeddings.detach();
    let squared = (rows.matmul(&rows.tr()) * -2.0 + 2.0).clamp(0.0, 4.0);
    let squared = module::from_torch(&squared);
    DistanceMatrix::new(squared.extents[0], squared.values)
}

fn first_centers(first: &Weights, job: &Job) -> Tensor {
    let extents = [job.dataset.identities.len(), job.config.dimension];
    let saved = first
        .get(CENTERS)
        .filter(|tensor| tensor.extents == extents);
    let centers = match saved {
        Some(tensor) => module::to_torch(tensor),
        None => {
            tch::manual_seed(job.config.seed as i64);
            let extents = extents.map(|extent| extent as i64);
            Tensor::randn(extents, (KIND, Device::Cpu)) * 0.1
        }
    };
    centers.to_kind(Kind::Float).set_requires_grad(true)
}

fn all_weights(network: &Network, centers: Option<&Tensor>) -> Weights {
    let mut weights = network.weights();
    if let Some(centers) = centers {
        weights.insert(CENTERS, module::from_torch(centers));
    }
    weights
}
