//! Batches decoded and varied on other threads, in an order that the seed alone decides.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shared::picture::PictureError;
use shared::preprocessing::Preprocessing;

use super::augment::Augment;
use super::{Dataset, sampler};

/// Batches that each worker keeps ready.
const READY: usize = 2;

/// A batch of faces, ready for the network.
#[derive(Debug)]
pub struct Batch {
    /// f32 [N, 3, S, S], face after face.
    pub faces: Vec<f32>,
    /// Side S, in pixels.
    pub side_px: u32,
    /// Index of each face's identity.
    pub identities: Vec<i64>,
    /// The epoch it belongs to, from 0.
    pub epoch: u64,
}

/// What batches are made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Identities in a batch (P).
    pub identities: usize,
    /// Pictures of each (K).
    pub per_identity: usize,
    /// How pictures are varied.
    pub augment: Augment,
    /// Decides every order and every variation.
    pub seed: u64,
}

/// Endless batches at one side.
#[derive(Debug)]
pub struct Loader {
    workers: Vec<Receiver<Result<Batch, PictureError>>>,
    next: usize,
    waited: Duration,
}

impl Loader {
    /// Starts `workers` threads that prepare batches of `side_px` faces from the first batch of
    /// `from_epoch` on. They end when the loader is dropped.
    pub fn start(
        dataset: &Arc<Dataset>,
        plan: Plan,
        side_px: u32,
        from_epoch: u64,
        workers: usize,
    ) -> Self {
        let workers = workers.max(1);
        let start = |worker: usize| {
            let (sender, receiver) = sync_channel(READY);
            let dataset = Arc::clone(dataset);
            std::thread::spawn(move || {
                let by_identity = dataset.by_identity();
                let mut number = 0;
                for epoch in from_epoch.. {
                    let Plan {
                        identities,
                        per_identity,
                        seed,
                        ..
                    } = plan;
                    let batches =
                        sampler::epoch(&by_identity, identities, per_identity, seed, epoch);
                    for (index, pictures) in batches.iter().enumerate() {
                        let mine = number % workers == worker;
                        number += 1;
                        if !mine {
                            continue;
                        }
                        let mut random = ChaCha8Rng::seed_from_u64(plan.seed ^ 0xface);
                        random.set_stream(epoch << 32 | index as u64);
                        let batch = prepare(
                            &dataset,
                            pictures,
                            &plan.augment,
                            side_px,
                            epoch,
                            &mut random,
                        );
                        if sender.send(batch).is_err() {
                            return;
                        }
                    }
                }
            });
            receiver
        };
        Self {
            workers: (0..workers).map(start).collect(),
            next: 0,
            waited: Duration::ZERO,
        }
    }

    /// The next batch.
    ///
    /// # Errors
    /// A [`PictureError`] naming the picture that could not be decoded.
    pub fn next_batch(&mut self) -> Result<Batch, PictureError> {
        let started = Instant::now();
        let worker = self.next % self.workers.len();
        self.next += 1;
        match self.workers[worker].recv() {
            Ok(batch) => {
                self.waited += started.elapsed();
                batch
            }
            Err(_) => panic!("a worker of the loader ended before its loader"),
        }
    }

    /// Time that [`Loader::next_batch`] has waited in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

fn prepare(
    dataset: &Dataset,
    pictures: &[usize],
    augment: &Augment,
    side_px: u32,
    epoch: u64,
    random: &mut ChaCha8Rng,
) -> Result<Batch, PictureError> {
    let recipe = Preprocessing::usher(side_px);
    let mut batch = Batch {
        faces: Vec::with_capacity(pictures.len() * 3 * (side_px * side_px) as usize),
        side_px,
        identities: Vec::with_capacity(pictures.len()),
        epoch,
    };
    for index in pictures {
        let picture = &dataset.pictures[*index];
        let frame = shared::picture::decode(&picture.bytes, &picture.name)?;
        let face = augment.cut(&frame, side_px, random);
        batch
            .faces
            .extend_from_slice(recipe.normalize(&face).values());
        batch.identities.push(picture.identity as i64);
    }
    Ok(batch)
}
