//! The kiosk's state machine: what is known of each face in, the state and events about one of them out; no clock, no
//! picture and no screen inside.
//!
//! ```text
//!                    a face                 3 of 5 agree, live: `Greeted`
//!        ┌──────┐ ───────────► ┌─────────┐ ─────────────────────────────► ┌──────────┐
//!   ────►│ Idle │              │ Looking │ ◄───────────────────────────── │ Greeting │◄──┐
//!        └──────┘ ◄─────────── └─────────┘   votes against it weigh 2.4,  └──────────┘   │
//!          ▲  ▲     face gone   │ │ ▲ │ ▲    or another face             live and seen │ │ asked again
//!          │  │         5 unsure│ │ │ │ │                              to be the same  │ ▼
//!          │  │          ┌──────▼┐│ │ │ └──── as from Greeting ──── ┌──────────┐ ──────┘
//!          │  │          │NotSure││ │ └──── 3 of 5 agree, not yet ─►│ Checking │
//!          │  │          └───────┘│ │       known to be live        └──────────┘
//!          │  │       5 misses, or│ │ another face                       │
//!          │  │       15 votes:   │ │                                    │ not live: `NotLive`
//!          │  │       `Unknown`   ▼ │                                    │
//!          │  │                 ┌─────────┐ ◄────────────────────────────┘
//!          │  └──────────────── │ Unknown │
//!          │   face gone,       └─────────┘  3 of 5 agree: Greeting or Checking
//!          │   3 s shown
//!          └── face gone, 4 s shown ──── Greeting
//! ```
//!
//! NotSure goes wherever Looking goes. Evidence belongs to a track, one face's presence ([`crate::tracking`]), and dies
//! with it: a name never passes to another face. The state is the subject's; who waits behind is voted on too and is
//! greeted the sooner. Inside one presence each identity is greeted once, `Unknown` and `NotLive` are reported once, so
//! nothing flaps; `Left` ends a presence of which anything was reported.
//!
//! A greeting stays while its face stays; it falls as soon as the face is replaced, and after votes in a row that do not
//! speak for it ([`crate::consensus`]). Whenever nobody looked for a while it takes one more vote for the name before
//! it is shown: when a face comes back, when it becomes its turn, and after a check of liveness, as who passed the
//! check must be who was recognized.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::distance::SquaredL2;
use shared::gallery::IdentityId;
use shared::operating_point::Threshold;

use crate::clock::Timestamp;
use crate::consensus::{Consensus, ConsensusRules, Verdict, Vote};
use crate::decision::Outcome;
use crate::liveness::{Liveness, Prompt};
use crate::presence::PresenceRules;
use crate::tracking::TrackId;

/// What a frame showed of the subject, the person whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nobody is there.
    Nobody,
    /// The subject's face is not seen, but its owner is not gone yet.
    Lost,
    /// The subject's face.
    Face {
        /// Whose.
        track: TrackId,
        /// What is wrong with it; none when it is good enough to be compared.
        hint: Option<Hint>,
    },
}

/// What the person in front of the kiosk can do to be recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Nothing but hold still.
    HoldStill,
    /// The face is too small.
    ComeCloser,
    /// The face is so large that it leaves the picture.
    StepBack,
    /// Part of the face is outside the picture.
    MoveToCenter,
    /// The face is turned away.
    LookHere,
    /// The face is too dark.
    MoreLight,
    /// The face is too bright, or the light is behind it.
    LessLight,
    /// Something covers part of the face.
    UncoverFace,
    /// Somebody else is as close: one person at a time.
    OnePerson,
}

/// What the kiosk is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Nobody is there.
    Idle,
    /// Somebody is there, and it is not yet decided who.
    Looking {
        /// What would help.
        hint: Hint,
    },
    /// Somebody is there, and the comparisons decide nothing.
    NotSure {
        /// What would help.
        hint: Hint,
    },
    /// Somebody known is there, if a living person: that is being checked. No name is shown.
    Checking {
        /// What the person is to do.
        prompt: Prompt,
    },
    /// Somebody known is there.
    Greeting {
        /// Who.
        identity: IdentityId,
        /// Since when.
        since: Timestamp,
    },
    /// Somebody is there who is not in the gallery, or not a living person.
    Unknown {
        /// Since when.
        since: Timestamp,
    },
}

/// Something that happened once, for the record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A person was recognized.
    Greeted {
        /// Who.
        identity: IdentityId,
        /// Distance of the latest matching probe to the nearest template of that identity.
        distance: SquaredL2,
        /// The most that was a match.
        threshold: Threshold,
        /// One stranger in so many is taken for somebody in this gallery; none where that was not measured.
        one_in: Option<f64>,
    },
    /// A person was not recognized.
    Unknown {
        /// Distance of the latest probe to the nearest template of anybody, absent in an empty gallery.
        nearest: Option<SquaredL2>,
        /// The most that would have been a match.
        threshold: Threshold,
        /// One stranger in so many is taken for somebody in this gallery; none where that was not measured.
        one_in: Option<f64>,
    },
    /// A face was recognized that is not a living person's; whose is not told.
    NotLive,
    /// Somebody of whom something was reported is gone.
    Left,
}

/// Times and counts of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// How much agreement a name needs.
    pub consensus: ConsensusRules,
    /// What makes faces in several frames one presence.
    pub presence: PresenceRules,
    /// Milliseconds a greeting is shown at least when its owner has gone and nobody else has come, and before a face
    /// that cannot be compared counts against it.
    pub greeting_ms: u64,
    /// Milliseconds an unknown person is answered at least when gone.
    pub unknown_ms: u64,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            consensus: ConsensusRules::default(),
            presence: PresenceRules::default(),
            greeting_ms: 4000,
            unknown_ms: 3000,
        }
    }
}

impl SessionRules {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, found) in [
            ("greeting_ms", self.greeting_ms),
            ("unknown_ms", self.unknown_ms),
        ] {
            if found > 60_000 {
                return Err(format!(
                    "session.{name} = {found}, which is not from 0 to 60000"
                ));
            }
        }
        self.consensus.check()?;
        self.presence.check()
    }
}

/// What is known of one face.
#[derive(Debug)]
struct Evidence {
    track: TrackId,
    consensus: Consensus<IdentityId>,
    /// The latest match.
    matched: Option<(IdentityId, SquaredL2)>,
    /// How far the closest person was from the latest probe.
    nearest: Option<SquaredL2>,
    greeted: Vec<IdentityId>,
    unknown_reported: bool,
    refusal_reported: bool,
    /// Since when it is known to be a living person's.
    live_since: Option<Timestamp>,
    /// Only a name that a vote has spoken for since then is believed.
    trusted_from: Timestamp,
}

impl Evidence {
    /// Whether this name, which was agreed on, may be shown: seen again since nobody looked, and, the first time, agreed
    /// on by the present votes.
    fn supports(&self, identity: IdentityId) -> bool {
        let seen_again = self.consensus.confirmed() >= Some(self.trusted_from);
        let agreed = self.consensus.agreed() == Some(identity);
        seen_again && (agreed || self.greeted.contains(&identity))
    }

    fn was_reported(&self) -> bool {
        !self.greeted.is_empty() || self.unknown_reported || self.refusal_reported
    }
}

/// One kiosk's view of who stands in front of it.
#[derive(Debug)]
pub struct Session {
    rules: SessionRules,
    state: State,
    evidence: Vec<Evidence>,
    subject: Option<TrackId>,
    /// Whether the subject was not seen in the step before.
    lost: bool,
    threshold: Threshold,
    one_in: Option<f64>,
}

impl Session {
    /// A session in `Idle` whose matches are decided by `threshold`, which lets one stranger in `one_in` pass.
    pub fn new(rules: SessionRules, threshold: Threshold, one_in: Option<f64>) -> Self {
        Self {
            rules,
            state: State::Idle,
            evidence: Vec::new(),
            subject: None,
            lost: false,
            threshold,
            one_in,
        }
    }

    /// Matches are decided by another threshold from now on, or in another gallery: all evidence is forgotten.
    pub fn decide_by(&mut self, threshold: Threshold, one_in: Option<f64>) {
        (self.threshold, self.one_in) = (threshold, one_in);
        for evidence in &mut self.evidence {
            evidence.consensus.clear();
        }
    }

    /// The state after the last step.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How far the decision about the subject has come, 0 to 1.
    pub fn progress(&self) -> f32 {
        let subject = self.subject.and_then(|track| self.of(track));
        subject.map_or(0.0, |evidence| evidence.consensus.progress())
    }

    /// Takes what a comparison of this face said; `weight`, 0 to 1, is how good the face was.
    pub fn hear(&mut self, now: Timestamp, track: TrackId, outcome: &Outcome, weight: f32) {
        let evidence = self.entry(track);
        let vote = match outcome {
            Outcome::Match { identity, distance } => {
                evidence.matched = Some((*identity, *distance));
                Vote::For(*identity)
            }
            Outcome::NoMatch { .. } => Vote::Nobody,
            Outcome::NotSure { .. } => Vote::Unsure,
        };
        evidence.nearest = outcome.nearest();
        evidence.consensus.vote(now, vote, weight);
    }

    /// What the comparisons of this face amount to.
    pub fn verdict(&self, track: TrackId) -> Verdict<IdentityId> {
        self.of(track)
            .map_or(Verdict::Undecided, |evidence| evidence.consensus.verdict())
    }

    /// Whether the next comparison of this face matters now, rather than in a while.
    pub fn is_open(&self, track: TrackId) -> bool {
        let checking = matches!(self.state, State::Checking { .. }) && self.subject == Some(track);
        checking
            || match self.of(track) {
                None => true,
                Some(evidence) => match evidence.consensus.verdict() {
                    Verdict::Undecided | Verdict::NotSure => true,
                    Verdict::Agreed(identity) => {
                        evidence.consensus.in_doubt() || !evidence.supports(identity)
                    }
                    Verdict::Unknown => evidence.consensus.is_leaning(),
                },
            }
    }

    /// Forgets whoever is not among these tracks; says who has left.
    pub fn keep(&mut self, is_there: impl Fn(TrackId) -> bool) -> Vec<Event> {
        let (kept, gone): (Vec<_>, Vec<_>) = self
            .evidence
            .drain(..)
            .partition(|evidence| is_there(evidence.track));
        self.evidence = kept;
        let reported = gone.iter().filter(|evidence| evidence.was_reported());
        reported.map(|_| Event::Left).collect()
    }

    /// Takes what the frame of `now` showed of the subject and what is known of its liveness; `now` never runs
    /// backwards.
    pub fn step(&mut self, now: Timestamp, seen: Seen, liveness: Liveness) -> Vec<Event> {
        match seen {
            Seen::Lost => {
                self.lost = true;
                Vec::new()
            }
            Seen::Nobody => {
                self.subject = None;
                if self.shown_long_enough(now) {
                    self.state = State::Idle;
                }
                Vec::new()
            }
            Seen::Face { track, hint } => {
                self.turn_to(now, track);
                if hint.is_some() && self.is_greeting() && self.shown_long_enough(now) {
                    // Who was just greeted may step back; but no name stays over a face nobody can decide on.
                    self.entry(track).consensus.doubt(1.0);
                }
                self.judge(now, track, hint, liveness)
            }
        }
    }

    /// The state that a face's evidence and liveness ask for.
    fn judge(
        &mut self,
        now: Timestamp,
        track: TrackId,
        hint: Option<Hint>,
        liveness: Liveness,
    ) -> Vec<Event> {
        let is_checking = matches!(self.state, State::Checking { .. });
        let evidence = self.entry(track);
        evidence.live_since = match (liveness, evidence.live_since) {
            (Liveness::Live, None) => Some(now),
            (Liveness::Live, since) => since,
            _ => None,
        };
        let verdict = evidence.consensus.verdict();
        if let Liveness::Pending(prompt) = liveness
            && is_checking
            && matches!(verdict, Verdict::Undecided | Verdict::NotSure)
        {
            // Who turns the head as asked cannot be compared meanwhile: what is asked stays, and no name is shown.
            self.state = State::Checking { prompt };
            return Vec::new();
        }
        let identity = match verdict {
            Verdict::Agreed(identity) => identity,
            Verdict::Unknown => return self.give_up(now, track),
            Verdict::NotSure => {
                let hint = hint.unwrap_or(Hint::ComeCloser);
                self.state = State::NotSure { hint };
                return Vec::new();
            }
            Verdict::Undecided => {
                let hint = hint.unwrap_or(Hint::HoldStill);
                self.state = State::Looking { hint };
                return Vec::new();
            }
        };
        let supported = evidence.supports(identity);
        // The vote that speaks for the name must not be older than the check that was passed.
        let same = evidence.consensus.confirmed() >= evidence.live_since;
        match liveness {
            Liveness::Off if supported => return self.greet(now, track, identity),
            Liveness::Live if supported && same => return self.greet(now, track, identity),
            Liveness::Refused => return self.refuse(now, track),
            Liveness::Off => {
                let hint = hint.unwrap_or(Hint::HoldStill);
                self.state = State::Looking { hint };
            }
            Liveness::Live => {
                let prompt = Prompt::HoldStill;
                self.state = State::Checking { prompt };
            }
            Liveness::Pending(prompt) => self.state = State::Checking { prompt },
        }
        Vec::new()
    }

    fn greet(&mut self, now: Timestamp, track: TrackId, identity: IdentityId) -> Vec<Event> {
        let shown =
            matches!(&self.state, State::Greeting { identity: shown, .. } if *shown == identity);
        if !shown {
            self.state = State::Greeting {
                identity,
                since: now,
            };
        }
        let (threshold, one_in) = (self.threshold, self.one_in);
        let evidence = self.entry(track);
        let matched = evidence.matched.filter(|(matched, _)| *matched == identity);
        match matched {
            Some((_, distance)) if !evidence.greeted.contains(&identity) => {
                evidence.greeted.push(identity);
                vec![Event::Greeted {
                    identity,
                    distance,
                    threshold,
                    one_in,
                }]
            }
            _ => Vec::new(),
        }
    }

    fn give_up(&mut self, now: Timestamp, track: TrackId) -> Vec<Event> {
        self.answer_unknown(now);
        let evidence = self.entry(track);
        if std::mem::replace(&mut evidence.unknown_reported, true) {
            return Vec::new();
        }
        let nearest = evidence.nearest;
        vec![Event::Unknown {
            nearest,
            threshold: self.threshold,
            one_in: self.one_in,
        }]
    }

    fn refuse(&mut self, now: Timestamp, track: TrackId) -> Vec<Event> {
        self.answer_unknown(now);
        let evidence = self.entry(track);
        if std::mem::replace(&mut evidence.refusal_reported, true) {
            return Vec::new();
        }
        vec![Event::NotLive]
    }

    fn answer_unknown(&mut self, now: Timestamp) {
        if !matches!(self.state, State::Unknown { .. }) {
            self.state = State::Unknown { since: now };
        }
    }

    /// It is this face's turn: what was agreed on while nobody looked must be seen again.
    fn turn_to(&mut self, now: Timestamp, track: TrackId) {
        let found_again = std::mem::take(&mut self.lost);
        let turned = self.subject != Some(track);
        if !turned && !found_again {
            return;
        }
        self.entry(track).trusted_from = now;
        if !turned {
            return;
        }
        self.subject = Some(track);
        self.state = State::Looking {
            hint: Hint::HoldStill,
        };
    }

    fn is_greeting(&self) -> bool {
        matches!(self.state, State::Greeting { .. })
    }

    fn of(&self, track: TrackId) -> Option<&Evidence> {
        self.evidence
            .iter()
            .find(|evidence| evidence.track == track)
    }

    fn entry(&mut self, track: TrackId) -> &mut Evidence {
        let place = match self.evidence.iter().position(|known| known.track == track) {
            Some(place) => place,
            None => {
                self.evidence.push(Evidence {
                    track,
                    consensus: Consensus::new(self.rules.consensus),
                    matched: None,
                    nearest: None,
                    greeted: Vec::new(),
                    unknown_reported: false,
                    refusal_reported: false,
                    live_since: None,
                    trusted_from: Timestamp::default(),
                });
                self.evidence.len() - 1
            }
        };
        &mut self.evidence[place]
    }

    fn shown_long_enough(&self, now: Timestamp) -> bool {
        let (since, least_ms) = match &self.state {
            State::Greeting { since, .. } => (*since, self.rules.greeting_ms),
            State::Unknown { since } => (*since, self.rules.unknown_ms),
            _ => return true,
        };
        now.since(since) >= Duration::from_millis(least_ms)
    }
}

#[cfg(test)]
mod tests;
