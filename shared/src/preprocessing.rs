//! The recipe from a frame and landmarks to a network's input: data in the manifest, one function.
//!
//! A network reads rightly only what was prepared as its training faces were. So the recipe is
//! written into the manifest, is part of the [`crate::ModelId`], and the bits of its result are
//! pinned by a golden hash: only + - * / and sqrt, in a fixed order.

pub mod golden;

use serde::{Deserialize, Serialize};

use crate::align::{self, AlignError, AlignedFace};
use crate::frame::Frame;
use crate::landmarks::Landmarks;
use crate::normalize::FaceTensor;

/// Smallest and largest input side accepted, in pixels.
pub const SIDE_RANGE_PX: std::ops::RangeInclusive<u32> = 16..=1024;

/// How a face becomes numbers: aligned, resampled, then value = (byte - mean) * scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Width and height of the network's input, in pixels; see [`SIDE_RANGE_PX`].
    pub side_px: u32,
    /// Which plane comes first.
    pub color_order: ColorOrder,
    /// Subtracted from each byte.
    pub mean: f32,
    /// Multiplied with the difference; not zero.
    pub scale: f32,
    /// Where the landmarks are moved to.
    pub alignment: Alignment,
    /// How pixels are read between pixels.
    pub resampling: Resampling,
}

/// The order of the three color planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColorOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// Where the five landmarks are moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Alignment {
    /// The ArcFace template scaled by side / 112: [`align::template`].
    ArcFace112,
}

/// How pixels are read between pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// The mean of n x n bilinear samples, edges repeated: [`align::warp`].
    SupersampledBilinear,
}

impl Preprocessing {
    /// The recipe of Usher's own networks: RGB, (byte - 127.5) / 128, ArcFace template.
    pub fn usher(side_px: u32) -> Preprocessing {
        Preprocessing {
            side_px,
            color_order: ColorOrder::Rgb,
            mean: 127.5,
            scale: 1.0 / 128.0,
            alignment: Alignment::ArcFace112,
            resampling: Resampling::SupersampledBilinear,
        }
    }

    /// The face with these landmarks, moved onto the template, side x side pixels.
    ///
    /// # Errors
    /// [`AlignError`] when the landmarks are not those of a face.
    pub fn align(&self, frame: &Frame, landmarks: &Landmarks) -> Result<AlignedFace, AlignError> {
        let template = match self.alignment {
            Alignment::ArcFace112 => align::template(self.side_px),
        };
        let face_from_frame = align::similarity(landmarks, &template)?;
        let frame_from_face = face_from_frame.inverse().ok_or(AlignError::Degenerate)?;
        Ok(match self.resampling {
            Resampling::SupersampledBilinear => align::warp(frame, &frame_from_face, self.side_px),
        })
    }

    /// The network's input for an aligned face: (byte - mean) * scale, planar.
    ///
    /// The tensor has the side of the face; [`crate::Embedder::embed`] refuses another than the
    /// recipe's.
    pub fn normalize(&self, face: &AlignedFace) -> FaceTensor {
        let channels = match self.color_order {
            ColorOrder::Rgb => [0, 1, 2],
            ColorOrder::Bgr => [2, 1, 0],
        };
        let mut values = Vec::with_capacity(face.rgb().len());
        for channel in channels {
            for pixel in face.rgb().chunks_exact(3) {
                values.push((f32::from(pixel[channel]) - self.mean) * self.scale);
            }
        }
        FaceTensor::from_planes(face.side_px(), values)
    }

    /// The recipe as text that is equal exactly when the recipe is: what the model id digests.
    ///
    /// One `key=value` a line, numbers of f32 by their bits, so that no formatter's habits and no
    /// order of a TOML file can change the id.
    pub fn canonical_text(&self) -> String {
        let color_order = match self.color_order {
            ColorOrder::Rgb => "rgb",
            ColorOrder::Bgr => "bgr",
        };
        let alignment = match self.alignment {
            Alignment::ArcFace112 => "arcface112",
        };
        let resampling = match self.resampling {
            Resampling::SupersampledBilinear => "supersampled_bilinear",
        };
        format!(
            "preprocessing 1\nside_px={}\ncolor_order={color_order}\nmean={:08x}\nscale={:08x}\n\
             alignment={alignment}\nresampling={resampling}\n",
            self.side_px,
            self.mean.to_bits(),
            self.scale.to_bits(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_canonical_text() {
        assert_eq!(
            Preprocessing::usher(112).canonical_text(),
            "preprocessing 1\nside_px=112\ncolor_order=rgb\nmean=42ff0000\nscale=3c000000\n\
             alignment=arcface112\nresampling=supersampled_bilinear\n"
        );
    }

    #[test]
    fn golden_toml() {
        let recipe = Preprocessing::usher(112);
        let text = "side_px = 112\ncolor_order = \"rgb\"\nmean = 127.5\nscale = 0.0078125\n\
                    alignment = \"arcface112\"\nresampling = \"supersampled_bilinear\"\n";
        assert_eq!(toml::to_string(&recipe).unwrap(), text);
        assert_eq!(toml::from_str::<Preprocessing>(text).unwrap(), recipe);
    }

    #[test]
    fn normalizes_by_its_formula_and_order() {
        let face = AlignedFace::from_rgb(1, vec![0, 127, 255]).unwrap();
        let mut recipe = Preprocessing::usher(1);
        assert_eq!(
            recipe.normalize(&face).values(),
            [-0.996_093_75, -0.003_906_25, 0.996_093_75]
        );
        recipe.color_order = ColorOrder::Bgr;
        assert_eq!(
            recipe.normalize(&face).values(),
            [0.996_093_75, -0.003_906_25, -0.996_093_75]
        );
    }

    #[test]
    fn planes_are_row_major() {
        let rgb = (0..12).collect();
        let face = AlignedFace::from_rgb(2, rgb).unwrap();
        let recipe = Preprocessing {
            mean: 0.0,
            scale: 1.0,
            ..Preprocessing::usher(2)
        };
        assert_eq!(
            recipe.normalize(&face).values(),
            [0., 3., 6., 9., 1., 4., 7., 10., 2., 5., 8., 11.]
        );
    }
}
