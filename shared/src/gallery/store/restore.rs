//! A backup put in the gallery's place; who was removed since stays removed.

use std::path::Path;

use super::super::format::Loaded;
use super::super::header::Root;
use super::super::storage::{Disk, Storage};
use super::super::{
    Counter, GalleryError, IdentityId, ModelId, Removal, RemovalReason, Sealing,
    counter::FileCounter,
};
use super::rewrite::Source;
use super::{By, GalleryStore, lock, read};

/// What a restore needs to know.
#[derive(Clone, Copy)]
pub struct Restoring<'a> {
    /// The backup's file.
    pub backup: &'a Path,
    /// What opens the backup: its key may be an older one.
    pub backup_sealing: Sealing<'a>,
    /// What opens the gallery that is there, and seals the one that takes its place.
    pub sealing: Sealing<'a>,
    /// The model in use; `None` to look after a gallery without comparing.
    pub model: Option<&'a ModelId>,
    /// People to be left out beside those whose removal the gallery knows.
    pub removed: &'a [u32],
    /// Go on though the gallery that is there cannot be read, and so not who was removed.
    pub removed_are_all: bool,
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// People in the gallery now.
    pub people: usize,
    /// People of the backup who were removed since, and are left out.
    pub left_out: Vec<IdentityId>,
    /// People enrolled since the backup, who are gone; none when the gallery could not be read.
    pub lost: Option<usize>,
}

impl GalleryStore {
    /// Puts a backup in the place of the gallery at `path`, or where there is none.
    ///
    /// Its records get numbers above those of the file it replaces, so that the counter goes on. The rotation and
    /// the form are the backup's, keys are drawn anew.
    ///
    /// # Errors
    /// [`GalleryError::RemovalsUnknown`] when the gallery there cannot be read and `removed_are_all` was not said,
    /// [`GalleryError::OtherGallery`] when the backup is of another, and as opening and every write.
    pub fn restore(
        path: &Path,
        restoring: &Restoring<'_>,
        by: By<'_>,
    ) -> Result<(Self, Restored), GalleryError> {
        Self::restore_on(Disk, FileCounter::beside(Disk, path), path, restoring, by)
    }
}

impl<S: Storage, C: Counter> GalleryStore<S, C> {
    /// [`GalleryStore::restore`] on another storage, with another counter.
    ///
    /// # Errors
    /// As [`GalleryStore::restore`].
    pub fn restore_on(
        storage: S,
        mut counter: C,
        path: &Path,
        restoring: &Restoring<'_>,
        by: By<'_>,
    ) -> Result<(Self, Restored), GalleryError> {
        let lock = lock(&storage, path)?;
        let (backup, _root) = read(
            &storage,
            restoring.backup,
            restoring.model,
            restoring.backup_sealing,
        )?;
        let device = backup.header.device;
        let current = match read(&storage, path, None, restoring.sealing) {
            Ok((current, _root)) if current.header.device != device => {
                return Err(GalleryError::OtherGallery {
                    path: path.to_owned(),
                });
            }
            Ok((current, _root)) => Some(current),
            Err(_) if restoring.removed_are_all => None,
            Err(source) => {
                return Err(GalleryError::RemovalsUnknown {
                    path: path.to_owned(),
                    source: Box::new(source),
                });
            }
        };
        let counted = counter.read(&device).unwrap_or_default().unwrap_or(0);
        let last = counted
            .max(backup.end.sequence)
            .max(current.as_ref().map_or(0, |current| current.end.sequence));
        let mut gallery = backup.gallery;
        let before = gallery.people();
        let mut left_out = Vec::new();
        let known = current
            .iter()
            .flat_map(|current| current.gallery.removals.clone());
        let told = restoring.removed.iter().map(|&person| Removal {
            person,
            enrolled_at: by.at,
            at: by.at,
            reason: RemovalReason::Asked,
        });
        for removal in known.chain(told) {
            if gallery.identity(removal.person()).is_some() {
                left_out.push(removal.person());
            }
            let noted = &gallery.removals;
            if !noted.iter().any(|known| known.person == removal.person) {
                gallery.forget(removal);
            }
        }
        let lost = current
            .as_ref()
            .map(|current| enrolled_since(current, gallery.next_id));
        if let Some(current) = current {
            gallery.next_id = gallery.next_id.max(current.gallery.next_id);
            gallery.newest = gallery.newest.max(current.gallery.newest);
            gallery.backups = current.gallery.backups;
            gallery.history = current.gallery.history;
        }
        let root = Root::fresh(restoring.sealing)?;
        let rotation = gallery.rotation.clone();
        let source = Source {
            gallery: &gallery,
            device,
            first_sequence: last + 1,
            root: &root,
            rotation: rotation.as_ref(),
            by,
            last: None,
        };
        let new = source.write()?;
        // A counter that is damaged, or another gallery's, begins anew.
        if counter.read(&device).is_err() {
            counter
                .restart(&device, 0)
                .map_err(super::write_error(path))?;
        }
        let store = Self::put(storage, counter, path, root, new, lock)?;
        let restored = Restored {
            people: before - left_out.len(),
            left_out,
            lost,
        };
        Ok((store, restored))
    }
}

fn enrolled_since(current: &Loaded, next_id: u32) -> usize {
    let ids = current
        .gallery
        .identities()
        .map(|known| known.id().number());
    ids.filter(|&id| id >= next_id).count()
}
