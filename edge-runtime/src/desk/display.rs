//! What the screen shows of each state.

use std::time::Duration;

use shared::gallery::IdentityId;

use super::view::{DeskView, PinRefusal, Pose};
use super::words::fill;
use super::{Desk, State, day};
use crate::clock::Timestamp;

/// Names on a page; with "names before", "more names" and "cancel" a question has at most six choices.
pub(super) const NAMES_ON_PAGE: usize = 3;

impl Desk {
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

    /// The last refusal as it stands now.
    pub(super) fn refused(&self, now: Timestamp) -> Option<PinRefusal> {
        let (refusal, at) = self.refusal?;
        match refusal {
            PinRefusal::Wrong { .. } => Some(refusal),
            PinRefusal::Wait { left } => {
                let left = left.saturating_sub(now.since(at));
                (!left.is_zero()).then_some(PinRefusal::Wait { left })
            }
        }
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

    pub(super) fn labels(&self) -> [&str; 6] {
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
}

/// Pages of a list of names, at least one.
pub(super) fn pages(names: usize) -> usize {
    names.div_ceil(NAMES_ON_PAGE).max(1)
}
