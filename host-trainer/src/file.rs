//! Writing a file so that nobody ever sees half of it.

use std::io::Write;
use std::path::Path;

/// Replaces the file at `path`: temporary file in the same folder, sync, rename, folder sync.
///
/// # Errors
/// What the file system said; the old file, if any, is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
