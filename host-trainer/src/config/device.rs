//! Which device a config asks for.

use serde::{Deserialize, Serialize};

/// The device that training is asked to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU (of those that CUDA_VISIBLE_DEVICES leaves).
    Cuda,
}
