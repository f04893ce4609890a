//! What can be set at the desk: the section `[desk]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use shared::gallery::MAX_TEMPLATES;
use shared::gallery::consent::MAX_WORDS_BYTES;

use super::consent::{self, ConsentTextError};
use super::guided::GuidedRules;
use crate::input::layout::Layout;

/// Where the operators are, unless said otherwise.
pub const OPERATORS: &str = "/var/lib/usher/operators.toml";

/// Times, files and limits of the desk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeskRules {
    /// The file of operators that `usher pin` writes; the wrong tries are kept beside it, in FILE.tries.
    pub pin_file: PathBuf,
    /// Seconds without a key or a touch after which the desk locks, 10 to 600. What was begun leaves nothing behind.
    pub idle_seconds: u64,
    /// What the gallery's history calls whoever unlocked the desk; without it, by the operator's own name.
    pub operator: Option<String>,
    /// File of the text that people agree to; without it the text that `usher consent` prints.
    pub consent_text: Option<PathBuf>,
    /// Days that a consent lasts, 1 to 36525.
    pub consent_days: u64,
    /// Whose letters attached keyboards have: "us" or "german".
    pub keyboard: Layout,
    /// Templates of one person at most, appearances that were added included, 1 to 100.
    pub most_templates: usize,
    /// Seconds in which a person who gets another appearance is to be recognized, 1 to 60; then a list is shown.
    pub recognize_seconds: u64,
    /// Frames in a row that must name the same person to recognize somebody, 1 to 100.
    pub recognize_frames: usize,
    /// The look from five sides.
    pub guided: GuidedRules,
}

impl Default for DeskRules {
    fn default() -> Self {
        Self {
            pin_file: OPERATORS.into(),
            idle_seconds: 60,
            operator: None,
            consent_text: None,
            consent_days: 365,
            keyboard: Layout::Us,
            most_templates: 20,
            recognize_seconds: 8,
            recognize_frames: 3,
            guided: GuidedRules::default(),
        }
    }
}

impl DeskRules {
    /// The text that people agree to.
    ///
    /// # Errors
    /// [`ConsentTextError`] when its file cannot be read.
    pub fn text(&self) -> Result<String, ConsentTextError> {
        match &self.consent_text {
            None => Ok(consent::STANDARD.to_owned()),
            Some(path) => consent::read(path),
        }
    }

    /// Whether everything is in its range.
    ///
    /// # Errors
    /// The key in full, its value and its range.
    #[allow(dead_code, reason = "the kiosk's settings compose it")]
    pub(crate) fn check(&self) -> Result<(), String> {
        let ranges = [
            ("desk.idle_seconds", self.idle_seconds, 10, 600),
            ("desk.consent_days", self.consent_days, 1, 36_525),
            (
                "desk.most_templates",
                self.most_templates as u64,
                1,
                MAX_TEMPLATES as u64,
            ),
            ("desk.recognize_seconds", self.recognize_seconds, 1, 60),
            (
                "desk.recognize_frames",
                self.recognize_frames as u64,
                1,
                100,
            ),
        ];
        for (name, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        if let Some(operator) = &self.operator
            && (operator.trim().is_empty() || operator.len() > MAX_WORDS_BYTES)
        {
            return Err(format!(
                "desk.operator has {} bytes, which is not from 1 to {MAX_WORDS_BYTES}",
                operator.len()
            ));
        }
        self.guided.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_named() {
        assert_eq!(DeskRules::default().check(), Ok(()));
        for (text, named) in [
            ("idle_seconds = 5", "desk.idle_seconds = 5"),
            ("consent_days = 0", "desk.consent_days = 0"),
            ("most_templates = 101", "desk.most_templates = 101"),
            ("recognize_seconds = 0", "desk.recognize_seconds = 0"),
            ("recognize_frames = 0", "desk.recognize_frames = 0"),
            ("operator = \" \"", "desk.operator"),
            ("[guided]\nhold_ms = 50", "desk.guided.hold_ms = 50"),
            ("[guided]\nholds = 0", "desk.guided.holds = 0"),
            ("[guided]\nleast_poses = 6", "desk.guided.least_poses = 6"),
            (
                "[guided]\nleast_yaw_degrees = 40.0",
                "desk.guided.least_yaw_degrees = 40",
            ),
            (
                "[guided]\nmost_pitch_degrees = nan",
                "desk.guided.most_pitch_degrees = NaN",
            ),
        ] {
            let rules: DeskRules = toml::from_str(text).unwrap();
            let message = rules.check().unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
        assert!(toml::from_str::<DeskRules>("pin = 1").is_err());
        assert!(toml::from_str::<DeskRules>("keyboard = \"french\"").is_err());
        let german: DeskRules = toml::from_str("keyboard = \"german\"").unwrap();
        assert_eq!(german.keyboard, Layout::German);
    }
}
