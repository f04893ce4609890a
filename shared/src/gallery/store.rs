//! A gallery on disk: every change is a record, lasting before it is acknowledged.
//!
//! | step of a change | what a power cut there leaves |
//! |---|---|
//! | the record is appended | its beginning at most, which the next opening cuts off |
//! | the file is synced | the record; it was not acknowledged, and counts all the same |
//! | the counter is raised | the record |
//! | memory changes, the caller is told | the record |
//!
//! A compaction, rekey or restore writes a whole new file under another name, syncs it, renames it over
//! the old one and syncs the folder: there is always one whole gallery. Where a write fails (disk full, read-only),
//! what it left is cut off, memory stays as it was, and the error says so.
//!
//! A removal is a record, then a compaction: the new file holds neither the person's records nor the data
//! key that would open them in an old copy of the file's blocks. Every compaction draws the gallery key and all
//! data keys anew.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use super::counter::{Counter, FileCounter, beside};
use super::format::{End, MAX_FILE_BYTES};
use super::frame::Keys;
use super::header::{Header, Root};
use super::key::SealKind;
use super::storage::{Disk, Storage, StoredFile};
use super::*;
use rewrite::Source;
use zeroize::Zeroizing;

mod inspect;
mod opening;
mod people;
mod restore;
mod rewrite;

pub use inspect::{Condition, Inspection};
use opening::lock;
pub(super) use opening::read;
pub use opening::{Making, OpenReport, Opening};
pub use people::{Receipt, Sweep};
pub use restore::{Restored, Restoring};

/// A gallery on disk, held by this process alone.
pub struct GalleryStore<S: Storage = Disk, C: Counter = FileCounter<S>> {
    storage: S,
    counter: C,
    path: PathBuf,
    header: Header,
    root: Root,
    key: Option<DataKey>,
    gallery: Gallery,
    end: End,
    file: S::File,
    /// Why nothing may be appended before the file is opened again.
    poisoned: Option<io::ErrorKind>,
    /// The folder of a renamed file is not synced yet.
    unsynced_folder: bool,
    _lock: S::Lock,
}

/// Who changes a gallery, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Who gives the order, at most 200 bytes; it is kept in the history.
    pub operator: &'a str,
    /// When.
    pub at: WallTime,
}

impl<S: Storage, C: Counter> GalleryStore<S, C> {
    /// What the gallery holds now.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// The gallery, and what keeps other processes from changing the file until it is dropped.
    pub fn into_gallery(self) -> (Gallery, S::Lock) {
        (self.gallery, self._lock)
    }

    /// As [`Gallery::suspend_expired`].
    pub fn suspend_expired(&mut self, now: WallTime) -> usize {
        self.gallery.suspend_expired(now)
    }

    /// The gallery's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is sealed.
    pub fn seal(&self) -> SealKind {
        self.header.seal
    }

    /// Number of the last record, and bytes of the file.
    pub fn extent(&self) -> (u64, u64) {
        (self.end.sequence, self.end.offset)
    }

    /// Whether removed people's records still lie in the file, since a compaction failed.
    pub fn awaits_compaction(&self) -> bool {
        self.gallery.unerased
    }

    /// Copies the gallery's file to `to`, sealed as it is, and notes the copy.
    ///
    /// # Errors
    /// As every write; [`GalleryError::Exists`] when there is a file.
    pub fn back_up(&mut self, to: &Path, by: By<'_>) -> Result<Backup, GalleryError> {
        if self.storage.exists(to) {
            return Err(GalleryError::Exists {
                path: to.to_owned(),
            });
        }
        let backup = Backup {
            name: to.display().to_string().chars().take(100).collect(),
            at: by.at,
            sequence: self.end.sequence + 1,
            next_id: self.gallery.next_id,
        };
        // Noted first: a copy that nobody knows of is worse than a note without a copy.
        self.append(None, Change::Backup(backup.clone()), by)?;
        let bytes = self
            .storage
            .read(&self.path, MAX_FILE_BYTES)
            .map_err(|source| GalleryError::Read {
                path: self.path.clone(),
                source,
            })?;
        storage::replace(&self.storage, to, &beside(to, "new"), &bytes)
            .and_then(|_file| self.storage.sync_folder(to))
            .map_err(write_error(to))?;
        Ok(backup)
    }

    /// Writes the file anew without what no longer counts.
    ///
    /// # Errors
    /// As every write; the old file is then in place.
    pub fn compact(&mut self, by: By<'_>) -> Result<(), GalleryError> {
        let rotation = self.gallery.rotation.clone();
        let root = self.root.clone();
        self.rewrite(root, rotation, None, by)
    }

    /// Seals the file anew by another key; with `fresh_rotation`, issues all templates anew too.
    ///
    /// # Errors
    /// As every write; the old file is then in place, sealed by the old key.
    pub fn rekey(
        &mut self,
        sealing: Sealing<'_>,
        fresh_rotation: bool,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        let rotation = if fresh_rotation {
            draw_rotation(true, self.gallery.dimension)?
        } else {
            self.gallery.rotation.clone()
        };
        self.rewrite(
            Root::fresh(sealing)?,
            rotation,
            Some(Change::KeyRotation),
            by,
        )
    }

    fn known(&self, id: IdentityId) -> Result<&Identity, GalleryError> {
        self.gallery
            .identity(id)
            .ok_or(GalleryError::NoSuchNumber { number: id.0 })
    }

    /// One change: checked, appended, synced, counted, applied.
    fn append(
        &mut self,
        person: Option<IdentityId>,
        change: Change<'_>,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        let kind = change.kind();
        let record = Record {
            at: by.at,
            operator: Cow::Borrowed(by.operator),
            change,
        };
        if by.operator.is_empty() {
            return Err(GalleryError::Unfitting {
                found: "an order of nobody",
            });
        }
        self.gallery.check(kind, person, &record)?;
        self.settle()?;
        let data = match kind {
            FrameKind::Enrollment => {
                Some(DataKey::draw().map_err(|source| GalleryError::Randomness { source })?)
            }
            FrameKind::Person => person
                .and_then(|id| self.gallery.identity(id))
                .map(|known| known.key.clone()),
            FrameKind::Gallery => None,
        };
        let keys = keys(self.key.as_ref(), kind, data.as_ref());
        let mut bytes = Vec::new();
        let mut end = self.end;
        let body = postcard::to_stdvec(&record).map_err(io::Error::other);
        let body = Zeroizing::new(body.map_err(write_error(&self.path))?);
        format::append(
            &mut bytes,
            &self.header,
            &mut end,
            &keys,
            (kind, person),
            &body,
        )
        .map_err(write_error(&self.path))?;
        if end.offset > MAX_FILE_BYTES {
            return Err(write_error(&self.path)(io::ErrorKind::FileTooLarge.into()));
        }
        let before = self.end;
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync());
        if let Err(source) = written {
            return Err(self.take_back(before, source));
        }
        let counted = self.counter.advance(&self.header.device, end.sequence);
        if let Err(source) = counted {
            match self.counter.read(&self.header.device) {
                // Raised all the same: the record is written, and counts.
                Ok(Some(last)) if last >= end.sequence => {}
                Ok(_) => return Err(self.take_back(before, source)),
                // Cutting the record off could put the file behind its counter.
                Err(_) => return Err(self.poison(source)),
            }
        }
        self.end = end;
        let data = data.filter(|_| kind == FrameKind::Enrollment);
        self.gallery.apply(end.sequence, person, record, data);
        Ok(())
    }

    /// Cuts off what a failed write left.
    fn take_back(&mut self, before: End, source: io::Error) -> GalleryError {
        match self.file.cut(before.offset).and_then(|()| self.file.sync()) {
            Ok(()) => write_error(&self.path)(source),
            Err(_) => self.poison(source),
        }
    }

    fn poison(&mut self, source: io::Error) -> GalleryError {
        self.poisoned = Some(source.kind());
        GalleryError::Poisoned {
            path: self.path.clone(),
            source,
        }
    }

    /// What must be done before the next write, or forbids it.
    fn settle(&mut self) -> Result<(), GalleryError> {
        if let Some(kind) = self.poisoned {
            return Err(GalleryError::Poisoned {
                path: self.path.clone(),
                source: kind.into(),
            });
        }
        if self.unsynced_folder {
            self.storage
                .sync_folder(&self.path)
                .map_err(write_error(&self.path))?;
            self.unsynced_folder = false;
        }
        Ok(())
    }

    /// Makes a new file last that was just put in place.
    fn settle_new(&mut self) -> Result<(), GalleryError> {
        let settled = self.storage.sync_folder(&self.path);
        self.unsynced_folder = settled.is_err();
        settled
            .and_then(|()| self.counter.advance(&self.header.device, self.end.sequence))
            .map_err(|source| GalleryError::Unsettled {
                path: self.path.clone(),
                source,
            })
    }

    /// A new file in place of the old one.
    fn rewrite(
        &mut self,
        root: Root,
        rotation: Option<Rotation>,
        last: Option<Change<'_>>,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.settle()?;
        let source = Source {
            gallery: &self.gallery,
            device: self.header.device,
            first_sequence: self.end.sequence + 1,
            root: &root,
            rotation: rotation.as_ref(),
            by,
            last,
        };
        let new = source.write()?;
        let file = storage::replace(
            &self.storage,
            &self.path,
            &beside(&self.path, "new"),
            &new.bytes,
        )
        .map_err(write_error(&self.path))?;
        let suspended = std::mem::take(&mut self.gallery.suspended);
        self.file = file;
        self.header = new.loaded.header;
        self.root = root;
        self.key = new.loaded.key;
        self.gallery = new.loaded.gallery;
        self.gallery.suspended = suspended;
        self.end = new.loaded.end;
        self.settle_new()
    }
}

fn write_error(path: &Path) -> impl Fn(io::Error) -> GalleryError + use<> {
    let path = path.to_owned();
    move |source| GalleryError::Write {
        path: path.clone(),
        source,
    }
}

fn draw_rotation(rotated: bool, dimension: usize) -> Result<Option<Rotation>, GalleryError> {
    if !rotated {
        return Ok(None);
    }
    if dimension > rotation::MAX_DIMENSION {
        return Err(GalleryError::Unfitting {
            found: "a rotation of templates of more than 1,024 numbers",
        });
    }
    let seed = seal::random().map_err(|source| GalleryError::Randomness { source })?;
    Ok(Some(Rotation::from_seed(seed, dimension)))
}

/// The keys that seal a record: the gallery's, and the person's where it is about one.
fn keys<'a>(gallery: Option<&'a DataKey>, kind: FrameKind, data: Option<&'a DataKey>) -> Keys<'a> {
    match (gallery, kind, data) {
        (Some(gallery), FrameKind::Enrollment, Some(data)) => Keys::Enrollment { gallery, data },
        (Some(_), FrameKind::Person, Some(data)) => Keys::Person(data),
        (Some(gallery), _, _) => Keys::Gallery(gallery),
        (None, _, _) => Keys::Plain,
    }
}

#[cfg(test)]
mod tests;
