//! Two models side by side: may probes of the new one meet templates of the old one?
//!
//! FaceNet's harmonic embeddings (appendix of the paper): a new model trained so that a gallery
//! need not be enrolled again. Each picture is embedded by a model's own recipe, so recipes may
//! differ in side, color order and scale; only the embeddings meet. Telling by what counts as
//! compatible follows Shen et al., "Towards Backward-Compatible Representation Learning" (CVPR
//! 2020): new probes on old templates do at least as well as old probes.

use shared::{ModelId, ModelManifest};

use super::faces::{self, Embeddings};
use super::folds::Comparison;
use super::pairs::PairList;

/// Why two models cannot be compared.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// Their embeddings have different lengths.
    #[error(
        "expected two models with embeddings of one dimension, found {new_dimension} of {new} and {old_dimension} of {old}: their embeddings can never meet; train the new one with dimension = {old_dimension}"
    )]
    Dimension {
        /// The new model.
        new: String,
        /// Its dimension.
        new_dimension: usize,
        /// The old model.
        old: String,
        /// Its dimension.
        old_dimension: usize,
    },
    /// They are one model.
    #[error("expected two models, found {id} twice: name another manifest by --against")]
    Same {
        /// Its id.
        id: ModelId,
    },
}

/// Whether embeddings of the two models can meet at all.
///
/// # Errors
/// [`Incomparable`].
pub fn check(new: &ModelManifest, old: &ModelManifest) -> Result<(), Incomparable> {
    if new.model_id() == old.model_id() {
        return Err(Incomparable::Same { id: new.model_id() });
    }
    if new.dimension != old.dimension {
        return Err(Incomparable::Dimension {
            new: new.name.clone(),
            new_dimension: new.dimension,
            old: old.name.clone(),
            old_dimension: old.dimension,
        });
    }
    Ok(())
}

/// The comparisons of a list, fold by fold: new probes on new templates, new probes on old
/// templates, old probes on old templates. A pair's first picture is the probe.
///
/// # Panics
/// If the models have different dimensions: see [`check`].
pub fn crossings(list: &PairList, new: &Embeddings, old: &Embeddings) -> [Vec<Vec<Comparison>>; 3] {
    [(new, new), (new, old), (old, old)].map(|(probes, templates)| {
        let folds = list.folds.iter();
        folds
            .map(|fold| faces::compare_across(fold, probes, templates))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use shared::{Embedding, Preprocessing};

    use super::super::folds::cross_validate;
    use super::super::pairs::{Pair, PictureId};
    use super::*;

    const PEOPLE: u32 = 40;
    const DIMENSION: usize = 16;

    fn id(person: u32, number: u32) -> PictureId {
        PictureId {
            person: format!("person-{person}"),
            number,
        }
    }

    /// Four folds of genuine and impostor pairs over two pictures a person.
    fn list() -> PairList {
        let folds = (0..4).map(|fold| {
            let people = (0..PEOPLE).filter(|person| person % 4 == fold);
            let pairs = people.flat_map(|person| {
                let other = (person + 4) % PEOPLE;
                [(id(person, 2), person), (id(other, 2), other)].map(|(second, _)| Pair {
                    first: id(person, 1),
                    second,
                })
            });
            pairs.collect()
        });
        PairList {
            folds: folds.collect(),
        }
    }

    /// Two pictures a person around centers of `center_seed`, `noise` wide.
    fn embeddings(center_seed: u64, noise: f32, seed: u64) -> Embeddings {
        let mut centers = ChaCha8Rng::seed_from_u64(center_seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut all = Embeddings::new();
        for person in 0..PEOPLE {
            let center: Vec<f32> = (0..DIMENSION)
                .map(|_| centers.random_range(-1.0..1.0f32))
                .collect();
            for number in 1..=2 {
                let raw = center
                    .iter()
                    .map(|value| value + noise * random.random_range(-1.0..1.0f32));
                let embedding = Embedding::from_raw(raw.collect()).unwrap();
                all.insert(id(person, number), Some(embedding));
            }
        }
        all
    }

    fn accuracies(new: &Embeddings, old: &Embeddings) -> [f64; 3] {
        crossings(&list(), new, old).map(|folds| cross_validate(&folds).unwrap().accuracy)
    }

    #[test]
    fn a_compatible_model_lifts_old_templates_and_another_does_not() {
        let old = embeddings(1, 1.2, 10);
        let [own, crossed, before] = accuracies(&embeddings(1, 0.3, 20), &old);
        assert!(
            own > crossed && crossed > before,
            "{own} {crossed} {before}"
        );
        // As good by itself, but with centers of its own: on old templates it knows nothing.
        let [own, crossed, again] = accuracies(&embeddings(2, 0.3, 20), &old);
        assert!(own > 0.95 && crossed < 0.7, "{own} {crossed}");
        assert_eq!(again, before);
    }

    #[test]
    fn the_probe_is_the_first_picture() {
        let (mut new, old) = (embeddings(1, 0.3, 20), embeddings(1, 0.3, 10));
        // Without a face in the new model's second pictures: new probes on old templates need none.
        for person in 0..PEOPLE {
            new.insert(id(person, 2), None);
        }
        let lacking = crossings(&list(), &new, &old).map(|folds| {
            folds
                .concat()
                .iter()
                .filter(|pair| pair.distance.is_none())
                .count()
        });
        assert_eq!(lacking, [2 * PEOPLE as usize, 0, 0]);
    }

    #[test]
    fn models_that_can_never_meet_are_refused() {
        let manifest = |name: &str, dimension, side_px| ModelManifest {
            format: 1,
            name: name.into(),
            network: "tiny".into(),
            onnx: "tiny.onnx".into(),
            sha256: "00".repeat(32),
            dimension,
            parameters: 1,
            multiply_adds: 1,
            licence: "MIT".into(),
            preprocessing: Preprocessing::usher(side_px),
            operating_points: vec![],
            training_data: vec![],
        };
        let v1 = manifest("v1", 128, 112);
        assert_eq!(check(&manifest("v2", 128, 160), &v1), Ok(()));
        let same = check(&v1, &v1).unwrap_err().to_string();
        assert!(same.contains("expected two models"), "{same}");
        let other = check(&manifest("v2", 64, 160), &v1)
            .unwrap_err()
            .to_string();
        assert!(other.contains("found 64 of v2 and 128 of v1"), "{other}");
    }
}
