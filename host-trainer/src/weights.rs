//! Named tensors in safetensors files: the hinge between torch and everything else.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use shared::atomic_file::{self, Readers};

use crate::network::graph::LayerGraph;
use crate::network::op::Role;

/// Key of the note that a checkpoint carries in its header.
pub const NOTE: &str = "usher";
/// Longest header of a safetensors file, as its format has it.
const HEADER_BYTES: u64 = 100_000_000;
/// Names of tensors that training alone needs begin so.
pub const TRAINING: &str = "training.";

/// One tensor: extents, outermost first, and its values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extents.
    pub extents: Vec<usize>,
    /// Values; as many as the product of the extents.
    pub values: Vec<f32>,
}

/// The tensors of a network, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

/// Why weights could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not safetensors of f32.
    #[error(
        "{path} holds no weights: expected safetensors of f32, found {found}; take another checkpoint of the run"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// The weights are those of another network.
    #[error(
        "the weights do not fit network {network}: expected {tensor} of {expected:?}, found {}; were they trained with another network or dimension?",
        found.as_ref().map_or_else(|| "none".to_owned(), |found| format!("{found:?}"))
    )]
    Misfit {
        /// The network.
        network: String,
        /// The tensor's name.
        tensor: String,
        /// Extents the network needs.
        expected: Vec<usize>,
        /// Extents the weights have, if any.
        found: Option<Vec<usize>>,
    },
}

impl Weights {
    /// First values for a network: He's normal for weights, constants for the rest; the same seed
    /// gives the same values on every machine.
    pub fn initialize(graph: &LayerGraph, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tensors = graph.parameters().into_iter().map(|named| {
            let parameter = named.parameter;
            let count = parameter.volume();
            let values = match parameter.role {
                Role::Weight { fan_in } => {
                    let deviation = (2.0 / fan_in as f64).sqrt();
                    let draw = |_| (gaussian(&mut random) * deviation) as f32;
                    (0..count).map(draw).collect()
                }
                Role::Constant(value) | Role::Statistic(value) => vec![value; count],
            };
            let extents = parameter.extents;
            (named.name, Tensor { extents, values })
        });
        Self {
            tensors: tensors.collect(),
        }
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: &str, tensor: Tensor) {
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// All tensors in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether every tensor of the network is here with the right extents; others may be too.
    ///
    /// # Errors
    /// [`WeightsError::Misfit`] naming the first that is not.
    pub fn fit(&self, graph: &LayerGraph) -> Result<(), WeightsError> {
        for named in graph.parameters() {
            let found = self.get(&named.name).map(|tensor| tensor.extents.clone());
            if found.as_ref() != Some(&named.parameter.extents) {
                return Err(WeightsError::Misfit {
                    network: graph.name().to_owned(),
                    tensor: named.name,
                    expected: named.parameter.extents,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Reads a network's weights from a safetensors file of f32 tensors; what a checkpoint holds
    /// for training alone is left out.
    ///
    /// # Errors
    /// [`WeightsError::Io`] or [`WeightsError::Format`], naming the file.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        Ok(Self::read_file(path, |name| !name.starts_with(TRAINING))?.0)
    }

    /// Reads all of a checkpoint, and its note.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn read_checkpoint(path: &Path) -> Result<(Self, Option<String>), WeightsError> {
        Self::read_file(path, |_| true)
    }

    /// The note of a safetensors file, from its header alone; none if it has none.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn note(path: &Path) -> Result<Option<String>, WeightsError> {
        let fail = |source| WeightsError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let mut file = std::fs::File::open(path).map_err(fail)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(fail)?;
        let mut header = Vec::new();
        let rest = file.take(u64::from_le_bytes(length));
        rest.take(HEADER_BYTES)
            .read_to_end(&mut header)
            .map_err(fail)?;
        let header: serde_json::Value =
            serde_json::from_slice(&header).map_err(|error| WeightsError::Format {
                path: path.to_owned(),
                found: error.to_string(),
            })?;
        let note = &header["__metadata__"][NOTE];
        Ok(note.as_str().map(str::to_owned))
    }

    fn read_file(
        path: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Self, Option<String>), WeightsError> {
        let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let refuse = |found: String| WeightsError::Format {
            path: path.to_owned(),
            found,
        };
        let unreadable = |error: safetensors::SafeTensorError| refuse(error.to_string());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(unreadable)?;
        let note = header.metadata().as_ref().and_then(|notes| notes.get(NOTE));
        let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter().filter(|(name, _)| wanted(name)) {
            if view.dtype() != Dtype::F32 {
                return Err(refuse(format!("{name} of type {:?}", view.dtype())));
            }
            let (words, _) = view.data().as_chunks::<4>();
            let values = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            let extents = view.shape().to_vec();
            tensors.insert(name.to_owned(), Tensor { extents, values });
        }
        Ok((Self { tensors }, note.cloned()))
    }

    /// Writes a safetensors file: to a temporary file beside it, synced, then renamed, so that a
    /// reader sees the old file or the new one.
    ///
    /// # Errors
    /// [`WeightsError::Io`] naming the file.
    pub fn write(&self, path: &Path) -> Result<(), WeightsError> {
        let fail = |source| WeightsError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        };
        let bytes: Vec<(&str, Vec<u8>, &Tensor)> = self
            .iter()
            .map(|(name, tensor)| {
                let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes());
                (name, bytes.collect(), tensor)
            })
            .collect();
        let mut views = Vec::new();
        for (name, bytes, tensor) in &bytes {
            let view = TensorView::new(Dtype::F32, tensor.extents.clone(), bytes);
            views.push((
                *name,
                view.map_err(|error| fail(std::io::Error::other(error)))?,
            ));
        }
        let file = safetensors::serialize(views, None)
            .map_err(|error| fail(std::io::Error::other(error)))?;
        atomic_file::replace(path, &file, Readers::Everyone).map_err(fail)
    }
}

/// A draw from the standard normal distribution (Box and Muller).
fn gaussian(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Spec, nn1};

    /// A network of few weights.
    fn graph(dimension: usize) -> LayerGraph {
        let spec = Spec {
            dimension,
            width: 0.02,
            ..Spec::new("nn1")
        };
        nn1::nn1(&spec).unwrap()
    }

    #[test]
    fn survive_the_way_to_a_file_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let weights = Weights::initialize(&graph(8), 7);
        weights.write(&path).unwrap();
        assert_eq!(Weights::read(&path).unwrap(), weights);
    }

    #[test]
    fn of_another_network_are_refused() {
        let weights = Weights::initialize(&graph(8), 7);
        let error = weights.fit(&graph(16)).unwrap_err();
        assert!(error.to_string().contains("fc7128.weight"), "{error}");
    }

    #[test]
    fn a_file_cut_short_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let weights = Weights::initialize(&graph(8), 7);
        weights.write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = Weights::read(&path).unwrap_err();
        assert!(error.to_string().contains("weights.safetensors"), "{error}");
    }
}
