//! Somebody is being enrolled: how far it is, and that it is done.

use super::layout::Painter;
use super::preview::Preview;
use super::sign::Sign;
use super::theme;

impl Painter<'_> {
    /// Draws enrollment under way, `done` of `wanted` templates taken.
    pub(super) fn enrolling(
        &mut self,
        preview: &Preview<'_>,
        name: &str,
        done: usize,
        wanted: usize,
    ) {
        self.preview(preview, None);
        let parts = [
            self.sentence("Getting to know", theme::TEXT_SOFT, 34.0),
            self.headline(name, theme::TEXT, 10.0),
            self.sentence("Turn your head a little, slowly", theme::TEXT_SOFT, 18.0),
        ];
        self.message(&Sign::Counting { done, wanted }, &parts);
    }

    /// Draws the end of an enrollment.
    pub(super) fn enrolled(&mut self, preview: &Preview<'_>, name: &str) {
        self.preview(preview, Some(theme::ACCENT));
        let parts = [
            self.sentence("Nice to meet you,", theme::ACCENT, 34.0),
            self.headline(name, theme::TEXT, 10.0),
            self.sentence("I will know you next time", theme::TEXT_SOFT, 18.0),
        ];
        self.message(&Sign::Check, &parts);
    }
}
