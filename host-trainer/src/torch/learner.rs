//! One step of training: embed, weigh, back-propagate, move.

use std::collections::BTreeMap;

use anyhow::bail;
use tch::{Kind, Tensor};

use super::average::Average;
use super::module::{self, Network};
use super::objective::{self, Labels, Others, Outcome};
use super::operator::{KIND, Mode};
use super::optimizer::Optimizer;
use crate::config::Config;
use crate::network::op::{Op, Role};
use crate::weights::{TRAINING, Weights};

/// Name of the tensor that margin softmax learns: one center per training identity.
pub const CENTERS: &str = "softmax.centers";

/// Everything that training moves.
#[derive(Debug)]
pub struct Learner {
    network: Network,
    centers: Option<Tensor>,
    optimizer: Optimizer,
    average: Option<Average>,
    config: Config,
    /// The layers that an early stage of compatible training moves alone.
    last_layer: Vec<String>,
}

/// What a step came to.
#[derive(Debug)]
pub struct Step {
    /// The losses, and what mining found.
    pub outcome: Outcome,
    /// Norm of all gradients together, before clipping; none where nothing taught.
    pub gradient_norm: Option<f64>,
    /// The batch's embeddings, f32 [N, D], without gradient.
    pub embeddings: Tensor,
}

/// A batch on its way through the network.
pub struct Faces<'a> {
    /// Normalized faces of the rows asked for, on the network's device: f32 [rows, 3, S, S].
    pub rows: &'a dyn Fn(&[usize]) -> Tensor,
    /// Who they are.
    pub labels: Labels<'a>,
}

impl Learner {
    /// A learner of `network`, with the softmax's centers if there is a softmax.
    pub fn new(network: Network, centers: Option<Tensor>, config: Config) -> Self {
        let average = config
            .average
            .map(|share| Average::new(share, network.trained()));
        let last_layer = last_layer(&network);
        Self {
            optimizer: Optimizer::new(config.optimizer),
            network,
            centers,
            average,
            config,
            last_layer,
        }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Learns from a batch at that share of the run; `step` (from 0) and the seed decide what
    /// dropout drops.
    ///
    /// # Errors
    /// If loss or gradients are not numbers; the weights are then as before.
    pub fn step(
        &mut self,
        faces: &Faces<'_>,
        others: Others<'_>,
        step: u64,
        progress: f64,
    ) -> anyhow::Result<Step> {
        let count = faces.labels.identities.len();
        let chunk = self.config.batch.chunk.unwrap_or(count);
        let (embeddings, outcome, mut gradients) = if count <= chunk {
            self.at_once(faces, others, step, progress)
        } else {
            self.in_chunks(faces, others, step, progress, chunk)
        };
        let sum = outcome.parts.sum();
        if !sum.is_finite() {
            bail!(NotANumber("loss", sum));
        }
        let gradient_norm = self.clip(&mut gradients)?;
        let factor = self.config.schedule.factor(progress);
        let only_last =
            others.older.is_some() && progress < self.config.compatible.last_layer_until;
        let moves = |name: &str| {
            !only_last || name == CENTERS || self.last_layer.iter().any(|layer| layer == name)
        };
        let moved = moved(&self.network, &self.centers)
            .zip(gradients)
            .filter(|((name, _), gradient)| gradient.defined() && moves(name))
            .map(|((name, tensor), gradient)| (name, tensor, gradient));
        self.optimizer.step(moved, factor);
        if let Some(average) = &mut self.average {
            average.update(self.network.trained());
        }
        Ok(Step {
            outcome,
            gradient_norm,
            embeddings,
        })
    }

    fn at_once(
        &self,
        faces: &Faces<'_>,
        others: Others<'_>,
        step: u64,
        progress: f64,
    ) -> (Tensor, Outcome, Vec<Tensor>) {
        self.seed(step, 0);
        let all: Vec<usize> = (0..faces.labels.identities.len()).collect();
        let embeddings = self.network.forward(&(faces.rows)(&all), Mode::Train);
        let outcome = self.evaluate(&embeddings, faces.labels, others, progress);
        let moved: Vec<&Tensor> = moved(&self.network, &self.centers).map(second).collect();
        let gradients = outcome.loss.as_ref().map(|loss| slopes(loss, &moved));
        (embeddings.detach(), outcome, gradients.unwrap_or_default())
    }

    /// The paper's large batches on small memory. A first pass embeds every chunk without
    /// gradients; the losses of the whole batch then have gradients with regard to the embeddings,
    /// and a second pass carries those through the network, chunk by chunk: the result is that of
    /// the whole batch at once.
    ///
    /// Only what a loss asks for is computed again: faces, or where batch normalization or dropout
    /// ties a chunk together, whole chunks, which both passes then see alike.
    fn in_chunks(
        &self,
        faces: &Faces<'_>,
        others: Others<'_>,
        step: u64,
        progress: f64,
        limit: usize,
    ) -> (Tensor, Outcome, Vec<Tensor>) {
        let all: Vec<usize> = (0..faces.labels.identities.len()).collect();
        let first = chunks(&all, limit);
        let embed = |index: usize, rows: &[usize], mode| {
            self.seed(step, index as u64);
            self.network.forward(&(faces.rows)(rows), mode)
        };
        let parts: Vec<Tensor> = tch::no_grad(|| {
            let each = first.iter().enumerate();
            each.map(|(index, rows)| embed(index, rows, Mode::Rehearse))
                .collect()
        });
        let embeddings = Tensor::cat(&parts, 0).set_requires_grad(true);
        let outcome = self.evaluate(&embeddings, faces.labels, others, progress);
        let Some(loss) = &outcome.loss else {
            return (embeddings.detach(), outcome, Vec::new());
        };
        let mut first_slopes = vec![&embeddings];
        first_slopes.extend(&self.centers);
        let mut first_slopes = slopes(loss, &first_slopes).into_iter();
        let Some(carried) = first_slopes.next() else {
            return (embeddings.detach(), outcome, Vec::new());
        };
        let wanted = wanted_rows(&carried);
        let graph = self.network.graph();
        let chosen: Vec<usize> = all.iter().copied().filter(|row| wanted[*row]).collect();
        let tied = graph.has_batch_norm() || graph.has_dropout();
        let second = if tied { first } else { chunks(&chosen, limit) };
        let trained: Vec<&Tensor> = self.network.trained().map(self::second).collect();
        let mut gradients: Vec<Tensor> = trained.iter().map(|_| Tensor::new()).collect();
        for (index, rows) in second.iter().enumerate() {
            if rows.iter().any(|row| wanted[*row]) {
                let places: Vec<i64> = rows.iter().map(|row| *row as i64).collect();
                let places = Tensor::from_slice(&places).to_device(carried.device());
                let embeddings = embed(index, rows, Mode::Train);
                let part = (embeddings * carried.index_select(0, &places)).sum(Kind::Float);
                for (sum, slope) in gradients.iter_mut().zip(slopes(&part, &trained)) {
                    match sum.defined() {
                        true => *sum += slope,
                        false => *sum = slope,
                    }
                }
            }
        }
        gradients.extend(first_slopes);
        (embeddings.detach(), outcome, gradients)
    }

    fn evaluate(
        &self,
        embeddings: &Tensor,
        labels: Labels<'_>,
        others: Others<'_>,
        progress: f64,
    ) -> Outcome {
        let centers = self.centers.as_ref();
        objective::evaluate(&self.config, embeddings, labels, centers, others, progress)
    }

    /// Dropout is drawn afresh for each step and chunk, so that a resumed run drops the same.
    fn seed(&self, step: u64, chunk: u64) {
        let mixed = self.config.seed ^ (step << 20 | chunk).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        tch::manual_seed(mixed as i64);
    }

    /// Scales gradients down to the config's norm, if it has one; returns the norm they had.
    fn clip(&self, gradients: &mut [Tensor]) -> anyhow::Result<Option<f64>> {
        let limit = self.config.gradient_clip;
        let defined = gradients.iter().filter(|gradient| gradient.defined());
        let norms: Vec<Tensor> = defined.map(Tensor::norm).collect();
        if norms.is_empty() {
            return Ok(None);
        }
        let norm = Tensor::stack(&norms, 0).norm().double_value(&[]);
        if !norm.is_finite() {
            bail!(NotANumber("norm of the gradients", norm));
        }
        if let Some(limit) = limit.filter(|limit| norm > *limit) {
            for gradient in gradients.iter_mut().filter(|gradient| gradient.defined()) {
                let _ = gradient.g_mul_scalar_(limit / norm);
            }
        }
        Ok(Some(norm))
    }

    /// The weights to validate and export: the average of the run's last steps if the config asks
    /// for one, and the softmax's centers.
    pub fn weights(&self) -> BTreeMap<String, Tensor> {
        let mut tensors: BTreeMap<String, Tensor> = self
            .network
            .tensors()
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .collect();
        if let Some(average) = &self.average {
            let averages = average.tensors().iter();
            tensors.extend(averages.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())));
        }
        let centers = self.centers.iter().map(Tensor::shallow_clone);
        tensors.extend(centers.map(|tensor| (CENTERS.to_owned(), tensor)));
        tensors
    }

    /// Whether every value of [`Learner::weights`] is a number: statistics of a batch that ran
    /// away are not, though its loss still was.
    pub fn is_sound(&self) -> bool {
        let finite = |tensor: &Tensor| tensor.isfinite().all().int64_value(&[]) != 0;
        self.weights().values().all(finite)
    }

    /// A network with [`Learner::weights`], to validate.
    ///
    /// # Errors
    /// None that a learner can meet: the weights are its own network's.
    pub fn smoothed(&self) -> anyhow::Result<Network> {
        let mut weights = Weights::default();
        for (name, tensor) in self.weights() {
            weights.insert(&name, module::from_torch(&tensor));
        }
        let graph = self.network.graph().clone();
        let network = Network::new(graph, &weights, self.network.device())?;
        Ok(network.with_precision(self.config.precision))
    }

    /// Everything that [`Learner::remember`] needs to go on bit for bit: [`Learner::weights`], and
    /// under [`TRAINING`] what training alone needs.
    pub fn memory(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = self.weights();
        let mut keep = |kind: &str, name: &str, tensor: &Tensor| {
            tensors.insert(format!("{TRAINING}{kind}{name}"), tensor.shallow_clone());
        };
        for (name, tensor) in self.optimizer.memory() {
            keep("", &name, &tensor);
        }
        if self.average.is_some() {
            for (name, tensor) in self.network.trained() {
                keep("raw.", name, tensor);
            }
        }
        tensors
    }

    /// Puts back what [`Learner::memory`] gave after `steps` steps.
    ///
    /// # Errors
    /// If a tensor lacks or has other extents: the checkpoint of another config.
    pub fn remember(&mut self, steps: u64, memory: &Weights) -> anyhow::Result<()> {
        let device = self.network.device();
        let find = |name: &str, like: &Tensor| {
            let found = memory
                .get(name)
                .map(|tensor| module::to_torch(tensor).to_device(device));
            match found.filter(|found| found.size() == like.size()) {
                Some(found) => Ok(module::channels_last(&found)),
                None => bail!(
                    "the checkpoint has no {name} of {:?}: it is another config's",
                    like.size()
                ),
            }
        };
        let raw = if self.average.is_some() {
            format!("{TRAINING}raw.")
        } else {
            String::new()
        };
        let mut averages = Vec::new();
        tch::no_grad(|| -> anyhow::Result<()> {
            for (name, tensor) in self.network.tensors() {
                let source = match tensor.requires_grad() {
                    true => find(&format!("{raw}{name}"), tensor)?,
                    false => find(name, tensor)?,
                };
                tensor.shallow_clone().copy_(&source);
                if self.average.is_some() && tensor.requires_grad() {
                    averages.push((name.to_owned(), find(name, tensor)?));
                }
            }
            if let Some(centers) = &self.centers {
                let saved = find(CENTERS, centers)?;
                centers.shallow_clone().copy_(&saved);
            }
            Ok(())
        })?;
        if let Some(average) = &mut self.average {
            average.remember(steps, averages);
        }
        let optimizer = memory.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(TRAINING)?;
            let tensor = module::to_torch(tensor).to_device(device);
            (!name.starts_with("raw.")).then(|| (name.to_owned(), module::channels_last(&tensor)))
        });
        self.optimizer.remember(steps, optimizer);
        Ok(())
    }
}

/// Everything that gradients move: the network's trained tensors, then the softmax's centers.
fn moved<'a>(
    network: &'a Network,
    centers: &'a Option<Tensor>,
) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
    let centers = centers.iter().map(|tensor| (CENTERS, tensor));
    network.trained().chain(centers)
}

fn second<'a>((_, tensor): (&str, &'a Tensor)) -> &'a Tensor {
    tensor
}

/// Gradients of a scalar with regard to each tensor; undefined where it does not depend on one.
/// Unlike those of `backward` they are fresh: nothing to clear, nothing to add to.
fn slopes(loss: &Tensor, tensors: &[&Tensor]) -> Vec<Tensor> {
    Tensor::run_backward(&[loss], tensors, false, false)
}

/// A loss or gradient that ends a run.
#[derive(Debug, thiserror::Error)]
#[error(
    "the {0} is {1}: expected a number; start a new run from the last checkpoint (--init) with a \
     lower learning_rate, a gradient_clip or a longer warmup"
)]
pub struct NotANumber(pub &'static str, pub f64);

/// Even chunks of at most `limit` rows.
fn chunks(rows: &[usize], limit: usize) -> Vec<&[usize]> {
    let parts = rows.len().div_ceil(limit);
    let at = |part: usize| part * rows.len() / parts;
    (0..parts)
        .map(|part| &rows[at(part)..at(part + 1)])
        .collect()
}

/// Which rows have a gradient that is not zero.
fn wanted_rows(gradients: &Tensor) -> Vec<bool> {
    let gradients = module::from_torch(gradients);
    let dimension = gradients.extents[1];
    let rows = gradients.values.chunks_exact(dimension);
    rows.map(|row| row.iter().any(|value| *value != 0.0))
        .collect()
}

/// Names of the trained tensors of the last linear layer and of what follows it.
fn last_layer(network: &Network) -> Vec<String> {
    let graph = network.graph();
    let is_linear = |op: &Op| matches!(op, Op::Linear { .. });
    let last = graph.nodes().iter().rposition(|node| is_linear(&node.op));
    let nodes = &graph.nodes()[last.unwrap_or(0)..];
    let names = nodes.iter().flat_map(|node| {
        let parameters = graph.node_parameters(node).into_iter();
        let trained = parameters.filter(|one| !matches!(one.role, Role::Statistic(_)));
        trained.map(|parameter| format!("{}.{}", node.name, parameter.name))
    });
    names.collect()
}

/// First centers: those among `first` if they fit, else draws from the seed.
pub fn first_centers(
    first: &Weights,
    extents: [usize; 2],
    seed: u64,
    device: tch::Device,
) -> Tensor {
    let saved = first.get(CENTERS);
    let centers = match saved.filter(|tensor| tensor.extents == extents) {
        Some(tensor) => module::to_torch(tensor),
        None => {
            if saved.is_some() {
                eprintln!(
                    "warning: the softmax starts from new centers: those of the weights are of \
                     other identities"
                );
            }
            tch::manual_seed(seed as i64);
            let extents = extents.map(|extent| extent as i64);
            Tensor::randn(extents, (KIND, tch::Device::Cpu)) * 0.1
        }
    };
    centers.to_device(device).set_requires_grad(true)
}

#[cfg(test)]
mod tests;
