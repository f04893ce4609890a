//! The few calls by which an installation changes the disk: a seam at which tests cut the power.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What an installation does to the disk.
///
/// What was written lasts once the file was synced, a name once the folder that it is in was.
pub(super) trait Disk {
    /// Makes a folder, and those above it, with these permissions.
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Makes a new file, which everybody may read where the folder lets them; returns its length.
    fn write(&self, path: &Path, content: &mut dyn Read) -> io::Result<u64>;

    /// Makes a file's content last.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder last.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Gives a file, link or folder another name, in place of a file or link that had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a symbolic link that leads to `target`.
    fn link(&self, target: &str, path: &Path) -> io::Result<()>;

    /// Removes a file or a link; one that is not there is as good.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and what is in it; one that is not there is as good.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disk itself.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn write(&self, path: &Path, content: &mut dyn Read) -> io::Result<u64> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        // The umask of whoever installs may be stricter; the kiosk reads as another user.
        file.set_permissions(Permissions::from_mode(0o644))?;
        io::copy(content, &mut file)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, target: &str, path: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        or_absent(fs::remove_file(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        or_absent(fs::remove_dir_all(path))
    }
}

fn or_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
