//! The work of the capture thread, one step at a time, so that a test can take the steps and move the clock.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::decode::{self, FrameFault};
use super::super::pixel_format::Negotiated;
use super::super::source::{Arrived, Opener, Source, SourceError};
use super::super::watch::{PATIENCE, STALL, Sign, Stall, Watch, digest};
use super::FeedState;
use super::slot::{Shared, count};
use crate::clock::Timestamp;
use crate::fault::Fault;

/// Waits between tries to open, in milliseconds; the last one goes on.
const WAITS_MS: [u64; 4] = [100, 200, 400, 500];

/// The wait when the cause is none that passes by itself: no permission, no readable format.
const LONG_WAIT_MS: u64 = 1000;

/// An open camera.
struct Stream {
    source: Box<dyn Source>,
    negotiated: Arc<Negotiated>,
    origin: Arc<str>,
    watch: Watch,
    missed: u64,
    /// What was wrong with the last frame, if anything, and when it came.
    last_fault: Option<(FrameFault, Timestamp)>,
}

/// What the capture thread works with.
pub(super) struct Capture {
    opener: Box<dyn Opener>,
    first_frame: Duration,
    shared: Arc<Shared>,
    stream: Option<Stream>,
    buffer: Vec<u8>,
    try_at: Timestamp,
    failures: usize,
    last_sound: Option<Timestamp>,
    last_digest: Option<u64>,
    ended: bool,
}

impl Capture {
    pub(super) fn new(opener: Box<dyn Opener>, first_frame: Duration, shared: Arc<Shared>) -> Self {
        Self {
            opener,
            first_frame,
            try_at: shared.now(),
            shared,
            stream: None,
            buffer: Vec::new(),
            failures: 0,
            last_sound: None,
            last_digest: None,
            ended: false,
        }
    }

    pub(super) fn is_told_to_stop(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Opens the camera, or waits for one frame; returns how long to rest before the next step.
    pub(super) fn step(&mut self) -> Duration {
        let now = self.shared.now();
        self.shared.heartbeat.store(now.millis(), Ordering::Relaxed);
        if self.ended {
            return PATIENCE;
        }
        match self.stream.take() {
            Some(mut stream) => match self.read(&mut stream) {
                Ok(()) => {
                    self.stream = Some(stream);
                    Duration::ZERO
                }
                Err(state) => {
                    let had_frames = stream.watch.last_sound().is_some();
                    self.last_digest = stream.watch.last_digest();
                    // Closed before it is opened again: a camera gives its stream to one only.
                    close(stream);
                    self.shared.clear();
                    self.broke(state, had_frames);
                    Duration::ZERO
                }
            },
            None if now < self.try_at => self.try_at.since(now).min(PATIENCE),
            None => {
                self.open();
                Duration::ZERO
            }
        }
    }

    fn open(&mut self) {
        let opener = &mut self.opener;
        let opened = contained(|| opener.open());
        let now = self.shared.now();
        match opened {
            Ok(source) => {
                count(&self.shared.counters.opened);
                let negotiated = Arc::new(source.negotiated().clone());
                self.shared.negotiated(Arc::clone(&negotiated));
                self.stream = Some(Stream {
                    watch: Watch::new(
                        now,
                        negotiated.frames_per_second,
                        self.first_frame,
                        negotiated.may_repeat,
                        self.last_digest,
                    ),
                    origin: source.origin().into(),
                    negotiated,
                    source,
                    missed: 0,
                    last_fault: None,
                });
            }
            Err(SourceError::Ended { .. }) => self.end(now),
            Err(error) => {
                count(&self.shared.counters.not_opened);
                let wait = if error.is_passing() {
                    WAITS_MS[self.failures.min(WAITS_MS.len() - 1)]
                } else {
                    LONG_WAIT_MS
                };
                self.failures += 1;
                self.try_at = Timestamp::from_millis(now.millis() + wait);
                self.enter(FeedState::Lost(fault(error)), now);
            }
        }
    }

    fn end(&mut self, now: Timestamp) {
        self.ended = true;
        self.shared.enter(FeedState::Ended, now);
    }

    /// Waits for one frame; the state to enter when the stream is no longer of use.
    fn read(&mut self, stream: &mut Stream) -> Result<(), FeedState> {
        let buffer = &mut self.buffer;
        let source = &mut stream.source;
        let came = contained(|| source.next(PATIENCE, buffer));
        let now = self.shared.now();
        match came {
            Ok(Some(arrived)) => self.judge(stream, arrived, now),
            Ok(None) => {}
            Err(SourceError::Ended { .. }) => return Err(FeedState::Ended),
            Err(error @ SourceError::Gone { .. }) => return Err(FeedState::Lost(fault(error))),
            Err(error) => return Err(FeedState::Reopening(fault(error))),
        }
        // After a while of silence, silence is what is wrong.
        let last_fault = stream
            .last_fault
            .as_ref()
            .filter(|(_, came)| now.since(*came) < STALL / 2)
            .map(|(fault, _)| fault);
        let stalled = stream.watch.stalled(now, last_fault);
        let stalled = stalled.or_else(|| {
            let (fault, since) = self.shared.undecodable()?;
            let after = now.since(since);
            (after >= STALL).then_some(Stall::Faulty { after, fault })
        });
        match stalled {
            Some(stall) => Err(FeedState::Stalled(fault(stall))),
            None => Ok(()),
        }
    }

    fn judge(&mut self, stream: &mut Stream, arrived: Arrived, now: Timestamp) {
        count(&self.shared.counters.arrived);
        match judged(stream, &self.buffer, arrived, now) {
            Ok(at) => {
                stream.last_fault = None;
                stream.watch.sound(now);
                self.shared
                    .publish(&mut self.buffer, &stream.negotiated, &stream.origin, at);
                self.sound(now);
            }
            Err(fault) => {
                count(&self.shared.counters.faulty[fault.kind()]);
                tracing::trace!(%fault, "a faulty frame was dropped");
                stream.last_fault = Some((fault, now));
            }
        }
        let missed = stream.watch.missed();
        self.shared
            .counters
            .missed
            .fetch_add(missed - stream.missed, Ordering::Relaxed);
        stream.missed = missed;
    }

    fn sound(&mut self, now: Timestamp) {
        let counters = &self.shared.counters;
        count(&counters.sound);
        counters
            .last_frame_ms
            .store(now.millis(), Ordering::Relaxed);
        self.failures = 0;
        let before = self.last_sound.replace(now);
        if self.shared.enter(FeedState::Running, now)
            && let Some(before) = before
        {
            let outage = now.since(before);
            count(&counters.recovered);
            counters
                .last_outage_ms
                .store(outage.as_millis() as u64, Ordering::Relaxed);
            tracing::warn!(outage_ms = outage.as_millis(), "the camera is back");
        }
    }

    /// The stream is closed; when to open it again.
    fn broke(&mut self, state: FeedState, had_frames: bool) {
        let now = self.shared.now();
        if state == FeedState::Ended {
            return self.end(now);
        }
        // At once the first time; a camera that opens but gives nothing is not opened as fast as the machine can.
        let wait = if had_frames {
            0
        } else {
            self.failures += 1;
            WAITS_MS[(self.failures - 1).min(WAITS_MS.len() - 1)]
        };
        self.try_at = Timestamp::from_millis(now.millis() + wait);
        self.enter(state, now);
    }

    fn enter(&self, state: FeedState, now: Timestamp) {
        let told = state.clone();
        if self.shared.enter(state, now)
            && let Some(fault) = told.fault()
        {
            tracing::warn!(
                state = told.word(),
                cause = fault.cause,
                remedy = fault.remedy,
                "the camera gives no frames"
            );
        }
    }
}

/// Whether a frame is sound, and when it was taken.
fn judged(
    stream: &mut Stream,
    bytes: &[u8],
    arrived: Arrived,
    now: Timestamp,
) -> Result<Timestamp, FrameFault> {
    let sign = Sign {
        sequence: arrived.sequence,
        taken: arrived.taken,
        digest: digest(bytes),
    };
    // Numbers and stamps count also when the bytes are of no use.
    let in_order = stream.watch.arrived(now, sign);
    if arrived.damaged {
        return Err(FrameFault::Marked);
    }
    decode::inspect(&stream.negotiated, bytes)?;
    let at = in_order?;
    if stream.watch.looks_at_order() {
        let order = decode::check_order(&stream.negotiated, bytes);
        if stream.watch.note_order(order) {
            return Err(FrameFault::Swapped {
                expected: stream.negotiated.format,
            });
        }
    }
    Ok(at)
}

fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::of(&anyhow::Error::new(error))
}

/// Runs a source so that a panic in it is an error of the camera.
fn contained<T>(call: impl FnOnce() -> Result<T, SourceError>) -> Result<T, SourceError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic: Box<dyn Any + Send>| {
        drop(panic);
        Err(SourceError::Driver {
            place: "the camera".to_owned(),
            deed: "answer",
            reason: io::Error::other("a panic in its driver's code"),
        })
    })
}

fn close(stream: Stream) {
    if catch_unwind(AssertUnwindSafe(|| drop(stream))).is_err() {
        tracing::error!("closing the camera panicked");
    }
}
