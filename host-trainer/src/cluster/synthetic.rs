//! Made embeddings of made people, to time and test with: clouds on the sphere, and lone faces.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Rows;

/// What is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Synthetic {
    /// Faces in all.
    pub faces: usize,
    /// People with several faces; their numbers of faces fall as 1 / rank from the first on.
    pub people: usize,
    /// Share of faces that are a person's only one.
    pub lone: f64,
    /// Mean squared distance of two faces of one person, about.
    pub spread: f32,
    /// Numbers in an embedding.
    pub dimension: usize,
    /// Of the random numbers.
    pub seed: u64,
}

impl Default for Synthetic {
    /// As far apart as a good model's: one person's faces 0.75, strangers 2.
    fn default() -> Self {
        Self {
            faces: 10_000,
            people: 500,
            lone: 0.05,
            spread: 0.75,
            dimension: 128,
            seed: 1,
        }
    }
}

/// Made faces.
pub struct Made {
    /// f32 [faces, dimension], rows of unit length.
    pub values: Vec<f32>,
    /// Numbers in a row.
    pub dimension: usize,
    /// Each face's person.
    pub people: Vec<usize>,
}

impl Made {
    /// The rows.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            values: &self.values,
            dimension: self.dimension,
        }
    }
}

impl Synthetic {
    /// Makes them; equal wishes give equal faces.
    pub fn make(&self) -> Made {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        // Two unit vectors c + noise are on average 2 - 2 cos² apart, cos towards their center.
        let cosine = (1.0 - self.spread / 2.0).max(0.0).sqrt();
        let noise = (1.0 - cosine * cosine).sqrt();
        let mut centers = Vec::with_capacity(self.people);
        for _ in 0..self.people {
            centers.push(direction(&mut random, self.dimension));
        }
        // 1 / rank, with an offset so that the first does not have them all.
        let weights: Vec<f64> = (0..self.people)
            .map(|rank| 1.0 / (rank as f64 + 50.0))
            .collect();
        let ends: Vec<f64> = weights
            .iter()
            .scan(0.0, |end, weight| {
                *end += weight;
                Some(*end)
            })
            .collect();
        let all = ends.last().copied().unwrap_or(0.0);
        let mut made = Made {
            values: Vec::with_capacity(self.faces * self.dimension),
            dimension: self.dimension,
            people: Vec::with_capacity(self.faces),
        };
        for face in 0..self.faces {
            let own = direction(&mut random, self.dimension);
            if centers.is_empty() || random.random::<f64>() < self.lone {
                made.people.push(self.people + face);
                made.values.extend(own);
                continue;
            }
            let place = random.random::<f64>() * all;
            let person = ends
                .partition_point(|end| *end < place)
                .min(self.people - 1);
            made.people.push(person);
            let raw: Vec<f32> = centers[person]
                .iter()
                .zip(own)
                .map(|(center, own)| cosine * center + noise * own)
                .collect();
            made.values.extend(unit(raw));
        }
        made
    }
}

/// A direction, each as likely as any other.
fn direction(random: &mut ChaCha8Rng, dimension: usize) -> Vec<f32> {
    // Box and Muller's two normal numbers at a time.
    let mut raw = Vec::with_capacity(dimension + 1);
    while raw.len() < dimension {
        let radius = (-2.0 * (1.0 - random.random::<f32>()).ln()).sqrt();
        let angle = std::f32::consts::TAU * random.random::<f32>();
        raw.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    raw.truncate(dimension);
    unit(raw)
}

fn unit(mut raw: Vec<f32>) -> Vec<f32> {
    let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
    raw.iter_mut().for_each(|value| *value /= length);
    raw
}
