//! What each state makes of an input: PIN, menu, name, consent, whom to add an appearance to.

use shared::gallery::consent::{Clock, WallTime};
use shared::gallery::{Consent, Gallery, IdentityId, name};

use super::capture::{Identified, Task};
use super::display::{NAMES_ON_PAGE, pages};
use super::pin::{LEAST_DIGITS, Secret};
use super::typing::Typing;
use super::view::PinRefusal;
use super::{Desk, DeskError, Errand, MOST_PAGES, Scene, State, Wanted, day, failed};
use crate::clock::Timestamp;
use crate::input::Input;

/// With more people than this, letters of the name are asked for first.
const MOST_LISTED: usize = 12;
/// How far behind the gallery's newest record a clock may be, as for `usher enroll`.
const MOST_BEHIND_SECONDS: u64 = 3600;

/// Labels of an appearance, in the order of [`Desk::labels`]; they are kept in the gallery, in one language.
const LABELS: [Option<&str>; 6] = [
    None,
    Some("glasses"),
    Some("no glasses"),
    Some("beard or hair"),
    Some("headwear"),
    Some("mask"),
];

impl Desk {
    /// What a state makes of an input that is no Cancel.
    pub(super) fn next(&mut self, scene: &Scene<'_>, state: State, input: Input) -> State {
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

    pub(super) fn list(&self, gallery: &Gallery) -> State {
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
