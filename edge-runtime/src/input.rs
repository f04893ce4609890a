//! What a person can tell the kiosk: a key of a keyboard, or a place that was touched on the screen.

/// One thing told, whether by a key or by touching its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
