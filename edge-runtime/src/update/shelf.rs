//! Where installed models lie: their folders, which one is in use and which one was, and the record of serials.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::file_lock::FileLock;

use super::archive::MANIFEST;
use super::config::read_start;
use super::disk::Disk;
use super::error::UpdateError;
use super::label::{Kind, Label};

/// The link to the model in use.
const CURRENT: &str = "current";
/// The link to the one before it.
const PREVIOUS: &str = "previous";
/// What is not done yet.
const INCOMING: &str = ".incoming";
/// A link before it gets its name.
const NEW_LINK: &str = ".new-link";
/// Held while something is installed.
const LOCK: &str = ".lock";
/// The record of serials, and the same before it gets its name.
const SERIALS: &str = "serials.toml";
const NEW_SERIALS: &str = ".new-serials";
/// Longest record, in bytes.
const MAX_RECORD_BYTES: u64 = 4096;

/// The installed model that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Name and serial.
    pub label: Label,
    /// Its manifest, by the folder's own name: what is installed meanwhile does not change what is read.
    pub manifest: PathBuf,
}

/// What is installed, for `usher update status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// In use.
    pub current: Option<Label>,
    /// What a rollback goes back to.
    pub previous: Option<Label>,
    /// Serial that a new model must be above.
    pub model_serial: u64,
    /// Serial that a new gallery must be above.
    pub gallery_serial: u64,
}

/// The last serial of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Serials {
    model: u64,
    gallery: u64,
}

impl Serials {
    fn of(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Model => &mut self.model,
            Kind::Gallery => &mut self.gallery,
        }
    }
}

/// The installed model that counts; none where the folder or its link is not there.
///
/// # Errors
/// [`UpdateError::Link`] when there is a link that leads to no model.
pub(super) fn in_use(folder: &Path) -> Result<Option<InUse>, UpdateError> {
    if folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let Some(label) = linked(folder, CURRENT)? else {
        return Ok(None);
    };
    let manifest = manifest_of(folder, &label);
    match manifest.is_file() {
        true => Ok(Some(InUse { label, manifest })),
        false => Err(leads_nowhere(folder, &label)),
    }
}

/// What is installed, read without holding anything.
///
/// # Errors
/// [`UpdateError`] when links or record are damaged.
pub(super) fn stock(folder: &Path) -> Result<Stock, UpdateError> {
    if folder.as_os_str().is_empty() {
        return Ok(Stock::default());
    }
    Ok(Stock {
        current: linked(folder, CURRENT)?,
        previous: linked(folder, PREVIOUS)?,
        model_serial: last_serial(folder, Kind::Model, None)?,
        gallery_serial: last_serial(folder, Kind::Gallery, None)?,
    })
}

/// The last serial that was used, by the record and by the installed folders, whichever is higher. A folder of
/// `begun` that no link names is what an earlier try of the same left, and does not count.
fn last_serial(folder: &Path, kind: Kind, begun: Option<&Label>) -> Result<u64, UpdateError> {
    let recorded = *read_serials(folder)?.of(kind);
    if kind == Kind::Gallery {
        return Ok(recorded);
    }
    let linked = [linked(folder, CURRENT)?, linked(folder, PREVIOUS)?];
    let installed = installed(folder)
        .into_iter()
        .filter(|label| linked.contains(&Some(label.clone())) || Some(label) != begun)
        .map(|label| label.serial());
    Ok(installed.max().unwrap_or(0).max(recorded))
}

/// The folders that are named like an installed model.
fn installed(folder: &Path) -> Vec<Label> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let entry = entry.ok().filter(|entry| entry.path().is_dir())?;
            entry.file_name().to_str()?.parse().ok()
        })
        .collect()
}

fn read_serials(folder: &Path) -> Result<Serials, UpdateError> {
    let path = folder.join(SERIALS);
    let wrong = |found: String| UpdateError::Record {
        path: path.clone(),
        found,
    };
    match read_start(&path, MAX_RECORD_BYTES) {
        Ok(text) => toml::from_str(&text).map_err(|error| wrong(error.message().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Serials::default()),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Where a link leads; none where there is none.
fn linked(folder: &Path, name: &str) -> Result<Option<Label>, UpdateError> {
    let path = folder.join(name);
    let wrong = |found: String| UpdateError::Link {
        path: path.clone(),
        found,
    };
    match fs::read_link(&path) {
        Ok(target) => target
            .to_str()
            .and_then(|target| target.parse().ok())
            .map(Some)
            .ok_or_else(|| wrong(target.display().to_string())),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            io::ErrorKind::InvalidInput => Err(wrong("something that is no link".to_owned())),
            _ => Err(wrong(error.to_string())),
        },
    }
}

fn manifest_of(folder: &Path, label: &Label) -> PathBuf {
    folder.join(label.to_string()).join(MANIFEST)
}

fn leads_nowhere(folder: &Path, label: &Label) -> UpdateError {
    UpdateError::Link {
        path: folder.join(CURRENT),
        found: format!("no {MANIFEST} in {label}"),
    }
}

/// The folder, held by this process alone.
pub(super) struct Shelf<'a> {
    folder: PathBuf,
    disk: &'a dyn Disk,
    _lock: FileLock,
}

impl<'a> Shelf<'a> {
    /// Takes hold of the folder, which is made if it is not there, and sweeps away what an earlier try left.
    ///
    /// # Errors
    /// [`UpdateError`] when it is another user's, another process holds it, or it cannot be written.
    pub(super) fn open(folder: &Path, disk: &'a dyn Disk) -> Result<Self, UpdateError> {
        if folder.as_os_str().is_empty() {
            return Err(UpdateError::NoFolder);
        }
        whose(folder)?;
        if !folder.is_dir() {
            disk.make_folder(folder, 0o755).map_err(failed(folder))?;
            let above = folder.parent().filter(|above| above.is_dir());
            above
                .map_or(Ok(()), |above| disk.sync_folder(above))
                .map_err(failed(folder))?;
        }
        let path = folder.join(LOCK);
        let lock = FileLock::take(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => UpdateError::Held {
                folder: folder.to_owned(),
            },
            _ => failed(&path)(error),
        })?;
        let shelf = Self {
            folder: folder.to_owned(),
            disk,
            _lock: lock,
        };
        shelf.sweep_incoming()?;
        Ok(shelf)
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What calls the disk.
    pub(super) fn disk(&self) -> &'a dyn Disk {
        self.disk
    }

    /// That `label` is newer than all before it.
    ///
    /// # Errors
    /// [`UpdateError::Serial`] when it is not.
    pub(super) fn admits(&self, kind: Kind, label: &Label) -> Result<(), UpdateError> {
        let last = last_serial(&self.folder, kind, Some(label))?;
        match label.serial() > last {
            true => Ok(()),
            false => Err(UpdateError::Serial {
                kind,
                last,
                found: label.serial(),
            }),
        }
    }

    /// An empty folder of its owner alone for what is not done yet.
    ///
    /// # Errors
    /// As every write.
    pub(super) fn incoming(&self) -> Result<PathBuf, UpdateError> {
        let path = self.folder.join(INCOMING);
        self.disk.make_folder(&path, 0o700).map_err(failed(&path))?;
        Ok(path)
    }

    /// Makes `ready`, a synced folder on the same disk, the model in use; the one that was is kept, those before it go.
    ///
    /// # Errors
    /// As every write. What is in use is then either the one that was or the new one.
    pub(super) fn put(&self, ready: &Path, label: &Label) -> Result<(), UpdateError> {
        let place = self.folder.join(label.to_string());
        // What an earlier try of the same left; no link names it.
        self.disk.remove_folder(&place).map_err(failed(&place))?;
        self.disk.rename(ready, &place).map_err(failed(&place))?;
        self.sync()?;
        match linked(&self.folder, CURRENT)? {
            Some(old) => self.point(PREVIOUS, &old)?,
            // What kiosk.model names was in use: a rollback goes back to that.
            None => self.unlink(PREVIOUS)?,
        }
        self.point(CURRENT, label)?;
        self.raise(Kind::Model, label.serial())?;
        self.sweep();
        Ok(())
    }

    /// Exchanges the model in use and the one before it; returns what is in use now, none for `kiosk.model`.
    ///
    /// # Errors
    /// [`UpdateError::NothingBefore`] when there is none, and as every write.
    pub(super) fn go_back(&self) -> Result<Option<Label>, UpdateError> {
        let (current, previous) = (
            linked(&self.folder, CURRENT)?,
            linked(&self.folder, PREVIOUS)?,
        );
        let path = |name| self.folder.join(name);
        if let Some(label) = &previous
            && !manifest_of(&self.folder, label).is_file()
        {
            return Err(leads_nowhere(&self.folder, label));
        }
        match (&current, &previous) {
            (Some(current), Some(previous)) if current != previous => {
                self.point(CURRENT, previous)?;
                self.point(PREVIOUS, current)?;
            }
            (Some(_), None) => {
                let renamed = self.disk.rename(&path(CURRENT), &path(PREVIOUS));
                renamed.map_err(failed(&path(PREVIOUS)))?;
                self.sync()?;
            }
            (None, Some(_)) => {
                let renamed = self.disk.rename(&path(PREVIOUS), &path(CURRENT));
                renamed.map_err(failed(&path(CURRENT)))?;
                self.sync()?;
            }
            _ => {
                return Err(UpdateError::NothingBefore {
                    folder: self.folder.clone(),
                });
            }
        }
        linked(&self.folder, CURRENT)
    }

    /// Notes that a serial was used; it never falls.
    ///
    /// # Errors
    /// As every write.
    pub(super) fn raise(&self, kind: Kind, serial: u64) -> Result<(), UpdateError> {
        let mut serials = read_serials(&self.folder)?;
        let last = serials.of(kind);
        *last = serial.max(*last);
        let (new, path) = (self.folder.join(NEW_SERIALS), self.folder.join(SERIALS));
        let written = || -> io::Result<()> {
            let text = toml::to_string(&serials).map_err(io::Error::other)?;
            self.disk.remove_file(&new)?;
            self.disk.write(&new, &mut text.as_bytes())?;
            self.disk.sync_file(&new)?;
            self.disk.rename(&new, &path)
        };
        written().map_err(failed(&path))?;
        self.sync()
    }

    /// Removes what is not done, whatever it is.
    ///
    /// # Errors
    /// As every write.
    pub(super) fn sweep_incoming(&self) -> Result<(), UpdateError> {
        let path = self.folder.join(INCOMING);
        self.disk.remove_folder(&path).map_err(failed(&path))?;
        for name in [NEW_LINK, NEW_SERIALS] {
            let path = self.folder.join(name);
            self.disk.remove_file(&path).map_err(failed(&path))?;
        }
        Ok(())
    }

    /// Removes folders that no link names. What cannot be removed stays, and is tried again next time.
    fn sweep(&self) {
        let (Ok(current), Ok(previous)) = (
            linked(&self.folder, CURRENT),
            linked(&self.folder, PREVIOUS),
        ) else {
            return;
        };
        for label in installed(&self.folder) {
            if ![&current, &previous].contains(&&Some(label.clone())) {
                let path = self.folder.join(label.to_string());
                if let Err(error) = self.disk.remove_folder(&path) {
                    tracing::warn!(%error, "an older model stays; the next installation removes it");
                }
            }
        }
    }

    /// Lets a link lead to `label`: it leads there or where it led, never elsewhere.
    fn point(&self, name: &str, label: &Label) -> Result<(), UpdateError> {
        let (new, path) = (self.folder.join(NEW_LINK), self.folder.join(name));
        let pointed = || -> io::Result<()> {
            self.disk.remove_file(&new)?;
            self.disk.link(&label.to_string(), &new)?;
            self.disk.rename(&new, &path)
        };
        pointed().map_err(failed(&path))?;
        self.sync()
    }

    fn unlink(&self, name: &str) -> Result<(), UpdateError> {
        let path = self.folder.join(name);
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        self.disk.remove_file(&path).map_err(failed(&path))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), UpdateError> {
        self.disk
            .sync_folder(&self.folder)
            .map_err(failed(&self.folder))
    }
}

/// A write of `path` that failed, as an error.
pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> UpdateError + use<> {
    let path = path.to_owned();
    move |source| UpdateError::Disk {
        path: path.clone(),
        source,
    }
}

/// That the folder is ours, so that the kiosk's user can still write its own files afterwards.
fn whose(folder: &Path) -> Result<(), UpdateError> {
    let found = rustix::process::geteuid().as_raw();
    let Some((there, owner)) = folder
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?.uid())))
    else {
        return Ok(());
    };
    // Where the folder is not there yet, anybody may try to make it below a folder of the system's.
    match owner == found || (there != folder && owner == 0) {
        true => Ok(()),
        false => Err(UpdateError::Owner {
            folder: there.to_owned(),
            owner,
            found,
        }),
    }
}
