//! The one path from a picture to an embedding, for trainer and device alike.

use crate::align::{AlignError, AlignedFace};
use crate::detector::{Detection, Detector, DetectorError};
use crate::embedder::{Embedder, EmbedderError};
use crate::embedding::Embedding;
use crate::frame::Frame;

/// Detector and embedder, joined by the embedder's recipe.
pub struct Pipeline {
    detector: Detector,
    embedder: Embedder,
}

/// Why a picture yields no embedding.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Looking for faces failed.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The landmarks are not those of a face.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// Embedding failed.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// There is no face.
    #[error(
        "expected one face in the picture, found none; take it closer, in more light, with the face turned to the camera"
    )]
    NoFace,
    /// There are several faces.
    #[error("expected one face in the picture, found {count}; take it with one person alone")]
    SeveralFaces {
        /// Faces found.
        count: usize,
    },
}

impl Pipeline {
    /// The path through this detector and this embedder.
    pub fn new(detector: Detector, embedder: Embedder) -> Pipeline {
        Pipeline { detector, embedder }
    }

    /// The embedder, for its manifest.
    pub fn embedder(&self) -> &Embedder {
        &self.embedder
    }

    /// The faces in a frame, best score first, in frame pixels.
    ///
    /// # Errors
    /// [`PipelineError::Detector`] when the detector fails.
    pub fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, PipelineError> {
        Ok(self.detector.detect(frame)?)
    }

    /// A detected face, cut and aligned by the model's recipe.
    ///
    /// # Errors
    /// [`PipelineError::Align`] when its landmarks are not those of a face.
    pub fn align(
        &self,
        frame: &Frame,
        detection: &Detection,
    ) -> Result<AlignedFace, PipelineError> {
        let recipe = &self.embedder.manifest().preprocessing;
        Ok(recipe.align(frame, &detection.landmarks)?)
    }

    /// The embedding of an aligned face.
    ///
    /// # Errors
    /// [`PipelineError::Embedder`] when the face has another side than the recipe's or the network
    /// fails.
    pub fn embed(&mut self, face: &AlignedFace) -> Result<Embedding, PipelineError> {
        let tensor = self.embedder.manifest().preprocessing.normalize(face);
        Ok(self.embedder.embed(&tensor)?)
    }

    /// The only face of a picture, as enrollment needs it.
    ///
    /// # Errors
    /// [`PipelineError::NoFace`] and [`PipelineError::SeveralFaces`] when there is not exactly one;
    /// else as the single steps.
    pub fn only_face(
        &mut self,
        frame: &Frame,
    ) -> Result<(Detection, AlignedFace, Embedding), PipelineError> {
        let detections = self.detect(frame)?;
        let [detection] = detections.as_slice() else {
            return Err(match detections.len() {
                0 => PipelineError::NoFace,
                count => PipelineError::SeveralFaces { count },
            });
        };
        let face = self.align(frame, detection)?;
        let embedding = self.embed(&face)?;
        Ok((*detection, face, embedding))
    }
}
