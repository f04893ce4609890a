//! `challenge.toml`, beside a recording's frames: what was asked and shown while it was taken.
//!
//! ```toml
//! [turn]
//! sides = ["left", "right"]
//!
//! [flash]
//! shown = [                          # times on the recording's clock, when each color was prompted
//!   { at_ms = 0, color = [159, 159, 159] },
//!   { at_ms = 600, color = [61, 179, 61] },
//! ]
//! ```
//!
//! Without it the active checks of a recording cannot be judged: which colors had to come back is the whole point.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::LivenessError;
use super::flash::Shown;
use super::turn::Side;

/// The file's name.
pub const CHALLENGE_FILE: &str = "challenge.toml";

/// What was asked and shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Challenge {
    /// The turns that were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnChallenge>,
    /// The colors that were shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash: Option<FlashChallenge>,
}

/// The turns that were asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnChallenge {
    /// In this order.
    pub sides: Vec<Side>,
}

/// The colors that were shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashChallenge {
    /// Each with its time, in order; the neutral color first and last.
    pub shown: Vec<Shown>,
}

impl Challenge {
    /// What the recording in `folder` says; nothing asked and shown where it has no such file.
    ///
    /// # Errors
    /// [`LivenessError`] when the file cannot be read or understood.
    pub fn read(folder: &Path) -> Result<Challenge, LivenessError> {
        let path = folder.join(CHALLENGE_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Challenge::default());
            }
            Err(source) => {
                return Err(LivenessError::Read {
                    what: "a challenge file",
                    path,
                    source,
                });
            }
        };
        let wrong = |reason: String| LivenessError::Challenge {
            path: path.clone(),
            reason,
        };
        let challenge: Challenge = toml::from_str(&text)
            .map_err(|error| wrong(error.message().trim().replace('\n', " ")))?;
        if let Some(flash) = &challenge.flash {
            let rising = flash
                .shown
                .windows(2)
                .all(|pair| pair[0].at_ms < pair[1].at_ms);
            if flash.shown.len() < 3 || !rising {
                return Err(wrong(
                    "flash.shown has to have three colors or more, at rising times".to_owned(),
                ));
            }
        }
        Ok(challenge)
    }

    /// Writes the file into the recording's folder.
    ///
    /// # Errors
    /// [`LivenessError`] when it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), LivenessError> {
        let path = folder.join(CHALLENGE_FILE);
        let text = toml::to_string(self).map_err(|error| LivenessError::Challenge {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        std::fs::write(&path, text).map_err(|source| LivenessError::Read {
            what: "to write a challenge file",
            path,
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_comes_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            Challenge::read(folder.path()).unwrap(),
            Challenge::default()
        );
        let shown = |at_ms| Shown {
            at_ms,
            color: [1, 2, 3],
        };
        let challenge = Challenge {
            turn: Some(TurnChallenge {
                sides: vec![Side::Right, Side::Left],
            }),
            flash: Some(FlashChallenge {
                shown: vec![shown(0), shown(600), shown(1000)],
            }),
        };
        challenge.write(folder.path()).unwrap();
        assert_eq!(Challenge::read(folder.path()).unwrap(), challenge);
        for (text, named) in [
            ("[turn]\nsides = [\"up\"]", "up"),
            ("[flash]\nshown = []", "three colors"),
            ("[blink]", "blink"),
        ] {
            std::fs::write(folder.path().join(CHALLENGE_FILE), text).unwrap();
            let message = Challenge::read(folder.path()).unwrap_err().to_string();
            assert!(
                message.contains(named) && message.contains("challenge.toml"),
                "{message}"
            );
        }
    }
}
