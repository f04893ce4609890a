//! What a batch of embeddings is worth: every loss that the config asks for, summed.

use std::time::{Duration, Instant};

use tch::{Device, Tensor};

use super::{loss, module};
use crate::config::Config;
use crate::teacher::TeacherEmbeddings;
use crate::telemetry::metrics;
use crate::triplet::{self, DistanceMatrix, Mined, Triplet};

/// Embeddings by other models that the batch is held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct Others<'a> {
    /// The teacher to be like.
    pub teacher: Option<&'a TeacherEmbeddings>,
    /// The older model whose galleries are to stay usable.
    pub older: Option<&'a TeacherEmbeddings>,
}

/// The faces of a batch, apart from their pixels.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Identity of each face.
    pub identities: &'a [i64],
    /// Index of each face's picture in the data set.
    pub pictures: &'a [usize],
    /// The identities that a softmax tells apart, rising; empty for all.
    pub among: &'a [i64],
}

/// The losses of a batch by name, each with its weight; none where it is off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Parts {
    /// Of mined triplets; none if there were none.
    pub triplet: Option<f64>,
    /// Of the margin softmax.
    pub softmax: Option<f64>,
    /// Of the distance to the teacher.
    pub distillation: Option<f64>,
    /// Of triplets mined together with the older model's embeddings.
    pub compatible: Option<f64>,
}

impl Parts {
    /// Their sum.
    pub fn sum(&self) -> f64 {
        let parts = [
            self.triplet,
            self.softmax,
            self.distillation,
            self.compatible,
        ];
        parts.into_iter().flatten().sum()
    }
}

/// What a batch came to.
#[derive(Debug)]
pub struct Outcome {
    /// The sum of the losses; none if nothing in the batch teaches.
    pub loss: Option<Tensor>,
    /// Its parts.
    pub parts: Parts,
    /// What mining found among the batch's own embeddings.
    pub mined: Mined,
    /// Time that mining took.
    pub mining: Duration,
}

/// The losses of a batch at that share of the run.
///
/// `embeddings` is f32 [N, D] with unit rows; `centers` f32 [identities, D] where there is a
/// softmax.
pub fn evaluate(
    config: &Config,
    embeddings: &Tensor,
    labels: Labels<'_>,
    centers: Option<&Tensor>,
    others: Others<'_>,
    progress: f64,
) -> Outcome {
    let device = embeddings.device();
    let started = Instant::now();
    let mined = mine(config, embeddings, labels.identities);
    let mut mining = started.elapsed();
    let triplets = |rows: &Tensor, triplets: &[Triplet], weight: f64| {
        let on = (weight > 0.0).then_some(triplets)?;
        let loss = loss::triplet(rows, on, config.triplet.margin, config.triplet.alpha)?;
        Some(loss * weight)
    };
    let own = triplets(embeddings, &mined.triplets, config.triplet.weight);
    let softmax = config.softmax.filter(|softmax| progress < softmax.until);
    let softmax = softmax.zip(centers).map(|(softmax, centers)| {
        let (centers, truth) = choose(centers, labels);
        loss::margin_softmax(embeddings, &centers, &truth, &softmax) * softmax.weight
    });
    let taught = others
        .teacher
        .filter(|_| progress < config.distillation.until);
    let distillation = taught.map(|teacher| {
        let teacher = rows(teacher, labels.pictures, device);
        loss::distillation(embeddings, &teacher) * config.distillation.weight
    });
    let compatible = others.older.and_then(|older| {
        let started = Instant::now();
        let older = rows(older, labels.pictures, device);
        let (both, mixed) = mine_with(config, embeddings, &older, labels.identities);
        mining += started.elapsed();
        triplets(&both, &mixed, config.compatible.weight)
    });
    let value = |loss: &Option<Tensor>| loss.as_ref().map(|loss| loss.double_value(&[]));
    let parts = Parts {
        triplet: value(&own),
        softmax: value(&softmax),
        distillation: value(&distillation),
        compatible: value(&compatible),
    };
    let losses = [own, softmax, distillation, compatible]
        .into_iter()
        .flatten();
    Outcome {
        loss: losses.reduce(|sum, loss| sum + loss),
        parts,
        mined,
        mining,
    }
}

/// Squared L2 between all rows: 2 - 2 cosines, as the rows are unit vectors.
fn distances(embeddings: &Tensor) -> DistanceMatrix {
    let rows = embeddings.detach();
    let squared = (rows.matmul(&rows.tr()) * -2.0 + 2.0).clamp(0.0, 4.0);
    let squared = module::from_torch(&squared);
    DistanceMatrix::new(squared.extents[0], squared.values)
}

fn mine(config: &Config, embeddings: &Tensor, identities: &[i64]) -> Mined {
    let alpha = config.triplet.alpha as f32;
    triplet::mine(
        config.triplet.mining,
        &distances(embeddings),
        identities,
        alpha,
    )
}

/// Triplets among new and old embeddings together, less those of old ones alone, which nothing can
/// move: the paper's harmonic triplets (appendix).
fn mine_with(
    config: &Config,
    new: &Tensor,
    older: &Tensor,
    identities: &[i64],
) -> (Tensor, Vec<Triplet>) {
    let both = Tensor::cat(&[new, older], 0);
    let mut mined = mine(config, &both, &identities.repeat(2));
    let moves = |triplet: &Triplet| {
        let rows = [triplet.anchor, triplet.positive, triplet.negative];
        rows.into_iter().any(|row| row < identities.len())
    };
    mined.triplets.retain(moves);
    (both, mined.triplets)
}

fn rows(other: &TeacherEmbeddings, pictures: &[usize], device: Device) -> Tensor {
    let extents = [pictures.len() as i64, other.dimension() as i64];
    Tensor::from_slice(&other.rows(pictures))
        .view(extents)
        .to_device(device)
}

/// The centers that the softmax tells apart, and each face's among them.
fn choose(centers: &Tensor, labels: Labels<'_>) -> (Tensor, Tensor) {
    let device = centers.device();
    if labels.among.is_empty() {
        let truth = Tensor::from_slice(labels.identities).to_device(device);
        return (centers.shallow_clone(), truth);
    }
    let place = |identity: &i64| labels.among.partition_point(|other| other < identity) as i64;
    let truth: Vec<i64> = labels.identities.iter().map(place).collect();
    let among = Tensor::from_slice(labels.among).to_device(device);
    let truth = Tensor::from_slice(&truth).to_device(device);
    (centers.index_select(0, &among), truth)
}

/// Effective rank of a batch's embeddings, 1 to D: see [`metrics::effective_rank`]; none if a value
/// is no number.
///
/// `embeddings` is f32 [N, D].
pub fn effective_rank(embeddings: &Tensor) -> Option<f64> {
    let rows = embeddings.detach().to_device(Device::Cpu);
    if rows.isfinite().all().int64_value(&[]) == 0 {
        return None; // libtorch refuses to decompose them
    }
    let (_, values, _) = rows.svd(true, false);
    let values: Vec<f64> = module::from_torch(&values)
        .values
        .into_iter()
        .map(f64::from)
        .collect();
    metrics::effective_rank(&values)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn the_rank_of_known_rows() {
        let line = Tensor::from_slice(&[1.0f32, 0.0, -1.0, 0.0, 1.0, 0.0]).view([3, 2]);
        assert!((effective_rank(&line).unwrap() - 1.0).abs() < 1e-3);
        let cross = Tensor::from_slice(&[1.0f32, 0.0, 0.0, 1.0]).view([2, 2]);
        assert!((effective_rank(&cross).unwrap() - 2.0).abs() < 1e-3);
        assert_eq!(effective_rank(&(cross * f64::NAN)), None);
    }

    #[test]
    fn a_softmax_among_some_identities_asks_for_their_centers_alone() {
        let centers = Tensor::arange(8, (Kind::Float, Device::Cpu)).view([4, 2]);
        let labels = Labels {
            identities: &[3, 1],
            pictures: &[0, 1],
            among: &[1, 3],
        };
        let (chosen, truth) = choose(&centers, labels);
        assert_eq!(Vec::<i64>::try_from(truth).unwrap(), [1, 0]);
        let chosen = Vec::<f32>::try_from(chosen.view(-1)).unwrap();
        assert_eq!(chosen, [2.0, 3.0, 6.0, 7.0]);
    }
}
