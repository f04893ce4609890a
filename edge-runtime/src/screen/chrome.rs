//! The marks that lie over a view: small and honest badges, and the frame that says a recording is made.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::painter::Painter;
use super::shape::{Disc, Outline, RoundRect};
use super::sign::Sign;
use super::text::Typeface;
use super::view::{Chrome, View};
use super::words::Word;

/// Height of a badge, for 800x480.
const BADGE: f32 = 34.0;

impl Painter<'_> {
    /// Draws what `chrome` says over `view`.
    pub(super) fn chrome(&mut self, chrome: &Chrome<'_>, view: &View<'_>) {
        let decides = matches!(
            view,
            View::Idle
                | View::Looking { .. }
                | View::Greeting { .. }
                | View::Unknown { .. }
                | View::NotSure { .. }
                | View::Check { .. }
        );
        if decides {
            let badges: Vec<(Sign, Word)> = [
                (chrome.operator, Sign::Key, Word::Operator),
                (chrome.liveness_off, Sign::NoShield, Word::LivenessOff),
                (chrome.clock_unset, Sign::Clock, Word::ClockNotSet),
            ]
            .into_iter()
            .filter(|(shown, ..)| *shown)
            .map(|(_, sign, word)| (sign, word))
            .collect();
            self.badges(&badges, matches!(view, View::Idle));
        }
        if chrome.recording {
            self.recording_mark();
        }
    }

    /// Lays badges in rows at the foot: below the message, or in the middle above what idle promises.
    fn badges(&mut self, badges: &[(Sign, Word)], idle: bool) {
        let theme = self.theme;
        let (height, gap, icon) = (self.px(BADGE), self.px(8.0), self.px(15.0));
        let (left, right) = if idle {
            (self.px(32.0), self.layout.size.width as f32 - self.px(32.0))
        } else {
            let column = self.layout.column;
            let left = column.top_left.x as f32;
            (left, left + column.size.width as f32)
        };
        let labels: Vec<_> = badges
            .iter()
            .map(|(sign, word)| {
                let room = right - left - 2.0 * icon - self.px(30.0);
                let label = self.fitted(self.say(*word), Typeface::Text, (15.0, 12.0), room, 1);
                let width = label.width() + 2.0 * icon + self.px(24.0);
                (*sign, label, width)
            })
            .collect();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        let mut used = f32::INFINITY;
        for (index, (_, _, width)) in labels.iter().enumerate() {
            if used + gap + width > right - left {
                rows.push(Vec::new());
                used = -gap;
            }
            used += gap + width;
            if let Some(row) = rows.last_mut() {
                row.push(index);
            }
        }
        let foot = if idle { 66.0 } else { 32.0 };
        let mut top = self.layout.size.height as f32 - self.px(foot) - height;
        for row in rows.iter().rev() {
            let width: f32 = row.iter().map(|index| labels[*index].2 + gap).sum::<f32>() - gap;
            let mut x = left;
            if idle || self.layout.upright {
                x += (right - left - width) / 2.0;
            }
            for (sign, label, width) in row.iter().map(|index| &labels[*index]) {
                let pill = RoundRect {
                    left: x,
                    top,
                    width: *width,
                    height,
                    radius: height / 2.0,
                };
                self.fill(pill, theme.surface, 1.0);
                let middle = top + height / 2.0;
                let disc = Disc {
                    x: x + self.px(10.0) + icon,
                    y: middle,
                    radius: icon,
                };
                self.sign(sign, disc, theme.text_soft);
                let text = (
                    x + 2.0 * icon + self.px(12.0),
                    middle - label.optical_height() / 2.0,
                );
                self.text(label, text, 0.0, theme.text_soft);
                x += width + gap;
            }
            top -= height + gap;
        }
    }

    /// A red frame around the whole screen and a red badge at its top: a recording is announced, not hinted at.
    fn recording_mark(&mut self) {
        let theme = self.theme;
        let size = self.layout.size;
        let width = self.px(6.0);
        let of = RoundRect {
            left: width / 2.0,
            top: width / 2.0,
            width: size.width as f32 - width,
            height: size.height as f32 - width,
            radius: 0.0,
        };
        self.fill(Outline { of, width }, theme.recording, 1.0);
        let label = self.fitted(
            self.say(Word::RecordingMark),
            Typeface::Text,
            (18.0, 14.0),
            size.width as f32 - self.px(160.0),
            1,
        );
        let height = self.px(36.0);
        let dot = self.px(14.0);
        let across = label.width() + 2.0 * dot + self.px(34.0);
        let pill = RoundRect {
            left: (size.width as f32 - across) / 2.0,
            top: 0.0,
            width: across,
            height,
            radius: self.px(10.0),
        };
        // The badge hangs from the frame: square above, round below.
        let hung = Rectangle::new(
            Point::new(pill.left.round() as i32, 0),
            Size::new(across.round() as u32, (height / 2.0) as u32),
        );
        self.fill(RoundRect::new(hung, 0.0), theme.recording, 1.0);
        self.fill(pill, theme.recording, 1.0);
        let middle = (height + width) / 2.0 - self.px(2.0);
        let disc = Disc {
            x: pill.left + self.px(12.0) + dot,
            y: middle,
            radius: dot,
        };
        self.sign(&Sign::Record, disc, theme.on_signal);
        let text = (
            pill.left + 2.0 * dot + self.px(16.0),
            middle - label.optical_height() / 2.0,
        );
        self.text(&label, text, 0.0, theme.on_signal);
    }
}
