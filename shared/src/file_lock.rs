//! A file that says who works on what lies beside it: one process at a time.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// A lock on a file, given back when it is dropped.
#[derive(Debug)]
pub struct FileLock(File);

impl FileLock {
    /// Takes the lock in the file `path`, which is made for its owner alone if it is not there.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another has it, and what the system says.
    pub fn take(path: &Path) -> io::Result<FileLock> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(FileLock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    /// Closing is not enough: between fork and exec a child has the file open, too, and with it the lock.
    fn drop(&mut self) {
        // What fails here is over with the process.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::take(&path).unwrap();
        let refused = FileLock::take(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        FileLock::take(&path).unwrap();
    }
}
