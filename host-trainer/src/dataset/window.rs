//! Pictures' bytes in memory: all of a small set, or one window of a set larger than memory.
//!
//! A streamed set is cut once into chunks, each contiguous in one file. An epoch shuffles the
//! chunks, fills windows with them, reads a window's chunks in the order of the files, and samples
//! batches inside the window. So the disk reads long runs, and pictures of the whole set still
//! meet in another company each epoch.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rand::Rng;
use rand::seq::SliceRandom;

use super::{Dataset, DatasetError, Store};

/// Chunks that a window is made of at least, but for the sizes of pictures.
const CHUNKS_IN_WINDOW: u64 = 8;

/// Windows in memory at once: one in use, one being read.
const WINDOWS: usize = 2;

/// Pictures that lie together in one file.
#[derive(Debug)]
pub(super) struct Chunk {
    pictures: Vec<usize>,
    bytes: u64,
}

/// Bytes of some pictures of a set.
#[derive(Debug)]
pub struct Window {
    /// Picture and where its bytes end, in the order of pictures.
    ends: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    /// Given back when the window is dropped.
    _counted: Counted,
    _room: Option<Room>,
}

/// Bytes of pictures in memory, of all windows of a set.
#[derive(Debug, Default)]
pub(super) struct Memory {
    held: AtomicU64,
    /// The most there ever were.
    pub(super) peak: AtomicU64,
}

#[derive(Debug)]
struct Counted {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Counted {
    fn new(memory: &Arc<Memory>, bytes: u64) -> Self {
        let held = memory.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        memory.peak.fetch_max(held, Ordering::Relaxed);
        Self {
            memory: Arc::clone(memory),
            bytes,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.memory.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Window {
    /// Reads those pictures, which stand in ascending order.
    pub(super) fn read(
        dataset: &Dataset,
        pictures: &[usize],
        room: Option<Room>,
    ) -> Result<Self, DatasetError> {
        let mut ends = Vec::with_capacity(pictures.len());
        let mut end = 0;
        for picture in pictures {
            end += dataset.pictures[*picture].length as usize;
            ends.push((*picture, end));
        }
        let counted = Counted::new(&dataset.memory, end as u64);
        let mut bytes = vec![0; end];
        // Filled in the order of the files, so that the disk reads ahead rightly.
        let mut order: Vec<usize> = (0..pictures.len()).collect();
        order.sort_by_key(|slot| {
            let picture = &dataset.pictures[pictures[*slot]];
            (picture.tar, picture.offset)
        });
        let mut open: Option<(PathBuf, BufReader<File>, u64)> = None;
        for slot in order {
            let number = pictures[slot];
            let picture = &dataset.pictures[number];
            let path = match picture.tar {
                Some(tar) => dataset.tars[tar as usize].clone(),
                None => dataset.name(number),
            };
            let fail = |source| DatasetError::Io {
                path: dataset.name(number),
                source,
            };
            let (mut reader, at) = match open.take() {
                Some((open, reader, at)) if open == path => (reader, at),
                _ => (BufReader::new(File::open(&path).map_err(fail)?), 0),
            };
            let ahead = picture.offset as i64 - at as i64;
            reader.seek_relative(ahead).map_err(fail)?;
            let start = slot.checked_sub(1).map_or(0, |before| ends[before].1);
            reader
                .read_exact(&mut bytes[start..ends[slot].1])
                .map_err(fail)?;
            let at = picture.offset + u64::from(picture.length);
            open = Some((path, reader, at));
        }
        Ok(Self {
            ends,
            bytes,
            _counted: counted,
            _room: room,
        })
    }

    /// The bytes of a picture that is in the window.
    ///
    /// # Panics
    /// If it is not.
    pub fn bytes(&self, picture: usize) -> &[u8] {
        match self
            .ends
            .binary_search_by_key(&picture, |(number, _)| *number)
        {
            Ok(slot) => {
                let start = slot.checked_sub(1).map_or(0, |before| self.ends[before].1);
                &self.bytes[start..self.ends[slot].1]
            }
            Err(_) => panic!("picture {picture} is not in this window"),
        }
    }
}

/// Cuts a set into chunks of a share of a window; one ends where an identity does if it can.
pub(super) fn chunks(dataset: &Dataset, window_bytes: u64) -> Vec<Chunk> {
    let mut order: Vec<usize> = (0..dataset.pictures.len()).collect();
    order.sort_by_key(|number| {
        let picture = &dataset.pictures[*number];
        (picture.tar, picture.offset, *number)
    });
    let enough = window_bytes / CHUNKS_IN_WINDOW;
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut last = None;
    for number in order {
        let picture = &dataset.pictures[number];
        let bytes = u64::from(picture.length);
        let goes_on = |chunk: &&mut Chunk| {
            let limit = match last {
                Some((tar, _)) if tar != picture.tar => return false,
                Some((_, identity)) if identity == picture.identity => 2 * enough,
                _ => enough,
            };
            chunk.bytes + bytes <= limit
        };
        match chunks.last_mut().filter(goes_on) {
            Some(chunk) => {
                chunk.pictures.push(number);
                chunk.bytes += bytes;
            }
            None => chunks.push(Chunk {
                pictures: vec![number],
                bytes,
            }),
        }
        last = Some((picture.tar, picture.identity));
    }
    chunks
}

impl Dataset {
    /// The pictures of each window of an epoch, in ascending order; a single window if the set is
    /// held in memory. The draws from `random` decide what meets in a window.
    pub fn windows(&self, random: &mut impl Rng) -> Vec<Vec<usize>> {
        let (chunks, window_bytes) = match &self.store {
            Store::Held(_) => return vec![(0..self.pictures.len()).collect()],
            Store::Streamed {
                chunks,
                window_bytes,
            } => (chunks, *window_bytes),
        };
        let mut order: Vec<&Chunk> = chunks.iter().collect();
        order.shuffle(random);
        let mut windows: Vec<Vec<usize>> = Vec::new();
        let mut filled = 0;
        for chunk in order {
            match windows.last_mut() {
                Some(window) if filled + chunk.bytes <= window_bytes => {
                    window.extend(&chunk.pictures);
                    filled += chunk.bytes;
                }
                _ => {
                    windows.push(chunk.pictures.clone());
                    filled = chunk.bytes;
                }
            }
        }
        for window in &mut windows {
            window.sort_unstable();
        }
        windows
    }
}

/// Room for one window; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Room(SyncSender<()>);

impl Drop for Room {
    fn drop(&mut self) {
        // Nobody waits for room any more once the loader has ended.
        let _ = self.0.send(());
    }
}

/// Room for two windows, which keeps a reader from running ahead.
pub(super) struct Rooms {
    give: SyncSender<()>,
    take: Receiver<()>,
}

impl Rooms {
    pub(super) fn new() -> Self {
        let (give, take) = sync_channel(WINDOWS);
        for _ in 0..WINDOWS {
            drop(Room(give.clone()));
        }
        Self { give, take }
    }

    /// Waits until a window before is dropped, if two are in memory.
    pub(super) fn wait(&self) -> Room {
        // `give` lives as long as `take`: receiving cannot fail.
        let _ = self.take.recv();
        Room(self.give.clone())
    }
}
