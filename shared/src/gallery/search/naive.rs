//! The search by definition: every template compared. What [`super::Index`] is tested against.

use super::{Found, Nearest};
use crate::distance::SquaredL2;
use crate::embedding::Embedding;
use crate::gallery::IdentityId;

/// The closest of every identity, by distance and then number: the first two of them.
pub(super) fn search(rows: &[(IdentityId, Embedding)], probe: &Embedding) -> Found {
    let mut closest: Vec<Nearest> = Vec::new();
    for (identity, template) in rows {
        let distance = SquaredL2::between(probe, template);
        match closest.iter_mut().find(|known| known.identity == *identity) {
            Some(known) => known.distance = known.distance.min(distance),
            None => closest.push(Nearest {
                identity: *identity,
                distance,
            }),
        }
    }
    closest.sort_by_key(|nearest| (nearest.distance, nearest.identity));
    Found {
        best: closest.first().copied(),
        runner_up: closest.get(1).copied(),
    }
}
