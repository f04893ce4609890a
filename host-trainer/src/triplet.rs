//! Online mining of semi-hard triplets within a batch: pure, no tensors.

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
    /// Anchor-positive pairs of the batch, ordered: as many as triplets if all were active.
    pub pairs: usize,
    /// Mean squared distance of genuine pairs.
    pub genuine: f32,
    /// Mean squared distance of impostor pairs.
    pub impostor: f32,
}

impl Mined {
    /// Share of anchor-positive pairs that have a semi-hard negative, 0 to 1.
    pub fn active_share(&self) -> f64 {
        self.triplets.len() as f64 / self.pairs.max(1) as f64
    }
}

/// All anchor-positive pairs, each with its nearest semi-hard negative:
/// `d(a,p) < d(a,n) < d(a,p) + alpha` (FaceNet, section 3.2).
///
/// The paper does not say which of several semi-hard negatives it takes; the nearest teaches
/// most without being one of those, nearer than the positive, on which training collapses.
///
/// # Panics
/// If there are not as many identities as rows in `distances`.
pub fn mine(distances: &DistanceMatrix, identities: &[i64], alpha: f32) -> Mined {
    assert_eq!(identities.len(), distances.count, "an identity a row");
    let mut triplets = Vec::new();
    let (mut genuine, mut impostor) = (Mean::default(), Mean::default());
    for anchor in 0..distances.count {
        let row = distances.row(anchor);
        for (other, distance) in row.iter().enumerate().filter(|(other, _)| *other != anchor) {
            if identities[other] != identities[anchor] {
                impostor.add(*distance);
                continue;
            }
            genuine.add(*distance);
            let semi_hard = |negative: &usize| {
                identities[*negative] != identities[anchor]
                    && row[*negative] > *distance
                    && row[*negative] < *distance + alpha
            };
            let nearest = (0..distances.count)
                .filter(semi_hard)
                .min_by(|a, b| row[*a].total_cmp(&row[*b]));
            triplets.extend(nearest.map(|negative| Triplet {
                anchor,
                positive: other,
                negative,
            }));
        }
    }
    Mined {
        triplets,
        pairs: genuine.count,
        genuine: genuine.value(),
        impostor: impostor.value(),
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
            let mined = mine(&distances, &identities, 0.2);
            let found: Vec<_> = mined
                .triplets
                .iter()
                .map(|triplet| triplet.negative)
                .collect();
            assert_eq!(found, Vec::from_iter(expected), "{name}");
            assert_eq!(mined.pairs, 2, "{name}");
        }
    }

    #[test]
    fn every_ordered_pair_of_an_identity_is_an_anchor_and_a_positive() {
        let distances = DistanceMatrix::new(4, vec![1.0; 16]);
        let mined = mine(&distances, &[1, 1, 1, 2], 0.2);
        assert_eq!(mined.pairs, 6);
        assert!(mined.triplets.is_empty());
        assert_eq!((mined.genuine, mined.impostor), (1.0, 1.0));
    }
}
