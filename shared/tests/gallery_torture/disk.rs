//! A disk in memory: what lasts and what does not yet, a snapshot before every change, and calls that fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use shared::gallery::storage::{Storage, StoredFile};

/// What lies on the disk, and what only the running system knows.
#[derive(Clone, Default)]
pub(crate) struct Platter {
    /// Of each file its content as it lasts, then after each change since.
    pub(crate) files: BTreeMap<u64, Vec<Arc<Vec<u8>>>>,
    /// Names as the running system sees them.
    pub(crate) names: BTreeMap<PathBuf, u64>,
    /// Names as they last.
    pub(crate) lasting: BTreeMap<PathBuf, u64>,
    /// What happened to names since, in order.
    pub(crate) name_changes: Vec<NameChange>,
    next_file: u64,
}

/// A change of names that does not last yet.
#[derive(Clone)]
pub(crate) struct NameChange {
    /// The name that is gone.
    pub(crate) gone: Option<PathBuf>,
    /// The name that a file has from now on.
    pub(crate) given: Option<(PathBuf, u64)>,
}

impl NameChange {
    pub(crate) fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((path, file)) = &self.given {
            names.insert(path.clone(), *file);
        }
    }

    fn is_in(&self, folder: Option<&Path>) -> bool {
        let given = self.given.as_ref().map(|(path, _file)| path);
        self.gone.as_ref().or(given).and_then(|path| path.parent()) == folder
    }
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// With this number of the system's, before anything happens.
    Errno(i32),
    /// A write takes half of the bytes and says so; other calls work.
    Short,
    /// A write takes half of the bytes, and every one after it finds the disk full.
    ShortThenFull,
}

pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EROFS: i32 = 30;

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) fault: Fault,
    /// The first call that fails, from 0.
    pub(crate) from: usize,
    /// How many do.
    pub(crate) calls: usize,
}

#[derive(Default)]
struct Running {
    platter: Platter,
    locked: BTreeSet<PathBuf>,
    calls: usize,
    failing: Option<Failing>,
    /// The platter before each call that changes something, while they are collected.
    snapshots: Option<Vec<Platter>>,
}

/// A running system's disk.
#[derive(Clone, Default)]
pub(crate) struct SimulatedDisk(Rc<RefCell<Running>>);

impl SimulatedDisk {
    /// A system that just started with this on its disk.
    pub(crate) fn with(platter: Platter) -> SimulatedDisk {
        let disk = SimulatedDisk::default();
        disk.0.borrow_mut().platter = platter;
        disk
    }

    /// What it holds now.
    pub(crate) fn platter(&self) -> Platter {
        self.0.borrow().platter.clone()
    }

    /// The content of a file as the running system sees it.
    pub(crate) fn content(&self, path: &Path) -> Option<Vec<u8>> {
        self.0
            .borrow()
            .content(path)
            .map(|content| content.to_vec())
    }

    /// Puts a file there, lasting.
    pub(crate) fn put(&self, path: &Path, content: Vec<u8>) {
        let platter = &mut self.0.borrow_mut().platter;
        let file = platter.next_file;
        platter.next_file += 1;
        platter.files.insert(file, vec![Arc::new(content)]);
        platter.names.insert(path.to_owned(), file);
        platter.lasting.insert(path.to_owned(), file);
    }

    /// From now on keeps the platter as it is before each call that changes something.
    pub(crate) fn watch(&self) {
        self.0.borrow_mut().snapshots = Some(Vec::new());
    }

    /// What was kept since [`SimulatedDisk::watch`].
    pub(crate) fn snapshots(&self) -> Vec<Platter> {
        self.0.borrow_mut().snapshots.take().unwrap_or_default()
    }

    /// From now on counts calls from 0, and lets these fail.
    pub(crate) fn fail(&self, failing: Option<Failing>) {
        let mut running = self.0.borrow_mut();
        running.calls = 0;
        running.failing = failing;
    }

    /// Calls since [`SimulatedDisk::fail`].
    pub(crate) fn calls(&self) -> usize {
        self.0.borrow().calls
    }

    fn change(&self) -> io::Result<std::cell::RefMut<'_, Running>> {
        let mut running = self.0.borrow_mut();
        let running_now = &mut *running;
        if let Some(snapshots) = &mut running_now.snapshots {
            snapshots.push(running_now.platter.clone());
        }
        match running.fault() {
            Some(Fault::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
            _ => Ok(running),
        }
    }
}

impl Running {
    /// Whether this call fails; counts it.
    fn fault(&mut self) -> Option<Fault> {
        let call = self.calls;
        self.calls += 1;
        self.failing
            .filter(|failing| (failing.from..failing.from + failing.calls).contains(&call))
            .map(|failing| failing.fault)
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.platter.names.get(path).copied().ok_or_else(missing)
    }

    fn content(&self, path: &Path) -> Option<Arc<Vec<u8>>> {
        let file = self.file(path).ok()?;
        self.platter.files[&file].last().cloned()
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.platter.names);
        self.platter.name_changes.push(change);
    }
}

impl Platter {
    /// Forgets files that no name leads to.
    fn tidy(&mut self) {
        let kept: BTreeSet<u64> = (self.names.values().copied())
            .chain(self.lasting.values().copied())
            .chain((self.name_changes.iter()).filter_map(|change| Some(change.given.as_ref()?.1)))
            .collect();
        self.files.retain(|file, _versions| kept.contains(file));
    }
}

impl Storage for SimulatedDisk {
    type File = SimulatedFile;
    type Lock = SimulatedLock;

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut running = self.0.borrow_mut();
        if let Some(Fault::Errno(number)) = running.fault() {
            return Err(io::Error::from_raw_os_error(number));
        }
        let file = running.file(path)?;
        let content = running.platter.files[&file].last().unwrap();
        if content.len() as u64 > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(content.to_vec())
    }

    fn create(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut running = self.change()?;
        let file = match running.file(path) {
            Ok(file) => file,
            Err(_missing) => {
                let file = running.platter.next_file;
                running.platter.next_file += 1;
                let empty = vec![Arc::default()];
                running.platter.files.insert(file, empty);
                let given = Some((path.to_owned(), file));
                running.rename(NameChange { gone: None, given });
                file
            }
        };
        let versions = running.platter.files.get_mut(&file).unwrap();
        if !versions.last().unwrap().is_empty() {
            versions.push(Arc::default());
        }
        let disk = self.clone();
        Ok(SimulatedFile { disk, file })
    }

    fn open(&self, path: &Path) -> io::Result<SimulatedFile> {
        let mut running = self.0.borrow_mut();
        if let Some(Fault::Errno(number)) = running.fault() {
            return Err(io::Error::from_raw_os_error(number));
        }
        let file = running.file(path)?;
        let disk = self.clone();
        Ok(SimulatedFile { disk, file })
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.borrow().file(path).is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut running = self.change()?;
        let file = running.file(from)?;
        running.rename(NameChange {
            gone: Some(from.to_owned()),
            given: Some((to.to_owned(), file)),
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut running = self.change()?;
        running.file(path)?;
        running.rename(NameChange {
            gone: Some(path.to_owned()),
            given: None,
        });
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut running = self.change()?;
        let platter = &mut running.platter;
        let (now, later) = std::mem::take(&mut platter.name_changes)
            .into_iter()
            .partition(|change| change.is_in(path.parent()));
        platter.name_changes = later;
        let now: Vec<NameChange> = now;
        now.iter()
            .for_each(|change| change.apply(&mut platter.lasting));
        platter.tidy();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<SimulatedLock> {
        let mut running = self.0.borrow_mut();
        if let Some(Fault::Errno(number)) = running.fault() {
            return Err(io::Error::from_raw_os_error(number));
        }
        if !running.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let disk = self.clone();
        let path = path.to_owned();
        Ok(SimulatedLock { disk, path })
    }
}

/// A file on a simulated disk.
pub(crate) struct SimulatedFile {
    disk: SimulatedDisk,
    file: u64,
}

impl SimulatedFile {
    fn push(running: &mut Running, file: u64, content: Vec<u8>) {
        if let Some(versions) = running.platter.files.get_mut(&file) {
            versions.push(Arc::new(content));
        }
    }

    fn content(running: &Running, file: u64) -> Vec<u8> {
        let versions = running.platter.files.get(&file);
        versions.map_or_else(Vec::new, |versions| versions.last().unwrap().to_vec())
    }
}

impl StoredFile for SimulatedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut running = self.disk.0.borrow_mut();
        if running.snapshots.is_some() {
            let platter = running.platter.clone();
            running.snapshots.as_mut().unwrap().push(platter);
        }
        let taken = match running.fault() {
            Some(Fault::Errno(number)) => return Err(io::Error::from_raw_os_error(number)),
            Some(Fault::Short) => bytes.len().div_ceil(2),
            Some(Fault::ShortThenFull) => {
                let from = running.calls;
                running.failing = Some(Failing {
                    fault: Fault::Errno(ENOSPC),
                    from,
                    calls: 1,
                });
                bytes.len() / 2
            }
            None => bytes.len(),
        };
        let mut content = Self::content(&running, self.file);
        content.extend_from_slice(&bytes[..taken]);
        Self::push(&mut running, self.file, content);
        Ok(taken)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut running = self.disk.change()?;
        if let Some(versions) = running.platter.files.get_mut(&self.file) {
            versions.drain(..versions.len() - 1);
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        let mut running = self.disk.change()?;
        let mut content = Self::content(&running, self.file);
        content.resize(length as usize, 0);
        Self::push(&mut running, self.file, content);
        Ok(())
    }
}

/// A lock on a simulated disk, which ends with its process.
pub(crate) struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.0.borrow_mut().locked.remove(&self.path);
    }
}
