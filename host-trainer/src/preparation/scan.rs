//! What lies in a folder of photos: `<identity>/<photo>.jpg`, and what is there besides.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::cause::Cause;
use crate::dataset::DatasetError;
use crate::dataset::folder::{entries, is_hidden, is_picture};

/// Longest name of a photo, in bytes: file systems take 255, and `.jpg` is appended.
const MAX_NAME_BYTES: usize = 251;

/// A photo to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Name of its folder.
    pub identity: String,
    /// Name of its file.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The file's length.
    pub bytes: u64,
    /// When the file was last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
}

/// Something that is left out unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it lies, below the folder of photos.
    pub path: PathBuf,
    /// Why.
    pub cause: Cause,
}

/// What a folder of photos holds.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// In the order of identity and name.
    pub photos: Vec<Photo>,
    /// Pictures and folders that cannot be used, in the order of paths.
    pub skipped: Vec<Skipped>,
    /// Files without a picture's extension, and whatever a leading dot hides: not photos at all.
    pub other_files: usize,
}

/// Lists the photos of each identity; nothing is opened.
///
/// # Errors
/// If the folder itself cannot be listed. A folder of an identity that cannot is skipped.
pub fn scan(folder: &Path, follow_symlinks: bool) -> Result<Scan, DatasetError> {
    let mut scan = Scan::default();
    for path in entries(folder)? {
        if is_hidden(&path) {
            scan.other_files += 1;
            continue;
        }
        match look(&path, follow_symlinks) {
            Err(cause) => scan.skip(folder, path, cause),
            Ok(metadata) if metadata.is_dir() => match utf8_name(&path) {
                Some(identity) => scan.identity(folder, &path, identity, follow_symlinks),
                None => scan.skip(folder, path, Cause::NotUtf8),
            },
            Ok(_) if is_picture(&path) => scan.skip(folder, path, Cause::NoIdentity),
            Ok(_) => scan.other_files += 1,
        }
    }
    Ok(scan)
}

impl Scan {
    /// How many things there are that may be a photo.
    pub fn len(&self) -> usize {
        self.photos.len() + self.skipped.len()
    }

    /// Whether there is nothing that may be a photo.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn identity(&mut self, folder: &Path, path: &Path, identity: &str, follow_symlinks: bool) {
        let Ok(inside) = entries(path) else {
            return self.skip(folder, path.to_owned(), Cause::Unreadable);
        };
        for path in inside {
            let found = look(&path, follow_symlinks);
            let is_dir = found.as_ref().is_ok_and(Metadata::is_dir);
            if is_hidden(&path) || !(is_dir || is_picture(&path)) {
                self.other_files += 1;
                continue;
            }
            match photo(identity, &path, found) {
                Ok(photo) => self.photos.push(photo),
                Err(cause) => self.skip(folder, path, cause),
            }
        }
    }

    fn skip(&mut self, folder: &Path, path: PathBuf, cause: Cause) {
        let path = path
            .strip_prefix(folder)
            .map_or(path.clone(), Path::to_owned);
        self.skipped.push(Skipped { path, cause });
    }
}

/// What lies at a path, without opening it: a pipe would wait for its writer for ever.
fn look(path: &Path, follow_symlinks: bool) -> Result<Metadata, Cause> {
    let mut metadata = fs::symlink_metadata(path).map_err(unreadable)?;
    if metadata.is_symlink() {
        if !follow_symlinks {
            return Err(Cause::Symlink);
        }
        metadata = fs::metadata(path).map_err(unreadable)?;
    }
    Ok(metadata)
}

fn photo(identity: &str, path: &Path, found: Result<Metadata, Cause>) -> Result<Photo, Cause> {
    let metadata = found?;
    if metadata.is_dir() {
        return Err(Cause::TooDeep);
    }
    if !metadata.is_file() {
        return Err(Cause::NotAFile);
    }
    let name = utf8_name(path).ok_or(Cause::NotUtf8)?;
    if name.len() > MAX_NAME_BYTES {
        return Err(Cause::NameTooLong);
    }
    Ok(Photo {
        identity: identity.to_owned(),
        name: name.to_owned(),
        path: path.to_owned(),
        bytes: metadata.len(),
        modified_ns: modified_ns(&metadata),
    })
}

/// Zero where the file system keeps no such time, or one before 1970.
fn modified_ns(metadata: &Metadata) -> i64 {
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

fn unreadable(_: std::io::Error) -> Cause {
    Cause::Unreadable
}

fn utf8_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }

    #[test]
    fn everything_has_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in [
            "ada/1.jpg",
            "ada/2.PNG",
            "ada/notes.txt",
            "ada/.hidden.jpg",
            "ada/deep/1.jpg",
            "bob/1.webp",
            "loose.jpg",
            "readme.txt",
            ".cache/1.jpg",
        ] {
            touch(&at(path));
        }
        symlink(at("ada/1.jpg"), at("ada/link.jpg")).unwrap();
        symlink(at("bob"), at("cleo")).unwrap();
        touch(&at("bob").join(OsStr::from_bytes(b"caf\xe9.jpg")));
        fs::create_dir(at("").join(OsStr::from_bytes(b"\xff\xfe"))).unwrap();
        touch(&at("bob").join("n".repeat(248) + ".jpg"));

        let found = scan(folder.path(), false).unwrap();
        let photos: Vec<(&str, &str)> = found
            .photos
            .iter()
            .map(|photo| (&photo.identity[..], &photo.name[..]))
            .collect();
        let expected = [("ada", "1.jpg"), ("ada", "2.PNG"), ("bob", "1.webp")];
        assert_eq!(photos, expected);
        assert_eq!(found.other_files, 4);
        let causes: Vec<Cause> = found.skipped.iter().map(|skipped| skipped.cause).collect();
        assert_eq!(
            causes,
            [
                Cause::TooDeep,
                Cause::Symlink,
                Cause::NotUtf8,
                Cause::NameTooLong,
                Cause::Symlink,
                Cause::NoIdentity,
                Cause::NotUtf8,
            ]
        );
        assert_eq!(found.len(), 10);

        let followed = scan(folder.path(), true).unwrap();
        let photos: Vec<String> = followed
            .photos
            .iter()
            .map(|photo| format!("{}/{}", photo.identity, photo.name))
            .collect();
        let expected = [
            "ada/1.jpg",
            "ada/2.PNG",
            "ada/link.jpg",
            "bob/1.webp",
            "cleo/1.webp",
        ];
        assert_eq!(photos, expected);
    }

    #[test]
    fn what_is_no_file_is_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ada")).unwrap();
        let _socket =
            std::os::unix::net::UnixListener::bind(folder.path().join("ada/1.jpg")).unwrap();
        let found = scan(folder.path(), false).unwrap();
        assert_eq!(found.skipped[0].cause, Cause::NotAFile);
    }
}
