//! Runs an ONNX network by tract: the only file that imports `tract_onnx`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::{Cost, DimLike, SimplePlan, bail, format_err};

/// A network with one f32 input of fixed shape, optimized for it and ready to run.
///
/// Load takes tenths of a second; each run reuses the plan's state.
pub struct OnnxModel {
    state: TypedSimpleState,
    input_shape: Vec<usize>,
    declared_input: Vec<Option<usize>>,
    outputs: Vec<OutputFact>,
}

/// Name and shape of one output, known before the first run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFact {
    /// The name in the file.
    pub name: String,
    /// Its extents; all f32.
    pub shape: Vec<usize>,
}

/// How large a network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Numbers of f32 that the file holds.
    pub parameters: u64,
    /// Multiply-adds of its convolutions and matrix products for one input.
    pub multiply_adds: u64,
}

/// Why a network cannot be loaded or run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferenceError {
    /// The bytes are no ONNX network, or not a whole one.
    #[error("expected an ONNX network, found {found_bytes} bytes that are not one: {reason}")]
    Parse {
        /// Bytes given.
        found_bytes: usize,
        /// What tract said.
        reason: String,
    },
    /// The network does not have exactly one input.
    #[error("expected a network with one input, found {found}")]
    Inputs {
        /// Inputs there are.
        found: usize,
    },
    /// The network cannot be shaped for this input, or uses an operator that tract lacks.
    #[error("expected a network that runs on input {input_shape:?}, found: {reason}")]
    Prepare {
        /// The input asked for.
        input_shape: Vec<usize>,
        /// What tract said.
        reason: String,
    },
    /// The values do not fill the input.
    #[error("expected {expected} input values, found {found}")]
    InputLength {
        /// Product of the input's extents.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// Running failed.
    #[error("expected the network to run, found: {reason}")]
    Run {
        /// What tract said.
        reason: String,
    },
}

impl OnnxModel {
    /// Loads a network from the bytes of an ONNX file for one input shape.
    ///
    /// The shape, batch of 1 included, replaces the one declared in the file before anything is
    /// optimized: an unresolved batch symbol costs a MobileFaceNet four times its run time, and a
    /// fully convolutional net runs at another size than it was written for. Shapes declared
    /// inside the file or at its outputs are dropped and inferred anew.
    ///
    /// # Errors
    /// [`InferenceError`] when the bytes are no ONNX network, it has not one input, or it cannot
    /// run on this shape.
    pub fn load(bytes: &[u8], input_shape: &[usize]) -> Result<OnnxModel, InferenceError> {
        let parse_error = |reason| InferenceError::Parse {
            found_bytes: bytes.len(),
            reason,
        };
        let prepare_error = |reason| InferenceError::Prepare {
            input_shape: input_shape.to_vec(),
            reason,
        };
        let mut model = caught(|| {
            let onnx = tract_onnx::onnx()
                .with_ignore_output_shapes(true)
                .with_ignore_value_info(true);
            let file = onnx.proto_model_for_read(&mut &*bytes)?;
            // Written last by most exporters: a file cut behind its graph still parses, and tract
            // would guess the meaning of its operators.
            if file.opset_import.is_empty() {
                bail!("no operator set is named");
            }
            onnx.model_for_proto_model(&file)
        })
        .map_err(parse_error)?;
        if model.inputs.len() != 1 {
            return Err(InferenceError::Inputs {
                found: model.inputs.len(),
            });
        }
        let declared_input = caught(|| declared_shape(&model)).map_err(parse_error)?;
        caught(|| {
            model.set_input_fact(0, f32::fact(input_shape).into())?;
            let model = model.into_optimized()?;
            let outputs = output_facts(&model)?;
            let state = SimplePlan::new(model)?.spawn()?;
            Ok((state, outputs))
        })
        .map_err(prepare_error)
        .map(|(state, outputs)| OnnxModel {
            state,
            input_shape: input_shape.to_vec(),
            declared_input,
            outputs,
        })
    }

    /// How large the network in an ONNX file is, for one input of that shape.
    ///
    /// # Errors
    /// As [`OnnxModel::load`].
    pub fn extent(bytes: &[u8], input_shape: &[usize]) -> Result<Extent, InferenceError> {
        let counted = caught(|| {
            let onnx = tract_onnx::onnx()
                .with_ignore_output_shapes(true)
                .with_ignore_value_info(true);
            let mut model = onnx.model_for_read(&mut &*bytes)?;
            model.set_input_fact(0, f32::fact(input_shape).into())?;
            let model = model.into_typed()?;
            let constants = model.nodes().iter().filter(|node| node.inputs.is_empty());
            let parameters = constants
                .filter_map(|node| node.outputs[0].fact.konst.as_ref())
                .filter(|konst| konst.datum_type() == DatumType::F32)
                .map(|konst| konst.len() as u64)
                .sum();
            let model = model.into_decluttered()?;
            let mut multiply_adds = 0;
            for node in model.nodes() {
                let inputs = model.node_input_facts(node.id)?;
                for (cost, count) in node.op.cost(&inputs)? {
                    if let Cost::FMA(_) = cost {
                        multiply_adds += count.to_i64()? as u64;
                    }
                }
            }
            Ok(Extent {
                parameters,
                multiply_adds,
            })
        });
        counted.map_err(|reason| InferenceError::Prepare {
            input_shape: input_shape.to_vec(),
            reason,
        })
    }

    /// The input's extents as the file declares them; none where it leaves one open.
    pub fn declared_input(&self) -> &[Option<usize>] {
        &self.declared_input
    }

    /// Names and shapes of the outputs, in the file's order.
    pub fn outputs(&self) -> &[OutputFact] {
        &self.outputs
    }

    /// The outputs for one input, row-major, in the order of [`OnnxModel::outputs`].
    ///
    /// # Errors
    /// [`InferenceError`] when the values do not fill the input or an operator fails.
    pub fn run(&mut self, values: &[f32]) -> Result<Vec<Vec<f32>>, InferenceError> {
        let expected = self.input_shape.iter().product();
        if values.len() != expected {
            return Err(InferenceError::InputLength {
                expected,
                found: values.len(),
            });
        }
        let state = &mut self.state;
        let input_shape = &self.input_shape;
        caught(|| {
            let input = Tensor::from_shape(input_shape, values)?;
            let outputs = state.run(tvec!(input.into()))?;
            outputs
                .iter()
                .map(|output| Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec()))
                .collect()
        })
        .map_err(|reason| InferenceError::Run { reason })
    }
}

/// Runs tract and turns its error, or its panic on a malformed file, into words.
fn caught<T>(work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    // AssertUnwindSafe: after a panic in load nothing survives; after one in run the error tells
    // the caller, and the next run sets every value of the state anew.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        // The chain of causes in one line, outermost first.
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("tract panicked; the file is malformed".to_owned()),
    }
}

fn declared_shape(model: &InferenceModel) -> TractResult<Vec<Option<usize>>> {
    let fact = model.input_fact(0)?;
    Ok(fact
        .shape
        .dims()
        .map(|dim| dim.concretize().and_then(|dim| dim.to_usize().ok()))
        .collect())
}

fn output_facts(model: &TypedModel) -> TractResult<Vec<OutputFact>> {
    model
        .output_outlets()?
        .iter()
        .map(|&outlet| {
            let fact = model.outlet_fact(outlet)?;
            let shape = fact
                .shape
                .as_concrete()
                .ok_or_else(|| format_err!("output of open shape {:?}", fact.shape))?
                .to_vec();
            if fact.datum_type != f32::datum_type() {
                bail!("output of {:?} instead of f32", fact.datum_type);
            }
            let name = match model.outlet_label(outlet) {
                Some(label) => label.to_owned(),
                None => model.node(outlet.node).name.clone(),
            };
            Ok(OutputFact { name, shape })
        })
        .collect()
}
