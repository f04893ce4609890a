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
