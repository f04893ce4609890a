//! What can go wrong with a gallery, in words that say what to do.

use std::path::PathBuf;

use super::format::FormatError;
use super::name::MAX_CHARS;
use super::{MAX_IDENTITIES, MAX_TEMPLATES};
use crate::model_id::ModelId;

/// Why a gallery cannot be read, changed or written.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// There is no file.
    #[error("expected a gallery at {path}, found none; enroll a person first with usher enroll")]
    Missing {
        /// The gallery file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("expected a readable gallery at {path}, found: {source}; check path and permissions")]
    Read {
        /// The gallery file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file's content is not a sound gallery.
    #[error("{path}: {source}")]
    File {
        /// The gallery file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The file's templates are of another model.
    #[error(
        "gallery {path} was made by model {gallery}, this device runs {device}; enroll again or install the model {gallery}"
    )]
    OtherModel {
        /// The gallery file.
        path: PathBuf,
        /// The model in its header.
        gallery: ModelId,
        /// The model in use.
        device: ModelId,
    },
    /// The file cannot be written.
    #[error(
        "expected to write the gallery {path}, found: {source}; check folder, space and permissions"
    )]
    Write {
        /// The gallery file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The name is unfit.
    #[error(
        "expected a name of 1 to {MAX_CHARS} printable characters, found {found}; choose another"
    )]
    Name {
        /// What is unfit about it.
        found: String,
    },
    /// Somebody has the name already.
    #[error(
        "expected a new name, found {name} enrolled already; choose another or remove {name} first"
    )]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Nobody has the name.
    #[error("expected {name} among the enrolled, found nobody of this name; check the spelling")]
    NoSuchName {
        /// The name asked for.
        name: String,
    },
    /// There are no templates, or too many.
    #[error(
        "expected 1 to {MAX_TEMPLATES} templates of a person, found {found}; take other pictures"
    )]
    Templates {
        /// Templates given.
        found: usize,
    },
    /// A template has another dimension.
    #[error(
        "expected templates of {expected} numbers, found {found}; make them with the gallery's model"
    )]
    Dimension {
        /// The gallery's dimension.
        expected: usize,
        /// The template's dimension.
        found: usize,
    },
    /// No room for another person.
    #[error(
        "expected at most {MAX_IDENTITIES} people in a gallery, found it full; remove somebody first"
    )]
    Full,
}
