//! What a person can tell the kiosk: a key of a keyboard, or a place that was touched on the screen.
//!
//! ```text
//! keyboards ─► keyboard (layout) ──┐                     ┌─► Input
//!                                  ├─ evdev ─► Told ─────┤
//! panels ────► touch (screen px) ──┘                     └─► Touch ─► the screen says which key or choice lies there
//! ```

pub mod evdev;
pub mod keyboard;
pub mod layout;
pub mod touch;

use std::fmt;

use touch::Touch;

/// One thing told, whether by a key or by touching its picture.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// An operator asks for the desk: the corner was held for two seconds, or F2 pressed.
    Operator,
    /// A character of a name, or a digit of a PIN.
    Character(char),
    /// The last character was wrong.
    Backspace,
    /// The next letter is a capital, or is none.
    Shift,
    /// Letters or digits and signs.
    Signs,
    /// Done with this step.
    Enter,
    /// Leave; whatever was begun leaves nothing behind.
    Cancel,
    /// Choice `0, 1, 2, ...` of a question or a list.
    Choice(usize),
    /// The next page.
    Next,
    /// The page before.
    Previous,
}

impl fmt::Debug for Input {
    /// Not which character: it may be a PIN's, or a name's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("Operator"),
            Self::Character(_) => f.write_str("Character(..)"),
            Self::Backspace => f.write_str("Backspace"),
            Self::Shift => f.write_str("Shift"),
            Self::Signs => f.write_str("Signs"),
            Self::Enter => f.write_str("Enter"),
            Self::Cancel => f.write_str("Cancel"),
            Self::Choice(choice) => write!(f, "Choice({choice})"),
            Self::Next => f.write_str("Next"),
            Self::Previous => f.write_str("Previous"),
        }
    }
}

/// What a device tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A key that means something by itself.
    Input(Input),
    /// A place on the screen, which means what is shown there.
    Touch(Touch),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_shown() {
        assert_eq!(
            format!("{:?}", Told::Input(Input::Character('7'))),
            "Input(Character(..))"
        );
        assert_eq!(format!("{:?}", Input::Choice(3)), "Choice(3)");
    }
}
