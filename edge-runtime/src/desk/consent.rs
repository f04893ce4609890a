//! The text that a person agrees to before being enrolled: the standard one, or a file's.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The text that `--consent standard` stands for, and that the desk shows unless it is given another.
pub const STANDARD: &str = include_str!("consent.txt");
/// Longest text, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// A text that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected the text of the consent in {path}, which cannot be read: {source}; name a text file, or `standard` for the text that usher consent prints"
)]
pub struct ConsentTextError {
    path: PathBuf,
    source: io::Error,
}

/// The text in the file at `path`.
///
/// # Errors
/// [`ConsentTextError`] when it cannot be read, or is longer than a mebibyte, or no text.
pub fn read(path: &Path) -> Result<String, ConsentTextError> {
    let failed = |source| ConsentTextError {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    // A text that is cut off would be another than the one that was agreed to.
    let read = file
        .take(MAX_TEXT_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    match read as u64 > MAX_TEXT_BYTES {
        true => Err(failed(io::ErrorKind::FileTooLarge.into())),
        false => Ok(text),
    }
}
