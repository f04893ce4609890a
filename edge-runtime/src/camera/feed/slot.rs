//! What the capture thread and those who take frames share: the latest frame, the state, and what was counted.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::Captured;
use super::super::decode::{Decoder, FAULT_KINDS, FrameFault};
use super::super::pixel_format::Negotiated;
use super::super::watch::is_stale;
use super::{Clock, FeedState, FeedStatus};
use crate::clock::Timestamp;

/// Buffers kept for the next frames: one is being filled, one may be being decoded.
const SPARE_BUFFERS: usize = 2;

/// A frame as it came.
pub(super) struct Raw {
    bytes: Vec<u8>,
    negotiated: Arc<Negotiated>,
    at: Timestamp,
    number: u64,
    origin: Arc<str>,
}

/// The latest frame, as it came and as it was taken.
#[derive(Default)]
struct Slot {
    raw: Option<Raw>,
    spare: Vec<Vec<u8>>,
    taken: Option<Arc<Captured>>,
    numbers: u64,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames that came, sound or not.
    pub arrived: u64,
    /// Sound frames.
    pub sound: u64,
    /// Frames that somebody took.
    pub taken: u64,
    /// Sound frames that a newer one replaced before anybody took them.
    pub skipped: u64,
    /// Frames that were too old when somebody wanted them.
    pub stale: u64,
    /// Frames that the driver dropped, by its own numbers.
    pub missed: u64,
    /// Faulty frames by kind, in the order of [`FAULT_KINDS`].
    pub faulty: [u64; FAULT_KINDS.len()],
    /// How often the camera was opened, the first time included.
    pub opened: u64,
    /// How often opening it failed.
    pub not_opened: u64,
    /// How often frames came again after they had not.
    pub recovered: u64,
    /// How long no sound frame had come before the last recovery, in milliseconds.
    pub last_outage_ms: u64,
    /// When the last sound frame came, in milliseconds of the feed's clock; 0 before the first.
    pub last_frame_ms: u64,
}

/// [`Counts`], for many threads.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) arrived: AtomicU64,
    pub(super) sound: AtomicU64,
    pub(super) taken: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) stale: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) faulty: [AtomicU64; FAULT_KINDS.len()],
    pub(super) opened: AtomicU64,
    pub(super) not_opened: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) last_outage_ms: AtomicU64,
    pub(super) last_frame_ms: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            arrived: read(&self.arrived),
            sound: read(&self.sound),
            taken: read(&self.taken),
            skipped: read(&self.skipped),
            stale: read(&self.stale),
            missed: read(&self.missed),
            faulty: std::array::from_fn(|kind| read(&self.faulty[kind])),
            opened: read(&self.opened),
            not_opened: read(&self.not_opened),
            recovered: read(&self.recovered),
            last_outage_ms: read(&self.last_outage_ms),
            last_frame_ms: read(&self.last_frame_ms),
        }
    }
}

/// Frames in a row that could not be decoded, and since when.
#[derive(Default)]
struct Undecodable {
    frames: AtomicU32,
    since: AtomicU64,
    fault: Mutex<Option<FrameFault>>,
}

/// What both sides share.
pub(super) struct Shared {
    clock: Clock,
    slot: Mutex<Slot>,
    news: Condvar,
    decoder: Mutex<Decoder>,
    status: Mutex<FeedStatus>,
    stopping: AtomicBool,
    undecodable: Undecodable,
    pub(super) counters: Counters,
    pub(super) heartbeat: AtomicU64,
}

/// A panic elsewhere does not make a frame or a state unsound: each is replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(clock: Clock) -> Self {
        let now = clock();
        Self {
            clock,
            slot: Mutex::default(),
            news: Condvar::new(),
            decoder: Mutex::default(),
            status: Mutex::new(FeedStatus {
                state: FeedState::Opening,
                since: now,
                negotiated: None,
            }),
            stopping: AtomicBool::new(false),
            undecodable: Undecodable::default(),
            counters: Counters::default(),
            heartbeat: AtomicU64::new(now.millis()),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.news.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn status(&self) -> FeedStatus {
        lock(&self.status).clone()
    }

    /// Enters a state; true when it is another kind of state than before.
    pub(super) fn enter(&self, state: FeedState, now: Timestamp) -> bool {
        let mut status = lock(&self.status);
        let changed = status.state.word() != state.word();
        if changed {
            status.since = now;
        }
        let ended = state == FeedState::Ended;
        status.state = state;
        drop(status);
        if ended {
            // With the slot's lock held: whoever looked before waits by now.
            drop(lock(&self.slot));
            self.news.notify_all();
        }
        changed
    }

    pub(super) fn negotiated(&self, negotiated: Arc<Negotiated>) {
        lock(&self.status).negotiated = Some(negotiated);
    }

    /// Puts a frame in the place of the one before; `bytes` is an empty buffer afterwards.
    pub(super) fn publish(
        &self,
        bytes: &mut Vec<u8>,
        negotiated: &Arc<Negotiated>,
        origin: &Arc<str>,
        at: Timestamp,
    ) {
        let mut slot = lock(&self.slot);
        let mut next = slot.spare.pop().unwrap_or_default();
        std::mem::swap(bytes, &mut next);
        let number = slot.numbers;
        slot.numbers += 1;
        let replaced = slot.raw.replace(Raw {
            bytes: next,
            negotiated: Arc::clone(negotiated),
            at,
            number,
            origin: Arc::clone(origin),
        });
        if let Some(replaced) = replaced {
            count(&self.counters.skipped);
            slot.give_back(replaced.bytes);
        }
        drop(slot);
        self.news.notify_all();
    }

    /// Forgets what has not been taken: it is of a stream that is no more.
    pub(super) fn clear(&self) {
        let mut slot = lock(&self.slot);
        if let Some(raw) = slot.raw.take() {
            slot.give_back(raw.bytes);
        }
        self.undecodable.frames.store(0, Ordering::Relaxed);
    }

    pub(super) fn wait_newer(
        &self,
        than: Option<u64>,
        patience: Duration,
    ) -> Option<Arc<Captured>> {
        let begin = Instant::now();
        loop {
            let mut slot = lock(&self.slot);
            if let Some(raw) = slot.raw.take() {
                drop(slot);
                if let Some(captured) = self.take(raw)
                    && than.is_none_or(|than| captured.number > than)
                {
                    return Some(captured);
                }
                continue;
            }
            let taken = slot.taken.as_ref().filter(|taken| {
                than.is_none_or(|than| taken.number > than) && !is_stale(taken.at, self.now())
            });
            if let Some(taken) = taken {
                return Some(Arc::clone(taken));
            }
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() || self.is_stopping() || self.status().state == FeedState::Ended {
                return None;
            }
            let waited = self.news.wait_timeout(slot, left);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
            drop(slot);
        }
    }

    /// Decodes a frame that was just taken out of the slot.
    fn take(&self, raw: Raw) -> Option<Arc<Captured>> {
        if is_stale(raw.at, self.now()) {
            count(&self.counters.stale);
            lock(&self.slot).give_back(raw.bytes);
            return None;
        }
        let mut decoder = lock(&self.decoder);
        let decoded = decoder.decode(&raw.negotiated, &raw.bytes);
        let captured = decoded.map(|frame| {
            let captured = Arc::new(Captured {
                frame,
                at: raw.at,
                number: raw.number,
                origin: raw.origin.to_string(),
            });
            decoder.keep(&captured);
            captured
        });
        drop(decoder);
        let mut slot = lock(&self.slot);
        slot.give_back(raw.bytes);
        match captured {
            Ok(captured) => {
                slot.taken = Some(Arc::clone(&captured));
                drop(slot);
                count(&self.counters.taken);
                self.undecodable.frames.store(0, Ordering::Relaxed);
                Some(captured)
            }
            Err(fault) => {
                drop(slot);
                count(&self.counters.faulty[fault.kind()]);
                tracing::debug!(%fault, "a frame could not be decoded");
                *lock(&self.undecodable.fault) = Some(fault);
                if self.undecodable.frames.fetch_add(1, Ordering::Relaxed) == 0 {
                    let now = self.now().millis();
                    self.undecodable.since.store(now, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// Why frames that look sound cannot be decoded, and since when, if that is so for several in a row.
    pub(super) fn undecodable(&self) -> Option<(FrameFault, Timestamp)> {
        if self.undecodable.frames.load(Ordering::Relaxed) < 5 {
            return None;
        }
        let since = Timestamp::from_millis(self.undecodable.since.load(Ordering::Relaxed));
        Some((lock(&self.undecodable.fault).clone()?, since))
    }
}

impl Slot {
    fn give_back(&mut self, bytes: Vec<u8>) {
        if self.spare.len() < SPARE_BUFFERS {
            self.spare.push(bytes);
        }
    }
}
