//! Replace a file whole or not at all: a temporary file beside it, synced, then renamed over it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Names of files that are being written begin so; one that is left over is a crash's.
pub const TEMPORARY: &str = ".writing-";

/// Who may read the file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The owner alone (mode 600): biometric data.
    Owner,
    /// Whom the process's umask lets read (mode 666 less umask).
    Everyone,
}

/// Puts `bytes` in place of the file at `path`.
///
/// After a crash or a full disk the old file is still there unharmed, or absent as before.
///
/// # Errors
/// Any `io::Error` of creating, writing, syncing or renaming; the temporary file is removed.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    replace_with(path, readers, |file| file.write_all(bytes))
}

/// Puts what `write` writes in place of the file at `path`, as [`replace`] does.
///
/// # Errors
/// That of `write`, and any `io::Error` of creating, syncing or renaming; the temporary file is
/// removed.
pub fn replace_with(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    let permissions = permissions(readers);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes the folder and those above it where they are not there; what is made is its owner's alone
/// (mode 700): biometric data.
///
/// # Errors
/// Any `io::Error` of making one.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn permissions(readers: Readers) -> Option<fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o666,
    };
    Some(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permissions(_readers: Readers) -> Option<fs::Permissions> {
    None
}

/// The rename itself survives a power cut only once the folder is synced.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"one", Readers::Owner).unwrap();
        replace(&path, b"two", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_keeps_the_old_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        // Renaming a file over a folder that is not empty fails after the temporary file is written.
        let path = folder.path().join("occupied");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"kept").unwrap();
        assert!(replace(&path, b"new", Readers::Owner).is_err());
        assert_eq!(fs::read(path.join("inside")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn biometric_data_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gallery");
        replace(&path, b"x", Readers::Owner).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
