//! A look at a gallery's file and its counter that changes neither.

use std::io;
use std::path::Path;

use super::super::key::SealKind;
use super::super::storage::{Disk, Storage};
use super::super::{Counter, Gallery, GalleryError, ModelId, Sealing, counter::FileCounter};
use super::{GalleryStore, read};

/// What a gallery's file is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// How it is sealed.
    pub seal: SealKind,
    /// Its minor version.
    pub minor: u16,
    /// Number of the first record in the file.
    pub first_sequence: u64,
    /// Number of the last whole record.
    pub last_sequence: u64,
    /// Bytes up to the end of the last whole record.
    pub bytes: u64,
    /// Bytes behind it: the beginning of a record.
    pub torn_bytes: u64,
    /// Records of a newer minor version that were left out.
    pub left_out: u64,
    /// The last record that the counter knows; none without a counter.
    pub acknowledged: Option<u64>,
    /// Why the counter says nothing, if it is there and does not.
    pub counter_error: Option<io::ErrorKind>,
}

/// An inspection in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Everything that was acknowledged is there.
    Whole,
    /// So it is; behind it lies the beginning of a record that was never acknowledged.
    Cut,
    /// Records that were acknowledged are missing: an older file was put in its place, or its end was lost.
    RolledBack {
        /// How many.
        lost: u64,
    },
    /// The counter beside it is damaged or another gallery's, so that nobody can tell.
    Counter,
}

impl Inspection {
    /// In one word.
    pub fn condition(&self) -> Condition {
        let acknowledged = self.acknowledged.unwrap_or(0);
        match acknowledged.saturating_sub(self.last_sequence) {
            _ if self.counter_error.is_some() => Condition::Counter,
            0 if self.torn_bytes > 0 => Condition::Cut,
            0 => Condition::Whole,
            lost => Condition::RolledBack { lost },
        }
    }
}

impl GalleryStore {
    /// Reads a gallery and says what its file is like; nothing is locked and nothing changed.
    ///
    /// # Errors
    /// As [`Gallery::read`]; with no model, a gallery of any model is read.
    pub fn inspect(
        path: &Path,
        model: Option<&ModelId>,
        sealing: Sealing<'_>,
    ) -> Result<(Gallery, Inspection), GalleryError> {
        inspect(
            &Disk,
            &FileCounter::beside(Disk, path),
            path,
            model,
            sealing,
        )
    }
}

/// Readings that another process's writes may spoil, before a loss is believed.
const READINGS: usize = 3;

fn inspect<S: Storage, C: Counter>(
    storage: &S,
    counter: &C,
    path: &Path,
    model: Option<&ModelId>,
    sealing: Sealing<'_>,
) -> Result<(Gallery, Inspection), GalleryError> {
    let look = || -> Result<_, GalleryError> {
        let (loaded, _root) = read(storage, path, model, sealing)?;
        let counted = counter.read(&loaded.header.device);
        let inspection = Inspection {
            seal: loaded.header.seal,
            minor: loaded.header.minor,
            first_sequence: loaded.header.first_sequence,
            last_sequence: loaded.end.sequence,
            bytes: loaded.end.offset,
            torn_bytes: loaded.torn_bytes,
            left_out: loaded.left_out,
            acknowledged: counted.as_ref().ok().copied().flatten(),
            counter_error: counted.err().map(|error| error.kind()),
        };
        Ok((loaded.gallery, inspection))
    };
    let mut found = look()?;
    for _again in 1..READINGS {
        // The counter was read last: a record that was written in between looks lost.
        if !matches!(found.1.condition(), Condition::RolledBack { .. }) {
            break;
        }
        found = look()?;
    }
    Ok(found)
}
