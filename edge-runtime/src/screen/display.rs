//! What shows a finished canvas: a graphics card, a framebuffer, a window, a folder of pictures, or nothing.

use std::io;
use std::path::PathBuf;

use embedded_graphics::prelude::{Point, Size};

use super::canvas::Canvas;
use super::panel::Rotation;
use super::png::{PngError, PngScreen};
use crate::input::Input;

/// A display. One thread opens it and shows on it: a window may not be handed to another.
pub trait Display {
    /// The size of the canvases it shows, in pixels, after its rotation.
    fn size(&self) -> Size;

    /// How its panel is mounted: what a touch panel on it has to be turned by.
    fn rotation(&self) -> Rotation {
        Rotation::Upright
    }

    /// Shows `canvas`, of which [`Canvas::damage`] changed since the canvas shown before.
    ///
    /// After an error the next canvas is shown whole, whatever its damage says.
    ///
    /// # Errors
    /// [`DisplayError`]; where it [`DisplayError::passes`] the same call with the next canvas tries again.
    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError>;

    /// What was told to it since the last call, where it has a mouse and a keyboard of its own.
    fn told(&mut self) -> Vec<Told> {
        Vec::new()
    }
}

/// What a display with a mouse and a keyboard of its own was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A finger, or what stands for one, went down on this pixel of the canvas.
    Touched(Point),
    /// A key.
    Typed(Input),
    /// Its window was closed.
    Closed,
}

/// Why a canvas could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum DisplayError {
    /// The device could not be opened.
    #[error("expected a display at {}, found: {source}; name another with --screen, or check its permissions", path.display())]
    Open {
        /// The device.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The device is none that can be drawn on.
    #[error("expected a display at {} that can be drawn on, found {reason}; name another with --screen", path.display())]
    Unfit {
        /// The device.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// No panel is connected, or it was unplugged.
    #[error("expected a connected panel at {}, found none; connect it", path.display())]
    Unplugged {
        /// The device.
        path: PathBuf,
    },
    /// Another program holds the display.
    #[error("expected to hold the display at {}, found that another program does; end that program or switch to this console", path.display())]
    Held {
        /// The device.
        path: PathBuf,
    },
    /// The panel does not have the mode that was asked for.
    #[error("expected a panel of {wanted} at {}, found {found}; set one of these as screen.size", path.display())]
    Mode {
        /// The device.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What it has.
        found: String,
    },
    /// The canvas has not the display's size; a panel of another size may have been plugged in.
    #[error("expected a canvas of {}x{} pixels, found {}x{}; draw for this size", expected.width, expected.height, found.width, found.height)]
    Size {
        /// What is shown here.
        expected: Size,
        /// What was to be shown.
        found: Size,
    },
    /// Writing to it failed.
    #[error("expected to show a picture at {}, found: {source}; check the display", path.display())]
    Show {
        /// The device.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no window.
    #[error(
        "expected a window on a desktop, found: {reason}; set DISPLAY, or name another screen as in png:screens"
    )]
    Window {
        /// What is missing.
        reason: String,
    },
    /// A picture could not be written.
    #[error(transparent)]
    Png(#[from] PngError),
}

impl DisplayError {
    /// Whether it may pass by itself, so that showing again is worth trying.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Unplugged { .. } | Self::Held { .. } | Self::Show { .. }
        )
    }
}

/// Refuses a canvas of another size.
pub(super) fn check_size(expected: Size, canvas: &Canvas) -> Result<(), DisplayError> {
    use embedded_graphics::prelude::OriginDimensions;

    let found = canvas.size();
    if found == expected {
        Ok(())
    } else {
        Err(DisplayError::Size { expected, found })
    }
}

/// Shows nothing.
#[derive(Debug)]
pub struct Nowhere {
    size: Size,
}

impl Nowhere {
    /// A display of `size` pixels that nobody sees.
    pub fn new(size: Size) -> Self {
        Self { size }
    }
}

impl Display for Nowhere {
    fn size(&self) -> Size {
        self.size
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        check_size(self.size, canvas)
    }
}

/// A folder of pictures as a display: a file for each canvas that differs from the one before.
#[derive(Debug)]
pub struct PngDisplay {
    files: PngScreen,
    size: Size,
    shown: u64,
}

impl PngDisplay {
    /// Writes canvases of `size` pixels into `files`.
    pub fn new(files: PngScreen, size: Size) -> Self {
        Self {
            files,
            size,
            shown: 0,
        }
    }
}

impl Display for PngDisplay {
    fn size(&self) -> Size {
        self.size
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        check_size(self.size, canvas)?;
        if !canvas.damage().is_empty() {
            self.files.show(canvas, self.shown, "screen")?;
            self.shown += 1;
        }
        Ok(())
    }
}
