//! Batches decoded and varied on other threads, in an order that the seed alone decides.
//!
//! One thread reads windows of a streamed set ahead, one hands out a batch's faces in slices, and
//! workers decode the slices: all workers on the same batch, so that few batches wait in memory
//! and a large one is soon whole. A batch depends on seed, epoch and its number alone: a run that
//! goes on from [`Batch::next`] gets the batches it would have got, with any number of workers.

#[cfg(test)]
mod tests;
mod threads;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use shared::align::AlignedFace;
use shared::picture::PictureError;
use shared::preprocessing::Preprocessing;

use super::augment::Augment;
use super::sampler::Shape;
use super::{Dataset, DatasetError};
use threads::{Head, Slice, Threads};

/// One in so many pictures of a set may be damaged before training stops.
const DAMAGED_ONE_IN: usize = 1000;

/// A place in the endless row of batches.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// From 0.
    pub epoch: u64,
    /// In that epoch, from 0; one that the epoch does not reach means the next epoch's first.
    pub batch: u64,
}

/// A batch of faces.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Cut and varied, not yet normalized: a quarter of the memory of what the network takes.
    pub faces: Vec<AlignedFace>,
    /// Side S of the faces, in pixels.
    pub side_px: u32,
    /// Index of each face's identity.
    pub identities: Vec<i64>,
    /// Index of each face's picture in [`Dataset::pictures`].
    pub pictures: Vec<usize>,
    /// The epoch it belongs to, from 0.
    pub epoch: u64,
    /// Where the batch after this one is: what a checkpoint saves and [`Loader::start`] takes.
    pub next: Position,
}

impl Batch {
    /// Those faces as the network takes them: f32 [rows, 3, S, S], normalized by the recipe of
    /// Usher's networks, face after face; on all cores.
    pub fn normalized(&self, rows: &[usize]) -> Vec<f32> {
        let recipe = Preprocessing::usher(self.side_px);
        let face_values = 3 * (self.side_px as usize).pow(2);
        let mut values = vec![0.0; rows.len() * face_values];
        values
            .par_chunks_mut(face_values)
            .zip(rows)
            .for_each(|(values, row)| {
                values.copy_from_slice(recipe.normalize(&self.faces[*row]).values());
            });
        values
    }
}

/// What batches are made of.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What a batch is.
    pub shape: Shape,
    /// How pictures are varied.
    pub augment: Augment,
    /// Decides every order and every variation.
    pub seed: u64,
}

/// Why there is no next batch.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The set cannot be read any more.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Too many pictures cannot be decoded.
    #[error(
        "{damaged} of {pictures} pictures cannot be decoded: expected at most {limit}; take them out; the last: {last}"
    )]
    Damaged {
        /// Pictures that cannot be decoded, so far.
        damaged: usize,
        /// Pictures of the set.
        pictures: usize,
        /// How many are left out before training stops.
        limit: usize,
        /// What is wrong with the last of them.
        last: PictureError,
    },
    /// An epoch has no batch at all.
    #[error(
        "no two identities with two pictures each meet in a batch: with windows of {window_bytes} bytes, give more memory or write shards with an identity's pictures together; with batches of one source, mix them"
    )]
    Empty {
        /// Size of a window.
        window_bytes: u64,
    },
}

/// Endless batches at one side.
///
/// A picture that cannot be decoded is left out of its batch and counted ([`Loader::damaged`]):
/// one in a thousand may be; a set of fewer than a thousand pictures has none to spare.
#[derive(Debug)]
pub struct Loader {
    dataset: Arc<Dataset>,
    plan: Plan,
    side_px: u32,
    workers: usize,
    next: Position,
    damaged: BTreeSet<usize>,
    waited: Duration,
    early: HashMap<u64, Vec<Slice>>,
    heads: Receiver<Result<Head, LoaderError>>,
    slices: Receiver<Slice>,
    /// Last, so that the threads find the receivers dropped and end.
    threads: Threads,
}

impl Loader {
    /// Starts `workers` threads that prepare batches of `side_px` faces from `from` on. They end
    /// when the loader is dropped.
    pub fn start(
        dataset: &Arc<Dataset>,
        plan: Plan,
        side_px: u32,
        from: Position,
        workers: usize,
    ) -> Self {
        let workers = workers.max(1);
        let (heads, slices, threads) = threads::start(dataset, plan, side_px, from, workers);
        Self {
            dataset: Arc::clone(dataset),
            plan,
            side_px,
            workers,
            next: from,
            damaged: BTreeSet::new(),
            waited: Duration::ZERO,
            early: HashMap::new(),
            heads,
            slices,
            threads,
        }
    }

    /// Goes on behind the last batch with faces of another side, counting on. What was prepared
    /// ahead is dropped first, so that no more than two windows are ever in memory.
    pub fn change_side(&mut self, side_px: u32) {
        // Without receivers the threads end, and with them their windows.
        (self.heads, self.slices) = (sync_channel(0).1, sync_channel(0).1);
        self.threads = Threads::default();
        self.early.clear();
        self.side_px = side_px;
        let (dataset, plan) = (&self.dataset, self.plan);
        (self.heads, self.slices, self.threads) =
            threads::start(dataset, plan, side_px, self.next, self.workers);
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`LoaderError`] if the set cannot be read or too much of it is damaged.
    ///
    /// # Panics
    /// If a worker panicked.
    pub fn next_batch(&mut self) -> Result<Batch, LoaderError> {
        let started = Instant::now();
        let batch = self.collect();
        self.waited += started.elapsed();
        batch
    }

    /// Time that [`Loader::next_batch`] has waited in all.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Pictures left out so far because they cannot be decoded.
    pub fn damaged(&self) -> &BTreeSet<usize> {
        &self.damaged
    }

    fn collect(&mut self) -> Result<Batch, LoaderError> {
        loop {
            let Ok(head) = self.heads.recv() else {
                panic!("the loader's threads ended before their loader");
            };
            let head = head?;
            let mut slices = self.early.remove(&head.number).unwrap_or_default();
            while slices.len() < head.slices {
                match self.slices.recv() {
                    Ok(slice) if slice.batch == head.number => slices.push(slice),
                    Ok(slice) => self.early.entry(slice.batch).or_default().push(slice),
                    Err(_) => panic!("the loader's workers ended before their loader"),
                }
            }
            slices.sort_unstable_by_key(|slice| slice.first_row);
            self.next = head.next;
            let batch = self.assemble(&head, slices)?;
            if !batch.faces.is_empty() {
                return Ok(batch);
            }
        }
    }

    fn assemble(&mut self, head: &Head, slices: Vec<Slice>) -> Result<Batch, LoaderError> {
        let mut batch = Batch {
            faces: Vec::with_capacity(head.pictures.len()),
            side_px: self.side_px,
            identities: Vec::with_capacity(head.pictures.len()),
            pictures: Vec::with_capacity(head.pictures.len()),
            epoch: head.epoch,
            next: head.next,
        };
        let mut rows = head.pictures.iter();
        for slice in slices {
            let faces = match slice.faces {
                Ok(faces) => faces,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            for (face, picture) in faces.into_iter().zip(rows.by_ref()) {
                match face {
                    Ok(face) => {
                        let identity = self.dataset.pictures[*picture].identity;
                        batch.faces.push(face);
                        batch.identities.push(identity as i64);
                        batch.pictures.push(*picture);
                    }
                    Err(error) => self.leave_out(*picture, error)?,
                }
            }
        }
        Ok(batch)
    }

    fn leave_out(&mut self, picture: usize, error: PictureError) -> Result<(), LoaderError> {
        self.damaged.insert(picture);
        let pictures = self.dataset.pictures.len();
        let limit = pictures / DAMAGED_ONE_IN;
        if self.damaged.len() <= limit {
            return Ok(());
        }
        Err(LoaderError::Damaged {
            damaged: self.damaged.len(),
            pictures,
            limit,
            last: error,
        })
    }
}
