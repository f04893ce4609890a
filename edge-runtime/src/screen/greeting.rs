//! Somebody known is there: welcome by name.

use super::layout::Painter;
use super::preview::Preview;
use super::sign::Sign;
use super::theme;

impl Painter<'_> {
    /// Draws the welcome of `name`.
    pub(super) fn greeting(&mut self, preview: &Preview<'_>, name: &str) {
        self.preview(preview, Some(theme::ACCENT));
        let parts = [
            self.sentence("Welcome,", theme::ACCENT, 34.0),
            self.headline(name, theme::TEXT, 10.0),
        ];
        self.message(&Sign::Check, &parts);
    }
}
