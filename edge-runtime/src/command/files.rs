//! Files that are written once: whole, for their owner alone, and never over another.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use shared::atomic_file::TEMPORARY;

/// That nothing is there yet.
pub(super) fn must_be_new(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        path.symlink_metadata().is_err(),
        "expected no file at {}, found one; choose another path, nothing is written over",
        path.display()
    );
    Ok(())
}

/// Writes a file of mode 600 whole or not at all, and never over another.
pub(super) fn write_new(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    must_be_new(path)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let written = || -> io::Result<()> {
        // Temporary files are their owner's alone (mode 600).
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)?;
        let mut buffered = io::BufWriter::new(file);
        write(&mut buffered)?;
        let file = buffered
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    written().with_context(|| {
        format!(
            "expected to write {}, which failed; check folder, space and permissions",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_new(&path, |out| out.write_all(b"one")).unwrap();
        assert!(write_new(&path, |out| out.write_all(b"two")).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        let failing = folder.path().join("other");
        assert!(write_new(&failing, |_| Err(io::ErrorKind::StorageFull.into())).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
