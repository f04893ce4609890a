//! NN1, the Zeiler-Fergus network with 1x1 convolutions: FaceNet, Table 1, as the notebook has it.

use super::graph::{LayerGraph, NodeId};
use super::op::{Conv, Lrn, Op, Padding, Window};
use super::shape::{Shape, ShapeError};

/// Side of the face, in pixels (Table 1).
const SIDE_PX: usize = 220;
/// The notebook's rate on both fully connected layers.
const DROPOUT: f32 = 0.5;
/// The notebook's TensorFlow constants (`depth_radius=1, bias=1, alpha=2e-5, beta=0.75`) with
/// ONNX's meaning of alpha, which is divided by the window: 2e-5 * 3.
const LRN: Lrn = Lrn {
    size: 3,
    alpha: 6e-5,
    beta: 0.75,
    bias: 1.0,
};

/// NN1 with channels and hidden units scaled by `width` (1.0 is the paper's; tests run the true
/// topology at a fraction).
///
/// A departure from the paper, after the notebook: `fc1` and `fc2` are 4096-wide ReLU layers with
/// dropout, where Table 1 has 32x128 maxout units of two; 71.86 M parameters instead of 140 M.
/// Another from the notebook: no ReLU and no dropout after the last 128 values, which are the
/// embedding.
///
/// # Errors
/// A [`ShapeError`] if `width` leaves a layer without channels.
pub fn nn1(dimension: usize, width: f64) -> Result<LayerGraph, ShapeError> {
    let scaled = |channels: usize| ((channels as f64 * width).round() as usize).max(1);
    let mut body = Body {
        graph: LayerGraph::new("nn1", Shape::square(3, SIDE_PX)),
    };
    let face = body.graph.face();
    let x = body.conv("conv1", face, scaled(64), 7, 2)?;
    let x = body.pool("pool1", x)?;
    let x = body.graph.push("rnorm1", Op::Lrn(LRN), &[x])?;
    let x = body.conv("conv2a", x, scaled(64), 1, 1)?;
    let x = body.conv("conv2", x, scaled(192), 3, 1)?;
    let x = body.graph.push("rnorm2", Op::Lrn(LRN), &[x])?;
    let x = body.pool("pool2", x)?;
    let x = body.conv("conv3a", x, scaled(192), 1, 1)?;
    let x = body.conv("conv3", x, scaled(384), 3, 1)?;
    let x = body.pool("pool3", x)?;
    let x = body.conv("conv4a", x, scaled(384), 1, 1)?;
    let x = body.conv("conv4", x, scaled(256), 3, 1)?;
    let x = body.conv("conv5a", x, scaled(256), 1, 1)?;
    let x = body.conv("conv5", x, scaled(256), 3, 1)?;
    let x = body.conv("conv6a", x, scaled(256), 1, 1)?;
    let x = body.conv("conv6", x, scaled(256), 3, 1)?;
    let x = body.pool("pool4", x)?;
    let x = body.graph.push("concat", Op::Flatten, &[x])?;
    let x = body.hidden("fc1", x, scaled(4096))?;
    let x = body.hidden("fc2", x, scaled(4096))?;
    let x = body.graph.push(
        "fc7128",
        Op::Linear {
            out: dimension,
            bias: true,
        },
        &[x],
    )?;
    body.graph.push("embedding", Op::L2Normalize, &[x])?;
    Ok(body.graph)
}

struct Body {
    graph: LayerGraph,
}

impl Body {
    fn window(&self, input: NodeId, kernel: usize, stride: usize) -> Window {
        Window {
            kernel,
            stride,
            padding: Padding::same(self.graph.node(input).shape, kernel, stride),
        }
    }

    fn conv(
        &mut self,
        name: &str,
        input: NodeId,
        out_channels: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<NodeId, ShapeError> {
        let conv = Conv {
            out_channels,
            window: self.window(input, kernel, stride),
            groups: 1,
            bias: true,
        };
        let x = self.graph.push(name, Op::Conv(conv), &[input])?;
        self.graph.push(&format!("{name}.relu"), Op::Relu, &[x])
    }

    fn pool(&mut self, name: &str, input: NodeId) -> Result<NodeId, ShapeError> {
        let window = self.window(input, 3, 2);
        self.graph.push(name, Op::MaxPool(window), &[input])
    }

    fn hidden(&mut self, name: &str, input: NodeId, out: usize) -> Result<NodeId, ShapeError> {
        let x = self
            .graph
            .push(name, Op::Linear { out, bias: true }, &[input])?;
        let x = self.graph.push(&format!("{name}.relu"), Op::Relu, &[x])?;
        let dropout = Op::Dropout {
            probability: DROPOUT,
        };
        self.graph.push(&format!("{name}.dropout"), dropout, &[x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_parameters_of_the_table() {
        let graph = nn1(128, 1.0).unwrap();
        assert_eq!(graph.parameter_count(), 71_860_032);
    }

    #[test]
    fn has_the_sizes_of_the_table() {
        let graph = nn1(128, 1.0).unwrap();
        let shape_of = |name: &str| {
            let node = graph.nodes().iter().find(|node| node.name == name);
            node.unwrap().shape.to_string()
        };
        for (layer, shape) in [
            ("conv1", "64x110x110"),
            ("pool1", "64x55x55"),
            ("conv2", "192x55x55"),
            ("pool2", "192x28x28"),
            ("conv3", "384x28x28"),
            ("pool3", "384x14x14"),
            ("conv4", "256x14x14"),
            ("conv6", "256x14x14"),
            ("pool4", "256x7x7"),
            ("concat", "12544x1x1"),
            ("fc1", "4096x1x1"),
            ("embedding", "128x1x1"),
        ] {
            assert_eq!(shape_of(layer), shape, "{layer}");
        }
    }

    #[test]
    fn convolutions_alone_cost_what_the_table_says() {
        let graph = nn1(128, 1.0).unwrap();
        let convolutions: u64 = graph
            .nodes()
            .iter()
            .filter(|node| matches!(node.op, Op::Conv(_)))
            .map(|node| graph.node_multiply_adds(node))
            .sum();
        assert_eq!(convolutions / 1_000_000, 1_469);
    }
}
