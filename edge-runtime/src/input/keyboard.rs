//! A keyboard: its events become [`Input`]s. Nothing here knows a device.

use unicode_normalization::char::compose;

use super::Input;
use super::layout::{Layout, Level, Meaning};

/// Linux key codes that are no character's.
mod code {
    pub(super) const ESC: u16 = 1;
    pub(super) const BACKSPACE: u16 = 14;
    pub(super) const ENTER: u16 = 28;
    pub(super) const LEFT_SHIFT: u16 = 42;
    pub(super) const RIGHT_SHIFT: u16 = 54;
    pub(super) const CAPS_LOCK: u16 = 58;
    pub(super) const F2: u16 = 60;
    pub(super) const NUMBER_PAD_ENTER: u16 = 96;
    pub(super) const ALT_GR: u16 = 100;
    pub(super) const UP: u16 = 103;
    pub(super) const PAGE_UP: u16 = 104;
    pub(super) const LEFT: u16 = 105;
    pub(super) const RIGHT: u16 = 106;
    pub(super) const DOWN: u16 = 108;
    pub(super) const PAGE_DOWN: u16 = 109;
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// It goes down.
    Press,
    /// It stays down.
    Repeat,
    /// It comes up.
    Release,
}

impl Stroke {
    /// From the value of a key's event.
    pub fn from_value(value: i32) -> Self {
        match value {
            0 => Self::Release,
            2 => Self::Repeat,
            _ => Self::Press,
        }
    }
}

/// The state of one keyboard.
#[derive(Clone, Debug)]
pub struct Keyboard {
    layout: Layout,
    left_shift: bool,
    right_shift: bool,
    caps_lock: bool,
    alt_gr: bool,
    accent: Option<char>,
}

impl Keyboard {
    /// A keyboard with these letters, no key down.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            left_shift: false,
            right_shift: false,
            caps_lock: false,
            alt_gr: false,
            accent: None,
        }
    }

    /// Takes the stroke of the key with this Linux code.
    pub fn stroke(&mut self, key: u16, stroke: Stroke) -> Option<Input> {
        let is_down = stroke != Stroke::Release;
        match key {
            code::LEFT_SHIFT => self.left_shift = is_down,
            code::RIGHT_SHIFT => self.right_shift = is_down,
            code::ALT_GR => self.alt_gr = is_down,
            code::CAPS_LOCK if stroke == Stroke::Press => self.caps_lock = !self.caps_lock,
            _ => {}
        }
        match (key, stroke) {
            (_, Stroke::Release) => None,
            (code::BACKSPACE, _) => {
                // An accent that waits is the last thing typed.
                match self.accent.take() {
                    Some(_) => None,
                    None => Some(Input::Backspace),
                }
            }
            (code::DOWN | code::RIGHT | code::PAGE_DOWN, _) => Some(Input::Next),
            (code::UP | code::LEFT | code::PAGE_UP, _) => Some(Input::Previous),
            // A key that is held down confirms and cancels once.
            (code::ENTER | code::NUMBER_PAD_ENTER, Stroke::Press) => Some(Input::Enter),
            (code::ESC, Stroke::Press) => Some(Input::Cancel),
            (code::F2, Stroke::Press) => Some(Input::Operator),
            (key, _) => self.character(key).map(Input::Character),
        }
    }

    /// All keys are up: events were lost, or the keyboard is another.
    pub fn reset(&mut self) {
        *self = Self {
            caps_lock: self.caps_lock,
            ..Self::new(self.layout)
        };
    }

    fn character(&mut self, key: u16) -> Option<char> {
        let shift = self.left_shift || self.right_shift;
        let level = match (self.alt_gr, shift) {
            (true, _) => Level::AltGr,
            (false, true) => Level::Shift,
            (false, false) => Level::Plain,
        };
        let c = match self.layout.meaning(key, level)? {
            Meaning::Accent(accent) => {
                self.accent = Some(accent);
                return None;
            }
            // Caps Lock turns the case of letters, nothing else.
            Meaning::Character(c) if self.caps_lock => turned(c),
            Meaning::Character(c) => c,
        };
        match self.accent.take() {
            Some(accent) => Some(compose(c, accent).unwrap_or(c)),
            None => Some(c),
        }
    }
}

/// The letter in the other case; what has none, or one of several characters (ß), stays.
fn turned(c: char) -> char {
    let other: Vec<char> = match c.is_uppercase() {
        true => c.to_lowercase().collect(),
        false => c.to_uppercase().collect(),
    };
    match other[..] {
        [other] => other,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: u16 = code::LEFT_SHIFT;

    /// What keys that are pressed and released one after another tell; a negative code is only pressed, one above 1000
    /// only released.
    fn typed(layout: Layout, keys: &[i32]) -> String {
        let mut keyboard = Keyboard::new(layout);
        let mut text = String::new();
        for key in keys {
            let code = (key.abs() % 1000) as u16;
            let strokes: &[Stroke] = match key {
                ..0 => &[Stroke::Press],
                1000.. => &[Stroke::Release],
                _ => &[Stroke::Press, Stroke::Release],
            };
            for stroke in strokes {
                match keyboard.stroke(code, *stroke) {
                    Some(Input::Character(c)) => text.push(c),
                    Some(other) => text.push_str(&format!("<{other:?}>")),
                    None => {}
                }
            }
        }
        text
    }

    #[test]
    fn event_tables() {
        let shift = i32::from(SHIFT);
        for (name, layout, keys, expected) in [
            ("a word", Layout::Us, vec![30, 32, 30], "ada"),
            (
                "a capital",
                Layout::Us,
                vec![-shift, 30, 1000 + shift, 32, 30],
                "Ada",
            ),
            (
                "two shifts",
                Layout::Us,
                vec![-shift, -54, 30, 1000 + shift, 32, 1054, 30],
                "ADa",
            ),
            (
                "caps lock spares digits and reverses shift",
                Layout::Us,
                vec![58, 30, 2, -shift, 32, 2, 1000 + shift, 58, 30],
                "A1d!a",
            ),
            (
                "umlauts, sharp s and caps lock",
                Layout::German,
                vec![58, 39, 12],
                "Öß",
            ),
            ("German z and y", Layout::German, vec![21, 44], "zy"),
            ("an accent", Layout::German, vec![13, 18], "é"),
            (
                "a grave one on a capital",
                Layout::German,
                vec![-shift, 13, 18, 1000 + shift],
                "È",
            ),
            ("no letter for the accent", Layout::German, vec![13, 2], "1"),
            (
                "an accent taken back",
                Layout::German,
                vec![13, 14, 18, 14],
                "e<Backspace>",
            ),
            ("AltGr", Layout::German, vec![-100, 16, 1100, 16], "@q"),
            (
                "the number pad",
                Layout::Us,
                vec![79, 80, 81, 96],
                "123<Enter>",
            ),
            (
                "what is no character",
                Layout::Us,
                vec![28, 1, 60, 109, 104, 59, 200],
                "<Enter><Cancel><Operator><Next><Previous>",
            ),
        ] {
            assert_eq!(typed(layout, &keys), expected, "{name}");
        }
    }

    #[test]
    fn a_key_held_down() {
        let mut keyboard = Keyboard::new(Layout::Us);
        for (key, press, repeat) in [
            (30, Some(Input::Character('a')), Some(Input::Character('a'))),
            (14, Some(Input::Backspace), Some(Input::Backspace)),
            (28, Some(Input::Enter), None),
            (1, Some(Input::Cancel), None),
            (60, Some(Input::Operator), None),
        ] {
            assert_eq!(keyboard.stroke(key, Stroke::Press), press, "{key}");
            assert_eq!(keyboard.stroke(key, Stroke::Repeat), repeat, "{key}");
            assert_eq!(keyboard.stroke(key, Stroke::Release), None, "{key}");
        }
    }

    #[test]
    fn lost_events_leave_no_key_down() {
        let mut keyboard = Keyboard::new(Layout::Us);
        keyboard.stroke(SHIFT, Stroke::Press);
        keyboard.reset();
        assert_eq!(
            keyboard.stroke(30, Stroke::Press),
            Some(Input::Character('a'))
        );
    }
}
