//! The few calls to the file system that a gallery makes: a seam at which tests cut the power.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::file_lock::FileLock;

/// Where a gallery's files lie.
///
/// A write counts as lasting once the file was synced, a new name once its folder was.
pub trait Storage {
    /// A file open for writing at its end.
    type File: StoredFile;
    /// Holds a gallery for one process, until dropped.
    type Lock;

    /// The whole file.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] when it is longer than `most` bytes, and what the system says.
    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// A new empty file for its owner alone; one of this name is emptied.
    ///
    /// # Errors
    /// What the system says.
    fn create(&self, path: &Path) -> io::Result<Self::File>;

    /// The file, for appending.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Self::File>;

    /// Whether there is a file.
    fn exists(&self, path: &Path) -> bool;

    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in the folder of `path` last.
    ///
    /// # Errors
    /// What the system says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock in the file `path`, which is made if it is not there.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process has it, and what the system says.
    fn lock(&self, path: &Path) -> io::Result<Self::Lock>;
}

/// A file open for writing at its end.
pub trait StoredFile {
    /// Writes some of the bytes to the end and says how many.
    ///
    /// # Errors
    /// What the system says.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Makes all that was written last.
    ///
    /// # Errors
    /// What the system says; what was written since the last sync may then be there or not.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts the file to its first `length` bytes.
    ///
    /// # Errors
    /// What the system says.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Writes all of the bytes.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WriteZero`] when it takes no more.
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Storage for Disk {
    type File = File;
    type Lock = FileLock;

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::with_capacity(length as usize);
        // What is appended meanwhile is left out.
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        fs::OpenOptions::new().append(true).open(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // Only some systems can open a folder.
        if cfg!(unix) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<FileLock> {
        FileLock::take(path)
    }
}

impl StoredFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        use std::io::Seek;
        self.set_len(length)?;
        self.seek(io::SeekFrom::End(0)).map(|_| ())
    }
}

/// Writes a file whole under another name, then gives it its own: it is there whole or not at all.
///
/// `new` is the other name. The folder is synced by the caller.
///
/// # Errors
/// What the system says; the file of the other name is removed.
pub(super) fn replace<S: Storage>(
    storage: &S,
    path: &Path,
    new: &Path,
    bytes: &[u8],
) -> io::Result<S::File> {
    let written = storage.create(new).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync()?;
        storage.rename(new, path)?;
        Ok(file)
    });
    if written.is_err() {
        // Best effort: the next opening removes it too.
        let _ = storage.remove(new);
    }
    written
}
