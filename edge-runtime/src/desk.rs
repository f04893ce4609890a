//! The operator's desk at the kiosk: unlock, enroll, add an appearance. A state machine without clock, camera or disk.
//!
//! ```text
//!          Operator            right PIN           Enroll                Enter           Enter: agreed
//! ┌────────┐    ┌─────┐ ─────────────────► ┌──────┐ ─────► ┌──────┐ ─────► ┌─────────┐ ─────────┐
//! │ Locked │ ─► │ Pin │                    │ Menu │        │ Name │        │ Consent │          ▼
//! └────────┘    └─────┘                    └──────┘        └──────┘        └─────────┘    ┌─────────┐  straight done,
//!    ▲  ▲          │ Cancel                 │  ▲ ▲   Add appearance                ┌───► │ Capture │ ─────────┐
//!    │  └──────────┘                        │  │ │  ┌───────────┐     ┌─────────┐  │     └─────────┘ somebody │
//!    │ Lock, Cancel,                        │  │ └──│ Recognize │ ──► │ Confirm │  │       │  ▲      alike:   ▼
//!    └──────────────────────────────────────┘  │    └───────────┘     └─────────┘  │       │  │  go on ┌──────────┐
//!      60 s without an input, from anywhere    │       │ not in 8 s     │ yes      │       │  └─────── │ Likeness │
//!                                              │       ▼                ▼          │       ▼           └──────────┘
//!      Cancel, from anywhere behind Menu ─────►│    ┌────────┐       ┌───────┐     │  ┌─────────┐ kept ┌──────┐
//!      Done after 4 s, Failed after Enter ────►│    │ People │ ────► │ Label │ ────┘  │ Storing │ ───► │ Done │
//!                                                   └────────┘       └───────┘        └─────────┘      └──────┘
//! ```
//!
//! (People is preceded by a search where there are many names. Where the clock has run far ahead of the gallery's
//! newest record the operator confirms the date first, and a clock that runs behind it is refused: how long a consent
//! lasts depends on it. What goes wrong ends in Failed, which says what to do.)
//!
//! What the runtime does is asked for by [`Desk::wants`]: embed frames, compare a PIN on another thread, write to the
//! gallery. Until [`Wanted::Store`] nothing has left this room, and it is asked for once, at the very end, behind a PIN,
//! a consent and a complete capture. Whatever ends before that leaves nothing behind.

mod capture;
pub mod consent;
mod display;
pub mod guided;
pub mod keep;
mod looks;
pub mod pin;
pub mod rules;
mod steps;
mod typing;
pub mod view;
pub mod words;

use std::time::Duration;

use shared::gallery::consent::WallTime;
use shared::gallery::{Gallery, IdentityId};
use shared::operating_point::Threshold;

use crate::clock::Timestamp;
use crate::enrollment::EnrollmentRules;
use crate::fault::Fault;
use crate::input::Input;
use crate::likeness::Judgement;
use capture::{Capture, Likeness, Task};
use guided::Glance;
use keep::Kept;
use pin::{PinError, Secret};
use rules::DeskRules;
use typing::Typing;
use view::PinRefusal;
use words::Words;

/// How long Done is shown.
const DONE: Duration = Duration::from_secs(4);
/// Most pages of a consent text while nobody has said how many there are.
const MOST_PAGES: usize = 100;

/// What the desk sees of the world while it acts.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The date, for consents and templates.
    pub wall: WallTime,
    /// Who is enrolled.
    pub gallery: &'a Gallery,
}

/// What the runtime is to do.
pub enum Wanted {
    /// Nothing.
    Nothing,
    /// Show [`Desk::look`] every frame, with its largest face embedded.
    Embed,
    /// Compare this with the operators' PINs by [`pin::Gate::verify`], on a thread that may take its time, and answer by
    /// [`Desk::verified`] with the same ticket. Asked for once.
    Verify {
        /// Which try it is.
        ticket: u64,
        /// What was typed.
        secret: Secret,
    },
    /// Keep this by [`Kept::store`] and answer by [`Desk::stored`]. Asked for once.
    Store {
        /// What is kept.
        kept: Kept,
        /// By whose order.
        operator: String,
        /// When.
        at: WallTime,
    },
}

/// The desk.
pub struct Desk {
    rules: DeskRules,
    enrollment: EnrollmentRules,
    judgement: Judgement,
    agreement: Threshold,
    consent_text: String,
    words: Words,
    state: State,
    /// Who unlocked it; none while it is locked.
    operator: Option<String>,
    /// The last input.
    touched: Timestamp,
    tickets: u64,
    /// What is still to be asked for, once.
    asked: Option<Wanted>,
    /// What the last try led to, and when.
    refusal: Option<(PinRefusal, Timestamp)>,
    consent_pages: Option<usize>,
}

enum State {
    Locked,
    Pin {
        typed: Secret,
        /// The try that is being compared.
        ticket: Option<u64>,
    },
    Menu,
    Date {
        then: Errand,
        newest: WallTime,
        today: WallTime,
    },
    Name(Typing),
    Consent {
        name: String,
        page: usize,
    },
    Recognize {
        since: Timestamp,
        /// Who was named by the last frames, and by how many.
        run: Option<(IdentityId, usize)>,
    },
    Confirm {
        who: IdentityId,
        name: String,
    },
    Search(Typing),
    People {
        found: Vec<(IdentityId, String)>,
        page: usize,
    },
    Label(Task),
    Capture(Box<Capture>),
    Likeness {
        capture: Box<Capture>,
        likeness: Likeness,
        name: String,
        chance: String,
    },
    Storing {
        name: String,
    },
    Done {
        name: String,
        since: Timestamp,
    },
    Failed(Fault),
}

/// What an operator begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    Enroll,
    Add,
}

/// Why the desk does not begin.
#[derive(Debug, thiserror::Error)]
enum DeskError {
    #[error(
        "expected a clock that is not behind the gallery's newest record of {newest}, found {today}; set the clock"
    )]
    ClockBehind { newest: String, today: String },
    #[error("expected the right date, found {today}; set the clock")]
    WrongDate { today: String },
    #[error("expected somebody who is enrolled, found nobody; enroll somebody first")]
    NobodyEnrolled,
}

impl Desk {
    /// A locked desk.
    ///
    /// `judgement` tells whom a face looks like, `agreement` (the model's point "verify") whether faces are one
    /// person's; `consent_text` is what people agree to.
    pub fn new(
        rules: DeskRules,
        enrollment: EnrollmentRules,
        judgement: Judgement,
        agreement: Threshold,
        consent_text: String,
        words: Words,
    ) -> Self {
        Self {
            rules,
            enrollment,
            judgement,
            agreement,
            consent_text,
            words,
            state: State::Locked,
            operator: None,
            touched: Timestamp::default(),
            tickets: 0,
            asked: None,
            refusal: None,
            consent_pages: None,
        }
    }

    /// Whether the screen is the desk's: [`Desk::view`] says what it shows.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Locked)
    }

    /// Whether an operator has unlocked it.
    pub fn is_unlocked(&self) -> bool {
        self.operator.is_some()
    }

    /// From now on faces are judged by this: the gallery has grown, or its point was set.
    pub fn judge_by(&mut self, judgement: Judgement) {
        self.judgement = judgement;
    }

    /// How many pages the screen made of the consent text: it cannot be agreed to before the last was shown.
    pub fn set_consent_pages(&mut self, pages: usize) {
        self.consent_pages = Some(pages.clamp(1, MOST_PAGES));
    }

    /// What the gate said without being asked: how long the wait that was found at the start still lasts.
    pub fn set_wait(&mut self, now: Timestamp, left: Duration) {
        self.refusal = (!left.is_zero()).then_some((PinRefusal::Wait { left }, now));
    }

    /// What the runtime is to do now. To be asked after every input, look and tick.
    pub fn wants(&mut self) -> Wanted {
        match self.asked.take() {
            Some(asked) => asked,
            None if self.is_looking() => Wanted::Embed,
            None => Wanted::Nothing,
        }
    }

    /// Whether frames are to be embedded and shown to [`Desk::look`].
    pub fn is_looking(&self) -> bool {
        matches!(self.state, State::Capture(_) | State::Recognize { .. })
    }

    /// Time passes. To be called at least once a second.
    pub fn tick(&mut self, scene: &Scene<'_>) {
        let now = scene.now;
        let idle = now.since(self.touched) >= Duration::from_secs(self.rules.idle_seconds);
        match &self.state {
            // A capture has its own time, and a look at who it is too; what is being written has to be answered.
            State::Locked | State::Storing { .. } => {}
            State::Capture(capture) => {
                if let Err(error) = capture.guided.check_time(now) {
                    self.fail(now, error);
                }
            }
            State::Recognize { since, .. }
                if now.since(*since) >= Duration::from_secs(self.rules.recognize_seconds) =>
            {
                self.state = self.list(scene.gallery);
            }
            State::Recognize { .. } => {}
            State::Done { since, .. } if now.since(*since) >= DONE => {
                self.touched = now;
                self.state = self.home();
            }
            _ if idle => self.lock(),
            _ => {}
        }
    }

    /// Takes what somebody told.
    pub fn input(&mut self, scene: &Scene<'_>, input: Input) {
        self.tick(scene);
        if matches!(self.state, State::Locked) {
            if input == Input::Operator {
                self.touched = scene.now;
                self.state = State::Pin {
                    typed: Secret::empty(),
                    ticket: None,
                };
            }
            return;
        }
        self.touched = scene.now;
        let state = std::mem::replace(&mut self.state, State::Locked);
        self.state = match (input, state) {
            // Nobody has taken it yet: it is not kept.
            (Input::Cancel, State::Storing { .. }) if self.asked.take().is_some() => self.home(),
            // It is being written; there is no way back.
            (_, State::Storing { name }) => State::Storing { name },
            (Input::Cancel, State::Pin { .. } | State::Menu) => {
                self.lock();
                State::Locked
            }
            (Input::Cancel, _) => self.home(),
            (input, state) => self.next(scene, state, input),
        };
    }

    /// Takes what a frame showed, while [`Desk::is_looking`].
    pub fn look(&mut self, scene: &Scene<'_>, glance: &Glance) {
        self.tick(scene);
        match std::mem::replace(&mut self.state, State::Locked) {
            State::Capture(capture) => self.state = self.capture(scene, capture, glance),
            State::Recognize { since, run } => {
                self.state = self.recognize(scene, since, run, glance);
            }
            state => self.state = state,
        }
    }

    /// What became of [`Wanted::Verify`]. An answer to a try that was given up meanwhile opens nothing.
    pub fn verified(
        &mut self,
        now: Timestamp,
        ticket: u64,
        verdict: Result<Result<String, PinRefusal>, PinError>,
    ) {
        if let Ok(Err(refusal)) = &verdict {
            self.refusal = Some((*refusal, now));
        }
        match &mut self.state {
            State::Pin {
                ticket: waiting, ..
            } if *waiting == Some(ticket) => *waiting = None,
            _ => return,
        }
        match verdict {
            Ok(Ok(operator)) => {
                self.refusal = None;
                self.operator = Some(operator);
                self.touched = now;
                self.state = State::Menu;
            }
            Ok(Err(_)) => {}
            Err(error) => self.fail(now, error),
        }
    }

    /// What became of [`Wanted::Store`].
    pub fn stored(&mut self, now: Timestamp, result: Result<(), Fault>) {
        let State::Storing { name } = &mut self.state else {
            return;
        };
        let name = std::mem::take(name);
        self.touched = now;
        self.state = match result {
            Ok(()) => State::Done { name, since: now },
            Err(fault) => State::Failed(fault),
        };
    }

    /// Locks; whatever was begun is gone.
    pub fn lock(&mut self) {
        self.state = State::Locked;
        self.operator = None;
        self.asked = None;
    }

    /// Where an operator begins; whoever is none is locked out.
    fn home(&self) -> State {
        match self.operator {
            Some(_) => State::Menu,
            None => State::Locked,
        }
    }

    fn fail(&mut self, now: Timestamp, error: impl std::error::Error + Send + Sync + 'static) {
        self.touched = now;
        self.state = failed(error);
    }

    /// Whom the gallery's history names.
    fn recorded_operator(&self) -> String {
        let own = self.rules.operator.as_ref().or(self.operator.as_ref());
        own.cloned().unwrap_or_default()
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> State {
    State::Failed(Fault::of(&anyhow::Error::from(error)))
}

fn called(gallery: &Gallery, who: IdentityId) -> String {
    match gallery.identity(who) {
        Some(known) => format!("{} (#{who})", known.name()),
        None => format!("#{who}"),
    }
}

fn day(time: WallTime) -> String {
    time.to_rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests;
