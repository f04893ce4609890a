//! Several faces over many frames: which face continues which, and whose turn it is.
//!
//! A track is one face's presence. A face continues at most one track and a track goes on with at most one face: pairs
//! are taken greedily, the one that overlaps most first and, of equal ones, the one whose middles are nearest. Greedy
//! is as good as optimal here: faces of different people overlap hardly, and where they do, a wrong pair costs a name
//! that is shown, never one that is not.
//!
//! One track is the subject, the person the kiosk deals with:
//!
//! ```text
//!   nobody yet                           the largest face
//!   another face twice as large          it, at once
//!   another face larger by a quarter     it, after half a second
//!   the subject not seen, a face came    the largest face, at once: it may be where the subject was
//!   the subject not seen, others stayed  the subject, for 0.3 s; then the largest face
//!   the subject not seen, nobody else    the subject, until it is gone
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::geometry::Rect;

use crate::clock::Timestamp;
use crate::presence::{Continuity, PresenceRules};

/// Most faces followed at a time, the largest ones: a crowd costs no more than that.
pub const MOST_TRACKS: usize = 16;

/// The number of a track, never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(u64);

impl TrackId {
    /// The track with this number, for tests and for what tells faces apart by it.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The bare number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// When another person becomes the one the kiosk deals with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubjectRules {
    /// How many times as large (area of the box) another face is that takes over at once, at least 1.
    pub much_larger: f32,
    /// How many times as large another face is that takes over after a while, at least 1.
    pub larger: f32,
    /// How long it must have been so, in milliseconds.
    pub larger_ms: u64,
    /// How long a subject that is not seen keeps its turn before others who have been there all along, in milliseconds.
    pub blink_ms: u64,
}

impl Default for SubjectRules {
    fn default() -> Self {
        Self {
            much_larger: 2.0,
            larger: 1.25,
            larger_ms: 500,
            blink_ms: 300,
        }
    }
}

impl SubjectRules {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, found) in [("larger", self.larger), ("much_larger", self.much_larger)] {
            if !(1.0..=100.0).contains(&found) {
                return Err(format!(
                    "recognition.subject.{name} = {found}, which is not from 1 to 100"
                ));
            }
        }
        Ok(())
    }
}

/// One face's presence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Track {
    /// Its number.
    pub id: TrackId,
    /// Where the face was when it was last seen, in frame pixels.
    pub bounds: Rect,
    /// When it was last seen.
    pub seen: Timestamp,
    /// When it was first seen.
    pub began: Timestamp,
    /// Which of this frame's faces it is; none when it is not seen.
    pub face: Option<usize>,
    /// Whether it was not seen in the frame before this one.
    pub returned: bool,
}

/// Follows all faces.
#[derive(Clone, Debug)]
pub struct Tracker {
    presence: PresenceRules,
    rules: SubjectRules,
    tracks: Vec<Track>,
    next: u64,
    subject: Option<TrackId>,
    /// Who is larger than the subject, and since when.
    challenger: Option<(TrackId, Timestamp)>,
    continuity: Continuity,
}

impl Tracker {
    /// Nobody seen yet.
    pub fn new(presence: PresenceRules, rules: SubjectRules) -> Self {
        Self {
            presence,
            rules,
            tracks: Vec::new(),
            next: 0,
            subject: None,
            challenger: None,
            continuity: Continuity::Absent,
        }
    }

    /// Takes the boxes of this frame's faces, in frame pixels; `now` never runs backwards.
    ///
    /// Of more than [`MOST_TRACKS`] faces the smaller ones are not followed.
    pub fn step(&mut self, now: Timestamp, faces: &[Rect]) {
        self.tracks
            .retain(|track| !self.presence.is_gone(track.seen, now));
        let mut left = largest_first(faces);
        let mut unseen: Vec<usize> = (0..self.tracks.len()).collect();
        for (track, face) in self.pairs(faces, &left) {
            left.retain(|other| *other != face);
            unseen.retain(|other| *other != track);
            let track = &mut self.tracks[track];
            track.returned = track.face.is_none();
            track.face = Some(face);
            (track.bounds, track.seen) = (faces[face], now);
        }
        for track in unseen {
            self.tracks[track].face = None;
        }
        for face in left {
            let id = self.number();
            self.tracks.push(Track {
                id,
                bounds: faces[face],
                seen: now,
                began: now,
                face: Some(face),
                returned: false,
            });
        }
        let before = self.subject;
        self.subject = self.turn(now);
        self.continuity = match self.subject() {
            None => Continuity::Absent,
            Some(track) if Some(track.id) != before => Continuity::New,
            Some(track) if track.face.is_some() => Continuity::Same,
            Some(_) => Continuity::Paused,
        };
    }

    /// All tracks, the oldest first.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The track with this number, unless it has ended.
    pub fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// Whose turn it is.
    pub fn subject(&self) -> Option<&Track> {
        self.subject.and_then(|id| self.track(id))
    }

    /// How the subject continues that of the step before.
    pub fn continuity(&self) -> Continuity {
        self.continuity
    }

    /// The face of this track turned out to be another one: a new track takes its place. Returns its number.
    pub fn renew(&mut self, id: TrackId, now: Timestamp) -> TrackId {
        let fresh = self.number();
        for track in &mut self.tracks {
            if track.id == id {
                (track.id, track.began, track.returned) = (fresh, now, false);
            }
        }
        if self.subject == Some(id) {
            (self.subject, self.continuity) = (Some(fresh), Continuity::New);
        }
        fresh
    }

    fn number(&mut self) -> TrackId {
        let id = TrackId(self.next);
        self.next += 1;
        id
    }

    /// Which track goes on with which face, each at most once.
    fn pairs(&self, faces: &[Rect], followed: &[usize]) -> Vec<(usize, usize)> {
        let mut possible = Vec::new();
        for (place, track) in self.tracks.iter().enumerate() {
            for &face in followed {
                if let Some(overlap) = self.presence.overlap(&track.bounds, &faces[face]) {
                    let apart = distance(&track.bounds, &faces[face]);
                    possible.push((overlap, apart, place, face));
                }
            }
        }
        // A stable sort: equal pairs stay in the order of tracks and faces.
        possible.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.total_cmp(&b.1)));
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (_, _, track, face) in possible {
            if pairs.iter().all(|(t, f)| *t != track && *f != face) {
                pairs.push((track, face));
            }
        }
        pairs
    }

    /// Whose turn it is now.
    fn turn(&mut self, now: Timestamp) -> Option<TrackId> {
        let visible = || self.tracks.iter().filter(|track| track.face.is_some());
        // Of equally large ones the oldest.
        let largest = visible().reduce(|best, track| {
            if track.bounds.area() > best.bounds.area() {
                track
            } else {
                best
            }
        });
        let largest = largest.map(|track| (track.id, track.bounds.area()));
        let Some(subject) = self.subject().copied() else {
            self.challenger = None;
            return largest.map(|(id, _)| id);
        };
        let Some((challenger, area)) = largest else {
            return Some(subject.id);
        };
        if subject.face.is_none() {
            self.challenger = None;
            let arrived = visible().any(|track| track.began > subject.seen);
            let blink = now.since(subject.seen) <= Duration::from_millis(self.rules.blink_ms);
            return Some(if blink && !arrived {
                subject.id
            } else {
                challenger
            });
        }
        let ratio = area / subject.bounds.area();
        if challenger == subject.id || ratio < self.rules.larger {
            self.challenger = None;
            return Some(subject.id);
        }
        let since = match self.challenger {
            Some((id, since)) if id == challenger => since,
            _ => now,
        };
        self.challenger = Some((challenger, since));
        let long = now.since(since) >= Duration::from_millis(self.rules.larger_ms);
        if long || ratio >= self.rules.much_larger {
            self.challenger = None;
            Some(challenger)
        } else {
            Some(subject.id)
        }
    }
}

/// Places of the largest faces, the largest first, of equal ones the first.
fn largest_first(faces: &[Rect]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..faces.len()).collect();
    places.sort_by(|a, b| faces[*b].area().total_cmp(&faces[*a].area()));
    places.truncate(MOST_TRACKS);
    places
}

fn distance(a: &Rect, b: &Rect) -> f32 {
    let (a, b) = (a.center(), b.center());
    (a.x - b.x).hypot(a.y - b.y)
}

#[cfg(test)]
mod tests;
