//! What an installed thing is called: a name, and a serial that only rises.

use std::fmt;
use std::str::FromStr;

/// The board that anything fits.
pub(super) const ANY_BOARD: &str = "any";
/// Longest name, in characters.
const MAX_CHARS: usize = 64;

/// What a signed file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An archive of a manifest, its network and its card.
    Model,
    /// A gallery's file, as `usher gallery backup` writes it.
    Gallery,
}

impl Kind {
    /// As the trusted comment says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Gallery => "gallery",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// `NAME-SERIAL`, which is a folder's name too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    name: String,
    serial: u64,
}

impl Label {
    /// A label, where the name can be a file's and the serial is not zero.
    pub fn new(name: &str, serial: u64) -> Option<Self> {
        (is_word(name) && serial > 0).then(|| Self {
            name: name.to_owned(),
            serial,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The serial, above zero.
    pub fn serial(&self) -> u64 {
        self.serial
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.name, self.serial)
    }
}

impl FromStr for Label {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, serial) = text.rsplit_once('-').ok_or(())?;
        Self::new(name, number(serial).ok_or(())?).ok_or(())
    }
}

/// A number as it is written, without sign and leading zeros: one number has one spelling.
pub(super) fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok())?
}

/// Letters, digits, `-`, `_` and `.` that begin with a letter or a digit: a file's name that hides nothing.
pub(super) fn is_word(text: &str) -> bool {
    text.len() <= MAX_CHARS
        && text.starts_with(|char: char| char.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_spelling() {
        let label = Label::new("usher-small", 12).unwrap();
        assert_eq!(label.to_string(), "usher-small-12");
        assert_eq!("usher-small-12".parse(), Ok(label));
        for wrong in [
            "",
            "usher",
            "usher-",
            "usher-0",
            "usher-01",
            "usher-+1",
            "-1",
            ".hidden-1",
            "../x-1",
            "a b-1",
            "a-18446744073709551616",
            "ü-1",
            "current",
            ".incoming",
        ] {
            assert_eq!(wrong.parse::<Label>(), Err(()), "{wrong:?}");
        }
        assert!(!is_word(&"a".repeat(65)));
    }
}
