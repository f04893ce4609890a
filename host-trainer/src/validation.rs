//! How well a network in training tells strangers' pictures apart, at intervals of a run.
//!
//! The pictures of a list of pairs go through the detector and the alignment once, when the set is
//! opened; after that only the network's part is done again. The aligned faces are held in memory
//! and written nowhere.

pub mod list;

use std::path::{Path, PathBuf};

use shared::{
    AlignedFace, Detector, DetectorError, Embedding, EmbeddingError, PictureError, Preprocessing,
    SquaredL2, picture,
};

use crate::dataset::lfw::LfwError;
use crate::embeddings::{PORTRAIT_DETECTOR_SIDE_PX, most_central};
use crate::parallel;
use crate::verification::folds::{Comparison, TooFew, best_threshold, cross_validate, right_at};
use crate::verification::rates::Distances;
use list::{List, ListError, Pair, Protocol};

/// Faces that go through the network at once.
const CHUNK: usize = 32;

/// Pairs of aligned faces, ready for any network of their side.
pub struct ValidationSet {
    recipe: Preprocessing,
    faces: Vec<AlignedFace>,
    /// Of pairs whose pictures both have a face; indices are into `faces`.
    protocol: Protocol,
    without_face: usize,
}

/// What a set is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Side of the aligned faces, in pixels.
    pub side_px: u32,
    /// Most pairs that the accuracy is of, half genuine and half impostor; of LFW's View 1 as many
    /// again choose the threshold. There are up to twice as many faces to embed as pairs.
    pub pairs: usize,
}

/// How well a network does.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Validation {
    /// Pairs decided rightly by a threshold chosen on other pairs, 0 to 1.
    pub accuracy: f64,
    /// That threshold, squared L2; of a list of pairs the mean over its folds.
    pub threshold: f64,
    /// Mean squared L2 of genuine pairs.
    pub genuine: f64,
    /// Mean squared L2 of impostor pairs.
    pub impostor: f64,
    /// Chance that a genuine pair is nearer than an impostor pair, 0 to 1.
    pub auc: f64,
    /// Pairs that these numbers are of.
    pub pairs: usize,
    /// Pictures without a face found; their pairs are left out.
    pub without_face: usize,
}

/// Why a network cannot be validated.
#[derive(Debug, thiserror::Error)]
pub enum ValidationError {
    /// LFW is not as expected.
    #[error(transparent)]
    Lfw(#[from] LfwError),
    /// The list of pairs is not as expected.
    #[error(transparent)]
    List(#[from] ListError),
    /// The detector does not load, or failed.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// There is nothing to choose a threshold on, or to measure.
    #[error(
        "cannot validate: {source}; {without_face} pictures of the list show no face that can be found"
    )]
    TooFew {
        /// What lacks.
        source: TooFew,
        /// Pictures without a face.
        without_face: usize,
    },
    /// The network's output is not one embedding a face.
    #[error("expected {expected} embeddings from the network, found {found}")]
    Count {
        /// Faces given.
        expected: usize,
        /// Embeddings returned.
        found: usize,
    },
    /// An embedding is none.
    #[error("the network cannot be validated: {0}")]
    Embedding(#[from] EmbeddingError),
}

impl ValidationSet {
    /// Opens `place`, a folder of LFW (its View 1) or a file of pairs (see [`list`]): finds, cuts
    /// and aligns the face of each picture, on all cores, with a progress line.
    ///
    /// A limit is met by pairs evenly from the whole list, always the same. As in `evaluate`, the
    /// face nearest to the picture's middle is meant.
    ///
    /// # Errors
    /// A [`ValidationError`] if list, pictures or detector are unusable, or too few faces found.
    pub fn open(place: &Path, limits: Limits, detector: &Path) -> Result<Self, ValidationError> {
        let list = if place.is_dir() {
            List::lfw_view_1(place, limits.pairs)?
        } else {
            List::read(place, limits.pairs)?
        };
        let recipe = Preprocessing::usher(limits.side_px);
        let start = || -> Result<_, ValidationError> {
            Ok(Detector::load(detector, PORTRAIT_DETECTOR_SIDE_PX)?)
        };
        let align = |detector: &mut Detector, (path, bytes): &(PathBuf, Vec<u8>)| {
            let frame = picture::decode(bytes, path)?;
            let faces = detector.detect(&frame)?;
            let face = most_central(&faces, frame.width_px(), frame.height_px());
            // Landmarks that are not those of a face: as if there were none.
            Ok(face.and_then(|face| recipe.align(&frame, &face.landmarks).ok()))
        };
        let faces = parallel::map(
            &list.pictures,
            parallel::cores(),
            ("faces", |_| 1),
            start,
            align,
        )?;
        Self::new(recipe, faces, list.protocol)
    }

    /// A set of these faces, none where a picture has none; the pairs' indices are into `faces`.
    fn new(
        recipe: Preprocessing,
        faces: Vec<Option<AlignedFace>>,
        protocol: Protocol,
    ) -> Result<Self, ValidationError> {
        let without_face = faces.iter().filter(|face| face.is_none()).count();
        let mut places = Vec::with_capacity(faces.len());
        let mut found = Vec::with_capacity(faces.len());
        for face in faces {
            places.push(face.is_some().then_some(found.len()));
            found.extend(face);
        }
        let protocol = protocol.filter_map(|pair| {
            Some(Pair {
                first: places[pair.first]?,
                second: places[pair.second]?,
                genuine: pair.genuine,
            })
        });
        let set = Self {
            recipe,
            faces: found,
            protocol,
            without_face,
        };
        // Whether it can be scored at all is told now, not hours later: with all faces in one place.
        set.judge(&|_| 0.0)?;
        Ok(set)
    }

    /// Faces that a network has to embed.
    pub fn faces(&self) -> usize {
        self.faces.len()
    }

    /// Pictures without a face found.
    pub fn without_face(&self) -> usize {
        self.without_face
    }

    /// Scores a network: `embed` is given faces as f32 [N, 3, S, S], prepared as for training, with
    /// N, and returns N embeddings; their length is taken for 1 whatever it is.
    ///
    /// # Errors
    /// [`ValidationError::Count`] and [`ValidationError::Embedding`] if it returns something else.
    pub fn score(
        &self,
        mut embed: impl FnMut(&[f32], usize) -> Vec<Vec<f32>>,
    ) -> Result<Validation, ValidationError> {
        let mut embeddings = Vec::with_capacity(self.faces.len());
        for faces in self.faces.chunks(CHUNK) {
            let values: Vec<f32> = faces
                .iter()
                .flat_map(|face| self.recipe.normalize(face).values().to_vec())
                .collect();
            let raw = embed(&values, faces.len());
            if raw.len() != faces.len() {
                return Err(ValidationError::Count {
                    expected: faces.len(),
                    found: raw.len(),
                });
            }
            for raw in raw {
                embeddings.push(Embedding::from_raw(raw)?);
            }
        }
        self.judge(&|pair| {
            let (first, second) = (&embeddings[pair.first], &embeddings[pair.second]);
            SquaredL2::between(first, second).value()
        })
    }

    fn judge(&self, distance: &dyn Fn(&Pair) -> f32) -> Result<Validation, ValidationError> {
        let compare = |pairs: &Vec<Pair>| -> Vec<Comparison> {
            let pairs = pairs.iter();
            let compared = pairs.map(|pair| Comparison {
                distance: Some(distance(pair)),
                genuine: pair.genuine,
            });
            compared.collect()
        };
        let too_few = |source| ValidationError::TooFew {
            source,
            without_face: self.without_face,
        };
        let (accuracy, threshold, measured) = match &self.protocol {
            Protocol::HeldOut { choose, measure } => {
                let threshold = best_threshold(&compare(choose)).map_err(too_few)?.threshold;
                let measured = compare(measure);
                // Both kinds have to be there to be measured, too.
                best_threshold(&measured).map_err(too_few)?;
                let (right, all) = right_at(threshold, &measured);
                (right as f64 / all as f64, f64::from(threshold), measured)
            }
            Protocol::Folds(folds) => {
                let folds: Vec<Vec<Comparison>> = folds.iter().map(compare).collect();
                let result = cross_validate(&folds).map_err(too_few)?;
                (result.accuracy, result.threshold, folds.concat())
            }
        };
        let of = |genuine: bool| {
            let kind = measured.iter().filter(move |pair| pair.genuine == genuine);
            kind.filter_map(|pair| pair.distance).collect()
        };
        let distances = Distances::new(of(true), of(false));
        Ok(Validation {
            accuracy,
            threshold,
            genuine: distances.genuine_mean().unwrap_or_default(),
            impostor: distances.impostor_mean().unwrap_or_default(),
            auc: distances.auc().unwrap_or_default(),
            pairs: measured.len(),
            without_face: self.without_face,
        })
    }
}

impl std::fmt::Debug for ValidationSet {
    /// Sizes alone, so that no face reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ValidationSet({} faces)", self.faces.len())
    }
}

#[cfg(test)]
mod tests;
