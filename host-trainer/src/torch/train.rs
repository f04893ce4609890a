//! The training loop: batches in, weights moved, numbers and checkpoints out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tch::{Device, Tensor};

use super::checkpoint::{self, Best, State};
use super::learner::{self, Faces, Learner, NotANumber, Step};
use super::module::{self, Network};
use super::objective::{self, Labels, Others};
use super::operator::Mode;
use crate::config::Config;
use crate::dataset::Dataset;
use crate::dataset::loader::{Batch, Loader, Plan};
use crate::history::LAST;
use crate::network;
use crate::network::graph::LayerGraph;
use crate::run::{BEST, Run};
use crate::teacher::TeacherEmbeddings;
use crate::telemetry::guard::{DEFAULT_WINDOW, Guard, Observation, Spread};
use crate::telemetry::metrics;
use crate::validation::ValidationSet;
use crate::weights::Weights;

/// Steps between two looks at the rank of the embeddings.
const RANK_STEPS: u64 = 20;

/// How long to train.
#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// This many steps.
    Steps(u64),
    /// This long, whatever it comes to.
    Time(Duration),
}

impl Budget {
    /// That of a config.
    pub fn of(config: &Config) -> Self {
        match config.minutes {
            Some(minutes) => Self::Time(Duration::from_secs_f64(minutes * 60.0)),
            None => Self::Steps(config.steps),
        }
    }

    /// Whether it is used up.
    pub fn is_spent(&self, step: u64, seconds: f64) -> bool {
        self.progress(step, seconds) >= 1.0
    }

    /// Share of the budget that is used up, 0 to 1.
    fn progress(&self, step: u64, seconds: f64) -> f64 {
        let progress = match self {
            Budget::Steps(steps) => step as f64 / *steps as f64,
            Budget::Time(limit) => seconds / limit.as_secs_f64(),
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
    /// Where to compute.
    pub device: Device,
    /// Weights to start from, as [`first_weights`] finds them.
    pub first: Weights,
    /// A checkpoint to go on from in their place: its tensors, and how far the run was.
    pub from: Option<(Weights, State)>,
    /// The model to learn from.
    pub teacher: Option<TeacherEmbeddings>,
    /// The model whose galleries are to stay usable.
    pub older: Option<TeacherEmbeddings>,
    /// Pairs to validate on.
    pub validation: Option<ValidationSet>,
    /// Threads that decode pictures.
    pub workers: usize,
}

/// The weights that a run starts from: those of the file `init`, or first values from the seed.
///
/// # Errors
/// If there is no such network, it cannot train as the config says, or the file's weights are
/// another network's.
pub fn first_weights(config: &Config, init: Option<&Path>) -> anyhow::Result<Weights> {
    let graph = network::build(&config.spec())?;
    if graph.is_fixed_size() && !config.early.is_empty() {
        bail!(
            "network {} takes faces of {} px only: expected no [[early]] stage, found {}",
            graph.name(),
            graph.input().width,
            config.early.len()
        );
    }
    for stage in &config.early {
        let place = || format!("network {} cannot train at that side", graph.name());
        graph.check_side(stage.side_px).with_context(place)?;
    }
    frozen(config, &graph)?;
    let Some(path) = init else {
        if config.keep_statistics {
            bail!(
                "keep_statistics: expected weights whose statistics are known, found a run from random ones; \
                 give trained weights (--init), or leave it out"
            );
        }
        return Ok(Weights::initialize(&graph, config.seed));
    };
    let weights = Weights::read(path)?;
    weights
        .fit(&graph)
        .with_context(|| format!("cannot start from {}", path.display()))?;
    Ok(weights)
}

/// Nodes that stay as they begin; the face is always one.
fn frozen(config: &Config, graph: &LayerGraph) -> anyhow::Result<usize> {
    let Some(layer) = &config.frozen else {
        return Ok(1);
    };
    graph.nodes_up_to(layer).with_context(|| {
        format!(
            "frozen: expected a layer of network {}, found {layer:?}; `usher-train describe {}` lists them",
            config.network, config.network
        )
    })
}

/// The network that learns as a config has it, from its first weights.
///
/// # Errors
/// If the weights are another network's, or it has not the layer that the config freezes.
pub(super) fn network(
    config: &Config,
    graph: LayerGraph,
    first: &Weights,
    device: Device,
) -> anyhow::Result<Network> {
    let frozen = frozen(config, &graph)?;
    Ok(Network::new(graph, first, device)?
        .with_precision(config.precision)
        .with_frozen(frozen)
        .with_kept_statistics(config.keep_statistics))
}

/// Trains to the end of the budget; weights and numbers are in the run's folder.
///
/// # Errors
/// If the data cannot be read, a file cannot be written, or the run no longer learns: the last
/// checkpoint is then a good one.
pub fn train(job: &Job, run: &mut Run) -> anyhow::Result<()> {
    let mut training = Training::start(job)?;
    while let Some(progress) = training.progress() {
        training.step(run, progress)?;
        if training.is_due(job.config.validation_steps) {
            training.validate(run)?;
        }
        if training.is_due(job.config.checkpoint_steps) {
            training.save(run, true)?;
        }
    }
    if !training.is_due(job.config.validation_steps) {
        training.validate(run)?;
    }
    training.save(run, false)?;
    let damaged = training.loader.damaged().len();
    if let Some(best) = training.state.best {
        run.say(&format!(
            "best validation: {:.1} % of the pairs right, after step {}",
            best.accuracy * 100.0,
            best.step
        ));
    }
    if damaged > 0 {
        run.say(&format!(
            "{damaged} pictures could not be decoded and were left out: usher-train prepare names them"
        ));
    }
    Ok(())
}

/// A run under way.
struct Training<'a> {
    job: &'a Job,
    learner: Learner,
    state: State,
    guard: Guard,
    loader: Loader,
    own_side: u32,
    side_px: u32,
    started: Instant,
    /// Seconds before this process took the run up; and waited, before the loader did.
    seconds_before: f64,
    waited_before: f64,
    /// The identities that have pictures in each group, where softmax keeps to a batch's group.
    among: Vec<Vec<i64>>,
}

impl<'a> Training<'a> {
    fn start(job: &'a Job) -> anyhow::Result<Self> {
        let config = &job.config;
        let graph = network::build(&config.spec())?;
        let own_side = graph.side_px()?;
        let network = self::network(config, graph, &job.first, job.device)?;
        let centers = config.softmax.map(|_| {
            let extents = [job.dataset.identities.len(), config.dimension];
            learner::first_centers(&job.first, extents, config.seed, job.device)
        });
        let mut learner = Learner::new(network, centers, config.clone());
        let mut state = State::default();
        if let Some((memory, saved)) = &job.from {
            learner.remember(saved.step, memory)?;
            state = saved.clone();
        }
        let guard = state.guard.clone();
        let guard = guard.unwrap_or_else(|| Guard::new(DEFAULT_WINDOW));
        let plan = Plan {
            shape: config.batch.shape(),
            augment: config.augment,
            seed: config.seed,
        };
        let progress = Budget::of(config).progress(state.step, state.seconds);
        let side_px = config.side_px(progress, own_side);
        let loader = Loader::start(&job.dataset, plan, side_px, state.position, job.workers);
        Ok(Self {
            job,
            learner,
            guard,
            loader,
            own_side,
            side_px,
            started: Instant::now(),
            seconds_before: state.seconds,
            waited_before: state.waited_seconds,
            among: config.batch.groups_of(&job.dataset),
            state,
        })
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Share of the budget that is used up; none once it is.
    fn progress(&self) -> Option<f64> {
        let budget = Budget::of(&self.job.config);
        let progress = budget.progress(self.state.step, self.seconds());
        (progress < 1.0).then_some(progress)
    }

    fn is_due(&self, every: u64) -> bool {
        self.state.step.is_multiple_of(every)
    }

    fn next_batch(&mut self, progress: f64) -> anyhow::Result<Batch> {
        let side_px = self.job.config.side_px(progress, self.own_side);
        if side_px != self.side_px {
            self.side_px = side_px;
            self.loader.change_side(side_px);
        }
        Ok(self.loader.next_batch()?)
    }

    fn step(&mut self, run: &mut Run, progress: f64) -> anyhow::Result<()> {
        let batch = self.next_batch(progress)?;
        let device = self.job.device;
        let side = i64::from(batch.side_px);
        let rows = |rows: &[usize]| {
            let faces = Tensor::from_slice(&batch.normalized(rows));
            faces.view([-1, 3, side, side]).to_device(device)
        };
        let group = self.job.dataset.pictures[batch.pictures[0]].group;
        let labels = Labels {
            identities: &batch.identities,
            pictures: &batch.pictures,
            among: self.among.get(group).map_or(&[], Vec::as_slice),
        };
        let others = Others {
            teacher: self.job.teacher.as_ref(),
            older: self.job.older.as_ref(),
        };
        let faces = Faces {
            rows: &rows,
            labels,
        };
        let step = self
            .learner
            .step(&faces, others, self.state.step, progress)?;
        self.state.step += 1;
        self.state.pictures += batch.identities.len() as u64;
        self.state.position = batch.next;
        self.state.seconds = self.seconds();
        self.state.waited_seconds = self.waited_before + self.loader.waited().as_secs_f64();
        self.state.mining_seconds += step.outcome.mining.as_secs_f64();
        run.record(&self.measured(&batch, &step, progress), progress)?;
        self.guard.observe(&observation(self.state.step, &step))?;
        Ok(())
    }

    fn measured(&self, batch: &Batch, step: &Step, progress: f64) -> metrics::Step {
        let (state, outcome) = (&self.state, &step.outcome);
        let ranked = state.step == 1 || state.step.is_multiple_of(RANK_STEPS);
        metrics::Step {
            step: state.step,
            epoch: batch.epoch,
            pictures: state.pictures,
            seconds: state.seconds,
            waited_seconds: state.waited_seconds,
            mining_seconds: state.mining_seconds,
            side_px: batch.side_px,
            learning_rate: self.job.config.learning_rate(progress),
            loss: outcome.parts.sum(),
            triplet: outcome.parts.triplet,
            softmax: outcome.parts.softmax,
            distillation: outcome.parts.distillation,
            compatible: outcome.parts.compatible,
            active_share: outcome.mined.active_share(),
            genuine: f64::from(outcome.mined.genuine),
            impostor: f64::from(outcome.mined.impostor),
            rank: ranked
                .then(|| objective::effective_rank(&step.embeddings))
                .flatten(),
            gradient_norm: step.gradient_norm,
        }
    }

    fn validate(&mut self, run: &mut Run) -> anyhow::Result<()> {
        let Some(set) = &self.job.validation else {
            return Ok(());
        };
        let smoothed = match self.job.config.average {
            Some(_) => Some(self.learner.smoothed()?),
            None => None,
        };
        let network = smoothed.as_ref().unwrap_or(self.learner.network());
        let side = i64::from(self.own_side);
        let embed = |faces: &[f32], _count: usize| {
            let faces = Tensor::from_slice(faces).view([-1, 3, side, side]);
            let faces = faces.to_device(network.device());
            let rows = tch::no_grad(|| network.forward(&faces, Mode::Inference));
            let rows = module::from_torch(&rows);
            let each = rows.values.chunks_exact(rows.extents[1]);
            each.map(<[f32]>::to_vec).collect()
        };
        let found = set.score(embed)?;
        let state = &self.state;
        run.validated(&metrics::Validated {
            step: state.step,
            pictures: state.pictures,
            seconds: self.seconds(),
            accuracy: found.accuracy,
            threshold: found.threshold,
            genuine: found.genuine,
            impostor: found.impostor,
            auc: found.auc,
            pairs: found.pairs as u64,
        })?;
        let better = state.best.is_none_or(|best| found.accuracy > best.accuracy);
        if better {
            self.state.best = Some(Best {
                step: self.state.step,
                accuracy: found.accuracy,
            });
            let path = run.folder().join(BEST);
            checkpoint::write(&path, &self.learner.weights(), &self.state)?;
        }
        Ok(())
    }

    /// Writes the checkpoint that a run goes on from, and one to keep.
    fn save(&mut self, run: &mut Run, keep: bool) -> anyhow::Result<()> {
        if !self.guard.may_save() {
            return Ok(());
        }
        if !self.learner.is_sound() {
            bail!(NotANumber(
                "largest of the weights and statistics",
                f64::NAN
            ));
        }
        run.sync()?;
        self.state.seconds = self.seconds();
        self.state.guard = Some(self.guard.clone());
        let last = run.folder().join(LAST);
        checkpoint::write(&last, &self.learner.memory(), &self.state)?;
        if keep {
            let path = run.checkpoint(self.state.step);
            checkpoint::write(&path, &self.learner.weights(), &self.state)?;
            run.prune()?;
        }
        Ok(())
    }
}

fn observation(step: u64, done: &Step) -> Observation {
    let mined = &done.outcome.mined;
    let spread = |mean: f32| Spread {
        mean: f64::from(mean),
        max: f64::from(mined.largest),
    };
    Observation {
        step,
        loss: done.outcome.parts.sum(),
        teaches: done.outcome.parts.sum() > 0.0,
        genuine: spread(mined.genuine),
        impostor: spread(mined.impostor),
    }
}
