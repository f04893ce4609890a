//! What is to be seen on the screen, without a picture: it can be handed to whoever draws, who adds the frame.

use shared::frame::Frame;
use shared::geometry::Rect;

use crate::desk::view::DeskView;
use crate::fault::Fault;
use crate::liveness::Prompt;
use crate::screen::{Preview, View};
use crate::session::Hint;

/// One thing to be seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Showing {
    /// Nobody is there.
    Idle,
    /// Somebody is there, and it is being decided who.
    Looking {
        /// What would help.
        hint: Hint,
        /// How far the decision is, 0 to 1.
        progress: f32,
    },
    /// Somebody known.
    Greeting {
        /// Whose name to say.
        name: String,
        /// One stranger in so many is taken for somebody here.
        one_in: Option<u64>,
    },
    /// Somebody not known.
    Unknown,
    /// It could not be decided.
    NotSure,
    /// A person shows to be a living one.
    Check {
        /// What the person is to do.
        prompt: Prompt,
        /// How far the decision is, 0 to 1.
        progress: f32,
    },
    /// The whole screen in one color: red, green, blue.
    Flash([u8; 3]),
    /// The operator's desk.
    Desk(DeskView),
    /// Something is broken.
    Fault(Fault),
    /// The device changes its own software, so far as told: 0 to 1.
    Updating(f32),
}

/// Where the face is, in frame pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Aim {
    /// The face that is looked at.
    pub face: Option<Rect>,
    /// What the preview is centered on.
    pub focus: Option<Rect>,
}

impl Showing {
    /// The view of it, with `frame` as the live picture. What needs one and has none shows the idle screen.
    pub fn view<'a>(&'a self, frame: Option<&'a Frame>, aim: Aim) -> View<'a> {
        let preview = frame.map(|frame| Preview {
            frame,
            face: aim.face,
            focus: aim.focus,
        });
        match (self, preview) {
            (Self::Fault(fault), _) => View::Fault {
                cause: &fault.cause,
                remedy: &fault.remedy,
            },
            (Self::Updating(progress), _) => View::Updating {
                progress: *progress,
            },
            (Self::Desk(view), preview) => View::Desk { view, preview },
            (Self::Idle, _) | (_, None) => View::Idle,
            (Self::Looking { hint, progress }, Some(preview)) => View::Looking {
                preview,
                hint: *hint,
                progress: *progress,
            },
            (Self::Greeting { name, one_in }, Some(preview)) => View::Greeting {
                preview,
                name,
                one_in: *one_in,
            },
            (Self::Unknown, Some(preview)) => View::Unknown { preview },
            (Self::NotSure, Some(preview)) => View::NotSure { preview },
            (Self::Check { prompt, progress }, Some(preview)) => View::Check {
                preview,
                prompt: *prompt,
                progress: *progress,
            },
            (Self::Flash(color), Some(preview)) => View::Flash {
                preview,
                color: *color,
            },
        }
    }

    /// Whether there is a live picture in it.
    pub fn has_preview(&self) -> bool {
        match self {
            Self::Idle | Self::Fault(_) | Self::Updating(_) => false,
            Self::Desk(view) => matches!(view, DeskView::Guided { .. } | DeskView::Done { .. }),
            _ => true,
        }
    }
}
