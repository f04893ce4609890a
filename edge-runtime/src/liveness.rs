//! Whether the face is a living person's: what a check is, and what the checks have found so far.
//!
//! | room | what it does |
//! |---|---|
//! | [`guard`] | runs the checks of one presence, fuses them, and says what the screen is to prompt |
//! | [`net`] | a network that tells faces from pictures of faces, by a manifest of its own; none is shipped |
//! | [`blink`] | the eyes close and open |
//! | [`turn`] | the head turns left and right and comes back, as something deep does |
//! | [`flash`] | the screen's colors come back from the face, and from all of it as from something curved |
//! | [`presentation`] | how often attacks pass and people fail: APCER, BPCER (ISO/IEC 30107-3) |
//!
//! No check here has been tried on real attacks yet, so each is off by default and nothing is claimed of any. What the
//! tests show is how the measures behave on simulated light and simulated landmarks; that is no evidence about attackers.
//! `usher pad report` is where evidence comes from.

pub mod blink;
pub mod challenge;
pub mod config;
mod error;
pub mod flash;
pub mod guard;
pub mod net;
mod patch;
pub mod presentation;
pub mod setup;
pub mod turn;

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::align::AlignedFace;
use shared::detector::Detection;
use shared::frame::Frame;

use crate::clock::Timestamp;
use challenge::Challenge;

pub use error::LivenessError;

/// What is known about the face in front of the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Liveness {
    /// No check is switched on; the screen and the status say so.
    Off,
    /// A check is under way.
    Pending(Prompt),
    /// Every check that is switched on has passed.
    Live,
    /// A check failed: a picture, a display, a mask.
    Refused,
}

/// What the person is to do, or what the screen does, while a check is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prompt {
    /// Nothing but hold still.
    HoldStill,
    /// Blink.
    Blink,
    /// Turn the head to the left, as seen by the person.
    TurnLeft,
    /// Turn the head to the right.
    TurnRight,
    /// The screen fills with this color (red, green, blue, 0 to 255) around the face.
    Flash([u8; 3]),
}

/// One face in one frame, as the checks see it.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The whole frame.
    pub frame: &'a Frame,
    /// Where the face is in it.
    pub detection: &'a Detection,
    /// The face on the ArcFace template, if it could be aligned.
    pub aligned: Option<&'a AlignedFace>,
    /// When the frame was taken.
    pub at: Timestamp,
    /// A number that stays while the same face is followed and is never given to another.
    pub track: u64,
}

/// Which check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// A network that looks at single frames.
    Net,
    /// The eyes close and open when asked.
    Blink,
    /// The head turns when asked.
    Turn,
    /// The screen's colors come back from the face.
    Flash,
}

impl CheckKind {
    /// All of them, in the order they run by default.
    pub const ALL: [CheckKind; 4] = [Self::Net, Self::Blink, Self::Turn, Self::Flash];

    /// Whether the person or the screen has to do something: such a check waits for a name.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Net)
    }

    /// What it is called in settings and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Net => "net",
            Self::Blink => "blink",
            Self::Turn => "turn",
            Self::Flash => "flash",
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a check has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// It needs more frames.
    Waiting,
    /// What was looked for was seen.
    Passed,
    /// It cannot tell; it may be tried again.
    Inconclusive(Reason),
    /// What was seen is no living face's: this refuses at once.
    Failed(Reason),
}

/// Why a check did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its time ran out.
    TimedOut,
    /// Too few frames a second arrived to see what has to be seen.
    FramesTooFew,
    /// The face moved too much.
    Moved,
    /// The face is too small or reaches beyond the picture.
    OutOfPlace,
    /// The light in the room is so bright, or the picture so overexposed, that the screen's is lost.
    TooBright,
    /// There is too little of the room around the face to compare with.
    NoBackground,
    /// The screen's colors did not come back.
    NoResponse,
    /// Other colors came back than were shown.
    WrongColors,
    /// The colors came back equally from everywhere, as from paper.
    Flat,
    /// The colors came back from one place, as from glass.
    Glossy,
    /// What was asked for was not done, or not as asked.
    NotDone,
    /// The points of the face moved as those of a flat picture do.
    NoDepth,
    /// The network takes it for a picture.
    Picture,
    /// The network could not be run.
    NetFailed,
    /// All passed, but together too weakly.
    ScoreTooLow,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "time ran out",
            Self::FramesTooFew => "too few frames a second",
            Self::Moved => "the face moved too much",
            Self::OutOfPlace => "the face is too small or beyond the picture",
            Self::TooBright => "the room or the picture is too bright",
            Self::NoBackground => "too little of the room is in the picture",
            Self::NoResponse => "the screen's colors did not come back",
            Self::WrongColors => "other colors came back than were shown",
            Self::Flat => "the colors came back evenly, as from paper",
            Self::Glossy => "the colors came back from one place, as from glass",
            Self::NotDone => "what was asked for was not done",
            Self::NoDepth => "the face moved as a flat picture does",
            Self::Picture => "the network takes it for a picture",
            Self::NetFailed => "the network could not be run",
            Self::ScoreTooLow => "the scores together are too low",
        })
    }
}

/// What a check says after a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// How far it has come.
    pub progress: Progress,
    /// 0 (surely not live) to 1 (surely live), 0.5 at the check's own threshold; absent from checks that only see
    /// whether something was done, and before anything was measured.
    pub score: Option<f32>,
    /// What the person is to do, or the screen to show, now.
    pub prompt: Prompt,
}

impl Finding {
    /// More frames are needed, and this is wanted meanwhile.
    pub fn waiting(prompt: Prompt) -> Finding {
        Finding {
            progress: Progress::Waiting,
            score: None,
            prompt,
        }
    }

    /// The check is over, without a score.
    pub fn settled(progress: Progress) -> Finding {
        Finding {
            progress,
            score: None,
            prompt: Prompt::HoldStill,
        }
    }
}

/// One way to tell a living face from what stands in for one.
///
/// A check is begun for a face, looks at its frames one by one, and settles: once it says anything but
/// [`Progress::Waiting`] it is asked no more until it is begun again. It keeps no picture beyond the frame it looks at.
pub trait Check: Send {
    /// Which check it is.
    fn kind(&self) -> CheckKind;

    /// Forgets the face before and begins with a new one; whatever is random is drawn anew.
    fn begin(&mut self, now: Timestamp);

    /// Looks at one frame. `now` and `look.at` are of one clock, `now` not the earlier; both never run backwards.
    fn look(&mut self, now: Timestamp, look: &Look<'_>) -> Finding;

    /// Adds what it has asked and shown since it was begun, for a recording's challenge file.
    fn tell(&self, challenge: &mut Challenge) {
        let _ = challenge;
    }
}
