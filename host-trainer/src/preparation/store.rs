//! Where the aligned faces lie: `<identity>/<photo>.jpg`, in the set itself or, until its shards
//! are written, in a folder that waits beside them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shared::atomic_file::{self, Readers};

use super::journal::Key;
use super::{report, shards};

/// Folder of the faces that wait to be packed.
const WAITING: &str = ".faces";
/// How the temporary files of [`atomic_file`] begin.
const TEMPORARY: &str = ".writing-";

/// The faces of a set.
#[derive(Clone, Debug)]
pub struct Store {
    out: PathBuf,
    faces: PathBuf,
}

impl Store {
    /// The faces of the set in `out`; they wait in a folder of their own if it is to have shards.
    pub fn new(out: &Path, has_shards: bool) -> Store {
        let faces = if has_shards {
            out.join(WAITING)
        } else {
            out.to_owned()
        };
        Store {
            out: out.to_owned(),
            faces,
        }
    }

    /// The folder of the identities' folders.
    pub fn faces(&self) -> &Path {
        &self.faces
    }

    /// The face of a photo. `.jpg` is appended and takes no extension's place, so that `a.jpg` and
    /// `a.png` are two faces.
    pub fn path(&self, identity: &str, photo: &str) -> PathBuf {
        self.faces.join(identity).join(member(photo))
    }

    /// Writes a face, whole or not at all.
    ///
    /// # Errors
    /// Any error of making the folder or writing the file.
    pub fn write(&self, identity: &str, photo: &str, jpeg: &[u8]) -> io::Result<()> {
        let path = self.path(identity, photo);
        fs::create_dir_all(self.faces.join(identity))?;
        atomic_file::replace(&path, jpeg, Readers::Everyone)
    }

    /// Removes a face, and its folder when that was the last.
    ///
    /// # Errors
    /// If it is there and stays.
    pub fn remove(&self, identity: &str, photo: &str) -> io::Result<()> {
        absent(fs::remove_file(self.path(identity, photo)))?;
        // A folder with something in it stays.
        let _ = fs::remove_dir(self.faces.join(identity));
        Ok(())
    }

    /// Removes what a killed run was about to write.
    ///
    /// # Errors
    /// If a folder cannot be listed or a temporary file stays.
    pub fn remove_temporary(&self) -> io::Result<()> {
        let mut folders = vec![self.out.clone()];
        if self.faces.is_dir() {
            for entry in fs::read_dir(&self.faces)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        for folder in folders {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// Removes the waiting faces once their shards are written.
    ///
    /// # Errors
    /// If the folder stays.
    pub fn remove_waiting(&self) -> io::Result<()> {
        absent(fs::remove_dir_all(self.out.join(WAITING)))
    }

    /// Removes what an earlier run made of these photos, and nothing else.
    ///
    /// # Errors
    /// If something of it stays.
    pub fn clear<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) -> io::Result<()> {
        let plain = Store::new(&self.out, false);
        for (identity, photo) in keys {
            plain.remove(identity, photo)?;
        }
        self.remove_waiting()?;
        for shard in shards::list(&self.out)? {
            fs::remove_file(shard)?;
        }
        self.remove_report()
    }

    /// Removes the report, so that the set does not pass for finished.
    ///
    /// # Errors
    /// If it stays.
    pub fn remove_report(&self) -> io::Result<()> {
        absent(fs::remove_file(self.out.join(report::NAME)))
    }
}

/// Name of a photo's face.
pub fn member(photo: &str) -> String {
    format!("{photo}.jpg")
}

/// That there was nothing to remove is as good.
fn absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
