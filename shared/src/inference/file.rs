//! An ONNX file, read once from front to back: large weights go straight to where they stay.
//!
//! A file is a protobuf message whose field `graph` holds a field `initializer` for every weight. All of
//! it is kept as it is but for the numbers of large weights, which become tensors at once: a network is
//! mostly those, and would else be in memory as a file, as a message and as tensors. tract is told that the
//! graph has such weights as inputs, and finds constants in their place.

use std::io::{self, Read};

use tract_onnx::pb::{
    GraphProto, ModelProto, TensorShapeProto, TypeProto, ValueInfoProto, tensor_shape_proto,
    type_proto,
};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::{InferenceFact, TypedFact, bail};
use tract_onnx::tract_hir::ops::konst::Const;

use super::InferenceError;

/// Bytes of an initializer from which on its numbers are taken out.
const LARGE: u64 = 256 * 1024;
/// Bytes that are turned into numbers at a time.
const PIECE: usize = 64 * 1024;

/// Keys of fields, as the file has them: number and kind.
const GRAPH_OF_MODEL: u64 = 7 << 3 | DELIMITED;
const INITIALIZER_OF_GRAPH: u64 = 5 << 3 | DELIMITED;
const TYPE_OF_TENSOR: u64 = 2 << 3 | VARINT;
const BYTES_OF_TENSOR: u64 = 9 << 3 | DELIMITED;

/// Kinds of fields.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const DELIMITED: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// What a file holds; nothing of it is understood yet but where its weights lie.
pub struct OnnxParts {
    /// The message without the numbers of its large weights.
    message: Vec<u8>,
    /// Large weights: which of the graph's initializers, and its numbers in a row.
    weights: Vec<(usize, Tensor)>,
    bytes: u64,
}

impl OnnxParts {
    /// Reads a file of so many bytes, all of them.
    ///
    /// # Errors
    /// [`InferenceError::Parse`] when reading fails, or the bytes are no protobuf message.
    pub fn read(source: impl Read, bytes: u64) -> Result<OnnxParts, InferenceError> {
        let mut fields = Fields {
            source,
            left: bytes,
        };
        let mut parts = OnnxParts {
            message: vec![],
            weights: vec![],
            bytes,
        };
        let read = parts.model(&mut fields);
        read.map(|()| parts).map_err(|error| InferenceError::Parse {
            found_bytes: bytes,
            reason: error.to_string(),
        })
    }

    fn model(&mut self, fields: &mut Fields<impl Read>) -> io::Result<()> {
        let mut has_graph = false;
        while let Some(key) = fields.key()? {
            if key == GRAPH_OF_MODEL {
                // Protobuf would join two, and weights are told by their places in one.
                if std::mem::replace(&mut has_graph, true) {
                    return Err(io::Error::other("several graphs"));
                }
                let graph = fields.message(|fields| self.graph(fields))?;
                put(&mut self.message, GRAPH_OF_MODEL, &graph);
            } else {
                fields.copy(key, &mut self.message)?;
            }
        }
        Ok(())
    }

    fn graph(&mut self, fields: &mut Fields<impl Read>) -> io::Result<Vec<u8>> {
        let (mut graph, mut initializers) = (vec![], 0);
        while let Some(key) = fields.key()? {
            if key == INITIALIZER_OF_GRAPH {
                let initializer = fields.message(|fields| {
                    let large = fields.left >= LARGE;
                    let (rest, numbers) = tensor(fields, large)?;
                    self.weights.extend(numbers.map(|n| (initializers, n)));
                    Ok(rest)
                })?;
                put(&mut graph, INITIALIZER_OF_GRAPH, &initializer);
                initializers += 1;
            } else {
                fields.copy(key, &mut graph)?;
            }
        }
        Ok(graph)
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The network, as tract understands the file.
    pub(super) fn into_model(self) -> TractResult<InferenceModel> {
        let onnx = tract_onnx::onnx()
            .with_ignore_output_shapes(true)
            .with_ignore_value_info(true);
        let mut file = onnx.proto_model_for_read(&mut &*self.message)?;
        // Written last by most exporters: a file cut behind its graph still parses, and tract would guess
        // the meaning of its operators.
        if file.opset_import.is_empty() {
            bail!("no operator set is named");
        }
        let weights = take_weights(&mut file, self.weights)?;
        let mut model = onnx.model_for_proto_model(&file)?;
        for (name, tensor) in weights {
            let outlet = OutletId::new(model.node_by_name(&name)?.id, 0);
            let tensor = tensor.into_arc_tensor();
            let fact = InferenceFact::from(TypedFact::try_from(tensor.clone())?);
            model.inputs.retain(|input| *input != outlet);
            model.node_mut(outlet.node).op = Box::new(Const::new(tensor)?);
            model.set_outlet_fact(outlet, fact)?;
        }
        Ok(model)
    }
}

/// The field `initializer` of a graph: what it holds, without its numbers where they are taken out.
fn tensor(fields: &mut Fields<impl Read>, large: bool) -> io::Result<(Vec<u8>, Option<Tensor>)> {
    let (mut rest, mut kind, mut numbers) = (vec![], None, None);
    while let Some(key) = fields.key()? {
        if key == TYPE_OF_TENSOR {
            let value = fields.varint()?;
            put_varint(&mut rest, key);
            put_varint(&mut rest, value);
            kind = Some(value);
        } else if large && key == BYTES_OF_TENSOR && kind == Some(FLOAT) && numbers.is_none() {
            let len = fields.length()?;
            numbers = Some(fields.numbers(len)?);
        } else {
            fields.copy(key, &mut rest)?;
        }
    }
    Ok((rest, numbers))
}

/// Turns the initializers whose numbers were taken out into inputs: their names and tensors.
fn take_weights(
    file: &mut ModelProto,
    weights: Vec<(usize, Tensor)>,
) -> TractResult<Vec<(String, Tensor)>> {
    let Some(GraphProto {
        initializer, input, ..
    }) = &mut file.graph
    else {
        bail!("no graph");
    };
    let mut named = vec![];
    // From the last to the first, so that places stay.
    for (at, numbers) in weights.into_iter().rev() {
        if at >= initializer.len() {
            bail!("a weight without its initializer");
        }
        let weight = initializer.remove(at);
        let extents = weight.dims.iter().map(|&extent| usize::try_from(extent));
        let extents = extents.collect::<Result<Vec<_>, _>>()?;
        let found = numbers.len();
        let tensor = numbers.into_shape(&extents).map_err(|error| {
            error.context(format!("{}: {found} numbers for {extents:?}", weight.name))
        })?;
        input.retain(|input| input.name != weight.name);
        input.push(declaration(&weight.name, &weight.dims));
        named.push((weight.name, tensor));
    }
    Ok(named)
}

/// An input of floats of a fixed shape.
fn declaration(name: &str, extents: &[i64]) -> ValueInfoProto {
    let dim = |&extent: &i64| tensor_shape_proto::Dimension {
        value: Some(tensor_shape_proto::dimension::Value::DimValue(extent)),
        ..Default::default()
    };
    let tensor = type_proto::Tensor {
        elem_type: FLOAT as i32,
        shape: Some(TensorShapeProto {
            dim: extents.iter().map(dim).collect(),
        }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The fields of a message that has so many bytes left.
struct Fields<R> {
    source: R,
    left: u64,
}

impl<R: Read> Fields<R> {
    /// The next field's key; none at the message's end.
    fn key(&mut self) -> io::Result<Option<u64>> {
        (self.left > 0).then(|| self.varint()).transpose()
    }

    /// An integer of up to ten bytes, seven bits in each, the lowest first.
    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.fill(&mut byte)?;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(io::Error::other("an integer of more than ten bytes"))
    }

    /// The length of a field, which is within the message.
    fn length(&mut self) -> io::Result<usize> {
        let length = self.varint()?;
        if length > self.left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        usize::try_from(length).map_err(io::Error::other)
    }

    /// Reads a field that is a message itself.
    fn message<T>(
        &mut self,
        read: impl FnOnce(&mut Fields<&mut dyn Read>) -> io::Result<T>,
    ) -> io::Result<T> {
        let length = self.length()? as u64;
        self.left -= length;
        read(&mut Fields {
            source: &mut self.source,
            left: length,
        })
    }

    /// Copies a field as it is.
    fn copy(&mut self, key: u64, to: &mut Vec<u8>) -> io::Result<()> {
        put_varint(to, key);
        let length = match key & 7 {
            VARINT => {
                put_varint(to, self.varint()?);
                return Ok(());
            }
            EIGHT_BYTES => 8,
            FOUR_BYTES => 4,
            DELIMITED => {
                let length = self.length()?;
                put_varint(to, length as u64);
                length
            }
            _ => return Err(io::Error::other("a field of unknown kind")),
        };
        let from = to.len();
        to.resize(from + length, 0);
        self.fill(&mut to[from..])
    }

    /// So many bytes as f32 in a row.
    fn numbers(&mut self, len: usize) -> io::Result<Tensor> {
        if !len.is_multiple_of(4) {
            return Err(io::Error::other("a weight of broken numbers"));
        }
        let mut tensor = Tensor::zero::<f32>(&[len / 4]).map_err(io::Error::other)?;
        let mut view = tensor.try_as_plain_ram_mut().map_err(io::Error::other)?;
        let numbers = view.as_slice_mut::<f32>().map_err(io::Error::other)?;
        let mut bytes = [0; PIECE];
        for numbers in numbers.chunks_mut(PIECE / 4) {
            let bytes = &mut bytes[..4 * numbers.len()];
            self.fill(bytes)?;
            for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *number = f32::from_le_bytes(*bytes);
            }
        }
        Ok(tensor)
    }

    /// The message's next bytes.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        if length > self.left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.source.read_exact(bytes)?;
        self.left -= length;
        Ok(())
    }
}

/// Writes a field that is a message.
fn put(to: &mut Vec<u8>, key: u64, message: &[u8]) {
    put_varint(to, key);
    put_varint(to, message.len() as u64);
    to.extend(message);
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
