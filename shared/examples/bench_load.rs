//! Measures how long a sealed gallery takes to open, and the memory it then needs, for `scripts/bench-search`.
//!
//! ```text
//! bench_load PEOPLE TEMPLATES_EACH full|compact   makes one, opens it in a process of its own
//! bench_load open GALLERY KEY                     that process: prints seconds, and bytes of memory beyond its own
//! ```
#![allow(missing_docs, clippy::unwrap_used, reason = "a tool of a script")]

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::gallery::consent::WallTime;
use shared::gallery::counter::Counter;
use shared::gallery::search::TemplateForm;
use shared::gallery::storage::{Disk, Storage, StoredFile};
use shared::gallery::store::{By, GalleryStore, Making};
use shared::gallery::{Consent, Enrollee, Gallery, KeyFile, NewTemplate, Sealing};
use shared::{Embedding, ModelId};

const DIMENSION: usize = 128;
const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["open", gallery, key] => open(Path::new(gallery), Path::new(key)),
        [people, each, form] => make(people.parse().unwrap(), each.parse().unwrap(), form),
        _ => panic!("usage: bench_load PEOPLE TEMPLATES_EACH full|compact"),
    }
}

fn model() -> ModelId {
    ModelId::from_bytes([7; 32])
}

fn make(people: usize, each: usize, form: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("gallery"), folder.path().join("key"));
    let key_file = KeyFile::create(&key).unwrap();
    let making = Making {
        sealing: Sealing::By(&key_file),
        model: model(),
        dimension: DIMENSION,
        form: match form {
            "compact" => TemplateForm::Compact,
            _ => TemplateForm::Full,
        },
        rotated: false,
    };
    let by = By {
        operator: "bench",
        at: NOON,
    };
    let mut store = GalleryStore::create_on(Unsynced, Uncounted, &path, &making, by).unwrap();
    let mut draw = ChaCha8Rng::seed_from_u64(5);
    for person in 0..people {
        let templates = (0..each).map(|_| NewTemplate {
            embedding: Embedding::from_raw(
                (0..DIMENSION)
                    .map(|_| draw.random_range(-1.0..1.0))
                    .collect(),
            )
            .unwrap(),
            label: None,
            taken_at: NOON,
        });
        let enrollee = Enrollee {
            name: format!("person {person}"),
            consent: Consent::given("text", NOON, "bench", 365).unwrap(),
            templates: templates.collect(),
        };
        store.enroll(&enrollee, by).unwrap();
    }
    store.compact(by).unwrap();
    drop(store);
    let opened = Command::new(std::env::current_exe().unwrap())
        .args([Path::new("open"), &path, &key])
        .output()
        .unwrap();
    assert!(opened.status.success());
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!(
        "{} {bytes}",
        String::from_utf8(opened.stdout).unwrap().trim()
    );
}

fn open(path: &Path, key: &Path) {
    let before = resident();
    let began = Instant::now();
    let gallery = Gallery::read(path, &model(), Sealing::By(&KeyFile::at(key))).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    println!("{seconds} {}", resident() - before);
    assert!(gallery.people() > 0);
}

/// Bytes of memory this process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

/// The disk without its promises: nobody needs what is made here after a power cut.
struct Unsynced;

struct UnsyncedFile(File);

impl Storage for Unsynced {
    type File = UnsyncedFile;
    type Lock = <Disk as Storage>::Lock;

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        Disk.read(path, most)
    }
    fn create(&self, path: &Path) -> io::Result<UnsyncedFile> {
        Disk.create(path).map(UnsyncedFile)
    }
    fn open(&self, path: &Path) -> io::Result<UnsyncedFile> {
        Disk.open(path).map(UnsyncedFile)
    }
    fn exists(&self, path: &Path) -> bool {
        Disk.exists(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }
    fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn lock(&self, path: &Path) -> io::Result<Self::Lock> {
        Disk.lock(path)
    }
}

impl StoredFile for UnsyncedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        StoredFile::write(&mut self.0, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }
}

/// No counter.
struct Uncounted;

impl Counter for Uncounted {
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
