//! The views with a live picture: one ring around the face, one message beside it.

use std::time::Duration;

use super::painter::{Around, Painter};
use super::preview::Preview;
use super::shape::Disc;
use super::sign::Sign;
use super::text::Typeface;
use super::words::Word;
use crate::liveness::Prompt;
use crate::session::Hint;

/// What a hint says, more of it, and its sign.
pub(super) fn hint_words(hint: Hint) -> (Word, Word, Option<Sign>) {
    match hint {
        Hint::HoldStill => (Word::HoldStill, Word::HoldStillMore, None),
        Hint::ComeCloser => (Word::ComeCloser, Word::ComeCloserMore, Some(Sign::Closer)),
        Hint::StepBack => (Word::StepBack, Word::StepBackMore, Some(Sign::Back)),
        Hint::MoveToCenter => (
            Word::MoveToCenter,
            Word::MoveToCenterMore,
            Some(Sign::Middle),
        ),
        Hint::LookHere => (Word::LookHere, Word::LookHereMore, Some(Sign::Eye)),
        Hint::MoreLight => (Word::MoreLight, Word::MoreLightMore, Some(Sign::Sun)),
        Hint::LessLight => (Word::LessLight, Word::LessLightMore, Some(Sign::NoSun)),
        Hint::UncoverFace => (
            Word::UncoverFace,
            Word::UncoverFaceMore,
            Some(Sign::Covered),
        ),
        Hint::OnePerson => (Word::OnePerson, Word::OnePersonMore, Some(Sign::Middle)),
    }
}

impl Painter<'_> {
    /// A decision under way, `progress` 0 to 1.
    pub(super) fn looking(&mut self, preview: &Preview<'_>, hint: Hint, progress: f32) {
        let (title, more, sign) = hint_words(hint);
        self.live(Some(preview), Around::Progress(progress));
        self.advice(sign, title, more);
    }

    /// A calm seal, if there is a sign, and what would help.
    fn advice(&mut self, sign: Option<Sign>, title: Word, more: Word) {
        let theme = self.theme;
        if let Some(sign) = sign {
            self.seal(&sign, self.seal_place(), theme.text, theme.background);
        }
        let parts = [
            self.headline(self.say(title), theme.text, 0.0),
            self.sentence(self.say(more), theme.text_soft, 26.0),
        ];
        self.message(&parts);
    }

    /// The welcome of `name`.
    pub(super) fn greeting(&mut self, preview: &Preview<'_>, name: &str, one_in: Option<u64>) {
        let theme = self.theme;
        self.live(Some(preview), Around::Whole(theme.accent));
        self.seal(
            &Sign::Check,
            self.seal_place(),
            theme.accent,
            theme.on_accent,
        );
        let mut parts = vec![
            self.sentence(self.say(Word::Welcome), theme.accent, 0.0),
            self.headline(name, theme.text, 20.0),
        ];
        if let Some(count) = one_in {
            let count = grouped(count);
            let note = self.kit.words.fill(Word::OneIn, &[("count", &count)]);
            parts.push(self.note(&note, 28.0));
        }
        self.message(&parts);
    }

    /// The answer to a stranger.
    pub(super) fn unknown(&mut self, preview: &Preview<'_>) {
        let theme = self.theme;
        self.live(Some(preview), Around::Whole(theme.unknown));
        let place = self.seal_place();
        self.seal(&Sign::Question, place, theme.unknown, theme.on_signal);
        let parts = [
            self.headline(self.say(Word::Unknown), theme.text, 0.0),
            self.sentence(self.say(Word::UnknownMore), theme.text_soft, 26.0),
        ];
        self.message(&parts);
    }

    /// Neither known nor unknown.
    pub(super) fn not_sure(&mut self, preview: &Preview<'_>) {
        self.live(Some(preview), Around::Quiet);
        self.advice(Some(Sign::Closer), Word::NotSure, Word::NotSureMore);
    }

    /// A liveness check, or the announcement of one.
    pub(super) fn check(&mut self, preview: &Preview<'_>, prompt: Prompt, progress: f32) {
        let theme = self.theme;
        let (title, more) = match prompt {
            Prompt::HoldStill => (Word::HoldStill, Word::CheckMore),
            Prompt::Blink => (Word::Blink, Word::CheckMore),
            Prompt::TurnLeft => (Word::TurnLeft, Word::CheckMore),
            Prompt::TurnRight => (Word::TurnRight, Word::CheckMore),
            Prompt::Flash(_) => (Word::FlashSoon, Word::FlashSoonMore),
        };
        match prompt {
            Prompt::TurnLeft | Prompt::TurnRight => {
                let (at, arrow) = if prompt == Prompt::TurnLeft {
                    (0.75, Sign::Arrow(6))
                } else {
                    (0.25, Sign::Arrow(2))
                };
                let held = progress;
                self.live(Some(preview), Around::Side { at, held });
                self.seal(&arrow, at, theme.text, theme.background);
                let parts = [
                    self.headline(self.say(title), theme.text, 0.0),
                    self.sentence(self.say(more), theme.text_soft, 26.0),
                ];
                self.message(&parts);
            }
            Prompt::HoldStill | Prompt::Blink | Prompt::Flash(_) => {
                self.live(Some(preview), Around::Progress(progress));
                let sign = match prompt {
                    Prompt::Blink => Some(Sign::ClosedEye),
                    Prompt::Flash(_) => Some(Sign::Sun),
                    _ => None,
                };
                self.advice(sign, title, more);
            }
        }
    }

    /// The whole screen in one color: as much light as there is, the face small in the middle.
    pub(super) fn flash(&mut self, preview: &Preview<'_>, color: [u8; 3]) {
        use embedded_graphics::pixelcolor::Rgb888;

        let [red, green, blue] = color;
        let color = Rgb888::new(red, green, blue);
        self.scene.background = color;
        let size = self.layout.size;
        let radius = self.px(118.0);
        let circle = Disc {
            x: size.width as f32 / 2.0,
            y: size.height as f32 / 2.0 - self.px(24.0),
            radius,
        };
        let (dark, light) = (Rgb888::new(0x0B, 0x10, 0x14), Rgb888::new(0xFF, 0xFF, 0xFF));
        let letters = if super::theme::contrast(color, dark) >= super::theme::contrast(color, light)
        {
            dark
        } else {
            light
        };
        // No box here: its white corners would be all that the eye follows.
        let preview = Preview {
            face: None,
            ..*preview
        };
        self.picture(&preview, circle);
        let line = self.fitted(
            self.say(Word::FlashNow),
            Typeface::Display,
            (34.0, 20.0),
            size.width as f32 - self.px(64.0),
            1,
        );
        let below = circle.y + radius + self.px(30.0);
        self.text(&line, (circle.x, below), 0.5, letters);
    }

    /// Pictures are being recorded.
    pub(super) fn recording(&mut self, preview: &Preview<'_>, elapsed: Duration) {
        let theme = self.theme;
        self.live(Some(preview), Around::Whole(theme.recording));
        let place = self.seal_place();
        self.seal(&Sign::Record, place, theme.recording, theme.on_signal);
        let time = minutes(elapsed);
        let more = self.kit.words.fill(Word::RecordingMore, &[("time", &time)]);
        let parts = [
            self.headline(self.say(Word::Recording), theme.text, 0.0),
            self.sentence(&more, theme.text_soft, 26.0),
        ];
        self.message(&parts);
    }

    /// Enrollment under way, `done` of `wanted` templates taken.
    pub(super) fn enrolling(
        &mut self,
        preview: &Preview<'_>,
        name: &str,
        (done, wanted): (usize, usize),
    ) {
        let theme = self.theme;
        let share = done as f32 / wanted.max(1) as f32;
        self.live(Some(preview), Around::Progress(share));
        let parts = [
            self.sentence(self.say(Word::Enrolling), theme.accent, 0.0),
            self.headline(name, theme.text, 20.0),
            self.sentence(self.say(Word::EnrollingMore), theme.text_soft, 24.0),
        ];
        let end = self.message(&parts);
        self.pips(end + self.px(30.0), (done, wanted));
    }

    /// `done` of `wanted` as full and empty dots below a message.
    pub(super) fn pips(&mut self, top: f32, (done, wanted): (usize, usize)) {
        let (step, radius) = (self.px(24.0), self.px(6.5));
        let column = self.layout.column;
        let width = step * wanted.saturating_sub(1) as f32 + 2.0 * radius;
        let mut x = column.top_left.x as f32 + radius;
        if self.layout.upright {
            x += (column.size.width as f32 - width) / 2.0;
        }
        for pip in 0..wanted {
            let disc = Disc {
                x: x + pip as f32 * step,
                y: top + radius,
                radius,
            };
            let color = if pip < done {
                self.theme.accent
            } else {
                self.theme.line
            };
            self.fill(disc, color, 1.0);
        }
    }

    /// The end of an enrollment.
    pub(super) fn enrolled(&mut self, preview: Option<&Preview<'_>>, name: &str) {
        let theme = self.theme;
        self.live(preview, Around::Whole(theme.accent));
        self.seal(
            &Sign::Check,
            self.seal_place(),
            theme.accent,
            theme.on_accent,
        );
        let parts = [
            self.sentence(self.say(Word::Enrolled), theme.accent, 0.0),
            self.headline(name, theme.text, 20.0),
            self.sentence(self.say(Word::EnrolledMore), theme.text_soft, 24.0),
        ];
        self.message(&parts);
    }
}

/// A count with its thousands apart, by a narrow gap that reads in every language.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    grouped
}

/// Minutes and seconds, as in 2:05.
pub(super) fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1000), "1\u{a0}000");
        assert_eq!(grouped(1_234_567), "1\u{a0}234\u{a0}567");
        assert_eq!(minutes(Duration::from_millis(125_900)), "2:05");
    }
}
