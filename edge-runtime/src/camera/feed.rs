//! The capture thread: owns the camera, keeps the latest frame, and gets the camera back when it is lost.
//!
//! ```text
//!            open             sound frame
//! Opening ─────────► (waits) ────────────► Running ◄───────────────────────────┐
//!    │                                        │ nothing sound for 0.8 s        │ sound frame
//!    │ cannot be opened                       ├──────────────────► Stalled ────┤
//!    ▼                                        │ EIO, EINVAL, ...               │
//!   Lost ◄──────── cannot be opened ──────────┼──────────────────► Reopening ──┤
//!    │                                        │ ENODEV                         │
//!    │                                        └──────────────────► Lost ───────┤
//!    └── tried again after 0.1, 0.2, 0.4, 0.5, 0.5 ... s ──────────────────────┘
//! A recording that is over: Ended, and nothing after it.
//! ```
//!
//! One frame is kept: a newer one takes its place, so nobody ever decides on a queue of old ones. Frames are decoded by
//! whoever takes them ([`Feed::wait_newer`]), so those that nobody looks at cost a copy and no more.

mod capture;
mod slot;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use super::Captured;
use super::pixel_format::Negotiated;
use super::source::Opener;
use crate::clock::Timestamp;
use crate::fault::Fault;
use capture::Capture;
pub use slot::Counts;
use slot::Shared;

/// Tells the time; tests move it by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Milliseconds of the machine's monotonic clock, on which drivers stamp their frames: the clock of a live kiosk.
pub fn monotonic() -> Timestamp {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Timestamp::from_millis(seconds * 1000 + nanoseconds / 1_000_000)
}

/// How the camera is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// It is opened for the first time.
    Opening,
    /// Frames come.
    Running,
    /// It is there, but nothing comes that could be decided on; it is opened again.
    Stalled(Fault),
    /// Its driver reported an error; it is opened again.
    Reopening(Fault),
    /// It is gone or cannot be opened; it is looked for again and again.
    Lost(Fault),
    /// The recording is over.
    Ended,
}

impl FeedState {
    /// What is wrong, if anything.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Stalled(fault) | Self::Reopening(fault) | Self::Lost(fault) => Some(fault),
            Self::Opening | Self::Running | Self::Ended => None,
        }
    }

    /// One word for a status line or a metric.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Stalled(_) => "stalled",
            Self::Reopening(_) => "reopening",
            Self::Lost(_) => "lost",
            Self::Ended => "ended",
        }
    }
}

/// How the camera is, and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedStatus {
    /// How it is.
    pub state: FeedState,
    /// Since when.
    pub since: Timestamp,
    /// What the camera was brought to give, once it was opened.
    pub negotiated: Option<Arc<Negotiated>>,
}

/// The work of a capture thread, step by step.
pub struct Steps(Capture);

impl Steps {
    /// Opens the camera, or waits for one frame; returns how long to rest before the next step.
    pub fn step(&mut self) -> Duration {
        self.0.step()
    }
}

/// A camera that is read all the time.
pub struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts the capture thread.
    ///
    /// A camera that cannot be opened is no error here: [`Feed::status`] tells, and it is tried again.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(opener: Box<dyn Opener>, first_frame: Duration, clock: Clock) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(clock));
        let mut capture = Capture::new(opener, first_frame, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || {
                while !capture.is_told_to_stop() {
                    let rest = capture.step();
                    if !rest.is_zero() {
                        std::thread::park_timeout(rest);
                    }
                }
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// A feed without a thread: whoever holds the [`Steps`] takes them and moves the clock, as tests and soaks do.
    pub fn stepped(opener: Box<dyn Opener>, first_frame: Duration, clock: Clock) -> (Self, Steps) {
        let shared = Arc::new(Shared::new(clock));
        let steps = Steps(Capture::new(opener, first_frame, Arc::clone(&shared)));
        let feed = Self {
            shared,
            thread: None,
        };
        (feed, steps)
    }

    /// The latest frame with a number above `than` (any frame for `None`), decoded and upright; waits for it at most
    /// `patience`.
    ///
    /// `None` when there is none in time, and at once when a recording is over. Never a frame older than
    /// [`STALE`](super::watch::STALE) when it is handed out; whoever works on it for long asks
    /// [`is_stale`](super::watch::is_stale) again before deciding.
    pub fn wait_newer(&self, than: Option<u64>, patience: Duration) -> Option<Arc<Captured>> {
        self.shared.wait_newer(than, patience)
    }

    /// How the camera is.
    pub fn status(&self) -> FeedStatus {
        self.shared.status()
    }

    /// What was counted since the start; takes no lock.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }

    /// When the capture thread was last seen at work; takes no lock.
    ///
    /// It works also while there is no camera, so a watchdog may restart the program when this is older than 15 s: the
    /// longest single step is to open a camera, in which a driver may take 5 s for an answer.
    pub fn heartbeat(&self) -> Timestamp {
        Timestamp::from_millis(self.shared.heartbeat.load(Ordering::Relaxed))
    }

    /// Stops the capture thread and closes the camera; takes about 0.1 s. Dropping does the same.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the capture thread panicked");
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
