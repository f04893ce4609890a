//! Which character a key means: US and German keyboards, by the key codes of Linux.

use serde::{Deserialize, Serialize};

/// What is printed on a keyboard's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// US English.
    #[default]
    Us,
    /// German: z and y exchanged, umlauts, accents that wait for their letter.
    German,
}

/// Which of a key's characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Alone.
    Plain,
    /// With Shift.
    Shift,
    /// With AltGr.
    AltGr,
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A character.
    Character(char),
    /// An accent that goes onto the next letter: the combining character.
    Accent(char),
}

/// A row of keys: the code of its first, and what they mean alone and with Shift.
type Row = (u16, &'static str, &'static str);

const US: [Row; 7] = [
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", "ASDFGHJKL:\"~"),
    (43, "\\", "|"),
    (44, "zxcvbnm,./", "ZXCVBNM<>?"),
    (57, " ", " "),
    (86, "\\", "|"),
];
const GERMAN: [Row; 7] = [
    (2, "1234567890ß´", "!\"§$%&/()=?`"),
    (16, "qwertzuiopü+", "QWERTZUIOPÜ*"),
    (30, "asdfghjklöä^", "ASDFGHJKLÖÄ°"),
    (43, "#", "'"),
    (44, "yxcvbnm,.-", "YXCVBNM;:_"),
    (57, " ", " "),
    (86, "<", ">"),
];
/// With AltGr.
const GERMAN_ALT_GR: [(u16, char); 10] = [
    (8, '{'),
    (9, '['),
    (10, ']'),
    (11, '}'),
    (12, '\\'),
    (16, '@'),
    (18, '€'),
    (27, '~'),
    (50, 'µ'),
    (86, '|'),
];
/// The number pad, whatever its lock says: a PIN is typed there.
const NUMBER_PAD: [(u16, char); 15] = [
    (55, '*'),
    (71, '7'),
    (72, '8'),
    (73, '9'),
    (74, '-'),
    (75, '4'),
    (76, '5'),
    (77, '6'),
    (78, '+'),
    (79, '1'),
    (80, '2'),
    (81, '3'),
    (82, '0'),
    (83, '.'),
    (98, '/'),
];

impl Layout {
    /// What the key of this Linux code means; none when it is no character's.
    pub fn meaning(self, code: u16, level: Level) -> Option<Meaning> {
        if let Some((_, c)) = NUMBER_PAD.iter().find(|(known, _)| *known == code) {
            return Some(Meaning::Character(*c));
        }
        let c = match (self, level) {
            (Self::Us, Level::AltGr) => return None,
            (Self::German, Level::AltGr) => {
                let found = GERMAN_ALT_GR.iter().find(|(known, _)| *known == code);
                return found.map(|(_, c)| Meaning::Character(*c));
            }
            (Self::Us, _) => in_rows(&US, code, level)?,
            (Self::German, _) => in_rows(&GERMAN, code, level)?,
        };
        Some(match (self, c) {
            (Self::German, '´') => Meaning::Accent('\u{301}'),
            (Self::German, '`') => Meaning::Accent('\u{300}'),
            (Self::German, '^') => Meaning::Accent('\u{302}'),
            _ => Meaning::Character(c),
        })
    }
}

fn in_rows(rows: &[Row], code: u16, level: Level) -> Option<char> {
    rows.iter().find_map(|(first, plain, shift)| {
        let place = usize::from(code.checked_sub(*first)?);
        match level {
            Level::Shift => shift.chars().nth(place),
            _ => plain.chars().nth(place),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_long_alone_as_with_shift() {
        for rows in [US, GERMAN] {
            for (code, plain, shift) in rows {
                assert_eq!(plain.chars().count(), shift.chars().count(), "{code}");
            }
        }
    }

    #[test]
    fn keys_and_their_characters() {
        use Level::{AltGr, Plain, Shift};
        use Meaning::{Accent, Character};
        for (layout, code, level, expected) in [
            (Layout::Us, 2, Plain, Some(Character('1'))),
            (Layout::Us, 11, Plain, Some(Character('0'))),
            (Layout::Us, 21, Plain, Some(Character('y'))),
            (Layout::Us, 21, Shift, Some(Character('Y'))),
            (Layout::Us, 40, Shift, Some(Character('"'))),
            (Layout::Us, 53, Plain, Some(Character('/'))),
            (Layout::Us, 16, AltGr, None),
            (Layout::German, 21, Plain, Some(Character('z'))),
            (Layout::German, 44, Shift, Some(Character('Y'))),
            (Layout::German, 39, Plain, Some(Character('ö'))),
            (Layout::German, 12, Plain, Some(Character('ß'))),
            (Layout::German, 13, Plain, Some(Accent('\u{301}'))),
            (Layout::German, 13, Shift, Some(Accent('\u{300}'))),
            (Layout::German, 16, AltGr, Some(Character('@'))),
            (Layout::German, 53, Plain, Some(Character('-'))),
            (Layout::German, 79, Shift, Some(Character('1'))),
            (Layout::Us, 57, Plain, Some(Character(' '))),
            (Layout::Us, 1, Plain, None),
            (Layout::Us, 14, Plain, None),
            (Layout::Us, 28, Plain, None),
            (Layout::Us, 29, Plain, None),
            (Layout::Us, 42, Plain, None),
            (Layout::Us, 54, Plain, None),
            (Layout::Us, 58, Plain, None),
            (Layout::Us, 0, Plain, None),
            (Layout::German, 700, Shift, None),
        ] {
            assert_eq!(
                layout.meaning(code, level),
                expected,
                "{layout:?} {code} {level:?}"
            );
        }
    }
}
