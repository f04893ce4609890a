//! Where what happened goes: the record, the broker, the door, the counts and the board; none of them holds up another.
//!
//! The record is written by a thread of its own: a disk or a pipe that blocks costs lines of the record, which are
//! counted as lost, and neither a greeting nor the closing of the door.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::gallery::Gallery;
use shared::gallery::consent::WallTime;

use crate::clock::Timestamp;
use crate::clock::judge::{ClockJudge, Judged};
use crate::clock::moment::Clocks;
use crate::door::gpio::GpioRelay;
use crate::door::hook::CommandHook;
use crate::door::keeper::{self, DoorHandle, Notice};
use crate::door::{DoorConfig, DoorError, DoorOutput, Greeting};
use crate::event::{self, EventLog, Happening};
use crate::fault::Fault;
use crate::liveness::Liveness;
use crate::metrics::{DecisionKind, Metrics};
use crate::mqtt::Mqtt;
use crate::session::Event;
use crate::status::{Board, ClockStatus};

/// All of them, shared by the threads of one kiosk.
#[derive(Clone)]
pub(crate) struct Outlets {
    pub(crate) board: Arc<Board>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clocks: Arc<dyn Clocks>,
    held: Arc<Mutex<Held>>,
}

struct Held {
    writer: Writer,
    mqtt: Option<Mqtt>,
    door: Option<DoorHandle>,
    judge: ClockJudge,
    judged: Option<Judged>,
}

/// Lines of the record that wait to be written.
const WAITING_LINES: usize = 1000;
/// How long the end waits for them.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The thread that writes the record.
struct Writer {
    lines: Option<SyncSender<(String, WallTime)>>,
    ended: Option<Receiver<()>>,
    names: bool,
    metrics: Arc<Metrics>,
}

impl Writer {
    fn start(mut log: EventLog, names: bool, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel::<(String, WallTime)>(WAITING_LINES);
        let (ending, ended) = sync_channel(1);
        let lost = Arc::clone(&metrics);
        std::thread::Builder::new()
            .name("record".to_owned())
            .spawn(move || {
                let _ending = ending;
                for (line, believed) in waiting {
                    if let Err(error) = log.add(&line, believed) {
                        lost.events_lost.add_one();
                        tracing::error!("{error}");
                    }
                }
            })?;
        Ok(Self {
            lines: Some(lines),
            ended: Some(ended),
            names,
            metrics,
        })
    }

    /// Hands a line over; never waits.
    fn write(&self, now: Timestamp, judged: Option<&Judged>, happening: Happening<'_>) {
        let happening = match self.names {
            true => happening,
            false => happening.without_name(),
        };
        let believed = judged.map_or(WallTime::default(), |judged| judged.believed);
        let line = event::line(now, judged.map(|judged| judged.moment), happening);
        let handed = line.ok().zip(self.lines.as_ref());
        let is_lost = handed.is_none_or(|(line, lines)| lines.try_send((line, believed)).is_err());
        if is_lost {
            self.metrics.events_lost.add_one();
        }
    }

    /// No more lines; what is returned tells when all are written.
    fn end(&mut self) -> Receiver<()> {
        self.lines = None;
        self.ended.take().unwrap_or_else(|| sync_channel(1).1)
    }
}

/// The frame that something was decided on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecidedOn {
    /// Its number.
    pub(crate) frame: u64,
    /// Milliseconds since it was taken.
    pub(crate) age_ms: u64,
    /// What is known about the face in it.
    pub(crate) liveness: Liveness,
}

impl Outlets {
    /// Nothing has happened yet, and there is no door. `names` says whether the record has them.
    ///
    /// # Errors
    /// When there is no thread for the record.
    pub(crate) fn new(
        (board, metrics, clocks): (Arc<Board>, Arc<Metrics>, Arc<dyn Clocks>),
        (log, names): (EventLog, bool),
        mqtt: Option<Mqtt>,
        judge: ClockJudge,
    ) -> std::io::Result<Self> {
        let held = Held {
            writer: Writer::start(log, names, Arc::clone(&metrics))?,
            mqtt,
            door: None,
            judge,
            judged: None,
        };
        Ok(Self {
            board,
            metrics,
            clocks,
            held: Arc::new(Mutex::new(held)),
        })
    }

    /// Begins to keep the door that the settings name, if there is one.
    ///
    /// # Errors
    /// [`DoorError`] when its output cannot be had; there is then no door that could open.
    pub(crate) fn keep_door(&self, config: &DoorConfig) -> anyhow::Result<()> {
        let told = self.clone();
        let tell = move |notice| told.door(&notice);
        let clocks = Arc::clone(&self.clocks);
        let handle = match config.output {
            DoorOutput::Off => return Ok(()),
            DoorOutput::Gpio => keeper::keep(config, GpioRelay::open(config)?, clocks, tell)?,
            DoorOutput::Command => keeper::keep(config, CommandHook::new(config), clocks, tell)?,
        };
        self.held().door = Some(handle);
        self.board
            .update(|status| status.door = "closed".to_owned());
        Ok(())
    }

    /// The clocks are judged by this from now on.
    pub(crate) fn judge_clocks_by(&self, judge: ClockJudge) {
        self.held().judge = judge;
        self.look_at_clocks();
    }

    /// Looks at the clocks; returns the time that is believed.
    pub(crate) fn look_at_clocks(&self) -> WallTime {
        let (judged, jump) = {
            let mut held = self.held();
            let (judged, jump) = held.judge.observe(self.clocks.moment());
            held.judged = Some(judged);
            (judged, jump)
        };
        self.metrics
            .clock_synced
            .set(i64::from(judged.moment.synced));
        self.board
            .update(|status| status.clock = ClockStatus::of(&judged));
        if let Some(jump) = jump {
            self.metrics.clock_jumps.add_one();
            tracing::warn!(by_ms = jump.by_ms(), "the wall clock was set");
            self.tell(Happening::Clock {
                jumped_ms: jump.by_ms(),
            });
        }
        judged.believed
    }

    /// The clocks as they were judged last.
    pub(crate) fn judged(&self) -> Option<Judged> {
        self.held().judged
    }

    /// Something happened.
    pub(crate) fn tell(&self, happening: Happening<'_>) {
        let (now, moment) = (self.clocks.now(), self.clocks.moment());
        let held = self.held();
        // This very moment, as far as the clocks were believed when they were last looked at.
        let judged = held.judged.map(|judged| Judged { moment, ..judged });
        if let Some(mqtt) = &held.mqtt {
            mqtt.tell(now, judged.as_ref(), &happening);
        }
        held.writer.write(now, judged.as_ref(), happening);
    }

    /// The session's events of one frame.
    pub(crate) fn session(&self, events: &[Event], gallery: &Gallery, on: DecidedOn) {
        for event in events {
            let kind = match event {
                Event::Greeted { .. } => Some(DecisionKind::Greeted),
                Event::Unknown { .. } => Some(DecisionKind::Unknown),
                Event::NotLive => Some(DecisionKind::NotLive),
                Event::Left => None,
            };
            if let Some(kind) = kind {
                self.metrics.decided(kind);
            }
            self.tell(Happening::of(event, gallery, on.frame));
            if let Event::Greeted { identity, .. } = event
                && let Some(known) = gallery.identity(*identity)
            {
                let now = self.clocks.now().millis();
                let greeting = Greeting {
                    identity: identity.number(),
                    name: known.name().to_owned(),
                    decided_at: Timestamp::from_millis(now.saturating_sub(on.age_ms)),
                    liveness: on.liveness,
                };
                if let Some(door) = &self.held().door {
                    door.greet(greeting);
                }
            }
        }
    }

    /// Whether somebody stands there.
    pub(crate) fn set_presence(&self, present: bool) {
        if let Some(mqtt) = &self.held().mqtt {
            mqtt.set_presence(present);
        }
    }

    /// A part does not work; told once until it works again.
    pub(crate) fn fault(&self, part: &str, fault: &Fault) {
        if !self.board.put_fault(self.clocks.now(), part, fault) {
            return;
        }
        self.set_faulty();
        self.tell(Happening::Fault {
            cause: &fault.cause,
            remedy: &fault.remedy,
        });
    }

    /// A part works, again if it did not.
    pub(crate) fn works(&self, part: &str) {
        let Some(before) = self.board.take_fault(part) else {
            return;
        };
        self.set_faulty();
        let now = self.clocks.now().millis();
        self.tell(Happening::Recovered {
            cause: &before.cause,
            after_ms: now.saturating_sub(before.since_ms),
        });
    }

    /// Closes the door and waits until it is closed.
    pub(crate) fn close(&self) {
        // Taken out first: the door's own notices need the lock.
        let door = self.held().door.take();
        if let Some(door) = door {
            door.close();
        }
        let mqtt = self.held().mqtt.take();
        drop(mqtt);
        let written = self.held().writer.end();
        // What is still to be written may be stuck; the end is not.
        let _ = written.recv_timeout(LAST_LINES);
    }

    /// Whether the broker is there, in a word.
    pub(crate) fn mqtt(&self) -> &'static str {
        match &self.held().mqtt {
            None => "off",
            Some(mqtt) if mqtt.is_connected() => "connected",
            Some(_) => "not connected",
        }
    }

    fn set_faulty(&self) {
        // The board is read with the lock held, so that of two threads the later one has the last word.
        let held = self.held();
        let faulty = !self.board.read(self.clocks.now()).faults.is_empty();
        if let Some(mqtt) = &held.mqtt {
            mqtt.set_problem(faulty);
        }
        if let Some(door) = &held.door {
            door.set_fault(faulty);
        }
    }

    fn door(&self, notice: &Notice) {
        let (active, why, identity) = match notice {
            Notice::Opened { identity } => (true, "greeted", Some(*identity)),
            Notice::Closed => (false, "time is up", None),
            Notice::Refused { identity, why } => (false, why.words(), Some(*identity)),
            Notice::Fault(error) => return self.door_fault(error),
            Notice::Recovered => return self.works("door"),
        };
        match notice {
            Notice::Opened { .. } => self.metrics.door_opened.add_one(),
            Notice::Refused { .. } => self.metrics.door_refused.add_one(),
            _ => {}
        }
        if !matches!(notice, Notice::Refused { .. }) {
            let stands = if active { "open" } else { "closed" };
            self.board.update(|status| status.door = stands.to_owned());
        }
        self.tell(Happening::Door {
            active,
            why,
            identity: identity.map(|identity| identity.to_string()),
        });
    }

    fn door_fault(&self, error: &DoorError) {
        let fault = Fault::of_message(error.to_string());
        if self.board.put_fault(self.clocks.now(), "door", &fault) {
            // Not by `fault`: the door knows of its own, and closing it for that would never end.
            self.tell(Happening::Fault {
                cause: &fault.cause,
                remedy: &fault.remedy,
            });
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
