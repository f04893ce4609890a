//! The training step by itself, on fixed random faces: what `scripts/bench-train` measures.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use super::device;
use super::learner::{self, Faces, Learner};
use super::objective::{Labels, Others};
use super::train;
use crate::config::Config;
use crate::network;
use crate::weights::Weights;

/// Share of a run that every step claims to be at: past the warm-up.
const PROGRESS: f64 = 0.5;

/// A learner that is fed the same faces again and again.
pub struct Stepper {
    learner: Learner,
    faces: Vec<f32>,
    side: i64,
    identities: Vec<i64>,
    pictures: Vec<usize>,
    steps: u64,
}

/// What a step took.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// From faces to moved weights.
    pub whole: Duration,
    /// Of that, mining.
    pub mining: Duration,
    /// Triplets learnt from.
    pub triplets: usize,
    /// The loss.
    pub loss: f64,
}

impl Stepper {
    /// A learner as the config has it, with first weights and a batch of faces from its seed.
    ///
    /// # Errors
    /// If there is no such network or device.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        let graph = network::build(&config.spec())?;
        let side = i64::from(graph.side_px()?);
        let weights = Weights::initialize(&graph, config.seed);
        let device = device::pick(config.device)?;
        let network = train::network(&config, graph, &weights, device)?;
        let count = config.batch.identities * config.batch.per_identity;
        let centers = config.softmax.map(|_| {
            let extents = [config.batch.identities, config.dimension];
            learner::first_centers(&weights, extents, config.seed, device)
        });
        let mut random = ChaCha8Rng::seed_from_u64(config.seed);
        let pixels = count * 3 * (side * side) as usize;
        let each = config.batch.per_identity;
        Ok(Self {
            faces: (0..pixels)
                .map(|_| random.random_range(-1.0..1.0))
                .collect(),
            side,
            identities: (0..count).map(|index| (index / each) as i64).collect(),
            pictures: (0..count).collect(),
            learner: Learner::new(network, centers, config),
            steps: 0,
        })
    }

    /// Trained numbers of the network.
    pub fn parameters(&self) -> usize {
        let trained = self.learner.network().trained();
        trained.map(|(_, tensor)| tensor.numel()).sum()
    }

    /// Faces in a batch.
    pub fn batch(&self) -> usize {
        self.identities.len()
    }

    /// A step, as training takes it.
    ///
    /// # Errors
    /// If the loss is no longer a number.
    pub fn step(&mut self) -> anyhow::Result<Timed> {
        let started = Instant::now();
        let device = self.learner.network().device();
        let size = 3 * (self.side * self.side) as usize;
        let rows = |rows: &[usize]| {
            let faces = rows.iter().map(|row| &self.faces[row * size..][..size]);
            let faces = faces.collect::<Vec<&[f32]>>().concat();
            let faces = Tensor::from_slice(&faces).view([-1, 3, self.side, self.side]);
            faces.to_device(device)
        };
        let faces = Faces {
            rows: &rows,
            labels: Labels {
                identities: &self.identities,
                pictures: &self.pictures,
                among: &[],
            },
        };
        let step = self
            .learner
            .step(&faces, Others::default(), self.steps, PROGRESS)?;
        self.steps += 1;
        Ok(Timed {
            whole: started.elapsed(),
            mining: step.outcome.mining,
            triplets: step.outcome.mined.triplets.len(),
            loss: step.outcome.parts.sum(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_teaches_and_moves_weights() {
        let text = "network = 'mobilefacenet'\nwidth = 0.125\nsteps = 9\nseed = 1\n\
                    batch = { identities = 3, per_identity = 2 }\n\
                    optimizer = { kind = 'ada_grad', learning_rate = 0.001 }\n";
        let mut stepper = Stepper::new(toml::from_str(text).unwrap()).unwrap();
        assert_eq!(stepper.batch(), 6);
        assert!(stepper.parameters() > 1000);
        let (first, second) = (stepper.step().unwrap(), stepper.step().unwrap());
        assert!(first.triplets > 0 && second.triplets > 0);
        assert!(first.mining < first.whole);
        assert_ne!(first.loss, second.loss);
    }
}
