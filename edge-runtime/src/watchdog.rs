//! The kiosk is alive only if capture, recognition and screen all make progress; systemd hears of nothing less.
//!
//! | what is seen | what is done |
//! |---|---|
//! | each part has progressed once | `READY=1` |
//! | each part progressed within its limit | `WATCHDOG=1` |
//! | one did not | no ping, `STATUS=` names it; systemd kills and restarts when its own time is over |
//! | one has not for the hard limit | the process ends by itself with [`EXIT_STUCK`], for a supervisor other than systemd |
//!
//! Progress is a pass through the thread's loop, not a picture: a capture thread that waits for a lost camera and tries
//! again progresses, and so do a recognition thread without frames and a screen that has nothing new to show. Each of
//! them waits for a second at most.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::clock::moment::Clocks;
use crate::status::PartStatus;

/// Exit status of a process whose parts stand still: EX_SOFTWARE of sysexits.h.
pub const EXIT_STUCK: i32 = 70;
/// How often the parts are looked at when systemd does not ask for more.
const LOOK: Duration = Duration::from_secs(1);

/// A thread without which there is no kiosk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Takes frames from the camera.
    Capture,
    /// Decides who is there.
    Recognition,
    /// Draws.
    Screen,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Capture, Self::Recognition, Self::Screen];

    /// For messages and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Recognition => "recognition",
            Self::Screen => "screen",
        }
    }
}

/// How long a part may take for one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WatchdogConfig {
    /// Milliseconds in which the capture thread must progress.
    pub capture_ms: u64,
    /// Milliseconds in which the recognition thread must.
    pub recognition_ms: u64,
    /// Milliseconds in which the screen must.
    pub screen_ms: u64,
    /// Milliseconds after which a kiosk that stands still ends itself; 0: never.
    pub hard_ms: u64,
}

impl Default for WatchdogConfig {
    /// Ten seconds, in which a slow device embeds a hundred faces; then twenty more.
    fn default() -> Self {
        Self {
            capture_ms: 10_000,
            recognition_ms: 10_000,
            screen_ms: 10_000,
            hard_ms: 30_000,
        }
    }
}

impl WatchdogConfig {
    fn limit(&self, part: Part) -> Duration {
        Duration::from_millis(match part {
            Part::Capture => self.capture_ms,
            Part::Recognition => self.recognition_ms,
            Part::Screen => self.screen_ms,
        })
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for part in Part::ALL {
            let (name, found) = (part.name(), self.limit(part).as_millis());
            if !(1500..=600_000).contains(&found) {
                return Err(format!(
                    "watchdog.{name}_ms = {found}, which is not from 1500 to 600000"
                ));
            }
            if self.hard_ms != 0 && u128::from(self.hard_ms) <= found {
                return Err(format!(
                    "watchdog.hard_ms = {}, which is not more than watchdog.{name}_ms = {found}",
                    self.hard_ms
                ));
            }
        }
        Ok(())
    }
}

/// When each part last progressed; shared by all threads.
#[derive(Debug, Default)]
pub struct Heartbeats {
    /// Milliseconds and one; 0: not yet.
    stamps: [AtomicU64; Part::ALL.len()],
}

impl Heartbeats {
    /// `part` has progressed.
    pub fn beat(&self, part: Part, now: Timestamp) {
        self.stamps[part as usize].store(now.millis().saturating_add(1), Ordering::Relaxed);
    }

    /// When it last did; none before the first time.
    pub fn last(&self, part: Part) -> Option<Timestamp> {
        let stamp = self.stamps[part as usize].load(Ordering::Relaxed);
        stamp.checked_sub(1).map(Timestamp::from_millis)
    }

    /// All of them, for the status.
    pub fn status(&self) -> Vec<PartStatus> {
        let parts = Part::ALL.into_iter();
        parts
            .map(|part| PartStatus {
                part: part.name().to_owned(),
                progressed_ms: self.last(part).map(Timestamp::millis),
            })
            .collect()
    }
}

/// What the heartbeats say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// A part has not progressed for the first time yet.
    Starting(Part),
    /// All progress.
    Alive,
    /// One has not for longer than its limit.
    Late(Part),
    /// One has not for longer than the hard limit.
    Stuck(Part),
}

/// Judges the heartbeats and tells systemd; [`Watchdog::look`] is called every second.
#[derive(Debug)]
pub struct Watchdog {
    config: WatchdogConfig,
    began: Timestamp,
    ready: bool,
    told: Option<Pulse>,
}

impl Watchdog {
    /// A watchdog that begins now.
    pub fn new(config: WatchdogConfig, now: Timestamp) -> Self {
        Self {
            config,
            began: now,
            ready: false,
            told: None,
        }
    }

    /// What the heartbeats say: the first part in trouble counts.
    pub fn judge(&self, hearts: &Heartbeats, now: Timestamp) -> Pulse {
        let hard = Duration::from_millis(self.config.hard_ms);
        let mut pulse = Pulse::Alive;
        for part in Part::ALL {
            let last = hearts.last(part);
            let silent = now.since(last.unwrap_or(self.began));
            if self.config.hard_ms != 0 && silent >= hard {
                return Pulse::Stuck(part);
            }
            match last {
                None if pulse == Pulse::Alive => pulse = Pulse::Starting(part),
                Some(_)
                    if silent >= self.config.limit(part) && !matches!(pulse, Pulse::Late(_)) =>
                {
                    pulse = Pulse::Late(part);
                }
                _ => {}
            }
        }
        pulse
    }

    /// Looks at the heartbeats, and tells systemd what it may hear.
    pub fn look(&mut self, hearts: &Heartbeats, now: Timestamp) -> Pulse {
        let pulse = self.judge(hearts, now);
        let mut states = Vec::new();
        if pulse == Pulse::Alive {
            if !self.ready {
                states.push(NotifyState::Ready);
                self.ready = true;
            }
            states.push(NotifyState::Watchdog);
        }
        let words = match pulse {
            Pulse::Starting(part) => format!("waiting for the first progress of {}", part.name()),
            Pulse::Alive => "capture, recognition and screen progress".to_owned(),
            Pulse::Late(part) | Pulse::Stuck(part) => format!("{} stands still", part.name()),
        };
        if self.told.replace(pulse) != Some(pulse) {
            states.push(NotifyState::Status(&words));
            if let Pulse::Late(part) | Pulse::Stuck(part) = pulse {
                tracing::error!(part = part.name(), "a part of the kiosk stands still");
            }
        }
        if !states.is_empty()
            && let Err(error) = sd_notify::notify(&states)
        {
            tracing::warn!(%error, "the service manager cannot be told");
        }
        pulse
    }
}

/// The watchdog's thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Guard {
    stop: Arc<(Mutex<bool>, Condvar)>,
}

impl Guard {
    /// Looks at the heartbeats in a thread of its own. When a part is stuck, `last_words` is called with it (to close
    /// a door) and the process ends with [`EXIT_STUCK`].
    ///
    /// # Errors
    /// Any `io::Error` of starting the thread.
    pub fn start(
        config: WatchdogConfig,
        hearts: Arc<Heartbeats>,
        clocks: Arc<dyn Clocks>,
        last_words: impl FnOnce(Part) + Send + 'static,
    ) -> std::io::Result<Self> {
        let interval = interval(sd_notify::watchdog_enabled());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let mut watchdog = Watchdog::new(config, clocks.now());
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                while !wait(&stopped, interval) {
                    if let Pulse::Stuck(part) = watchdog.look(&hearts, clocks.now()) {
                        end(part, last_words);
                    }
                }
                let _ = sd_notify::notify(&[NotifyState::Stopping]);
            })?;
        Ok(Self { stop })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (stopped, woken) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        woken.notify_all();
    }
}

/// How often to look: three times within systemd's time, once a second at least.
fn interval(systemd: Option<Duration>) -> Duration {
    systemd.map_or(LOOK, |time| (time / 3).min(LOOK))
}

/// Waits; true when it is over.
fn wait((stopped, woken): &(Mutex<bool>, Condvar), interval: Duration) -> bool {
    let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = woken.wait_timeout_while(guard, interval, |stopped| !*stopped);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

fn end(part: Part, last_words: impl FnOnce(Part) + Send + 'static) -> ! {
    /// How long the last words may take.
    const LAST_MS: Duration = Duration::from_secs(5);
    let said = Arc::new(AtomicBool::new(false));
    let saying = Arc::clone(&said);
    // In a thread of its own: what they touch may be what is stuck.
    let speaker = std::thread::Builder::new().spawn(move || {
        last_words(part);
        saying.store(true, Ordering::Release);
    });
    let begin = std::time::Instant::now();
    while speaker.is_ok() && !said.load(Ordering::Acquire) && begin.elapsed() < LAST_MS {
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!(
        "usher: expected {} to make progress, found it standing still; start again and read the log",
        part.name()
    );
    std::process::exit(EXIT_STUCK)
}

#[cfg(test)]
mod tests;
