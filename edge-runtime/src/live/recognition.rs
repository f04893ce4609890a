//! The recognition's thread: frames and inputs in, what is to be seen and what happened out.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use shared::gallery::consent::WallTime;

use super::desk::OpenDesk;
use super::outlets::{DecidedOn, Outlets};
use super::scene::{Marks, Scene};
use super::{Opened, Shared};
use crate::camera::Captured;
use crate::camera::feed::{Clock, Feed, FeedState};
use crate::camera::recorder::Announcement;
use crate::camera::watch::STALL;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::event::Happening;
use crate::fault::Fault;
use crate::input::Input;
use crate::kiosk::Kiosk;
use crate::latency::{Latencies, Stage};
use crate::liveness::Look;
use crate::liveness::guard::Guard;
use crate::session::State;
use crate::showing::{Aim, Showing};
use crate::status::{DecisionStatus, GalleryStatus};
use crate::update::mark::Mark;
use crate::watchdog::Part;

/// How long a frame is waited for before time goes on without one.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often clocks and board are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How often consents are looked at.
const CONSENTS: Duration = Duration::from_secs(600);
/// How long nothing comes from a camera that is lost or opened again before the screen says so: as long as a stall takes
/// to be seen, so that a driver's hiccup does not flash up.
const FAULT_AFTER: Duration = STALL;

/// What somebody told the kiosk, and what the screen knows that the desk has to.
pub(super) enum Word {
    /// A key, or what was touched.
    Input(Input),
    /// How many pages the consent text takes on this screen.
    ConsentPages(usize),
}

/// The recognition at work.
pub(super) struct Recognition {
    kiosk: Kiosk,
    guard: Guard,
    desk: Option<OpenDesk>,
    feed: Arc<Feed>,
    clock: Clock,
    outlets: Outlets,
    shared: Arc<Shared>,
    words: Receiver<Word>,
    /// Least time from one frame that is looked at to the next.
    pace: Duration,
    /// Age beyond which nothing is decided by a frame.
    oldest: Duration,
    last: Option<Arc<Captured>>,
    aim: Aim,
    wall: WallTime,
    looked_after: Option<Timestamp>,
    consents_seen: Option<Timestamp>,
    last_presence: Timestamp,
    present: bool,
    /// The flag of a recording, and whether it is up.
    announcement: Option<PathBuf>,
    recording: bool,
    /// The mark of an update, and what it says while it counts: then nobody is decided on.
    mark: PathBuf,
    updating: Option<Mark>,
}

impl Recognition {
    pub(super) fn new(
        opened: Opened,
        (feed, clock): (Arc<Feed>, Clock),
        outlets: Outlets,
        shared: Arc<Shared>,
        words: Receiver<Word>,
        config: &Config,
    ) -> Self {
        let rules = &config.recognition;
        let now = clock();
        Self {
            kiosk: opened.kiosk,
            guard: opened.guard,
            desk: opened.desk,
            feed,
            clock,
            outlets,
            shared,
            words,
            pace: Duration::from_secs_f64(1.0 / rules.most_frames_per_second),
            oldest: Duration::from_millis(rules.oldest_frame_ms),
            last: None,
            aim: Aim::default(),
            wall: WallTime::default(),
            looked_after: None,
            consents_seen: None,
            last_presence: now,
            present: false,
            announcement: Announcement::place(),
            recording: false,
            mark: config.update.mark.clone(),
            updating: None,
        }
    }

    /// Works until it is told to stop or the recording is over; returns how long the stages took.
    ///
    /// # Errors
    /// When a network fails.
    pub(super) fn run(mut self, stop: &AtomicBool) -> anyhow::Result<Latencies> {
        let mut due = (self.clock)();
        while !stop.load(Ordering::Relaxed) {
            self.shared
                .hearts
                .beat(Part::Recognition, self.outlets.clocks.now());
            self.listen(due);
            let now = (self.clock)();
            if now < due {
                continue;
            }
            let than = self.last.as_ref().map(|last| last.number);
            let captured = self.feed.wait_newer(than, PATIENCE);
            let now = (self.clock)();
            self.look_after(now);
            match captured {
                Some(captured) => {
                    due =
                        Timestamp::from_millis(captured.at.millis() + self.pace.as_millis() as u64);
                    self.look(now, captured)?;
                }
                None if self.feed.status().state == FeedState::Ended => break,
                None => self.without_frame(now),
            }
            self.publish(now);
        }
        Ok(std::mem::take(self.kiosk.latencies()))
    }

    /// Takes what is told, until a frame is due.
    fn listen(&mut self, due: Timestamp) {
        loop {
            let wait = due.since((self.clock)()).min(PATIENCE);
            let Ok(word) = self.words.recv_timeout(wait) else {
                return;
            };
            let now = (self.clock)();
            // Nobody works at the desk of a device that changes its own software.
            let is_for_desk = self.updating.is_none() || matches!(word, Word::ConsentPages(_));
            if let Some(desk) = self.desk.as_mut().filter(|_| is_for_desk) {
                desk.hear(now, self.wall, word, &mut self.kiosk, &self.outlets);
            }
            self.publish(now);
        }
    }

    fn look(&mut self, now: Timestamp, captured: Arc<Captured>) -> anyhow::Result<()> {
        self.outlets.works("camera");
        if self.updating.is_some() {
            self.rest(now);
        } else if let Some(desk) = self.desk.as_mut().filter(|desk| desk.is_open()) {
            self.aim = desk.look(now, self.wall, &captured, &mut self.kiosk, &self.outlets)?;
            // Nobody is greeted while the desk has the screen.
            self.kiosk.idle_step(now);
            self.guard.step(now, None, None);
            self.note_presence(now);
        } else if self.kiosk.is_decidable(&captured, now) {
            self.decide(now, &captured)?;
        } else {
            self.kiosk.idle_step(now);
        }
        self.last = Some(captured);
        Ok(())
    }

    /// Lets time pass without looking at a face: greetings end, evidence ages, nothing is decided.
    fn rest(&mut self, now: Timestamp) {
        self.kiosk.idle_step(now);
        self.guard.step(now, None, None);
        self.aim = Aim::default();
        self.note_presence(now);
    }

    fn decide(&mut self, now: Timestamp, captured: &Captured) -> anyhow::Result<()> {
        let guard = &mut self.guard;
        let mut known = None;
        let (clock, oldest) = (&self.clock, self.oldest);
        let is_fresh = || clock().since(captured.at) <= oldest;
        let step = self.kiosk.step(captured, &is_fresh, &mut |look| {
            let look_of_guard = Look {
                frame: look.frame,
                detection: look.detection,
                aligned: look.aligned,
                at: look.at,
                track: look.track.number(),
            };
            let liveness = guard.step(now, Some(&look_of_guard), look.named);
            known = Some(liveness);
            liveness
        })?;
        let liveness = match known {
            Some(liveness) => liveness,
            None => guard.step(now, None, None),
        };
        self.aim = step.aim;
        let done = (self.clock)();
        let age = done.since(captured.at);
        if step.compared {
            self.kiosk.latencies().note(Stage::Decision, age);
        }
        // What was decided by a frame that has become old meanwhile opens nothing: the door asks for its age.
        let on = DecidedOn {
            frame: captured.number,
            age_ms: age.as_millis() as u64,
            liveness,
        };
        self.outlets.session(&step.events, self.kiosk.gallery(), on);
        self.note_presence(now);
        Ok(())
    }

    /// Somebody is there from the first face until the session has forgotten the last one.
    fn note_presence(&mut self, now: Timestamp) {
        let at_desk = self.desk.as_ref().is_some_and(OpenDesk::is_open);
        let present = at_desk || *self.kiosk.state() != State::Idle;
        if present {
            self.last_presence = now;
        }
        if std::mem::replace(&mut self.present, present) != present {
            self.outlets.set_presence(present);
        }
    }

    fn without_frame(&mut self, now: Timestamp) {
        self.rest(now);
        if let Some(desk) = self.desk.as_mut().filter(|_| self.updating.is_none()) {
            desk.tick(now, self.wall, &mut self.kiosk, &self.outlets);
        }
        if let Some(fault) = self.camera_fault(now) {
            self.outlets.fault("camera", &fault);
        }
    }

    /// What is wrong with the camera, if it has been for a while.
    fn camera_fault(&self, now: Timestamp) -> Option<Fault> {
        let status = self.feed.status();
        let fault = status.state.fault()?;
        let since = match self.feed.counts().last_frame_ms {
            0 => status.since,
            millis => Timestamp::from_millis(millis),
        };
        (now.since(since) >= FAULT_AFTER).then(|| fault.clone())
    }

    fn look_after(&mut self, now: Timestamp) {
        let due = |last: Option<Timestamp>, every| last.is_none_or(|last| now.since(last) >= every);
        if !due(self.looked_after, LOOK_AFTER) {
            return;
        }
        self.looked_after = Some(now);
        self.wall = self.outlets.look_at_clocks();
        let recording = self
            .announcement
            .as_deref()
            .is_some_and(Announcement::is_up);
        if std::mem::replace(&mut self.recording, recording) != recording {
            self.outlets
                .tell(Happening::Recording { active: recording });
        }
        self.look_for_update();
        if due(self.consents_seen, CONSENTS) {
            self.consents_seen = Some(now);
            let expired = self.kiosk.suspend_expired(self.wall);
            if let Some(desk) = &mut self.desk {
                desk.suspend_expired(self.wall);
            }
            if expired > 0 {
                tracing::warn!(
                    people = expired,
                    "consents have run out: these people are no longer greeted; renew them (usher gallery consent) or \
                     remove them (usher gallery sweep)"
                );
            }
            self.outlets
                .board
                .update(|status| status.gallery.expired = expired);
        }
        self.post();
    }

    /// Whether somebody updates the device, by the wall clock that the mark's file was written by.
    fn look_for_update(&mut self) {
        let mark = Mark::read(&self.mark, self.outlets.clocks.moment().wall());
        if mark.is_some() != self.updating.is_some() {
            let named = mark.as_ref().or(self.updating.as_ref());
            self.outlets.tell(Happening::Updating {
                active: mark.is_some(),
                what: named.map_or("", |mark| &mark.what),
            });
        }
        self.updating = mark;
    }

    /// Brings the board up to date.
    fn post(&mut self) {
        let (status, counts) = (self.feed.status(), self.feed.counts());
        let gallery = self.kiosk.gallery();
        let (people, templates) = (gallery.people(), gallery.templates());
        let decides = self.kiosk.decides();
        let decision = DecisionStatus {
            point: decides.point().name.clone(),
            threshold: decides.threshold().value(),
            one_in: decides.one_in().map(|one_in| one_in as u64),
        };
        let state = self.showing((self.clock)());
        let mqtt = self.outlets.mqtt();
        self.outlets.board.update(|board| {
            board.mqtt = mqtt.to_owned();
            board.state = word(&state).to_owned();
            board.camera.working = status.state == FeedState::Running;
            if let Some(negotiated) = &status.negotiated {
                board.camera.format = negotiated.to_string();
            }
            board.gallery = GalleryStatus {
                people,
                templates,
                expired: board.gallery.expired,
            };
            board.decision = decision;
        });
        let metrics = &self.outlets.metrics;
        metrics.people.set(people as i64);
        metrics.templates.set(templates as i64);
        metrics.camera(&counts);
        for (stage, took) in self.kiosk.latencies().take_new() {
            metrics.took(stage, took);
        }
    }

    fn showing(&self, now: Timestamp) -> Showing {
        if let Some(mark) = &self.updating {
            return Showing::Updating(mark.progress);
        }
        if let Some(view) = self.desk.as_ref().and_then(|desk| desk.view(now)) {
            return Showing::Desk(view);
        }
        match self.camera_fault(now) {
            Some(fault) => Showing::Fault(fault),
            None => self.kiosk.showing(),
        }
    }

    fn publish(&mut self, now: Timestamp) {
        let judged = self.outlets.judged();
        self.shared.scene.put(Arc::new(Scene {
            at: now,
            showing: self.showing(now),
            aim: self.aim,
            marks: Marks {
                liveness_off: self.guard.is_off() && *self.kiosk.state() != State::Idle,
                clock_unset: judged.is_some_and(|judged| {
                    judged.standing == crate::clock::judge::Standing::Doubtful
                }),
                operator: self.desk.as_ref().is_some_and(OpenDesk::is_unlocked),
                recording: self.recording,
            },
            last_presence: match self.desk.as_ref().is_some_and(OpenDesk::is_open) {
                true => now,
                false => self.last_presence,
            },
        }));
    }
}

/// The state in a word, for `usher status`.
fn word(showing: &Showing) -> &'static str {
    match showing {
        Showing::Idle => "idle",
        Showing::Looking { .. } => "looking",
        Showing::NotSure => "not-sure",
        Showing::Check { .. } | Showing::Flash(_) => "checking",
        Showing::Greeting { .. } => "greeting",
        Showing::Unknown => "unknown",
        Showing::Desk(_) => "enrolling",
        Showing::Fault(_) => "fault",
        Showing::Updating(_) => "updating",
    }
}

/// Says that the kiosk is ready.
pub(super) fn tell_started(outlets: &Outlets, kiosk: &mut Kiosk) {
    let people = kiosk.gallery().people();
    let model = kiosk
        .pipeline()
        .embedder()
        .manifest()
        .model_id()
        .to_string();
    outlets.tell(Happening::Started {
        version: env!("CARGO_PKG_VERSION"),
        model,
        people,
    });
}
