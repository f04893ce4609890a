//! The operator's desk on the screen: what is read, and what is touched, view by view.

mod consent;
mod guided;
mod name;
mod outcome;
mod pin;
mod question;

use embedded_graphics::primitives::Rectangle;

use super::control::{Control, Rank};
use super::layout::BUTTON;
use super::painter::{Kit, Painter};
use super::preview::Preview;
use super::text::Typeface;
use super::words::Word;
use crate::desk::view::DeskView;
use crate::input::Input;

/// What can be touched while `view` is shown.
pub(super) fn controls(kit: &Kit, view: &DeskView) -> Vec<Control> {
    match view {
        DeskView::Pin { .. } => pin::controls(kit),
        DeskView::Question { choices, .. } => question::controls(kit, choices),
        DeskView::Name {
            capitals, signs, ..
        } => name::controls(kit, *capitals, *signs),
        DeskView::Consent { text, page, .. } => consent::controls(kit, text, *page),
        DeskView::Guided { .. } => guided::controls(kit),
        DeskView::Done { .. } => outcome::done_controls(kit),
        DeskView::Failed { .. } => outcome::failed_controls(kit),
    }
}

pub(super) use consent::pages as consent_pages;

impl Painter<'_> {
    /// Draws a view of the desk, with the live picture where it has a place for one.
    pub(super) fn desk(&mut self, view: &DeskView, preview: Option<&Preview<'_>>) {
        match view {
            DeskView::Pin { typed, refusal } => self.pin(*typed, *refusal),
            DeskView::Question { title, body, .. } => self.question(title, body),
            DeskView::Name { text, problem, .. } => self.name(text, problem.as_deref()),
            DeskView::Consent { name, text, page } => self.consent(name, text, *page),
            DeskView::Guided {
                name,
                pose,
                hint,
                done,
                wanted,
                held,
                left,
            } => {
                let progress = guided::Progress {
                    pose: *pose,
                    hint: *hint,
                    steps: (*done, *wanted),
                    held: *held,
                    left: *left,
                };
                self.guided(preview, name, &progress);
            }
            DeskView::Done { name } => self.done(preview, name),
            DeskView::Failed { cause, remedy } => self.failed(cause, remedy),
        }
        let controls = controls(self.kit, view);
        self.controls(&controls);
    }

    /// A title and a sentence below it at the top of `area`; returns where they end.
    fn heading(&mut self, area: Rectangle, title: &str, sentence: &str) -> f32 {
        let theme = self.theme;
        let width = area.size.width as f32;
        let title = self.fitted(title, Typeface::Display, super::painter::TITLE, width, 3);
        let (left, mut top) = (
            area.top_left.x as f32,
            area.top_left.y as f32 + self.px(12.0),
        );
        self.text(&title, (left, top), 0.0, theme.text);
        top += title.optical_height();
        if !sentence.is_empty() {
            let sentence = self.fitted(sentence, Typeface::Text, (19.0, 15.0), width, 6);
            top += self.px(22.0);
            self.text(&sentence, (left, top), 0.0, theme.text_soft);
            top += sentence.optical_height();
        }
        top
    }
}

/// The way out, at the foot of the pane that is read.
fn cancel(kit: &Kit, area: Rectangle) -> Control {
    Control::words(
        area,
        kit.words.say(Word::Cancel),
        Rank::Quiet,
        Input::Cancel,
    )
}

/// A button of its own at the foot of the message of a live view, for 800x480 so wide.
fn below_message(kit: &Kit, width: f32) -> Rectangle {
    use embedded_graphics::prelude::*;

    let layout = &kit.layout;
    let (_, foot) = layout.foot(layout.column, BUTTON);
    let width = (layout.px(width).round() as u32).min(foot.size.width);
    let indent = if layout.upright {
        (foot.size.width - width) / 2
    } else {
        0
    };
    Rectangle::new(
        foot.top_left + Point::new(indent as i32, 0),
        Size::new(width, foot.size.height),
    )
}
