//! An installation in order: verify, admit, unpack, try, put in place; nothing counts before the last step.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use shared::gallery::consent::WallTime;
use shared::gallery::options::{Asking, KeyOptions};
use shared::gallery::store::{By, Restored, Restoring};
use shared::gallery::{GalleryError, GalleryStore};
use shared::manifest::ModelManifest;

use super::archive;
use super::comment::Comment;
use super::disk::{Disk, RealDisk};
use super::error::UpdateError;
use super::label::{Kind, Label};
use super::mark::Marking;
use super::shelf::{self, InUse, Shelf, Stock, failed};
use super::signature::{self, Signed, Trusted};
use super::trial;
use crate::config::Config;

/// Room that is left for the kiosk itself, in bytes.
const SPARE_BYTES: u64 = 16 << 20;
/// Whose orders stand in a gallery's history.
const OPERATOR: &str = "usher update";

/// What is tried before a model counts; tests have others.
pub(super) type Trial<'a> = &'a dyn Fn(&Path) -> Result<&'static str, UpdateError>;

/// The device on which something is installed.
pub struct Installation<'a> {
    config: &'a Config,
    now: WallTime,
}

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Installed {
    /// A model, which counts from the next start of the kiosk.
    Model {
        /// Name and serial.
        label: Label,
        /// What the self-test said.
        self_test: &'static str,
    },
    /// A gallery.
    Gallery {
        /// Name and serial.
        label: Label,
        /// Who is in it, and who was left out.
        restored: Restored,
    },
}

/// How a gallery is opened and put in place.
#[derive(Clone, Debug, Default)]
pub struct GalleryOrder {
    /// What opens it and the one that is there.
    pub keys: KeyOptions,
    /// Go on though there is no gallery that says who was removed since.
    pub removed_are_all: bool,
}

/// A verified copy of what was offered.
struct Offered {
    comment: Comment,
    copy: PathBuf,
}

impl<'a> Installation<'a> {
    /// On the device with these settings, where [`Config::use_installed`] has chosen the model.
    pub fn new(config: &'a Config, now: WallTime) -> Self {
        Self { config, now }
    }

    /// Installs a signed file.
    ///
    /// # Errors
    /// [`UpdateError`] when it is refused or cannot be written; unless it says otherwise, nothing has changed.
    pub fn install(
        &self,
        file: &Path,
        signature: &Path,
        order: &GalleryOrder,
    ) -> Result<Installed, UpdateError> {
        let trial = |manifest: &Path| trial::try_model(self.config, manifest);
        self.install_on(&RealDisk, &trial, (file, signature), order)
    }

    /// [`Installation::install`] on another disk, with another trial.
    pub(super) fn install_on(
        &self,
        disk: &dyn Disk,
        trial: Trial<'_>,
        (file, signature): (&Path, &Path),
        order: &GalleryOrder,
    ) -> Result<Installed, UpdateError> {
        let update = &self.config.update;
        let trusted = Trusted::read(&update.trusted)?;
        let signed = Signed::read(signature)?;
        let board = update.board_name()?;
        let shelf = Shelf::open(&update.folder, disk)?;
        let done = self
            .taken(&shelf, (file, &signed, &trusted), &board)
            .and_then(|offered| {
                let what = format!("{} {}", offered.comment.kind, offered.comment.label);
                let mark = Marking::begin(&update.mark, &what, self.now).unwrap_or_else(|error| {
                    tracing::warn!(%error, "the kiosk is not told of the update");
                    Marking::none()
                });
                match offered.comment.kind {
                    Kind::Model => self.model(&shelf, &offered, trial, &mark),
                    Kind::Gallery => self.gallery(&shelf, &offered, order, &mark),
                }
            });
        let swept = shelf.sweep_incoming();
        let done = done?;
        // It is installed; what could not be swept away is the next one's.
        if let Err(error) = swept {
            tracing::warn!("{error}");
        }
        Ok(done)
    }

    /// Verifies a copy of the file, and that it is for this device and newer.
    fn taken(
        &self,
        shelf: &Shelf<'_>,
        (file, signed, trusted): (&Path, &Signed, &Trusted),
        board: &str,
    ) -> Result<Offered, UpdateError> {
        let unreadable = |found: String| UpdateError::File {
            path: file.to_owned(),
            found,
        };
        let content = File::open(file).map_err(|error| unreadable(error.to_string()))?;
        let metadata = content
            .metadata()
            .map_err(|error| unreadable(error.to_string()))?;
        if !metadata.is_file() {
            return Err(unreadable("something that is no file".to_owned()));
        }
        let bytes = metadata.len();
        if bytes > archive::MAX_BYTES {
            return Err(unreadable(format!(
                "{bytes} bytes, which are more than {}",
                archive::MAX_BYTES
            )));
        }
        // Twice: the copy, and what is unpacked of it.
        has_room(shelf.folder(), 2 * bytes + SPARE_BYTES)?;
        let copy = shelf.incoming()?.join("offered");
        // One byte more than it has: what grows meanwhile is not what was signed.
        let comment = signed.verify(file, content.take(bytes + 1), trusted, |reader| {
            let written = shelf.disk().write(&copy, reader);
            written.map(|_| ()).map_err(failed(&copy))
        })?;
        if !comment.is_for(board) {
            return Err(UpdateError::OtherBoard {
                expected: board.to_owned(),
                found: comment.board,
            });
        }
        shelf.admits(comment.kind, &comment.label)?;
        Ok(Offered { comment, copy })
    }

    fn model(
        &self,
        shelf: &Shelf<'_>,
        offered: &Offered,
        trial: Trial<'_>,
        mark: &Marking,
    ) -> Result<Installed, UpdateError> {
        let (disk, label) = (shelf.disk(), &offered.comment.label);
        let ready = shelf.incoming()?.join(label.to_string());
        disk.make_folder(&ready, 0o755).map_err(failed(&ready))?;
        let (manifest, names) = archive::unpack(&offered.copy, &ready, disk)?;
        if manifest.name != label.name() {
            return Err(UpdateError::OtherName {
                expected: label.name().to_owned(),
                found: manifest.name.escape_debug().to_string(),
            });
        }
        for name in &names {
            let path = ready.join(name);
            disk.sync_file(&path).map_err(failed(&path))?;
        }
        disk.sync_folder(&ready).map_err(failed(&ready))?;
        mark.progress(40);
        let self_test = trial(&ready.join(archive::MANIFEST))?;
        mark.progress(80);
        shelf.put(&ready, label)?;
        Ok(Installed::Model {
            label: label.clone(),
            self_test,
        })
    }

    fn gallery(
        &self,
        shelf: &Shelf<'_>,
        offered: &Offered,
        order: &GalleryOrder,
        mark: &Marking,
    ) -> Result<Installed, UpdateError> {
        let label = &offered.comment.label;
        let keys = order.keys.keys(Asking::Once).map_err(GalleryError::Key)?;
        let model = ModelManifest::read(&self.config.kiosk.model)?.model_id();
        mark.progress(40);
        let restoring = Restoring {
            backup: &offered.copy,
            backup_sealing: keys.sealing(),
            sealing: keys.sealing(),
            model: Some(&model),
            removed: &[],
            removed_are_all: order.removed_are_all,
        };
        let by = By {
            operator: OPERATOR,
            at: self.now,
        };
        let (store, restored) = GalleryStore::restore(&self.config.kiosk.gallery, &restoring, by)?;
        drop(store);
        shelf.raise(Kind::Gallery, label.serial())?;
        Ok(Installed::Gallery {
            label: label.clone(),
            restored,
        })
    }

    /// Goes back to the model before, or forward again; returns what is in use now, none for `kiosk.model`.
    ///
    /// # Errors
    /// [`UpdateError`] when there is none, or a link cannot be written.
    pub fn roll_back(&self) -> Result<Option<Label>, UpdateError> {
        self.roll_back_on(&RealDisk)
    }

    pub(super) fn roll_back_on(&self, disk: &dyn Disk) -> Result<Option<Label>, UpdateError> {
        let update = &self.config.update;
        let shelf = Shelf::open(&update.folder, disk)?;
        let _mark = Marking::begin(&update.mark, "the model before", self.now);
        shelf.go_back()
    }

    /// What is installed.
    ///
    /// # Errors
    /// [`UpdateError`] when links or record are damaged.
    pub fn stock(&self) -> Result<Stock, UpdateError> {
        shelf::stock(&self.config.update.folder)
    }

    /// The model in use, where it is an installed one.
    ///
    /// # Errors
    /// [`UpdateError::Link`] when the link leads to no model.
    pub fn in_use(&self) -> Result<Option<InUse>, UpdateError> {
        shelf::in_use(&self.config.update.folder)
    }

    /// How many keys are trusted.
    pub fn trusted_keys(&self) -> usize {
        signature::key_files(&self.config.update.trusted).len()
    }

    /// This board's name.
    ///
    /// # Errors
    /// [`UpdateError::Board`] when its file holds none.
    pub fn board(&self) -> Result<String, UpdateError> {
        self.config.update.board_name()
    }
}

fn has_room(folder: &Path, needed: u64) -> Result<(), UpdateError> {
    let found = statvfs(folder).map_err(|error| failed(folder)(error.into()))?;
    let free = found.f_bavail * found.f_frsize;
    match free >= needed {
        true => Ok(()),
        false => Err(UpdateError::Room {
            folder: folder.to_owned(),
            needed,
            free,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_too_full_is_refused_by_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        has_room(folder.path(), 1).unwrap();
        let needed = u64::MAX / 2;
        let error = has_room(folder.path(), needed).unwrap_err().to_string();
        let place = folder.path().display().to_string();
        assert!(error.contains(&place), "{error}");
        let gone = has_room(Path::new("/nowhere/deep/down"), 1).unwrap_err();
        assert!(!matches!(gone, UpdateError::Room { .. }), "{gone}");
    }
}
