//! Nobody is there: the kiosk's name, its mark, and an invitation.

use super::layout::Painter;
use super::shape::Disc;
use super::sign;
use super::text::Typeface;
use super::theme;

impl Painter<'_> {
    /// Draws the screen that waits.
    pub(super) fn idle(&mut self) {
        let (width, height) = (
            self.layout.size.width as f32,
            self.layout.size.height as f32,
        );
        let (x, unit) = (width / 2.0, self.layout.unit);
        let line = |painter: &Self, text: &str, typeface, size: f32| {
            painter.fonts.fit(
                text,
                typeface,
                (painter.px(size), painter.px(14.0)),
                width - painter.px(96.0),
                1,
            )
        };
        let name = line(self, "Usher", Typeface::Display, 64.0);
        let invitation = line(
            self,
            "Look at the camera and I will greet you",
            Typeface::Text,
            22.0,
        );
        let promise = line(self, "Faces never leave this device", Typeface::Text, 15.0);
        let radius = 54.0 * unit;
        let block = 2.0 * radius + 40.0 * unit + name.height() + 20.0 * unit + invitation.height();
        let mut top = (height - block) / 2.0 - 14.0 * unit;
        sign::mark(
            &mut self.canvas,
            Disc {
                x,
                y: top + radius,
                radius,
            },
            theme::ACCENT,
        );
        top += 2.0 * radius + 40.0 * unit;
        self.fonts
            .draw(&mut self.canvas, &name, x, top, 0.5, theme::TEXT);
        top += name.height() + 20.0 * unit;
        self.fonts
            .draw(&mut self.canvas, &invitation, x, top, 0.5, theme::TEXT_SOFT);
        let bottom = height - 30.0 * unit - promise.height();
        self.fonts.draw(
            &mut self.canvas,
            &promise,
            x,
            bottom,
            0.5,
            theme::TEXT_QUIET,
        );
    }
}
