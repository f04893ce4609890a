//! What the screen shows of the desk: words and counts, no pixels; the live picture is added by whoever draws.

use std::time::Duration;

use crate::session::Hint;

/// One screen of the desk.
#[derive(Clone, Debug, PartialEq)]
pub enum DeskView {
    /// The operator's PIN is asked for.
    Pin {
        /// Digits typed so far.
        typed: usize,
        /// What the last try led to, if there was one.
        refusal: Option<PinRefusal>,
    },
    /// One of several things is chosen.
    Question {
        /// What is asked.
        title: String,
        /// A sentence below it; may be empty.
        body: String,
        /// What can be chosen, at most six.
        choices: Vec<String>,
    },
    /// A name is typed.
    Name {
        /// Typed so far.
        text: String,
        /// What is wrong with it, if anything.
        problem: Option<String>,
        /// Whether the keyboard on the screen shows capitals.
        capitals: bool,
        /// Whether it shows digits and signs instead of letters.
        signs: bool,
    },
    /// The person reads what they agree to.
    Consent {
        /// Whose consent.
        name: String,
        /// The whole text; the screen breaks it into pages.
        text: String,
        /// Page shown, from 0; beyond the last one it is the last.
        page: usize,
    },
    /// The person is looked at from five sides; shown with the live picture.
    Guided {
        /// Who.
        name: String,
        /// Where to look now.
        pose: Pose,
        /// What would help, if anything.
        hint: Option<Hint>,
        /// Poses done.
        done: usize,
        /// Poses wanted.
        wanted: usize,
        /// How far the present pose is held, 0 to 1.
        held: f32,
        /// Time left.
        left: Duration,
    },
    /// Somebody was enrolled, or got more templates; shown with the live picture.
    Done {
        /// Who.
        name: String,
    },
    /// It did not work, and nothing was kept.
    Failed {
        /// What happened.
        cause: String,
        /// What to do.
        remedy: String,
    },
}

/// Where a person looks during a guided capture, as seen by themself in the mirrored picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pose {
    /// At the camera.
    Straight,
    /// A little to the left.
    Left,
    /// A little to the right.
    Right,
    /// A little up.
    Up,
    /// A little down.
    Down,
}

/// Why a PIN was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinRefusal {
    /// It was wrong; so many tries are left before a wait.
    Wrong {
        /// Tries left.
        tries_left: u32,
    },
    /// Too many wrong ones: wait.
    Wait {
        /// How long still.
        left: Duration,
    },
}
