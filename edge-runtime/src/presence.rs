//! What makes the face in this frame the one of a frame before: a name never outlives its face.

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

impl PresenceRules {
    /// Whether a face that was last seen at `seen` is gone at `now`.
    pub fn is_gone(&self, seen: Timestamp, now: Timestamp) -> bool {
        now.since(seen) > Duration::from_millis(self.longest_gap_ms)
    }

    /// How much the next face overlaps the one before, 0 to 1; none when too little for one person.
    pub fn overlap(&self, before: &Rect, next: &Rect) -> Option<f32> {
        let overlap = before.iou(next);
        (overlap >= self.least_overlap).then_some(overlap)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if (0.0..=1.0).contains(&self.least_overlap) {
            Ok(())
        } else {
            Err(format!(
                "session.presence.least_overlap = {}, which is not from 0 to 1",
                self.least_overlap
            ))
        }
    }
}

/// How the face that is decided on continues what was there before.
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
