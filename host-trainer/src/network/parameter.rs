//! The tensors of each operator, and what it costs to compute.

use super::op::Op;
use super::shape::Shape;

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
    /// The operator's tensors for that input shape, in a fixed order.
    pub fn parameters(&self, input: Shape) -> Vec<Parameter> {
        let zeros = |name, count| Parameter::new(name, &[count], Role::Constant(0.0));
        let linear = |rows: usize, bias: bool| {
            let fan_in = input.volume();
            let role = Role::Weight { fan_in };
            let mut list = vec![Parameter::new("weight", &[rows, fan_in], role)];
            if bias {
                list.push(zeros("bias", rows));
            }
            list
        };
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
            Op::Linear { out, bias } => linear(*out, *bias),
            Op::Maxout { out, pieces, bias } => linear(out * pieces, *bias),
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
            | Op::L2Pool(_)
            | Op::GlobalAveragePool
            | Op::Concat
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
            Op::Maxout { out, pieces, .. } => (input.volume() * out * pieces) as u64,
            Op::Face(_)
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
            | Op::L2Normalize => 0,
        }
    }
}
