//! What trainer and device agree on, bit for bit: the one path from a picture to a decision.
//!
//! | step | from → to | room |
//! |---|---|---|
//! | 1 | picture file or bytes → [`Frame`] | [`picture`], [`frame`] |
//! | 2 | frame → [`Detection`]: box, score, five [`Landmarks`] | [`detector`] over [`inference`] |
//! | 3 | frame and landmarks → [`AlignedFace`], RGB8 side x side | [`align`], by the recipe in [`preprocessing`] |
//! | 4 | aligned face → [`FaceTensor`], f32 3 x side x side | [`normalize`], by the same recipe |
//! | 5 | tensor → [`Embedding`], a unit vector | [`embedder`] over [`inference`] |
//! | 6 | two embeddings → [`SquaredL2`], 0 to 4 | [`distance`] |
//! | 7 | probe, [`Gallery`], [`Threshold`] → [`Decision`] | [`gallery`], [`operating_point`] |
//!
//! Beside the path stands [`quality`]: whether a detected face is worth comparing, and if not, why.
//!
//! [`Pipeline`] walks steps 2 to 5; trainer and device both call it, and nothing else turns a
//! picture into an embedding. Two contracts lie on disk: [`ModelManifest`] beside every ONNX file
//! (digest, recipe, operating points) and the gallery file ([`gallery::format`]). A [`ModelId`],
//! the digest of weights and recipe, ties them: templates of another model are refused, never
//! compared.
//!
//! # Conventions
//! - Frame and face coordinates are in pixels, x to the right and y down, with the center of the
//!   top left pixel at (0, 0): the convention of the ArcFace template and of OpenCV's warps.
//! - A transform is named from right to left: `frame_from_face` maps face pixels to frame pixels.
//! - Only [`inference`] imports `tract_onnx`.
//! - `Debug` of pictures, tensors, embeddings and identities shows sizes, never their content, so
//!   that no face and no name can reach a log by accident.
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![deny(missing_docs)]

pub mod align;
pub mod atomic_file;
#[cfg(feature = "inference")]
pub mod detector;
pub mod distance;
#[cfg(feature = "inference")]
pub mod embedder;
pub mod embedding;
pub mod file_lock;
pub mod frame;
pub mod gallery;
pub mod gallery_size;
pub mod geometry;
#[cfg(feature = "inference")]
pub mod inference;
pub mod interval;
pub mod landmarks;
pub mod manifest;
pub mod model_id;
pub mod normalize;
pub mod operating_point;
pub mod picture;
#[cfg(feature = "inference")]
pub mod pipeline;
pub mod preprocessing;
#[cfg(feature = "inference")]
pub mod quality;
pub mod resize;

pub use align::{AlignError, AlignedFace, Similarity};
#[cfg(feature = "inference")]
pub use detector::{Detection, Detector, DetectorError};
pub use distance::{DistanceError, SquaredL2};
#[cfg(feature = "inference")]
pub use embedder::{Embedder, EmbedderError};
pub use embedding::{Embedding, EmbeddingError};
pub use frame::{Frame, FrameError};
pub use gallery::{Decision, Gallery, GalleryError, Identity, IdentityId, Nearest};
pub use geometry::{Point, Rect};
#[cfg(feature = "inference")]
pub use inference::{InferenceError, OnnxFile, OnnxModel};
pub use landmarks::Landmarks;
pub use manifest::{ManifestError, ModelManifest, TrainingData};
pub use model_id::ModelId;
pub use normalize::FaceTensor;
pub use operating_point::{OperatingPoint, Threshold, ThresholdError};
pub use picture::PictureError;
#[cfg(feature = "inference")]
pub use pipeline::{Pipeline, PipelineError};
pub use preprocessing::{Alignment, ColorOrder, Preprocessing, Resampling};
