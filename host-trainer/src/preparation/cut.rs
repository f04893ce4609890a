//! One photo becomes one aligned face with what was measured on it, or the cause why not.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image_hasher::{FilterType, HashAlg, Hasher, HasherConfig};
use serde::{Deserialize, Serialize};
use shared::align::{self, AlignedFace};
use shared::detector::{Detection, Detector, DetectorError};
use shared::geometry::Point;
use shared::landmarks::Landmarks;
use shared::picture::{self, MAX_FILE_BYTES};
use shared::{Frame, PictureError};

use super::cause::Cause;
use super::duplicates::DifferenceHash;
use super::settings::{Faces, Limits};
use crate::embeddings::most_central;

/// Side of an aligned picture, in pixels: the standard crop with 8 pixels around it.
const SIDE_PX: u32 = 128;
/// Side of the standard crop, in pixels.
const CROP_PX: u32 = 112;
/// Quality of the JPEG files written, of 100.
const QUALITY: u8 = 95;
/// Cells of the difference hash along each side of the photo: 16 x 16 = 256 bits.
const HASH_SIDE: u32 = 16;

/// What was measured on a face that was cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Distance between the eyes in the photo, in pixels.
    pub eye_distance_px: f32,
    /// Variance of the Laplacian over the crop, in squared grey levels.
    pub sharpness: f32,
    /// Difference hash of the whole photo.
    pub hash: DifferenceHash,
    /// The format that the content has where the name says another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub really: Option<String>,
}

/// What became of a photo.
#[derive(Debug)]
pub enum Outcome {
    /// An aligned face.
    Cut {
        /// The face as a JPEG file of 128 x 128 pixels.
        jpeg: Vec<u8>,
        /// What was measured.
        measures: Measures,
    },
    /// None, and why.
    LeftOut {
        /// Why.
        cause: Cause,
        /// What was expected and found, in words without the photo's path; empty where the cause
        /// says it all.
        detail: String,
    },
}

/// Cuts faces out of photos; one for each thread.
pub struct Cutter {
    detector: Detector,
    hasher: Hasher,
    faces: Faces,
    limits: Limits,
}

/// Why no photo can be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The detector fails, whatever the photo.
    #[error("{path}: {source}")]
    Detector {
        /// The photo.
        path: PathBuf,
        /// What failed.
        source: Box<DetectorError>,
    },
    /// The face cannot be written as JPEG.
    #[error("cannot encode the face of {path}: {source}")]
    Encode {
        /// The photo.
        path: PathBuf,
        /// What failed.
        source: image::ImageError,
    },
}

impl Cutter {
    /// A cutter with its own detector.
    pub fn new(detector: Detector, faces: Faces, limits: Limits) -> Cutter {
        let hasher = HasherConfig::new()
            .hash_alg(HashAlg::Gradient)
            .hash_size(HASH_SIDE, HASH_SIDE)
            .resize_filter(FilterType::Triangle)
            .to_hasher();
        Cutter {
            detector,
            hasher,
            faces,
            limits,
        }
    }

    /// Detects, aligns, measures and cuts the face of one photo.
    ///
    /// # Errors
    /// Only if detector or encoder fail; whatever is wrong with the photo is an [`Outcome`].
    pub fn cut(&mut self, path: &Path) -> Result<Outcome, CutError> {
        let (frame, really) = match read(path) {
            Ok(read) => read,
            Err(out) => return Ok(out),
        };
        let detections = self
            .detector
            .detect(&frame)
            .map_err(|source| CutError::Detector {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        let Some(detection) = choose(self.faces, &detections, &frame) else {
            return Ok(match detections.len() {
                0 => left_out(Cause::NoFace, String::new()),
                count => left_out(Cause::SeveralFaces, format!("{count} faces")),
            });
        };
        let eye_distance_px = detection.landmarks.eye_distance_px();
        if f64::from(eye_distance_px) < self.limits.min_eye_px {
            let detail = format!("{eye_distance_px:.1} px between the eyes");
            return Ok(left_out(Cause::TooSmall, detail));
        }
        let face = match align::similarity(&template_with_margin(), &detection.landmarks) {
            Ok(frame_from_face) => align::warp(&frame, &frame_from_face, SIDE_PX),
            Err(_) => return Ok(left_out(Cause::Unaligned, String::new())),
        };
        let sharpness = sharpness(&face);
        if f64::from(sharpness) < self.limits.min_sharpness {
            return Ok(left_out(
                Cause::Blurred,
                format!("sharpness {sharpness:.1}"),
            ));
        }
        let hash = self.hasher.hash_image(&frame.into_image());
        let hash = DifferenceHash::from_bytes(hash.as_bytes());
        let mut jpeg = Vec::new();
        face.to_image()
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY))
            .map_err(|source| CutError::Encode {
                path: path.to_owned(),
                source,
            })?;
        let measures = Measures {
            eye_distance_px,
            sharpness,
            hash,
            really,
        };
        Ok(Outcome::Cut { jpeg, measures })
    }
}

/// The template's landmarks in an aligned picture with its margin, in pixels.
pub fn template_with_margin() -> Landmarks {
    let margin = (SIDE_PX - CROP_PX) as f32 / 2.0;
    let Landmarks(points) = align::template(CROP_PX);
    Landmarks(points.map(|point| Point {
        x: point.x + margin,
        y: point.y + margin,
    }))
}

/// The picture, and its format where the name says another; content counts, never the name.
fn read(path: &Path) -> Result<(Frame, Option<String>), Outcome> {
    let bytes = bytes(path).map_err(|error| left_out(Cause::Unreadable, error.to_string()))?;
    match picture::decode(&bytes, path) {
        Ok(frame) => Ok((frame, misnamed(path, &bytes))),
        Err(error) => Err(left_out(Cause::from(&error), detail(&error))),
    }
}

fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a longer file is told from one that just fits.
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn misnamed(path: &Path, bytes: &[u8]) -> Option<String> {
    let really = image::guess_format(bytes).ok()?;
    let named = image::ImageFormat::from_path(path).ok();
    (named != Some(really)).then(|| format!("{really:?}").to_lowercase())
}

/// What a picture's error says beyond its cause and the path.
fn detail(error: &PictureError) -> String {
    match error {
        PictureError::Read { source, .. } => source.to_string(),
        PictureError::Empty { .. } | PictureError::NotAPicture { .. } => String::new(),
        PictureError::Truncated { found_bytes, .. } => format!("after {found_bytes} bytes"),
        PictureError::TooLarge {
            unit,
            expected,
            found,
            ..
        } => format!("{found} {unit}, at most {expected}"),
        PictureError::Damaged { reason, .. } => reason.clone(),
    }
}

fn left_out(cause: Cause, detail: String) -> Outcome {
    Outcome::LeftOut { cause, detail }
}

fn choose<'a>(faces: Faces, found: &'a [Detection], frame: &Frame) -> Option<&'a Detection> {
    match (faces, found) {
        (Faces::One, [only]) => Some(only),
        (Faces::One, _) => None,
        (Faces::Central, _) => most_central(found, frame.width_px(), frame.height_px()),
        (Faces::Largest, _) => found
            .iter()
            .max_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area())),
    }
}

/// Variance of the Laplacian (Pech-Pacheco et al. 2000) of the grey levels inside the margin.
fn sharpness(face: &AlignedFace) -> f32 {
    let side = face.side_px() as usize;
    let grey: Vec<f64> = face.rgb().chunks_exact(3).map(luma).collect();
    let margin = ((SIDE_PX - CROP_PX) / 2) as usize;
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for y in margin..side - margin {
        for x in margin..side - margin {
            let at = y * side + x;
            let around = grey[at - 1] + grey[at + 1] + grey[at - side] + grey[at + side];
            let laplacian = around - 4.0 * grey[at];
            sum += laplacian;
            squares += laplacian * laplacian;
            count += 1.0;
        }
    }
    let mean = sum / count;
    (squares / count - mean * mean) as f32
}

/// Grey level by Rec. 601, as JPEG has it.
fn luma(rgb: &[u8]) -> f64 {
    0.299 * f64::from(rgb[0]) + 0.587 * f64::from(rgb[1]) + 0.114 * f64::from(rgb[2])
}

#[cfg(test)]
mod tests;
