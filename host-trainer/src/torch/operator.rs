//! One operator of the network description, computed by libtorch.

use tch::{Device, Kind, Tensor};

use crate::network::op::{
    BATCH_NORM_EPSILON, Conv, L2_EPSILON, L2_POOL_EPSILON, Lrn, Op, Padding, Window,
};

/// What the network is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics are used and followed, dropout drops.
    Train,
    /// As [`Mode::Train`], but running statistics stay: the first of two passes over a batch.
    Rehearse,
    /// Running statistics are used, dropout is the identity.
    Inference,
}

/// Share of a new batch in the running statistics of batch normalization. PyTorch's default.
const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// Computes `op` over a batch: inputs [N, C, H, W] (or [N, C] after a flatten); `tensor` looks up
/// the node's tensors by their name inside the node.
pub fn apply(op: &Op, inputs: &[&Tensor], tensor: impl Fn(&str) -> Tensor, mode: Mode) -> Tensor {
    let x = inputs[0];
    let training = mode != Mode::Inference;
    match op {
        Op::Face(_) => x.shallow_clone(),
        Op::Conv(conv) => convolve(
            conv,
            x,
            &tensor("weight"),
            conv.bias.then(|| tensor("bias")),
        ),
        Op::Linear { bias, .. } => x.linear(&tensor("weight"), bias.then(|| tensor("bias"))),
        Op::Maxout { out, pieces, bias } => x
            .linear(&tensor("weight"), bias.then(|| tensor("bias")))
            .view([-1, *pieces as i64, *out as i64])
            .amax([1i64].as_slice(), false),
        Op::BatchNorm => {
            let statistic = |name| (mode != Mode::Rehearse).then(|| tensor(name));
            x.batch_norm(
                Some(tensor("weight")),
                Some(tensor("bias")),
                statistic("running_mean"),
                statistic("running_var"),
                training,
                BATCH_NORM_MOMENTUM,
                f64::from(BATCH_NORM_EPSILON),
                false,
            )
        }
        Op::Lrn(lrn) => normalize_locally(lrn, x),
        Op::Relu => x.relu(),
        Op::PRelu => prelu(x, &tensor("slope")),
        Op::MaxPool(window) => max_pool(window, x),
        Op::L2Pool(window) => l2_pool(window, x),
        Op::GlobalAveragePool => x.mean_dim([2i64, 3].as_slice(), true, x.kind()),
        Op::Concat => Tensor::cat(inputs, 1),
        Op::Add => x + inputs[1],
        Op::Flatten => x.flatten(1, -1),
        Op::Dropout { probability } => x.dropout(f64::from(*probability), training),
        Op::L2Normalize => {
            let norm = x.norm_scalaropt_dim(2.0, [1i64].as_slice(), true);
            x / norm.clamp_min(f64::from(L2_EPSILON))
        }
    }
}

fn convolve(conv: &Conv, x: &Tensor, weight: &Tensor, bias: Option<Tensor>) -> Tensor {
    let stride = conv.window.stride as i64;
    // On CPUs libtorch takes five times as long for the bf16 gradient of these as for that of f32.
    if x.kind() == Kind::BFloat16 && x.device() == Device::Cpu && conv.groups > 1 && stride > 1 {
        let wide = |tensor: &Tensor| tensor.to_kind(Kind::Float);
        let output = convolve(conv, &wide(x), &wide(weight), bias.as_ref().map(wide));
        return output.to_kind(Kind::BFloat16);
    }
    let (x, padding) = pad(&conv.window, x, 0.0);
    x.conv2d(
        weight,
        bias,
        [stride, stride],
        [padding, padding],
        [1, 1],
        conv.groups as i64,
    )
}

/// On CPUs the gradient of libtorch's own works on one number at a time: a third of a MobileNet's step. Of this one only
/// the negative part is kept for it.
fn prelu(x: &Tensor, slope: &Tensor) -> Tensor {
    if x.device() != Device::Cpu || !x.requires_grad() {
        return x.prelu(slope);
    }
    let mut channels = vec![1; x.dim()];
    channels[1] = -1;
    let lifted = (1.0f64 - slope).view(channels.as_slice());
    x.addcmul(&x.neg().relu(), &lifted)
}

fn max_pool(window: &Window, x: &Tensor) -> Tensor {
    let (x, padding) = pad(window, x, f64::NEG_INFINITY);
    let (kernel, stride) = (window.kernel as i64, window.stride as i64);
    x.max_pool2d(
        [kernel, kernel],
        [stride, stride],
        [padding, padding],
        [1, 1],
        false,
    )
}

fn l2_pool(window: &Window, x: &Tensor) -> Tensor {
    let (x, padding) = pad(window, x, 0.0);
    let (kernel, stride) = (window.kernel as i64, window.stride as i64);
    let sums = x.square().avg_pool2d(
        [kernel, kernel],
        [stride, stride],
        [padding, padding],
        false,
        true,
        Some(1), // divided by one: the sum
    );
    (sums + f64::from(L2_POOL_EPSILON)).sqrt()
}

/// Uneven padding is written out; even padding is left to the operator, which needs no copy.
fn pad(window: &Window, x: &Tensor, value: f64) -> (Tensor, i64) {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = window.padding;
    if window.padding.is_even() {
        (x.shallow_clone(), top as i64)
    } else {
        let sides = [left as i64, right as i64, top as i64, bottom as i64];
        (x.pad(sides, "constant", value), 0)
    }
}

/// libtorch has no operator for this. The sum over neighbouring channels is a 1x1 convolution of
/// the squares with a banded matrix: the fastest of the compositions tried.
fn normalize_locally(lrn: &Lrn, x: &Tensor) -> Tensor {
    let channels = x.size()[1];
    let radius = (lrn.size / 2) as i64;
    let options = (x.kind(), x.device());
    let scale = f64::from(lrn.alpha) / lrn.size as f64;
    let band = Tensor::ones([channels, channels], options)
        .triu(-radius)
        .tril(radius)
        * scale;
    let band = band.view([channels, channels, 1, 1]);
    let bias = Tensor::full([channels], f64::from(lrn.bias), options);
    let sum = x
        .square()
        .conv2d(&band, Some(bias), [1, 1], [0, 0], [1, 1], 1);
    // beta is 0.75 by construction: s^0.75 = sqrt(s) * sqrt(sqrt(s)), as the export has it.
    let root = sum.sqrt();
    x / (&root * root.sqrt())
}

/// Kind of every tensor of a network.
pub const KIND: Kind = Kind::Float;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_zeros_has_a_gradient() {
        let window = Window {
            kernel: 3,
            stride: 1,
            padding: Padding::even(1),
        };
        let mut x = Tensor::zeros([1, 1, 4, 8], (KIND, tch::Device::Cpu));
        let _ = x.narrow(3, 6, 2).fill_(2.0); // the other windows have nothing but zeros
        x = x.set_requires_grad(true);
        l2_pool(&window, &x).sum(KIND).backward();
        let slopes = Vec::<f32>::try_from(x.grad().contiguous().view(-1)).unwrap();
        assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
        assert_eq!((slopes[0], slopes[7] > 0.5), (0.0, true), "{slopes:?}");
    }

    /// Output, and gradients of input and parameter, for a gradient that differs everywhere.
    fn learnt(
        x: &Tensor,
        parameter: &Tensor,
        run: impl Fn(&Tensor, &Tensor) -> Tensor,
    ) -> [Tensor; 3] {
        let leaf = |tensor: &Tensor| tensor.detach().copy().set_requires_grad(true);
        let (x, parameter) = (leaf(x), leaf(parameter));
        let output = run(&x, &parameter);
        let weights = Tensor::linspace(-1.0, 1.0, output.numel() as i64, (KIND, Device::Cpu));
        (output.to_kind(KIND) * weights.view_as(&output))
            .sum(KIND)
            .backward();
        [output.detach(), x.grad(), parameter.grad()].map(|tensor| tensor.to_kind(KIND))
    }

    #[test]
    fn prelu_learns_as_libtorchs_own() {
        tch::manual_seed(3);
        let slope = Tensor::from_slice(&[0.25_f32, -0.5, 0.0]);
        for extents in [&[4, 3][..], &[2, 3, 4, 5]] {
            let x = Tensor::randn(extents, (KIND, Device::Cpu));
            let ours = learnt(&x, &slope, prelu);
            let libtorchs = learnt(&x, &slope, |x, slope| x.prelu(slope));
            for (ours, libtorchs) in ours.iter().zip(&libtorchs) {
                assert!(ours.allclose(libtorchs, 1e-5, 1e-5, false), "{extents:?}");
            }
        }
    }

    #[test]
    fn a_depthwise_step_of_two_in_bf16_learns_as_in_f32() {
        tch::manual_seed(4);
        let conv = Conv {
            out_channels: 8,
            window: Window {
                kernel: 3,
                stride: 2,
                padding: Padding::even(1),
            },
            groups: 8,
            bias: false,
        };
        let x = Tensor::randn([2, 8, 9, 9], (KIND, Device::Cpu));
        let weight = Tensor::randn([8, 1, 3, 3], (KIND, Device::Cpu));
        let narrow = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
        let (x, weight) = (narrow(&x), narrow(&weight));
        let run = |x: &Tensor, weight: &Tensor| convolve(&conv, x, weight, None);
        let wide = learnt(&x.to_kind(KIND), &weight.to_kind(KIND), |x, weight| {
            narrow(&run(x, weight))
        });
        // To the last bit: what is rounded is the result of f32.
        for (found, wide) in learnt(&x, &weight, run).iter().zip(&wide) {
            assert_eq!(*found, narrow(wide).to_kind(KIND));
        }
    }
}
