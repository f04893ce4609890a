//! An ONNX file, read once from front to back: large weights go straight to where they stay.
//!
//! A file is a protobuf message whose field `graph` holds a field `initializer` for every weight. All of
//! it is kept as it is but for the numbers of large weights, which become tensors at once: a network is
//! mostly those, and would else be in memory as a file, as a message and as tensors. tract is told that the
//! graph has such weights as inputs, and finds constants in their place.
//!
//! That is for weights of f32 in bytes (`raw_data`), as all exporters write them; weights of other numbers,
//! or in the field `float_data`, stay in the message.

use std::collections::HashSet;
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
/// `TensorProto.DataLocation.DEFAULT`.
const IN_THE_FILE: i32 = 0;

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
        OnnxParts::read_taking_out(source, bytes, LARGE)
    }

    /// The same, with initializers of so many bytes taken out.
    fn read_taking_out(
        source: impl Read,
        bytes: u64,
        large: u64,
    ) -> Result<OnnxParts, InferenceError> {
        let mut fields = Fields {
            source,
            left: bytes,
        };
        let mut parts = OnnxParts {
            message: vec![],
            weights: vec![],
            bytes,
        };
        let read = parts.model(&mut fields, large);
        read.map(|()| parts).map_err(|error| InferenceError::Parse {
            found_bytes: bytes,
            reason: error.to_string(),
        })
    }

    fn model(&mut self, fields: &mut Fields<impl Read>, large: u64) -> io::Result<()> {
        let mut has_graph = false;
        while let Some(key) = fields.key()? {
            if key == GRAPH_OF_MODEL {
                // Protobuf would join two, and weights are told by their places in one.
                if std::mem::replace(&mut has_graph, true) {
                    return Err(io::Error::other("several graphs"));
                }
                let graph = fields.message(|fields| self.graph(fields, large))?;
                put(&mut self.message, GRAPH_OF_MODEL, &graph);
            } else {
                fields.copy(key, &mut self.message)?;
            }
        }
        Ok(())
    }

    fn graph(&mut self, fields: &mut Fields<impl Read>, large: u64) -> io::Result<Vec<u8>> {
        let (mut graph, mut initializers) = (vec![], 0);
        while let Some(key) = fields.key()? {
            if key == INITIALIZER_OF_GRAPH {
                let initializer = fields.message(|fields| {
                    let large = fields.left >= large;
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
        drop(self.message);
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
        } else if key == BYTES_OF_TENSOR && numbers.is_some() {
            // Protobuf would take the last.
            return Err(io::Error::other("an initializer with numbers twice"));
        } else if large && key == BYTES_OF_TENSOR && kind == Some(FLOAT) {
            match fields.length()? {
                0 => put(&mut rest, key, &[]),
                len => numbers = Some(fields.numbers(len)?),
            }
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
    let mut names = HashSet::new();
    if let Some(twice) = initializer
        .iter()
        .find(|weight| !names.insert(&*weight.name))
    {
        bail!(
            "initializer {}: expected a name of its own, found it twice; export the network anew",
            twice.name
        );
    }
    let mut named = vec![];
    // From the last to the first, so that places stay.
    for (at, numbers) in weights.into_iter().rev() {
        if at >= initializer.len() {
            bail!("a weight without its initializer");
        }
        let weight = initializer.remove(at);
        // What came behind its numbers may give it another meaning.
        if weight.data_type != FLOAT as i32
            || !weight.float_data.is_empty()
            || weight.data_location.unwrap_or(IN_THE_FILE) != IN_THE_FILE
        {
            bail!(
                "initializer {}: expected its numbers once, found them told in two ways; export the network anew",
                weight.name
            );
        }
        let extents = weight.dims.iter().map(|&extent| usize::try_from(extent));
        let extents: Vec<usize> = extents.map_while(Result::ok).collect();
        // tract multiplies extents as they are, and a product that wraps would pass.
        let expected = extents
            .iter()
            .try_fold(1, |product: usize, &extent| product.checked_mul(extent));
        if extents.len() != weight.dims.len() || expected != Some(numbers.len()) {
            bail!(
                "initializer {}: expected as many numbers as its extents {:?} make, found {}; export the network anew",
                weight.name,
                weight.dims,
                numbers.len()
            );
        }
        let tensor = numbers.into_shape(&extents)?;
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

#[cfg(test)]
mod tests {
    use super::super::{OnnxFile, Operators};
    use super::*;

    /// A field that is a message.
    fn field(number: u64, message: &[u8]) -> Vec<u8> {
        let mut bytes = vec![];
        put(&mut bytes, number << 3 | DELIMITED, message);
        bytes
    }

    /// A field that is an integer.
    fn number(number: u64, value: u64) -> Vec<u8> {
        let mut bytes = vec![];
        put_varint(&mut bytes, number << 3 | VARINT);
        put_varint(&mut bytes, value);
        bytes
    }

    /// `y = x w`, x of [1, 2], with these initializers, each the bytes of its fields.
    fn file(initializers: &[Vec<u8>]) -> Vec<u8> {
        let extents = [number(1, 1), number(1, 2)].map(|extent| field(1, &extent));
        let tensor = [number(1, FLOAT), field(2, &extents.concat())].concat();
        let input = [field(1, b"x"), field(2, &field(1, &tensor))].concat();
        let node = [
            field(1, b"x"),
            field(1, b"w"),
            field(2, b"y"),
            field(4, b"MatMul"),
        ]
        .concat();
        let mut graph = [field(1, &node), field(2, b"g")].concat();
        graph.extend(initializers.iter().flat_map(|fields| field(5, fields)));
        graph.extend([field(11, &input), field(12, &field(1, b"y"))].concat());
        [number(1, 8), field(8, &number(2, 13)), field(7, &graph)].concat()
    }

    /// Extents, kind, name and numbers, as exporters write them, and more behind.
    fn weight(extents: [u64; 2], numbers: &[f32], more: &[u8]) -> Vec<u8> {
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let [rows, columns] = extents.map(|extent| number(1, extent));
        let rest = [number(2, FLOAT), field(8, b"w"), field(9, &numbers)].concat();
        [&rows, &columns, &rest[..], more].concat()
    }

    /// What it computes of [1, 10], all weights taken out.
    fn run(file: &[u8]) -> Result<Vec<f32>, String> {
        let parts = OnnxParts::read_taking_out(file, file.len() as u64, 0);
        parts
            .and_then(OnnxFile::from_parts)
            .and_then(|file| file.prepare_by(&[1, 2], Operators::Tract))
            .and_then(|mut model| Ok(model.run(&[1.0, 10.0])?.concat()))
            .map_err(|error| error.to_string())
    }

    const SOUND: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

    #[test]
    fn a_weight_taken_out_is_the_one_in_the_file() {
        assert_eq!(
            run(&file(&[weight([2, 2], &SOUND, &[])])),
            Ok(vec![31.0, 42.0])
        );
        // Numbers in a field of their own, with and without an empty one of bytes, are tract's to read.
        let bytes: Vec<u8> = SOUND.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(
            run(&file(&[weight([2, 2], &[], &field(4, &bytes))])),
            Ok(vec![31.0, 42.0])
        );
    }

    #[test]
    fn a_weight_told_in_two_ways_is_refused() {
        let refused = |initializers: &[Vec<u8>], expected: &str| {
            let said = run(&file(initializers)).unwrap_err();
            assert!(said.contains(expected), "{said}");
        };
        let sound = weight([2, 2], &SOUND, &[]);
        refused(&[sound.clone(), sound], "a name of its own");
        for (more, expected) in [
            (number(2, 7), "told in two ways"),
            (field(4, &[0; 16]), "told in two ways"),
            (number(14, 1), "told in two ways"),
            (field(9, &[0; 16]), "numbers twice"),
            (field(9, &[]), "numbers twice"),
        ] {
            refused(&[weight([2, 2], &SOUND, &more)], expected);
        }
    }

    #[test]
    fn a_weight_of_other_extents_is_refused() {
        // The last two products wrap to 4 and to 0.
        for extents in [
            [2, 3],
            [1, 2],
            [u64::MAX, 4],
            [4, (1 << 62) + 1],
            [1 << 32, 1 << 32],
        ] {
            let said = run(&file(&[weight(extents, &SOUND, &[])])).unwrap_err();
            assert!(
                said.contains("numbers as its extents"),
                "{extents:?}: {said}"
            );
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_another_network() {
        let sound = file(&[weight([2, 2], &SOUND, &[])]);
        let (mut refused, mut other) = (0, 0);
        for at in 0..sound.len() {
            assert!(run(&sound[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[at] ^= 1 << bit;
                match run(&damaged) {
                    Ok(_) => other += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 0 && other > 0, "{refused} refused, {other} run");
    }
}
