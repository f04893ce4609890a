//! Identification by the k nearest templates: who they are, and whom they vote for.

use shared::{Embedding, SquaredL2, Threshold};

/// A stored reference of a known person.
#[derive(Clone)]
pub struct Template {
    /// The person, as an index into names that the caller keeps.
    pub person: usize,
    /// SHA-256 of the picture it was made from, if that is known.
    pub digest: Option<[u8; 32]>,
    /// What stands for the face.
    pub embedding: Embedding,
}

/// A template near a probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// Whose template it is.
    pub person: usize,
    /// How far it is.
    pub distance: SquaredL2,
}

/// The person whom the nearest templates name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vote {
    /// The person.
    pub person: usize,
    /// Of the k nearest templates, those of that person within the threshold.
    pub votes: usize,
    /// Templates within the threshold among the k nearest.
    pub of: usize,
    /// The nearest of that person's templates.
    pub distance: SquaredL2,
}

/// The `k` templates nearest to a probe, nearest first; among equals the earlier template first.
///
/// Templates made from the very picture of the probe are passed over: they would tell nothing.
///
/// # Panics
/// If a template has another dimension than the probe.
pub fn nearest(
    probe: &Embedding,
    digest: Option<[u8; 32]>,
    templates: &[Template],
    k: usize,
) -> Vec<Neighbor> {
    let others = templates
        .iter()
        .filter(|template| digest.is_none() || template.digest != digest);
    let mut all: Vec<Neighbor> = others
        .map(|template| Neighbor {
            person: template.person,
            distance: SquaredL2::between(probe, &template.embedding),
        })
        .collect();
    let order = |a: &Neighbor, b: &Neighbor| a.distance.value().total_cmp(&b.distance.value());
    all.sort_by(order);
    all.truncate(k);
    all
}

/// Whom the neighbors name: those within the threshold vote, most votes win, among equals the person
/// with the nearest template; none if no neighbor is within the threshold.
pub fn vote(neighbors: &[Neighbor], threshold: Threshold) -> Option<Vote> {
    let near: Vec<&Neighbor> = neighbors
        .iter()
        .filter(|neighbor| threshold.accepts(neighbor.distance))
        .collect();
    let votes = |person: usize| near.iter().filter(|near| near.person == person).count();
    // Nearest first, and the first of equal maxima is kept.
    let winner = near
        .iter()
        .rev()
        .max_by_key(|neighbor| votes(neighbor.person))?
        .person;
    let distance = near.iter().find(|near| near.person == winner)?.distance;
    Some(Vote {
        person: winner,
        votes: votes(winner),
        of: near.len(),
        distance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(degrees: f32) -> Embedding {
        let angle = degrees.to_radians();
        Embedding::from_raw(vec![angle.cos(), angle.sin()]).unwrap()
    }

    fn templates(of: &[(usize, f32)]) -> Vec<Template> {
        let templates = of.iter().map(|(person, degrees)| Template {
            person: *person,
            digest: Some([*degrees as u8; 32]),
            embedding: at(*degrees),
        });
        templates.collect()
    }

    fn decide(of: &[(usize, f32)], k: usize, threshold: f32) -> Option<(usize, usize, usize)> {
        let neighbors = nearest(&at(0.0), None, &templates(of), k);
        let vote = vote(&neighbors, Threshold::new(threshold).unwrap())?;
        Some((vote.person, vote.votes, vote.of))
    }

    #[test]
    fn votes_are_counted_within_k_and_d() {
        // Squared distances: 10° .0304, 20° .1206, 30° .2679, 60° 1.
        let gallery = [(7, 30.0), (3, 10.0), (7, 20.0), (9, 60.0)];
        for (name, k, d, expected) in [
            ("one neighbor", 1, 0.5, Some((3, 1, 1))),
            ("two of them differ: the nearer", 2, 0.5, Some((3, 1, 2))),
            ("two against one", 3, 0.5, Some((7, 2, 3))),
            ("the third is beyond D", 3, 0.2, Some((3, 1, 2))),
            ("all beyond D", 3, 0.01, None),
            ("more than there are", 99, 4.0, Some((7, 2, 4))),
        ] {
            assert_eq!(decide(&gallery, k, d), expected, "{name}");
        }
        assert_eq!(decide(&[], 5, 4.0), None);
    }

    #[test]
    fn neighbors_come_nearest_first_and_never_from_the_probes_own_picture() {
        let gallery = templates(&[(1, 30.0), (2, 10.0), (3, 20.0)]);
        let people = |digest| -> Vec<usize> {
            let found = nearest(&at(0.0), digest, &gallery, 2);
            found.iter().map(|neighbor| neighbor.person).collect()
        };
        assert_eq!(people(None), [2, 3]);
        assert_eq!(people(Some([10; 32])), [3, 1]);
        assert_eq!(people(Some([99; 32])), [2, 3]);
    }
}
