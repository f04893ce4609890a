//! The operators a network is made of, and the shape of what each gives.
//!
//! `Op` is matched without a wildcard everywhere, so a new operator is a compile error in each
//! backend (torch, ONNX, reference) until it is handled there.

pub use super::parameter::{Parameter, Role};
use super::shape::{Shape, ShapeError};
pub use super::window::{Padding, Window};

/// Epsilon of batch normalization, added to the variance. PyTorch's default.
pub const BATCH_NORM_EPSILON: f32 = 1e-5;
/// Lower bound of the norm in [`Op::L2Normalize`], so that an all-zero vector stays finite.
pub const L2_EPSILON: f32 = 1e-12;
/// Added to the sum of squares in [`Op::L2Pool`], so that the square root has a slope at a window
/// of zeros, as ReLUs leave them; small enough that such a window gives no more than 1e-6.
pub const L2_POOL_EPSILON: f32 = 1e-12;

/// A 2-D convolution (cross-correlation, as every framework means it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Output feature maps.
    pub out_channels: usize,
    /// The window; padding is with zeros.
    pub window: Window,
    /// Channel groups; equal to the input channels in a depthwise convolution.
    pub groups: usize,
    /// Whether a bias is added (left out where a batch normalization follows).
    pub bias: bool,
}

impl Conv {
    /// Whether it has no padding to begin with, as a global convolution, so that its window may
    /// find no room in the maps of a smaller face.
    pub fn covers_maps(&self) -> bool {
        self.window.kernel > 1 && self.window.padding == Padding::even(0)
    }
}

/// Local response normalization across channels, with ONNX's meaning of `alpha`:
/// `y = x / (bias + alpha / size * sum of x^2 over the window)^beta`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lrn {
    /// Channels in the window, odd: frameworks disagree on even ones.
    pub size: usize,
    /// Scale of the sum, divided by `size`.
    pub alpha: f32,
    /// Exponent. Only 0.75, for which the export needs no power: see `onnx::operator`.
    pub beta: f32,
    /// Constant term.
    pub bias: f32,
}

/// One operator of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The network's input: a normalized face.
    Face(Shape),
    /// Convolution.
    Conv(Conv),
    /// Fully connected layer over a vector.
    Linear {
        /// Output values.
        out: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// Fully connected layer of which each output is the largest of `pieces` linear functions
    /// (Goodfellow et al., "Maxout Networks", 2013).
    Maxout {
        /// Output values.
        out: usize,
        /// Linear functions for each; piece by piece in the weights, so that those of one piece
        /// lie together.
        pieces: usize,
        /// Whether a bias is added.
        bias: bool,
    },
    /// Batch normalization per channel, folded into the convolution or linear layer before it at
    /// export.
    BatchNorm,
    /// Local response normalization.
    Lrn(Lrn),
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0) + slope * min(x, 0)`, one slope per channel.
    PRelu,
    /// Largest value of each window; padding never wins.
    MaxPool(Window),
    /// L2 norm of each window, a sum and no mean; padding counts as zero.
    L2Pool(Window),
    /// Mean of each map: an average pool whose window covers the map, whatever its size.
    GlobalAveragePool,
    /// Maps of equal size one after the other, in the order of the inputs.
    Concat,
    /// Sum of two equal shapes.
    Add,
    /// Maps to a vector, channel by channel, row by row.
    Flatten,
    /// Zeroes values with this probability while training, the identity at inference.
    Dropout {
        /// Probability of zeroing, 0 to 1.
        probability: f32,
    },
    /// Scales each face's vector to unit length.
    L2Normalize,
}

impl Op {
    /// The same layer with a bias, if it is one that may have one.
    pub fn with_bias(&self) -> Op {
        match self {
            Op::Conv(conv) => Op::Conv(Conv {
                bias: true,
                ..*conv
            }),
            Op::Linear { out, .. } => Op::Linear {
                out: *out,
                bias: true,
            },
            Op::Face(_)
            | Op::Maxout { .. }
            | Op::BatchNorm
            | Op::Lrn(_)
            | Op::Relu
            | Op::PRelu
            | Op::MaxPool(_)
            | Op::L2Pool(_)
            | Op::GlobalAveragePool
            | Op::Concat
            | Op::Add
            | Op::Flatten
            | Op::Dropout { .. }
            | Op::L2Normalize => self.clone(),
        }
    }

    /// The operator's name as printed.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Face(_) => "Face",
            Op::Conv(conv) if conv.groups > 1 => "DepthwiseConv",
            Op::Conv(_) => "Conv",
            Op::Linear { .. } => "Linear",
            Op::Maxout { .. } => "Maxout",
            Op::BatchNorm => "BatchNorm",
            Op::Lrn(_) => "Lrn",
            Op::Relu => "Relu",
            Op::PRelu => "PRelu",
            Op::MaxPool(_) => "MaxPool",
            Op::L2Pool(_) => "L2Pool",
            Op::GlobalAveragePool => "GlobalAveragePool",
            Op::Concat => "Concat",
            Op::Add => "Add",
            Op::Flatten => "Flatten",
            Op::Dropout { .. } => "Dropout",
            Op::L2Normalize => "L2Normalize",
        }
    }

    /// The output shape for these inputs.
    ///
    /// # Errors
    /// A [`ShapeError`] naming `layer` if the inputs do not fit the operator.
    pub fn infer(&self, layer: &str, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let refuse = |expected: String| ShapeError {
            layer: layer.to_owned(),
            op: self.name(),
            expected,
            found: match inputs {
                [] => "none".to_owned(),
                _ => inputs
                    .iter()
                    .map(Shape::to_string)
                    .collect::<Vec<_>>()
                    .join(" and "),
            },
        };
        let one = || match inputs {
            [shape] => Ok(*shape),
            _ => Err(refuse("one input".to_owned())),
        };
        let vector = || match one()? {
            shape if shape.height == 1 && shape.width == 1 => Ok(shape),
            _ => Err(refuse("a vector (Cx1x1)".to_owned())),
        };
        match self {
            Op::Face(shape) => match inputs {
                [] => Ok(*shape),
                _ => Err(refuse("no input".to_owned())),
            },
            Op::Conv(conv) => {
                let input = one()?;
                if conv.groups == 0
                    || input.channels % conv.groups != 0
                    || conv.out_channels % conv.groups != 0
                {
                    return Err(refuse(format!(
                        "input and output channels divisible by {} groups",
                        conv.groups
                    )));
                }
                let (height, width) = conv.window.slide(&input).ok_or_else(|| {
                    refuse(format!(
                        "an input of at least {} pixels",
                        conv.window.kernel
                    ))
                })?;
                Ok(Shape {
                    channels: conv.out_channels,
                    height,
                    width,
                })
            }
            Op::MaxPool(window) | Op::L2Pool(window) => {
                let input = one()?;
                let (height, width) = window.slide(&input).ok_or_else(|| {
                    refuse(format!("an input of at least {} pixels", window.kernel))
                })?;
                Ok(Shape {
                    channels: input.channels,
                    height,
                    width,
                })
            }
            Op::Linear { out, .. } => vector().map(|_| Shape::vector(*out)),
            Op::Maxout { pieces: 0, .. } => Err(refuse("at least one piece".to_owned())),
            Op::Maxout { out, .. } => vector().map(|_| Shape::vector(*out)),
            Op::GlobalAveragePool => one().map(|input| Shape::vector(input.channels)),
            Op::Concat => match inputs {
                [first, rest @ ..]
                    if rest.iter().all(|shape| {
                        (shape.height, shape.width) == (first.height, first.width)
                    }) =>
                {
                    Ok(Shape {
                        channels: inputs.iter().map(|shape| shape.channels).sum(),
                        ..*first
                    })
                }
                _ => Err(refuse("maps of one size".to_owned())),
            },
            Op::L2Normalize => vector(),
            Op::Flatten => one().map(|input| Shape::vector(input.volume())),
            Op::Lrn(lrn) if lrn.size % 2 == 0 => Err(refuse("an odd window".to_owned())),
            Op::Lrn(lrn) if lrn.beta != 0.75 => Err(refuse("beta 0.75".to_owned())),
            Op::Lrn(_) | Op::BatchNorm | Op::Relu | Op::PRelu | Op::Dropout { .. } => one(),
            Op::Add => match inputs {
                [a, b] if a == b => Ok(*a),
                _ => Err(refuse("two equal shapes".to_owned())),
            },
        }
    }
}
