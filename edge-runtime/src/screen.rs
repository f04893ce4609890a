//! The kiosk's screen: one picture for each state, drawn on a canvas of any landscape size.

pub mod canvas;
mod enrolling;
mod fault;
mod greeting;
mod idle;
pub mod layout;
mod looking;
pub mod png;
mod preview;
pub mod shape;
mod sign;
pub mod text;
pub mod theme;
mod unknown;

use embedded_graphics::prelude::Size;

use crate::session::Hint;
use canvas::Canvas;
use layout::{Layout, Painter};
pub use preview::Preview;
use text::Fonts;

/// What the screen shows.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Nobody is there.
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
    },
    /// Somebody not known.
    Unknown {
        /// The live picture.
        preview: Preview<'a>,
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
}

impl View<'_> {
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
            Self::Enrolling { .. } => "enrolling",
            Self::Enrolled { .. } => "enrolled",
            Self::Fault { .. } => "fault",
        }
    }
}

/// A size that no screen of this kiosk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a landscape screen from 800x480 to 3840x2160, found {width}x{height}; give --size as in 1280x800"
)]
pub struct ScreenSizeError {
    /// The refused width in pixels.
    pub width: u32,
    /// The refused height in pixels.
    pub height: u32,
}

/// Draws views.
pub struct Screen {
    fonts: Fonts,
    layout: Layout,
}

impl Screen {
    /// A screen of `width` x `height` pixels, landscape, 800x480 to 3840x2160.
    pub fn new(width: u32, height: u32) -> Result<Self, ScreenSizeError> {
        let fits = (800..=3840).contains(&width)
            && (480..=2160).contains(&height)
            && width * 4 >= height * 5;
        if !fits {
            return Err(ScreenSizeError { width, height });
        }
        Ok(Self {
            fonts: Fonts::new(),
            layout: Layout::new(Size::new(width, height)),
        })
    }

    /// Draws `view`.
    pub fn draw(&self, view: &View<'_>) -> Canvas {
        let mut painter = Painter::new(&self.fonts, self.layout);
        match view {
            View::Idle => painter.idle(),
            View::Looking {
                preview,
                hint,
                progress,
            } => painter.looking(preview, *hint, *progress),
            View::Greeting { preview, name } => painter.greeting(preview, name),
            View::Unknown { preview } => painter.unknown(preview),
            View::Enrolling {
                preview,
                name,
                done,
                wanted,
            } => painter.enrolling(preview, name, *done, *wanted),
            View::Enrolled { preview, name } => painter.enrolled(preview, name),
            View::Fault { cause, remedy } => painter.fault(cause, remedy),
        }
        painter.canvas
    }
}
