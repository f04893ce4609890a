//! Runs an ONNX network by tract, with operators of our own where they are faster: only this room
//! imports `tract_onnx`.
//!
//! | file | what |
//! |---|---|
//! | `file` | an ONNX file read once, its large weights straight to where they stay |
//! | `memory` | the pictures between operators, whose memory is used again |
//! | `operator` | our operators, as tract knows operators |
//! | `rewrite` | a network's convolutions, layers, normalizations, pools, activations and sums become our operators |
//!
//! The arithmetic of our operators is a crate of its own, `usher-kernel` in `shared/kernel`.

mod file;
mod memory;
mod operator;
mod rewrite;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::{Cost, DimLike, IntoTValue, SimplePlan, bail, format_err};

pub use file::OnnxParts;
pub use kernel::Crew;
use operator::Means;

/// A network as its file describes it, for an input of any shape.
pub struct OnnxFile {
    model: InferenceModel,
    declared_input: Vec<Option<usize>>,
}

/// A network with one f32 input of fixed shape, optimized for it and ready to run.
///
/// Load takes hundredths of a second; each run reuses the plan's state and the input's memory.
pub struct OnnxModel {
    state: TypedSimpleState,
    input: TValue,
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
        found_bytes: u64,
        /// What tract said, or where the file's fields are at odds.
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
    /// There are no threads to run networks by.
    #[error("expected {threads} threads for networks, found: {reason}; ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// Running failed.
    #[error("expected the network to run, found: {reason}")]
    Run {
        /// What tract said.
        reason: String,
    },
}

/// The instruction set of this machine that our operators use, in a word.
pub fn instructions() -> &'static str {
    kernel::Kernel::best().name()
}

/// So many threads for networks, the calling one among them.
///
/// # Errors
/// [`InferenceError::Threads`] when the system starts no more.
pub fn crew(threads: usize) -> Result<Crew, InferenceError> {
    Crew::of(threads).map_err(|error| InferenceError::Threads {
        threads,
        reason: error.to_string(),
    })
}

/// Whose operators run a network.
#[derive(Clone, Debug)]
enum Operators {
    /// Ours where we have one.
    Ours(Means),
    /// tract's alone: what ours are measured by.
    #[cfg(test)]
    Tract,
}

impl OnnxFile {
    /// Reads a network from the bytes of an ONNX file.
    ///
    /// # Errors
    /// [`InferenceError`] when the bytes are no ONNX network, or it has not one input.
    pub fn parse(bytes: &[u8]) -> Result<OnnxFile, InferenceError> {
        OnnxFile::from_parts(OnnxParts::read(bytes, bytes.len() as u64)?)
    }

    /// A network from what was read of an ONNX file.
    ///
    /// # Errors
    /// As [`OnnxFile::parse`].
    pub fn from_parts(parts: OnnxParts) -> Result<OnnxFile, InferenceError> {
        let found_bytes = parts.bytes();
        let parse_error = |reason| InferenceError::Parse {
            found_bytes,
            reason,
        };
        let model = caught(|| parts.into_model()).map_err(parse_error)?;
        if model.inputs.len() != 1 {
            return Err(InferenceError::Inputs {
                found: model.inputs.len(),
            });
        }
        let declared_input = caught(|| declared_shape(&model)).map_err(parse_error)?;
        Ok(OnnxFile {
            model,
            declared_input,
        })
    }

    /// The network, made ready for one input shape.
    ///
    /// The shape, batch of 1 included, replaces the one declared in the file before anything is
    /// optimized: an unresolved batch symbol costs a MobileFaceNet four times its run time, and a
    /// fully convolutional net runs at another size than it was written for. Shapes declared
    /// inside the file or at its outputs are dropped and inferred anew.
    ///
    /// # Errors
    /// [`InferenceError::Prepare`] when the network cannot run on this shape.
    pub fn prepare(&self, input_shape: &[usize]) -> Result<OnnxModel, InferenceError> {
        self.prepare_for(input_shape, &Crew::default())
    }

    /// The same, run by several threads: outputs are the same to the last bit.
    ///
    /// # Errors
    /// As [`OnnxFile::prepare`].
    pub fn prepare_for(
        &self,
        input_shape: &[usize],
        crew: &Crew,
    ) -> Result<OnnxModel, InferenceError> {
        let means = Means {
            kernel: kernel::Kernel::best(),
            crew: crew.clone(),
            memory: Default::default(),
        };
        self.prepare_by(input_shape, Operators::Ours(means))
    }

    fn prepare_by(
        &self,
        input_shape: &[usize],
        operators: Operators,
    ) -> Result<OnnxModel, InferenceError> {
        let prepared = caught(|| {
            let model = self.typed(input_shape)?;
            let model = match operators {
                Operators::Ours(means) => rewrite::rewrite(model, means)?,
                #[cfg(test)]
                Operators::Tract => model,
            };
            let model = model.into_optimized()?;
            let outputs = output_facts(&model)?;
            let state = SimplePlan::new(model)?.spawn()?;
            let input = Tensor::zero::<f32>(input_shape)?.into_tvalue();
            Ok((state, input, outputs))
        });
        let (state, input, outputs) =
            prepared.map_err(|reason| prepare_error(input_shape, reason))?;
        Ok(OnnxModel {
            state,
            input,
            input_shape: input_shape.to_vec(),
            declared_input: self.declared_input.clone(),
            outputs,
        })
    }

    /// Names and shapes of the outputs for one input shape, without making the network ready.
    ///
    /// # Errors
    /// [`InferenceError::Prepare`] when the network cannot be shaped for it.
    pub fn outputs(&self, input_shape: &[usize]) -> Result<Vec<OutputFact>, InferenceError> {
        caught(|| output_facts(&self.typed(input_shape)?))
            .map_err(|reason| prepare_error(input_shape, reason))
    }

    fn typed(&self, input_shape: &[usize]) -> TractResult<TypedModel> {
        let mut model = self.model.clone();
        model.set_input_fact(0, f32::fact(input_shape).into())?;
        model.into_typed()
    }
}

fn prepare_error(input_shape: &[usize], reason: String) -> InferenceError {
    InferenceError::Prepare {
        input_shape: input_shape.to_vec(),
        reason,
    }
}

impl OnnxModel {
    /// Loads a network from the bytes of an ONNX file for one input shape.
    ///
    /// # Errors
    /// As [`OnnxFile::parse`] and [`OnnxFile::prepare`].
    pub fn load(bytes: &[u8], input_shape: &[usize]) -> Result<OnnxModel, InferenceError> {
        OnnxFile::parse(bytes)?.prepare(input_shape)
    }

    /// How large the network in an ONNX file is, for one input of that shape.
    ///
    /// # Errors
    /// As [`OnnxModel::load`].
    pub fn extent(bytes: &[u8], input_shape: &[usize]) -> Result<Extent, InferenceError> {
        let counted = caught(|| {
            let mut model = OnnxParts::read(bytes, bytes.len() as u64)?.into_model()?;
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
        self.run_with(
            |input| input.copy_from_slice(values),
            |outputs| outputs.iter().map(|output| output.to_vec()).collect(),
        )
    }

    /// Runs on what `fill` writes, and gives the outputs to `read`: nothing is copied.
    ///
    /// The input's numbers are row-major, and hold what the last run left there: all of them are to
    /// be written. The outputs are row-major, in the order of [`OnnxModel::outputs`].
    ///
    /// # Errors
    /// [`InferenceError::Run`] when an operator fails.
    pub fn run_with<T>(
        &mut self,
        fill: impl FnOnce(&mut [f32]),
        read: impl FnOnce(&[&[f32]]) -> T,
    ) -> Result<T, InferenceError> {
        let OnnxModel {
            state,
            input,
            input_shape,
            ..
        } = self;
        caught(|| {
            let taken = std::mem::replace(input, TValue::from(Tensor::default()));
            // The last run has let go of it, so this copies nothing.
            let mut tensor = taken.into_tensor();
            if tensor.shape() != input_shape.as_slice() {
                // A run that panicked took it along.
                tensor = Tensor::zero::<f32>(input_shape)?;
            }
            fill(tensor.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
            *input = tensor.into_tvalue();
            let outputs = state.run(tvec!(input.clone()))?;
            let mut numbers = TVec::new();
            for output in &outputs {
                numbers.push(output.try_as_plain_ram()?.as_slice::<f32>()?);
            }
            Ok(read(&numbers))
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
