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

use super::consent::Clock;
use super::counter::{Counter, FileCounter, beside};
use super::format::{End, Loaded, MAJOR, MAX_FILE_BYTES};
use super::frame::Keys;
use super::header::{Header, Root};
use super::key::SealKind;
use super::storage::{Disk, Storage, StoredFile};
use super::*;
use rewrite::{Rewritten, Source};
use zeroize::Zeroizing;

mod inspect;
mod restore;
mod rewrite;

pub use inspect::{Condition, Inspection};
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

/// How a gallery is opened.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// What opens it.
    pub sealing: Sealing<'a>,
    /// The model in use; `None` to look after a gallery without comparing.
    pub model: Option<&'a ModelId>,
    /// Take the file as it is though the counter knows of a later record.
    pub accept_loss: bool,
}

/// How a gallery is made.
#[derive(Clone, Copy)]
pub struct Making<'a> {
    /// What seals it.
    pub sealing: Sealing<'a>,
    /// The model whose templates it will hold.
    pub model: ModelId,
    /// Numbers in a template.
    pub dimension: usize,
    /// How templates are kept.
    pub form: TemplateForm,
    /// Whether a secret rotation turns them.
    pub rotated: bool,
}

/// What an opening found that a person should know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Bytes of a record that was cut short, and which were cut off.
    pub cut_bytes: u64,
    /// Records of a newer minor version that were left out.
    pub left_out: u64,
    /// Records that were acknowledged and are lost, as was accepted.
    pub lost: u64,
    /// Whether there was no counter, so that an older file would not have been noticed.
    pub without_counter: bool,
}

/// What is left of a removed person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Number and times.
    pub removal: Removal,
    /// How many templates were destroyed.
    pub templates: usize,
    /// Whether the person's records are out of the file too; if not, they are ignored, and the next compaction
    /// takes them out.
    pub erased: bool,
    /// Backups that still hold the person.
    pub backups: Vec<Backup>,
}

/// What an expiry sweep did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// These people were removed.
    Removed(Vec<Receipt>),
    /// The clock is not believed: nobody was removed, these people are no longer matched.
    Refused {
        /// What is wrong with the clock.
        clock: Clock,
        /// Whose consent has run out by that clock.
        expired: Vec<IdentityId>,
    },
}

impl GalleryStore {
    /// Makes an empty gallery on disk.
    ///
    /// # Errors
    /// [`GalleryError::Exists`] when there is a file, and as every write.
    pub fn create(path: &Path, making: &Making<'_>, by: By<'_>) -> Result<Self, GalleryError> {
        Self::create_on(Disk, FileCounter::beside(Disk, path), path, making, by)
    }

    /// Opens a gallery on disk.
    ///
    /// # Errors
    /// [`GalleryError`] when it is not there, held by another process, damaged, older than its counter says, of another
    /// model, or the key does not open it.
    pub fn open(path: &Path, opening: &Opening<'_>) -> Result<(Self, OpenReport), GalleryError> {
        Self::open_on(Disk, FileCounter::beside(Disk, path), path, opening)
    }
}

impl<S: Storage, C: Counter> GalleryStore<S, C> {
    /// [`GalleryStore::create`] on another storage, with another counter.
    ///
    /// # Errors
    /// As [`GalleryStore::create`].
    pub fn create_on(
        storage: S,
        counter: C,
        path: &Path,
        making: &Making<'_>,
        by: By<'_>,
    ) -> Result<Self, GalleryError> {
        let lock = lock(&storage, path)?;
        if storage.exists(path) {
            return Err(GalleryError::Exists {
                path: path.to_owned(),
            });
        }
        let gallery = Gallery::with_form(making.model, making.dimension, making.form);
        let device = Header::draw_device()?;
        let root = Root::fresh(making.sealing)?;
        let rotation = draw_rotation(making.rotated, making.dimension)?;
        // The counter first: one of an earlier gallery at this path must not refuse this one.
        let mut counter = counter;
        counter.restart(&device, 0).map_err(write_error(path))?;
        let source = Source {
            gallery: &gallery,
            device,
            first_sequence: 1,
            root: &root,
            rotation: rotation.as_ref(),
            by,
            last: None,
        };
        let new = source.write()?;
        Self::put(storage, counter, path, root, new, lock)
    }

    /// Puts a new file in place and holds it.
    fn put(
        storage: S,
        counter: C,
        path: &Path,
        root: Root,
        new: Rewritten,
        lock: S::Lock,
    ) -> Result<Self, GalleryError> {
        let file = storage::replace(&storage, path, &beside(path, "new"), &new.bytes)
            .map_err(write_error(path))?;
        let mut store = Self {
            storage,
            counter,
            path: path.to_owned(),
            header: new.loaded.header,
            root,
            key: new.loaded.key,
            gallery: new.loaded.gallery,
            end: new.loaded.end,
            file,
            poisoned: None,
            unsynced_folder: true,
            _lock: lock,
        };
        store.settle_new()?;
        Ok(store)
    }

    /// [`GalleryStore::open`] on another storage, with another counter.
    ///
    /// # Errors
    /// As [`GalleryStore::open`].
    pub fn open_on(
        storage: S,
        counter: C,
        path: &Path,
        opening: &Opening<'_>,
    ) -> Result<(Self, OpenReport), GalleryError> {
        if !storage.exists(path) {
            return Err(GalleryError::Missing {
                path: path.to_owned(),
            });
        }
        let lock = lock(&storage, path)?;
        for left_over in [beside(path, "new"), beside(&beside(path, "counter"), "new")] {
            if storage.exists(&left_over) {
                storage.remove(&left_over).map_err(write_error(path))?;
            }
        }
        let (loaded, root) = read(&storage, path, opening.model, opening.sealing)?;
        if !loaded.header.may_be_written() {
            return Err(GalleryError::Newer {
                path: path.to_owned(),
                major: MAJOR,
                minor: loaded.header.minor,
            });
        }
        let mut report = OpenReport {
            cut_bytes: loaded.torn_bytes,
            left_out: loaded.left_out,
            ..OpenReport::default()
        };
        let last = counter.read(&loaded.header.device);
        let acknowledged = match last {
            Ok(last) => last,
            Err(_) if opening.accept_loss => None,
            Err(error) => {
                return Err(GalleryError::Counter {
                    path: beside(path, "counter"),
                    found: error.to_string(),
                });
            }
        };
        report.without_counter = acknowledged.is_none();
        let lost = acknowledged.map_or(0, |last| last.saturating_sub(loaded.end.sequence));
        if lost > 0 && !opening.accept_loss {
            return Err(GalleryError::RolledBack {
                path: path.to_owned(),
                expected: loaded.end.sequence + lost,
                found: loaded.end.sequence,
            });
        }
        report.lost = lost;
        let mut file = storage.open(path).map_err(write_error(path))?;
        if loaded.torn_bytes > 0 {
            file.cut(loaded.end.offset).map_err(write_error(path))?;
        }
        // What an earlier process wrote and did not get to sync counts now: it must last.
        file.sync().map_err(write_error(path))?;
        let mut store = Self {
            storage,
            counter,
            path: path.to_owned(),
            header: loaded.header,
            root,
            key: loaded.key,
            gallery: loaded.gallery,
            end: loaded.end,
            file,
            poisoned: None,
            unsynced_folder: true,
            _lock: lock,
        };
        store.settle()?;
        if lost > 0 || acknowledged.is_none() {
            let device = store.header.device;
            store.counter.restart(&device, store.end.sequence)
        } else {
            store
                .counter
                .advance(&store.header.device, store.end.sequence)
        }
        .map_err(write_error(path))?;
        if store.gallery.unerased {
            // A removal that a power cut kept from its end. Where there is no room for a new file, it waits.
            let unfinished = By {
                operator: "an unfinished removal",
                at: store.gallery.newest,
            };
            let _ = store.compact(unfinished);
        }
        Ok((store, report))
    }

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

    /// Enrolls a person.
    ///
    /// # Errors
    /// [`GalleryError`] when the name, a template or a label is unfit, the name is taken or the gallery
    /// full, and as every write.
    pub fn enroll(&mut self, enrollee: &Enrollee, by: By<'_>) -> Result<IdentityId, GalleryError> {
        let id = IdentityId(self.gallery.next_id);
        let change = self.gallery.enrollment(enrollee)?;
        self.append(Some(id), change, by)?;
        Ok(id)
    }

    /// Adds templates to a person.
    ///
    /// # Errors
    /// As [`GalleryStore::enroll`].
    pub fn add_templates(
        &mut self,
        id: IdentityId,
        templates: &[NewTemplate],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let change = Change::AddTemplates(self.gallery.stored(templates)?);
        self.append(Some(id), change, by)
    }

    /// Keeps of a person's templates those at these places, from 0, and drops the others.
    ///
    /// # Errors
    /// As every write; [`GalleryError::Unfitting`] when one is not there or none is named.
    pub fn keep_templates(
        &mut self,
        id: IdentityId,
        places: &[usize],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let mut places: Vec<u32> = places.iter().map(|&place| place as u32).collect();
        places.sort_unstable();
        places.dedup();
        self.append(Some(id), Change::KeepTemplates(places), by)
    }

    /// Gives a person another name, which is trimmed.
    ///
    /// # Errors
    /// [`GalleryError`] when it is unfit or taken, and as every write.
    pub fn rename(&mut self, id: IdentityId, name: &str, by: By<'_>) -> Result<(), GalleryError> {
        self.known(id)?;
        let name = name::checked(name)?;
        self.append(Some(id), Change::Rename(Cow::Owned(name)), by)
    }

    /// Keeps a person's new consent in place of the old one.
    ///
    /// # Errors
    /// As every write.
    pub fn renew_consent(
        &mut self,
        id: IdentityId,
        consent: &Consent,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        self.append(Some(id), Change::Consent(consent.clone()), by)
    }

    /// Notes faces that were taken for a person and are somebody else's.
    ///
    /// # Errors
    /// [`GalleryError::Strangers`] when there would be too many, and as every write.
    pub fn add_negative_anchors(
        &mut self,
        id: IdentityId,
        faces: &[NewTemplate],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let change = Change::AddNegativeAnchors(self.gallery.stored(faces)?);
        self.append(Some(id), change, by)
    }

    /// Sets the strangers that a match must beat, in place of those before.
    ///
    /// # Errors
    /// As [`GalleryStore::add_negative_anchors`].
    pub fn set_cohort(&mut self, faces: &[NewTemplate], by: By<'_>) -> Result<(), GalleryError> {
        let change = Change::Cohort(self.gallery.stored(faces)?);
        self.append(None, change, by)
    }

    /// Sets the operating point that decides in this gallery.
    ///
    /// # Errors
    /// As every write.
    pub fn set_operating_point(
        &mut self,
        point: &OperatingPoint,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        let text = toml::to_string(point).map_err(|_error| GalleryError::Unfitting {
            found: "an operating point that cannot be written",
        })?;
        self.append(None, Change::OperatingPoint(Cow::Owned(text)), by)
    }

    /// Removes a person: no longer matched from the record on, out of the file by the compaction that follows.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchNumber`] when nobody has the number, and as every write. When the compaction alone fails
    /// the person is removed all the same, and the receipt says what is left to do.
    pub fn remove(
        &mut self,
        id: IdentityId,
        reason: RemovalReason,
        by: By<'_>,
    ) -> Result<Receipt, GalleryError> {
        let known = self.known(id)?;
        let templates = known.templates.len();
        let removal = Removal {
            person: id.0,
            enrolled_at: known.enrolled_at,
            at: by.at,
            reason,
        };
        self.append(None, Change::Remove(removal), by)?;
        let erased = self.compact(by).is_ok() && !self.unsynced_folder;
        Ok(Receipt {
            removal,
            templates,
            erased,
            backups: self.gallery.backups_with(id).into_iter().cloned().collect(),
        })
    }

    /// Gives all templates of `from` to `into`, as far as they fit, and removes `from`.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchNumber`] when nobody has a number, and as every write.
    pub fn merge(
        &mut self,
        from: IdentityId,
        into: IdentityId,
        by: By<'_>,
    ) -> Result<Receipt, GalleryError> {
        let given = self.known(from)?;
        if from == into {
            return Err(GalleryError::Unfitting {
                found: "a merge of a person with the same person",
            });
        }
        let labels: Vec<_> = given
            .templates
            .iter()
            .map(|template| {
                (
                    template.label.as_deref().map(str::to_owned),
                    template.taken_at,
                )
            })
            .collect();
        let room = MAX_TEMPLATES - self.known(into)?.templates.len();
        let templates: Vec<NewTemplate> = self
            .gallery
            .embeddings(from)
            .into_iter()
            .zip(labels)
            .map(|(embedding, (label, taken_at))| NewTemplate {
                embedding,
                label,
                taken_at,
            })
            .take(room)
            .collect();
        if !templates.is_empty() {
            self.add_templates(into, &templates, by)?;
        }
        self.remove(from, RemovalReason::Merged, by)
    }

    /// Removes everybody whose consent has run out.
    ///
    /// Nobody is removed when the clock is behind the newest record or more than
    /// [`consent::MAX_GAP_DAYS`] ahead of it, unless `clock_is_right`; nobody of those is matched either way.
    ///
    /// # Errors
    /// As [`GalleryStore::remove`].
    pub fn sweep(&mut self, by: By<'_>, clock_is_right: bool) -> Result<Sweep, GalleryError> {
        let clock = Clock::judge(by.at, self.gallery.newest);
        let expired = self.gallery.expired(by.at);
        self.gallery.suspend_expired(by.at);
        if clock != Clock::Plausible && !(clock_is_right && matches!(clock, Clock::Ahead(_))) {
            return Ok(Sweep::Refused { clock, expired });
        }
        let mut receipts = Vec::new();
        for id in expired {
            receipts.push(self.remove(id, RemovalReason::ConsentExpired, by)?);
        }
        Ok(Sweep::Removed(receipts))
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

/// Reads a gallery's file and changes nothing.
pub(super) fn read<S: Storage>(
    storage: &S,
    path: &Path,
    model: Option<&ModelId>,
    sealing: Sealing<'_>,
) -> Result<(Loaded, Root), GalleryError> {
    let path = || path.to_owned();
    let mut bytes =
        storage
            .read(&path(), MAX_FILE_BYTES)
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => GalleryError::Missing { path: path() },
                io::ErrorKind::FileTooLarge => GalleryError::File {
                    path: path(),
                    source: format::FormatError::TooLong,
                },
                _ => GalleryError::Read {
                    path: path(),
                    source,
                },
            })?;
    let mut root = None;
    let open = |header: &Header| {
        if let Some(device) = model.filter(|model| **model != header.model) {
            return Err(GalleryError::OtherModel {
                path: path(),
                gallery: header.model,
                device: *device,
            });
        }
        let known = root.insert(Root::of(header, sealing)?);
        header.open_key(known)
    };
    let loaded = format::load(&mut bytes, open, |source| GalleryError::File {
        path: path(),
        source,
    })?;
    match root {
        Some(root) => Ok((loaded, root)),
        None => Err(GalleryError::Unfitting {
            found: "a gallery without a root",
        }),
    }
}

fn lock<S: Storage>(storage: &S, path: &Path) -> Result<S::Lock, GalleryError> {
    storage
        .lock(&beside(path, "lock"))
        .map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => GalleryError::Locked {
                path: path.to_owned(),
            },
            _ => write_error(path)(source),
        })
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
