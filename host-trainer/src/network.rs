//! Networks as data: one description that training, export and the reference all walk.

mod builder;
pub mod graph;
mod inception;
pub mod mobilefacenet;
pub mod mobilenet;
pub mod nn1;
pub mod nn2;
pub mod nns;
pub mod op;
mod parameter;
pub mod shape;
mod window;

use std::ops::RangeInclusive;

use graph::LayerGraph;
use shape::ShapeError;

/// The embedding dimension of the paper and of every network here unless asked otherwise.
pub const DEFAULT_DIMENSION: usize = 128;
/// The embedding dimensions that can be asked for: those of the paper's Table 5.
pub const DIMENSIONS: RangeInclusive<usize> = 64..=512;
/// The widths that can be asked for.
pub const WIDTHS: RangeInclusive<f64> = 0.01..=4.0;

/// Why no network could be built from a spec.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The name is none of [`NAMES`].
    #[error("unknown network {found:?}: expected one of {}", NAMES.join(", "))]
    UnknownName {
        /// The name asked for.
        found: String,
    },
    /// The dimension is outside [`DIMENSIONS`].
    #[error(
        "embedding dimension of {network}: expected {} to {}, found {found}",
        DIMENSIONS.start(),
        DIMENSIONS.end()
    )]
    Dimension {
        /// The network.
        network: String,
        /// The dimension asked for.
        found: usize,
    },
    /// The width is outside [`WIDTHS`].
    #[error(
        "width of {network}: expected a factor of {} to {}, found {found}",
        WIDTHS.start(),
        WIDTHS.end()
    )]
    Width {
        /// The network.
        network: String,
        /// The width asked for.
        found: f64,
    },
    /// The description does not fit together.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Which network, and what of it can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    /// One of [`NAMES`].
    pub name: String,
    /// Values in an embedding, in [`DIMENSIONS`].
    pub dimension: usize,
    /// Whether batch normalization follows each convolution; none is the network's own habit.
    pub batch_norm: Option<bool>,
    /// Factor of every table's channels and hidden units, in [`WIDTHS`].
    pub width: f64,
}

impl Spec {
    /// The network of that name as its paper has it.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            dimension: DEFAULT_DIMENSION,
            batch_norm: None,
            width: 1.0,
        }
    }
}

/// The names [`build`] knows.
pub const NAMES: [&str; 12] = [
    "nn1",
    "nn1-maxout",
    "nn2",
    "nn3",
    "nn4",
    "nns1",
    "nns2",
    "mobilefacenet",
    "mobilefacenet-small",
    "mobilenet",
    "mobilenet-slim",
    "mobilenet-tiny",
];

/// The network of that spec.
///
/// # Errors
/// A [`NetworkError`] saying which part of the spec cannot be had.
pub fn build(spec: &Spec) -> Result<LayerGraph, NetworkError> {
    let description = match spec.name.as_str() {
        "nn1" => nn1::nn1,
        "nn1-maxout" => nn1::nn1_maxout,
        "nn2" => nn2::nn2,
        "nn3" => nn2::nn3,
        "nn4" => nn2::nn4,
        "nns1" => nns::nns1,
        "nns2" => nns::nns2,
        "mobilefacenet" => mobilefacenet::mobilefacenet,
        "mobilefacenet-small" => mobilefacenet::mobilefacenet_small,
        "mobilenet" => mobilenet::mobilenet,
        "mobilenet-slim" => mobilenet::mobilenet_slim,
        "mobilenet-tiny" => mobilenet::mobilenet_tiny,
        _ => {
            return Err(NetworkError::UnknownName {
                found: spec.name.clone(),
            });
        }
    };
    if !DIMENSIONS.contains(&spec.dimension) {
        return Err(NetworkError::Dimension {
            network: spec.name.clone(),
            found: spec.dimension,
        });
    }
    if !WIDTHS.contains(&spec.width) {
        return Err(NetworkError::Width {
            network: spec.name.clone(),
            found: spec.width,
        });
    }
    Ok(description(spec)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_builds_a_network_of_that_name() {
        for name in NAMES {
            for batch_norm in [None, Some(true), Some(false)] {
                let spec = Spec {
                    dimension: 64,
                    width: 0.25,
                    batch_norm,
                    ..Spec::new(name)
                };
                let graph = build(&spec).unwrap();
                assert_eq!((graph.name(), graph.dimension()), (name, 64));
                if let Some(batch_norm) = batch_norm {
                    assert_eq!(graph.has_batch_norm(), batch_norm, "{name}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_had_is_named() {
        let spec = |name: &str| Spec::new(name);
        let wide = |width| Spec {
            width,
            ..Spec::new("nn4")
        };
        let long = |dimension| Spec {
            dimension,
            ..Spec::new("nn4")
        };
        for (spec, expected) in [
            (spec("nn9"), "nn1, nn1-maxout"),
            (long(63), "expected 64 to 512, found 63"),
            (long(513), "found 513"),
            (wide(0.0), "expected a factor of 0.01 to 4, found 0"),
            (wide(f64::NAN), "found NaN"),
            (wide(f64::INFINITY), "found inf"),
        ] {
            let error = build(&spec).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn only_hidden_layers_over_maps_fix_the_size_of_the_face() {
        for (name, fixed) in [("nn1", true), ("nn1-maxout", true), ("nn4", false)] {
            assert_eq!(build(&Spec::new(name)).unwrap().is_fixed_size(), fixed);
        }
        assert!(!build(&Spec::new("mobilefacenet")).unwrap().is_fixed_size());
    }

    #[test]
    fn faces_too_small_or_too_large_for_a_layer_are_told_from_others() {
        for (name, right, wrong) in [
            ("nn4", [32, 64, 128], [16, 31].as_slice()),
            ("mobilefacenet", [16, 64, 112], &[128]),
            ("mobilenet-slim", [112, 112, 112], &[64, 128]),
            ("nn1", [220, 220, 220], &[112, 256]),
        ] {
            let graph = build(&Spec::new(name)).unwrap();
            for side in right {
                assert_eq!(graph.check_side(side), Ok(()), "{name} at {side}");
            }
            for side in wrong {
                assert!(graph.check_side(*side).is_err(), "{name} at {side}");
            }
        }
        let error = build(&Spec::new("nn4")).unwrap().check_side(31);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("inception4e"), "{error}");
    }

    #[test]
    fn only_the_notebooks_network_drops() {
        for name in NAMES {
            let graph = build(&Spec::new(name)).unwrap();
            assert_eq!(graph.has_dropout(), name == "nn1", "{name}");
        }
    }
}
