//! Somebody is there and it is being decided who: what to do meanwhile.

use super::layout::Painter;
use super::preview::Preview;
use super::sign::Sign;
use super::theme;
use crate::session::Hint;

impl Painter<'_> {
    /// Draws the screen of a decision under way, `progress` 0 to 1.
    pub(super) fn looking(&mut self, preview: &Preview<'_>, hint: Hint, progress: f32) {
        let (sign, headline, sentence) = match hint {
            Hint::ComeCloser => (
                Sign::Closer,
                "Come closer",
                "You are too far away to recognize",
            ),
            _ => (
                Sign::Looking { progress },
                "Hold still",
                "I am looking at you",
            ),
        };
        self.preview(preview, None);
        let parts = [
            self.headline(headline, theme::TEXT, 30.0),
            self.sentence(sentence, theme::TEXT_SOFT, 14.0),
        ];
        self.message(&sign, &parts);
    }
}
