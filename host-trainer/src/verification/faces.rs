//! From pictures to embeddings, through the one pipeline that the device has too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use shared::{
    Detection, Detector, DetectorError, Embedder, EmbedderError, Embedding, Frame, PictureError,
    Pipeline, PipelineError, SquaredL2, picture,
};

use super::folds::Comparison;
use super::pairs::{Pair, PictureId};
use crate::dataset::lfw::Pictures;
use crate::parallel;

/// Side of the detector's input, in pixels; the device's default too.
pub const DETECTOR_SIDE_PX: u32 = 320;

/// Embedding of each picture; none where no face was found.
pub type Embeddings = BTreeMap<PictureId, Option<Embedding>>;

/// Why pictures could not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum FacesError {
    /// The detector does not load.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The model does not load.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The pipeline failed on a picture.
    #[error("{path}: {source}")]
    Pipeline {
        /// The picture.
        path: PathBuf,
        /// What failed.
        source: Box<PipelineError>,
    },
}

/// Detects, aligns and embeds the face in every picture, on all cores, with a progress line.
///
/// # Errors
/// The first [`FacesError`] of any thread.
pub fn embed(pictures: &Pictures, detector: &Path, model: &Path) -> Result<Embeddings, FacesError> {
    let list: Vec<(&PictureId, &Vec<u8>)> = pictures.iter().collect();
    let start = || -> Result<Pipeline, FacesError> {
        let detector = Detector::load(detector, DETECTOR_SIDE_PX)?;
        Ok(Pipeline::new(detector, Embedder::load(model)?))
    };
    let one = |pipeline: &mut Pipeline, (id, bytes): &(&PictureId, &Vec<u8>)| {
        let path = id.path();
        let frame = picture::decode(bytes, &path)?;
        embed_central(pipeline, &frame).map_err(|source| FacesError::Pipeline {
            path,
            source: Box::new(source),
        })
    };
    let embeddings = parallel::map(&list, parallel::cores(), ("faces", |_| 1), start, one)?;
    Ok(pictures.keys().cloned().zip(embeddings).collect())
}

/// The embedding of the face nearest to the picture's center, where LFW has the person it names;
/// none without a face whose landmarks can be aligned.
fn embed_central(
    pipeline: &mut Pipeline,
    frame: &Frame,
) -> Result<Option<Embedding>, PipelineError> {
    let faces = pipeline.detect(frame)?;
    let Some(face) = most_central(&faces, frame.width_px(), frame.height_px()) else {
        return Ok(None);
    };
    match pipeline.align(frame, face) {
        Ok(aligned) => pipeline.embed(&aligned).map(Some),
        Err(PipelineError::Align(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The face nearest to the middle of a picture of that size; none without faces.
pub fn most_central(faces: &[Detection], width_px: u32, height_px: u32) -> Option<&Detection> {
    // Pixel centers are whole numbers, so the middle of a picture of two pixels is 0.5.
    let middle = |extent: u32| (extent as f32 - 1.0) / 2.0;
    let off = |face: &Detection| {
        let center = face.bounds.center();
        (center.x - middle(width_px)).hypot(center.y - middle(height_px))
    };
    faces.iter().min_by(|a, b| off(a).total_cmp(&off(b)))
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
    use shared::{Landmarks, Point, Rect};

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

    #[test]
    fn the_face_in_the_middle_is_meant() {
        let face = |left: f32, score: f32| Detection {
            bounds: Rect {
                left,
                top: 40.0,
                width: 20.0,
                height: 20.0,
            },
            score,
            landmarks: Landmarks([Point { x: 0.0, y: 0.0 }; 5]),
        };
        let faces = [face(0.0, 0.99), face(38.0, 0.7), face(80.0, 0.98)];
        let chosen = most_central(&faces, 100, 100).unwrap();
        assert_eq!(chosen.bounds.left, 38.0);
        assert!(most_central(&[], 100, 100).is_none());
    }
}
