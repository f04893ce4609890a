//! The loader's threads: one reads ahead, one hands out slices of batches, the others decode them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shared::align::AlignedFace;
use shared::picture::PictureError;

use super::{LoaderError, Plan, Position};
use crate::dataset::sampler::{self, WindowPlan};
use crate::dataset::window::{Rooms, Window};
use crate::dataset::{Dataset, Store};

/// Faces that a worker takes at a time.
const SLICE: usize = 8;

/// Batches prepared ahead.
const AHEAD: usize = 4;

/// Batches of so many pictures or more are prepared one ahead, for the sake of memory.
const LARGE: usize = 512;

/// Words of the random stream that belong to one row of a batch; [`super::Augment`] draws fewer.
const WORDS_A_ROW: u128 = 1024;

/// What a batch will be, sent before its slices.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) number: u64,
    pub(super) epoch: u64,
    pub(super) next: Position,
    pub(super) pictures: Vec<usize>,
    pub(super) slices: usize,
}

/// Some faces of a batch.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) batch: u64,
    pub(super) first_row: usize,
    pub(super) faces: std::thread::Result<Vec<Result<AlignedFace, PictureError>>>,
}

/// Faces for a worker to prepare.
struct Job {
    window: Arc<Window>,
    batch: u64,
    at: Position,
    first_row: usize,
    pictures: Vec<usize>,
}

/// A window in memory and its batches from `first` on.
struct Ready {
    window: Arc<Window>,
    batches: Vec<(Position, Position, Vec<usize>)>,
}

/// All threads of a loader; dropping it waits for their end, for which the receivers must be gone.
#[derive(Debug, Default)]
pub(super) struct Threads {
    stop: Arc<AtomicBool>,
    handles: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for handle in self.handles.drain(..) {
            // One that panicked has been noticed by `next_batch`, or nobody waits for it.
            let _ = handle.join();
        }
    }
}

type Heads = Receiver<Result<Head, LoaderError>>;

/// Starts all of them; each ends once the receivers are dropped.
pub(super) fn start(
    dataset: &Arc<Dataset>,
    plan: Plan,
    side_px: u32,
    from: Position,
    workers: usize,
) -> (Heads, Receiver<Slice>, Threads) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut handles = Vec::new();
    let (ready, windows) = sync_channel(0);
    let (reader, stopped) = (Arc::clone(dataset), Arc::clone(&stop));
    handles.push(std::thread::spawn(move || {
        read_ahead(&reader, plan, from, &ready, &stopped);
    }));

    let pictures = plan.shape.identities * plan.shape.per_identity;
    let (head, heads) = sync_channel(if pictures < LARGE { AHEAD } else { 1 });
    let (job, jobs) = channel();
    handles.push(std::thread::spawn(move || hand_out(&windows, &head, &job)));

    let (slice, slices) = channel();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..workers {
        let (dataset, jobs, slice) = (Arc::clone(dataset), Arc::clone(&jobs), slice.clone());
        handles.push(std::thread::spawn(move || {
            work(&dataset, &plan, side_px, &jobs, &slice);
        }));
    }
    (heads, slices, Threads { stop, handles })
}

/// Reads window after window, while the one before is used.
fn read_ahead(
    dataset: &Dataset,
    plan: Plan,
    from: Position,
    ready: &SyncSender<Result<Ready, LoaderError>>,
    stop: &AtomicBool,
) {
    let rooms = Rooms::new();
    let mut from = from;
    loop {
        let epoch = sampler::epoch(dataset, plan.shape, plan.seed, from.epoch);
        if epoch.is_empty() {
            let window_bytes = match dataset.store {
                Store::Held(_) => dataset.total_bytes(),
                Store::Streamed { window_bytes, .. } => window_bytes,
            };
            let _ = ready.send(Err(LoaderError::Empty { window_bytes }));
            return;
        }
        let last = epoch.len() - 1;
        let mut batch = 0;
        for WindowPlan { pictures, batches } in epoch.windows {
            let number = |batch| Position {
                epoch: from.epoch,
                batch,
            };
            let next = |batch: u64| match batch == last {
                true => Position {
                    epoch: from.epoch + 1,
                    batch: 0,
                },
                false => number(batch + 1),
            };
            let batches: Vec<_> = batches
                .into_iter()
                .zip(batch..)
                .inspect(|_| batch += 1)
                .filter(|(_, batch)| *batch >= from.batch)
                .map(|(pictures, batch)| (number(batch), next(batch), pictures))
                .collect();
            if batches.is_empty() {
                continue;
            }
            let window = match &dataset.store {
                Store::Held(all) => Ok(Arc::clone(all)),
                Store::Streamed { .. } => {
                    let room = rooms.wait();
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    Window::read(dataset, &pictures, Some(room)).map(Arc::new)
                }
            };
            let failed = window.is_err();
            let message = window
                .map(|window| Ready { window, batches })
                .map_err(LoaderError::from);
            if ready.send(message).is_err() || failed {
                return;
            }
        }
        from = Position {
            epoch: from.epoch + 1,
            batch: 0,
        };
    }
}

/// Announces batch after batch, a few ahead of their use, and hands its faces to the workers.
fn hand_out(
    windows: &Receiver<Result<Ready, LoaderError>>,
    heads: &SyncSender<Result<Head, LoaderError>>,
    jobs: &Sender<Job>,
) {
    let mut number = 0;
    for ready in windows {
        let Ready { window, batches } = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let _ = heads.send(Err(error));
                return;
            }
        };
        for (at, next, pictures) in batches {
            let head = Head {
                number,
                epoch: at.epoch,
                next,
                slices: pictures.len().div_ceil(SLICE),
                pictures: pictures.clone(),
            };
            if heads.send(Ok(head)).is_err() {
                return;
            }
            for (slice, pictures) in pictures.chunks(SLICE).enumerate() {
                let job = Job {
                    window: Arc::clone(&window),
                    batch: number,
                    at,
                    first_row: slice * SLICE,
                    pictures: pictures.to_vec(),
                };
                if jobs.send(job).is_err() {
                    return;
                }
            }
            number += 1;
        }
    }
}

/// Prepares slices until there are no more, or nobody wants them.
fn work(
    dataset: &Dataset,
    plan: &Plan,
    side_px: u32,
    jobs: &Mutex<Receiver<Job>>,
    slices: &Sender<Slice>,
) {
    loop {
        let jobs = jobs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Ok(job) = jobs.recv() else { return };
        drop(jobs);
        // A panic is passed on to whoever waits for the batch.
        let faces = catch_unwind(AssertUnwindSafe(|| prepare(dataset, plan, side_px, &job)));
        let slice = Slice {
            batch: job.batch,
            first_row: job.first_row,
            faces,
        };
        drop(job); // before the batch can be used: the window's room is then free
        if slices.send(slice).is_err() {
            return;
        }
    }
}

fn prepare(
    dataset: &Dataset,
    plan: &Plan,
    side_px: u32,
    job: &Job,
) -> Vec<Result<AlignedFace, PictureError>> {
    let rows = job.first_row..;
    let faces = job.pictures.iter().zip(rows).map(|(picture, row)| {
        let mut random = ChaCha8Rng::seed_from_u64(plan.seed ^ 0xface);
        random.set_stream(job.at.epoch << 32 | job.at.batch);
        random.set_word_pos(row as u128 * WORDS_A_ROW);
        let name = dataset.name(*picture);
        let frame = shared::picture::decode(job.window.bytes(*picture), &name)?;
        Ok(plan.augment.cut(&frame, side_px, &mut random))
    });
    faces.collect()
}
