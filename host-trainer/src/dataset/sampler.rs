//! Which pictures make a batch: P identities with K pictures each, every picture once an epoch.

use rand::Rng;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Dataset, Picture};

/// Which pictures may meet in a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixing {
    /// All.
    #[default]
    Free,
    /// Those of one group ([`Picture::group`]) only. Where groups differ by their cut or sharpness
    /// and share few people, a network trained on mixed batches tells pictures apart by that style
    /// in place of the person. Groups come in proportion to their pictures; an identity's pictures
    /// in another group count as another's would, so that those alone there are left out.
    OneSource,
}

/// When a batch is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// At P x K pictures: identities of few pictures make room for more identities.
    #[default]
    Pictures,
    /// At P identities, poorer ones giving what they have: the paper's batches of 45 identities
    /// with about 40 faces (FaceNet, section 3.2). Up to P x (K + 1) pictures.
    Identities,
}

/// What a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Identities in a batch (P), at least 2.
    pub identities: usize,
    /// Pictures of each (K), at least 2.
    pub per_identity: usize,
    /// When it is full.
    pub fill: Fill,
    /// What may meet in it.
    pub mixing: Mixing,
}

/// The batches of one epoch.
#[derive(Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Window after window; a set held in memory has a single one.
    pub windows: Vec<WindowPlan>,
    /// Pictures left out this time: alone of their identity in a window or group, or in a last
    /// batch of fewer than half the pictures.
    pub left_out: usize,
}

/// The batches made of the pictures of one window.
#[derive(Debug, PartialEq, Eq)]
pub struct WindowPlan {
    /// Pictures to hold, in ascending order.
    pub pictures: Vec<usize>,
    /// Batches, as indices of pictures.
    pub batches: Vec<Vec<usize>>,
}

impl Epoch {
    /// Batches in all.
    pub fn len(&self) -> u64 {
        let counts = self.windows.iter().map(|window| window.batches.len());
        counts.sum::<usize>() as u64
    }

    /// Whether there is no batch: no two pictures of one identity meet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The batches of one epoch; seed and epoch decide them alone.
///
/// In each window, each identity's pictures are shuffled and cut into groups of K (a remainder of
/// one joins the group before it, so every group has a genuine pair); the groups are shuffled, and
/// batches filled with them. A rich identity may thus appear twice in a batch, and no picture is
/// seen more often than another. A last batch of fewer than half the pictures is left out unless
/// it is the only one.
pub fn epoch(dataset: &Dataset, shape: Shape, seed: u64, epoch: u64) -> Epoch {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut left_out = dataset.pictures.len();
    let windows = dataset.windows(&mut random).into_iter();
    let windows = windows.map(|pictures| {
        let batches = batches(&dataset.pictures, &pictures, shape, &mut random);
        left_out -= batches.iter().map(Vec::len).sum::<usize>();
        WindowPlan { pictures, batches }
    });
    let windows = windows.collect();
    Epoch { windows, left_out }
}

/// Batches of the pictures of a window, which stand in ascending order, so by identity.
fn batches(
    all: &[Picture],
    window: &[usize],
    shape: Shape,
    random: &mut impl Rng,
) -> Vec<Vec<usize>> {
    let pools = match shape.mixing {
        Mixing::Free => 1,
        Mixing::OneSource => 1 + window.iter().map(|it| all[*it].group).max().unwrap_or(0),
    };
    let mut groups: Vec<Vec<Vec<usize>>> = vec![Vec::new(); pools];
    for identity in window.chunk_by(|a, b| all[*a].identity == all[*b].identity) {
        let mut identity = identity.to_vec();
        if shape.mixing == Mixing::OneSource {
            identity.sort_by_key(|it| all[*it].group);
        }
        let same = |a: &usize, b: &usize| pools == 1 || all[*a].group == all[*b].group;
        for part in identity.chunk_by_mut(same) {
            let pool = if pools == 1 { 0 } else { all[part[0]].group };
            part.shuffle(random);
            cut(part, shape.per_identity, &mut groups[pool]);
        }
    }
    let mut batches = Vec::new();
    for mut pool in groups {
        pool.shuffle(random);
        fill(pool, shape, &mut batches);
    }
    if pools > 1 {
        batches.shuffle(random);
    }
    batches
}

/// Cuts one identity's pictures into groups of two and more.
fn cut(pictures: &[usize], per_identity: usize, groups: &mut Vec<Vec<usize>>) {
    let mut rest = pictures;
    while rest.len() >= 2 {
        let take = match rest.len() {
            all if all <= per_identity + 1 => all,
            _ => per_identity,
        };
        let (group, remainder) = rest.split_at(take);
        groups.push(group.to_vec());
        rest = remainder;
    }
}

/// Fills batches with groups, in their order.
fn fill(groups: Vec<Vec<usize>>, shape: Shape, batches: &mut Vec<Vec<usize>>) {
    let size = shape.identities * shape.per_identity;
    let before = batches.len();
    let (mut batch, mut members) = (Vec::with_capacity(size), 0);
    for group in groups {
        let full = match shape.fill {
            Fill::Pictures => batch.len() + group.len() > size,
            Fill::Identities => members == shape.identities,
        };
        if full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            members = 0;
        }
        batch.extend(group);
        members += 1;
    }
    let half = match shape.fill {
        Fill::Pictures => batch.len() * 2 >= size,
        Fill::Identities => members * 2 >= shape.identities,
    };
    // Two groups at least: a lone one has no impostor.
    if half || (batches.len() == before && members >= 2) {
        batches.push(batch);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dataset::tests::{in_shards, set};

    const SHAPE: Shape = Shape {
        identities: 3,
        per_identity: 4,
        fill: Fill::Pictures,
        mixing: Mixing::Free,
    };

    /// Identities with 2, 3, ... 12 pictures.
    fn identities() -> Vec<(String, usize)> {
        let name = |count| (format!("with {count:02}"), count);
        (2..=12).map(name).collect()
    }

    fn all_batches(epoch: &Epoch) -> Vec<Vec<usize>> {
        let windows = epoch.windows.iter();
        windows.flat_map(|it| it.batches.clone()).collect()
    }

    /// How many pictures of each identity a batch has.
    fn members(dataset: &Dataset, batch: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; dataset.identities.len()];
        for picture in batch {
            counts[dataset.pictures[*picture].identity] += 1;
        }
        counts.retain(|count| *count > 0);
        counts
    }

    #[test]
    fn every_picture_once_and_never_alone() {
        let (_folder, dataset) = set(&[("one", &identities())], u64::MAX);
        let found = epoch(&dataset, SHAPE, 1, 0);
        let batches = all_batches(&found);
        assert!(batches.iter().all(|batch| batch.len() <= 12));
        for batch in &batches {
            assert!(!members(&dataset, batch).contains(&1), "{batch:?}");
        }
        let seen: BTreeSet<usize> = batches.concat().into_iter().collect();
        assert_eq!(seen.len(), batches.concat().len(), "none twice");
        assert_eq!(seen.len() + found.left_out, 77);
        assert!(found.left_out <= 5, "only a short last batch is left out");
    }

    #[test]
    fn the_seed_and_the_epoch_decide() {
        let (_folder, dataset) = set(&[("one", &identities())], u64::MAX);
        let of = |seed, number| epoch(&dataset, SHAPE, seed, number);
        assert_eq!(of(1, 5), of(1, 5));
        assert_ne!(of(1, 5), of(1, 6));
        assert_ne!(of(1, 5), of(2, 5));
    }

    #[test]
    fn one_source_keeps_groups_apart_and_in_proportion() {
        let poor: Vec<_> = (0..9).map(|it| (format!("poor {it}"), 2)).collect();
        let both = [&identities()[..4], &[("poor 3".to_owned(), 1)]].concat();
        let sets: [(&str, &[(String, usize)]); 3] =
            [("one", &identities()), ("two", &poor), ("three", &both)];
        let (_folder, dataset) = set(&sets, u64::MAX);
        let shape = Shape {
            mixing: Mixing::OneSource,
            ..SHAPE
        };
        let found = epoch(&dataset, shape, 1, 0);
        let mut pictures = [0; 3];
        for batch in all_batches(&found) {
            let group = dataset.pictures[batch[0]].group;
            assert!(batch.iter().all(|it| dataset.pictures[*it].group == group));
            assert!(!members(&dataset, &batch).contains(&1), "{batch:?}");
            pictures[group] += batch.len();
        }
        let by_name = |name| pictures[dataset.groups.iter().position(|it| it == name).unwrap()];
        assert!(by_name("one") >= 72, "{pictures:?}");
        // A last batch of fewer than half the pictures is left out; so is who is alone in "three".
        assert!((12..=18).contains(&by_name("two")), "{pictures:?}");
        assert!((9..=14).contains(&by_name("three")), "{pictures:?}");
        assert_eq!(
            pictures.iter().sum::<usize>() + found.left_out,
            77 + 18 + 15
        );
        let groups = |epoch: &Epoch| -> Vec<usize> {
            let batches = all_batches(epoch);
            batches
                .iter()
                .map(|it| dataset.pictures[it[0]].group)
                .collect()
        };
        assert!(!groups(&found).is_sorted(), "groups take turns");
    }

    #[test]
    fn one_source_finds_a_groups_pictures_apart() {
        // In alphabetical order: a shard of "set", another group, a shard of "set" again.
        let one = [("a".to_owned(), 1), ("b".to_owned(), 1)];
        let tars: [(&str, &[(String, usize)]); 3] =
            [("set-1", &one), ("set-1a", &one), ("set-2", &one)];
        let (_folder, dataset) = set(&tars, u64::MAX);
        let shape = Shape {
            mixing: Mixing::OneSource,
            ..SHAPE
        };
        let found = epoch(&dataset, shape, 1, 0);
        assert_eq!((all_batches(&found)[0].len(), found.left_out), (4, 2));
    }

    #[test]
    fn the_papers_batches_count_identities() {
        let (_folder, dataset) = set(&[("one", &identities())], u64::MAX);
        let shape = Shape {
            identities: 5,
            per_identity: 40,
            fill: Fill::Identities,
            mixing: Mixing::Free,
        };
        let found = epoch(&dataset, shape, 1, 0);
        let batches = all_batches(&found);
        // 11 identities, none of which has 40 pictures: two batches of five, one is left over.
        assert_eq!(batches.len(), 2);
        for batch in &batches {
            assert_eq!(members(&dataset, batch).len(), 5);
        }
        assert!((2..=12).contains(&found.left_out));
    }

    #[test]
    fn windows_hold_what_their_batches_need() {
        let (_folder, dataset) = in_shards(12, 30, 4_000);
        assert!(dataset.is_streamed());
        let found = epoch(&dataset, SHAPE, 1, 0);
        assert!(found.windows.len() > 3, "{}", found.windows.len());
        let mut held = BTreeSet::new();
        for window in &found.windows {
            for picture in window.batches.concat() {
                assert!(window.pictures.binary_search(&picture).is_ok());
            }
            held.extend(window.pictures.iter().copied());
        }
        assert_eq!(held.len(), dataset.pictures.len(), "all pictures are read");
        let other = epoch(&dataset, SHAPE, 1, 1);
        assert_ne!(found.windows[0].pictures, other.windows[0].pictures);
        let used: usize = all_batches(&found).iter().map(Vec::len).sum();
        assert_eq!(used + found.left_out, dataset.pictures.len());
        // Shards that cut identities apart cost single pictures and short last batches.
        assert!(found.left_out * 4 < used, "{} of {used}", found.left_out);
    }
}
