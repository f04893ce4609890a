//! Checkpoints: tensors written one at a time, with a note of how far the run was.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;
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

/// Writes a safetensors file of f32: to a temporary file beside it, synced, then renamed.
///
/// The owner alone may read it: a softmax's centers are as good as a template of each training
/// identity. Tensor after tensor is copied out of libtorch, so that memory holds one more than the run does;
/// the safetensors crate would want all of them, or write without a sync.
///
/// # Errors
/// [`WeightsError::Io`] naming the file; the one before is then whole.
pub fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    state: &State,
) -> Result<(), WeightsError> {
    let fail = |source| WeightsError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let header = header(tensors, state).map_err(|error| fail(error.into()))?;
    let write = |file: &mut File| {
        let mut file = BufWriter::new(file);
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(header.as_bytes())?;
        for tensor in tensors.values() {
            for value in module::from_torch(tensor).values {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()
    };
    atomic_file::replace_with(path, Readers::Owner, write).map_err(fail)
}

/// The header of a safetensors file: what lies where, and the note; padded to whole words.
fn header(tensors: &BTreeMap<String, Tensor>, state: &State) -> serde_json::Result<String> {
    let mut header = serde_json::Map::new();
    let note = serde_json::to_string(state)?;
    header.insert("__metadata__".to_owned(), json!({ NOTE: note }));
    let mut end = 0;
    for (name, tensor) in tensors {
        let begin = end;
        end += tensor.numel() * size_of::<f32>();
        let entry = json!({ "dtype": "F32", "shape": tensor.size(), "data_offsets": [begin, end] });
        header.insert(name.clone(), entry);
    }
    let mut text = serde_json::to_string(&header)?;
    text.extend(std::iter::repeat_n(
        ' ',
        text.len().next_multiple_of(8) - text.len(),
    ));
    Ok(text)
}

/// Reads a checkpoint that [`write()`] wrote of a run's whole memory.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last.safetensors");
        let state = State {
            step: 7,
            seconds: 1.5,
            ..State::default()
        };
        let odd = Tensor::from_slice(&[1.5f32, -0.0, f32::MIN_POSITIVE]);
        let turned = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0])
            .view([2, 2])
            .tr();
        let named = [
            ("odd", odd),
            ("training.turned", turned),
            ("word", Tensor::from(3.0f32)),
        ];
        let tensors = named.map(|(name, tensor)| (name.to_owned(), tensor)).into();
        write(&path, &tensors, &state).unwrap();
        let (found, noted) = read(&path).unwrap();
        assert_eq!(noted, state);
        let values = |name: &str| found.get(name).unwrap().values.clone();
        assert_eq!(values("odd"), [1.5, -0.0, f32::MIN_POSITIVE]);
        assert_eq!(values("training.turned"), [1.0, 3.0, 2.0, 4.0]);
        assert!(found.get("word").unwrap().extents.is_empty());
        // What a network is built from leaves out what training alone needs.
        assert!(
            Weights::read(&path)
                .unwrap()
                .get("training.turned")
                .is_none()
        );
        let note = Weights::note(&path).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<State>(&note).unwrap(), state);
    }

    #[test]
    fn weights_alone_are_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        Weights::default().write(&path).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("--init"), "{error}");
        assert_eq!(Weights::note(&path).unwrap(), None);
    }
}
