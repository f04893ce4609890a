//! Text for the terminal: aligned tables and fields, times, names of people.

use std::fmt::Write;
use std::str::FromStr;

use shared::gallery::consent::WallTime;
use shared::gallery::{Gallery, GalleryError, Identity, IdentityId};
use unicode_width::UnicodeWidthStr;

/// Which end of its column a cell stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows below a head, each column as wide as its widest cell, two spaces between.
pub(super) fn table<const N: usize>(head: [(&str, Side); N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|(word, _)| word.width());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let mut text = String::new();
    let heads = head.map(|(word, _)| word.to_owned());
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for ((cell, width), (_, side)) in row.iter().zip(widths).zip(head) {
            let room = " ".repeat(width - cell.width());
            let _ = match side {
                Side::Left => write!(line, "{cell}{room}  "),
                Side::Right => write!(line, "{room}{cell}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One line for each field, the values below each other; an empty name continues the field before.
pub(super) fn fields(fields: &[(&str, String)]) -> String {
    let widest = fields.iter().map(|(name, _)| name.width()).max();
    let width = widest.unwrap_or(0) + 2;
    fields
        .iter()
        .map(|(name, value)| format!("{name}{}{value}\n", " ".repeat(width - name.width())))
        .collect()
}

/// A day: "2026-11-24".
pub(super) fn day(time: WallTime) -> String {
    time.to_rfc3339().chars().take(10).collect()
}

/// A minute: "2026-11-24 09:30 UTC".
pub(super) fn minute(time: WallTime) -> String {
    let text = time.to_rfc3339();
    let (day, clock) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", clock.get(..5).unwrap_or(clock))
}

/// "1 person", "2 people".
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {several}"),
    }
}

/// Bytes as a person reads them.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} bytes"),
        10_000..=9_999_999 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// A person on the command line: a name, or a number behind `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The number in the gallery.
    Number(u32),
    /// The name.
    Name(String),
}

impl FromStr for Who {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text
            .strip_prefix('#')
            .and_then(|digits| digits.parse().ok());
        Ok(number.map_or_else(|| Self::Name(text.to_owned()), Self::Number))
    }
}

impl Who {
    /// The person in this gallery.
    ///
    /// # Errors
    /// [`GalleryError`] when nobody has the name or number.
    pub(super) fn in_gallery<'a>(
        &self,
        gallery: &'a Gallery,
    ) -> Result<&'a Identity, GalleryError> {
        match self {
            Self::Name(name) => gallery.named(name),
            Self::Number(number) => gallery
                .identities()
                .find(|known| known.id().number() == *number)
                .ok_or(GalleryError::NoSuchNumber { number: *number }),
        }
    }
}

/// "Ada Lovelace (#3)", or the number alone of somebody who is no longer there.
pub(super) fn called(gallery: &Gallery, id: IdentityId) -> String {
    match gallery.identity(id) {
        Some(known) => format!("{} (#{id})", known.name()),
        None => format!("#{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let text = table(
            [
                ("#", Side::Right),
                ("NAME", Side::Left),
                ("TEMPLATES", Side::Right),
            ],
            &[
                ["1".to_owned(), "陳方安生".to_owned(), "5".to_owned()],
                ["12".to_owned(), "Zoë".to_owned(), "10".to_owned()],
            ],
        );
        assert_eq!(
            text,
            " #  NAME      TEMPLATES\n 1  陳方安生          5\n12  Zoë              10\n"
        );
        assert_eq!(
            fields(&[("one", "1".to_owned()), ("three", "3".to_owned())]),
            "one    1\nthree  3\n"
        );
    }

    #[test]
    fn people_by_name_or_number() {
        assert_eq!("#3".parse(), Ok(Who::Number(3)));
        for name in ["Ada", "3", "#", "#x", "#-1"] {
            assert_eq!(name.parse(), Ok(Who::Name(name.to_owned())));
        }
    }

    #[test]
    fn times_and_sizes() {
        let time = WallTime::from_unix_seconds(1_800_000_000);
        assert_eq!(
            (day(time), minute(time)),
            ("2027-01-15".to_owned(), "2027-01-15 08:00 UTC".to_owned())
        );
        assert_eq!(bytes(224), "224 bytes");
        assert_eq!(bytes(52_400), "52.4 kB");
    }
}
