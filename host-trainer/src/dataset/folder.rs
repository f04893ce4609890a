//! A folder per identity: `<identity>/<picture>.jpg`.

use std::path::{Path, PathBuf};

use super::DatasetError;
use super::index::{Found, Index};

const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

/// Indexes the folders in `inside`, which is `folder` or lies in it; returns each identity with
/// the name of its first picture.
pub(super) fn read(
    folder: &Path,
    inside: &Path,
    index: &mut Index,
) -> Result<Vec<(String, String)>, DatasetError> {
    let set = file_name(folder);
    let mut names = Vec::new();
    for identity in visible(inside)?.into_iter().filter(|path| path.is_dir()) {
        let name = file_name(&identity);
        let mut first = None;
        for path in visible(&identity)? {
            if !is_picture(&path) {
                continue;
            }
            let length = match std::fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                Err(source) => return Err(DatasetError::Io { path, source }),
            };
            first.get_or_insert_with(|| file_name(&path));
            index.add(&Found {
                identity: &name,
                source: (&set, "not stated"),
                group: &set,
                tar: None,
                path: path.strip_prefix(folder).unwrap_or(&path),
                offset: 0,
                length,
            })?;
        }
        names.extend(first.map(|first| (name, first)));
    }
    Ok(names)
}

/// What a folder holds, in the order of names.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let fail = |source| DatasetError::Io {
        path: folder.to_owned(),
        source,
    };
    let listing = std::fs::read_dir(folder).map_err(fail)?;
    let mut paths = listing
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    paths.sort();
    Ok(paths)
}

/// What a folder holds but for what a leading dot hides, such as the faces of a sharded `prepare`
/// that is not done.
pub(super) fn visible(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut paths = entries(folder)?;
    paths.retain(|path| !is_hidden(path));
    Ok(paths)
}

/// Whether a leading dot hides the file or folder.
pub fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether the file's extension is one a picture has.
pub fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// The last part of a path, readable.
pub fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
