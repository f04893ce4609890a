//! Open-set identification: a gallery of some people, probes of them and of strangers.
//!
//! As a device meets it: whoever steps up is somebody enrolled or nobody. Galleries are drawn at
//! random again and again, since who is enrolled decides much. Terms of ISO/IEC 19795-1: FPIR is
//! the share of strangers taken for somebody, FNIR the share of enrolled people's probes that are
//! refused or taken for somebody else.

use rand::seq::SliceRandom;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use shared::{Embedding, SquaredL2};

use super::interval::RULE_OF_3;

/// What is drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Galleries {
    /// People enrolled in each gallery.
    pub people: usize,
    /// Pictures enrolled of each.
    pub templates: usize,
    /// Galleries drawn.
    pub repeats: usize,
    /// What the draws start from.
    pub seed: u64,
    /// False positive identification rates at which FNIR is told.
    pub fpirs: Vec<f64>,
}

/// Mean and sample standard deviation over the galleries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for one gallery.
    pub deviation: f64,
}

/// FNIR at one FPIR.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AtFpir {
    /// Share of strangers' probes taken for somebody.
    pub fpir: f64,
    /// Share of enrolled people's probes refused or taken for somebody else, 0 to 1.
    pub fnir: Spread,
    /// Squared L2 up to which the nearest counts.
    pub threshold: Spread,
}

/// What all galleries together say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identification {
    /// What was drawn.
    pub galleries: Galleries,
    /// Probes of enrolled people in a gallery, on average.
    pub mated_probes: f64,
    /// Probes of strangers in a gallery, on average.
    pub stranger_probes: f64,
    /// Share of enrolled people's probes whose nearest person is the right one, at any distance.
    pub rank_1: Spread,
    /// One for each rate asked for.
    pub at: Vec<AtFpir>,
}

/// Why no galleries can be drawn.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum TooFewPeople {
    /// Too few with enough pictures.
    #[error(
        "expected at least {people} people with {pictures} pictures or more ({templates} to enroll, one to probe), found {found}; draw smaller galleries by --gallery-size"
    )]
    Mates {
        /// People in a gallery.
        people: usize,
        /// Pictures that each needs.
        pictures: usize,
        /// Of them to enroll.
        templates: usize,
        /// People who have them.
        found: usize,
    },
    /// Too few strangers for the rate.
    #[error(
        "expected at least {needed} probes of strangers for an FPIR of {fpir}, found {found}: no error in n probes still leaves a rate of 3/n possible (95 % confidence); ask for a larger FPIR or give more pictures of people who are not enrolled"
    )]
    Strangers {
        /// Rate asked for.
        fpir: f64,
        /// Probes it needs.
        needed: u64,
        /// Probes there are.
        found: u64,
    },
}

/// One gallery's result.
struct Drawn {
    mated: usize,
    strangers: usize,
    rank_1: f64,
    /// FNIR and threshold at each rate.
    at: Vec<(f64, f64)>,
}

/// Draws galleries and measures each. `people` holds each picture's person as a number from 0;
/// pictures without a face are left out.
///
/// # Errors
/// [`TooFewPeople`] if the pictures do not suffice for the galleries or a rate.
pub fn identify(
    embeddings: &[Option<Embedding>],
    people: &[usize],
    galleries: &Galleries,
) -> Result<Identification, TooFewPeople> {
    let mut faces_of = vec![Vec::new(); people.iter().max().map_or(0, |last| last + 1)];
    for (embedding, person) in embeddings.iter().zip(people) {
        faces_of[*person].extend(embedding);
    }
    let pictures = galleries.templates + 1;
    let enrollable: Vec<usize> = (0..faces_of.len())
        .filter(|person| faces_of[*person].len() >= pictures)
        .collect();
    if enrollable.len() < galleries.people || galleries.people == 0 {
        return Err(TooFewPeople::Mates {
            people: galleries.people.max(1),
            pictures,
            templates: galleries.templates,
            found: enrollable.len(),
        });
    }
    let drawn: Vec<Drawn> = (0..galleries.repeats.max(1))
        .into_par_iter()
        .map(|number| {
            let mut random = ChaCha8Rng::seed_from_u64(galleries.seed);
            random.set_stream(number as u64);
            one(&faces_of, &enrollable, galleries, &mut random)
        })
        .collect::<Result<_, _>>()?;
    let spread = |value: &dyn Fn(&Drawn) -> f64| Spread::of(drawn.iter().map(value));
    let at = galleries
        .fpirs
        .iter()
        .enumerate()
        .map(|(index, fpir)| AtFpir {
            fpir: *fpir,
            fnir: spread(&|drawn| drawn.at[index].0),
            threshold: spread(&|drawn| drawn.at[index].1),
        });
    Ok(Identification {
        at: at.collect(),
        mated_probes: spread(&|drawn| drawn.mated as f64).mean,
        stranger_probes: spread(&|drawn| drawn.strangers as f64).mean,
        rank_1: spread(&|drawn| drawn.rank_1),
        galleries: galleries.clone(),
    })
}

fn one(
    faces_of: &[Vec<&Embedding>],
    enrollable: &[usize],
    galleries: &Galleries,
    random: &mut impl RngCore,
) -> Result<Drawn, TooFewPeople> {
    let mut order = enrollable.to_vec();
    order.shuffle(random);
    order.truncate(galleries.people);
    let mut gallery: Vec<(usize, &Embedding)> = Vec::new();
    let mut mates: Vec<(usize, &Embedding)> = Vec::new();
    let mut enrolled = vec![false; faces_of.len()];
    for person in order {
        let mut faces = faces_of[person].clone();
        faces.shuffle(random);
        let (templates, probes) = faces.split_at(galleries.templates);
        gallery.extend(templates.iter().map(|face| (person, *face)));
        mates.extend(probes.iter().map(|face| (person, *face)));
        enrolled[person] = true;
    }
    let nearest = |probe: &Embedding| {
        let distances = gallery
            .iter()
            .map(|(person, template)| (SquaredL2::between(probe, template), *person));
        distances.min_by_key(|(distance, _)| *distance)
    };
    let strangers = faces_of.iter().zip(&enrolled);
    let strangers = strangers.filter(|(_, enrolled)| !**enrolled);
    let mut strangers: Vec<f32> = strangers
        .flat_map(|(faces, _)| faces)
        .filter_map(|probe| Some(nearest(probe)?.0.value()))
        .collect();
    strangers.sort_by(f32::total_cmp);
    // Of probes with the right person nearest, how near; the others are wrong at any threshold.
    let found = mates.iter().filter_map(|(person, probe)| {
        let (distance, nearest) = nearest(probe)?;
        (nearest == *person).then(|| distance.value())
    });
    let found: Vec<f32> = found.collect();
    let share = |count: usize| count as f64 / mates.len() as f64;
    let at = galleries.fpirs.iter().map(|fpir| {
        let threshold = threshold_at(&strangers, *fpir)?;
        let accepted = found.iter().filter(|distance| **distance <= threshold);
        Ok((1.0 - share(accepted.count()), f64::from(threshold)))
    });
    Ok(Drawn {
        at: at.collect::<Result<_, _>>()?,
        mated: mates.len(),
        strangers: strangers.len(),
        rank_1: share(found.len()),
    })
}

/// The largest threshold at which no more than that share of the strangers is taken for somebody.
fn threshold_at(strangers: &[f32], fpir: f64) -> Result<f32, TooFewPeople> {
    let found = strangers.len() as u64;
    // 0.29 times 100 must give 29, not 28.999...
    let expected = fpir * found as f64 + 1e-9;
    match strangers.get(expected as usize) {
        Some(first_refused) if expected >= RULE_OF_3 as f64 => {
            Ok(first_refused.next_down().max(0.0))
        }
        _ => Err(TooFewPeople::Strangers {
            fpir,
            needed: (RULE_OF_3 as f64 / fpir).ceil() as u64,
            found,
        }),
    }
}

impl Spread {
    /// Of one or more values.
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let square = values.map(|value| (value - mean).powi(2)).sum::<f64>();
        Self {
            mean,
            deviation: (square / (count - 1.0).max(1.0)).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn galleries(people: usize, templates: usize, fpirs: &[f64]) -> Galleries {
        Galleries {
            people,
            templates,
            repeats: 5,
            seed: 1,
            fpirs: fpirs.to_vec(),
        }
    }

    fn at_degrees(degrees: f32) -> Option<Embedding> {
        let angle = degrees.to_radians();
        Embedding::from_raw(vec![angle.cos(), angle.sin()]).ok()
    }

    #[test]
    fn known_answers_for_a_gallery_of_one() {
        // Only person 0 has two pictures, at 0 and 60 degrees: whichever is enrolled, the other is
        // 60 degrees off, 2 - 2 cos 60 = 1. Strangers: nine at 90 to 170 degrees, one at 30,
        // between both; farther than that is nobody from either picture but they at 90, 100 ...
        let mut embeddings = vec![at_degrees(0.0), at_degrees(60.0), at_degrees(30.0), None];
        let mut people = vec![0, 0, 1, 0];
        for step in 0..9 {
            embeddings.push(at_degrees(-125.0 + step as f32));
            people.push(2 + step);
        }
        let found = identify(&embeddings, &people, &galleries(1, 1, &[0.3])).unwrap();
        assert_eq!((found.mated_probes, found.stranger_probes), (1.0, 10.0));
        assert_eq!(
            found.rank_1,
            Spread {
                mean: 1.0,
                deviation: 0.0
            }
        );
        // Three of ten strangers may pass: the threshold is far beyond 1.
        assert_eq!(found.at[0].fnir.mean, 0.0);
        assert!(found.at[0].threshold.mean > 3.0, "{found:?}");
        // With all strangers at 30 degrees none of the mate's probes is as near as they.
        for embedding in &mut embeddings[4..] {
            *embedding = at_degrees(30.0);
        }
        let found = identify(&embeddings, &people, &galleries(1, 1, &[0.3])).unwrap();
        assert_eq!(found.at[0].fnir.mean, 1.0);
        assert_eq!(found.rank_1.mean, 1.0);
    }

    #[test]
    fn a_probe_of_somebody_else_is_an_error_at_any_threshold() {
        // Two people whose pictures stand crosswise: each one's probe lies on the other's template
        // or on his own, so rank 1 is right or wrong for both at once.
        let embeddings = [0.0, 90.0, 0.0, 90.0].map(at_degrees);
        let mut embeddings = embeddings.to_vec();
        let mut people = vec![0, 0, 1, 1];
        for step in 0..10 {
            embeddings.push(at_degrees(180.0 + step as f32));
            people.push(2 + step);
        }
        let mut asked = galleries(2, 1, &[0.5]);
        asked.repeats = 40;
        let found = identify(&embeddings, &people, &asked).unwrap();
        assert!(
            found.rank_1.mean > 0.1 && found.rank_1.mean < 0.9,
            "{found:?}"
        );
        assert!(found.rank_1.deviation > 0.1);
        // Nobody is refused at such a threshold, so what lacks to 1 is taken for somebody else.
        let sum = found.rank_1.mean + found.at[0].fnir.mean;
        assert!((sum - 1.0).abs() < 1e-12, "{found:?}");
        assert_eq!(identify(&embeddings, &people, &asked).unwrap(), found);
    }

    #[test]
    fn the_nearest_of_several_templates_counts() {
        // Pictures at 0, 5 and 180 degrees: with two enrolled the third is near one of them, or
        // 175 degrees off both.
        let mut embeddings = [0.0, 5.0, 180.0].map(at_degrees).to_vec();
        let mut people = vec![0, 0, 0];
        for step in 0..10 {
            embeddings.push(at_degrees(90.0));
            people.push(1 + step);
        }
        let mut asked = galleries(1, 2, &[0.5]);
        asked.repeats = 60;
        let found = identify(&embeddings, &people, &asked).unwrap();
        // One of three draws leaves the picture at 180 degrees for the probe.
        let fnir = found.at[0].fnir.mean;
        assert!((fnir - 1.0 / 3.0).abs() < 0.2, "{fnir}");
    }

    #[test]
    fn what_the_pictures_do_not_carry_is_refused() {
        let embeddings: Vec<_> = (0..20).map(|step| at_degrees(step as f32)).collect();
        let people: Vec<usize> = (0..20).map(|face| face / 2).collect();
        let error = identify(&embeddings, &people, &galleries(11, 1, &[0.5])).unwrap_err();
        assert!(
            matches!(
                error,
                TooFewPeople::Mates {
                    found: 10,
                    pictures: 2,
                    ..
                }
            ),
            "{error}"
        );
        let error = identify(&embeddings, &people, &galleries(5, 1, &[0.1])).unwrap_err();
        assert!(
            matches!(
                error,
                TooFewPeople::Strangers {
                    needed: 30,
                    found: 10,
                    ..
                }
            ),
            "{error}"
        );
        assert!(error.to_string().contains("3/n"), "{error}");
    }
}
