//! The weights of somebody else's ONNX file, as those of a network that we describe.
//!
//! For networks without branches, whose operators stand in the file in the order in which they are
//! run: each of ours takes the tensors of the file's next operator of its kind. What a file has
//! besides is folded into what we have: the input's normalization must be ours, and a batch
//! normalization before the last layer goes into that layer.

use prost::Message;

use super::proto;
use crate::network::graph::LayerGraph;
use crate::network::op::{BATCH_NORM_EPSILON, Op};
use crate::weights::{Tensor, Weights, WeightsError};

/// Epsilon of batch normalization where a file states none.
const DEFAULT_EPSILON: f32 = 1e-5;

/// Why a file's weights are not those of the network.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// Not ONNX.
    #[error("no ONNX file: {0}")]
    Decode(#[from] prost::DecodeError),
    /// Another network.
    #[error("not the weights of network {network}: expected {expected}, found {found}")]
    Other {
        /// The network.
        network: String,
        /// What it has.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The tensors are of other extents.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// The weights of `graph` in an ONNX file, together with the factor and the subtrahend by which
/// the file normalizes bytes itself, if it does: value = (byte - mean) * scale.
///
/// # Errors
/// A [`ReaderError`] naming the first operator or tensor that is another network's.
pub fn weights(
    graph: &LayerGraph,
    file: &[u8],
) -> Result<(Weights, Option<Normalization>), ReaderError> {
    let file = proto::Model::decode(file)?.graph.unwrap_or_default();
    let mut reader = Reader {
        network: graph.name(),
        file: &file,
        next: 0,
    };
    let normalization = reader.normalization()?;
    let mut weights = Weights::default();
    // A batch normalization right before the last layer: factors and summands per channel.
    let mut pending: Option<(Vec<f32>, Vec<f32>)> = None;
    let mut shift: Option<Vec<f32>> = None;
    for node in graph.nodes() {
        let mut insert = |name: &str, extents: Vec<usize>, values: Vec<f32>| {
            weights.insert(&format!("{}.{name}", node.name), Tensor { extents, values });
        };
        match &node.op {
            Op::Conv(_) => {
                let found = reader.step("Conv")?;
                let (extents, values) = reader.tensor(found, 1)?;
                insert("weight", extents, values);
            }
            Op::PRelu => {
                let found = reader.step("PRelu")?;
                let (_, values) = reader.tensor(found, 1)?;
                insert("slope", vec![values.len()], values);
            }
            Op::BatchNorm => {
                let found = reader.step("BatchNormalization")?;
                let (scale, bias, mut mean, variance) = reader.batch_norm(found)?;
                if let Some(shift) = shift.take() {
                    for (mean, shift) in mean.iter_mut().zip(shift) {
                        *mean -= shift;
                    }
                }
                for (name, values) in [
                    ("weight", scale),
                    ("bias", bias),
                    ("running_mean", mean),
                    ("running_var", variance),
                ] {
                    insert(name, vec![values.len()], values);
                }
            }
            Op::Flatten => {
                if reader.peek() == Some("BatchNormalization") {
                    let found = reader.step("BatchNormalization")?;
                    let (scale, bias, mean, variance) = reader.batch_norm(found)?;
                    let factors: Vec<f32> = scale
                        .iter()
                        .zip(&variance)
                        .map(|(scale, variance)| scale / (variance + BATCH_NORM_EPSILON).sqrt())
                        .collect();
                    let summands = bias.iter().zip(mean.iter().zip(&factors));
                    let summands = summands.map(|(bias, (mean, factor))| bias - mean * factor);
                    pending = Some((factors.clone(), summands.collect()));
                }
                reader.step("Flatten")?;
            }
            Op::Linear { .. } => {
                let found = reader.step("Gemm")?;
                let (extents, mut values) = reader.tensor(found, 1)?;
                let mut constant = match found.input.len() {
                    3 => reader.tensor(found, 2)?.1,
                    _ => vec![0.0; extents.first().copied().unwrap_or(0)],
                };
                if let Some((factors, summands)) = pending.take() {
                    fold(&mut values, &mut constant, &factors, &summands);
                }
                shift = Some(constant);
                insert("weight", extents, values);
            }
            Op::Face(_) | Op::L2Normalize => {}
            other => return Err(reader.refuse(other.name(), "an operator that is not read")),
        }
    }
    weights.fit(graph)?;
    Ok((weights, normalization))
}

/// value = (byte - mean) * scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalization {
    /// Taken from each byte.
    pub mean: f32,
    /// Factor of the difference.
    pub scale: f32,
}

/// Takes a normalization per channel of the maps that a linear layer reads into that layer.
fn fold(weight: &mut [f32], constant: &mut [f32], factors: &[f32], summands: &[f32]) {
    let row = weight.len() / constant.len().max(1);
    let pixels = row / factors.len().max(1);
    for (row, constant) in weight.chunks_exact_mut(row.max(1)).zip(constant) {
        let channels = row
            .chunks_exact_mut(pixels.max(1))
            .zip(factors.iter().zip(summands));
        let mut added = 0.0;
        for (map, (factor, summand)) in channels {
            added += f64::from(*summand) * map.iter().map(|value| f64::from(*value)).sum::<f64>();
            map.iter_mut().for_each(|value| *value *= factor);
        }
        *constant += added as f32;
    }
}

struct Reader<'a> {
    network: &'a str,
    file: &'a proto::Graph,
    next: usize,
}

type BatchNorm = (Vec<f32>, Vec<f32>, Vec<f32>, Vec<f32>);

impl<'a> Reader<'a> {
    fn refuse(&self, expected: &str, found: &str) -> ReaderError {
        ReaderError::Other {
            network: self.network.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    /// The kind of the next operator that does anything at inference.
    fn peek(&mut self) -> Option<&'a str> {
        let rest = &self.file.node[self.next..];
        self.next += rest
            .iter()
            .take_while(|node| node.op_type == "Dropout")
            .count();
        Some(self.file.node.get(self.next)?.op_type.as_str())
    }

    /// The next operator, which has to be of that kind.
    fn step(&mut self, kind: &str) -> Result<&'a proto::Node, ReaderError> {
        match self.peek() {
            Some(found) if found == kind => {
                self.next += 1;
                Ok(&self.file.node[self.next - 1])
            }
            Some(found) => Err(self.refuse(kind, found)),
            None => Err(self.refuse(kind, "the file's end")),
        }
    }

    /// The tensor that is the operator's input of that number.
    fn tensor(
        &self,
        node: &proto::Node,
        input: usize,
    ) -> Result<(Vec<usize>, Vec<f32>), ReaderError> {
        let name = node.input.get(input).map_or("", String::as_str);
        let constants = &self.file.initializer;
        let missing = || self.refuse(&format!("f32 tensor {name:?} of {}", node.name), "none");
        let found = constants.iter().find(|tensor| tensor.name == name);
        let found = found.ok_or_else(missing)?;
        let values = match &found.raw_data {
            _ if found.data_type != proto::FLOAT => return Err(missing()),
            Some(bytes) if !bytes.is_empty() => {
                let (words, _) = bytes.as_chunks::<4>();
                words.iter().map(|word| f32::from_le_bytes(*word)).collect()
            }
            _ => found.float_data.clone(),
        };
        let extents: Vec<usize> = found.dims.iter().map(|extent| *extent as usize).collect();
        match extents.iter().product::<usize>() == values.len() {
            true => Ok((extents, values)),
            false => Err(missing()),
        }
    }

    /// Scale, bias, mean and variance, the last as if its epsilon were ours.
    fn batch_norm(&self, node: &proto::Node) -> Result<BatchNorm, ReaderError> {
        let value = |input| Ok::<_, ReaderError>(self.tensor(node, input)?.1);
        let epsilon = node.attribute.iter().find(|found| found.name == "epsilon");
        let epsilon = epsilon.and_then(|found| found.f).unwrap_or(DEFAULT_EPSILON);
        let mut variance = value(4)?;
        for variance in &mut variance {
            *variance += epsilon - BATCH_NORM_EPSILON;
        }
        Ok((value(1)?, value(2)?, value(3)?, variance))
    }

    /// `Sub` and `Mul` at the file's begin.
    fn normalization(&mut self) -> Result<Option<Normalization>, ReaderError> {
        if self.peek() != Some("Sub") {
            return Ok(None);
        }
        let mut constant = |kind: &str| {
            let node = self.step(kind)?;
            match self.tensor(node, 1)?.1[..] {
                [value] => Ok(value),
                _ => Err(self.refuse("one constant", "several")),
            }
        };
        let (mean, scale) = (constant("Sub")?, constant("Mul")?);
        Ok(Some(Normalization { mean, scale }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto;
    use super::*;
    use crate::network::{self, Spec};

    fn graph() -> LayerGraph {
        let spec = Spec {
            dimension: 64,
            width: 0.05,
            ..Spec::new("mobilenet")
        };
        network::build(&spec).unwrap()
    }

    fn constant(name: &str, extents: &[usize], values: &[f32]) -> proto::Tensor {
        proto::Tensor {
            dims: extents.iter().map(|extent| *extent as i64).collect(),
            data_type: proto::FLOAT,
            float_data: values.to_vec(),
            name: name.to_owned(),
            ..proto::Tensor::default()
        }
    }

    /// The network as others write it: batch normalization unfolded, the input's in the file.
    fn written(graph: &LayerGraph, weights: &Weights) -> proto::Graph {
        let mut file = proto::Graph::default();
        let mut push = |kind: &str, constants: Vec<proto::Tensor>| {
            let inputs = constants.iter().map(|constant| constant.name.clone());
            file.node.push(proto::Node {
                input: std::iter::once("x".to_owned()).chain(inputs).collect(),
                op_type: kind.to_owned(),
                ..proto::Node::default()
            });
            file.initializer.extend(constants);
        };
        push("Sub", vec![constant("mean", &[1], &[127.5])]);
        push("Mul", vec![constant("scale", &[1], &[0.5])]);
        for node in graph.nodes() {
            let kind = match &node.op {
                Op::Conv(_) => "Conv",
                Op::BatchNorm => "BatchNormalization",
                Op::PRelu => "PRelu",
                Op::Flatten => "Flatten",
                Op::Linear { .. } => "Gemm",
                _ => continue,
            };
            let parts = ["weight", "slope", "bias", "running_mean", "running_var"];
            let constants = parts.iter().filter_map(|part| {
                let name = format!("{}.{part}", node.name);
                let tensor = weights.get(&name)?;
                Some(constant(&name, &tensor.extents, &tensor.values))
            });
            push(kind, constants.collect());
        }
        file
    }

    fn bytes(graph: proto::Graph) -> Vec<u8> {
        let model = proto::Model {
            graph: Some(graph),
            ..proto::Model::default()
        };
        model.encode_to_vec()
    }

    #[test]
    fn tensors_come_back_in_the_order_of_the_operators() {
        let graph = graph();
        let weights = Weights::initialize(&graph, 3);
        let (read, normalization) =
            super::weights(&graph, &bytes(written(&graph, &weights))).unwrap();
        assert_eq!(read, weights);
        let (mean, scale) = (127.5, 0.5);
        assert_eq!(normalization, Some(Normalization { mean, scale }));
    }

    #[test]
    fn another_network_is_named() {
        let graph = graph();
        let mut file = written(&graph, &Weights::initialize(&graph, 3));
        file.node[4].op_type = "Relu".to_owned();
        let error = super::weights(&graph, &bytes(file))
            .unwrap_err()
            .to_string();
        assert!(error.contains("expected PRelu, found Relu"), "{error}");
        let error = super::weights(&graph, b"no protobuf").unwrap_err();
        assert!(matches!(error, ReaderError::Decode(_)), "{error}");
    }

    #[test]
    fn a_normalization_before_the_last_layer_goes_into_it() {
        // Two outputs over two channels of two pixels.
        let mut weight = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let mut constant = [0.5, -0.5];
        fold(&mut weight, &mut constant, &[2.0, 10.0], &[1.0, 0.1]);
        assert_eq!(weight, [2.0, 4.0, 30.0, 40.0, 10.0, 12.0, 70.0, 80.0]);
        let expected = [0.5 + 3.0 + 0.7, -0.5 + 11.0 + 1.5];
        for (found, expected) in constant.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{constant:?}");
        }
    }
}
