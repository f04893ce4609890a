//! Which pictures make a batch: P identities with K pictures each, every picture once an epoch.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The batches of one epoch, as indices of pictures.
///
/// Each identity's pictures are shuffled and cut into groups of `per_identity` (a remainder of one
/// joins the group before it, so every group has a genuine pair); the groups are shuffled, and a
/// batch is filled with groups up to `identities * per_identity` pictures. A rich identity may
/// thus appear twice in a batch, and no picture is seen more often than another.
///
/// A last batch of fewer than half the pictures is left out.
pub fn epoch(
    by_identity: &[Vec<usize>],
    identities: usize,
    per_identity: usize,
    seed: u64,
    epoch: u64,
) -> Vec<Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for pictures in by_identity {
        let mut pictures = pictures.clone();
        pictures.shuffle(&mut random);
        let mut rest = pictures.as_slice();
        while !rest.is_empty() {
            let take = match rest.len() {
                all if all <= per_identity + 1 => all,
                _ => per_identity,
            };
            let (group, remainder) = rest.split_at(take);
            groups.push(group.to_vec());
            rest = remainder;
        }
    }
    groups.shuffle(&mut random);
    let size = identities * per_identity;
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut batch = Vec::with_capacity(size);
    for group in groups {
        if batch.len() + group.len() > size && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
        }
        batch.extend(group);
    }
    if batch.len() * 2 >= size || batches.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Identities with 2, 3, ... 12 pictures, numbered through.
    fn identities() -> Vec<Vec<usize>> {
        let mut next = 0..;
        (2..=12)
            .map(|count| next.by_ref().take(count).collect())
            .collect()
    }

    #[test]
    fn every_picture_once_and_never_alone() {
        let by_identity = identities();
        let batches = epoch(&by_identity, 3, 4, 1, 0);
        let mut seen: Vec<usize> = batches.concat();
        assert!(batches.iter().all(|batch| batch.len() <= 12));
        for batch in &batches {
            for pictures in &by_identity {
                let together = batch
                    .iter()
                    .filter(|picture| pictures.contains(picture))
                    .count();
                assert_ne!(together, 1, "{batch:?}");
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(
            seen.len() >= 77 - 5,
            "only a short last batch is left out: {}",
            seen.len()
        );
        assert_eq!(seen.len(), batches.concat().len(), "none twice");
    }

    #[test]
    fn the_seed_and_the_epoch_decide() {
        let by_identity = identities();
        assert_eq!(
            epoch(&by_identity, 3, 4, 1, 5),
            epoch(&by_identity, 3, 4, 1, 5)
        );
        assert_ne!(
            epoch(&by_identity, 3, 4, 1, 5),
            epoch(&by_identity, 3, 4, 1, 6)
        );
        assert_ne!(
            epoch(&by_identity, 3, 4, 1, 5),
            epoch(&by_identity, 3, 4, 2, 5)
        );
    }
}
