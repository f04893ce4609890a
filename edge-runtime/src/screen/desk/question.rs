//! One of several things is chosen.

use embedded_graphics::primitives::Rectangle;

use super::super::control::{Control, Rank};
use super::super::layout::{BUTTON, GAP, Layout, middle};
use super::super::painter::{Kit, Painter};
use crate::input::Input;

/// The highest button of a choice, for 800x480.
const CHOICE: f32 = 76.0;

struct Places {
    read: Rectangle,
    choices: Rectangle,
    cancel: Rectangle,
}

fn places(layout: &Layout, choices: usize) -> Places {
    let (read, chosen, cancel) = if layout.upright {
        let (content, cancel) = layout.foot(layout.content, BUTTON);
        let count = choices.max(1) as f32;
        let height = (count * (CHOICE + GAP)).min(400.0);
        let (read, chosen) = layout.foot(content, height);
        (read, chosen, cancel)
    } else {
        let (left, right) = layout.panes(0.0);
        let (read, cancel) = layout.foot(left, BUTTON);
        (read, right, cancel)
    };
    let count = choices.max(1) as f32;
    let height = layout.px(count * (CHOICE + GAP) - GAP);
    Places {
        read,
        choices: middle(chosen, height),
        cancel,
    }
}

pub(super) fn controls(kit: &Kit, choices: &[String]) -> Vec<Control> {
    let places = places(&kit.layout, choices.len());
    let mut controls: Vec<Control> = kit
        .layout
        .grid(places.choices, 1, choices.len().max(1))
        .into_iter()
        .zip(choices)
        .enumerate()
        .map(|(index, (area, choice))| {
            Control::words(area, choice, Rank::Plain, Input::Choice(index))
        })
        .collect();
    controls.push(super::cancel(kit, places.cancel));
    controls
}

impl Painter<'_> {
    /// Draws what is asked; the choices are controls.
    pub(super) fn question(&mut self, title: &str, body: &str) {
        let read = places(&self.layout, 1).read;
        self.heading(read, title, body);
    }
}
