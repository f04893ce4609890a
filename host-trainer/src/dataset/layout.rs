//! The layouts a face set comes in, and which of them a folder has.

use std::fmt;
use std::path::{Path, PathBuf};

use super::folder::{file_name, is_picture, visible};
use super::index::Index;
use super::{DatasetError, folder, shards, tars};

/// The list beside our own tar files.
const MANIFEST: &str = "manifest.tsv";

/// The part of a set that is trained on, where it has more (VGGFace2: `train` and `test`).
const TRAIN: &str = "train";

/// How a set is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Tar files listed picture by picture in `manifest.tsv`.
    ListedTars,
    /// Tar files as WebDataset writes them: `<identity>/<picture>.jpg`, or `<key>.jpg` with its
    /// identity in `<key>.cls`.
    Shards,
    /// A folder per identity.
    Folders {
        /// Whose names they bear.
        style: FolderStyle,
        /// The one folder they lie in below the set's own, such as `train`.
        inside: Option<String>,
    },
}

/// Sets that are told by the names in them; all are read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderStyle {
    /// `n000002/0001_01.jpg`.
    VggFace2,
    /// `0000045/001.jpg`: a number per identity.
    CasiaWebFace,
    /// `Ada_Lovelace/Ada_Lovelace_0001.jpg`.
    Lfw,
    /// Any other names.
    Plain,
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Layout::ListedTars => write!(f, "tar files listed by {MANIFEST}"),
            Layout::Shards => f.write_str("tar shards"),
            Layout::Folders { style, inside } => {
                f.write_str(match style {
                    FolderStyle::VggFace2 => "a folder per identity, named as in VGGFace2",
                    FolderStyle::CasiaWebFace => "a folder per identity, named as in CASIA-WebFace",
                    FolderStyle::Lfw => "a folder per identity, named as in LFW",
                    FolderStyle::Plain => "a folder per identity",
                })?;
                match inside {
                    Some(inside) => write!(f, ", in {inside}/"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Finds out how `folder` is laid out and indexes its pictures.
///
/// Tar files win over folders beside them. Folders may lie one level deeper, in `train` or in the
/// only folder there is; a `test` beside `train` is not read, nor
/// what a leading dot hides.
pub(super) fn read(folder: &Path, index: &mut Index) -> Result<Layout, DatasetError> {
    let manifest = folder.join(MANIFEST);
    if manifest.exists() {
        tars::read(folder, &manifest, index)?;
        return Ok(Layout::ListedTars);
    }
    let paths = visible(folder)?;
    let shards: Vec<&PathBuf> = paths.iter().filter(|path| is_tar(path)).collect();
    if !shards.is_empty() {
        for shard in shards {
            shards::read(shard, index)?;
        }
        return Ok(Layout::Shards);
    }
    let folders: Vec<PathBuf> = paths.into_iter().filter(|path| path.is_dir()).collect();
    let inner = match &folders[..] {
        [only] => Some(only),
        several => several.iter().find(|path| file_name(path) == TRAIN),
    };
    let inner = match inner {
        Some(path) if holds_identities(path)? => Some(path),
        _ => None,
    };
    let names = folder::read(folder, inner.unwrap_or(&folder.to_owned()), index)?;
    Ok(Layout::Folders {
        style: style(&names),
        inside: inner.map(|path| file_name(path)),
    })
}

/// Whether a folder is none of an identity but one of identities: it holds folders, no pictures.
fn holds_identities(folder: &Path) -> Result<bool, DatasetError> {
    let inside = visible(folder)?;
    Ok(!inside.iter().any(|path| is_picture(path)) && inside.iter().any(|path| path.is_dir()))
}

fn is_tar(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("tar")) && path.is_file()
}

/// Of identities and one picture's name of each.
fn style(names: &[(String, String)]) -> FolderStyle {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let all = |test: &dyn Fn(&str, &str) -> bool| {
        !names.is_empty() && names.iter().all(|(folder, picture)| test(folder, picture))
    };
    if all(&|folder, _| folder.strip_prefix('n').is_some_and(digits)) {
        FolderStyle::VggFace2
    } else if all(&|folder, _| digits(folder)) {
        FolderStyle::CasiaWebFace
    } else if all(&|folder, picture| {
        let number = picture
            .strip_prefix(folder)
            .and_then(|it| it.strip_prefix('_'))
            .and_then(|it| it.split('.').next());
        number.is_some_and(|number| number.len() == 4 && digits(number))
    }) {
        FolderStyle::Lfw
    } else {
        FolderStyle::Plain
    }
}
