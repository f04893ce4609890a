//! MobileFaceNet: the network for the device, about a million parameters.
//!
//! Chen, Liu, Gao, Han, "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification
//! on Mobile Devices" (arXiv:1804.07573), Table 1. Batch normalization everywhere, PReLU, and a
//! global depthwise convolution in place of global pooling, so that the middle of the face counts
//! for more than its rim.

use super::graph::{LayerGraph, NodeId};
use super::op::{Conv, Op, Padding, Window};
use super::shape::{Shape, ShapeError};

/// Side of the face, in pixels.
const SIDE_PX: usize = 112;

/// Table 1's bottlenecks: expansion, output channels, repeats, stride of the first.
const BOTTLENECKS: [(usize, usize, usize, usize); 5] = [
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
];

/// MobileFaceNet with channels scaled by `width` (1.0 is the paper's).
///
/// # Errors
/// A [`ShapeError`] if `width` leaves a layer without channels.
pub fn mobilefacenet(dimension: usize, width: f64) -> Result<LayerGraph, ShapeError> {
    let scaled = |channels: usize| ((channels as f64 * width).round() as usize).max(1);
    let mut body = Body {
        graph: LayerGraph::new("mobilefacenet", Shape::square(3, SIDE_PX)),
    };
    let face = body.graph.face();
    let x = body.pointwise_or_stem("conv1", face, scaled(64), 3, 2)?;
    let x = body.activate("conv1", x)?;
    let x = body.depthwise("conv2", x, 3, 1, 1)?;
    let mut x = body.activate("conv2", x)?;
    for (stage, (expansion, channels, repeats, stride)) in BOTTLENECKS.into_iter().enumerate() {
        for block in 0..repeats {
            let name = format!("stage{}.block{}", stage + 1, block + 1);
            let stride = if block == 0 { stride } else { 1 };
            x = body.bottleneck(&name, x, expansion, scaled(channels), stride)?;
        }
    }
    let x = body.pointwise_or_stem("conv3", x, scaled(512), 1, 1)?;
    let x = body.activate("conv3", x)?;
    let side = body.graph.node(x).shape.height;
    let x = body.depthwise("global", x, side, 1, 0)?;
    let x = body.graph.push("flatten", Op::Flatten, &[x])?;
    let linear = Op::Linear {
        out: dimension,
        bias: false,
    };
    let x = body.graph.push("linear", linear, &[x])?;
    let x = body.graph.push("linear.norm", Op::BatchNorm, &[x])?;
    body.graph.push("embedding", Op::L2Normalize, &[x])?;
    Ok(body.graph)
}

struct Body {
    graph: LayerGraph,
}

impl Body {
    fn conv(&mut self, name: &str, input: NodeId, conv: Conv) -> Result<NodeId, ShapeError> {
        let x = self.graph.push(name, Op::Conv(conv), &[input])?;
        self.graph
            .push(&format!("{name}.norm"), Op::BatchNorm, &[x])
    }

    /// A full convolution over all channels: the stem, and every 1x1.
    fn pointwise_or_stem(
        &mut self,
        name: &str,
        input: NodeId,
        out_channels: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<NodeId, ShapeError> {
        let window = Window {
            kernel,
            stride,
            padding: Padding::even(kernel / 2),
        };
        let conv = Conv {
            out_channels,
            window,
            groups: 1,
            bias: false,
        };
        self.conv(name, input, conv)
    }

    fn depthwise(
        &mut self,
        name: &str,
        input: NodeId,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Result<NodeId, ShapeError> {
        let channels = self.graph.node(input).shape.channels;
        let window = Window {
            kernel,
            stride,
            padding: Padding::even(padding),
        };
        let conv = Conv {
            out_channels: channels,
            window,
            groups: channels,
            bias: false,
        };
        self.conv(name, input, conv)
    }

    fn activate(&mut self, name: &str, input: NodeId) -> Result<NodeId, ShapeError> {
        self.graph
            .push(&format!("{name}.prelu"), Op::PRelu, &[input])
    }

    /// Expand by 1x1, filter by depthwise 3x3, project by 1x1 without activation; added to the
    /// input where the shapes agree.
    fn bottleneck(
        &mut self,
        name: &str,
        input: NodeId,
        expansion: usize,
        out_channels: usize,
        stride: usize,
    ) -> Result<NodeId, ShapeError> {
        let entering = self.graph.node(input).shape;
        let (expand, filter) = (format!("{name}.expand"), format!("{name}.filter"));
        let x = self.pointwise_or_stem(&expand, input, entering.channels * expansion, 1, 1)?;
        let x = self.activate(&expand, x)?;
        let x = self.depthwise(&filter, x, 3, stride, 1)?;
        let x = self.activate(&filter, x)?;
        let x = self.pointwise_or_stem(&format!("{name}.project"), x, out_channels, 1, 1)?;
        if self.graph.node(x).shape == entering {
            self.graph
                .push(&format!("{name}.add"), Op::Add, &[x, input])
        } else {
            Ok(x)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_what_table_1_adds_up_to() {
        // Counted apart from this code: trained values with batch norm and slopes.
        let graph = mobilefacenet(128, 1.0).unwrap();
        assert_eq!(graph.parameter_count(), 1_003_136);
        assert_eq!(graph.multiply_adds(), 220_965_376);
        assert_eq!(graph.dimension(), 128);
    }
}
