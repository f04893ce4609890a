//! What can go wrong with a gallery, in words that say what to do.

use std::path::PathBuf;

use super::format::FormatError;
use super::key::KeyError;
use super::name::MAX_CHARS;
use super::{MAX_ANCHORS, MAX_COHORT, MAX_IDENTITIES, MAX_LABEL_CHARS, MAX_TEMPLATES};
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
    /// There is a file where a new one was to be made.
    #[error("expected no file at {path}, found one; choose another path")]
    Exists {
        /// The file.
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
        "gallery {path} was made by model {gallery}, this device runs {device}; enroll again, install the model {gallery}, or train a model compatible with it (usher-train train --compatible-with)"
    )]
    OtherModel {
        /// The gallery file.
        path: PathBuf,
        /// The model in its header.
        gallery: ModelId,
        /// The model in use.
        device: ModelId,
    },
    /// Another process holds the gallery.
    #[error(
        "expected to have {path} alone, found another process that holds it; end it first (usher run?)"
    )]
    Locked {
        /// The gallery file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error(
        "expected to write the gallery {path}, found: {source}; nothing was changed; check folder, space and permissions"
    )]
    Write {
        /// The gallery file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A write failed, and taking it back failed as well.
    #[error(
        "expected to take a failed write back from {path}, found: {source}; nothing more is written until the gallery is opened again, which cuts the rest off"
    )]
    Poisoned {
        /// The gallery file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A new file is in place, but a power cut may bring the old one back.
    #[error(
        "expected the new file at {path} to last, found: {source}; it is in place and counts, but a power cut may bring the old one back until the next change is written"
    )]
    Unsettled {
        /// The gallery file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Who was removed since a backup cannot be known.
    #[error(
        "expected to know who was removed since the backup, found that {path} cannot be read ({source}); name those people by their receipts (--removed N), and say that these are all (--removed-are-all)"
    )]
    RemovalsUnknown {
        /// The gallery file.
        path: PathBuf,
        /// Why it cannot be read.
        source: Box<GalleryError>,
    },
    /// The backup is of another gallery.
    #[error(
        "expected a backup of the gallery at {path}, found one of another gallery; choose another file"
    )]
    OtherGallery {
        /// The gallery file.
        path: PathBuf,
    },
    /// The file is older than what was written.
    #[error(
        "expected {path} to hold record {expected}, which was written, found none after {found}: an older file was put in its place, or its end was lost; restore the newest backup, or accept the loss (usher gallery verify --accept-loss)"
    )]
    RolledBack {
        /// The gallery file.
        path: PathBuf,
        /// The last record that the counter knows.
        expected: u64,
        /// The last record in the file.
        found: u64,
    },
    /// The counter beside the gallery cannot be read or belongs to another.
    #[error(
        "expected the counter of the gallery at {path}, found: {found}; put the right one there, or accept the loss (usher gallery verify --accept-loss)"
    )]
    Counter {
        /// The counter's file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// The file is of a newer minor version and may only be read.
    #[error(
        "expected a gallery that this build may write, found format {major}.{minor} at {path}, which is newer; update usher to change it"
    )]
    Newer {
        /// The gallery file.
        path: PathBuf,
        /// Its major version.
        major: u16,
        /// Its minor version.
        minor: u16,
    },
    /// No key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The gallery is sealed in another way.
    #[error(
        "expected what opens a gallery that is sealed by {gallery}, found {given}; see --key, --passphrase-file and --plain"
    )]
    Sealing {
        /// How it is sealed.
        gallery: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The key is another gallery's.
    #[error(
        "expected what this gallery was sealed with, found {given} that does not open it; name the right one by --key or --passphrase-file"
    )]
    WrongKey {
        /// What was given.
        given: &'static str,
    },
    /// The system has no randomness.
    #[error("expected random bytes from the system, found: {source}")]
    Randomness {
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
    /// A label is unfit.
    #[error(
        "expected a label of 1 to {MAX_LABEL_CHARS} printable characters (\"glasses\"), found {found}; choose another"
    )]
    Label {
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
    /// Nobody has the number.
    #[error("expected a number of somebody enrolled, found {number}; see usher gallery list")]
    NoSuchNumber {
        /// The number asked for.
        number: u32,
    },
    /// The record of a consent is unfit.
    #[error("expected a consent with a text, an operator and a time to last, found {found}")]
    Consent {
        /// What is unfit about it.
        found: String,
    },
    /// There are no templates, or too many.
    #[error(
        "expected 1 to {MAX_TEMPLATES} templates of a person, found {found}; take other pictures"
    )]
    Templates {
        /// Templates given.
        found: usize,
    },
    /// There are too many negative anchors, or strangers in the cohort.
    #[error(
        "expected at most {MAX_ANCHORS} negative anchors of a person and {MAX_COHORT} strangers in the cohort, found {found}"
    )]
    Strangers {
        /// How many there would be.
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
    /// A new file does not read back; it was not put in place.
    #[error(
        "expected a new gallery file to read back, found: {source}; nothing was changed; report this"
    )]
    Unreadable {
        /// What is wrong with it.
        source: FormatError,
    },
    /// A record in the file does not fit what came before it.
    #[error("expected a record that fits those before it, found {found}")]
    Unfitting {
        /// What does not fit.
        found: &'static str,
    },
}
