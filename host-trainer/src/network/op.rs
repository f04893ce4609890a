//! The operators a network is made of: shape inference, parameters and cost, in this one place.
//!
//! `Op` is matched without a wildcard everywhere, so a new operator is a compile error in each
//! backend (torch, ONNX, reference) until it is handled there.

use super::shape::{Shape, ShapeError};

/// Epsilon of batch normalization, added to the variance. PyTorch's default.
pub const BATCH_NORM_EPSILON: f32 = 1e-5;
/// Lower bound of the norm in [`Op::L2Normalize`], so that an all-zero vector stays finite.
pub const L2_EPSILON: f32 = 1e-12;

/// Rows and columns of padding, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns before.
    pub left: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns after.
    pub right: usize,
}

impl Padding {
    /// The same on all four sides.
    pub fn even(side: usize) -> Self {
        Self {
            top: side,
            left: side,
            bottom: side,
            right: side,
        }
    }

    /// TensorFlow's SAME (ONNX's SAME_UPPER): output = ceil(input / stride), and where the total
    /// is odd the extra row goes below and the extra column after. The notebook's rule.
    pub fn same(input: Shape, kernel: usize, stride: usize) -> Self {
        let total = |extent: usize| {
            let out = extent.div_ceil(stride);
            ((out - 1) * stride + kernel).saturating_sub(extent)
        };
        let (rows, columns) = (total(input.height), total(input.width));
        Self {
            top: rows / 2,
            left: columns / 2,
            bottom: rows - rows / 2,
            right: columns - columns / 2,
        }
    }

    /// Whether all four sides are equal, which frameworks pad without a copy.
    pub fn is_even(&self) -> bool {
        self.top == self.left && self.top == self.bottom && self.top == self.right
    }
}

/// A sliding square window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Side of the window, in pixels.
    pub kernel: usize,
    /// Step, in pixels.
    pub stride: usize,
    /// Padding around the input.
    pub padding: Padding,
}

impl Window {
    fn slide(&self, input: &Shape) -> Option<(usize, usize)> {
        let extent = |size: usize, before: usize, after: usize| {
            (size + before + after)
                .checked_sub(self.kernel)
                .map(|rest| rest / self.stride + 1)
        };
        Some((
            extent(input.height, self.padding.top, self.padding.bottom)?,
            extent(input.width, self.padding.left, self.padding.right)?,
        ))
    }
}

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

/// What a parameter is, which decides its first value and whether the optimizer moves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Multiplies activations; drawn from a normal distribution of variance 2 / `fan_in` (He).
    Weight {
        /// Inputs that meet in one output.
        fan_in: usize,
    },
    /// A value each element starts from: biases 0, scales 1, slopes 0.25.
    Constant(f32),
    /// A running statistic of the data, not trained and not counted as a parameter.
    Statistic(f32),
}

/// One named tensor of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name inside the node, such as `weight`; the tensor is `<node>.<name>`.
    pub name: &'static str,
    /// Extents, outermost first.
    pub extents: Vec<usize>,
    /// What it is.
    pub role: Role,
}

impl Parameter {
    fn new(name: &'static str, extents: &[usize], role: Role) -> Self {
        Self {
            name,
            extents: extents.to_vec(),
            role,
        }
    }

    /// Number of values.
    pub fn volume(&self) -> usize {
        self.extents.iter().product()
    }
}

impl Op {
    /// The operator's name as printed.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Face(_) => "Face",
            Op::Conv(conv) if conv.groups > 1 => "DepthwiseConv",
            Op::Conv(_) => "Conv",
            Op::Linear { .. } => "Linear",
            Op::BatchNorm => "BatchNorm",
            Op::Lrn(_) => "Lrn",
            Op::Relu => "Relu",
            Op::PRelu => "PRelu",
            Op::MaxPool(_) => "MaxPool",
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
            Op::MaxPool(window) => {
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

    /// The operator's tensors for that input shape, in a fixed order.
    pub fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let zeros = |name, count| Parameter::new(name, &[count], Role::Constant(0.0));
        match self {
            Op::Conv(conv) => {
                let (kernel, depth) = (conv.window.kernel, input.channels / conv.groups);
                let fan_in = depth * kernel * kernel;
                let extents = [conv.out_channels, depth, kernel, kernel];
                let mut list = vec![Parameter::new("weight", &extents, Role::Weight { fan_in })];
                if conv.bias {
                    list.push(zeros("bias", conv.out_channels));
                }
                list
            }
            Op::Linear { out, bias } => {
                let fan_in = input.volume();
                let mut list = vec![Parameter::new(
                    "weight",
                    &[*out, fan_in],
                    Role::Weight { fan_in },
                )];
                if *bias {
                    list.push(zeros("bias", *out));
                }
                list
            }
            Op::BatchNorm => vec![
                Parameter::new("weight", &[input.channels], Role::Constant(1.0)),
                zeros("bias", input.channels),
                Parameter::new("running_mean", &[input.channels], Role::Statistic(0.0)),
                Parameter::new("running_var", &[input.channels], Role::Statistic(1.0)),
            ],
            Op::PRelu => vec![Parameter::new(
                "slope",
                &[input.channels],
                Role::Constant(0.25),
            )],
            Op::Face(_)
            | Op::Lrn(_)
            | Op::Relu
            | Op::MaxPool(_)
            | Op::Add
            | Op::Flatten
            | Op::Dropout { .. }
            | Op::L2Normalize => Vec::new(),
        }
    }

    /// Multiply-adds for one face: those of convolutions and linear layers, as the paper counts.
    pub fn multiply_adds(&self, input: Shape, output: Shape) -> u64 {
        match self {
            Op::Conv(conv) => {
                let taps = conv.window.kernel * conv.window.kernel * input.channels / conv.groups;
                (output.volume() * taps) as u64
            }
            Op::Linear { out, .. } => (input.volume() * out) as u64,
            Op::Face(_)
            | Op::BatchNorm
            | Op::Lrn(_)
            | Op::Relu
            | Op::PRelu
            | Op::MaxPool(_)
            | Op::Add
            | Op::Flatten
            | Op::Dropout { .. }
            | Op::L2Normalize => 0,
        }
    }
}
