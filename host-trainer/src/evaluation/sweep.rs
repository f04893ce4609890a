//! Robustness: accuracy at a fixed threshold when pictures get worse.
//!
//! Pictures are changed before their face is looked for, so a face that is no longer found counts;
//! only the shift comes after, as it stands for landmarks that are off.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::{
    Detector, Embedder, Embedding, Frame, Landmarks, Pipeline, PipelineError, Point, align, picture,
};

use super::embedded::compare;
use super::material::{Material, Picture, Places};
use super::report::{Sweep, SweepKind, SweepPoint};
use crate::dataset::augment::photo::{self, Toning};
use crate::embeddings::{EmbeddingsError, PORTRAIT_DETECTOR_SIDE_PX, Source, most_central};
use crate::parallel;
use crate::validation::list::sample_by;
use crate::verification::folds::right_at;

/// A change of one kind and size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// What is changed.
    pub kind: SweepKind,
    /// How much: see [`SweepKind::about`].
    pub value: f64,
}

impl SweepKind {
    /// The sizes that are tried, from mild to strong.
    pub fn values(self) -> &'static [f64] {
        match self {
            SweepKind::Shift => &[1.0, 2.0, 4.0, 6.0, 8.0],
            SweepKind::Jpeg => &[80.0, 50.0, 30.0, 20.0, 10.0],
            SweepKind::Size => &[0.75, 0.5, 0.35, 0.25, 0.15],
            SweepKind::Blur => &[1.0, 2.0, 3.0, 4.0],
            SweepKind::Brightness => &[-0.5, -0.25, 0.25, 0.5],
        }
    }

    /// What the sizes are of, in words; `side_px` is the network's.
    pub fn about(self, side_px: u32) -> String {
        match self {
            SweepKind::Shift => format!(
                "pixels of the {side_px}x{side_px} crop that it lies off the landmarks, each picture \
                 in a direction of its own"
            ),
            SweepKind::Jpeg => "JPEG quality".to_owned(),
            SweepKind::Size => "share of the picture's width and height that is left".to_owned(),
            SweepKind::Blur => {
                "standard deviation of the blur, in pixels of the picture".to_owned()
            }
            SweepKind::Brightness => "share of white that is added".to_owned(),
        }
    }
}

/// Measures every change of those kinds on at most `limit` of the material's pairs, evenly from all,
/// at that threshold.
///
/// # Errors
/// [`EmbeddingsError`] if model or detector is unusable, or a picture cannot be read.
pub fn sweep(
    material: &Material,
    source: &Source,
    kinds: &[SweepKind],
    threshold: f32,
    limit: usize,
) -> Result<Vec<Sweep>, EmbeddingsError> {
    let pairs = sample_by(&material.pairs(), limit, |pair| material.is_genuine(*pair));
    let mut wanted: Vec<usize> = pairs.iter().flatten().copied().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let changes: Vec<Change> = kinds
        .iter()
        .flat_map(|kind| {
            let values = kind.values().iter();
            values.map(|value| Change {
                kind: *kind,
                value: *value,
            })
        })
        .collect();
    let start = || -> Result<Pipeline, EmbeddingsError> {
        let side_px = source.detector_side_px.unwrap_or(PORTRAIT_DETECTOR_SIDE_PX);
        let detector = Detector::load(&source.detector, side_px)?;
        Ok(Pipeline::new(detector, Embedder::load(&source.model)?))
    };
    let work = |pipeline: &mut Pipeline, place: &usize| {
        let picture = &material.pictures[*place];
        let Some(frame) = decode(picture)? else {
            return Ok(vec![None; 1 + changes.len()]);
        };
        embed(pipeline, &frame, &changes, *place).map_err(|source| EmbeddingsError::Pipeline {
            path: picture.path.clone(),
            source: Box::new(source),
        })
    };
    let progress = ("changed pictures", |_: &usize| 1 + changes.len());
    let found = parallel::map(&wanted, parallel::cores(), progress, start, work)?;
    let point = |value: Option<f64>, number: usize| {
        let mut embeddings: Vec<Option<Embedding>> = vec![None; material.pictures.len()];
        for (place, found) in wanted.iter().zip(&found) {
            embeddings[*place] = found[number].clone();
        }
        point(material, &pairs, &embeddings, threshold, value)
    };
    let side_px = source.manifest()?.preprocessing.side_px;
    let sweeps = kinds.iter().map(|kind| Sweep {
        kind: *kind,
        about: kind.about(side_px),
        threshold,
        pairs: pairs.len(),
        points: [point(None, 0)]
            .into_iter()
            .chain(
                (1..)
                    .zip(&changes)
                    .filter(|(_, change)| change.kind == *kind)
                    .map(|(number, change)| point(Some(change.value), number)),
            )
            .collect(),
    });
    Ok(sweeps.collect())
}

/// The picture; none where its file is no sound picture, which then counts as one without a face, as
/// in [`Embedded::new`](super::embedded::Embedded::new). LFW's protocol needs each of its pictures.
fn decode(picture: &Picture) -> Result<Option<Frame>, EmbeddingsError> {
    match picture::decode(&picture.bytes()?, &picture.path) {
        Ok(frame) => Ok(Some(frame)),
        Err(error) if picture.held().is_some() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

fn point(
    material: &Material,
    pairs: &[Places],
    embeddings: &[Option<Embedding>],
    threshold: f32,
    value: Option<f64>,
) -> SweepPoint {
    let comparisons = compare(material, pairs, embeddings);
    let (right, usable) = right_at(threshold, &comparisons);
    SweepPoint {
        value,
        accuracy: (usable > 0).then(|| right as f64 / usable as f64),
        accuracy_of_all: right as f64 / comparisons.len().max(1) as f64,
        pairs_not_found: comparisons.len() - usable,
    }
}

/// The picture as it is, then after each change.
fn embed(
    pipeline: &mut Pipeline,
    frame: &Frame,
    changes: &[Change],
    place: usize,
) -> Result<Vec<Option<Embedding>>, PipelineError> {
    let mut embeddings = vec![central(pipeline, frame, None)?];
    for change in changes {
        embeddings.push(match change.kind {
            SweepKind::Shift => {
                let mut random = ChaCha8Rng::seed_from_u64(place as u64);
                let angle = random.random_range(0.0..std::f64::consts::TAU);
                let shift = [angle.cos(), angle.sin()].map(|part| (part * change.value) as f32);
                central(pipeline, frame, Some(shift))?
            }
            _ => central(pipeline, &changed(frame, *change), None)?,
        });
    }
    Ok(embeddings)
}

/// The face nearest to the middle, its crop moved by that many of its own pixels.
fn central(
    pipeline: &mut Pipeline,
    frame: &Frame,
    shift: Option<[f32; 2]>,
) -> Result<Option<Embedding>, PipelineError> {
    let faces = pipeline.detect(frame)?;
    let Some(face) = most_central(&faces, frame.width_px(), frame.height_px()) else {
        return Ok(None);
    };
    let mut face = *face;
    if let Some([x, y]) = shift {
        let side_px = pipeline.embedder().manifest().preprocessing.side_px;
        let Ok(crop_from_frame) = align::similarity(&face.landmarks, &align::template(side_px))
        else {
            return Ok(None);
        };
        let scale = crop_from_frame.scale();
        face.landmarks = Landmarks(
            face.landmarks
                .0
                .map(|point| Point::new(point.x + x / scale, point.y + y / scale)),
        );
    }
    match pipeline.align(frame, &face) {
        Ok(aligned) => pipeline.embed(&aligned).map(Some),
        Err(PipelineError::Align(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The picture after a change of the whole of it; a shift leaves it as it is.
pub fn changed(frame: &Frame, change: Change) -> Frame {
    let (width, height) = (frame.width_px(), frame.height_px());
    let image = || frame.clone().into_image();
    let same_size = |rgb: Vec<u8>| match Frame::new(width, height, rgb) {
        Ok(frame) => frame,
        Err(error) => unreachable!("a picture of the same size: {error}"),
    };
    match change.kind {
        SweepKind::Shift => frame.clone(),
        SweepKind::Jpeg => {
            let quality = change.value.clamp(1.0, 100.0) as u8;
            same_size(photo::through_jpeg(frame.rgb(), (width, height), quality))
        }
        SweepKind::Size => {
            let left = |extent: u32| ((f64::from(extent) * change.value).round() as u32).max(1);
            let filter = image::imageops::FilterType::Triangle;
            let small = image::imageops::resize(&image(), left(width), left(height), filter);
            Frame::from_image(small)
        }
        SweepKind::Blur => {
            let blurred = image::imageops::fast_blur(&image(), change.value as f32);
            Frame::from_image(blurred)
        }
        SweepKind::Brightness => {
            let mut rgb = frame.rgb().to_vec();
            let toning = Toning {
                brightness: change.value,
                ..Toning::NONE
            };
            toning.apply(&mut rgb);
            same_size(rgb)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkered() -> Frame {
        let rgb = (0..32 * 20).flat_map(|pixel| {
            let light = (pixel % 32 / 4 + pixel / 32 / 4) % 2 == 0;
            [if light { 200 } else { 60 }; 3]
        });
        Frame::new(32, 20, rgb.collect()).unwrap()
    }

    /// Mean and mean distance from it.
    fn mean_and_spread(frame: &Frame) -> (f64, f64) {
        let count = frame.rgb().len() as f64;
        let values = || frame.rgb().iter().copied().map(f64::from);
        let mean = values().sum::<f64>() / count;
        let spread = values().map(|value| (value - mean).abs()).sum::<f64>() / count;
        (mean, spread)
    }

    #[test]
    fn a_file_that_is_no_picture_is_one_without_a_face() {
        let folder = tempfile::tempdir().unwrap();
        let png = folder.path().join("sound.png");
        checkered().into_image().save(&png).unwrap();
        std::fs::write(folder.path().join("broken.png"), "no picture").unwrap();
        let list = folder.path().join("pairs.tsv");
        std::fs::write(&list, "broken.png\tsound.png\tsame\n").unwrap();
        let material = Material::pair_file(&list, None).unwrap();
        let [broken, sound] = &material.pictures[..] else {
            panic!("{material:?}");
        };
        assert_eq!(decode(broken).unwrap(), None);
        assert_eq!(decode(sound).unwrap(), Some(checkered()));
        // A file that is gone is no matter of pictures.
        std::fs::remove_file(&png).unwrap();
        assert!(decode(sound).is_err());
    }

    #[test]
    fn each_change_does_what_it_says() {
        let frame = checkered();
        let (mean, spread) = mean_and_spread(&frame);
        let change = |kind, value| changed(&frame, Change { kind, value });
        assert_eq!(change(SweepKind::Shift, 8.0), frame);
        let small = change(SweepKind::Size, 0.25);
        assert_eq!((small.width_px(), small.height_px()), (8, 5));
        let (lighter, same) = mean_and_spread(&change(SweepKind::Brightness, 0.1));
        assert!((lighter - mean - 25.5).abs() < 0.6 && (same - spread).abs() < 0.6);
        let (darker, _) = mean_and_spread(&change(SweepKind::Brightness, -0.1));
        assert!((mean - darker - 25.5).abs() < 0.6);
        let (_, blurred) = mean_and_spread(&change(SweepKind::Blur, 2.0));
        assert!(blurred < 0.7 * spread, "{blurred} of {spread}");
        let difference = |quality| {
            let jpeg = change(SweepKind::Jpeg, quality);
            let pairs = jpeg.rgb().iter().zip(frame.rgb());
            pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>()
        };
        assert!(difference(10.0) > difference(90.0));
    }
}
