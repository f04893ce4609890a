//! The index of a data set while it is read: who is on which picture, and where its bytes lie.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shared::picture::MAX_FILE_BYTES;

use super::{DatasetError, Picture, Source};

/// What a reader of a layout fills.
#[derive(Default)]
pub(super) struct Index {
    /// Tar files, in the order they were read.
    pub(super) tars: Vec<PathBuf>,
    identities: Names<String>,
    sources: Names<(String, String)>,
    groups: Names<String>,
    entries: Vec<(Picture, usize)>,
}

/// A picture as a reader finds it.
pub(super) struct Found<'a> {
    /// Whose picture it is.
    pub(super) identity: &'a str,
    /// Where it came from, and under what terms.
    pub(super) source: (&'a str, &'a str),
    /// Pictures cut in one style; see [`Picture::group`].
    pub(super) group: &'a str,
    /// Index into [`Index::tars`]; none for a file of its own.
    pub(super) tar: Option<usize>,
    /// Path inside the tar, or below the data set's folder.
    pub(super) path: &'a Path,
    /// Where its bytes begin in its file.
    pub(super) offset: u64,
    /// How many there are.
    pub(super) length: u64,
}

/// The index in its final order.
pub(super) struct Indexed {
    pub(super) tars: Vec<PathBuf>,
    pub(super) identities: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) sources: Vec<Source>,
    pub(super) pictures: Vec<Picture>,
}

impl Index {
    /// Adds a picture.
    pub(super) fn add(&mut self, found: &Found<'_>) -> Result<(), DatasetError> {
        let length = u32::try_from(found.length)
            .ok()
            .filter(|length| u64::from(*length) <= MAX_FILE_BYTES);
        let Some(length) = length else {
            return Err(DatasetError::TooLong {
                path: found.path.to_owned(),
                expected: MAX_FILE_BYTES,
                found: found.length,
            });
        };
        let picture = Picture {
            identity: self.identities.number(found.identity),
            group: self.groups.number(found.group),
            tar: found.tar.map(|tar| tar as u32),
            offset: found.offset,
            length,
            path: found.path.into(),
        };
        let source = (found.source.0.to_owned(), found.source.1.to_owned());
        self.entries.push((picture, self.sources.number(&source)));
        Ok(())
    }

    /// Leaves only some identities, each with all its pictures, until that share of the pictures is
    /// reached: in an order of `seed`'s own that depends on an identity's name alone, so that a
    /// larger share holds all of a smaller one. Identities with a single picture count for nothing.
    pub(super) fn keep_share(&mut self, share: f64, seed: u64) {
        let mut counts = vec![0_usize; self.identities.names.len()];
        for (picture, _) in &self.entries {
            counts[picture.identity] += 1;
        }
        let rank = |name: &str| {
            let digest = Sha256::new().chain_update(seed.to_le_bytes());
            digest.chain_update(name).finalize()
        };
        let mut order: Vec<usize> = (0..counts.len()).filter(|it| counts[*it] >= 2).collect();
        order.sort_by_cached_key(|it| rank(&self.identities.names[*it]));
        let all: usize = order.iter().map(|it| counts[*it]).sum();
        let wanted = (share * all as f64).round() as usize;
        let mut kept = vec![false; counts.len()];
        let mut pictures = 0;
        for identity in order {
            if pictures >= wanted {
                break;
            }
            kept[identity] = true;
            pictures += counts[identity];
        }
        self.entries.retain(|(picture, _)| kept[picture.identity]);
    }

    /// Identities in alphabetical order, their pictures in the order they were found; identities
    /// with a single picture are left out, as they have no genuine pair.
    pub(super) fn finish(self, folder: &Path) -> Result<Indexed, DatasetError> {
        let mut counts = vec![0_usize; self.identities.names.len()];
        for (picture, _) in &self.entries {
            counts[picture.identity] += 1;
        }
        let mut order: Vec<usize> = (0..counts.len()).filter(|it| counts[*it] >= 2).collect();
        if order.len() < 2 {
            return Err(DatasetError::TooSmall {
                path: folder.to_owned(),
                identities: order.len(),
            });
        }
        order.sort_by(|a, b| self.identities.names[*a].cmp(&self.identities.names[*b]));
        let mut ranks = vec![None; counts.len()];
        for (rank, identity) in order.iter().enumerate() {
            ranks[*identity] = Some(rank);
        }
        let mut entries: Vec<(Picture, usize)> = self.entries;
        entries.retain_mut(|(picture, _)| match ranks[picture.identity] {
            Some(rank) => {
                picture.identity = rank;
                true
            }
            None => false,
        });
        entries.sort_by_key(|(picture, _)| picture.identity);
        let names = self.identities.names;
        Ok(Indexed {
            tars: self.tars,
            identities: order.iter().map(|it| names[*it].clone()).collect(),
            groups: self.groups.names,
            sources: summarize(&self.sources.names, &entries),
            pictures: entries.into_iter().map(|(picture, _)| picture).collect(),
        })
    }
}

/// Pictures and identities of each source, in alphabetical order; `entries` are in the order of
/// identities.
fn summarize(sources: &[(String, String)], entries: &[(Picture, usize)]) -> Vec<Source> {
    let mut last = vec![None; sources.len()];
    let mut summary: Vec<Source> = sources
        .iter()
        .map(|(name, licence)| Source {
            name: name.clone(),
            pictures: 0,
            identities: 0,
            licence: licence.clone(),
        })
        .collect();
    for (picture, source) in entries {
        summary[*source].pictures += 1;
        if last[*source].replace(picture.identity) != Some(picture.identity) {
            summary[*source].identities += 1;
        }
    }
    summary.retain(|source| source.pictures > 0);
    summary.sort_by(|a, b| (&a.name, &a.licence).cmp(&(&b.name, &b.licence)));
    summary
}

/// Names and their numbers, in the order they were first seen.
struct Names<T> {
    names: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + std::hash::Hash + Eq> Names<T> {
    fn number<Q>(&mut self, name: &Q) -> usize
    where
        T: std::borrow::Borrow<Q>,
        Q: ToOwned<Owned = T> + std::hash::Hash + Eq + ?Sized,
    {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}
