//! What is done with the faces of a frame: followed, judged, compared when it matters, voted on.
//!
//! ```text
//!   detections ─► Tracker ─► the subject's face ─► good enough? ─► compared ─► Session ─► state, events
//!                    │        undecided: each good face at once, of poorer ones the best of 200 ms
//!                    │        decided:   every 500 ms, at once when it returns or is in doubt
//!                    └─────► others' faces: in turn, every 500 ms, while the subject is decided
//! ```
//!
//! At most one face is compared in a frame, as that is what costs: an empty room costs none, a greeted person two a
//! second. In a frame an identity goes to one face at most, the closer one; the other one's vote becomes "not sure".
//! When a face's next probe is far from the one before, another face has taken its place: it becomes a new track, and
//! whatever was known of the old one is forgotten. The latest probe of each face is kept for that, in memory, while the
//! face is there, and nowhere else.
//!
//! Whatever looks at pixels is behind [`Senses`], so that tests do without networks.

use std::time::Duration;

use shared::align::AlignedFace;
use shared::detector::Detection;
use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::frame::Frame;
use shared::gallery::IdentityId;
use shared::geometry::Rect;
use shared::quality::{Appearance, HeadPose, Placement};

use crate::clock::Timestamp;
use crate::consensus::Verdict;
use crate::decision::{Outcome, Unsure};
use crate::liveness::Liveness;
use crate::presence::Continuity;
use crate::recognition::{RecognitionRules, hint_for};
use crate::session::{Event, Hint, Seen, Session};
use crate::tracking::{Track, TrackId, Tracker};

/// How long a match of one face keeps another face in the same frames from being that person.
const CLAIM: Duration = Duration::from_millis(2000);

/// The subject's face, for a check of liveness.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// When it was taken.
    pub at: Timestamp,
    /// Whose face: another number is another face, of which nothing is known yet.
    pub track: TrackId,
    /// The face, in frame pixels.
    pub detection: &'a Detection,
    /// The aligned face, when it was cut for a comparison.
    pub aligned: Option<&'a AlignedFace>,
    /// How the head is turned; none when the landmarks are not those of a face.
    pub pose: Option<HeadPose>,
    /// The name that was agreed on, so that a challenge is worth while; whoever checks keeps it to itself.
    pub named: Option<IdentityId>,
}

/// What looks at pixels.
pub trait Senses {
    /// Why a network fails.
    type Error;

    /// Cuts a face from the frame; none when its landmarks are of no use.
    fn align(&mut self, face: &Detection) -> Result<Option<AlignedFace>, Self::Error>;

    /// Measures an aligned face.
    fn appearance(&mut self, face: &AlignedFace) -> Appearance {
        Appearance::of(face)
    }

    /// Compares an aligned face of this weight with the gallery; none when the network makes nothing of it.
    fn compare(
        &mut self,
        face: &AlignedFace,
        weight: f32,
    ) -> Result<Option<(Embedding, Outcome)>, Self::Error>;

    /// What is known of the face's liveness; called once for each frame that shows the subject.
    fn liveness(&mut self, look: &Look<'_>) -> Liveness;
}

/// What a frame led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Noticed {
    /// What happened.
    pub events: Vec<Event>,
    /// The subject's face, in frame pixels; none when it is not seen.
    pub face: Option<Rect>,
    /// How it continues the frame before.
    pub continuity: Continuity,
    /// Whether a face was compared.
    pub compared: bool,
}

/// A face good enough to be compared, waiting for a better one.
struct Candidate {
    /// When the first one of this window was seen.
    since: Timestamp,
    taken: Timestamp,
    face: AlignedFace,
    weight: f32,
}

/// What is remembered of one face between frames.
struct Memory {
    track: TrackId,
    waiting: Option<Candidate>,
    /// When it was last compared, or found unfit for it.
    tried: Option<Timestamp>,
    probe: Option<Embedding>,
    claim: Option<(Timestamp, IdentityId, SquaredL2)>,
    /// Whether another face had the name that the latest comparison would have given it.
    denied: bool,
}

/// The subject's face as this frame shows it.
struct Glance {
    hint: Option<Hint>,
    aligned: Option<(AlignedFace, f32)>,
}

/// Follows, judges and compares faces, and keeps the session.
pub struct Attention {
    rules: RecognitionRules,
    tracker: Tracker,
    session: Session,
    memories: Vec<Memory>,
}

impl Attention {
    /// Nobody seen yet.
    pub fn new(rules: RecognitionRules, tracker: Tracker, session: Session) -> Self {
        Self {
            rules,
            tracker,
            session,
            memories: Vec::new(),
        }
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The session, to change what decides.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// All faces that are followed.
    pub fn tracks(&self) -> &[Track] {
        self.tracker.tracks()
    }

    /// Lets time pass without a frame: nobody is seen, evidence ages, greetings end.
    pub fn idle(&mut self, now: Timestamp) -> Noticed {
        self.tracker.step(now, &[]);
        self.without_subject(now)
    }

    /// Takes a frame and the faces in it; `now` never runs backwards.
    ///
    /// # Errors
    /// What `senses` fail with.
    pub fn look<S: Senses>(
        &mut self,
        now: Timestamp,
        frame: &Frame,
        faces: &[Detection],
        senses: &mut S,
    ) -> Result<Noticed, S::Error> {
        let boxes: Vec<Rect> = faces.iter().map(|face| face.bounds).collect();
        self.tracker.step(now, &boxes);
        let Some((subject, face)) = self.visible_subject() else {
            return Ok(self.without_subject(now));
        };
        let mut events = self.forget_the_gone();
        let face = &faces[face];
        let size = (frame.width_px(), frame.height_px());
        let glance = self.glance(now, &subject, face, size, senses)?;
        // Whose name somebody else has is helped by looking whether that one still has it.
        let others_first = self.memory(subject.id).denied;
        let mut compared = others_first
            && self.compare_another(now, subject.id, faces, size, senses, &mut events)?;
        if !compared {
            let chosen = self.choose(now, subject.id, &glance);
            compared = match chosen {
                Some((face, weight)) => {
                    self.compare(now, subject.id, &face, weight, senses, &mut events)?
                }
                None if self.session.is_open(subject.id) => false,
                None => self.compare_another(now, subject.id, faces, size, senses, &mut events)?,
            };
        }
        // The comparison may have shown that it is somebody else's.
        let track = self.tracker.subject().map_or(subject.id, |track| track.id);
        let placement = Placement::of(face, size);
        let liveness = senses.liveness(&Look {
            frame,
            at: now,
            track,
            detection: face,
            aligned: glance.aligned.as_ref().map(|(face, _)| face),
            pose: placement.head.map(|head| head.pose),
            named: match self.session.verdict(track) {
                Verdict::Agreed(identity) => Some(identity),
                Verdict::Undecided | Verdict::NotSure | Verdict::Unknown => None,
            },
        });
        let hint = glance.hint;
        let seen = Seen::Face { track, hint };
        events.extend(self.session.step(now, seen, liveness));
        Ok(Noticed {
            events,
            face: Some(face.bounds),
            continuity: self.tracker.continuity(),
            compared,
        })
    }

    /// The subject's track and which of this frame's faces it is.
    fn visible_subject(&self) -> Option<(Track, usize)> {
        let subject = self.tracker.subject()?;
        Some((*subject, subject.face?))
    }

    fn without_subject(&mut self, now: Timestamp) -> Noticed {
        let mut events = self.forget_the_gone();
        let seen = match self.tracker.subject() {
            Some(_) => Seen::Lost,
            None => Seen::Nobody,
        };
        events.extend(self.session.step(now, seen, Liveness::Off));
        Noticed {
            events,
            face: None,
            continuity: self.tracker.continuity(),
            compared: false,
        }
    }

    fn forget_the_gone(&mut self) -> Vec<Event> {
        let tracker = &self.tracker;
        self.memories
            .retain(|memory| tracker.track(memory.track).is_some());
        self.session.keep(|track| tracker.track(track).is_some())
    }

    /// How fit the subject's face is; aligned only when a comparison may follow.
    fn glance<S: Senses>(
        &mut self,
        now: Timestamp,
        subject: &Track,
        face: &Detection,
        size: (u32, u32),
        senses: &mut S,
    ) -> Result<Glance, S::Error> {
        let placement = Placement::of(face, size);
        let misplaced = self.rules.quality.misplaced(&placement);
        if !misplaced.is_empty() {
            return Ok(Glance {
                hint: hint_for(&misplaced),
                aligned: None,
            });
        }
        // Whoever comes back, or whose turn it becomes, may be somebody else by now.
        let anew = subject.returned || self.tracker.continuity() == Continuity::New;
        let due = anew || self.session.is_open(subject.id) || self.is_due(now, subject.id);
        if !due {
            return Ok(Glance {
                hint: None,
                aligned: None,
            });
        }
        let Some(aligned) = senses.align(face)? else {
            return Ok(Glance {
                hint: Some(Hint::HoldStill),
                aligned: None,
            });
        };
        let appearance = senses.appearance(&aligned);
        let weight = self.rules.quality.weight(&placement, &appearance);
        Ok(Glance {
            hint: hint_for(&self.rules.quality.blemished(&appearance)),
            aligned: Some((aligned, weight)),
        })
    }

    /// The face of the subject that is compared now, if any: this one, or a better one of the frames before.
    fn choose(
        &mut self,
        now: Timestamp,
        subject: TrackId,
        glance: &Glance,
    ) -> Option<(AlignedFace, f32)> {
        let good = self.rules.good_weight;
        let millis = |millis| Duration::from_millis(millis);
        let (window, oldest) = (
            millis(self.rules.window_ms),
            millis(self.rules.oldest_frame_ms),
        );
        let open = self.session.is_open(subject);
        let returned = self.tracker.track(subject).is_some_and(|t| t.returned);
        let memory = self.memory(subject);
        if returned {
            memory.waiting = None;
        }
        // Where frames are this far apart, waiting for a better one would be waiting for ever.
        let expired = memory
            .waiting
            .take_if(|candidate| now.since(candidate.taken) > oldest);
        if let Some((face, weight)) = &glance.aligned
            && *weight > 0.0
        {
            if *weight >= good || !open || expired.is_some() {
                memory.waiting = None;
                return Some((face.clone(), *weight));
            }
            let before = memory.waiting.as_ref();
            let since = before.map_or(now, |candidate| candidate.since);
            if before.is_none_or(|candidate| *weight > candidate.weight) {
                memory.waiting = Some(Candidate {
                    since,
                    taken: now,
                    face: face.clone(),
                    weight: *weight,
                });
            }
        }
        let waited = memory
            .waiting
            .take_if(|candidate| now.since(candidate.since) >= window);
        waited.map(|candidate| (candidate.face, candidate.weight))
    }

    /// Compares the face of somebody who waits, if it is anybody's turn; says whether it did.
    fn compare_another<S: Senses>(
        &mut self,
        now: Timestamp,
        subject: TrackId,
        faces: &[Detection],
        size: (u32, u32),
        senses: &mut S,
        events: &mut Vec<Event>,
    ) -> Result<bool, S::Error> {
        let waiting = self.tracker.tracks().iter().filter_map(|track| {
            let face = &faces[track.face?];
            let placement = Placement::of(face, size);
            let fit = self.rules.quality.misplaced(&placement).is_empty();
            let next = track.id != subject && fit && self.is_due(now, track.id);
            next.then_some((self.tried(track.id), track.id, face, placement))
        });
        // Who was never tried comes first, then who waits longest; of those the oldest track.
        let next = waiting.min_by_key(|(tried, track, ..)| (*tried, *track));
        let Some((_, track, face, placement)) = next else {
            return Ok(false);
        };
        self.memory(track).tried = Some(now);
        let Some(aligned) = senses.align(face)? else {
            return Ok(false);
        };
        let appearance = senses.appearance(&aligned);
        let weight = self.rules.quality.weight(&placement, &appearance);
        if weight > 0.0 {
            self.compare(now, track, &aligned, weight, senses, events)
        } else {
            Ok(false)
        }
    }

    /// Compares a face and lets the session hear of it; says whether there was an answer.
    fn compare<S: Senses>(
        &mut self,
        now: Timestamp,
        track: TrackId,
        face: &AlignedFace,
        weight: f32,
        senses: &mut S,
        events: &mut Vec<Event>,
    ) -> Result<bool, S::Error> {
        self.memory(track).tried = Some(now);
        let Some((probe, outcome)) = senses.compare(face, weight)? else {
            return Ok(false);
        };
        let beyond = self.rules.replaced_beyond;
        let replaced = self
            .memory(track)
            .probe
            .as_ref()
            .is_some_and(|before| SquaredL2::between(before, &probe).value() > beyond);
        let track = if replaced {
            tracing::debug!("another face has taken a face's place");
            let fresh = self.tracker.renew(track, now);
            events.extend(self.forget_the_gone());
            self.memory(fresh).tried = Some(now);
            fresh
        } else {
            track
        };
        let outcome = self.assign(now, track, outcome);
        let memory = self.memory(track);
        memory.claim = outcome
            .named()
            .map(|(identity, distance)| (now, identity, distance));
        memory.denied = matches!(
            outcome,
            Outcome::NotSure {
                reason: Unsure::Taken,
                ..
            }
        );
        memory.probe = Some(probe);
        self.session.hear(now, track, &outcome, weight);
        Ok(true)
    }

    /// One identity, one face: of two faces in this frame that are the same person the closer one keeps it.
    fn assign(&self, now: Timestamp, track: TrackId, outcome: Outcome) -> Outcome {
        let Some((identity, distance)) = outcome.named() else {
            return outcome;
        };
        let taken = self.memories.iter().any(|other| {
            let there = self.tracker.track(other.track);
            let visible = there.is_some_and(|track| track.face.is_some());
            let closer = other.claim.is_some_and(|(at, claimed, theirs)| {
                claimed == identity && theirs <= distance && now.since(at) <= CLAIM
            });
            other.track != track && visible && closer
        });
        if taken {
            Outcome::NotSure {
                nearest: distance,
                reason: Unsure::Taken,
            }
        } else {
            outcome
        }
    }

    fn is_due(&self, now: Timestamp, track: TrackId) -> bool {
        let pause = Duration::from_millis(self.rules.recheck_ms);
        self.tried(track)
            .is_none_or(|tried| now.since(tried) >= pause)
    }

    fn tried(&self, track: TrackId) -> Option<Timestamp> {
        let memory = self.memories.iter().find(|memory| memory.track == track);
        memory.and_then(|memory| memory.tried)
    }

    fn memory(&mut self, track: TrackId) -> &mut Memory {
        let place = match self.memories.iter().position(|known| known.track == track) {
            Some(place) => place,
            None => {
                self.memories.push(Memory {
                    track,
                    waiting: None,
                    tried: None,
                    probe: None,
                    claim: None,
                    denied: false,
                });
                self.memories.len() - 1
            }
        };
        &mut self.memories[place]
    }
}

#[cfg(test)]
mod tests;
