//! Where things stand: a preview on the left, one message on the right, scaled to the screen.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::sign::Sign;
use super::text::{Fonts, Paragraph, Typeface};
use super::theme;

/// Places on a screen of one size; lengths are written for 800x480 and grow with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The whole screen in pixels.
    pub size: Size,
    /// Pixels per length written for 800x480.
    pub unit: f32,
    /// The camera preview.
    pub preview: Rectangle,
    /// The message beside it.
    pub column: Rectangle,
}

impl Layout {
    /// Lays out a screen of `size` pixels.
    pub fn new(size: Size) -> Self {
        let (width, height) = (size.width as f32, size.height as f32);
        let unit = (width / 800.0).min(height / 480.0);
        let (margin, gap) = (24.0 * unit, 34.0 * unit);
        let inner = (width - 2.0 * margin - gap, height - 2.0 * margin);
        let preview_width = (inner.0 * 0.575).min(inner.1 * 1.2);
        let place = |left: f32, width: f32| {
            Rectangle::new(
                Point::new(left.round() as i32, margin.round() as i32),
                Size::new(width.round() as u32, inner.1.round() as u32),
            )
        };
        Self {
            size,
            unit,
            preview: place(margin, preview_width),
            column: place(margin + preview_width + gap, inner.0 - preview_width),
        }
    }
}

/// One paragraph of a message.
pub(super) struct Part {
    pub(super) paragraph: Paragraph,
    pub(super) color: Rgb888,
    /// Distance to what stands above it, for 800x480.
    pub(super) gap: f32,
}

/// Canvas, fonts and places of the screen being drawn.
pub(super) struct Painter<'a> {
    pub(super) canvas: Canvas,
    pub(super) fonts: &'a Fonts,
    pub(super) layout: Layout,
}

impl<'a> Painter<'a> {
    pub(super) fn new(fonts: &'a Fonts, layout: Layout) -> Self {
        Self {
            canvas: Canvas::new(layout.size, theme::BACKGROUND),
            fonts,
            layout,
        }
    }

    /// `length` for 800x480 in pixels of this screen.
    pub(super) fn px(&self, length: f32) -> f32 {
        length * self.layout.unit
    }

    /// A headline as wide as the column: large, few lines, shrinking before it wraps badly.
    pub(super) fn headline(&self, text: &str, color: Rgb888, gap: f32) -> Part {
        let width = self.layout.column.size.width as f32;
        let paragraph = self.fonts.fit(
            text,
            Typeface::Display,
            (self.px(46.0), self.px(24.0)),
            width,
            4,
        );
        Part {
            paragraph,
            color,
            gap,
        }
    }

    /// A sentence as wide as the column.
    pub(super) fn sentence(&self, text: &str, color: Rgb888, gap: f32) -> Part {
        let width = self.layout.column.size.width as f32;
        let paragraph = self.fonts.fit(
            text,
            Typeface::Text,
            (self.px(21.0), self.px(17.0)),
            width,
            4,
        );
        Part {
            paragraph,
            color,
            gap,
        }
    }

    /// Stacks a sign and the parts below it in the middle of the column's height, aligned to its left.
    pub(super) fn message(&mut self, sign: &Sign, parts: &[Part]) {
        let column = self.layout.column;
        let diameter = self.px(88.0);
        let height = diameter
            + parts
                .iter()
                .map(|part| self.px(part.gap) + part.paragraph.height())
                .sum::<f32>();
        let left = column.top_left.x as f32;
        let mut top = column.top_left.y as f32 + (column.size.height as f32 - height) / 2.0;
        let radius = diameter / 2.0;
        sign.draw(
            &mut self.canvas,
            self.fonts,
            (left + radius, top + radius),
            radius,
        );
        top += diameter;
        for part in parts {
            top += self.px(part.gap);
            self.fonts.draw(
                &mut self.canvas,
                &part.paragraph,
                left,
                top,
                0.0,
                part.color,
            );
            top += part.paragraph.height();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_keeps_a_margin() {
        for (width, height) in [
            (800, 480),
            (1024, 600),
            (1280, 720),
            (1280, 800),
            (1920, 480),
        ] {
            let layout = Layout::new(Size::new(width, height));
            let margin = (20.0 * layout.unit) as i32;
            let safe = Rectangle::new(Point::zero(), layout.size).offset(-margin);
            for (name, area) in [("preview", layout.preview), ("column", layout.column)] {
                assert_eq!(area.intersection(&safe), area, "{name} at {width}x{height}");
            }
            assert!(
                layout.preview.intersection(&layout.column).is_zero_sized(),
                "{width}x{height}"
            );
            assert!(
                layout.column.size.width as f32 >= 280.0 * layout.unit,
                "{width}x{height}"
            );
        }
    }
}
