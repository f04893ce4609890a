//! Somebody is there whom the kiosk does not know: it says so, and never a name.

use super::layout::Painter;
use super::preview::Preview;
use super::sign::Sign;
use super::theme;

impl Painter<'_> {
    /// Draws the answer to a stranger.
    pub(super) fn unknown(&mut self, preview: &Preview<'_>) {
        self.preview(preview, Some(theme::UNKNOWN));
        let parts = [
            self.headline("I don’t know you yet", theme::TEXT, 34.0),
            self.sentence(
                "Please ask for help at the door. Nothing about you was stored.",
                theme::TEXT_SOFT,
                22.0,
            ),
        ];
        self.message(&Sign::Question, &parts);
    }
}
