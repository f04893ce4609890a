//! What goes from the recognition to the screen: what is to be seen, where the face is, and the marks over it.

use crate::clock::Timestamp;
use crate::showing::{Aim, Showing};

/// One state of affairs, drawn again and again with the newest frame until the next one comes.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// When it was so.
    pub(super) at: Timestamp,
    /// What is to be seen.
    pub(super) showing: Showing,
    /// Where the face is.
    pub(super) aim: Aim,
    /// The marks.
    pub(super) marks: Marks,
    /// When somebody was last there: the screen dims after a while.
    pub(super) last_presence: Timestamp,
}

/// What lies over any view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// No liveness check is switched on.
    pub(super) liveness_off: bool,
    /// The wall clock cannot be trusted.
    pub(super) clock_unset: bool,
    /// An operator has unlocked the desk.
    pub(super) operator: bool,
    /// An operator records what the camera sees.
    pub(super) recording: bool,
}
