//! The settings of updates: where installed models lie, whose are taken, and what tells the screen.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::UpdateError;
use super::label::{self, ANY_BOARD};
use super::shelf::{self, InUse};
use crate::config::Config;

/// Longest file of the board's name, in bytes.
const MAX_BOARD_BYTES: u64 = 256;

/// Section `[update]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpdateConfig {
    /// Folder of installed models; the one in it goes before `kiosk.model`; empty: none.
    pub folder: PathBuf,
    /// Folder with the public keys (`*.pub`, minisign) of those whose models and galleries are taken.
    pub trusted: PathBuf,
    /// File whose first word is the board's name; absent: only what is signed for any board is taken.
    pub board: PathBuf,
    /// File that is there while something is updated: meanwhile nobody is decided on; empty: none.
    pub mark: PathBuf,
}

impl Default for UpdateConfig {
    /// Where an installed kiosk has them.
    fn default() -> Self {
        Self {
            folder: "/var/lib/usher/models".into(),
            trusted: "/etc/usher/trusted".into(),
            board: "/etc/usher/board".into(),
            mark: "/run/usher/updating".into(),
        }
    }
}

impl UpdateConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, path) in [
            ("folder", &self.folder),
            ("trusted", &self.trusted),
            ("board", &self.board),
            ("mark", &self.mark),
        ] {
            if !path.as_os_str().is_empty() && path.file_name().is_none() {
                return Err(format!(
                    "update.{name} = \"{}\", which names no file",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    /// The board's name; "any" where none was given.
    ///
    /// # Errors
    /// [`UpdateError::Board`] when the file holds no name.
    pub(crate) fn board_name(&self) -> Result<String, UpdateError> {
        let wrong = |found: String| UpdateError::Board {
            path: self.board.clone(),
            found,
        };
        let text = match read_start(&self.board, MAX_BOARD_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(ANY_BOARD.to_owned());
            }
            Err(error) => return Err(wrong(error.to_string())),
        };
        let word = text.split_whitespace().next().unwrap_or_default();
        match label::is_word(word) {
            true => Ok(word.to_owned()),
            false => Err(wrong(format!("{word:?}"))),
        }
    }
}

/// The first bytes of a file, as text.
pub(super) fn read_start(path: &Path, most: u64) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(most)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl Config {
    /// Lets the installed model, where there is one, go before `kiosk.model`; the detector stays the one that it was.
    ///
    /// This is the one place that decides which model counts. Options of a command go before it: where one names the
    /// model, this is not called.
    ///
    /// # Errors
    /// [`UpdateError`] when `current` is there and leads to no model.
    pub fn use_installed(&mut self) -> Result<Option<InUse>, UpdateError> {
        let Some(in_use) = shelf::in_use(&self.update.folder)? else {
            return Ok(None);
        };
        self.kiosk.detector = self.kiosk.detector();
        self.kiosk.model = in_use.manifest.clone();
        Ok(Some(in_use))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boards_name_is_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let config = UpdateConfig {
            board: folder.path().join("board"),
            ..UpdateConfig::default()
        };
        assert_eq!(config.board_name().unwrap(), "any");
        for (text, expected) in [
            ("orin-nano\n", Some("orin-nano")),
            ("  rpi5 rev 2", Some("rpi5")),
            ("", None),
            ("a/b", None),
        ] {
            std::fs::write(&config.board, text).unwrap();
            assert_eq!(config.board_name().ok().as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_path_that_names_nothing_is_refused() {
        let wrong = UpdateConfig {
            mark: "/".into(),
            ..UpdateConfig::default()
        };
        assert!(
            wrong
                .check()
                .unwrap_err()
                .starts_with("update.mark = \"/\"")
        );
        assert_eq!(UpdateConfig::default().check(), Ok(()));
    }
}
