//! Trains FaceNet-style embedders, exports them to ONNX, measures them: the rooms behind
//! `usher-train`.

#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test's panic is its report")
)]

#[cfg(all(test, feature = "torch"))]
mod agreement;
pub mod cluster;
pub mod command;
pub mod config;
pub mod dataset;
pub mod doctor;
pub mod drawing;
pub mod embeddings;
pub mod evaluation;
pub mod explore;
pub mod history;
pub mod model_card;
pub mod model_files;
pub mod network;
pub mod onnx;
pub mod parallel;
pub mod plot;
pub mod preparation;
pub mod reference;
pub mod run;
#[cfg(test)]
#[path = "../../shared/tests/skip/mod.rs"]
mod skip;
pub mod study;
pub mod teacher;
pub mod telemetry;
#[cfg(feature = "torch")]
pub mod torch;
pub mod triplet;
pub mod tsne;
pub mod validation;
pub mod verification;
pub mod weights;
