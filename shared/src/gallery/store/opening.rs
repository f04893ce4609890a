//! A gallery is made or opened: locked, read, compared with its counter, cut where a record is torn.

use std::io;
use std::path::Path;

use super::super::counter::{Counter, FileCounter, beside};
use super::super::format::{self, Loaded, MAJOR, MAX_FILE_BYTES};
use super::super::header::{Header, Root};
use super::super::key::Sealing;
use super::super::search::TemplateForm;
use super::super::storage::{self, Disk, Storage, StoredFile};
use super::super::{Gallery, GalleryError};
use super::rewrite::{Rewritten, Source};
use super::{By, GalleryStore, draw_rotation, write_error};
use crate::model_id::ModelId;

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
    pub(super) fn put(
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
}

/// Reads a gallery's file and changes nothing.
pub(in crate::gallery) fn read<S: Storage>(
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

/// Keeps other processes from the gallery.
pub(super) fn lock<S: Storage>(storage: &S, path: &Path) -> Result<S::Lock, GalleryError> {
    storage
        .lock(&beside(path, "lock"))
        .map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => GalleryError::Locked {
                path: path.to_owned(),
            },
            _ => write_error(path)(source),
        })
}
