//! What can be touched: the same list is drawn and asked where a finger went down.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::painter::Painter;
use super::shape::{Disc, Outline, RoundRect};
use super::sign::Sign;
use super::text::Typeface;
use crate::input::Input;

/// What stands on a control.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Face {
    /// Words, in a size for 800x480, in at most two lines.
    Words(String, f32),
    /// A sign.
    Sign(Sign),
}

/// How much a control stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// What most people want next.
    First,
    /// Anything else.
    Plain,
    /// The way out.
    Quiet,
    /// On, as a shift key is.
    Held,
}

/// Something that can be touched.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Control {
    pub(super) area: Rectangle,
    pub(super) face: Face,
    pub(super) rank: Rank,
    pub(super) input: Input,
}

impl Control {
    pub(super) fn words(area: Rectangle, words: &str, rank: Rank, input: Input) -> Self {
        Self {
            area,
            face: Face::Words(words.to_owned(), 21.0),
            rank,
            input,
        }
    }

    pub(super) fn sign(area: Rectangle, sign: Sign, rank: Rank, input: Input) -> Self {
        Self {
            area,
            face: Face::Sign(sign),
            rank,
            input,
        }
    }
}

/// The control that a touch at `point` means: the one it lies on, or within `slack` pixels the nearest.
pub(super) fn touched(controls: &[Control], point: Point, slack: f32) -> Option<Input> {
    let distance = |area: &Rectangle| {
        let beyond = |at: i32, from: i32, length: u32| {
            let last = from + length as i32 - 1;
            (from - at).max(at - last).max(0) as f32
        };
        let dx = beyond(point.x, area.top_left.x, area.size.width);
        let dy = beyond(point.y, area.top_left.y, area.size.height);
        dx.max(dy)
    };
    controls
        .iter()
        .map(|control| (distance(&control.area), control.input))
        .filter(|(distance, _)| *distance <= slack)
        .min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, input)| input)
}

impl Painter<'_> {
    pub(super) fn controls(&mut self, controls: &[Control]) {
        for control in controls {
            self.control(control);
        }
    }

    fn control(&mut self, control: &Control) {
        let theme = *self.theme;
        let shape = RoundRect::new(control.area, self.px(14.0));
        let color = match control.rank {
            Rank::First => {
                self.fill(shape, theme.accent, 1.0);
                theme.on_accent
            }
            Rank::Plain => {
                self.fill(shape, theme.surface, 1.0);
                theme.text
            }
            Rank::Quiet => {
                let width = self.px(1.5);
                let of = RoundRect {
                    left: shape.left + width / 2.0,
                    top: shape.top + width / 2.0,
                    width: shape.width - width,
                    height: shape.height - width,
                    radius: shape.radius,
                };
                self.fill(Outline { of, width }, theme.line, 1.0);
                theme.text_soft
            }
            Rank::Held => {
                self.fill(shape, theme.text, 1.0);
                theme.background
            }
        };
        match &control.face {
            Face::Words(words, size) => {
                let room = control.area.size.width as f32 - self.px(16.0);
                let typeface = if *size > 22.0 {
                    Typeface::Display
                } else {
                    Typeface::Text
                };
                let sizes = (size * 0.82, size.min(14.0));
                let lines = if control.area.size.height as f32 >= self.px(54.0) {
                    2
                } else {
                    1
                };
                // One line a little smaller looks calmer than two.
                let one = self.fitted(words, typeface, (*size, size * 0.8), room, 1);
                let label = if one.width() <= room && !one.lines.iter().any(|l| l.ends_with('…'))
                {
                    one
                } else {
                    self.fitted(words, typeface, sizes, room, lines)
                };
                self.text_in(&label, control.area, color);
            }
            Face::Sign(sign) => {
                let center = control.area.center();
                let disc = Disc {
                    x: center.x as f32 + 0.5,
                    y: center.y as f32 + 0.5,
                    radius: self.px(22.0),
                };
                self.sign(sign, disc, color);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_touch_means_what_it_lies_on_or_the_nearest() {
        let control = |x, input| {
            let area = Rectangle::new(Point::new(x, 0), Size::new(60, 60));
            Control::sign(area, Sign::Check, Rank::Plain, input)
        };
        let controls = [control(0, Input::Enter), control(70, Input::Cancel)];
        for (name, x, y, expected) in [
            ("on the first", 30, 30, Some(Input::Enter)),
            ("its last pixel", 59, 59, Some(Input::Enter)),
            ("between, nearer the first", 62, 30, Some(Input::Enter)),
            ("between, nearer the second", 67, 30, Some(Input::Cancel)),
            ("below", 30, 64, Some(Input::Enter)),
            ("far below", 30, 80, None),
            ("outside the screen", -40, -40, None),
        ] {
            assert_eq!(
                touched(&controls, Point::new(x, y), 6.0),
                expected,
                "{name}"
            );
        }
    }
}
