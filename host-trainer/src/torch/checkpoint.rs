//! Checkpoints: tensors written one at a time, with a note of how far the run was.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, View};
use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, Readers};
use tch::Tensor;

use super::module;
use crate::dataset::loader::Position;
use crate::telemetry::guard::Guard;
use crate::weights::{NOTE, Weights, WeightsError};

/// How far a run was when a checkpoint was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Pictures seen, repeats counted.
    pub pictures: u64,
    /// Time taken.
    pub seconds: f64,
    /// Of it, waiting for data.
    pub waited_seconds: f64,
    /// Of it, mining triplets.
    pub mining_seconds: f64,
    /// The next batch.
    pub position: Position,
    /// The best validation so far.
    pub best: Option<Best>,
    /// What watches over the run.
    pub guard: Option<Guard>,
}

/// A validation better than those before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps done by then.
    pub step: u64,
    /// Share of pairs told apart rightly, 0 to 1.
    pub accuracy: f64,
}

/// A tensor that is copied out of libtorch only while it is written.
struct Lazy {
    tensor: Tensor,
    extents: Vec<usize>,
}

impl Lazy {
    fn new(tensor: Tensor) -> Self {
        let extents = tensor.size().into_iter().map(|extent| extent as usize);
        Self {
            extents: extents.collect(),
            tensor,
        }
    }
}

impl View for &Lazy {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.extents
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = module::from_torch(&self.tensor).values;
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * size_of::<f32>()
    }
}

/// Writes a safetensors file of f32: to a temporary file beside it, synced, then renamed. Memory
/// holds one tensor more than the run does.
///
/// # Errors
/// [`WeightsError::Io`] naming the file; the one before is then whole.
pub fn write(
    path: &Path,
    tensors: BTreeMap<String, Tensor>,
    state: &State,
) -> Result<(), WeightsError> {
    let fail = |source| WeightsError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let note = serde_json::to_string(state).map_err(|error| fail(error.into()))?;
    let note = HashMap::from([(NOTE.to_owned(), note)]);
    let tensors: Vec<(String, Lazy)> = tensors
        .into_iter()
        .map(|(name, tensor)| (name, Lazy::new(tensor)))
        .collect();
    let views = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let write = |file: &Path| {
        safetensors::serialize_to_file(views, Some(note), file).map_err(std::io::Error::other)
    };
    atomic_file::replace_with(path, Readers::Everyone, write).map_err(fail)
}

/// Reads a checkpoint that [`write`] wrote of a run's whole memory.
///
/// # Errors
/// [`WeightsError`] naming the file, also if it holds weights alone.
pub fn read(path: &Path) -> Result<(Weights, State), WeightsError> {
    let (weights, note) = Weights::read_checkpoint(path)?;
    Ok((weights, parse(note, path)?))
}

/// How far a run was when that checkpoint was written, without its tensors.
///
/// # Errors
/// As [`read`].
pub fn state(path: &Path) -> Result<State, WeightsError> {
    parse(Weights::note(path)?, path)
}

fn parse(note: Option<String>, path: &Path) -> Result<State, WeightsError> {
    let state = note.and_then(|note| serde_json::from_str(&note).ok());
    match state {
        Some(state) => Ok(state),
        None => Err(WeightsError::Format {
            path: path.to_owned(),
            found: "weights without a run's state; start a new run with --init".to_owned(),
        }),
    }
}
