//! What the screen shows: one view for each state, and the marks that can lie over it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::desk::view::DeskView;
use crate::liveness::Prompt;
use crate::session::Hint;

use super::preview::Preview;

/// What the screen shows.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Nobody is there; the time of day is in [`Chrome`].
    Idle,
    /// Somebody is there, and it is being decided who.
    Looking {
        /// The live picture.
        preview: Preview<'a>,
        /// What would help.
        hint: Hint,
        /// How far the decision is, 0 to 1.
        progress: f32,
    },
    /// Somebody known.
    Greeting {
        /// The live picture.
        preview: Preview<'a>,
        /// Whose name to say.
        name: &'a str,
        /// How rarely a stranger is taken for somebody here: 1 in so many; absent where it is not to be shown.
        one_in: Option<u64>,
    },
    /// Somebody not known.
    Unknown {
        /// The live picture.
        preview: Preview<'a>,
    },
    /// It could not be decided: neither known nor unknown.
    NotSure {
        /// The live picture.
        preview: Preview<'a>,
    },
    /// A person shows to be a living one. [`Prompt::Flash`] here announces [`View::Flash`] and does not light up.
    Check {
        /// The live picture.
        preview: Preview<'a>,
        /// What the person is to do.
        prompt: Prompt,
        /// How far it is, 0 to 1.
        progress: f32,
    },
    /// The whole screen lights up in one color, announced before by [`View::Check`].
    Flash {
        /// The live picture, shown small.
        preview: Preview<'a>,
        /// Red, green, blue.
        color: [u8; 3],
    },
    /// Pictures are recorded by an operator's order (`usher record`).
    Recording {
        /// The live picture.
        preview: Preview<'a>,
        /// For how long already.
        elapsed: Duration,
    },
    /// The operator's desk.
    Desk {
        /// What it shows.
        view: &'a DeskView,
        /// The live picture, for the views that show one.
        preview: Option<Preview<'a>>,
    },
    /// Enrollment under way.
    Enrolling {
        /// The live picture.
        preview: Preview<'a>,
        /// Who is enrolled.
        name: &'a str,
        /// Templates taken.
        done: usize,
        /// Templates wanted.
        wanted: usize,
    },
    /// Enrollment done.
    Enrolled {
        /// The live picture.
        preview: Preview<'a>,
        /// Who was enrolled.
        name: &'a str,
    },
    /// Something is broken.
    Fault {
        /// What happened.
        cause: &'a str,
        /// What to do.
        remedy: &'a str,
    },
    /// The device changes its own software.
    Updating {
        /// How far it is, 0 to 1.
        progress: f32,
    },
}

impl<'a> View<'a> {
    /// The state's name, for files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Looking {
                hint: Hint::ComeCloser,
                ..
            } => "come-closer",
            Self::Looking { .. } => "looking",
            Self::Greeting { .. } => "greeting",
            Self::Unknown { .. } => "unknown",
            Self::NotSure { .. } => "not-sure",
            Self::Check { .. } => "check",
            Self::Flash { .. } => "flash",
            Self::Recording { .. } => "recording",
            Self::Desk { view, .. } => match view {
                DeskView::Pin { .. } => "pin",
                DeskView::Question { .. } => "question",
                DeskView::Name { .. } => "name",
                DeskView::Consent { .. } => "consent",
                DeskView::Guided { .. } => "guided",
                DeskView::Done { .. } => "done",
                DeskView::Failed { .. } => "failed",
            },
            Self::Enrolling { .. } => "enrolling",
            Self::Enrolled { .. } => "enrolled",
            Self::Fault { .. } => "fault",
            Self::Updating { .. } => "updating",
        }
    }

    /// The live picture, where there is one.
    pub fn preview(&self) -> Option<Preview<'a>> {
        match self {
            Self::Looking { preview, .. }
            | Self::Greeting { preview, .. }
            | Self::Unknown { preview }
            | Self::NotSure { preview }
            | Self::Check { preview, .. }
            | Self::Flash { preview, .. }
            | Self::Recording { preview, .. }
            | Self::Enrolling { preview, .. }
            | Self::Enrolled { preview, .. } => Some(*preview),
            Self::Desk { preview, .. } => *preview,
            Self::Idle | Self::Fault { .. } | Self::Updating { .. } => None,
        }
    }
}

/// What lies over any view, and when it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chrome<'a> {
    /// When this picture is shown. Fades and the shift against burn-in follow it.
    pub now: Timestamp,
    /// The time of day as it is to be read, for the idle screen.
    pub time_of_day: Option<&'a str>,
    /// No liveness check is switched on: said on every view in which a face is decided on.
    pub liveness_off: bool,
    /// The wall clock cannot be trusted.
    pub clock_unset: bool,
    /// An operator has unlocked the desk.
    pub operator: bool,
    /// Pictures are being recorded: a mark that nobody can miss, over every view.
    pub recording: bool,
    /// How bright, 0 to 1; below 1 the picture is drawn darker, for a panel whose backlight cannot be set.
    pub brightness: f32,
}

impl Chrome<'_> {
    /// Whether any badge is shown.
    pub(super) fn badged(&self) -> bool {
        self.operator || self.liveness_off || self.clock_unset
    }
}

impl Default for Chrome<'_> {
    /// Nothing over the view, at full brightness.
    fn default() -> Self {
        Self {
            now: Timestamp::default(),
            time_of_day: None,
            liveness_off: false,
            clock_unset: false,
            operator: false,
            recording: false,
            brightness: 1.0,
        }
    }
}
