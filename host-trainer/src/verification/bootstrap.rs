//! Intervals of error rates when the people are drawn anew: the subject bootstrap.
//!
//! Comparisons that share a person go wrong together, so resampling comparisons makes intervals too
//! narrow. Here people are drawn, and a comparison counts as often as the people in it were
//! (Bolle, Ratha, Pankanti 2004, "Error analysis of pattern recognition systems: the subsets
//! bootstrap"). A person drawn twice is not compared with her own copy.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::interval::CONFIDENCE;
use super::meetings::{Meeting, Meetings, Which};

/// Draws of people for an interval; percentiles of more differ little.
pub const DRAWS: usize = 1000;

/// How often something happened between two people (or one with herself).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    people: [u32; 2],
    count: u32,
}

/// Comparisons and errors at a threshold, counted by the people in them.
#[derive(Debug, Clone)]
pub struct Tally {
    people: usize,
    impostors: Impostors,
    false_matches: Vec<Cell>,
    /// Of each person: genuine comparisons, and those refused.
    genuine: Vec<[u32; 2]>,
}

/// How many impostor comparisons any two people have.
#[derive(Debug, Clone)]
enum Impostors {
    /// Faces of one times faces of the other: of each person the faces.
    Products(Vec<u32>),
    Counted(Vec<Cell>),
}

/// Bounds from 0 to 1 at 95 % confidence; none without comparisons of that kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Intervals {
    /// Of the false match rate.
    pub fmr: Option<[f64; 2]>,
    /// Of the false non-match rate.
    pub fnmr: Option<[f64; 2]>,
}

impl Tally {
    /// Counts at each of some thresholds, in one walk over the meetings.
    pub fn at(meetings: &Meetings, thresholds: &[f32]) -> Vec<Self> {
        let people = meetings.people.iter().max().map_or(0, |last| last + 1);
        let of = |meeting: &Meeting| meeting.faces.map(|face| meetings.people[face] as u32);
        let mut errors = Vec::with_capacity(thresholds.len());
        let none = || vec![(Vec::new(), Vec::new()); thresholds.len()];
        let found = meetings.fold(
            none,
            |lists: &mut Vec<(Vec<[u32; 2]>, Vec<u32>)>, meeting| {
                for (threshold, (matches, refused)) in thresholds.iter().zip(lists) {
                    let accepted = meeting.distance <= *threshold;
                    let [a, b] = of(&meeting);
                    match meeting.genuine {
                        true if !accepted => refused.push(a),
                        false if accepted => matches.push([a.min(b), a.max(b)]),
                        _ => {}
                    }
                }
            },
            |mut left, right| {
                for (left, right) in left.iter_mut().zip(right) {
                    left.0.extend(right.0);
                    left.1.extend(right.1);
                }
                left
            },
        );
        errors.extend(found);
        let (impostors, genuine) = compared(meetings, people);
        let tallies = errors.into_iter().map(|(matches, refused)| {
            let mut genuine: Vec<[u32; 2]> = genuine.iter().map(|count| [*count, 0]).collect();
            for person in refused {
                genuine[person as usize][1] += 1;
            }
            Self {
                people,
                impostors: impostors.clone(),
                false_matches: cells(matches),
                genuine,
            }
        });
        tallies.collect()
    }

    /// The intervals over that many draws of people; the same seed gives the same.
    pub fn intervals(&self, draws: usize, seed: u64) -> Intervals {
        let draw = |number: usize| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(number as u64);
            let mut drawn = vec![0u32; self.people];
            for _ in 0..self.people {
                drawn[random.random_range(0..self.people)] += 1;
            }
            (self.fmr(&drawn), self.fnmr(&drawn))
        };
        let (fmr, fnmr): (Vec<_>, Vec<_>) = (0..draws).into_par_iter().map(draw).unzip();
        Intervals {
            fmr: percentiles(fmr),
            fnmr: percentiles(fnmr),
        }
    }

    /// Where each person counts as often as she was drawn.
    fn fmr(&self, drawn: &[u32]) -> Option<f64> {
        let comparisons = match &self.impostors {
            Impostors::Products(faces) => {
                let weighted = faces.iter().zip(drawn);
                let weighted = weighted.map(|(faces, drawn)| f64::from(faces * drawn));
                let (sum, squares) = weighted.fold((0.0, 0.0), |(sum, squares), faces| {
                    (sum + faces, squares + faces * faces)
                });
                (sum * sum - squares) / 2.0
            }
            Impostors::Counted(cells) => weighted(cells, drawn),
        };
        (comparisons > 0.0).then(|| weighted(&self.false_matches, drawn) / comparisons)
    }

    fn fnmr(&self, drawn: &[u32]) -> Option<f64> {
        let mut sums = [0.0, 0.0];
        for (counts, drawn) in self.genuine.iter().zip(drawn) {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += f64::from(count * drawn);
            }
        }
        let [comparisons, refused] = sums;
        (comparisons > 0.0).then(|| refused / comparisons)
    }
}

/// Impostor comparisons of any two people, genuine comparisons of each.
fn compared(meetings: &Meetings, people: usize) -> (Impostors, Vec<u32>) {
    let mut genuine = vec![0; people];
    match meetings.which {
        Which::All => {
            let mut faces = vec![0u32; people];
            for (person, embedding) in meetings.people.iter().zip(meetings.embeddings) {
                faces[*person] += u32::from(embedding.is_some());
            }
            for (genuine, faces) in genuine.iter_mut().zip(&faces) {
                *genuine = faces * faces.saturating_sub(1) / 2;
            }
            (Impostors::Products(faces), genuine)
        }
        Which::Listed(pairs) => {
            let mut impostors = Vec::new();
            for faces in pairs {
                if faces
                    .iter()
                    .all(|face| meetings.embeddings[*face].is_some())
                {
                    let [a, b] = faces.map(|face| meetings.people[face]);
                    match a == b {
                        true => genuine[a] += 1,
                        false => impostors.push([a.min(b) as u32, a.max(b) as u32]),
                    }
                }
            }
            (Impostors::Counted(cells(impostors)), genuine)
        }
    }
}

/// How often each two people occur.
fn cells(mut pairs: Vec<[u32; 2]>) -> Vec<Cell> {
    pairs.sort_unstable();
    let runs = pairs.chunk_by(|a, b| a == b);
    runs.map(|run| Cell {
        people: run[0],
        count: run.len() as u32,
    })
    .collect()
}

fn weighted(cells: &[Cell], drawn: &[u32]) -> f64 {
    let one = |cell: &Cell| {
        let [a, b] = cell.people.map(|person| u64::from(drawn[person as usize]));
        a * b * u64::from(cell.count)
    };
    cells.iter().map(one).sum::<u64>() as f64
}

/// The middle 95 % of the values; draws without a comparison are left out.
fn percentiles(values: Vec<Option<f64>>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.into_iter().flatten().collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let tail = (1.0 - CONFIDENCE) / 2.0;
    Some([tail, 1.0 - tail].map(|share| values[(share * last as f64).round() as usize]))
}

#[cfg(test)]
mod tests {
    use shared::Embedding;

    use super::super::interval::clopper_pearson;
    use super::*;

    /// Pictures of `people`, `each` of them, in directions drawn at random in the plane.
    fn crowd(people: usize, each: usize, seed: u64) -> (Vec<Option<Embedding>>, Vec<usize>) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut embeddings = Vec::new();
        let mut whose = Vec::new();
        for person in 0..people {
            let angle = random.random_range(0.0..std::f32::consts::TAU);
            for _ in 0..each {
                let angle = angle + random.random_range(-0.3..0.3f32);
                embeddings.push(Embedding::from_raw(vec![angle.cos(), angle.sin()]).ok());
                whose.push(person);
            }
        }
        (embeddings, whose)
    }

    #[test]
    fn drawn_once_each_the_rates_are_those_measured() {
        let (mut embeddings, people) = crowd(12, 3, 1);
        embeddings[7] = None;
        let all = Meetings {
            embeddings: &embeddings,
            people: &people,
            which: Which::All,
        };
        let pairs: Vec<[usize; 2]> = (0..36).flat_map(|b| (0..b).map(move |a| [a, b])).collect();
        let listed = Meetings {
            which: Which::Listed(&pairs),
            ..all
        };
        let distances = all.distances();
        for threshold in [0.02, 0.5] {
            for meetings in [all, listed] {
                let tally = &Tally::at(&meetings, &[threshold])[0];
                assert_eq!(tally.fmr(&[1; 12]), distances.fmr(threshold));
                assert_eq!(tally.fnmr(&[1; 12]), distances.fnmr(threshold));
            }
        }
        // Both ways of counting give the same draws.
        let [a, b] = [all, listed].map(|meetings| Tally::at(&meetings, &[0.5])[0].intervals(50, 3));
        assert_eq!(a, b);
    }

    #[test]
    fn weights_by_hand() {
        // Ada twice at 0 degrees, Bob at 0, Cleo opposite: Ada and Bob are taken for each other.
        let unit = |x: f32| Embedding::from_raw(vec![x, 0.0]).ok();
        let embeddings = [unit(1.0), unit(1.0), unit(1.0), unit(-1.0)];
        let meetings = Meetings {
            embeddings: &embeddings,
            people: &[0, 0, 1, 2],
            which: Which::All,
        };
        let tally = &Tally::at(&meetings, &[1.0])[0];
        // Ada-Bob 2 false of 2, Ada-Cleo 0 of 2, Bob-Cleo 0 of 1.
        assert_eq!(tally.fmr(&[1, 1, 1]), Some(2.0 / 5.0));
        // Ada once, Bob twice, Cleo not: all of 4.
        assert_eq!(tally.fmr(&[1, 2, 0]), Some(1.0));
        // Ada twice, Cleo once: none of 4; copies of Ada do not meet.
        assert_eq!(tally.fmr(&[2, 0, 1]), Some(0.0));
        assert_eq!(tally.fmr(&[3, 0, 0]), None);
        assert_eq!(tally.fnmr(&[0, 1, 2]), None);
        assert_eq!(tally.fnmr(&[2, 1, 0]), Some(0.0));
    }

    #[test]
    fn people_with_many_pictures_make_it_wider_than_independent_pairs_would() {
        let (embeddings, people) = crowd(40, 10, 2);
        let meetings = Meetings {
            embeddings: &embeddings,
            people: &people,
            which: Which::All,
        };
        let distances = meetings.distances();
        let fmr = distances.fmr(0.1).unwrap();
        let [low, high] = Tally::at(&meetings, &[0.1])[0]
            .intervals(400, 5)
            .fmr
            .unwrap();
        assert!(low < fmr && fmr < high, "{low} {fmr} {high}");
        let count = distances.impostor_count();
        let errors = (fmr * count as f64).round() as u64;
        let [exact_low, exact_high] = clopper_pearson(errors, count).unwrap();
        assert!(high - low > 3.0 * (exact_high - exact_low), "{low} {high}");
        let again = Tally::at(&meetings, &[0.1])[0].intervals(400, 5).fmr;
        assert_eq!(again, Some([low, high]));
    }

    #[test]
    fn independent_comparisons_give_the_binomial_interval() {
        // 400 people, each compared once with herself, 100 refused: 0.25 +- 1.96 * 0.02165.
        let unit = |x: f32| Embedding::from_raw(vec![x, 0.0]).ok();
        let embeddings: Vec<_> = (0..800)
            .map(|face| unit(if face % 8 == 1 { -1.0 } else { 1.0 }))
            .collect();
        let people: Vec<usize> = (0..800).map(|face| face / 2).collect();
        let pairs: Vec<[usize; 2]> = (0..400)
            .map(|person| [2 * person, 2 * person + 1])
            .collect();
        let meetings = Meetings {
            embeddings: &embeddings,
            people: &people,
            which: Which::Listed(&pairs),
        };
        let found = Tally::at(&meetings, &[1.0])[0].intervals(2000, 1);
        let [low, high] = found.fnmr.unwrap();
        assert!((low - 0.2076).abs() < 0.006, "{low}");
        assert!((high - 0.2924).abs() < 0.006, "{high}");
        assert_eq!(found.fmr, None);
    }
}
