//! Which people are close to each other, and which templates far from their person's others.

use std::collections::BTreeMap;

use serde::Serialize;
use shared::distance::SquaredL2;
use shared::gallery::Gallery;
use shared::operating_point::OperatingPoint;

/// Two people who look alike.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Pair {
    /// The one enrolled first.
    pub(super) first: u32,
    /// The other.
    pub(super) second: u32,
    /// Squared distance of their closest templates.
    pub(super) distance: f32,
    /// Whether that is a match; absent without an operating point.
    pub(super) is_match: Option<bool>,
}

/// A template that does not fit its person's others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Doubtful {
    /// Whose it is.
    pub(super) person: u32,
    /// Its place among the person's templates, from 1.
    pub(super) template: usize,
    /// Squared distance to the closest of the person's others.
    pub(super) nearest_own: f32,
    /// Somebody else who is closer still.
    pub(super) closer_to: Option<u32>,
    /// How close.
    pub(super) nearest_other: Option<f32>,
}

/// The closest pairs, and templates that are farther from their person's others than the point allows or than from
/// somebody else; at most so many of each, the worst first.
pub(super) fn look(
    gallery: &Gallery,
    point: Option<&OperatingPoint>,
    most: usize,
) -> (Vec<Pair>, Vec<Doubtful>) {
    let mut pairs: BTreeMap<(u32, u32), SquaredL2> = BTreeMap::new();
    let mut doubtful = Vec::new();
    for known in gallery.identities() {
        let faces = gallery.embeddings(known.id());
        let found = gallery.search_batch(&faces);
        for (place, (face, found)) in faces.iter().zip(&found).enumerate() {
            let both = [found.best, found.runner_up];
            let other = both
                .iter()
                .flatten()
                .find(|nearest| nearest.identity != known.id());
            let number = known.id().number();
            if let Some(other) = other {
                let theirs = other.identity.number();
                let pair = (number.min(theirs), number.max(theirs));
                let closest = pairs.entry(pair).or_insert(other.distance);
                *closest = other.distance.min(*closest);
            }
            let others = faces.iter().enumerate().filter(|(at, _)| *at != place);
            let Some(own) = others
                .map(|(_, other)| SquaredL2::between(face, other))
                .min()
            else {
                continue;
            };
            let closer = other.filter(|other| other.distance < own);
            if closer.is_some() || point.is_some_and(|point| !point.threshold.accepts(own)) {
                doubtful.push(Doubtful {
                    person: number,
                    template: place + 1,
                    nearest_own: own.value(),
                    closer_to: closer.map(|other| other.identity.number()),
                    nearest_other: closer.map(|other| other.distance.value()),
                });
            }
        }
    }
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|((first, second), distance)| Pair {
            first,
            second,
            distance: distance.value(),
            is_match: point.map(|point| point.threshold.accepts(distance)),
        })
        .collect();
    pairs.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    pairs.truncate(most);
    doubtful.sort_by(|a, b| {
        let strange = |doubt: &Doubtful| doubt.closer_to.is_none();
        strange(a)
            .cmp(&strange(b))
            .then(b.nearest_own.total_cmp(&a.nearest_own))
    });
    doubtful.truncate(most);
    (pairs, doubtful)
}

#[cfg(test)]
mod tests {
    use shared::embedding::Embedding;
    use shared::gallery::consent::WallTime;
    use shared::gallery::{Consent, Enrollee, NewTemplate};
    use shared::model_id::ModelId;

    use super::*;

    #[test]
    fn twins_and_strangers_among_ones_own_are_found() {
        let mut gallery = Gallery::new(ModelId::from_bytes([7; 32]), 3);
        let now = WallTime::from_unix_seconds(1_800_000_000);
        for (name, faces) in [
            (
                "Ada",
                vec![[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.0, 1.0, 0.1]],
            ),
            ("Bo", vec![[0.0, 1.0, 0.0]]),
            ("Cy", vec![[0.0, 0.0, 1.0], [0.0, 0.1, 1.0]]),
        ] {
            let templates = faces.iter().map(|face| NewTemplate {
                embedding: Embedding::from_raw(face.to_vec()).unwrap(),
                label: None,
                taken_at: now,
            });
            let enrollee = Enrollee {
                name: name.to_owned(),
                consent: Consent::given("yes", now, "desk", 1).unwrap(),
                templates: templates.collect(),
            };
            gallery.enroll(&enrollee).unwrap();
        }
        let point: OperatingPoint = toml::from_str(
            "name = \"greet\"\nthreshold = 0.3\nimpostor_pairs = 1\ngenuine_pairs = 1\ndata = \"none\"",
        )
        .unwrap();
        let (pairs, doubtful) = look(&gallery, Some(&point), 20);
        assert_eq!(
            (pairs[0].first, pairs[0].second, pairs[0].is_match),
            (1, 2, Some(true))
        );
        assert!(pairs[1..].iter().all(|pair| pair.is_match == Some(false)));
        let [only] = doubtful[..] else {
            panic!("{doubtful:?}")
        };
        assert_eq!(
            (only.person, only.template, only.closer_to),
            (1, 3, Some(2))
        );
        let (pairs, doubtful) = look(&gallery, None, 1);
        assert_eq!(
            (pairs.len(), pairs[0].is_match, doubtful.len()),
            (1, None, 1)
        );
    }
}
