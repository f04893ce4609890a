//! t-SNE: points in a plane that keep the neighbors they have among embeddings.
//!
//! The forces are those of the crate `bhtsne` (Barnes-Hut, van der Maaten 2014; above
//! [`INTERPOLATED_FROM`] points FIt-SNE, Linderman et al. 2019). Here is how they are used: exact
//! neighbors, a start along the two widest directions (Kobak and Berens 2019), which keeps what
//! can be kept of the large arrangement, and a learning rate in proportion to the number of points
//! (Belkina et al. 2019). Everything runs on one thread: sums in one order, so that the same
//! embeddings give the same picture to the last bit on the same machine, and no thread that waits.

pub mod neighbors;
pub mod preservation;
mod start;

use bhtsne::{Neighbor, tSNE};
use indicatif::{ProgressBar, ProgressStyle};

use neighbors::Neighbors;

/// Points from which on interpolation costs less than a tree.
pub const INTERPOLATED_FROM: usize = 20_000;
/// Fewer points have no neighborhoods to keep: they lie along the two widest directions.
const LEAST_POINTS: usize = 8;
/// Share of a cell's distance that its side may be to count as one point; coarse while clusters
/// gather, fine while they take shape. With 0.7 throughout, one neighbor in fifty is lost.
const THETA_EARLY: f32 = 0.7;
const THETA: f32 = 0.5;
const MOMENTUM: f32 = 0.8;
/// bhtsne keeps gains of single coordinates at 2 at most, where openTSNE lets them grow: so the
/// rate is four times openTSNE's N, which reaches the same picture in as many steps.
const RATE_PER_POINT: f32 = 4.0;

/// How the picture is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// How many neighbors a point holds on to, smoothly; less where there are few points.
    pub perplexity: f32,
    /// How many times as strongly neighbors attract each other at first.
    pub exaggeration: f32,
    /// Steps with exaggeration.
    pub early_steps: usize,
    /// Steps after them.
    pub steps: usize,
    /// Seed of what keeps equal points from lying on each other for ever.
    pub seed: u64,
}

impl Default for Settings {
    /// openTSNE's.
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            exaggeration: 12.0,
            early_steps: 250,
            steps: 500,
            seed: 1,
        }
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum TsneError {
    /// Not a matrix of that width.
    #[error("expected rows of {dimension} numbers, at least one, found {found} numbers in all")]
    Shape {
        /// Numbers in a row.
        dimension: usize,
        /// Numbers in all.
        found: usize,
    },
    /// A number is infinite or none.
    #[error(
        "expected finite numbers, found one that is not in row {row}; embed that picture again"
    )]
    NotFinite {
        /// Row, from 0.
        row: usize,
    },
    /// More points than indices.
    #[error("expected at most {most} points, found {found}; take a part of the pictures", most = u32::MAX)]
    TooMany {
        /// Points.
        found: usize,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] rayon::ThreadPoolBuildError),
}

/// A place in the plane for each row.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// x and y of each row.
    pub points: Vec<[f32; 2]>,
    /// The nearest rows of each row, by L2 among the embeddings, nearest first.
    pub neighbors: Neighbors,
}

/// Places in the plane for rows of `dimension` numbers, under a progress bar on stderr.
///
/// # Errors
/// [`TsneError`].
pub fn tsne(rows: &[f32], dimension: usize, settings: &Settings) -> Result<Picture, TsneError> {
    check(rows, dimension)?;
    let count = rows.len() / dimension;
    let perplexity = settings.perplexity.min((count - 1) as f32 / 3.0).max(1.0);
    let wanted = ((3.0 * perplexity) as usize).max(preservation::NEAREST);
    let neighbors = neighbors::nearest(rows, dimension, wanted);
    let start = start::widest(rows, dimension, settings.seed);
    if count < LEAST_POINTS {
        let points = pairs(&start);
        return Ok(Picture { points, neighbors });
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let points = pool.install(|| descend(&neighbors, start, perplexity, settings));
    Ok(Picture { points, neighbors })
}

fn check(rows: &[f32], dimension: usize) -> Result<(), TsneError> {
    let found = rows.len();
    if dimension == 0 || found == 0 || !found.is_multiple_of(dimension) {
        return Err(TsneError::Shape { dimension, found });
    }
    if let Some(bad) = rows.iter().position(|value| !value.is_finite()) {
        let row = bad / dimension;
        return Err(TsneError::NotFinite { row });
    }
    match u32::try_from(found / dimension) {
        Ok(_) => Ok(()),
        Err(_) => Err(TsneError::TooMany {
            found: found / dimension,
        }),
    }
}

/// Gradient descent with momentum: first with exaggeration, then without, as openTSNE goes.
fn descend(
    neighbors: &Neighbors,
    start: Vec<f32>,
    perplexity: f32,
    settings: &Settings,
) -> Vec<[f32; 2]> {
    let count = neighbors.len();
    let held = ((3.0 * perplexity) as usize).clamp(1, count - 1);
    let lists: Vec<Vec<Neighbor<f32>>> = (0..count)
        .map(|row| {
            let nearest = &neighbors.of(row)[..held];
            // bhtsne takes the exponential of squared distances as they are, in f32, which is 0 for
            // all neighbors of a point that lies apart; less the least one, the shares are the same.
            let least = nearest[0].0;
            let apart = |distance: f32| {
                let squared = (distance - least) * (distance + least);
                squared.max(0.0).sqrt()
            };
            nearest
                .iter()
                .map(|&(distance, index)| Neighbor {
                    index: index as usize,
                    distance: apart(distance),
                })
                .collect()
        })
        .collect();
    let bar = progress(settings.early_steps + settings.steps);
    // bhtsne reads neither points nor metric where neighbors are given; it wants to know how many.
    let nothing = vec![(); count];
    let mut descent: tSNE<f32, ()> = tSNE::new(&nothing);
    let watched = bar.clone();
    descent
        .epoch_callback(move |_, _| watched.inc(1))
        .perplexity(perplexity)
        .momentum(MOMENTUM)
        .final_momentum(MOMENTUM)
        .early_exaggeration(settings.exaggeration)
        .stop_lying_epoch(usize::MAX)
        .epochs(settings.early_steps)
        .learning_rate(count as f32 / settings.exaggeration)
        .initial_embedding(start);
    let interpolated = count >= INTERPOLATED_FROM;
    match interpolated {
        true => descent.fit_sne_with_neighbors(&lists),
        false => descent.barnes_hut_with_neighbors(THETA_EARLY, &lists),
    };
    drop(lists);
    let gathered = descent.embedding();
    descent
        .stop_lying_epoch(0)
        .epochs(settings.steps)
        .learning_rate(count as f32 * RATE_PER_POINT)
        .initial_embedding(gathered);
    // The attractions of the first descent are kept; so the metric is not asked.
    match interpolated {
        true => descent.fit_sne(|(), ()| 0.0),
        false => descent.barnes_hut(THETA, |(), ()| 0.0),
    };
    let points = pairs(&descent.embedding());
    bar.finish();
    points
}

fn pairs(flat: &[f32]) -> Vec<[f32; 2]> {
    flat.chunks_exact(2)
        .map(|pair| [pair[0], pair[1]])
        .collect()
}

fn progress(steps: usize) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:24} {pos}/{len} steps of t-SNE  {per_sec}  ETA {eta}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps as u64).with_style(style)
}

#[cfg(test)]
mod tests;
