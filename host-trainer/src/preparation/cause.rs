//! Why a photo is left out.

use std::fmt;

use serde::{Deserialize, Serialize};
use shared::PictureError;

/// Why a photo is not in the aligned set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The detector finds no face.
    NoFace,
    /// There are several faces, and exactly one is wanted.
    SeveralFaces,
    /// The landmarks are not those of a face.
    Unaligned,
    /// The eyes are too close together: too few pixels of face.
    TooSmall,
    /// The aligned face has too little detail.
    Blurred,
    /// Another picture of the identity shows the same.
    Duplicate,
    /// The face is unlike the identity's others; left out only on request.
    Outlier,
    /// No bytes.
    Empty,
    /// The file ends before its picture does.
    Truncated,
    /// The content is of no picture format that is read.
    NotAPicture,
    /// More bytes or pixels than are ever decoded: a decompression bomb, or a huge scan.
    TooLarge,
    /// The content contradicts its own format.
    Damaged,
    /// The system refuses to read it: permissions, a broken disk.
    Unreadable,
    /// A symbolic link, and links are not followed.
    Symlink,
    /// A name that is not UTF-8.
    NotUtf8,
    /// A name too long to append `.jpg` to.
    NameTooLong,
    /// A pipe, a socket or a device.
    NotAFile,
    /// A folder inside an identity's folder.
    TooDeep,
    /// A picture beside the identities' folders.
    NoIdentity,
}

impl Cause {
    /// Whether the file itself cannot be used, whatever it shows: what `--max-bad` counts.
    pub fn is_bad(self) -> bool {
        use Cause::{Blurred, Duplicate, NoFace, Outlier, SeveralFaces, TooSmall, Unaligned};
        !matches!(
            self,
            NoFace | SeveralFaces | Unaligned | TooSmall | Blurred | Duplicate | Outlier
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::NoFace => "no face",
            Cause::SeveralFaces => "several faces",
            Cause::Unaligned => "landmarks of no face",
            Cause::TooSmall => "face too small",
            Cause::Blurred => "blurred",
            Cause::Duplicate => "duplicate",
            Cause::Outlier => "unlike its identity",
            Cause::Empty => "empty file",
            Cause::Truncated => "truncated",
            Cause::NotAPicture => "not a picture",
            Cause::TooLarge => "too large",
            Cause::Damaged => "damaged",
            Cause::Unreadable => "unreadable",
            Cause::Symlink => "symbolic link",
            Cause::NotUtf8 => "name not UTF-8",
            Cause::NameTooLong => "name too long",
            Cause::NotAFile => "not a file",
            Cause::TooDeep => "folder too deep",
            Cause::NoIdentity => "not in a folder",
        })
    }
}

impl From<&PictureError> for Cause {
    fn from(error: &PictureError) -> Cause {
        match error {
            PictureError::Read { .. } => Cause::Unreadable,
            PictureError::Empty { .. } => Cause::Empty,
            PictureError::NotAPicture { .. } => Cause::NotAPicture,
            PictureError::Truncated { .. } => Cause::Truncated,
            PictureError::TooLarge { .. } => Cause::TooLarge,
            PictureError::Damaged { .. } => Cause::Damaged,
        }
    }
}
