//! `usher-train`: trains FaceNet-style embedders, exports them, measures them.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test's panic is its report")
)]

#[cfg(test)]
mod agreement;
mod file;
mod network;
mod onnx;
mod reference;
mod weights;

fn main() {}
