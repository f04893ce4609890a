//! Collects nodes and constants of an ONNX graph and turns them into the file's bytes.

use prost::Message;

use super::proto;
use crate::network::shape::Shape;

/// ONNX's IR version 8 and operator set 13: everything needed exists there, and every runtime of
/// the last years reads it.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 13;
/// Name of the batch, the one extent that the file leaves open.
const BATCH: &str = "N";

/// A tensor of the graph being written.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Its name in the file.
    pub(super) name: String,
    /// Its extents without the batch.
    pub(super) shape: Shape,
    /// How the file lays it out.
    pub(super) layout: Layout,
}

/// How a tensor lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// [N, C, H, W].
    Maps,
    /// [N, C].
    Vector,
}

impl Value {
    /// Extents by which one constant per channel broadcasts over this tensor.
    pub(super) fn per_channel(&self) -> Vec<usize> {
        match self.layout {
            Layout::Maps => vec![self.shape.channels, 1, 1],
            Layout::Vector => vec![self.shape.channels],
        }
    }

    fn extents(&self) -> Vec<usize> {
        match self.layout {
            Layout::Maps => vec![self.shape.channels, self.shape.height, self.shape.width],
            Layout::Vector => vec![self.shape.channels],
        }
    }

    fn info(&self) -> proto::ValueInfo {
        let batch = proto::Extent::Symbol(BATCH.to_owned());
        let extents = self
            .extents()
            .into_iter()
            .map(|e| proto::Extent::Value(e as i64));
        let dim = std::iter::once(batch).chain(extents);
        let shape = proto::TensorShape {
            dim: dim.map(|e| proto::Dimension { extent: Some(e) }).collect(),
        };
        let tensor = proto::TensorType {
            elem_type: proto::FLOAT,
            shape: Some(shape),
        };
        proto::ValueInfo {
            name: self.name.clone(),
            kind: Some(proto::Type {
                tensor: Some(tensor),
            }),
        }
    }
}

/// An attribute holding one integer.
pub(super) fn int(name: &str, value: usize) -> proto::Attribute {
    proto::Attribute {
        name: name.to_owned(),
        i: Some(value as i64),
        kind: proto::INT,
        ..proto::Attribute::default()
    }
}

/// An attribute holding a list of integers.
pub(super) fn ints(name: &str, values: &[usize]) -> proto::Attribute {
    proto::Attribute {
        name: name.to_owned(),
        ints: values.iter().map(|value| *value as i64).collect(),
        kind: proto::INTS,
        ..proto::Attribute::default()
    }
}

/// A graph in the making.
#[derive(Debug, Default)]
pub(super) struct Writer {
    nodes: Vec<proto::Node>,
    constants: Vec<proto::Tensor>,
}

impl Writer {
    /// Adds an operator; its output is called `output`, and so is the node.
    pub(super) fn node(
        &mut self,
        op_type: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<proto::Attribute>,
    ) {
        self.nodes.push(proto::Node {
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op_type.to_owned(),
            attribute,
        });
    }

    /// Whether a node of that name is already there.
    fn has(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.name == name)
    }

    /// Adds a constant tensor.
    pub(super) fn constant(&mut self, name: &str, extents: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.initializer(name, extents, proto::FLOAT, bytes.collect());
    }

    fn initializer(&mut self, name: &str, extents: &[usize], data_type: i32, bytes: Vec<u8>) {
        self.constants.push(proto::Tensor {
            dims: extents.iter().map(|extent| *extent as i64).collect(),
            data_type,
            name: name.to_owned(),
            raw_data: Some(bytes),
            ..proto::Tensor::default()
        });
    }

    /// The same values as [N, C, H, W]: as they are, or a vector's as maps of one pixel.
    pub(super) fn maps(&mut self, value: &Value) -> Value {
        let name = match value.layout {
            Layout::Maps => return value.clone(),
            Layout::Vector => format!("{}/maps", value.name),
        };
        if !self.has(&name) {
            let axes = format!("{name}/axes");
            let bytes = [2i64, 3].into_iter().flat_map(i64::to_le_bytes);
            self.initializer(&axes, &[2], proto::INT64, bytes.collect());
            self.node("Unsqueeze", &[&value.name, &axes], &name, Vec::new());
        }
        Value {
            name,
            shape: value.shape,
            layout: Layout::Maps,
        }
    }

    /// The same values as [N, C]: as they are, or through a `Flatten`.
    pub(super) fn vector(&mut self, value: &Value) -> Value {
        let name = match value.layout {
            Layout::Vector => return value.clone(),
            Layout::Maps => format!("{}/vector", value.name),
        };
        if !self.has(&name) {
            self.node("Flatten", &[&value.name], &name, vec![int("axis", 1)]);
        }
        Value {
            name,
            shape: Shape::vector(value.shape.volume()),
            layout: Layout::Vector,
        }
    }

    /// The file's bytes, for a graph that leads from `input` to `output`.
    pub(super) fn finish(self, name: &str, doc: &str, input: &Value, output: &Value) -> Vec<u8> {
        let graph = proto::Graph {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.constants,
            input: vec![input.info()],
            output: vec![output.info()],
        };
        let model = proto::Model {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: doc.to_owned(),
            graph: Some(graph),
            opset_import: vec![proto::OperatorSet {
                domain: Some(String::new()),
                version: OPERATOR_SET,
            }],
        };
        model.encode_to_vec()
    }
}
