//! A folder per identity: `<identity>/<picture>.jpg`.

use std::path::{Path, PathBuf};

use super::{DatasetError, Found};

const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "bmp", "webp"];

pub(super) fn read(folder: &Path) -> Result<Vec<Found>, DatasetError> {
    let mut found = Vec::new();
    for identity in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = file_name(&identity);
        for path in entries(&identity)?
            .into_iter()
            .filter(|path| is_picture(path))
        {
            let bytes = std::fs::read(&path).map_err(|source| DatasetError::Io {
                path: path.clone(),
                source,
            })?;
            found.push(Found {
                name: path,
                identity: name.clone(),
                source: file_name(folder),
                licence: "not stated".to_owned(),
                bytes,
            });
        }
    }
    Ok(found)
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
