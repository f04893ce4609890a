//! A report as a page: one HTML file with its charts in it, which asks nobody for anything.

use image::codecs::jpeg::JpegEncoder;
use serde_json::{Value, json};
use shared::{Detector, OperatingPoint, Preprocessing, picture};

use super::material::Material;
use super::report::{Report, WorstPair};
use crate::embeddings::{EmbeddingsError, Source, most_central};
use crate::explore::page::fill;
use crate::explore::sprites::data_uri;

const TEMPLATE: &str = include_str!("page.html");

/// Side of a face on the page, in pixels.
const FACE_PX: u32 = 160;
const QUALITY: u8 = 85;

/// Faces as JPEG files, of the pictures of worst errors, in the order of the report's pairs.
#[derive(Debug, Default)]
pub struct WorstFaces {
    /// Of false matches.
    pub false_matches: Vec<[Vec<u8>; 2]>,
    /// Of false non-matches.
    pub false_non_matches: Vec<[Vec<u8>; 2]>,
}

impl WorstFaces {
    /// The faces that the report's worst errors are about, cut from their pictures again.
    ///
    /// # Errors
    /// [`EmbeddingsError`] if a picture or the detector can no longer be read.
    pub fn cut(
        report: &Report,
        material: &Material,
        source: &Source,
    ) -> Result<Self, EmbeddingsError> {
        let Some(worst) = &report.worst else {
            return Ok(Self::default());
        };
        let mut detector = Detector::load(&source.detector, source.portrait_side_px())?;
        let mut cut = |pairs: &[WorstPair]| -> Result<Vec<[Vec<u8>; 2]>, EmbeddingsError> {
            let both = pairs.iter().map(|pair| {
                let [first, second] = pair.places;
                Ok([
                    face(material, first, &mut detector)?,
                    face(material, second, &mut detector)?,
                ])
            });
            both.collect()
        };
        Ok(Self {
            false_matches: cut(&worst.false_matches)?,
            false_non_matches: cut(&worst.false_non_matches)?,
        })
    }
}

fn face(
    material: &Material,
    place: usize,
    detector: &mut Detector,
) -> Result<Vec<u8>, EmbeddingsError> {
    let one = &material.pictures[place];
    let frame = picture::decode(&one.bytes()?, &one.path)?;
    let found = detector.detect(&frame)?;
    let found = most_central(&found, frame.width_px(), frame.height_px());
    let aligned = found.and_then(|face| {
        let recipe = Preprocessing::usher(FACE_PX);
        recipe.align(&frame, &face.landmarks).ok()
    });
    let mut jpeg = Vec::new();
    if let Some(aligned) = aligned {
        let encoder = &mut JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        if let Err(error) = encoder.encode_image(&aligned.to_image()) {
            unreachable!("a small RGB picture in memory: {error}");
        }
    }
    Ok(jpeg)
}

/// The page as HTML, with the model's operating points and, if there are any, faces.
pub fn html(report: &Report, points: &[OperatingPoint], faces: Option<&WorstFaces>) -> String {
    let mut data = json!(report);
    data["operating_points"] = json!(points);
    if let Some(faces) = faces {
        let worst = &mut data["worst"];
        put(&mut worst["false_matches"], &faces.false_matches);
        put(&mut worst["false_non_matches"], &faces.false_non_matches);
    }
    fill(TEMPLATE, &data)
}

fn put(pairs: &mut Value, faces: &[[Vec<u8>; 2]]) {
    let pairs = pairs.as_array_mut().into_iter().flatten();
    for (pair, faces) in pairs.zip(faces) {
        pair["faces"] = json!(faces.each_ref().map(|jpeg| data_uri(jpeg)));
    }
}

#[cfg(test)]
mod tests;
