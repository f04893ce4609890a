//! Finds faces and their five landmarks in a frame by YuNet.
//!
//! YuNet (Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector") as OpenCV's model
//! zoo ships it, `face_detection_yunet_2023mar.onnx`. The frame is scaled down until its long side
//! fits, never up, and padded with black at the right and at the bottom. The network's input has the
//! frame's aspect: as wide or high as asked for along the frame's long side, along the other one as
//! few cells of 32 pixels as the frame needs. So 1280 x 720 become 320 x 192, not 320 x 320.

pub mod decode;
mod letterbox;
pub mod suppression;

use std::path::{Path, PathBuf};

use crate::frame::Frame;
use crate::geometry::Rect;
use crate::inference::{Crew, InferenceError, OnnxFile, OnnxModel, OutputFact};
use crate::landmarks::Landmarks;
use decode::StrideOutputs;
use letterbox::{InputSize, Letterbox};

/// Long side of the detector's input that suits a kiosk: faces of 1/15 of the frame's long side up.
pub const DEFAULT_SIDE_PX: u32 = 320;
/// Least score of a detection (0.6 is the default of YuNet's authors).
pub const MIN_SCORE: f32 = 0.6;
/// Overlap from which the weaker of two boxes is dropped (OpenCV's default).
pub const MAX_IOU: f32 = 0.3;
/// Input sizes that a detector keeps ready. A camera needs one, a folder of photos some: upright
/// and not, at the usual aspects.
const MOST_READY: usize = 6;
/// Input sizes are multiples of this, the widest stride.
const CELL_PX: u32 = 32;

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

/// YuNet for frames of any size, made ready for a size when a frame first needs it.
pub struct Detector {
    path: PathBuf,
    file: OnnxFile,
    crew: Crew,
    side_px: u32,
    /// The last used first, [`MOST_READY`] at most.
    ready: Vec<Ready>,
}

/// The network, ready for one input size.
struct Ready {
    size: InputSize,
    model: OnnxModel,
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
    /// Loads YuNet for inputs whose long side is `side_px` pixels, whatever size its file was
    /// written for.
    ///
    /// # Errors
    /// [`DetectorError`] when the file cannot be read, is no YuNet, or the side is no multiple of
    /// 32 from 32 to 4096.
    pub fn load(onnx: &Path, side_px: u32) -> Result<Detector, DetectorError> {
        Self::load_for(onnx, side_px, &Crew::default())
    }

    /// The same, to be run by several threads: detections are the same to the last bit.
    ///
    /// # Errors
    /// As [`Detector::load`].
    pub fn load_for(onnx: &Path, side_px: u32, crew: &Crew) -> Result<Detector, DetectorError> {
        if side_px == 0 || !side_px.is_multiple_of(CELL_PX) || side_px > 4096 {
            return Err(DetectorError::Side { found: side_px });
        }
        let bytes = std::fs::read(onnx).map_err(|source| DetectorError::Read {
            path: onnx.to_owned(),
            source,
        })?;
        let model_error = |source| DetectorError::Model {
            path: onnx.to_owned(),
            source,
        };
        let file = OnnxFile::parse(&bytes).map_err(model_error)?;
        // Another network is to be noticed here, not at the first frame.
        let square = InputSize {
            width_px: side_px,
            height_px: side_px,
        };
        let outputs = file.outputs(&square.shape()).map_err(model_error)?;
        places(&outputs, square, onnx)?;
        Ok(Detector {
            path: onnx.to_owned(),
            file,
            crew: crew.clone(),
            side_px,
            ready: Vec::new(),
        })
    }

    /// The long side of the network's input, in pixels.
    pub fn side_px(&self) -> u32 {
        self.side_px
    }

    /// The faces in a frame, best score first, in frame pixels.
    ///
    /// The first frame of a size takes some tens of milliseconds more.
    ///
    /// # Errors
    /// [`DetectorError::Run`] when the network fails, [`DetectorError::Model`] when it does not run
    /// at this frame's size.
    pub fn detect(&mut self, frame: &Frame) -> Result<Vec<Detection>, DetectorError> {
        let letterbox = Letterbox::new(frame, self.side_px);
        let size = letterbox.input_size();
        let Ready { model, places, .. } = self.ready(size)?;
        let places = *places;
        let found = model.run_with(
            |input| letterbox.fill(frame, input),
            |outputs| {
                let mut found = Vec::new();
                for (stride, places) in decode::STRIDES.into_iter().zip(places) {
                    let [class, object, bounds, landmarks] = places.map(|place| outputs[place]);
                    let stride_outputs = StrideOutputs {
                        class,
                        object,
                        bounds,
                        landmarks,
                    };
                    let columns = size.width_px / stride;
                    decode::decode(stride, columns, &stride_outputs, MIN_SCORE, &mut found);
                }
                found
            },
        )?;
        let kept = suppression::suppress(found, MAX_IOU);
        Ok(kept
            .into_iter()
            .map(|detection| letterbox.to_frame(&detection))
            .collect())
    }

    /// The network for an input size, made ready if it is not.
    fn ready(&mut self, size: InputSize) -> Result<&mut Ready, DetectorError> {
        let at = self.ready.iter().position(|ready| ready.size == size);
        let ready = match at {
            Some(at) => self.ready.remove(at),
            None => {
                let model = self
                    .file
                    .prepare_for(&size.shape(), &self.crew)
                    .map_err(|source| DetectorError::Model {
                        path: self.path.clone(),
                        source,
                    })?;
                let places = places(model.outputs(), size, &self.path)?;
                self.ready.truncate(MOST_READY - 1);
                Ready {
                    size,
                    model,
                    places,
                }
            }
        };
        self.ready.insert(0, ready);
        Ok(&mut self.ready[0])
    }
}

/// Finds the twelve outputs by name and checks their shapes.
fn places(
    outputs: &[OutputFact],
    size: InputSize,
    onnx: &Path,
) -> Result<[[usize; 4]; 3], DetectorError> {
    let mut places = [[0; 4]; 3];
    for (stride, row) in decode::STRIDES.into_iter().zip(&mut places) {
        let cells = (size.width_px / stride * (size.height_px / stride)) as usize;
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
