//! The layer graph: nodes in topological order, each with its inferred shape.

use super::op::{Op, Parameter, Role};
use super::shape::{Shape, ShapeError};

/// A node of the graph it was pushed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(usize);

impl NodeId {
    /// Position in [`LayerGraph::nodes`].
    pub fn index(self) -> usize {
        self.0
    }
}

/// One operator with its place in the graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique name, such as `conv2a`; prefixes the node's tensors.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Where its inputs come from, all earlier in the graph.
    pub inputs: Vec<NodeId>,
    /// Shape of its output.
    pub shape: Shape,
}

/// A network: from a normalized face to a unit embedding.
#[derive(Debug, Clone)]
pub struct LayerGraph {
    name: String,
    nodes: Vec<Node>,
}

/// A network of faces that are not square, which is how faces are cut so far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "network {network} takes faces {height} px high and {width} px wide: expected a square, as \
     faces are cut; choose another network"
)]
pub struct NotSquare {
    /// The network.
    pub network: String,
    /// Rows of its input.
    pub height: usize,
    /// Columns of its input.
    pub width: usize,
}

/// A tensor the network needs, with its full name.
#[derive(Debug, Clone)]
pub struct NamedParameter {
    /// `<node>.<parameter>`.
    pub name: String,
    /// Extents and role.
    pub parameter: Parameter,
}

impl LayerGraph {
    /// A graph that so far only takes a face of that shape.
    pub fn new(name: &str, face: Shape) -> Self {
        let node = Node {
            name: "face".to_owned(),
            op: Op::Face(face),
            inputs: Vec::new(),
            shape: face,
        };
        Self {
            name: name.to_owned(),
            nodes: vec![node],
        }
    }

    /// Adds a node that reads `inputs` and returns its id.
    ///
    /// # Errors
    /// A [`ShapeError`] if the inputs do not fit the operator or the name is taken.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        if self.nodes.iter().any(|node| node.name == name) {
            return Err(ShapeError {
                layer: name.to_owned(),
                op: op.name(),
                expected: "a name of its own".to_owned(),
                found: "a name already in the graph".to_owned(),
            });
        }
        let shapes: Vec<Shape> = inputs.iter().map(|id| self.node(*id).shape).collect();
        let shape = op.infer(name, &shapes)?;
        self.nodes.push(Node {
            name: name.to_owned(),
            op,
            inputs: inputs.to_vec(),
            shape,
        });
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The nodes, inputs before those that read them; the first is the face, the last the
    /// embedding.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node of that id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The id of the face.
    pub fn face(&self) -> NodeId {
        NodeId(0)
    }

    /// Shape of the face.
    pub fn input(&self) -> Shape {
        self.nodes[0].shape
    }

    /// Side of the square face, in pixels.
    ///
    /// # Errors
    /// [`NotSquare`] if the network takes others.
    pub fn side_px(&self) -> Result<u32, NotSquare> {
        let Shape { height, width, .. } = self.input();
        u32::try_from(width)
            .ok()
            .filter(|_| height == width)
            .ok_or_else(|| NotSquare {
                network: self.name.clone(),
                height,
                width,
            })
    }

    /// Values in the embedding.
    pub fn dimension(&self) -> usize {
        self.nodes.last().map_or(0, |node| node.shape.channels)
    }

    /// The first input's shape, or the node's own for the face.
    fn input_shape(&self, node: &Node) -> Shape {
        node.inputs
            .first()
            .map_or(node.shape, |id| self.node(*id).shape)
    }

    /// Whether faces of another side cannot be embedded: a fully connected layer reads whole maps.
    pub fn is_fixed_size(&self) -> bool {
        let reads_maps = |node: &Node| {
            let input = self.input_shape(node);
            node.op == Op::Flatten && (input.height > 1 || input.width > 1)
        };
        self.nodes.iter().any(reads_maps)
    }

    /// Whether training can embed square faces of that side: each layer has room for its window
    /// and keeps its tensors. A convolution that is to cover whole maps has smaller ones enlarged
    /// for it.
    ///
    /// # Errors
    /// A [`ShapeError`] naming the first layer that cannot.
    pub fn check_side(&self, side_px: u32) -> Result<(), ShapeError> {
        let mut shapes: Vec<Shape> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut inputs: Vec<Shape> = node.inputs.iter().map(|id| shapes[id.0]).collect();
            let made_for = self.input_shape(node);
            if let (Op::Conv(conv), Some(input)) = (&node.op, inputs.first_mut())
                && conv.covers_maps()
                && input.height < conv.window.kernel
            {
                *input = made_for;
            }
            let shape = match &node.op {
                Op::Face(face) => Shape::square(face.channels, side_px as usize),
                op => op.infer(&node.name, &inputs)?,
            };
            if let Some(input) = inputs.first()
                && node.op.parameters(*input) != node.op.parameters(made_for)
            {
                return Err(ShapeError {
                    layer: node.name.clone(),
                    op: node.op.name(),
                    expected: made_for.to_string(),
                    found: format!("{input} from a face of {side_px} px"),
                });
            }
            shapes.push(shape);
        }
        Ok(())
    }

    /// How many nodes, from the face on, there are up to the end of a layer or a block of layers:
    /// those up to the last called `layer`, or `layer` with more behind a dot. None if none is.
    pub fn nodes_up_to(&self, layer: &str) -> Option<usize> {
        let is_of = |node: &Node| {
            let rest = node.name.strip_prefix(layer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Some(self.nodes.iter().rposition(is_of)? + 1)
    }

    /// Whether any layer normalizes by the batch: its faces are then not independent of each
    /// other in training.
    pub fn has_batch_norm(&self) -> bool {
        self.nodes.iter().any(|node| node.op == Op::BatchNorm)
    }

    /// The index of the layer that `node` can be folded into, if it is a batch normalization and that
    /// layer's only reader.
    pub fn foldable_input(&self, node: &Node) -> Option<usize> {
        if node.op != Op::BatchNorm {
            return None;
        }
        let id = *node.inputs.first()?;
        let linear = matches!(self.node(id).op, Op::Conv(_) | Op::Linear { .. });
        let reads = |other: &Node| other.inputs.iter().filter(|input| **input == id).count();
        let readers: usize = self.nodes.iter().map(reads).sum();
        (linear && readers == 1).then_some(id.index())
    }

    /// Whether any layer drops values at random in training.
    pub fn has_dropout(&self) -> bool {
        let drops = |node: &Node| matches!(node.op, Op::Dropout { .. });
        self.nodes.iter().any(drops)
    }

    /// Tensors of one node.
    pub fn node_parameters(&self, node: &Node) -> Vec<Parameter> {
        node.op.parameters(self.input_shape(node))
    }

    /// Multiply-adds of one node for one face.
    pub fn node_multiply_adds(&self, node: &Node) -> u64 {
        node.op.multiply_adds(self.input_shape(node), node.shape)
    }

    /// Every tensor, in graph order.
    pub fn parameters(&self) -> Vec<NamedParameter> {
        let named = |node: &Node| -> Vec<NamedParameter> {
            let name_of = |parameter: &Parameter| format!("{}.{}", node.name, parameter.name);
            self.node_parameters(node)
                .into_iter()
                .map(|parameter| NamedParameter {
                    name: name_of(&parameter),
                    parameter,
                })
                .collect()
        };
        self.nodes.iter().flat_map(named).collect()
    }

    /// Trained values; running statistics are not counted.
    pub fn parameter_count(&self) -> u64 {
        count(self.parameters().iter().map(|named| &named.parameter))
    }

    /// Multiply-adds for one face.
    pub fn multiply_adds(&self) -> u64 {
        self.nodes
            .iter()
            .map(|node| self.node_multiply_adds(node))
            .sum()
    }
}

/// Trained values among these parameters.
pub fn count<'a>(parameters: impl IntoIterator<Item = &'a Parameter>) -> u64 {
    parameters
        .into_iter()
        .filter(|parameter| !matches!(parameter.role, Role::Statistic(_)))
        .map(|parameter| parameter.volume() as u64)
        .sum()
}
