//! Finds faces and their five landmarks in a frame by YuNet.
//!
//! YuNet (Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector") as OpenCV's model
//! zoo ships it, `face_detection_yunet_2023mar.onnx`. The frame is scaled down to a square of
//! fixed side, never up, and padded with black at the right and at the bottom.

pub mod decode;
mod letterbox;
pub mod suppression;

use std::path::{Path, PathBuf};

use crate::frame::Frame;
use crate::geometry::Rect;
use crate::inference::{InferenceError, OnnxModel, OutputFact};
use crate::landmarks::Landmarks;
use decode::StrideOutputs;
use letterbox::Letterbox;

/// Side of the detector's input that suits a kiosk: faces of 1/15 of the frame's long side up.
pub const DEFAULT_SIDE_PX: u32 = 320;
/// Least score of a detection (0.6 is the default of YuNet's authors).
pub const MIN_SCORE: f32 = 0.6;
/// Overlap from which the weaker of two boxes is dropped (OpenCV's default).
pub const MAX_IOU: f32 = 0.3;

/// One face found in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Box around the face, in frame pixels; it may reach beyond the frame.
    pub bounds: Rect,
    /// How sure the detector is, [`MIN_SCORE`] to 1.
    pub score: f32,
    /// The five landmarks, in frame pixels; they may lie beyond the frame.
    pub landmarks: Landmarks,
}

/// YuNet at a fixed input side.
pub struct Detector {
    model: OnnxModel,
    side_px: u32,
    /// For each of [`decode::STRIDES`], where its four outputs stand among the model's.
    places: [[usize; 4]; 3],
}

/// Why faces cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DetectorError {
    /// The file cannot be read.
    #[error("expected the face detector at {path}, found: {source}; run scripts/setup to fetch it")]
    Read {
        /// The ONNX file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The side asked for does not fit the strides.
    #[error(
        "expected a detector side that is a multiple of 32 from 32 to 4096, found {found}; use 320 or 640"
    )]
    Side {
        /// The side asked for, in pixels.
        found: u32,
    },
    /// The file is no network, or does not run at this side.
    #[error(
        "expected the YuNet face detector in {path}: {source}; run scripts/setup to fetch it again"
    )]
    Model {
        /// The ONNX file.
        path: PathBuf,
        /// What went wrong.
        source: InferenceError,
    },
    /// The network is not YuNet.
    #[error(
        "expected the YuNet face detector in {path}, with an output {expected_name} of shape {expected_shape:?}, found outputs {found}; run scripts/setup to fetch it again"
    )]
    NotYunet {
        /// The ONNX file.
        path: PathBuf,
        /// The first output that is missing.
        expected_name: String,
        /// The shape it should have.
        expected_shape: Vec<usize>,
        /// The outputs there are.
        found: String,
    },
    /// The network failed on a frame.
    #[error("face detection failed: {0}; report this with the detector's file")]
    Run(#[from] InferenceError),
}

impl Detector {
    /// Loads YuNet for an input of side x side pixels, whatever size its file was written for.
    ///
    /// # Errors
    /// [`DetectorError`] when the file cannot be read, is no YuNet, or the side is no multiple of
    /// 32 from 32 to 4096.
    pub fn load(onnx: &Path, side_px: u32) -> Result<Detector, DetectorError> {
        if side_px == 0 || !side_px.is_multiple_of(32) || side_px > 4096 {
            return Err(DetectorError::Side { found: side_px });
        }
        let bytes = std::fs::read(onnx).map_err(|source| DetectorError::Read {
            path: onnx.to_owned(),
            source,
        })?;
        let side = side_px as usize;
        let model = OnnxModel::load(&bytes, &[1, 3, side, side]).map_err(|source| {
            DetectorError::Model {
                path: onnx.to_owned(),
                source,
            }
        })?;
        let places = places(model.outputs(), side, onnx)?;
        Ok(Detector {
            model,
            side_px,
            places,
        })
    }

    /// Width and height of the network's input, in pixels.
    pub fn side_px(&self) -> u32 {
        self.side_px
    }

    /// The faces in a frame, best score first, in frame pixels.
    ///
    /// # Errors
    /// [`DetectorError::Run`] when the network fails.
    pub fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        let letterbox = Letterbox::new(frame, self.side_px);
        let outputs = self.model.run(&letterbox.input(frame))?;
        let mut found = Vec::new();
        for (stride, places) in decode::STRIDES.into_iter().zip(self.places) {
            let [class, object, bounds, landmarks] = places.map(|place| outputs[place].as_slice());
            let stride_outputs = StrideOutputs {
                class,
                object,
                bounds,
                landmarks,
            };
            decode::decode(stride, self.side_px, &stride_outputs, MIN_SCORE, &mut found);
        }
        let kept = suppression::suppress(found, MAX_IOU);
        Ok(kept
            .into_iter()
            .map(|detection| letterbox.to_frame(&detection))
            .collect())
    }
}

/// Finds the twelve outputs by name and checks their shapes.
fn places(
    outputs: &[OutputFact],
    side: usize,
    onnx: &Path,
) -> Result<[[usize; 4]; 3], DetectorError> {
    let mut places = [[0; 4]; 3];
    for (stride, row) in decode::STRIDES.into_iter().zip(&mut places) {
        let cells = (side / stride as usize).pow(2);
        for ((kind, columns), place) in decode::OUTPUTS.into_iter().zip(row) {
            let expected_name = format!("{kind}_{stride}");
            let expected_shape = vec![1, cells, columns];
            *place = outputs
                .iter()
                .position(|o| o.name == expected_name && o.shape == expected_shape)
                .ok_or_else(|| DetectorError::NotYunet {
                    path: onnx.to_owned(),
                    expected_name,
                    expected_shape,
                    found: listed(outputs),
                })?;
        }
    }
    Ok(places)
}

fn listed(outputs: &[OutputFact]) -> String {
    outputs
        .iter()
        .map(|output| format!("{} {:?}", output.name, output.shape))
        .collect::<Vec<_>>()
        .join(", ")
}
