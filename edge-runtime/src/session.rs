//! The kiosk's state machine: sightings in, states and events out, no clock and no screen inside.
//!
//! ```text
//!                        a face                      3 of 5 agree: `Greeted`
//!            ┌──────┐ ───────────► ┌─────────┐ ───────────────────────► ┌──────────┐
//!      ─────►│ Idle │              │ Looking │ ◄─────────────────────── │ Greeting │
//!            └──────┘ ◄─────────── └─────────┘   3 doubts in a row, or  └──────────┘
//!             ▲    ▲   face gone     │     ▲     another person            │    ▲
//!             │    │                 │     │                               │    │ 3 of 5 agree
//!             │    │        5 misses:│     │ another person                │    │
//!             │    │        `Unknown`▼     │                               │    │
//!             │    │               ┌─────────┐ ◄───── 5 misses ────────────┘    │
//!             │    └────────────── │ Unknown │ ─────────────────────────────────┘
//!             │      face gone,    └─────────┘
//!             │      3 s shown
//!             └──────────────────── face gone, 4 s shown ──── Greeting
//! ```
//!
//! A person's presence begins with a face that does not continue the one before and ends when no face was
//! seen for a second. All evidence dies with it. Inside one presence each identity is greeted once, and
//! `Unknown` is reported once, so nothing flaps. A greeting stays while its face stays; it falls as soon as the
//! face is replaced, and after three frames in a row that do not speak for it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::distance::SquaredL2;
use shared::gallery::{Decision, IdentityId};
use shared::geometry::Rect;

use crate::clock::Timestamp;
use crate::consensus::{Consensus, ConsensusRules, Verdict};
use crate::presence::{Continuity, Presence, PresenceRules};

/// What one frame showed of the nearest person, the owner of its largest face.
#[derive(Clone, Debug, PartialEq)]
pub enum Sighting {
    /// No face.
    Nobody,
    /// A face that cannot be decided on: too few pixels, or no usable features.
    Unusable {
        /// Where, in frame pixels.
        bounds: Rect,
        /// What would help.
        hint: Hint,
    },
    /// A face that was compared with the gallery.
    Face {
        /// Where, in frame pixels.
        bounds: Rect,
        /// What the gallery said.
        decision: Decision,
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
    /// Somebody known is there.
    Greeting {
        /// Who.
        identity: IdentityId,
        /// Since when.
        since: Timestamp,
    },
    /// Somebody is there who is not in the gallery.
    Unknown {
        /// Since when.
        since: Timestamp,
    },
}

/// Something that happened once, for the record.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A person was recognized.
    Greeted {
        /// Who.
        identity: IdentityId,
        /// Distance of the last frame's probe to the nearest template of that identity.
        distance: SquaredL2,
    },
    /// A person was not recognized.
    Unknown {
        /// Distance of the last frame's probe to the nearest template of anybody, absent in an empty gallery.
        nearest: Option<SquaredL2>,
    },
}

/// Times and counts of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// How much agreement a name needs.
    pub consensus: ConsensusRules,
    /// What makes faces in several frames one presence.
    pub presence: PresenceRules,
    /// Frames in a row that do not speak for a greeting and end it.
    pub doubting_frames: usize,
    /// Milliseconds a greeting is shown at least when its owner has gone and nobody else has come.
    pub greeting_ms: u64,
    /// The same for an unknown person.
    pub unknown_ms: u64,
}

impl Default for SessionRules {
    fn default() -> Self {
        Self {
            consensus: ConsensusRules::default(),
            presence: PresenceRules::default(),
            doubting_frames: 3,
            greeting_ms: 4000,
            unknown_ms: 3000,
        }
    }
}

/// One kiosk's view of who stands in front of it.
#[derive(Debug)]
pub struct Session {
    rules: SessionRules,
    state: State,
    presence: Presence,
    consensus: Consensus<IdentityId>,
    doubts: usize,
    greeted: Vec<IdentityId>,
    unknown_reported: bool,
    continuity: Continuity,
}

impl Session {
    /// A session in `Idle`.
    pub fn new(rules: SessionRules) -> Self {
        Self {
            rules,
            state: State::Idle,
            presence: Presence::new(rules.presence),
            consensus: Consensus::new(rules.consensus),
            doubts: 0,
            greeted: Vec::new(),
            unknown_reported: false,
            continuity: Continuity::Absent,
        }
    }

    /// How the last step's face continued the one before.
    pub fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// The state after the last step.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How far the decision has come while `Looking`, 0 to 1.
    pub fn progress(&self) -> f32 {
        self.consensus.progress()
    }

    /// Takes what the frame of `now` showed; `now` never runs backwards.
    pub fn step(&mut self, now: Timestamp, sighting: &Sighting) -> Vec<Event> {
        let face = match sighting {
            Sighting::Nobody => None,
            Sighting::Unusable { bounds, .. } | Sighting::Face { bounds, .. } => Some(*bounds),
        };
        self.continuity = self.presence.observe(now, face);
        match self.continuity {
            Continuity::Paused => return Vec::new(),
            Continuity::Absent => {
                self.forget();
                if !self.shown_long_enough(now) {
                    return Vec::new();
                }
                self.state = State::Idle;
            }
            Continuity::New => {
                self.forget();
                self.state = State::Looking {
                    hint: Hint::HoldStill,
                };
            }
            Continuity::Same => {}
        }
        match sighting {
            Sighting::Nobody => Vec::new(),
            Sighting::Unusable { hint: wanted, .. } => {
                // Who was just greeted may step back; but no name stays over a face nobody can decide on.
                if self.shown_long_enough(now) {
                    self.doubt(false);
                }
                if let State::Looking { hint } = &mut self.state {
                    *hint = *wanted;
                }
                Vec::new()
            }
            Sighting::Face { decision, .. } => self.judge(now, decision),
        }
    }

    fn judge(&mut self, now: Timestamp, decision: &Decision) -> Vec<Event> {
        let (named, nearest) = match decision {
            Decision::Match { identity, distance } => (Some(identity), Some(*distance)),
            Decision::NoMatch { nearest } => (None, *nearest),
        };
        let verdict = self.consensus.vote(now, named.copied());
        let confirmed =
            matches!(&self.state, State::Greeting { identity, .. } if named == Some(identity));
        match (verdict, nearest) {
            // Agreement needs the latest vote to be a name too, so that a greeting's distance is a match's.
            (Verdict::Agreed(identity), Some(distance)) if named == Some(&identity) => {
                self.greet(now, identity, distance)
            }
            (Verdict::Unknown, nearest) => self.give_up(now, nearest),
            _ => {
                self.doubt(confirmed);
                if let State::Looking { hint } = &mut self.state {
                    *hint = Hint::HoldStill;
                }
                Vec::new()
            }
        }
    }

    /// Counts a frame that does not speak for the name on the screen; too many in a row take it down.
    fn doubt(&mut self, confirmed: bool) {
        if !matches!(self.state, State::Greeting { .. }) {
            return;
        }
        self.doubts = if confirmed { 0 } else { self.doubts + 1 };
        if self.doubts >= self.rules.doubting_frames {
            self.consensus.clear();
            self.state = State::Looking {
                hint: Hint::HoldStill,
            };
        }
    }

    fn greet(&mut self, now: Timestamp, identity: IdentityId, distance: SquaredL2) -> Vec<Event> {
        self.doubts = 0;
        if matches!(&self.state, State::Greeting { identity: greeted, .. } if *greeted == identity)
        {
            return Vec::new();
        }
        self.state = State::Greeting {
            identity,
            since: now,
        };
        if self.greeted.contains(&identity) {
            return Vec::new();
        }
        self.greeted.push(identity);
        vec![Event::Greeted { identity, distance }]
    }

    fn give_up(&mut self, now: Timestamp, nearest: Option<SquaredL2>) -> Vec<Event> {
        if !matches!(self.state, State::Unknown { .. }) {
            self.state = State::Unknown { since: now };
        }
        if self.unknown_reported {
            return Vec::new();
        }
        self.unknown_reported = true;
        vec![Event::Unknown { nearest }]
    }

    fn forget(&mut self) {
        self.consensus.clear();
        self.doubts = 0;
        self.greeted.clear();
        self.unknown_reported = false;
    }

    fn shown_long_enough(&self, now: Timestamp) -> bool {
        let (since, least_ms) = match &self.state {
            State::Idle | State::Looking { .. } => return true,
            State::Greeting { since, .. } => (*since, self.rules.greeting_ms),
            State::Unknown { since } => (*since, self.rules.unknown_ms),
        };
        now.since(since) >= Duration::from_millis(least_ms)
    }
}

#[cfg(test)]
mod tests;
