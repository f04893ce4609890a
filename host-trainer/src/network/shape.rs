//! The shape of one face's activations, and what is said when layers do not fit.

use std::fmt;

/// Channels x height x width of one face's activations; the batch is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Feature maps.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A shape of `channels` square maps.
    pub fn square(channels: usize, side: usize) -> Self {
        Self {
            channels,
            height: side,
            width: side,
        }
    }

    /// A shape of `channels` single values: a vector.
    pub fn vector(channels: usize) -> Self {
        Self::square(channels, 1)
    }

    /// Values in one face's activations.
    pub fn volume(&self) -> usize {
        self.channels * self.height * self.width
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Two layers that do not fit, or a layer that fits nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer}: {op} expects {expected}, found {found}")]
pub struct ShapeError {
    /// The node's name.
    pub layer: String,
    /// The operator.
    pub op: &'static str,
    /// What the operator takes.
    pub expected: String,
    /// What it was given.
    pub found: String,
}
