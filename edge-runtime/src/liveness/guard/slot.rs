//! One check in the guard: begun, looked, settled, tried again.

use super::super::{Finding, Look, Progress, Prompt, Reason};
use super::{Entry, millis_since};
use crate::clock::Timestamp;

/// A check and what it has found about the face that is there.
pub(super) struct Slot {
    pub(super) entry: Entry,
    pub(super) began: Option<Timestamp>,
    tries: u32,
    pub(super) finding: Finding,
    pub(super) settled_at: Option<Timestamp>,
}

impl Slot {
    pub(super) fn new(entry: Entry) -> Slot {
        Slot {
            entry,
            began: None,
            tries: 0,
            finding: Finding::waiting(Prompt::HoldStill),
            settled_at: None,
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.entry.check.kind().is_active()
    }

    pub(super) fn forget(&mut self) {
        self.began = None;
        self.tries = 0;
        self.finding = Finding::waiting(Prompt::HoldStill);
        self.settled_at = None;
    }

    /// Begins the check if it has not begun, lets it look, and settles it or tries again.
    pub(super) fn look(&mut self, now: Timestamp, look: &Look<'_>, most_tries: u32) {
        if self.settled_at.is_some() {
            return;
        }
        let began = match self.began {
            Some(began) => began,
            None => {
                self.entry.check.begin(now);
                self.tries += 1;
                now
            }
        };
        self.began = Some(began);
        self.finding = self.entry.check.look(now, look);
        let late = millis_since(now, began) > self.entry.limit_ms;
        if self.finding.progress == Progress::Waiting && late {
            self.finding = Finding::settled(Progress::Inconclusive(Reason::TimedOut));
        }
        match self.finding.progress {
            Progress::Waiting => {}
            Progress::Inconclusive(_) if self.tries < most_tries => self.began = None,
            Progress::Passed | Progress::Inconclusive(_) | Progress::Failed(_) => {
                self.settled_at = Some(now);
            }
        }
    }

    /// Why this check alone refuses, if it does.
    pub(super) fn refusal(&self) -> Option<Reason> {
        match self.finding.progress {
            Progress::Failed(reason) => Some(reason),
            Progress::Inconclusive(reason) if self.entry.required && self.settled_at.is_some() => {
                Some(reason)
            }
            _ => None,
        }
    }
}
