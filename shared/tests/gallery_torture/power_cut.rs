//! What a power cut leaves of a disk: unsynced bytes torn at sectors, unsynced names kept or not.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Platter;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What becomes of something that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// Nothing of it is there.
    Dropped,
    /// All of it is there.
    Kept,
    /// The first part of it is there: whole sectors of a file, changes of names in order.
    Prefix,
    /// Any part of it is there. A file is as long as it was at its longest: sectors that were not
    /// written are old, or zero.
    Any,
}

/// One way that a power cut can go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PowerCut {
    pub(crate) names: Unsynced,
    pub(crate) contents: Unsynced,
    pub(crate) seed: u64,
}

/// Every combination, those left to chance once for each seed.
pub(crate) fn power_cuts(seeds: std::ops::Range<u64>) -> Vec<PowerCut> {
    use Unsynced::{Any, Dropped, Kept, Prefix};
    let mut cuts = Vec::new();
    for seed in seeds.clone() {
        for names in [Dropped, Kept, Prefix, Any] {
            for contents in [Dropped, Kept, Prefix, Any] {
                let chance = |what| matches!(what, Prefix | Any);
                if seed == seeds.start || chance(names) || chance(contents) {
                    cuts.push(PowerCut {
                        names,
                        contents,
                        seed,
                    });
                }
            }
        }
    }
    cuts
}

impl Platter {
    /// What is on the disk after the power was cut.
    pub(crate) fn after(&self, cut: PowerCut) -> Platter {
        let mut rng = ChaCha8Rng::seed_from_u64(cut.seed);
        let mut after = self.clone();
        let changes = std::mem::take(&mut after.name_changes);
        let first = rng.random_range(0..=changes.len());
        let mut names = after.lasting.clone();
        for (place, change) in changes.iter().enumerate() {
            let kept = match cut.names {
                Unsynced::Dropped => false,
                Unsynced::Kept => true,
                Unsynced::Prefix => place < first,
                Unsynced::Any => rng.random(),
            };
            if kept {
                change.apply(&mut names);
            }
        }
        after.lasting.clone_from(&names);
        after.names = names;
        let named: Vec<u64> = after.names.values().copied().collect();
        after.files.retain(|file, _versions| named.contains(file));
        for versions in after.files.values_mut() {
            *versions = vec![settled(versions, cut.contents, &mut rng)];
        }
        after
    }

    /// Equal for disks that hold the same.
    pub(crate) fn fingerprint(&self) -> u64 {
        let contents: BTreeMap<_, _> = (self.lasting.iter())
            .map(|(path, file)| (path, &self.files[file]))
            .collect();
        let mut hasher = DefaultHasher::new();
        contents.hash(&mut hasher);
        hasher.finish()
    }
}

/// A file's content after a power cut; the first of `versions` lasts, the others follow it.
fn settled(versions: &[Arc<Vec<u8>>], unsynced: Unsynced, rng: &mut ChaCha8Rng) -> Arc<Vec<u8>> {
    let (old, new) = (&versions[0], &versions[versions.len() - 1]);
    if versions.len() == 1 {
        return Arc::clone(old);
    }
    let longest = versions
        .iter()
        .map(|version| version.len())
        .max()
        .unwrap_or(0);
    match unsynced {
        Unsynced::Dropped => Arc::clone(old),
        Unsynced::Kept => Arc::clone(new),
        Unsynced::Prefix => {
            let version = &versions[rng.random_range(1..versions.len())];
            let (least, most) = (old.len().min(version.len()), version.len());
            let boundaries: Vec<usize> = (least.div_ceil(SECTOR)..=most / SECTOR)
                .map(|sector| sector * SECTOR)
                .chain([least, most])
                .collect();
            let length = boundaries[rng.random_range(0..boundaries.len())];
            Arc::new(version[..length].to_vec())
        }
        Unsynced::Any => {
            let mut content = vec![0; longest];
            for (sector, bytes) in content.chunks_mut(SECTOR).enumerate() {
                let version = &versions[rng.random_range(0..versions.len())];
                let from = version.get(sector * SECTOR..).unwrap_or_default();
                let taken = from.len().min(bytes.len());
                bytes[..taken].copy_from_slice(&from[..taken]);
            }
            Arc::new(content)
        }
    }
}
