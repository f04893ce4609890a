//! The operator's PIN: dots for what was typed, and keys as on a telephone.

use embedded_graphics::primitives::Rectangle;

use super::super::control::{Control, Face, Rank};
use super::super::layout::{BUTTON, Layout, middle};
use super::super::live::minutes;
use super::super::painter::{Kit, Painter};
use super::super::shape::{Disc, Ring};
use super::super::sign::Sign;
use super::super::text::Typeface;
use super::super::words::Word;
use crate::desk::view::PinRefusal;
use crate::input::Input;

/// As many dots as fit; a longer PIN shows no more.
const MOST_DOTS: usize = 12;

struct Places {
    read: Rectangle,
    keys: Rectangle,
    cancel: Rectangle,
}

fn places(layout: &Layout) -> Places {
    if layout.upright {
        let (content, cancel) = layout.foot(layout.content, BUTTON);
        let keys_height = 388.0;
        let (read, keys) = layout.foot(content, keys_height);
        Places { read, keys, cancel }
    } else {
        let (left, keys) = layout.panes(0.0);
        let (read, cancel) = layout.foot(left, BUTTON);
        let keys = middle(keys, layout.px(400.0));
        Places { read, keys, cancel }
    }
}

pub(super) fn controls(kit: &Kit) -> Vec<Control> {
    let places = places(&kit.layout);
    let mut controls: Vec<Control> = kit
        .layout
        .grid(places.keys, 3, 4)
        .into_iter()
        .zip("123456789<0>".chars())
        .map(|(area, key)| match key {
            '<' => Control::sign(area, Sign::Backspace, Rank::Plain, Input::Backspace),
            '>' => Control::sign(area, Sign::Check, Rank::First, Input::Enter),
            digit => Control {
                area,
                face: Face::Words(digit.to_string(), 32.0),
                rank: Rank::Plain,
                input: Input::Character(digit),
            },
        })
        .collect();
    controls.push(super::cancel(kit, places.cancel));
    controls
}

impl Painter<'_> {
    /// Draws `typed` digits and what came of the last try.
    pub(super) fn pin(&mut self, typed: usize, refusal: Option<PinRefusal>) {
        let theme = self.theme;
        let read = places(&self.layout).read;
        let end = self.heading(read, self.say(Word::PinTitle), self.say(Word::PinMore));
        let (radius, step) = (self.px(9.0), self.px(30.0));
        let left = read.top_left.x as f32;
        let shown = typed.clamp(4, MOST_DOTS);
        let step = step.min((read.size.width as f32 - 2.0 * radius) / shown.max(2) as f32);
        let y = end + self.px(52.0);
        for dot in 0..shown {
            let x = left + radius + dot as f32 * step;
            if dot < typed {
                self.fill(Disc { x, y, radius }, theme.text, 1.0);
            } else {
                let width = self.px(2.0);
                let circle = Disc {
                    x,
                    y,
                    radius: radius - width / 2.0,
                };
                self.fill(Ring { circle, width }, theme.text_quiet, 1.0);
            }
        }
        let Some(refusal) = refusal else {
            return;
        };
        let said = match refusal {
            PinRefusal::Wrong { tries_left: 1 } => self.say(Word::PinWrongOne).to_owned(),
            PinRefusal::Wrong { tries_left } => {
                let tries = tries_left.to_string();
                self.kit.words.fill(Word::PinWrong, &[("tries", &tries)])
            }
            PinRefusal::Wait { left } => {
                let time = minutes(left);
                self.kit.words.fill(Word::PinWait, &[("time", &time)])
            }
        };
        let width = read.size.width as f32 - self.px(38.0);
        let said = self.fitted(&said, Typeface::Text, (18.0, 14.0), width, 3);
        let top = y + radius + self.px(34.0);
        let disc = Disc {
            x: left + self.px(12.0),
            y: top + said.size_px * 0.36,
            radius: self.px(12.0),
        };
        self.fill(disc, theme.fault, 1.0);
        self.sign(&Sign::Alert, disc, theme.on_signal);
        self.text(&said, (left + self.px(36.0), top), 0.0, theme.fault);
    }
}
