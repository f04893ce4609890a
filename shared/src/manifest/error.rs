//! What can be wrong with a manifest, in words that name file, line and field.

use std::path::{Path, PathBuf};

use super::FORMAT;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("expected a model manifest at {path}, found: {source}; check the path of --model")]
    Read {
        /// The manifest.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or a field is missing, unknown or of another type.
    #[error(
        "expected a model manifest in {path}, found at line {line}: {reason} (`{text}`); correct the line or export the model again"
    )]
    Syntax {
        /// The manifest.
        path: PathBuf,
        /// Line where it goes wrong, from 1; for a missing field, where its table begins.
        line: usize,
        /// What is wrong, with the field's name.
        reason: String,
        /// That line's text.
        text: String,
    },
    /// The manifest is of another format.
    #[error(
        "expected a model manifest of format {FORMAT} in {path}, found format {found}; export the model again or update usher"
    )]
    Format {
        /// The manifest.
        path: PathBuf,
        /// The format it states.
        found: u32,
    },
    /// A field holds what it must not.
    #[error(
        "expected {field} to be {expected} in {path}, found {found}; correct it or export the model again"
    )]
    Field {
        /// The manifest.
        path: PathBuf,
        /// The field, with dots into tables.
        field: String,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// The manifest cannot be put into TOML.
    #[error(
        "expected to put a manifest into TOML for {path}, found: {source}; counts must stay below 2^63"
    )]
    Unwritable {
        /// The manifest.
        path: PathBuf,
        /// What the serializer said.
        source: toml::ser::Error,
    },
    /// The file cannot be written.
    #[error(
        "expected to write a model manifest to {path}, found: {source}; check folder, space and permissions"
    )]
    Write {
        /// The manifest.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no operating point of that name.
    #[error(
        "expected an operating point {expected} of model {model}, found {found}; name one of these or calibrate the model"
    )]
    NoOperatingPoint {
        /// The model's name.
        model: String,
        /// The name asked for.
        expected: String,
        /// The names there are.
        found: String,
    },
}

impl ManifestError {
    /// The TOML reader's error with its line.
    pub(super) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ManifestError {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        // A span may end between the bytes of a character; count lines over bytes.
        let line = 1 + text.as_bytes()[..at]
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        ManifestError::Syntax {
            path: path.to_owned(),
            line,
            reason: error.message().trim().replace('\n', " "),
            text: text.lines().nth(line - 1).unwrap_or("").trim().to_owned(),
        }
    }
}
