//! The person reads what they agree to, page by page.

use std::ops::Range;
use std::sync::Arc;

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

/// The whole text in lines, and which of them stand on each page; no page begins with an empty line.
fn broken(kit: &Kit, text: &str) -> (Arc<Paragraph>, Vec<Range<usize>>) {
    let layout = &kit.layout;
    let area = places(layout).text;
    let size = layout.px(SIZE);
    let width = area.size.width as f32 - 2.0 * layout.px(20.0);
    let whole = kit
        .fonts
        .fit(text.trim(), Typeface::Text, (size, size), width, usize::MAX);
    let line = Typeface::Text.line_height() * size;
    let room = area.size.height as f32 - 2.0 * layout.px(16.0) - Fonts::CAPITALS * size;
    let each = ((room / line) as usize + 1).max(1);
    let mut pages: Vec<Range<usize>> = Vec::new();
    let mut begin = 0;
    loop {
        while whole.lines.get(begin).is_some_and(String::is_empty) {
            begin += 1;
        }
        if begin >= whole.lines.len() && !pages.is_empty() {
            return (whole, pages);
        }
        let begins = begin.min(whole.lines.len());
        begin = (begins + each).min(whole.lines.len());
        pages.push(begins..begin);
    }
}

/// How many pages `text` takes on this screen, at least 1.
pub(in super::super) fn pages(kit: &Kit, text: &str) -> usize {
    broken(kit, text).1.len()
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
        let (whole, ranges) = broken(self.kit, text);
        let pages = ranges.len();
        let page = page.min(pages - 1);
        let range = ranges[page].clone();
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
            let (number, pages) = ((page + 1).to_string(), pages.to_string());
            let values = [("page", number.as_str()), ("pages", pages.as_str())];
            let label = self.kit.words.fill(Word::ConsentPage, &values);
            let between = between(foot, &controls(self.kit, text, page));
            let width = between.size.width as f32;
            let label = self.fitted(&label, Typeface::Text, (17.0, 13.0), width, 1);
            self.text_in(&label, between, theme.text_soft);
        }
    }
}

/// What the way out leaves of `foot` before the next button.
fn between(foot: Rectangle, controls: &[Control]) -> Rectangle {
    let start = foot.top_left.x;
    let ends: Vec<(i32, i32)> = controls
        .iter()
        .map(|control| {
            let left = control.area.top_left.x - start;
            (left, left + control.area.size.width as i32)
        })
        .collect();
    let from = ends.first().map_or(0, |(_, right)| *right);
    let to = ends
        .iter()
        .map(|(left, _)| *left)
        .filter(|left| *left >= from)
        .min()
        .unwrap_or(foot.size.width as i32);
    split_beside(split_beside(foot, to as f32).0, from as f32).1
}
