//! Runs the checks of one presence in order, fuses what they find, and refuses in doubt.
//!
//! ```text
//!                 every passive check settled,       every active check
//!   ┌─────────┐   a name is agreed on   ┌────────┐   settled             ┌──────┐  valid_ms
//!   │ passive │ ──────────────────────► │ active │ ────────────────────► │ Live │ ──────────► passive
//!   └─────────┘                         └────────┘   and the rule holds  └──────┘
//!     ▲      │ a check fails, or a required one cannot tell   │
//!     │      └───────────────┐               ┌────────────────┘
//!     │ hold over            ▼               ▼
//!     └───────────────────── Refused (at least refused_ms, doubled for each refusal in a row)
//!   another face, a gap, another name: all begins anew; a refusal is still held
//! ```
//!
//! The rule of fusion:
//! 1. Any check that is on, required or optional, that says [`Progress::Failed`] refuses.
//! 2. Live needs at least one required check, and every required check [`Progress::Passed`]. One that cannot tell is
//!    begun again, at most `tries` times; then it refuses. An optional one that cannot tell is left out.
//! 3. The scores of the checks that gave one are averaged by their weights; below `least_score` refuses.
//! 4. Where an active check is on, Live needs the name it began with, agreed on in the very frame.
//!
//! So silence, darkness and a broken network never pass: only a refusal can come of them.

mod slot;

use shared::gallery::IdentityId;
use shared::geometry::Rect;

use super::challenge::Challenge;
use super::{Check, CheckKind, Finding, Liveness, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;
use slot::Slot;

/// What the guard itself goes by; each check has rules of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuardRules {
    /// Least weighted mean of the scores, 0 to 1.
    pub least_score: f32,
    /// How often a required check that cannot tell is tried in all, 1 or more.
    pub tries: u32,
    /// Milliseconds for which a face that passed counts as live; also how old a passive finding may become.
    pub valid_ms: u64,
    /// Milliseconds a refusal holds at least, whatever face stands there.
    pub refused_ms: u64,
    /// Overlap (intersection over union) with the box before, below which it is another face.
    pub least_overlap: f32,
    /// Milliseconds without the face after which all begins anew.
    pub longest_gap_ms: u64,
}

/// Whether a check runs, and whether it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// It does not run.
    #[default]
    Off,
    /// It runs, its score counts and its refusal refuses; but not to be able to tell does not.
    Optional,
    /// Nobody is live unless it passed.
    Required,
}

/// A check and how the guard treats it.
pub struct Entry {
    /// The check.
    pub check: Box<dyn Check>,
    /// Whether it decides.
    pub required: bool,
    /// Share of its score in the mean, above 0.
    pub weight: f32,
    /// Milliseconds for one try.
    pub limit_ms: u64,
}

/// The checks of one kiosk, and what they have found about the face before it.
pub struct Guard {
    rules: GuardRules,
    slots: Vec<Slot>,
    stage: Stage,
    last: Option<Seen>,
    /// The name that the active checks began with.
    named: Option<IdentityId>,
    held: Option<Hold>,
    last_refusal: Option<Timestamp>,
    refusals_in_a_row: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Checking,
    Live { since: Timestamp },
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Timestamp,
    track: u64,
    bounds: Rect,
}

/// A refusal: which check, why, and until when it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    /// The check that refused; none when the scores together were too low.
    pub check: Option<CheckKind>,
    /// Why.
    pub reason: Reason,
    /// Until when it holds at least.
    pub until: Timestamp,
}

/// Most often that a refusal in a row doubles the hold: 3 seconds become 48.
const MOST_DOUBLINGS: u32 = 4;

/// Milliseconds without a refusal after which the next is the first again.
const FORGIVEN_AFTER_MS: u64 = 120_000;

impl Guard {
    /// A guard without checks: always [`Liveness::Off`].
    pub fn off(rules: GuardRules) -> Guard {
        Guard::with(rules, Vec::new())
    }

    /// A guard that runs these checks: passive ones first, else in the order given.
    pub fn with(rules: GuardRules, mut entries: Vec<Entry>) -> Guard {
        // A stable sort: false, passive, goes first.
        entries.sort_by_key(|entry| entry.check.kind().is_active());
        Guard {
            rules,
            slots: entries.into_iter().map(Slot::new).collect(),
            stage: Stage::Checking,
            last: None,
            named: None,
            held: None,
            last_refusal: None,
            refusals_in_a_row: 0,
        }
    }

    /// Whether no check is on.
    pub fn is_off(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes one frame: the face that is decided on, `None` when none was found, and the name that the consensus has
    /// agreed on for it, `None` while there is none.
    pub fn step(
        &mut self,
        now: Timestamp,
        seen: Option<&Look<'_>>,
        named: Option<IdentityId>,
    ) -> Liveness {
        if self.is_off() {
            return Liveness::Off;
        }
        self.end_hold(now);
        let Some(look) = seen else {
            let gone = |last: Seen| millis_since(now, last.at) > self.rules.longest_gap_ms;
            if self.last.is_none_or(gone) {
                self.reset();
            }
            // Nobody in this frame is live, whoever was a moment ago.
            return match self.stage {
                Stage::Refused => Liveness::Refused,
                Stage::Checking | Stage::Live { .. } => Liveness::Pending(self.prompt()),
            };
        };
        if !self.continues(look) {
            self.reset();
        }
        self.last = Some(Seen {
            at: look.at,
            track: look.track,
            bounds: look.detection.bounds,
        });
        if self.held.is_some() {
            self.stage = Stage::Refused;
            return Liveness::Refused;
        }
        if let (Some(began_with), Some(name)) = (self.named, named)
            && began_with != name
        {
            self.begin_anew();
        }
        if let Stage::Live { since } = self.stage
            && millis_since(now, since) > self.rules.valid_ms
        {
            self.begin_anew();
        }
        if self.stage == Stage::Checking {
            self.check(now, look, named);
        }
        match self.stage {
            Stage::Refused => Liveness::Refused,
            Stage::Live { .. } if self.name_is_there(named) => Liveness::Live,
            Stage::Checking | Stage::Live { .. } => Liveness::Pending(self.prompt()),
        }
    }

    /// The face has gone: nothing that was found about it counts any more. A refusal is still held.
    pub fn reset(&mut self) {
        self.last = None;
        self.begin_anew();
    }

    /// What each check has found so far, in the order they run.
    pub fn findings(&self) -> impl Iterator<Item = (CheckKind, Finding)> + '_ {
        self.slots
            .iter()
            .map(|slot| (slot.entry.check.kind(), slot.finding))
    }

    /// What the checks have asked and shown of the face that is there: a recording of it needs that beside its frames.
    pub fn challenge(&self) -> Challenge {
        let mut challenge = Challenge::default();
        for slot in &self.slots {
            slot.entry.check.tell(&mut challenge);
        }
        challenge
    }

    /// The refusal that holds, if one does.
    pub fn refusal(&self) -> Option<Hold> {
        self.held
    }

    fn begin_anew(&mut self) {
        self.named = None;
        self.stage = match self.held {
            Some(_) => Stage::Refused,
            None => Stage::Checking,
        };
        for slot in &mut self.slots {
            slot.forget();
        }
    }

    fn end_hold(&mut self, now: Timestamp) {
        let Some(hold) = self.held else { return };
        if now >= hold.until {
            self.held = None;
            self.begin_anew();
        }
    }

    fn continues(&self, look: &Look<'_>) -> bool {
        self.last.is_some_and(|last| {
            last.track == look.track
                && millis_since(look.at, last.at) <= self.rules.longest_gap_ms
                && last.bounds.iou(&look.detection.bounds) >= self.rules.least_overlap
        })
    }

    /// Whether the name allows to say live: it is the one that the active checks began with.
    fn name_is_there(&self, named: Option<IdentityId>) -> bool {
        let active = self.slots.iter().any(Slot::is_active);
        !active || (named.is_some() && named == self.named)
    }

    fn check(&mut self, now: Timestamp, look: &Look<'_>, named: Option<IdentityId>) {
        let valid_ms = self.rules.valid_ms;
        for slot in &mut self.slots {
            let old = |at| millis_since(now, at) > valid_ms;
            if slot.settled_at.is_some_and(old) {
                slot.forget();
            }
        }
        let mut passive_settled = true;
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_active()) {
            slot.look(now, look, self.rules.tries);
            passive_settled &= slot.settled_at.is_some();
        }
        if passive_settled && !self.anything_refuses() {
            self.named = self.named.or(named);
            // Without a name nothing is asked of a person.
            if self.named.is_some()
                && let Some(slot) = self
                    .slots
                    .iter_mut()
                    .find(|slot| slot.is_active() && slot.settled_at.is_none())
            {
                slot.look(now, look, self.rules.tries);
            }
        }
        self.conclude(now);
    }

    fn anything_refuses(&self) -> bool {
        self.slots.iter().any(|slot| slot.refusal().is_some())
    }

    fn conclude(&mut self, now: Timestamp) {
        let refusal = self
            .slots
            .iter()
            .find_map(|slot| Some((slot.entry.check.kind(), slot.refusal()?)));
        if let Some((check, reason)) = refusal {
            return self.refuse(now, Some(check), reason);
        }
        if self.slots.iter().any(|slot| slot.settled_at.is_none()) {
            return;
        }
        let mut required = self
            .slots
            .iter()
            .filter(|slot| slot.entry.required)
            .peekable();
        let passed = required.peek().is_some()
            && required.all(|slot| slot.finding.progress == Progress::Passed);
        let strong = self
            .score()
            .is_none_or(|score| score >= self.rules.least_score);
        match (passed, strong) {
            (true, true) => {
                self.refusals_in_a_row = 0;
                self.stage = Stage::Live { since: now };
            }
            (true, false) => self.refuse(now, None, Reason::ScoreTooLow),
            (false, _) => self.refuse(now, None, Reason::NotDone),
        }
    }

    /// The weighted mean of the scores; none when no check gave one.
    pub fn score(&self) -> Option<f32> {
        let (mut sum, mut weights) = (0.0, 0.0);
        for slot in &self.slots {
            if let Some(score) = slot.finding.score {
                // A score that is no number is the worst there is.
                let score = if score.is_nan() { 0.0 } else { score };
                sum += slot.entry.weight * score.clamp(0.0, 1.0);
                weights += slot.entry.weight;
            }
        }
        (weights > 0.0).then(|| sum / weights)
    }

    fn refuse(&mut self, now: Timestamp, check: Option<CheckKind>, reason: Reason) {
        let forgiven = self
            .last_refusal
            .is_none_or(|last| millis_since(now, last) > FORGIVEN_AFTER_MS);
        if forgiven {
            self.refusals_in_a_row = 0;
        }
        let doublings = self.refusals_in_a_row.min(MOST_DOUBLINGS);
        self.refusals_in_a_row = self.refusals_in_a_row.saturating_add(1);
        self.last_refusal = Some(now);
        let hold_ms = self.rules.refused_ms.saturating_mul(1 << doublings);
        tracing::debug!(?check, ?reason, hold_ms, "liveness refused");
        let until = Timestamp::from_millis(now.millis().saturating_add(hold_ms));
        self.held = Some(Hold {
            check,
            reason,
            until,
        });
        self.stage = Stage::Refused;
    }

    fn prompt(&self) -> Prompt {
        self.slots
            .iter()
            .find(|slot| slot.began.is_some() && slot.settled_at.is_none())
            .map_or(Prompt::HoldStill, |slot| slot.finding.prompt)
    }
}

fn millis_since(now: Timestamp, earlier: Timestamp) -> u64 {
    u64::try_from(now.since(earlier).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
