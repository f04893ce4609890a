//! MobileFaceNet: the network for the device, about a million parameters; and one of a third.
//!
//! Chen, Liu, Gao, Han, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification
//! on Mobile Devices" (arXiv:1804.07573), Table 1. Batch normalization everywhere, PReLU, and a
//! global depthwise convolution in place of global pooling, so that the middle of the face counts
//! for more than its rim.

use super::Spec;
use super::builder::Builder;
use super::graph::{LayerGraph, NodeId};
use super::op::{Op, Window};
use super::shape::{Shape, ShapeError};

/// Side of the face, in pixels.
const SIDE_PX: usize = 112;

/// A row of bottlenecks: expansion, output channels, repeats, stride of the first.
type Stage = (usize, usize, usize, usize);

/// Table 1's bottlenecks.
const TABLE_1: [Stage; 5] = [
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
];

/// Ours: half the channels of Table 1 (three quarters in the last maps, where they cost least)
/// and five bottlenecks less.
const SMALL: [Stage; 5] = [
    (2, 32, 3, 2),
    (4, 64, 1, 2),
    (2, 64, 4, 1),
    (4, 96, 1, 2),
    (2, 96, 2, 1),
];

/// MobileFaceNet.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn mobilefacenet(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("mobilefacenet", 64, &TABLE_1, 512, spec)
}

/// A MobileFaceNet for the weakest boards, with a table of our own: 0.3 M parameters, less than a
/// quarter of the multiply-adds.
///
/// # Errors
/// A [`ShapeError`] only if the table does not fit together.
pub fn mobilefacenet_small(spec: &Spec) -> Result<LayerGraph, ShapeError> {
    network("mobilefacenet-small", 32, &SMALL, 256, spec)
}

/// Table 1 with these bottlenecks between `first` and `last` channels.
fn network(
    name: &str,
    first: usize,
    stages: &[Stage],
    last: usize,
    spec: &Spec,
) -> Result<LayerGraph, ShapeError> {
    let mut body = Builder::new(name, Shape::square(3, SIDE_PX), spec, true);
    let (face, channels) = (body.face(), body.scaled(first));
    let x = body.full("conv1", face, channels, 3, 2)?;
    let x = body.prelu("conv1", x)?;
    let x = body.depthwise("conv2", x, Window::centered(3, 1))?;
    let mut x = body.prelu("conv2", x)?;
    for (stage, (expansion, channels, repeats, stride)) in stages.iter().copied().enumerate() {
        let channels = body.scaled(channels);
        for block in 0..repeats {
            let name = format!("stage{}.block{}", stage + 1, block + 1);
            let stride = if block == 0 { stride } else { 1 };
            x = bottleneck(&mut body, &name, x, expansion, channels, stride)?;
        }
    }
    let channels = body.scaled(last);
    let x = body.full("conv3", x, channels, 1, 1)?;
    let x = body.prelu("conv3", x)?;
    let side = body.shape(x).height;
    let x = body.depthwise("global", x, Window::covering(side))?;
    let x = body.push("flatten", Op::Flatten, &[x])?;
    let x = body.project_normed("linear", x, spec.dimension)?;
    body.finish(x)
}

/// Expand by 1x1, filter by depthwise 3x3, project by 1x1 without activation; added to the
/// input where the shapes agree.
fn bottleneck(
    body: &mut Builder,
    name: &str,
    input: NodeId,
    expansion: usize,
    out_channels: usize,
    stride: usize,
) -> Result<NodeId, ShapeError> {
    let entering = body.shape(input);
    let (expand, filter) = (format!("{name}.expand"), format!("{name}.filter"));
    let x = body.full(&expand, input, entering.channels * expansion, 1, 1)?;
    let x = body.prelu(&expand, x)?;
    let x = body.depthwise(&filter, x, Window::centered(3, stride))?;
    let x = body.prelu(&filter, x)?;
    let x = body.full(&format!("{name}.project"), x, out_channels, 1, 1)?;
    if body.shape(x) == entering {
        body.push(&format!("{name}.add"), Op::Add, &[x, input])
    } else {
        Ok(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_what_table_1_adds_up_to() {
        // Counted apart from this code: trained values with batch norm and slopes.
        let graph = mobilefacenet(&Spec::new("mobilefacenet")).unwrap();
        assert_eq!(graph.parameter_count(), 1_003_136);
        assert_eq!(graph.multiply_adds(), 220_965_376);
        assert_eq!(graph.dimension(), 128);
        let small = mobilefacenet_small(&Spec::new("mobilefacenet-small")).unwrap();
        assert_eq!(small.parameter_count(), 301_056);
        assert_eq!(small.multiply_adds(), 47_768_960);
    }
}
