//! How often attacks pass and people fail, by the terms of ISO/IEC 30107-3.
//!
//! A presentation is one recording that the guard has looked at from its first frame to its last. The first word other
//! than pending decides: [`Liveness::Live`] classifies it as bona fide, [`Liveness::Refused`] as an attack; if neither
//! is said by the end, it is a non-response. Of each attack species (one way of making and showing the instrument):
//!
//! - APCER: attacks classified as bona fide, over all presentations of the species. The worst species is what counts;
//!   a mean over species would hide it.
//! - APNRR: attacks without a response, over all. They are neither counted as errors nor left out of the denominator.
//! - BPCER, BPNRR: the same of people: classified as an attack, and without a response.
//!
//! Each with the exact binomial interval at 95 % (Clopper and Pearson). It takes presentations as independent, which
//! several recordings of one person or of one printed sheet are not: the true uncertainty is larger.
//!
//! The rule of 3: without any error among n presentations the true rate may still be 3/n. So a report has to be able to
//! show the rate it is asked for (10 % if nothing else is said: 30 presentations), for people and for every species, or
//! there is none.

pub mod collection;
pub mod report;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use shared::detector::Detection;
use shared::frame::Frame;
use shared::gallery::IdentityId;
use shared::interval::{RULE_OF_3, clopper_pearson};

use super::guard::Guard;
use super::{Liveness, Look, Reason};
use crate::clock::Timestamp;
use crate::presence::PresenceRules;
use crate::tracking::{SubjectRules, Tracker};

/// What the guard made of one presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Classified as bona fide.
    BonaFide,
    /// Classified as an attack.
    Attack,
    /// Neither by the end.
    NoResponse,
}

/// A presentation under way.
pub struct Presentation {
    guard: Guard,
    tracker: Tracker,
    outcome: Option<(Outcome, Option<Reason>)>,
}

impl Presentation {
    /// Before its first frame; the guard is one that has seen nothing yet.
    pub fn new(guard: Guard) -> Presentation {
        Presentation {
            guard,
            tracker: Tracker::new(PresenceRules::default(), SubjectRules::default()),
            outcome: None,
        }
    }

    /// Takes a frame and the face that is decided on in it; true once the outcome is known.
    ///
    /// A name counts as agreed on from the first frame: what is measured is the guard alone, not recognition.
    pub fn step(&mut self, at: Timestamp, frame: &Frame, face: Option<&Detection>) -> bool {
        let bounds = face.map(|face| face.bounds);
        self.tracker.step(at, bounds.as_slice());
        let track = self.tracker.subject().map_or(0, |track| track.id.number());
        let look = face.map(|detection| Look {
            frame,
            detection,
            aligned: None,
            at,
            track,
        });
        let name = Some(IdentityId::from_number(1));
        let liveness = self.guard.step(at, look.as_ref(), name);
        let outcome = match liveness {
            Liveness::Live => Some((Outcome::BonaFide, None)),
            Liveness::Refused => {
                let reason = self.guard.refusal().map(|hold| hold.reason);
                Some((Outcome::Attack, reason))
            }
            Liveness::Off | Liveness::Pending(_) => None,
        };
        self.outcome = self.outcome.or(outcome);
        self.outcome.is_some()
    }

    /// What became of it, and why if it was taken for an attack.
    pub fn outcome(&self) -> (Outcome, Option<Reason>) {
        self.outcome.unwrap_or((Outcome::NoResponse, None))
    }
}

/// Outcomes of the presentations of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<Outcome, u64>,
    reasons: BTreeMap<Reason, u64>,
}

impl Tally {
    /// Counts one presentation.
    pub fn add(&mut self, (outcome, reason): (Outcome, Option<Reason>)) {
        *self.counts.entry(outcome).or_default() += 1;
        if let Some(reason) = reason {
            *self.reasons.entry(reason).or_default() += 1;
        }
    }

    /// How many presentations.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Why those taken for attacks were, and how often.
    pub fn reasons(&self) -> &BTreeMap<Reason, u64> {
        &self.reasons
    }

    /// How often an outcome came out, as a rate; none without presentations.
    pub fn rate(&self, outcome: Outcome) -> Option<Rate> {
        Rate::of(
            self.counts.get(&outcome).copied().unwrap_or(0),
            self.total(),
        )
    }
}

/// A share with its interval at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Their ratio, 0 to 1.
    pub rate: f64,
    /// Clopper and Pearson's bounds at 95 %.
    pub interval: [f64; 2],
}

impl Rate {
    fn of(count: u64, of: u64) -> Option<Rate> {
        Some(Rate {
            count,
            of,
            rate: count as f64 / of as f64,
            interval: clopper_pearson(count, of)?,
        })
    }
}

/// Fewest presentations from which a rate can be shown: by the rule of 3, the upper bound without any error.
pub fn least_presentations(rate: f64) -> u64 {
    (RULE_OF_3 as f64 / rate).ceil() as u64
}

#[cfg(test)]
mod tests;
