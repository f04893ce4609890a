//! A face as a small picture for people to look at.

use std::path::Path;

use image::RgbImage;
use shared::{Detection, Preprocessing, picture};

use super::{EmbeddingsError, Face};
use crate::dataset::augment::standard_crop;

/// The face in a picture, aligned as the network sees it, side x side pixels; without landmarks the
/// picture is the face.
///
/// # Errors
/// As [`Face::thumbnail`].
pub fn thumbnail(
    path: &Path,
    detection: Option<&Detection>,
    side_px: u32,
) -> Result<RgbImage, EmbeddingsError> {
    let frame = picture::read(path)?;
    let aligned = match detection {
        None => standard_crop(&frame, side_px),
        Some(detection) => Preprocessing::usher(side_px)
            .align(&frame, &detection.landmarks)
            .map_err(|source| EmbeddingsError::Pipeline {
                path: path.to_owned(),
                source: Box::new(source.into()),
            })?,
    };
    Ok(aligned.to_image())
}

impl Face {
    /// The face, aligned as the network sees it, side x side pixels.
    ///
    /// # Errors
    /// [`EmbeddingsError::Picture`] if its picture can no longer be read,
    /// [`EmbeddingsError::Pipeline`] if its landmarks cannot be aligned.
    pub fn thumbnail(&self, side_px: u32) -> Result<RgbImage, EmbeddingsError> {
        thumbnail(&self.path, self.detection.as_ref(), side_px)
    }
}
