//! From pictures to embeddings, through the one pipeline that the device has too.

use std::collections::BTreeMap;

use shared::{Embedding, SquaredL2};

use super::folds::Comparison;
use super::pairs::{Pair, PictureId};
use crate::dataset::lfw::Pictures;
use crate::embeddings::{EmbeddingsError, Faces, Item, Source};

/// Embedding of each picture; none where no face was found.
pub type Embeddings = BTreeMap<PictureId, Option<Embedding>>;

/// Detects, aligns and embeds the face nearest to the middle of every picture, where LFW has the
/// person it names; what the source's cache knows is not done again.
///
/// # Errors
/// [`EmbeddingsError`]; of a picture that cannot be read too, as the protocol needs each.
pub fn embed(pictures: &Pictures, source: &Source) -> Result<Embeddings, EmbeddingsError> {
    let items: Vec<Item> = pictures
        .iter()
        .map(|(id, bytes)| Item::held(id.path(), bytes))
        .collect();
    let outcomes = source.outcomes(&items, Faces::Central)?;
    let mut embeddings = Embeddings::new();
    for (id, (_, outcome)) in pictures.keys().zip(outcomes) {
        let face = outcome?.into_iter().next();
        embeddings.insert(id.clone(), face.map(|face| face.embedding));
    }
    Ok(embeddings)
}

/// The comparison of each pair.
pub fn compare(pairs: &[Pair], embeddings: &Embeddings) -> Vec<Comparison> {
    compare_across(pairs, embeddings, embeddings)
}

/// The comparison of each pair, its first picture embedded as `probes` have it and its second as
/// `templates` have it: two models side by side.
///
/// # Panics
/// If the two have embeddings of different dimensions.
pub fn compare_across(
    pairs: &[Pair],
    probes: &Embeddings,
    templates: &Embeddings,
) -> Vec<Comparison> {
    fn of<'a>(embeddings: &'a Embeddings, id: &PictureId) -> Option<&'a Embedding> {
        embeddings.get(id).and_then(Option::as_ref)
    }
    let compare = |pair: &Pair| Comparison {
        distance: of(probes, &pair.first)
            .zip(of(templates, &pair.second))
            .map(|(probe, template)| SquaredL2::between(probe, template).value()),
        genuine: pair.is_genuine(),
    };
    pairs.iter().map(compare).collect()
}

/// Every comparison that those pictures allow: genuine distances, then impostor distances.
pub fn all_against_all<'a>(
    pictures: impl IntoIterator<Item = &'a PictureId>,
    embeddings: &Embeddings,
) -> (Vec<f32>, Vec<f32>) {
    let faces: Vec<(&PictureId, &Embedding)> = pictures
        .into_iter()
        .filter_map(|id| Some((id, embeddings.get(id)?.as_ref()?)))
        .collect();
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    for (index, (id, embedding)) in faces.iter().enumerate() {
        for (other_id, other) in &faces[..index] {
            let distance = SquaredL2::between(embedding, other).value();
            let same = id.person == other_id.person;
            let list = if same { &mut genuine } else { &mut impostor };
            list.push(distance);
        }
    }
    (genuine, impostor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(person: &str, number: u32) -> PictureId {
        PictureId {
            person: person.to_owned(),
            number,
        }
    }

    fn embeddings() -> Embeddings {
        let at = |x: f32, y: f32| Some(Embedding::from_raw(vec![x, y]).unwrap());
        [
            (id("Ada", 1), at(1.0, 0.0)),
            (id("Ada", 2), at(0.0, 1.0)),
            (id("Bob", 1), at(-1.0, 0.0)),
            (id("Cleo", 1), None),
        ]
        .into()
    }

    #[test]
    fn pairs_without_a_face_have_no_distance() {
        let pair = |first, second| Pair { first, second };
        let pairs = [
            pair(id("Ada", 1), id("Ada", 2)),
            pair(id("Ada", 1), id("Bob", 1)),
            pair(id("Ada", 1), id("Cleo", 1)),
        ];
        let found = compare(&pairs, &embeddings());
        let expected = [(Some(2.0), true), (Some(4.0), false), (None, false)];
        assert_eq!(found.len(), expected.len());
        for (found, (distance, genuine)) in found.iter().zip(expected) {
            assert_eq!((found.distance, found.genuine), (distance, genuine));
        }
    }

    #[test]
    fn all_against_all_meets_every_pair_once() {
        let all = embeddings();
        let (genuine, mut impostor) = all_against_all(all.keys(), &all);
        impostor.sort_by(f32::total_cmp);
        assert_eq!(genuine, [2.0]);
        assert_eq!(impostor, [2.0, 4.0]);
    }
}
