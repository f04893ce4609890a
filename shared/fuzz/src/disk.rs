//! A gallery's files in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use shared::gallery::counter::Counter;
use shared::gallery::storage::{Storage, StoredFile};
use shared::gallery::store::Opening;
use shared::gallery::{GalleryError, GalleryStore, Sealing};

type Files = BTreeMap<PathBuf, Rc<RefCell<Vec<u8>>>>;

/// A disk in memory that never fails.
#[derive(Clone, Default)]
pub struct MemoryDisk(Rc<RefCell<Files>>);

/// Where the gallery lies.
pub const PATH: &str = "/people.gallery";

/// A file on it.
pub struct MemoryFile(Rc<RefCell<Vec<u8>>>);

/// No counter: every file may be opened.
pub struct NoCounter;

impl MemoryDisk {
    /// A disk with this gallery.
    pub fn with(gallery: &[u8]) -> MemoryDisk {
        let disk = MemoryDisk::default();
        let file = Rc::new(RefCell::new(gallery.to_vec()));
        disk.0.borrow_mut().insert(PathBuf::from(PATH), file);
        disk
    }

    /// Opens the gallery, which is not sealed.
    ///
    /// # Errors
    /// As [`GalleryStore::open_on`].
    pub fn open(&self) -> Result<GalleryStore<MemoryDisk, NoCounter>, GalleryError> {
        let opening = Opening {
            sealing: Sealing::Plain,
            model: None,
            accept_loss: false,
        };
        let path = Path::new(PATH);
        GalleryStore::open_on(self.clone(), NoCounter, path, &opening).map(|(store, _report)| store)
    }

    fn file(&self, path: &Path) -> io::Result<Rc<RefCell<Vec<u8>>>> {
        let file = self.0.borrow().get(path).cloned();
        file.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Storage for MemoryDisk {
    type File = MemoryFile;
    type Lock = ();

    fn read(&self, path: &Path, _most: u64) -> io::Result<Vec<u8>> {
        Ok(self.file(path)?.borrow().clone())
    }

    fn create(&self, path: &Path) -> io::Result<MemoryFile> {
        let file = Rc::<RefCell<Vec<u8>>>::default();
        self.0
            .borrow_mut()
            .insert(path.to_owned(), Rc::clone(&file));
        Ok(MemoryFile(file))
    }

    fn open(&self, path: &Path) -> io::Result<MemoryFile> {
        self.file(path).map(MemoryFile)
    }

    fn exists(&self, path: &Path) -> bool {
        self.file(path).is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        let mut files = self.0.borrow_mut();
        files.remove(from);
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.borrow_mut().remove(path);
        Ok(())
    }

    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl StoredFile for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.borrow_mut().truncate(length as usize);
        Ok(())
    }
}

impl Counter for NoCounter {
    fn read(&self, _device: &[u8; 16]) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn advance(&mut self, _device: &[u8; 16], _sequence: u64) -> io::Result<()> {
        Ok(())
    }

    fn restart(&mut self, _device: &[u8; 16], _sequence: u64) -> io::Result<()> {
        Ok(())
    }
}
