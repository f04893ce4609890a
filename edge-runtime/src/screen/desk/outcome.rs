//! How it ended: somebody was enrolled, or it did not work and nothing was kept.

use super::super::control::{Control, Rank};
use super::super::layout::{BUTTON, Layout, split_below};
use super::super::painter::{Kit, Painter};
use super::super::preview::Preview;
use super::super::shape::Disc;
use super::super::text::Typeface;
use super::super::words::Word;
use crate::input::Input;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

pub(super) fn done_controls(kit: &Kit) -> Vec<Control> {
    let area = super::below_message(kit, 180.0);
    vec![Control::words(
        area,
        kit.words.say(Word::Done),
        Rank::First,
        Input::Enter,
    )]
}

fn failed_places(layout: &Layout) -> (Rectangle, Rectangle) {
    let (rest, foot) = layout.foot(layout.content, BUTTON);
    let width = (layout.px(220.0) as u32).min(foot.size.width);
    let left = foot.size.width - width;
    let button = Rectangle::new(
        foot.top_left + Point::new(left as i32, 0),
        Size::new(width, foot.size.height),
    );
    (rest, button)
}

pub(super) fn failed_controls(kit: &Kit) -> Vec<Control> {
    let (_, button) = failed_places(&kit.layout);
    vec![Control::words(
        button,
        kit.words.say(Word::Close),
        Rank::First,
        Input::Enter,
    )]
}

impl Painter<'_> {
    /// Draws the end of an enrollment at the desk.
    pub(super) fn done(&mut self, preview: Option<&Preview<'_>>, name: &str) {
        self.enrolled(preview, name);
    }

    /// Draws what happened and what to do.
    pub(super) fn failed(&mut self, cause: &str, remedy: &str) {
        let theme = self.theme;
        let (area, _) = failed_places(&self.layout);
        let radius = self.px(28.0);
        let (left, top) = (area.top_left.x as f32, area.top_left.y as f32);
        let middle = top + self.px(12.0) + radius;
        self.warning(Disc {
            x: left + radius,
            y: middle,
            radius,
        });
        let beside = left + 2.0 * radius + self.px(22.0);
        let room = area.size.width as f32 - 2.0 * radius - self.px(22.0);
        let title = self.fitted(
            self.say(Word::FailedTitle),
            Typeface::Display,
            (34.0, 22.0),
            room,
            1,
        );
        let note = self.fitted(
            self.say(Word::FailedMore),
            Typeface::Text,
            (18.0, 14.0),
            room,
            1,
        );
        let gap = self.px(14.0);
        let first = middle - (title.optical_height() + gap + note.optical_height()) / 2.0;
        self.text(&title, (beside, first), 0.0, theme.text);
        let second = first + title.optical_height() + gap;
        self.text(&note, (beside, second), 0.0, theme.text_soft);
        let (_, cards) = split_below(area, middle + radius + self.px(20.0) - top);
        let most = self.px(if self.layout.upright { 360.0 } else { 280.0 });
        let (cards, _) = split_below(cards, most);
        let texts = [
            (Word::FaultCause, cause, theme.fault),
            (Word::FaultRemedy, remedy, theme.accent),
        ];
        for (area, (label, text, color)) in self.layout.grid(cards, 1, 2).into_iter().zip(texts) {
            self.card(area, self.say(label), text, color);
        }
    }
}
