//! Aligned training faces: an index of who is on which picture, and the pictures' bytes.
//!
//! Every picture is a face aligned to the template at 112/128 of its side: the standard crop with
//! a margin of 8/128 around it for jitter, as `prepare` writes them. A set that fits the memory
//! budget is held there as the compressed bytes it was read as; of a larger one only the index is,
//! about 100 bytes a picture, and its bytes are read window by window ([`window`]).

pub mod augment;
mod error;
pub mod folder;
mod index;
pub mod layout;
pub mod lfw;
pub mod loader;
pub mod sampler;
mod shards;
mod tars;
#[cfg(test)]
mod tests;
pub mod window;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use error::DatasetError;
use index::Index;
use layout::Layout;
use window::{Chunk, Memory, Window};

/// Side of the standard crop as a share of an aligned picture's side.
pub const CROP_SHARE: f64 = 112.0 / 128.0;

/// Bytes of pictures held in memory at most, unless told otherwise: 2 GiB.
pub const MEMORY_BYTES: u64 = 2 << 30;

/// One picture of the index.
#[derive(Debug)]
pub struct Picture {
    /// Index into [`Dataset::identities`].
    pub identity: usize,
    /// Index into [`Dataset::groups`]: pictures that were cut in one style.
    pub group: usize,
    /// Which tar it is in; none for a file of its own.
    tar: Option<u32>,
    offset: u64,
    length: u32,
    /// Inside the tar, or below the data set's folder.
    path: Box<Path>,
}

/// What a share of the pictures came from, for the model card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the source.
    pub name: String,
    /// Pictures from it.
    pub pictures: u64,
    /// Identities that have a picture from it.
    pub identities: u64,
    /// Its licence or terms.
    pub licence: String,
}

/// Pictures of identities, at least two of each.
#[derive(Debug)]
pub struct Dataset {
    /// Names, in alphabetical order.
    pub identities: Vec<String>,
    /// Pictures, those of one identity together.
    pub pictures: Vec<Picture>,
    /// Where they came from.
    pub sources: Vec<Source>,
    /// Names of the groups of pictures cut in one style: a tar, or the shards of one name.
    pub groups: Vec<String>,
    /// How the set was laid out.
    pub layout: Layout,
    folder: PathBuf,
    tars: Vec<PathBuf>,
    memory: Arc<Memory>,
    store: Store,
}

/// Where the bytes are.
#[derive(Debug)]
enum Store {
    /// All in memory.
    Held(Arc<Window>),
    /// On the disk; read in windows of so many bytes, made of chunks in an order of each epoch's
    /// own.
    Streamed {
        chunks: Vec<Chunk>,
        window_bytes: u64,
    },
}

impl Dataset {
    /// Reads the set in `folder`, whatever its [`Layout`], in [`MEMORY_BYTES`] of memory.
    ///
    /// # Errors
    /// As [`Dataset::open_within`].
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        Self::open_within(folder, MEMORY_BYTES)
    }

    /// Reads the set in `folder`; its pictures take at most `memory_bytes` of memory, now and in
    /// training. A larger set is streamed: two windows of half the budget each.
    ///
    /// Identities with a single picture are left out: they have no genuine pair.
    ///
    /// # Errors
    /// A [`DatasetError`] naming the file.
    pub fn open_within(folder: &Path, memory_bytes: u64) -> Result<Self, DatasetError> {
        Self::open_share(folder, 1.0, 0, memory_bytes)
    }

    /// Reads a share of the set's pictures, 0 to 1, as [`Dataset::open_within`] reads all: those of
    /// whole identities, drawn by `seed`, so that a larger share of the same seed holds a smaller
    /// one.
    ///
    /// # Errors
    /// As [`Dataset::open_within`], also if fewer than two identities are left.
    pub fn open_share(
        folder: &Path,
        share: f64,
        seed: u64,
        memory_bytes: u64,
    ) -> Result<Self, DatasetError> {
        let mut index = Index::default();
        let layout = layout::read(folder, &mut index)?;
        if share < 1.0 {
            index.keep_share(share, seed);
        }
        let indexed = index.finish(folder)?;
        let mut dataset = Self {
            identities: indexed.identities,
            pictures: indexed.pictures,
            sources: indexed.sources,
            groups: indexed.groups,
            layout,
            folder: folder.to_owned(),
            tars: indexed.tars,
            memory: Arc::default(),
            store: Store::Streamed {
                chunks: Vec::new(),
                window_bytes: memory_bytes / 2,
            },
        };
        dataset.store = if dataset.total_bytes() <= memory_bytes {
            let all: Vec<usize> = (0..dataset.pictures.len()).collect();
            Store::Held(Arc::new(Window::read(&dataset, &all, None)?))
        } else {
            Store::Streamed {
                chunks: window::chunks(&dataset, memory_bytes / 2),
                window_bytes: memory_bytes / 2,
            }
        };
        Ok(dataset)
    }

    /// Bytes of all pictures.
    pub fn total_bytes(&self) -> u64 {
        let lengths = self.pictures.iter().map(|picture| picture.length);
        lengths.map(u64::from).sum()
    }

    /// The most bytes of pictures that were in memory at once, so far.
    #[cfg(test)]
    fn peak_bytes(&self) -> u64 {
        self.memory.peak.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether the set is larger than its memory and read window by window.
    pub fn is_streamed(&self) -> bool {
        matches!(self.store, Store::Streamed { .. })
    }

    /// Where a picture came from, for messages: a path, or a tar and the path inside.
    pub fn name(&self, picture: usize) -> PathBuf {
        let picture = &self.pictures[picture];
        match picture.tar {
            Some(tar) => self.tars[tar as usize].join(&picture.path),
            None => self.folder.join(&picture.path),
        }
    }

    /// A picture's bytes, compressed as in its file; from the disk if the set is streamed.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if it cannot be read any more.
    pub fn bytes(&self, picture: usize) -> Result<Cow<'_, [u8]>, DatasetError> {
        match &self.store {
            Store::Held(all) => Ok(Cow::Borrowed(all.bytes(picture))),
            Store::Streamed { .. } => {
                let window = Window::read(self, &[picture], None)?;
                Ok(Cow::Owned(window.bytes(picture).to_owned()))
            }
        }
    }

    /// SHA-256 in hexadecimal that tells what a run was trained on: over all identities and bytes.
    ///
    /// Of a streamed set the index is digested instead (identity, length and path of every
    /// picture), to spare a pass over all of its bytes; such a digest begins with `index-`.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for (number, picture) in self.pictures.iter().enumerate() {
            digest.update(self.identities[picture.identity].as_bytes());
            digest.update([0]);
            digest.update(u64::from(picture.length).to_le_bytes());
            match &self.store {
                Store::Held(all) => digest.update(all.bytes(number)),
                Store::Streamed { .. } => {
                    digest.update(picture.path.as_os_str().as_encoded_bytes());
                    digest.update([0]);
                }
            }
        }
        let hex = shared::model_id::hex(&digest.finalize());
        match self.store {
            Store::Held(_) => hex,
            Store::Streamed { .. } => format!("index-{hex}"),
        }
    }
}
