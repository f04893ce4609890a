//! The enrollment's screen, when one is wanted.

use super::super::{Eyes, PngTarget};
use crate::camera::Captured;
use crate::screen::png::PngScreen;
use crate::screen::{Chrome, Preview, Screen, View};

/// What is drawn, and where it goes.
pub(super) struct Output {
    screen: Screen,
    files: Option<PngScreen>,
    shown: Option<usize>,
}

impl Output {
    /// Screens of this size, to that target if there is one.
    pub(super) fn open(eyes: &Eyes, target: Option<&PngTarget>) -> anyhow::Result<Self> {
        Ok(Self {
            screen: eyes.screen()?,
            files: target
                .map(|target| PngScreen::open(&target.0))
                .transpose()?,
            shown: None,
        })
    }

    /// Draws the enrollment when there is one template more.
    pub(super) fn progress(
        &mut self,
        preview: &Preview<'_>,
        frame: u64,
        name: &str,
        (done, wanted): (usize, usize),
    ) -> anyhow::Result<()> {
        if self.shown == Some(done) {
            return Ok(());
        }
        self.shown = Some(done);
        self.show(
            &View::Enrolling {
                preview: *preview,
                name,
                done,
                wanted,
            },
            frame,
        )
    }

    /// Draws the end.
    pub(super) fn end(&mut self, last: &Captured, name: &str) -> anyhow::Result<()> {
        let preview = Preview::of(&last.frame, None);
        self.show(&View::Enrolled { preview, name }, last.number + 1)
    }

    fn show(&mut self, view: &View<'_>, frame: u64) -> anyhow::Result<()> {
        if let Some(files) = &self.files {
            files.show(
                self.screen.draw(view, &Chrome::default()),
                frame,
                view.name(),
            )?;
        }
        Ok(())
    }
}
