//! Every flipped bit and every length of a gallery's file is noticed.
//!
//! With its counter each is refused. Without one a damaged last record and a file cut within a record behind
//! the base are cut back and reported, as a power cut's leavings are. One thing cannot be told
//! without a counter: a file cut exactly between two records behind its base is an older file of the
//! same gallery, and opens as such.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shared::gallery::frame::Head;
use shared::gallery::header::{HEADER_BYTES, Header};
use shared::gallery::store::OpenReport;
use shared::gallery::{GalleryError, NewTemplate};

use crate::disk::SimulatedDisk;
use crate::kiosk::{self, DESK, DIMENSION, Key, NOON, PATH};
use crate::operations::{embedding, enrollee};
use crate::{is_long, seed};

const PEOPLE: usize = 50;
/// In a short run every bit of the header and of the last record is flipped, and one of so many of the
/// others, in turn with and without a counter; in a long one all are, both ways.
const STRIDE: usize = 7;

/// A gallery of 50 people: most in the base, some changes behind it.
struct Files {
    gallery: Vec<u8>,
    counter: Vec<u8>,
    /// Where records behind the base begin, and the end of the file.
    boundaries: Vec<usize>,
}

fn counter_path() -> PathBuf {
    PathBuf::from(format!("{PATH}.counter"))
}

fn files() -> Files {
    let disk = SimulatedDisk::default();
    let mut store = kiosk::create(&disk, Key(1)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed());
    let mut template = || NewTemplate {
        embedding: embedding(&mut rng, DIMENSION),
        label: None,
        taken_at: NOON,
    };
    for number in 0..PEOPLE - 3 {
        let enrollee = enrollee(&format!("Person {number}"), &[template()]);
        store.enroll(&enrollee, DESK).unwrap();
    }
    store.compact(DESK).unwrap();
    for number in PEOPLE - 3..PEOPLE {
        let enrollee = enrollee(&format!("Person {number}"), &[template()]);
        let id = store.enroll(&enrollee, DESK).unwrap();
        store.add_templates(id, &[template()], DESK).unwrap();
        store
            .rename(id, &format!("Renamed {number}"), DESK)
            .unwrap();
    }
    assert_eq!(store.gallery().people(), PEOPLE);
    drop(store);
    let gallery = disk.content(Path::new(PATH)).unwrap();
    let mut at = Header::decode(&gallery).unwrap().base_bytes as usize;
    let mut boundaries = vec![at];
    while at < gallery.len() {
        at += Head::decode(&gallery[at..]).unwrap().frame_bytes();
        boundaries.push(at);
    }
    Files {
        counter: disk.content(&counter_path()).unwrap(),
        gallery,
        boundaries,
    }
}

/// Opens a gallery with these files.
fn open(gallery: Vec<u8>, counter: Option<&[u8]>) -> Result<OpenReport, GalleryError> {
    let disk = SimulatedDisk::default();
    disk.put(Path::new(PATH), gallery);
    if let Some(counter) = counter {
        disk.put(&counter_path(), counter.to_vec());
    }
    kiosk::open(&disk, Key(1)).map(|(_store, report)| report)
}

/// Does a thing for every number below `count` that is chosen, on all processors; returns how many were.
fn for_each(
    count: usize,
    chosen: impl Fn(usize) -> bool + Sync,
    check: impl Fn(usize) + Sync,
) -> usize {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    if chosen(number) {
                        check(number);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    done.into_inner()
}

#[test]
fn every_flipped_bit_is_noticed() {
    let files = files();
    let bits = 8 * files.gallery.len();
    let last = files.boundaries[files.boundaries.len() - 2];
    assert_eq!(
        open(files.gallery.clone(), Some(&files.counter)).unwrap(),
        OpenReport::default()
    );
    let every = |bit: usize| is_long() || bit < 8 * HEADER_BYTES || bit >= 8 * last;
    let chosen = |bit: usize| every(bit) || (bit + seed() as usize).is_multiple_of(STRIDE);
    let done = for_each(bits, chosen, |bit| {
        let mut flipped = files.gallery.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if every(bit) || bit.is_multiple_of(2) {
            let with_counter = open(flipped.clone(), Some(&files.counter));
            assert!(with_counter.is_err(), "bit {bit} with a counter");
        }
        if !every(bit) && bit.is_multiple_of(2) {
            return;
        }
        match open(flipped, None) {
            Err(_noticed) => {}
            Ok(report) => {
                let cut_off = (files.gallery.len() - last) as u64;
                assert!(bit >= 8 * last, "bit {bit} is not in the last record");
                assert_eq!(report.cut_bytes, cut_off, "bit {bit}");
            }
        }
    });
    println!("flips: {done} of {bits} bits, with and without a counter");
}

#[test]
fn every_cut_of_the_file_is_noticed() {
    let files = files();
    let base = files.boundaries[0];
    let between_records = AtomicUsize::new(0);
    let done = for_each(
        files.gallery.len(),
        |_length| true,
        |length| {
            let cut = || files.gallery[..length].to_vec();
            let with_counter = open(cut(), Some(&files.counter));
            assert!(with_counter.is_err(), "{length} bytes with a counter");
            match open(cut(), None) {
                Err(_noticed) => assert!(length < base, "{length} bytes"),
                Ok(report) => {
                    assert!(length >= base && report.without_counter, "{length} bytes");
                    let before = files.boundaries.iter().rfind(|&&at| at <= length).unwrap();
                    assert_eq!(report.cut_bytes, (length - before) as u64, "{length} bytes");
                    between_records.fetch_add(usize::from(length == *before), Ordering::Relaxed);
                }
            }
        },
    );
    // The one exception: it is not the end of the file, and nothing is cut off.
    assert_eq!(between_records.into_inner(), files.boundaries.len() - 1);
    println!("cuts: {done} lengths, with and without a counter");
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_counter_is_noticed() {
    let files = files();
    for bit in 0..8 * files.counter.len() {
        let mut flipped = files.counter.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = open(files.gallery.clone(), Some(&flipped)).unwrap_err();
        assert!(
            matches!(error, GalleryError::Counter { .. }),
            "bit {bit}: {error}"
        );
    }
    for length in 0..files.counter.len() {
        let cut = &files.counter[..length];
        let error = open(files.gallery.clone(), Some(cut)).unwrap_err();
        assert!(
            matches!(error, GalleryError::Counter { .. }),
            "{length}: {error}"
        );
    }
}
