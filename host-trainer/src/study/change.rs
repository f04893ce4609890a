//! What a study does to a picture between finding its face and embedding it.
//!
//! The alignment is found once, on the picture as it is, and carried over to every change: so the
//! studies are about the embedder, and a face that the detector would miss at low quality does not
//! drop out of the comparison.

use shared::{AlignError, AlignedFace, Frame, Landmarks, Preprocessing, Similarity, align};

use crate::dataset::augment::photo;

/// A change of a picture or its face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// None: the pipeline as the device has it.
    AsIs,
    /// The whole picture passes through a JPEG file of this quality, 1 to 100 as libjpeg counts,
    /// colors at full resolution.
    Jpeg(u8),
    /// The face is cut out at this side in pixels, then scaled to the network's: one with fewer
    /// pixels loses detail, one with more gains none that the picture does not have.
    Side(u32),
}

impl Change {
    /// The face with these landmarks after the change, aligned by `recipe`.
    ///
    /// # Errors
    /// [`AlignError`] when the landmarks are not those of a face.
    pub fn face(
        self,
        frame: &Frame,
        landmarks: &Landmarks,
        recipe: &Preprocessing,
    ) -> Result<AlignedFace, AlignError> {
        match self {
            Change::AsIs => recipe.align(frame, landmarks),
            Change::Jpeg(quality) => recipe.align(&through_jpeg(frame, quality), landmarks),
            Change::Side(side_px) => {
                let cut = Preprocessing {
                    side_px,
                    ..recipe.clone()
                };
                Ok(scaled(&cut.align(frame, landmarks)?, recipe.side_px))
            }
        }
    }
}

fn through_jpeg(frame: &Frame, quality: u8) -> Frame {
    let (width, height) = (frame.width_px(), frame.height_px());
    let rgb = photo::through_jpeg(frame.rgb(), (width, height), quality);
    match Frame::new(width, height, rgb) {
        Ok(frame) => frame,
        Err(error) => unreachable!("a picture of the same size: {error}"),
    }
}

/// By the pipeline's own resampling. The template of a side is that of 112 pixels times a factor
/// ([`align::template`]), so a face is moved to another side by that factor alone, without a shift.
fn scaled(face: &AlignedFace, side_px: u32) -> AlignedFace {
    let from = face.side_px();
    let cut_from_face = Similarity {
        a: from as f32 / side_px as f32,
        b: 0.0,
        tx: 0.0,
        ty: 0.0,
    };
    match Frame::new(from, from, face.rgb().to_vec()) {
        Ok(cut) => align::warp(&cut, &cut_from_face, side_px),
        Err(error) => unreachable!("three bytes a pixel: {error}"),
    }
}
