//! A name is typed: a field, and a keyboard in the language's own order of letters.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::super::control::{Control, Face, Rank};
use super::super::layout::{Layout, split_below};
use super::super::painter::{Kit, Painter};
use super::super::shape::{Disc, Line, Outline, RoundRect};
use super::super::sign::Sign;
use super::super::text::Typeface;
use super::super::words::{Keyboard, Word};
use crate::input::Input;

/// Between two keys, for 800x480.
const BETWEEN: f32 = 8.0;
/// Height of a key beside a wide screen's field, and on a high screen.
const KEY: (f32, f32) = (64.0, 66.0);

/// The rows of letters or signs as this screen shows them.
///
/// On a high screen ten keys are as many as fit beside each other: letters that English has not get a row of their
/// own there.
fn rows(layout: &Layout, keyboard: &Keyboard, signs: bool) -> Vec<Vec<char>> {
    let rows = if signs {
        &keyboard.signs
    } else {
        &keyboard.rows
    };
    let rows = rows.iter().map(|row| row.chars().collect::<Vec<char>>());
    let crowded = rows.clone().any(|row| row.len() > 10);
    if !layout.upright || !crowded {
        return rows.collect();
    }
    let (mut plain, mut own): (Vec<Vec<char>>, Vec<char>) = (Vec::new(), Vec::new());
    for row in rows {
        let (ascii, others): (Vec<char>, Vec<char>) = row.iter().partition(|key| key.is_ascii());
        plain.push(ascii);
        own.extend(others);
    }
    // Above the row that holds shift and backspace.
    plain.insert(2, own);
    plain
}

struct Places {
    head: Rectangle,
    keys: Rectangle,
    rows: Vec<Vec<char>>,
}

fn places(kit: &Kit, signs: bool) -> Places {
    let layout = &kit.layout;
    let rows = rows(layout, kit.words.keyboard(), signs);
    // Letters and signs keep the same place, whichever has more rows.
    let most = [false, true].map(|signs| self::rows(layout, kit.words.keyboard(), signs).len());
    let lines = most[0].max(most[1]) as f32 + 1.0;
    let key = if layout.upright { KEY.1 } else { KEY.0 };
    let height = layout.px(lines * (key + BETWEEN) - BETWEEN);
    let edge = layout.px(if layout.upright { 10.0 } else { 16.0 });
    let size = layout.size;
    // Wider than the content: keys are what space is for here.
    let width = (size.width as f32 - 2.0 * edge).min(layout.px(1000.0));
    let left = ((size.width as f32 - width) / 2.0).round() as i32;
    let bottom = if layout.upright {
        (layout.content.top_left.y + layout.content.size.height as i32) as f32
    } else {
        size.height as f32 - edge
    };
    let top = (bottom - height).round() as i32;
    let keys = Rectangle::new(
        Point::new(left, top),
        Size::new(width.round() as u32, height.round() as u32),
    );
    let above = top as f32 - layout.content.top_left.y as f32 - layout.px(12.0);
    let inside = Rectangle::new(
        Point::new(
            layout.content.top_left.x.max(left),
            layout.content.top_left.y,
        ),
        Size::new(
            layout.content.size.width.min(keys.size.width),
            layout.content.size.height,
        ),
    );
    let head = split_below(inside, above).0;
    Places { head, keys, rows }
}

pub(super) fn controls(kit: &Kit, capitals: bool, signs: bool) -> Vec<Control> {
    let Places { keys, rows, .. } = places(kit, signs);
    let px = |length| kit.layout.px(length);
    let gap = px(BETWEEN);
    let (left, width) = (keys.top_left.x as f32, keys.size.width as f32);
    let widest = rows.iter().map(Vec::len).max().unwrap_or(10).max(10);
    let pitch = (width + gap) / widest as f32;
    let lines = rows.len() + 1;
    let most_lines = lines.max(((keys.size.height as f32 + gap) / px(KEY.0 + BETWEEN)) as usize);
    let step = (keys.size.height as f32 + gap) / most_lines as f32;
    let first = keys.top_left.y as f32 + (most_lines - lines) as f32 * step;
    let place = |x: f32, row: usize, width: f32| {
        let y = first + row as f32 * step;
        Rectangle::new(
            Point::new(x.round() as i32, y.round() as i32),
            Size::new((width - gap).round() as u32, (step - gap).round() as u32),
        )
    };
    let mut controls = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let mut x = left + (width + gap - row.len() as f32 * pitch) / 2.0;
        if index + 1 == rows.len() {
            // Shift and backspace take what the last row leaves.
            let side = x - left;
            let rank = if capitals { Rank::Held } else { Rank::Plain };
            controls.push(Control::sign(
                place(left, index, side),
                Sign::Shift,
                rank,
                Input::Shift,
            ));
            let beyond = left + width + gap - side;
            let area = place(beyond, index, side);
            controls.push(Control::sign(
                area,
                Sign::Backspace,
                Rank::Plain,
                Input::Backspace,
            ));
        }
        for key in row {
            let letter = if capitals { capital(*key) } else { *key };
            controls.push(Control {
                area: place(x, index, pitch),
                face: Face::Words(letter.to_string(), 24.0),
                rank: Rank::Plain,
                input: Input::Character(letter),
            });
            x += pitch;
        }
    }
    let last = rows.len();
    let (side, sign) = if kit.layout.upright {
        (0.27, 0.15)
    } else {
        (0.19, 0.11)
    };
    let (side, sign) = ((width + gap) * side, (width + gap) * sign);
    let way = if signs { "abc" } else { "123" };
    controls.push(super::cancel(kit, place(left, last, side)));
    let mut key = Control::words(
        place(left + side, last, sign),
        way,
        Rank::Plain,
        Input::Signs,
    );
    key.face = Face::Words(way.to_owned(), 18.0);
    controls.push(key);
    let space = kit.words.keyboard().space.clone();
    let mut bar = Control::words(
        place(left + side + sign, last, width + gap - 2.0 * side - sign),
        &space,
        Rank::Plain,
        Input::Character(' '),
    );
    bar.face = Face::Words(space, 17.0);
    controls.push(bar);
    controls.push(Control::words(
        place(left + width + gap - side, last, side),
        kit.words.say(Word::Done),
        Rank::First,
        Input::Enter,
    ));
    controls
}

/// The capital of `key`; ß has one since 2017.
fn capital(key: char) -> char {
    let mut capital = key.to_uppercase();
    match (key, capital.next(), capital.next()) {
        ('ß', ..) => 'ẞ',
        (_, Some(capital), None) => capital,
        _ => key,
    }
}

impl Painter<'_> {
    /// Draws what was typed, and what is wrong with it.
    pub(super) fn name(&mut self, text: &str, problem: Option<&str>) {
        let theme = self.theme;
        let head = places(self.kit, false).head;
        let (left, width) = (head.top_left.x as f32, head.size.width as f32);
        let title = self.fitted(
            self.say(Word::NameTitle),
            Typeface::Display,
            (24.0, 18.0),
            width,
            2,
        );
        let field_height = self.px(62.0);
        let slack = head.size.height as f32 - title.optical_height() - field_height - self.px(62.0);
        let mut top = head.top_left.y as f32
            + if self.layout.upright {
                slack / 2.0
            } else {
                0.0
            };
        self.text(&title, (left, top), 0.0, theme.text);
        top += title.optical_height() + self.px(20.0);
        let (rim, stroke) = if problem.is_some() {
            (theme.fault, self.px(2.5))
        } else {
            (theme.accent, self.px(2.0))
        };
        let of = RoundRect {
            left: left + stroke / 2.0,
            top: top + stroke / 2.0,
            width: width - stroke,
            height: field_height - stroke,
            radius: self.px(14.0),
        };
        self.fill(of, theme.surface, 1.0);
        self.fill(Outline { of, width: stroke }, rim, 1.0);
        let inset = self.px(20.0);
        let room = width - 2.0 * inset - self.px(6.0);
        let middle = top + field_height / 2.0;
        let mut caret = left + inset;
        if text.is_empty() {
            let hint = self.fitted(
                self.say(Word::NameHint),
                Typeface::Text,
                (26.0, 18.0),
                room,
                1,
            );
            let at = (caret + self.px(8.0), middle - hint.optical_height() / 2.0);
            self.text(&hint, at, 0.0, theme.text_quiet);
        } else {
            let typed = self.typed(text, room);
            let at = (caret, middle - typed.optical_height() / 2.0);
            self.text(&typed, at, 0.0, theme.text);
            let spaces = text.len() - text.trim_end().len();
            caret += typed.width() + self.px(4.0 + 7.0 * spaces.min(2) as f32);
        }
        let half = self.px(15.0);
        let caret = Line {
            from: (caret, middle - half),
            to: (caret, middle + half),
            width: self.px(2.5),
        };
        self.fill(caret, theme.accent, 1.0);
        if let Some(problem) = problem {
            let below = top + field_height + self.px(16.0);
            let said = self.fitted(
                problem,
                Typeface::Text,
                (17.0, 13.0),
                width - self.px(32.0),
                1,
            );
            let disc = Disc {
                x: left + self.px(10.0),
                y: below + said.optical_height() / 2.0,
                radius: self.px(10.0),
            };
            self.fill(disc, theme.fault, 1.0);
            self.sign(&Sign::Alert, disc, theme.on_signal);
            self.text(&said, (left + self.px(30.0), below), 0.0, theme.fault);
        }
    }

    /// The end of `text` that fits into `room` pixels: where one types is what one looks at.
    fn typed(&self, text: &str, room: f32) -> std::sync::Arc<super::super::text::Paragraph> {
        let fonts = &self.kit.fonts;
        let size = self.px(28.0);
        let mut from = text;
        let mut begun = String::new();
        while fonts.width(&format!("{begun}{from}"), Typeface::Display, size) > room {
            let Some(first) = from.chars().next() else {
                break;
            };
            from = &from[first.len_utf8()..];
            "…".clone_into(&mut begun);
        }
        fonts.line(&format!("{begun}{from}"), Typeface::Display, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_of_every_key() {
        for (key, expected) in [('a', 'A'), ('ü', 'Ü'), ('ß', 'ẞ'), ('-', '-'), ('1', '1')] {
            assert_eq!(capital(key), expected);
        }
    }
}
