//! Whether the face in this frame is the one of the frame before: a name never outlives its face.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::geometry::Rect;

use crate::clock::Timestamp;

/// What makes two faces in two frames one person's continuous presence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PresenceRules {
    /// Milliseconds that a face may be lost (a blink of the detector, a turned head) and still be the same presence.
    pub longest_gap_ms: u64,
    /// Overlap (intersection over union, 0 to 1) below which the next face is somebody else.
    pub least_overlap: f32,
}

impl Default for PresenceRules {
    /// One second, and 0.15: a walking person's face at 10 frames a second overlaps by 0.6 and more, two people
    /// side by side by 0.
    fn default() -> Self {
        Self {
            longest_gap_ms: 1000,
            least_overlap: 0.15,
        }
    }
}

/// How this frame's face continues what was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// A face that does not continue an earlier one: somebody new.
    New,
    /// The face of the frames before.
    Same,
    /// No face, but too short a time for its owner to be gone.
    Paused,
    /// Nobody is there.
    Absent,
}

/// Follows the one face that is decided on.
#[derive(Clone, Debug)]
pub struct Presence {
    rules: PresenceRules,
    last: Option<(Timestamp, Rect)>,
}

impl Presence {
    /// Nobody seen yet.
    pub fn new(rules: PresenceRules) -> Self {
        Self { rules, last: None }
    }

    /// Takes this frame's face, `None` when there was none.
    pub fn observe(&mut self, now: Timestamp, face: Option<Rect>) -> Continuity {
        let longest_gap = Duration::from_millis(self.rules.longest_gap_ms);
        let recent = self
            .last
            .filter(|(at, _)| now.since(*at) <= longest_gap)
            .map(|(_, bounds)| bounds);
        match (face, recent) {
            (Some(face), recent) => {
                self.last = Some((now, face));
                match recent {
                    Some(before) if before.iou(&face) >= self.rules.least_overlap => {
                        Continuity::Same
                    }
                    _ => Continuity::New,
                }
            }
            (None, Some(_)) => Continuity::Paused,
            (None, None) => {
                self.last = None;
                Continuity::Absent
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, side: f32) -> Option<Rect> {
        Some(Rect {
            left,
            top: 100.0,
            width: side,
            height: side,
        })
    }

    #[test]
    fn table_of_presences() {
        let mut presence = Presence::new(PresenceRules::default());
        for (name, millis, seen, expected) in [
            ("empty room", 0, None, Continuity::Absent),
            ("somebody comes", 100, face(100.0, 100.0), Continuity::New),
            ("and walks on", 200, face(130.0, 110.0), Continuity::Same),
            ("the detector blinks", 300, None, Continuity::Paused),
            (
                "and finds the face again",
                1100,
                face(140.0, 120.0),
                Continuity::Same,
            ),
            (
                "somebody else steps in front",
                1200,
                face(300.0, 200.0),
                Continuity::New,
            ),
            ("is lost", 2200, None, Continuity::Paused),
            ("is gone", 2201, None, Continuity::Absent),
            ("comes back", 2300, face(300.0, 200.0), Continuity::New),
            (
                "a late frame at the same place",
                3301,
                face(300.0, 200.0),
                Continuity::New,
            ),
        ] {
            assert_eq!(
                presence.observe(Timestamp::from_millis(millis), seen),
                expected,
                "{name}"
            );
        }
    }
}
