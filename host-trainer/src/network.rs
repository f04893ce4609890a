//! Networks as data: one description that training, export and the reference all walk.

pub mod graph;
pub mod mobilefacenet;
pub mod nn1;
pub mod op;
pub mod shape;

use graph::LayerGraph;
use shape::ShapeError;

/// The embedding dimension of the paper and of every network here unless asked otherwise.
pub const DEFAULT_DIMENSION: usize = 128;

/// Why no network could be built from a name.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The name is none of [`NAMES`].
    #[error("unknown network {found:?}: expected one of {}", NAMES.join(", "))]
    UnknownName {
        /// The name asked for.
        found: String,
    },
    /// The description does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// The names [`build`] knows.
pub const NAMES: [&str; 2] = ["nn1", "mobilefacenet"];

/// The network of that name with embeddings of `dimension` values.
///
/// # Errors
/// [`NetworkError::UnknownName`] if the name is not in [`NAMES`].
pub fn build(name: &str, dimension: usize) -> Result<LayerGraph, NetworkError> {
    match name {
        "nn1" => Ok(nn1::nn1(dimension, 1.0)?),
        "mobilefacenet" => Ok(mobilefacenet::mobilefacenet(dimension, 1.0)?),
        _ => Err(NetworkError::UnknownName {
            found: name.to_owned(),
        }),
    }
}
