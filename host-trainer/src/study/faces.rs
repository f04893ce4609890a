//! Embeddings of pictures as they are and as each change of a study leaves them.

use std::collections::BTreeSet;
use std::path::Path;

use shared::{Detector, Embedder, Embedding, Frame, Pipeline, PipelineError, align, picture};

use super::change::Change;
use crate::dataset::lfw::Pictures;
use crate::embeddings::{EmbeddingsError, PORTRAIT_DETECTOR_SIDE_PX, most_central};
use crate::parallel;
use crate::verification::faces::Embeddings;
use crate::verification::pairs::PictureId;

/// What a study compares.
#[derive(Debug, Default)]
pub struct Faces {
    /// Of every picture, as it is.
    pub as_is: Embeddings,
    /// Of the pictures to change, for each change.
    pub changed: Vec<Embeddings>,
    /// Middle of the sides, in the pictures' own pixels, that the aligned faces cover.
    pub side_px: f32,
}

/// One picture's part: as it is, then after each change; and the side that its face covers.
struct Found {
    embeddings: Vec<Embedding>,
    side_px: f32,
}

/// Finds and embeds the face in every picture, those `to_change` after each of `changes` too, on
/// all cores, with a progress line. As in `evaluate`, the face nearest to the picture's middle is
/// meant.
///
/// # Errors
/// The first [`EmbeddingsError`] of any thread.
pub fn embed(
    pictures: &Pictures,
    to_change: &BTreeSet<PictureId>,
    changes: &[Change],
    detector: &Path,
    model: &Path,
) -> Result<Faces, EmbeddingsError> {
    let list: Vec<(&PictureId, &Vec<u8>)> = pictures.iter().collect();
    let start = || -> Result<Pipeline, EmbeddingsError> {
        let detector = Detector::load(detector, PORTRAIT_DETECTOR_SIDE_PX)?;
        Ok(Pipeline::new(detector, Embedder::load(model)?))
    };
    let work = |pipeline: &mut Pipeline, (id, bytes): &(&PictureId, &Vec<u8>)| {
        let path = id.path();
        let frame = picture::decode(bytes, &path)?;
        let changes = match to_change.contains(id) {
            true => changes,
            false => &[],
        };
        one(pipeline, &frame, changes).map_err(|source| EmbeddingsError::Pipeline {
            path,
            source: Box::new(source),
        })
    };
    let found = parallel::map(&list, parallel::cores(), ("faces", |_| 1), start, work)?;
    let mut faces = Faces {
        changed: vec![Embeddings::new(); changes.len()],
        ..Faces::default()
    };
    let mut sides: Vec<f32> = found.iter().flatten().map(|found| found.side_px).collect();
    sides.sort_by(f32::total_cmp);
    faces.side_px = sides.get(sides.len() / 2).copied().unwrap_or_default();
    for ((id, _), found) in list.into_iter().zip(found) {
        let mut rest = found
            .map_or_else(Vec::new, |found| found.embeddings)
            .into_iter();
        faces.as_is.insert(id.clone(), rest.next());
        if to_change.contains(id) {
            for changed in &mut faces.changed {
                changed.insert(id.clone(), rest.next());
            }
        }
    }
    Ok(faces)
}

/// None without a face whose landmarks can be aligned.
fn one(
    pipeline: &mut Pipeline,
    frame: &Frame,
    changes: &[Change],
) -> Result<Option<Found>, PipelineError> {
    let faces = pipeline.detect(frame)?;
    let Some(face) = most_central(&faces, frame.width_px(), frame.height_px()) else {
        return Ok(None);
    };
    let recipe = pipeline.embedder().manifest().preprocessing.clone();
    let template = align::template(recipe.side_px);
    let Ok(face_from_frame) = align::similarity(&face.landmarks, &template) else {
        return Ok(None);
    };
    let mut embeddings = Vec::with_capacity(1 + changes.len());
    for change in [Change::AsIs].iter().chain(changes) {
        let aligned = change.face(frame, &face.landmarks, &recipe)?;
        embeddings.push(pipeline.embed(&aligned)?);
    }
    Ok(Some(Found {
        embeddings,
        side_px: recipe.side_px as f32 / face_from_frame.scale(),
    }))
}
