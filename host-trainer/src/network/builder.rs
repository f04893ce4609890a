//! What the networks are put together with: layers under the options of a [`Spec`].

use super::Spec;
use super::graph::{LayerGraph, NodeId};
use super::op::{Conv, Lrn, Op, Padding, Window};
use super::shape::{Shape, ShapeError};

/// The notebook's TensorFlow constants (`depth_radius=1, bias=1, alpha=2e-5, beta=0.75`) with
/// ONNX's meaning of alpha, which is divided by the window: 2e-5 * 3. The paper gives none.
const LRN: Lrn = Lrn {
    size: 3,
    alpha: 6e-5,
    beta: 0.75,
    bias: 1.0,
};

/// A graph in the making.
#[derive(Debug)]
pub(super) struct Builder {
    graph: LayerGraph,
    width: f64,
    batch_norm: bool,
}

impl Builder {
    /// A network that so far only takes a face; `batch_norm` is the network's own habit, which
    /// the spec may overrule.
    pub(super) fn new(name: &str, face: Shape, spec: &Spec, batch_norm: bool) -> Self {
        Self {
            graph: LayerGraph::new(name, face),
            width: spec.width,
            batch_norm: spec.batch_norm.unwrap_or(batch_norm),
        }
    }

    /// The face.
    pub(super) fn face(&self) -> NodeId {
        self.graph.face()
    }

    /// Shape of a node's output.
    pub(super) fn shape(&self, id: NodeId) -> Shape {
        self.graph.node(id).shape
    }

    /// A table's number of channels or units at this width; at least one.
    pub(super) fn scaled(&self, channels: usize) -> usize {
        ((channels as f64 * self.width).round() as usize).max(1)
    }

    /// Any operator.
    pub(super) fn push(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[NodeId],
    ) -> Result<NodeId, ShapeError> {
        self.graph.push(name, op, inputs)
    }

    /// A window that keeps `1 / stride` of the input, padded after TensorFlow's SAME.
    pub(super) fn same(&self, input: NodeId, kernel: usize, stride: usize) -> Window {
        Window {
            kernel,
            stride,
            padding: Padding::same(self.shape(input), kernel, stride),
        }
    }

    /// A convolution with batch normalization, or with a bias in its place.
    pub(super) fn conv(
        &mut self,
        name: &str,
        input: NodeId,
        out_channels: usize,
        window: Window,
        groups: usize,
    ) -> Result<NodeId, ShapeError> {
        let conv = Conv {
            out_channels,
            window,
            groups,
            bias: !self.batch_norm,
        };
        let x = self.push(name, Op::Conv(conv), &[input])?;
        self.norm(name, x)
    }

    /// A convolution over all channels: a stem, and every 1x1.
    pub(super) fn full(
        &mut self,
        name: &str,
        input: NodeId,
        out_channels: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<NodeId, ShapeError> {
        let window = Window::centered(kernel, stride);
        self.conv(name, input, out_channels, window, 1)
    }

    /// A convolution of each channel by itself.
    pub(super) fn depthwise(
        &mut self,
        name: &str,
        input: NodeId,
        window: Window,
    ) -> Result<NodeId, ShapeError> {
        let channels = self.shape(input).channels;
        self.conv(name, input, channels, window, channels)
    }

    /// The PReLU of the layer called `name`.
    pub(super) fn prelu(&mut self, name: &str, input: NodeId) -> Result<NodeId, ShapeError> {
        self.push(&format!("{name}.prelu"), Op::PRelu, &[input])
    }

    /// A convolution by [`Builder::same`] and a ReLU; `channels` are the table's.
    pub(super) fn conv_relu(
        &mut self,
        name: &str,
        input: NodeId,
        channels: usize,
        kernel: usize,
        stride: usize,
    ) -> Result<NodeId, ShapeError> {
        let (channels, window) = (self.scaled(channels), self.same(input, kernel, stride));
        let x = self.conv(name, input, channels, window, 1)?;
        self.push(&format!("{name}.relu"), Op::Relu, &[x])
    }

    /// Batch normalization of the layer called `name`, if there is to be any.
    fn norm(&mut self, name: &str, x: NodeId) -> Result<NodeId, ShapeError> {
        if self.batch_norm {
            self.push(&format!("{name}.norm"), Op::BatchNorm, &[x])
        } else {
            Ok(x)
        }
    }

    /// The paper's 3x3 max pool of stride 2.
    pub(super) fn max_pool(&mut self, name: &str, input: NodeId) -> Result<NodeId, ShapeError> {
        let window = self.same(input, 3, 2);
        self.push(name, Op::MaxPool(window), &[input])
    }

    /// The paper's "norm": local response normalization.
    pub(super) fn response_norm(
        &mut self,
        name: &str,
        input: NodeId,
    ) -> Result<NodeId, ShapeError> {
        self.push(name, Op::Lrn(LRN), &[input])
    }

    /// A linear layer with a bias to the embedding's values; no activation follows.
    pub(super) fn project(
        &mut self,
        name: &str,
        input: NodeId,
        dimension: usize,
    ) -> Result<NodeId, ShapeError> {
        let linear = Op::Linear {
            out: dimension,
            bias: true,
        };
        self.push(name, linear, &[input])
    }

    /// The same with batch normalization, or with a bias in its place.
    pub(super) fn project_normed(
        &mut self,
        name: &str,
        input: NodeId,
        dimension: usize,
    ) -> Result<NodeId, ShapeError> {
        let linear = Op::Linear {
            out: dimension,
            bias: !self.batch_norm,
        };
        let x = self.push(name, linear, &[input])?;
        self.norm(name, x)
    }

    /// The network, whose embedding is `x` at unit length.
    pub(super) fn finish(mut self, x: NodeId) -> Result<LayerGraph, ShapeError> {
        self.push("embedding", Op::L2Normalize, &[x])?;
        Ok(self.graph)
    }
}
