//! A material's pictures as embeddings, ready to be compared.

use sha2::{Digest, Sha256};
use shared::{Embedding, SquaredL2, model_id};

use super::material::{Material, Places};
use crate::embeddings::{EmbeddingsError, Faces, Item, Source};
use crate::verification::folds::Comparison;
use crate::verification::meetings::{Meetings, Which};

/// Embeddings of a material's pictures.
#[derive(Debug)]
pub struct Embedded<'a> {
    /// The pictures and what is compared.
    pub material: &'a Material,
    /// Of each picture the face nearest to its middle; none where none was found.
    pub embeddings: Vec<Option<Embedding>>,
    /// Files that are no sound picture; they count as pictures without a face.
    pub unreadable: usize,
    /// SHA-256 over the digests of the pictures, whose they are and which are compared, 64
    /// lower-case hex digits: no name and no path goes into it.
    pub sha256: String,
    pairs: Vec<Places>,
}

impl<'a> Embedded<'a> {
    /// Embeds the face nearest to the middle of every picture.
    ///
    /// # Errors
    /// [`EmbeddingsError`]; of a picture of LFW that cannot be read too, as its protocol needs each.
    pub fn new(material: &'a Material, source: &Source) -> Result<Self, EmbeddingsError> {
        let pictures = material.pictures.iter();
        let items: Vec<Item> = pictures
            .map(|picture| match (picture.held(), picture.file()) {
                (Some(bytes), _) => Item::held(picture.path.clone(), bytes),
                (None, file) => file.unwrap_or(&picture.path).into(),
            })
            .collect();
        let outcomes = source.outcomes(&items, Faces::Central)?;
        let mut hash = Sha256::new();
        let mut embeddings = Vec::with_capacity(outcomes.len());
        let mut unreadable = 0;
        let of = material.pictures.iter().zip(&material.people);
        for ((picture, person), (digest, outcome)) in of.zip(outcomes) {
            hash.update(digest);
            hash.update((*person as u64).to_le_bytes());
            embeddings.push(match outcome {
                Ok(found) => found.into_iter().next().map(|face| face.embedding),
                Err(error) if picture.held().is_some() => return Err(error.into()),
                Err(_) => {
                    unreadable += 1;
                    None
                }
            });
        }
        let pairs = material.pairs();
        hash.update([u8::from(material.all)]);
        for place in pairs.iter().flatten() {
            hash.update((*place as u64).to_le_bytes());
        }
        Ok(Self {
            material,
            embeddings,
            unreadable,
            sha256: model_id::hex(&hash.finalize()),
            pairs,
        })
    }

    /// With embeddings that are known.
    #[cfg(test)]
    pub(super) fn of(material: &'a Material, embeddings: Vec<Option<Embedding>>) -> Self {
        Self {
            material,
            embeddings,
            unreadable: 0,
            sha256: "00".repeat(32),
            pairs: material.pairs(),
        }
    }

    /// Everything that is compared: every two pictures, or the folds' pairs.
    pub fn meetings(&self) -> Meetings<'_> {
        match self.material.all {
            true => self.all(Which::All),
            false => self.of_pairs(),
        }
    }

    /// The pairs of the folds alone.
    pub fn of_pairs(&self) -> Meetings<'_> {
        self.all(Which::Listed(&self.pairs))
    }

    fn all<'b>(&'b self, which: Which<'b>) -> Meetings<'b> {
        Meetings {
            embeddings: &self.embeddings,
            people: &self.material.people,
            which,
        }
    }

    /// The comparisons of each fold.
    pub fn folds(&self) -> Vec<Vec<Comparison>> {
        let folds = self.material.folds.iter();
        folds
            .map(|fold| compare(self.material, fold, &self.embeddings))
            .collect()
    }

    /// Pictures without a face.
    pub fn without_face(&self) -> usize {
        self.embeddings.iter().filter(|face| face.is_none()).count()
    }
}

/// The comparison of each pair, with those embeddings of the material's pictures.
pub(super) fn compare(
    material: &Material,
    pairs: &[Places],
    embeddings: &[Option<Embedding>],
) -> Vec<Comparison> {
    let compare = |places: &Places| {
        let [first, second] = places.map(|place| embeddings[place].as_ref());
        let distance = |(a, b): (&Embedding, &Embedding)| SquaredL2::between(a, b).value();
        Comparison {
            distance: first.zip(second).map(distance),
            genuine: material.is_genuine(*places),
        }
    };
    pairs.iter().map(compare).collect()
}
