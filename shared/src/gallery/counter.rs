//! The number of the last acknowledged record, kept apart from the gallery: an older file put in the
//! gallery's place has a lower one.
//!
//! [`FileCounter`] lies beside the gallery. It notices that the gallery's file alone was put back (a restored
//! copy, a disk that lost writes it had promised) or cut at the end of a record. It cannot notice that both files
//! were put back, nor that it was removed: whoever may write the folder can do that, and no file can
//! tell. A counter that only rises in a chip (a TPM's NV counter) notices this as well: implement
//! [`Counter`] for it.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::storage::{self, Storage};

/// A number that only rises, for one gallery.
pub trait Counter {
    /// The number of the last acknowledged record; none when there is no counter yet.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] when it is damaged or another gallery's.
    fn read(&self, device: &[u8; 16]) -> io::Result<Option<u64>>;

    /// Raises the number, lasting.
    ///
    /// # Errors
    /// What the system says; the number is then the old one or the new one.
    fn advance(&mut self, device: &[u8; 16], sequence: u64) -> io::Result<()>;

    /// Begins anew at this number: the gallery was just made, or a loss was accepted.
    ///
    /// # Errors
    /// What the system says.
    fn restart(&mut self, device: &[u8; 16], sequence: u64) -> io::Result<()>;
}

/// A counter in a file beside the gallery: `people.gallery.counter`.
///
/// 64 bytes: `USHERCNT`, the gallery's device (16 bytes), the number (u64, little-endian), SHA-256 of those.
#[derive(Debug)]
pub struct FileCounter<S> {
    storage: S,
    path: PathBuf,
}

const MAGIC: [u8; 8] = *b"USHERCNT";
const BYTES: usize = 64;

impl<S: Storage> FileCounter<S> {
    /// The counter of the gallery at this path.
    pub fn beside(storage: S, gallery: &Path) -> FileCounter<S> {
        FileCounter {
            storage,
            path: beside(gallery, "counter"),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<S: Storage> Counter for FileCounter<S> {
    fn read(&self, device: &[u8; 16]) -> io::Result<Option<u64>> {
        let bytes = match self.storage.read(&self.path, BYTES as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                return Err(damaged("a longer file"));
            }
            Err(error) => return Err(error),
        };
        if bytes.len() != BYTES
            || bytes[..8] != MAGIC
            || Sha256::digest(&bytes[..32])[..] != bytes[32..]
        {
            return Err(damaged("damaged bytes"));
        }
        if bytes[8..24] != device[..] {
            return Err(damaged("the counter of another gallery"));
        }
        let number = std::array::from_fn(|i| bytes[24 + i]);
        Ok(Some(u64::from_le_bytes(number)))
    }

    fn advance(&mut self, device: &[u8; 16], sequence: u64) -> io::Result<()> {
        self.restart(device, sequence)
    }

    fn restart(&mut self, device: &[u8; 16], sequence: u64) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(device);
        bytes.extend_from_slice(&sequence.to_le_bytes());
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        let new = beside(&self.path, "new");
        storage::replace(&self.storage, &self.path, &new, &bytes)?;
        self.storage.sync_folder(&self.path)
    }
}

fn damaged(found: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, found)
}

/// The path of a file that goes with another: its name, a dot and `what`.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}
