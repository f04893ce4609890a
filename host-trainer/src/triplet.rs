//! Online mining of triplets within a batch: pure, no tensors.

use serde::{Deserialize, Serialize};

/// Indices into a batch: two pictures of one identity, and one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triplet {
    /// The picture compared.
    pub anchor: usize,
    /// Another picture of the anchor's identity.
    pub positive: usize,
    /// A picture of another identity.
    pub negative: usize,
}

/// Which triplets of a batch are learnt from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mining {
    /// Every anchor-positive pair with its nearest semi-hard negative:
    /// `d(a,p) < d(a,n) < d(a,p) + alpha` (FaceNet, section 3.2).
    ///
    /// The paper does not say which of several semi-hard negatives it takes; the nearest teaches
    /// most without being one of those, nearer than the positive, on which training collapses.
    #[default]
    SemiHard,
    /// Every anchor with its farthest positive and its nearest negative, where they violate the
    /// margin: Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person
    /// Re-Identification", 2017, equation 5.
    BatchHard,
    /// Every triplet that violates the margin: the same paper, equation 6. Up to
    /// pictures^2 x pictures of an identity: for small batches.
    BatchAll,
}

/// Squared L2 between all pairs of a batch of unit vectors, 0 to 4.
#[derive(Debug, Clone)]
pub struct DistanceMatrix {
    count: usize,
    squared: Vec<f32>,
}

impl DistanceMatrix {
    /// From `count` x `count` squared distances, row-major.
    ///
    /// # Panics
    /// If `squared` has another length.
    pub fn new(count: usize, squared: Vec<f32>) -> Self {
        assert_eq!(squared.len(), count * count, "a square matrix");
        Self { count, squared }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.squared[index * self.count..][..self.count]
    }
}

/// What mining found in a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Mined {
    /// The triplets to learn from.
    pub triplets: Vec<Triplet>,
    /// Triplets there could be: ordered anchor-positive pairs for semi-hard mining, anchors for
    /// batch-hard, all triplets for batch-all.
    pub candidates: usize,
    /// Mean squared distance of genuine pairs.
    pub genuine: f32,
    /// Mean squared distance of impostor pairs.
    pub impostor: f32,
    /// Largest squared distance of any pair.
    pub largest: f32,
}

impl Mined {
    /// Share of the candidates that are learnt from, 0 to 1.
    pub fn active_share(&self) -> f64 {
        self.triplets.len() as f64 / self.candidates.max(1) as f64
    }
}

/// Mines a batch; `alpha` is the margin on squared L2.
///
/// # Panics
/// If there are not as many identities as rows in `distances`.
pub fn mine(mining: Mining, distances: &DistanceMatrix, identities: &[i64], alpha: f32) -> Mined {
    assert_eq!(identities.len(), distances.count, "an identity a row");
    let mut triplets = Vec::new();
    let mut candidates = 0;
    let (mut genuine, mut impostor) = (Mean::default(), Mean::default());
    for (anchor, identity) in identities.iter().enumerate() {
        let pairs = Neighbors::of(anchor, *identity, distances, identities);
        pairs.positives.iter().for_each(|pair| genuine.add(pair.0));
        pairs.negatives.iter().for_each(|pair| impostor.add(pair.0));
        candidates += pairs.candidates(mining);
        pairs.mine(mining, anchor, alpha, &mut triplets);
    }
    Mined {
        triplets,
        candidates,
        genuine: genuine.value(),
        impostor: impostor.value(),
        largest: distances.squared.iter().copied().fold(0.0, f32::max),
    }
}

/// An anchor's others with their distances: positives in the order of the batch, negatives from
/// near to far.
struct Neighbors {
    positives: Vec<(f32, usize)>,
    negatives: Vec<(f32, usize)>,
}

impl Neighbors {
    fn of(anchor: usize, identity: i64, distances: &DistanceMatrix, identities: &[i64]) -> Self {
        let row = distances.row(anchor).iter().copied().zip(0..);
        let (positives, mut negatives): (Vec<_>, Vec<_>) = row
            .filter(|(_, other)| *other != anchor)
            .partition(|(_, other)| identities[*other] == identity);
        // Stable, so that equal distances keep the batch's order and a seed its triplets.
        negatives.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self {
            positives,
            negatives,
        }
    }

    fn candidates(&self, mining: Mining) -> usize {
        match mining {
            Mining::SemiHard => self.positives.len(),
            Mining::BatchHard => {
                usize::from(!self.positives.is_empty() && !self.negatives.is_empty())
            }
            Mining::BatchAll => self.positives.len() * self.negatives.len(),
        }
    }

    fn mine(&self, mining: Mining, anchor: usize, alpha: f32, triplets: &mut Vec<Triplet>) {
        let triplet = |positive: usize, negative: usize| Triplet {
            anchor,
            positive,
            negative,
        };
        match mining {
            Mining::SemiHard => {
                for (distance, positive) in &self.positives {
                    let beyond = self.negatives.partition_point(|pair| pair.0 <= *distance);
                    let nearest = self.negatives.get(beyond);
                    let within = nearest.filter(|pair| pair.0 < *distance + alpha);
                    triplets.extend(within.map(|pair| triplet(*positive, pair.1)));
                }
            }
            Mining::BatchHard => {
                let farthest = self.positives.iter().max_by(|a, b| a.0.total_cmp(&b.0));
                if let (Some(positive), Some(negative)) = (farthest, self.negatives.first())
                    && negative.0 < positive.0 + alpha
                {
                    triplets.push(triplet(positive.1, negative.1));
                }
            }
            Mining::BatchAll => {
                for (distance, positive) in &self.positives {
                    let violating = self.negatives.iter();
                    let violating = violating.take_while(|pair| pair.0 < *distance + alpha);
                    triplets.extend(violating.map(|pair| triplet(*positive, pair.1)));
                }
            }
        }
    }
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1;
    }

    fn value(&self) -> f32 {
        (self.sum / self.count.max(1) as f64) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pictures of identity 7 at distance `genuine`, and strangers at the given distances from
    /// the first, all far from the second.
    fn batch(genuine: f32, strangers: &[f32]) -> (DistanceMatrix, Vec<i64>) {
        let count = 2 + strangers.len();
        let mut squared = vec![3.9; count * count];
        for index in 0..count {
            squared[index * count + index] = 0.0;
        }
        (squared[1], squared[count]) = (genuine, genuine);
        for (index, distance) in strangers.iter().enumerate() {
            squared[2 + index] = *distance;
            squared[(2 + index) * count] = *distance;
        }
        let identities = [7, 7]
            .into_iter()
            .chain(10..10 + strangers.len() as i64)
            .collect();
        (DistanceMatrix::new(count, squared), identities)
    }

    #[test]
    fn the_nearest_negative_beyond_the_positive_is_taken() {
        let cases: [(&str, &[f32], Option<usize>); 5] = [
            ("inside the margin", &[0.6], Some(2)),
            (
                "nearer than the positive: hard, not semi-hard",
                &[0.4],
                None,
            ),
            ("at the positive", &[0.5], None),
            ("beyond the margin: easy", &[0.71], None),
            ("the nearest of several", &[0.4, 0.69, 0.55, 0.6], Some(4)),
        ];
        for (name, strangers, expected) in cases {
            let (distances, identities) = batch(0.5, strangers);
            let mined = mine(Mining::SemiHard, &distances, &identities, 0.2);
            let found: Vec<_> = mined
                .triplets
                .iter()
                .map(|triplet| triplet.negative)
                .collect();
            assert_eq!(found, Vec::from_iter(expected), "{name}");
            assert_eq!(mined.candidates, 2, "{name}");
        }
    }

    #[test]
    fn every_ordered_pair_of_an_identity_is_an_anchor_and_a_positive() {
        let distances = DistanceMatrix::new(4, vec![1.0; 16]);
        let mined = mine(Mining::SemiHard, &distances, &[1, 1, 1, 2], 0.2);
        assert_eq!(mined.candidates, 6);
        assert!(mined.triplets.is_empty());
        assert_eq!((mined.genuine, mined.impostor), (1.0, 1.0));
    }

    /// Identities 1, 1, 1, 2, 2 and distances by hand.
    fn five() -> (DistanceMatrix, [i64; 5]) {
        #[rustfmt::skip]
        let squared = vec![
            0.0, 0.3, 0.9, 0.8, 1.0,
            0.3, 0.0, 0.5, 0.6, 2.0,
            0.9, 0.5, 0.0, 0.2, 1.05,
            0.8, 0.6, 0.2, 0.0, 0.4,
            1.0, 2.0, 1.05, 0.4, 0.0,
        ];
        (DistanceMatrix::new(5, squared), [1, 1, 1, 2, 2])
    }

    fn triplets(mining: Mining) -> Vec<(usize, usize, usize)> {
        let (distances, identities) = five();
        let mined = mine(mining, &distances, &identities, 0.2);
        let of = |t: &Triplet| (t.anchor, t.positive, t.negative);
        mined.triplets.iter().map(of).collect()
    }

    #[test]
    fn batch_hard_takes_the_farthest_positive_and_the_nearest_negative() {
        // The last one, (4, 3, 0), has its negative at 1.0, beyond 0.4 + 0.2.
        let expected = [(0, 2, 3), (1, 2, 3), (2, 0, 3), (3, 4, 2)];
        assert_eq!(triplets(Mining::BatchHard), expected);
    }

    #[test]
    fn batch_all_takes_every_triplet_that_violates_the_margin() {
        let expected = [
            (0, 2, 3), // 0.8 < 0.9 + 0.2
            (0, 2, 4), // 1.0
            (1, 2, 3), // 0.6 < 0.5 + 0.2
            (2, 0, 3), // 0.2 and 1.05 < 0.9 + 0.2
            (2, 0, 4),
            (2, 1, 3), // 0.2 < 0.5 + 0.2
            (3, 4, 2), // 0.2 < 0.4 + 0.2; 0.6 is not below 0.6
        ];
        assert_eq!(triplets(Mining::BatchAll), expected);
        let (distances, identities) = five();
        let mined = mine(Mining::BatchAll, &distances, &identities, 0.2);
        assert_eq!(mined.candidates, 3 * 2 * 2 + 2 * 3);
        assert_eq!(mined.largest, 2.0);
    }
}
