//! The trusted comment of a signature: what the file is, which serial it has and for which board it is.

use super::error::UpdateError;
use super::label::{self, ANY_BOARD, Kind, Label};

/// A trusted comment, taken apart: `usher model NAME serial=N board=B`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) kind: Kind,
    pub(super) label: Label,
    pub(super) board: String,
}

impl Comment {
    /// Takes apart what a verified signature says.
    ///
    /// # Errors
    /// [`UpdateError::Comment`] when it says anything else.
    pub(super) fn parse(text: &str) -> Result<Self, UpdateError> {
        Self::taken_apart(text).ok_or_else(|| UpdateError::Comment {
            // It may be anything of any length, control characters too.
            found: text
                .chars()
                .take(120)
                .collect::<String>()
                .escape_debug()
                .to_string(),
        })
    }

    fn taken_apart(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let &["usher", kind, name, serial, board] = words.as_slice() else {
            return None;
        };
        let kind = match kind {
            "model" => Kind::Model,
            "gallery" => Kind::Gallery,
            _ => return None,
        };
        let serial = label::number(serial.strip_prefix("serial=")?)?;
        let board = board.strip_prefix("board=")?;
        label::is_word(board).then_some(())?;
        Some(Self {
            kind,
            label: Label::new(name, serial)?,
            board: board.to_owned(),
        })
    }

    /// Whether it is for the board of that name.
    pub(super) fn is_for(&self, board: &str) -> bool {
        self.board == ANY_BOARD || self.board == board
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_comment_says() {
        let comment = Comment::parse("usher model usher-small serial=7 board=any").unwrap();
        assert_eq!(comment.kind, Kind::Model);
        assert_eq!(comment.label.to_string(), "usher-small-7");
        assert!(comment.is_for("orin") && comment.is_for("any"));
        let comment = Comment::parse("usher gallery lobby serial=1 board=orin").unwrap();
        assert_eq!(comment.kind, Kind::Gallery);
        assert!(comment.is_for("orin") && !comment.is_for("rpi5") && !comment.is_for("any"));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "timestamp:1633700835\tfile:test\tprehashed",
            "usher model usher-small serial=7",
            "usher model usher-small serial=7 board=any more",
            "usher  model usher-small serial=7 board=any",
            "usher program usher-small serial=7 board=any",
            "usher model usher-small serial=-7 board=any",
            "usher model usher-small serial=07 board=any",
            "usher model usher-small serial=0 board=any",
            "usher model ../up serial=7 board=any",
            "usher model a/b serial=7 board=any",
            "usher model usher-small serial=7 board=",
            "usher model usher-small board=any serial=7",
            "Usher model usher-small serial=7 board=any",
        ] {
            assert!(Comment::parse(text).is_err(), "{text:?}");
        }
        let error = Comment::parse(&format!("\u{1b}[2J{}", "x".repeat(9000))).unwrap_err();
        let message = error.to_string();
        assert!(
            message.len() < 400 && !message.contains('\u{1b}'),
            "{message}"
        );
    }
}
