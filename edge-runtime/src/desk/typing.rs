//! A line that is typed: on the keyboard of the screen or on an attached one.

use crate::input::Input;
use shared::gallery::name::MAX_CHARS;

/// What was typed so far.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Typing {
    pub(super) text: String,
    /// Whether the keyboard on the screen shows capitals.
    pub(super) capitals: bool,
    /// Whether it shows digits and signs.
    pub(super) signs: bool,
    /// What is wrong with it.
    pub(super) problem: Option<String>,
}

impl Typing {
    /// Nothing yet; a name begins with a capital.
    pub(super) fn name() -> Self {
        Self {
            text: String::new(),
            capitals: true,
            signs: false,
            problem: None,
        }
    }

    /// Takes an input; whether it was one for a line.
    pub(super) fn input(&mut self, input: Input) -> bool {
        match input {
            // As it is: who shows capitals tells capitals.
            Input::Character(c) => self.push(c),
            Input::Backspace => {
                self.text.pop();
                self.problem = None;
                self.capitals = self.begins_word();
            }
            Input::Shift => self.capitals = !self.capitals,
            Input::Signs => self.signs = !self.signs,
            _ => return false,
        }
        true
    }

    fn push(&mut self, c: char) {
        let is_leading_space = self.text.is_empty() && c.is_whitespace();
        if c.is_control() || is_leading_space || self.text.chars().count() >= MAX_CHARS {
            return;
        }
        self.text.push(c);
        self.problem = None;
        self.capitals = self.begins_word();
    }

    fn begins_word(&self) -> bool {
        self.text
            .chars()
            .next_back()
            .is_none_or(|last| last.is_whitespace() || last == '-')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_typed() {
        let mut typing = Typing::name();
        let type_all = |typing: &mut Typing, text: &str| {
            for c in text.chars() {
                assert!(typing.input(Input::Character(c)));
            }
        };
        assert!(typing.capitals);
        type_all(&mut typing, "  A");
        assert!(!typing.capitals);
        type_all(&mut typing, "da\u{1b} ");
        assert!(typing.capitals && typing.text == "Ada ");
        assert!(typing.input(Input::Shift) && !typing.capitals);
        typing.problem = Some("taken".to_owned());
        assert!(typing.input(Input::Backspace));
        assert!(!typing.capitals && typing.problem.is_none() && typing.text == "Ada");
        assert!(typing.input(Input::Signs) && typing.signs);
        type_all(&mut typing, &"é".repeat(200));
        assert_eq!(typing.text.chars().count(), MAX_CHARS);
        assert!(!typing.input(Input::Enter));
    }
}
