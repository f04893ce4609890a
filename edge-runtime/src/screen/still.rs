//! The views without a live picture: idle, out of service, updating.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::split_below;
use super::painter::{Painter, SENTENCE};
use super::shape::{Arc, Disc, Ring, RoundRect};
use super::text::Typeface;
use super::words::Word;

/// The largest logo on the idle screen, for 800x480.
pub(super) const LOGO: (f32, f32) = (420.0, 96.0);

impl Painter<'_> {
    /// The screen that waits, moved by `shift` pixels against burn-in.
    ///
    /// `badged` says that badges stand at its foot.
    pub(super) fn idle(&mut self, time_of_day: Option<&str>, badged: bool, shift: (f32, f32)) {
        let theme = self.theme;
        let (width, height) = (
            self.layout.size.width as f32,
            self.layout.size.height as f32,
        );
        let x = width / 2.0 + shift.0;
        let room = width - self.px(64.0);
        let head = match time_of_day {
            Some(time) => self.fitted(time, Typeface::Display, (128.0, 60.0), room, 1),
            None => self.fitted(
                self.say(Word::IdleTitle),
                Typeface::Display,
                (64.0, 30.0),
                room,
                2,
            ),
        };
        let invitation = self.fitted(
            self.say(Word::IdleInvitation),
            Typeface::Text,
            (23.0, 16.0),
            room,
            2,
        );
        let (mark, gap, below) = match time_of_day {
            Some(_) => (self.px(64.0), self.px(42.0), self.px(38.0)),
            None => (self.px(108.0), self.px(44.0), self.px(30.0)),
        };
        let mark = self
            .kit
            .logo
            .as_ref()
            .map_or(mark, |logo| logo.size().height as f32);
        let block = mark + gap + head.optical_height() + below + invitation.optical_height();
        let above = self.px(if badged { 38.0 } else { 12.0 });
        let mut top = (height - block) / 2.0 - above + shift.1;
        if let Some(logo) = self.kit.logo.clone() {
            let size = logo.size();
            let corner = (x - size.width as f32 / 2.0).round() as i32;
            let area = Rectangle::new(Point::new(corner, top.round() as i32), size);
            self.logo(&logo, area);
        } else {
            let radius = mark / 2.0;
            let y = top + radius;
            self.mark(Disc { x, y, radius }, theme.accent);
        }
        top += mark + gap;
        self.text(&head, (x, top), 0.5, theme.text);
        top += head.optical_height() + below;
        self.text(&invitation, (x, top), 0.5, theme.text_soft);
        let promise = self.fitted(
            self.say(Word::IdlePromise),
            Typeface::Text,
            (15.0, 13.0),
            room,
            1,
        );
        let bottom = height - self.px(32.0) - promise.optical_height() + shift.1;
        self.text(&promise, (x, bottom), 0.5, theme.text_quiet);
    }

    /// Something is broken: what, and what to do, for whoever looks after the kiosk.
    pub(super) fn fault(&mut self, cause: &str, remedy: &str, shift: (f32, f32)) {
        let theme = self.theme;
        let mut content = self.layout.content;
        content.top_left += Point::new(shift.0 as i32, shift.1 as i32);
        let radius = self.px(32.0);
        let (left, top) = (content.top_left.x as f32, content.top_left.y as f32);
        let middle = top + self.px(20.0) + radius;
        self.warning(Disc {
            x: left + radius,
            y: middle,
            radius,
        });
        let beside = left + 2.0 * radius + self.px(24.0);
        let room = content.size.width as f32 - 2.0 * radius - self.px(24.0);
        let title = self.fitted(
            self.say(Word::FaultTitle),
            Typeface::Display,
            (38.0, 24.0),
            room,
            1,
        );
        let note = self.fitted(
            self.say(Word::FaultMore),
            Typeface::Text,
            (18.0, 14.0),
            room,
            2,
        );
        let gap = self.px(16.0);
        let height = title.optical_height() + gap + note.optical_height();
        let first = middle - height / 2.0;
        self.text(&title, (beside, first), 0.0, theme.text);
        let second = first + title.optical_height() + gap;
        self.text(&note, (beside, second), 0.0, theme.text_soft);

        let below = middle + radius + self.px(28.0) - top;
        let (_, cards) = split_below(content, below);
        let most = self.px(if self.layout.upright { 420.0 } else { 320.0 });
        let (cards, _) = split_below(cards, most);
        let fields = self.layout.grid(cards, 1, 2);
        let texts = [
            (Word::FaultCause, cause, theme.fault),
            (Word::FaultRemedy, remedy, theme.accent),
        ];
        for (area, (label, text, color)) in fields.into_iter().zip(texts) {
            self.card(area, self.say(label), text, color);
        }
    }

    /// A card with a label and a text.
    pub(super) fn card(&mut self, area: Rectangle, label: &str, text: &str, color: Rgb888) {
        let theme = self.theme;
        self.fill(RoundRect::new(area, self.px(20.0)), theme.surface, 1.0);
        let inset = self.px(24.0);
        let inside = area.size.width as f32 - 2.0 * inset;
        let label = self.fitted(label, Typeface::Text, (16.0, 14.0), inside, 1);
        let lines = ((area.size.height as f32 - self.px(80.0)) / self.px(28.0)).max(2.0) as usize;
        let text = self.fitted(&sentence(text), Typeface::Text, SENTENCE, inside, lines);
        let gap = self.px(20.0);
        let block = label.optical_height() + gap + text.optical_height();
        let left = area.top_left.x as f32 + inset;
        let top = area.top_left.y as f32 + (area.size.height as f32 - block) / 2.0;
        self.text(&label, (left, top), 0.0, color);
        let below = top + label.optical_height() + gap;
        self.text(&text, (left, below), 0.0, theme.text);
    }

    /// The device changes its own software, `progress` 0 to 1.
    pub(super) fn updating(&mut self, progress: f32, shift: (f32, f32)) {
        let theme = self.theme;
        let (width, height) = (
            self.layout.size.width as f32,
            self.layout.size.height as f32,
        );
        let room = width - self.px(64.0);
        let title = self.fitted(
            self.say(Word::Updating),
            Typeface::Display,
            (40.0, 24.0),
            room,
            1,
        );
        let more = self.fitted(
            self.say(Word::UpdatingMore),
            Typeface::Text,
            (21.0, 16.0),
            room,
            2,
        );
        let (radius, stroke) = (self.px(78.0), self.px(9.0));
        let (gap, below) = (self.px(40.0), self.px(22.0));
        let block = 2.0 * radius + gap + title.optical_height() + below + more.optical_height();
        let mut top = (height - block) / 2.0 + shift.1;
        let circle = Disc {
            x: width / 2.0 + shift.0,
            y: top + radius,
            radius: radius - stroke / 2.0,
        };
        let width = stroke;
        self.fill(Ring { circle, width }, theme.line, 1.0);
        let share = progress.clamp(0.0, 1.0);
        if share > 0.0 {
            self.fill(Arc::new(circle, 0.0, share, width), theme.accent, 1.0);
        }
        let percent = format!("{} %", (share * 100.0).floor());
        let percent = self.fitted(&percent, Typeface::Display, (38.0, 20.0), radius * 1.6, 1);
        let middle = circle.y - percent.optical_height() / 2.0;
        self.text(&percent, (circle.x, middle), 0.5, theme.text);
        top += 2.0 * radius + gap;
        self.text(&title, (circle.x, top), 0.5, theme.text);
        top += title.optical_height() + below;
        self.text(&more, (circle.x, top), 0.5, theme.text_soft);
    }
}

/// Messages begin in lower case, as they are parts of longer ones; alone on a card they are sentences.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
