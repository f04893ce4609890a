//! The person reads what they agree to, page by page.

use std::sync::Arc;

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::super::control::{Control, Rank};
use super::super::layout::{BUTTON, Layout, split_below, split_beside};
use super::super::painter::{Kit, Painter};
use super::super::shape::RoundRect;
use super::super::sign::Sign;
use super::super::text::{Fonts, Paragraph, Typeface};
use super::super::words::Word;
use crate::input::Input;

/// Size of the text, for 800x480: small enough for a page, large enough to be read standing.
const SIZE: f32 = 18.0;
/// Height of the title.
const HEAD: f32 = 56.0;

struct Places {
    head: Rectangle,
    text: Rectangle,
    foot: Rectangle,
}

fn places(layout: &Layout) -> Places {
    let (rest, foot) = layout.foot(layout.content, BUTTON);
    let (head, text) = split_below(rest, layout.px(HEAD));
    Places { head, text, foot }
}

/// The whole text in lines, and how many of them a page holds.
fn broken(kit: &Kit, text: &str) -> (Arc<Paragraph>, usize) {
    let layout = &kit.layout;
    let area = places(layout).text;
    let size = layout.px(SIZE);
    let inset = layout.px(20.0);
    let width = area.size.width as f32 - 2.0 * inset;
    let lines = kit
        .fonts
        .fit(text.trim(), Typeface::Text, (size, size), width, usize::MAX);
    let line = Typeface::Text.line_height() * size;
    let room = area.size.height as f32 - 2.0 * layout.px(16.0) - Fonts::CAPITALS * size;
    (lines, ((room / line) as usize + 1).max(1))
}

/// How many pages `text` takes on this screen, at least 1.
pub(in super::super) fn pages(kit: &Kit, text: &str) -> usize {
    let (lines, each) = broken(kit, text);
    lines.lines.len().div_ceil(each).max(1)
}

pub(super) fn controls(kit: &Kit, text: &str, page: usize) -> Vec<Control> {
    let layout = &kit.layout;
    let foot = places(layout).foot;
    let last = pages(kit, text) - 1;
    let page = page.min(last);
    let gap = layout.px(12.0);
    let width = foot.size.width as f32;
    let button = (width * 0.30).min(layout.px(220.0));
    let (way_out, rest) = split_beside(foot, button);
    let (middle, forward) = split_beside(rest, rest.size.width as f32 - button);
    let mut controls = vec![super::cancel(kit, way_out)];
    controls.push(if page == last {
        Control::words(
            forward,
            kit.words.say(Word::Agree),
            Rank::First,
            Input::Enter,
        )
    } else {
        Control::words(forward, kit.words.say(Word::Next), Rank::First, Input::Next)
    });
    if page > 0 {
        let side = layout.px(BUTTON);
        let left = middle.size.width as f32 - side - gap;
        let (_, back) = split_beside(split_beside(middle, left + side).0, left);
        controls.push(Control::sign(
            back,
            Sign::Arrow(6),
            Rank::Plain,
            Input::Previous,
        ));
    }
    controls
}

impl Painter<'_> {
    /// Draws page `page` of `text`, from 0; beyond the last one the last.
    pub(super) fn consent(&mut self, name: &str, text: &str, page: usize) {
        let theme = self.theme;
        let Places {
            head,
            text: area,
            foot,
        } = places(&self.layout);
        let title = self.kit.words.fill(Word::ConsentTitle, &[("name", name)]);
        let width = head.size.width as f32;
        let title = self.fitted(&title, Typeface::Display, (30.0, 18.0), width, 1);
        let top = head.top_left.y as f32 + self.px(8.0);
        self.text(&title, (head.top_left.x as f32, top), 0.0, theme.text);

        self.fill(RoundRect::new(area, self.px(16.0)), theme.surface, 1.0);
        let (whole, each) = broken(self.kit, text);
        let pages = whole.lines.len().div_ceil(each).max(1);
        let page = page.min(pages - 1);
        let range = page * each..((page + 1) * each).min(whole.lines.len());
        let shown = Arc::new(Paragraph {
            typeface: whole.typeface,
            size_px: whole.size_px,
            lines: whole.lines[range.clone()].to_vec(),
            widths: whole.widths[range].to_vec(),
        });
        let inset = (self.px(20.0), self.px(18.0));
        let at = (
            area.top_left.x as f32 + inset.0,
            area.top_left.y as f32 + inset.1,
        );
        self.text(&shown, at, 0.0, theme.text);
        if pages > 1 {
            let (page, pages) = ((page + 1).to_string(), pages.to_string());
            let values = [("page", page.as_str()), ("pages", pages.as_str())];
            let label = self.kit.words.fill(Word::ConsentPage, &values);
            let label = self.fitted(&label, Typeface::Text, (17.0, 14.0), width * 0.3, 1);
            self.text_in(
                &label,
                Rectangle::new(foot.top_left, Size::new(foot.size.width, foot.size.height)),
                theme.text_soft,
            );
        }
    }
}
