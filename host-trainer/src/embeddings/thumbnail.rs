//! A face as a small picture for people to look at.

use image::RgbImage;
use shared::{Preprocessing, picture};

use super::{EmbeddingsError, Face};
use crate::dataset::augment::standard_crop;

impl Face {
    /// The face, aligned as the network sees it, side x side pixels.
    ///
    /// # Errors
    /// [`EmbeddingsError::Picture`] if its picture can no longer be read,
    /// [`EmbeddingsError::Pipeline`] if its landmarks cannot be aligned.
    pub fn thumbnail(&self, side_px: u32) -> Result<RgbImage, EmbeddingsError> {
        let frame = picture::read(&self.path)?;
        let aligned = match &self.detection {
            None => standard_crop(&frame, side_px),
            Some(detection) => Preprocessing::usher(side_px)
                .align(&frame, &detection.landmarks)
                .map_err(|source| EmbeddingsError::Pipeline {
                    path: self.path.clone(),
                    source: Box::new(source.into()),
                })?,
        };
        Ok(aligned.to_image())
    }
}
