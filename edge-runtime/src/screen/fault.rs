//! Something is broken: what, and what to do, for whoever looks after the kiosk.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::layout::Painter;
use super::shape::RoundRect;
use super::sign::Sign;
use super::text::{Paragraph, Typeface};
use super::theme;

impl Painter<'_> {
    /// Draws the fault with its cause and its remedy.
    pub(super) fn fault(&mut self, cause: &str, remedy: &str) {
        let margin = self.px(48.0);
        let (width, height) = (
            self.layout.size.width as f32,
            self.layout.size.height as f32,
        );
        let radius = self.px(36.0);
        Sign::Alert.draw(
            &mut self.canvas,
            self.fonts,
            (margin + radius, margin + radius),
            radius,
        );
        let beside = margin + 2.0 * radius + self.px(24.0);
        let title = self.line("Out of service", Typeface::Display, 40.0);
        let note = self.line(
            "Please fetch whoever looks after this device",
            Typeface::Text,
            19.0,
        );
        let lines_height = title.height() + self.px(6.0) + note.height();
        let top = margin + radius - lines_height / 2.0 + self.px(4.0);
        self.fonts
            .draw(&mut self.canvas, &title, beside, top, 0.0, theme::TEXT);
        let below = top + title.height() + self.px(8.0);
        self.fonts.draw(
            &mut self.canvas,
            &note,
            beside,
            below,
            0.0,
            theme::TEXT_SOFT,
        );

        let (above, gap) = (margin + 2.0 * radius + self.px(32.0), self.px(16.0));
        let card_height = (height - above - margin - gap) / 2.0;
        for (row, (label, text, color)) in [
            ("What happened", cause, theme::FAULT),
            ("What to do", remedy, theme::ACCENT),
        ]
        .into_iter()
        .enumerate()
        {
            let top = above + row as f32 * (card_height + gap);
            let area = Rectangle::new(
                Point::new(margin.round() as i32, top.round() as i32),
                Size::new(
                    (width - 2.0 * margin).round() as u32,
                    card_height.round() as u32,
                ),
            );
            self.card(area, label, text, color);
        }
    }

    fn card(
        &mut self,
        area: Rectangle,
        label: &str,
        text: &str,
        color: embedded_graphics::pixelcolor::Rgb888,
    ) {
        self.canvas
            .fill(&RoundRect::new(area, self.px(20.0)), theme::SURFACE, 1.0);
        let inset = self.px(24.0);
        let label = self.line(label, Typeface::Text, 17.0);
        let text = &sentence(text);
        let inside = area.size.width as f32 - 2.0 * inset;
        let text = self.fonts.fit(
            text,
            Typeface::Text,
            (self.px(21.0), self.px(16.0)),
            inside,
            3,
        );
        let block = label.height() + self.px(12.0) + text.height();
        let left = area.top_left.x as f32 + inset;
        let top = area.top_left.y as f32 + (area.size.height as f32 - block) / 2.0 + self.px(3.0);
        self.fonts
            .draw(&mut self.canvas, &label, left, top, 0.0, color);
        let below = top + label.height() + self.px(12.0);
        self.fonts
            .draw(&mut self.canvas, &text, left, below, 0.0, theme::TEXT);
    }

    fn line(&self, text: &str, typeface: Typeface, size: f32) -> Paragraph {
        let width = self.layout.size.width as f32 - 2.0 * self.px(96.0);
        self.fonts
            .fit(text, typeface, (self.px(size), self.px(14.0)), width, 1)
    }
}

/// Messages begin in lower case, as they are parts of longer ones; alone on a card they are sentences.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
