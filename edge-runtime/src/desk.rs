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
pub mod guided;
pub mod keep;
pub mod pin;
pub mod rules;
mod typing;
pub mod view;
pub mod words;

use std::time::Duration;

use shared::gallery::consent::{Clock, WallTime};
use shared::gallery::{Consent, Decision, Gallery, IdentityId, name};
use shared::operating_point::Threshold;

use crate::clock::Timestamp;
use crate::enrollment::EnrollmentRules;
use crate::fault::Fault;
use crate::input::Input;
use crate::likeness::Judgement;
use capture::{Capture, Identified, Likeness, Task};
use guided::{Glance, Guided, Progress};
use keep::Kept;
use pin::{LEAST_DIGITS, PinError, Secret};
use rules::DeskRules;
use typing::Typing;
use view::{DeskView, PinRefusal, Pose};
use words::{Words, fill};

/// How long Done is shown.
const DONE: Duration = Duration::from_secs(4);
/// Names on a page; with "names before", "more names" and "cancel" a question has at most six choices.
const NAMES_ON_PAGE: usize = 3;
/// With more people than this, letters of the name are asked for first.
const MOST_LISTED: usize = 12;
/// Most pages of a consent text while nobody has said how many there are.
const MOST_PAGES: usize = 100;
/// How far behind the gallery's newest record a clock may be, as for `usher enroll`.
const MOST_BEHIND_SECONDS: u64 = 3600;

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

    /// What the screen shows; none while it is locked.
    pub fn view(&self, now: Timestamp) -> Option<DeskView> {
        let words = &self.words;
        let question = |title: String, body: String, choices: Vec<String>| DeskView::Question {
            title,
            body,
            choices,
        };
        let own = str::to_owned;
        Some(match &self.state {
            State::Locked => return None,
            State::Pin { typed, .. } => DeskView::Pin {
                typed: typed.len(),
                refusal: self.refused(now),
            },
            State::Menu => question(
                words.menu.clone(),
                fill(&words.menu_body, &[("operator", &self.recorded_operator())]),
                vec![words.enroll.clone(), words.add.clone(), words.lock.clone()],
            ),
            State::Date { newest, today, .. } => question(
                fill(&words.date, &[("date", &day(*today))]),
                fill(&words.date_body, &[("newest", &day(*newest))]),
                vec![words.yes.clone(), words.no.clone()],
            ),
            State::Name(typing) | State::Search(typing) => DeskView::Name {
                text: typing.text.clone(),
                problem: typing.problem.clone(),
                capitals: typing.capitals,
                signs: typing.signs,
            },
            State::Consent { name, page } => DeskView::Consent {
                name: name.clone(),
                text: self.consent_text.clone(),
                page: *page,
            },
            State::Recognize { since, run } => {
                let seen = run.map_or(0, |(_, frames)| frames) as f32;
                let most = Duration::from_secs(self.rules.recognize_seconds);
                DeskView::Guided {
                    name: String::new(),
                    pose: Pose::Straight,
                    hint: None,
                    done: 0,
                    wanted: 1,
                    held: (seen / self.rules.recognize_frames as f32).min(1.0),
                    left: most.saturating_sub(now.since(*since)),
                }
            }
            State::Confirm { name, .. } => question(
                fill(&words.confirm, &[("name", name)]),
                fill(&words.confirm_body, &[("name", name)]),
                vec![
                    words.yes.clone(),
                    words.from_list.clone(),
                    words.cancel.clone(),
                ],
            ),
            State::People { found, page } => {
                let pages = pages(found.len());
                let numbers = [
                    ("page", &*(page + 1).to_string()),
                    ("pages", &*pages.to_string()),
                ];
                question(
                    words.who.clone(),
                    fill(&words.who_body, &numbers),
                    self.names(found, *page),
                )
            }
            State::Label(task) => question(
                words.what_is_new.clone(),
                fill(&words.what_is_new_body, &[("name", task.name())]),
                self.labels().map(own).to_vec(),
            ),
            State::Capture(capture) => {
                let guided = &capture.guided;
                let (done, wanted) = guided.counts();
                DeskView::Guided {
                    name: own(capture.task.name()),
                    pose: guided.pose().unwrap_or(Pose::Straight),
                    hint: guided.hint(),
                    done,
                    wanted,
                    held: guided.held(now),
                    left: guided.left(now),
                }
            }
            State::Likeness { name, chance, .. } => question(
                fill(&words.alike, &[("name", name)]),
                fill(&words.alike_body, &[("chance", chance), ("name", name)]),
                vec![
                    words.same_person.clone(),
                    words.different.clone(),
                    words.cancel.clone(),
                ],
            ),
            State::Storing { name } => DeskView::Guided {
                name: name.clone(),
                pose: Pose::Straight,
                hint: None,
                done: 1,
                wanted: 1,
                held: 1.0,
                left: Duration::ZERO,
            },
            State::Done { name, .. } => DeskView::Done { name: name.clone() },
            State::Failed(fault) => DeskView::Failed {
                cause: fault.cause.clone(),
                remedy: fault.remedy.clone(),
            },
        })
    }

    /// Locks; whatever was begun is gone.
    pub fn lock(&mut self) {
        self.state = State::Locked;
        self.operator = None;
        self.asked = None;
    }

    /// What a state makes of an input that is no Cancel.
    fn next(&mut self, scene: &Scene<'_>, state: State, input: Input) -> State {
        let now = scene.now;
        let choice = match input {
            Input::Choice(choice) => Some(choice),
            // On a keyboard the choices are numbered.
            Input::Character(c) => c
                .to_digit(10)
                .and_then(|digit| (digit as usize).checked_sub(1)),
            _ => None,
        };
        match (state, input, choice) {
            (State::Pin { typed, ticket }, input, _) => self.typed(now, typed, ticket, input),
            (State::Menu, _, Some(0)) => self.begin(scene, Errand::Enroll),
            (State::Menu, _, Some(1)) => self.begin(scene, Errand::Add),
            (State::Menu, _, Some(2)) => {
                self.lock();
                State::Locked
            }
            (State::Date { then, .. }, _, Some(0)) => self.start(scene, then),
            (State::Date { .. }, _, Some(1)) => failed(DeskError::WrongDate {
                today: day(scene.wall),
            }),
            (State::Name(typing), Input::Enter, _) => self.named(scene.gallery, typing),
            (State::Name(mut typing), input, _) => {
                typing.input(input);
                State::Name(typing)
            }
            (State::Consent { name, page }, input, _) => self.read(scene, name, page, input),
            (State::Recognize { .. }, Input::Enter, _) | (State::Confirm { .. }, _, Some(1)) => {
                self.list(scene.gallery)
            }
            (State::Confirm { who, .. }, _, Some(0)) => {
                self.add(scene, who, Identified::Recognized)
            }
            (State::Confirm { .. }, _, Some(2)) => self.home(),
            (State::Search(typing), Input::Enter, _) => self.search(scene.gallery, typing),
            (State::Search(mut typing), input, _) => {
                typing.input(input);
                State::Search(typing)
            }
            (State::People { found, page }, input, choice) => {
                self.choose(scene, found, page, input, choice)
            }
            (State::Label(mut task), _, Some(choice)) => {
                if choice >= self.labels().len() {
                    return State::Label(task);
                }
                if let Task::Add { label, .. } = &mut task {
                    *label = LABELS[choice].map(str::to_owned);
                }
                self.shoot(now, task)
            }
            (
                State::Likeness {
                    mut capture,
                    likeness,
                    ..
                },
                _,
                Some(choice @ 0..=1),
            ) => {
                let who = likeness.nearest.identity;
                if choice == 0 {
                    // Whom the door would let in by that name is recognized; a likeness alone has to be surer.
                    let decides = self.judgement.decides.threshold;
                    let identified = match decides.accepts(likeness.nearest.distance) {
                        true => Identified::Recognized,
                        false => Identified::Chosen,
                    };
                    let most = self.rules.most_templates;
                    match Task::add(scene.gallery, who, identified, (scene.wall, most)) {
                        Ok(task) => capture.task = task,
                        Err(error) => return failed(error),
                    }
                } else {
                    capture.twins.push(who);
                }
                capture.guided.go_on(now);
                match capture.guided.pose() {
                    Some(_) => State::Capture(capture),
                    None => self.finish(scene, capture),
                }
            }
            (State::Likeness { .. }, _, Some(2)) => self.home(),
            (State::Done { .. } | State::Failed(_), Input::Enter | Input::Choice(_), _) => {
                self.home()
            }
            (state, _, _) => state,
        }
    }

    /// Where an operator begins; whoever is none is locked out.
    fn home(&self) -> State {
        match self.operator {
            Some(_) => State::Menu,
            None => State::Locked,
        }
    }

    fn typed(
        &mut self,
        now: Timestamp,
        mut typed: Secret,
        ticket: Option<u64>,
        input: Input,
    ) -> State {
        let waits = matches!(self.refused(now), Some(PinRefusal::Wait { .. }));
        if ticket.is_some() || waits {
            return State::Pin { typed, ticket };
        }
        match input {
            Input::Character(c) if c.is_ascii_alphanumeric() => typed.push(c),
            Input::Backspace => typed.pop(),
            Input::Enter if typed.len() >= LEAST_DIGITS => {
                self.tickets += 1;
                self.asked = Some(Wanted::Verify {
                    ticket: self.tickets,
                    secret: typed,
                });
                return State::Pin {
                    typed: Secret::empty(),
                    ticket: Some(self.tickets),
                };
            }
            _ => {}
        }
        State::Pin { typed, ticket }
    }

    /// The last refusal as it stands now.
    fn refused(&self, now: Timestamp) -> Option<PinRefusal> {
        let (refusal, at) = self.refusal?;
        match refusal {
            PinRefusal::Wrong { .. } => Some(refusal),
            PinRefusal::Wait { left } => {
                let left = left.saturating_sub(now.since(at));
                (!left.is_zero()).then_some(PinRefusal::Wait { left })
            }
        }
    }

    /// Begins an errand, if the clock can be believed.
    fn begin(&self, scene: &Scene<'_>, errand: Errand) -> State {
        let newest = scene.gallery.newest_record();
        match Clock::judge(scene.wall, newest) {
            Clock::Behind(seconds) if seconds > MOST_BEHIND_SECONDS => {
                failed(DeskError::ClockBehind {
                    newest: day(newest),
                    today: day(scene.wall),
                })
            }
            // A gallery that was never written to knows no time.
            Clock::Ahead(_) if newest != WallTime::default() => State::Date {
                then: errand,
                newest,
                today: scene.wall,
            },
            _ => self.start(scene, errand),
        }
    }

    fn start(&self, scene: &Scene<'_>, errand: Errand) -> State {
        match errand {
            Errand::Enroll => State::Name(Typing::name()),
            Errand::Add if scene.gallery.people() == 0 => failed(DeskError::NobodyEnrolled),
            Errand::Add => State::Recognize {
                since: scene.now,
                run: None,
            },
        }
    }

    fn named(&self, gallery: &Gallery, mut typing: Typing) -> State {
        let problem = match name::checked(&typing.text) {
            Ok(name) if gallery.named(&name).is_ok() => &self.words.name_taken,
            Ok(name) => return State::Consent { name, page: 0 },
            Err(_) => &self.words.name_unfit,
        };
        typing.problem = Some(problem.clone());
        State::Name(typing)
    }

    fn read(&self, scene: &Scene<'_>, name: String, page: usize, input: Input) -> State {
        let last = self.consent_pages.map(|pages| pages - 1);
        let page = page.min(last.unwrap_or(MOST_PAGES));
        let is_last = last.is_none_or(|last| page >= last);
        match input {
            // Not before it was shown whole.
            Input::Next => State::Consent {
                name,
                page: page + usize::from(page < last.unwrap_or(MOST_PAGES)),
            },
            Input::Enter if !is_last => State::Consent {
                name,
                page: page + 1,
            },
            Input::Previous => State::Consent {
                name,
                page: page.saturating_sub(1),
            },
            Input::Enter => {
                let consent = Consent::given(
                    &self.consent_text,
                    scene.wall,
                    &self.recorded_operator(),
                    self.rules.consent_days,
                );
                match consent {
                    Ok(consent) => self.shoot(scene.now, Task::New { name, consent }),
                    Err(error) => failed(error),
                }
            }
            _ => State::Consent { name, page },
        }
    }

    fn list(&self, gallery: &Gallery) -> State {
        if gallery.people() > MOST_LISTED {
            return State::Search(Typing::name());
        }
        let found = found(gallery, "");
        State::People { found, page: 0 }
    }

    fn search(&self, gallery: &Gallery, mut typing: Typing) -> State {
        let found = found(gallery, &typing.text);
        if found.is_empty() {
            typing.problem = Some(self.words.nobody_so_called.clone());
            return State::Search(typing);
        }
        State::People { found, page: 0 }
    }

    /// The choices of a page of names.
    fn names(&self, found: &[(IdentityId, String)], page: usize) -> Vec<String> {
        let on_page = found.iter().skip(page * NAMES_ON_PAGE).take(NAMES_ON_PAGE);
        let mut choices: Vec<String> = on_page
            .map(|(id, name)| format!("{name} (#{id})"))
            .collect();
        if page > 0 {
            choices.push(self.words.before.clone());
        }
        if page + 1 < pages(found.len()) {
            choices.push(self.words.more.clone());
        }
        choices.push(self.words.cancel.clone());
        choices
    }

    fn choose(
        &self,
        scene: &Scene<'_>,
        found: Vec<(IdentityId, String)>,
        page: usize,
        input: Input,
        choice: Option<usize>,
    ) -> State {
        let last = pages(found.len()) - 1;
        let on_page = found.len().saturating_sub(page * NAMES_ON_PAGE);
        let on_page = on_page.min(NAMES_ON_PAGE);
        let turned = |page: usize| State::People {
            found: found.clone(),
            page,
        };
        let others = [
            (page > 0).then(|| page - 1),
            (page < last).then(|| page + 1),
        ];
        match (input, choice) {
            (Input::Next, _) => turned((page + 1).min(last)),
            (Input::Previous, _) => turned(page.saturating_sub(1)),
            (_, Some(choice)) if choice < on_page => {
                let (who, _) = found[page * NAMES_ON_PAGE + choice];
                self.add(scene, who, Identified::Chosen)
            }
            (_, Some(choice)) => {
                let mut others = others.into_iter().flatten();
                let place = choice - on_page;
                let count = usize::from(page > 0) + usize::from(page < last);
                match others.nth(place) {
                    Some(page) => turned(page),
                    None if place == count => self.home(),
                    None => turned(page),
                }
            }
            _ => turned(page),
        }
    }

    fn add(&self, scene: &Scene<'_>, who: IdentityId, identified: Identified) -> State {
        let most = self.rules.most_templates;
        match Task::add(scene.gallery, who, identified, (scene.wall, most)) {
            Ok(task) => State::Label(task),
            Err(error) => failed(error),
        }
    }

    fn labels(&self) -> [&str; 6] {
        let words = &self.words;
        [
            &words.nothing_special,
            &words.glasses,
            &words.no_glasses,
            &words.beard,
            &words.headwear,
            &words.mask,
        ]
    }

    /// Begins a capture.
    fn shoot(&self, now: Timestamp, task: Task) -> State {
        let least = self.enrollment.least_eye_distance_px;
        let guided = Guided::new(self.rules.guided, self.agreement, least, now);
        State::Capture(Box::new(Capture::new(task, guided)))
    }

    fn recognize(
        &self,
        scene: &Scene<'_>,
        since: Timestamp,
        run: Option<(IdentityId, usize)>,
        glance: &Glance,
    ) -> State {
        let is_alone = |rival: f32| rival <= self.rules.guided.most_rival;
        let probe = glance
            .face
            .as_ref()
            .filter(|face| {
                (glance.faces <= 1 || is_alone(face.rival))
                    && face.hint.is_none()
                    && face.eye_distance_px >= self.enrollment.least_eye_distance_px
            })
            .and_then(|face| face.embedding.as_ref());
        // A frame that cannot be decided on neither counts nor breaks the row.
        let Some(probe) = probe else {
            return State::Recognize { since, run };
        };
        let decision = scene
            .gallery
            .decide(probe, &self.judgement.decides.threshold);
        let run = match (decision, run) {
            (Decision::Match { identity, .. }, Some((who, frames))) if who == identity => {
                Some((who, frames + 1))
            }
            (Decision::Match { identity, .. }, _) => Some((identity, 1)),
            (Decision::NoMatch { .. }, _) => None,
        };
        match run {
            Some((who, frames)) if frames >= self.rules.recognize_frames => {
                let name = called(scene.gallery, who);
                State::Confirm { who, name }
            }
            run => State::Recognize { since, run },
        }
    }

    fn capture(&mut self, scene: &Scene<'_>, mut capture: Box<Capture>, glance: &Glance) -> State {
        let now = scene.now;
        let progress = match capture.guided.look(now, glance) {
            Ok(progress) => progress,
            Err(error) => {
                self.touched = now;
                return failed(error);
            }
        };
        match progress {
            Progress::Going => State::Capture(capture),
            Progress::Straight => {
                self.touched = now;
                let faces = capture.guided.straight();
                let likeness =
                    capture.compare(scene.gallery, &faces, &self.judgement, self.agreement);
                match likeness {
                    Ok(None) => State::Capture(capture),
                    Ok(Some(likeness)) => {
                        capture.guided.pause(now);
                        self.alike(scene.gallery, capture, likeness)
                    }
                    Err(error) => failed(error),
                }
            }
            Progress::Complete => {
                self.touched = now;
                self.finish(scene, capture)
            }
        }
    }

    /// Asks the operator whether it is the same person.
    fn alike(&self, gallery: &Gallery, capture: Box<Capture>, likeness: Likeness) -> State {
        State::Likeness {
            name: called(gallery, likeness.nearest.identity),
            chance: likeness.chance(&self.judgement, gallery.people()),
            capture,
            likeness,
        }
    }

    /// The capture is complete: a last look at whom it is like, then it is kept.
    fn finish(&mut self, scene: &Scene<'_>, mut capture: Box<Capture>) -> State {
        let (gallery, agreement) = (scene.gallery, self.agreement);
        let chosen = capture
            .chosen(
                gallery,
                self.enrollment,
                agreement,
                self.rules.most_templates,
            )
            .and_then(|faces| {
                let likeness = capture.compare(gallery, &faces, &self.judgement, agreement)?;
                Ok((faces, likeness))
            });
        match chosen {
            Ok((faces, None)) => {
                let name = capture.task.name().to_owned();
                self.asked = Some(Wanted::Store {
                    kept: capture.kept(faces, scene.wall),
                    operator: self.recorded_operator(),
                    at: scene.wall,
                });
                State::Storing { name }
            }
            Ok((_, Some(likeness))) => {
                capture.guided.pause(scene.now);
                self.alike(gallery, capture, likeness)
            }
            Err(error) => failed(error),
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

/// Labels of an appearance, in the order of [`Desk::labels`]; they are kept in the gallery, in one language.
const LABELS: [Option<&str>; 6] = [
    None,
    Some("glasses"),
    Some("no glasses"),
    Some("beard or hair"),
    Some("headwear"),
    Some("mask"),
];

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> State {
    State::Failed(Fault::of(&anyhow::Error::from(error)))
}

/// People whose names hold these letters, by name.
fn found(gallery: &Gallery, letters: &str) -> Vec<(IdentityId, String)> {
    let wanted = letters.trim().to_lowercase();
    let mut found: Vec<_> = gallery
        .identities()
        .filter(|known| known.name().to_lowercase().contains(&wanted))
        .map(|known| (known.id(), known.name().to_owned()))
        .collect();
    found.sort_by(|a, b| (&a.1, a.0).cmp(&(&b.1, b.0)));
    found
}

fn pages(names: usize) -> usize {
    names.div_ceil(NAMES_ON_PAGE).max(1)
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
