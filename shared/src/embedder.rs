//! A face becomes an embedding: the network of a manifest, checked against it before use.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::embedding::{Embedding, EmbeddingError};
use crate::inference::{Crew, InferenceError, OnnxFile, OnnxModel, OnnxParts};
use crate::manifest::{ManifestError, ModelManifest};
use crate::model_id::Digested;
use crate::normalize::FaceTensor;

/// A network that turns prepared faces into embeddings.
pub struct Embedder {
    manifest: ModelManifest,
    model: OnnxModel,
}

/// Why a model cannot be used, or a face not be embedded.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The ONNX file cannot be read.
    #[error(
        "expected the network that {manifest} names at {path}, found: {source}; put both files of the model into one folder"
    )]
    Read {
        /// The manifest.
        manifest: PathBuf,
        /// The ONNX file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The ONNX file is not the one that the manifest describes.
    #[error(
        "expected the network {path} to have the sha256 {expected} that {manifest} states, found {found} over {found_bytes} bytes; copy both files of the model again or export it again"
    )]
    Digest {
        /// The manifest.
        manifest: PathBuf,
        /// The ONNX file.
        path: PathBuf,
        /// The manifest's digest.
        expected: String,
        /// The file's digest.
        found: String,
        /// The file's length.
        found_bytes: u64,
    },
    /// The ONNX file does not load.
    #[error("expected a network that runs in {path}: {source}; export the model again")]
    Model {
        /// The ONNX file.
        path: PathBuf,
        /// What went wrong.
        source: InferenceError,
    },
    /// The network has another input than the manifest's recipe feeds.
    #[error(
        "expected the network {path} to declare the input {expected}, found {found}; export the model again"
    )]
    Input {
        /// The ONNX file.
        path: PathBuf,
        /// Batch, channels and sides by the recipe.
        expected: String,
        /// What the file declares.
        found: String,
    },
    /// The network has another output than one embedding of the manifest's dimension.
    #[error(
        "expected the network {path} to have the output {expected}, found {found}; export the model again"
    )]
    Output {
        /// The ONNX file.
        path: PathBuf,
        /// Batch of one and the manifest's dimension.
        expected: String,
        /// The outputs there are.
        found: String,
    },
    /// The face was prepared by another recipe.
    #[error(
        "expected a face of {expected} pixels a side, found {found}; prepare it by the recipe of this model's manifest"
    )]
    Side {
        /// The recipe's side.
        expected: u32,
        /// The face's side.
        found: u32,
    },
    /// The network failed on a face.
    #[error("embedding failed: {0}; report this with the model's name")]
    Run(#[from] InferenceError),
    /// The network's output is no embedding.
    #[error(transparent)]
    Embedding(#[from] EmbeddingError),
}

impl Embedder {
    /// The manifest and the bytes of its ONNX file, which lies in the same folder, its digest
    /// checked; nothing in it is parsed.
    ///
    /// # Errors
    /// [`EmbedderError`], naming the files, when a file cannot be read or is another one.
    pub fn read(manifest_path: &Path) -> Result<(ModelManifest, Vec<u8>), EmbedderError> {
        let mut bytes = Vec::new();
        let (manifest, read) =
            Self::read_by(manifest_path, |file, _| file.read_to_end(&mut bytes))?;
        read.map_err(|source| EmbedderError::Read {
            manifest: manifest_path.to_owned(),
            path: manifest_path.with_file_name(&manifest.onnx),
            source,
        })?;
        Ok((manifest, bytes))
    }

    /// The manifest and what `read` makes of its ONNX file, of which it is told the length. The file is read
    /// once and digested on the way: what `read` was given is what the manifest names.
    fn read_by<T>(
        manifest_path: &Path,
        read: impl FnOnce(&mut dyn Read, u64) -> T,
    ) -> Result<(ModelManifest, T), EmbedderError> {
        let manifest = ModelManifest::read(manifest_path)?;
        let path = manifest_path.with_file_name(&manifest.onnx);
        let digested = || {
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            let mut file = Digested::new(BufReader::new(file));
            let made = read(&mut file, length);
            let (found, bytes) = file.finish()?;
            Ok((made, found, bytes))
        };
        let (made, found, found_bytes) =
            digested().map_err(|source: io::Error| EmbedderError::Read {
                manifest: manifest_path.to_owned(),
                path: path.clone(),
                source,
            })?;
        if found != manifest.sha256 {
            return Err(EmbedderError::Digest {
                manifest: manifest_path.to_owned(),
                path,
                expected: manifest.sha256,
                found,
                found_bytes,
            });
        }
        Ok((manifest, made))
    }

    /// Loads the model of a manifest.
    ///
    /// The file's digest is checked before anything in it is understood, then its input against the
    /// recipe and its output against the dimension.
    ///
    /// # Errors
    /// [`EmbedderError`], naming the files, when anything disagrees.
    pub fn load(manifest_path: &Path) -> Result<Embedder, EmbedderError> {
        Self::load_for(manifest_path, &Crew::default())
    }

    /// The same, to be run by several threads: embeddings are the same to the last bit.
    ///
    /// # Errors
    /// As [`Embedder::load`].
    pub fn load_for(manifest_path: &Path, crew: &Crew) -> Result<Embedder, EmbedderError> {
        let (manifest, parts) =
            Self::read_by(manifest_path, |file, length| OnnxParts::read(file, length))?;
        let path = manifest_path.with_file_name(&manifest.onnx);
        let side = manifest.preprocessing.side_px as usize;
        let model_error = |source| EmbedderError::Model {
            path: path.clone(),
            source,
        };
        let file = parts.and_then(OnnxFile::from_parts).map_err(model_error)?;
        let model = file.prepare_for(&[1, 3, side, side], crew);
        let model = model.map_err(model_error)?;
        check_shapes(&manifest, &model, &path)?;
        Ok(Embedder { manifest, model })
    }

    /// The manifest that the network was loaded by.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
    }

    /// The embedding of one prepared face.
    ///
    /// # Errors
    /// [`EmbedderError`] when the face has another side than the recipe's, or the network fails or
    /// yields no direction.
    pub fn embed(&mut self, face: &FaceTensor) -> Result<Embedding, EmbedderError> {
        let expected = self.manifest.preprocessing.side_px;
        if face.side_px() != expected {
            return Err(EmbedderError::Side {
                expected,
                found: face.side_px(),
            });
        }
        let numbers = self.model.run_with(
            |input| input.copy_from_slice(face.values()),
            // Load has made sure of exactly one output.
            |outputs| outputs[0].to_vec(),
        )?;
        Ok(Embedding::from_raw(numbers)?)
    }
}

fn check_shapes(
    manifest: &ModelManifest,
    model: &OnnxModel,
    path: &Path,
) -> Result<(), EmbedderError> {
    let side = manifest.preprocessing.side_px as usize;
    let declared = model.declared_input();
    // The batch is open or 1; what the file leaves open fits.
    let fits = declared.len() == 4
        && declared
            .iter()
            .zip([1, 3, side, side])
            .all(|(found, expected)| found.is_none_or(|found| found == expected));
    if !fits {
        return Err(EmbedderError::Input {
            path: path.to_owned(),
            expected: format!("[N, 3, {side}, {side}]"),
            found: shape_in_words(declared),
        });
    }
    let expected = [1, manifest.dimension];
    match model.outputs() {
        [output] if output.shape == expected => Ok(()),
        outputs => Err(EmbedderError::Output {
            path: path.to_owned(),
            expected: format!("{expected:?}"),
            found: outputs
                .iter()
                .map(|output| format!("{:?}", output.shape))
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

fn shape_in_words(shape: &[Option<usize>]) -> String {
    let extents: Vec<String> = shape
        .iter()
        .map(|extent| extent.map_or("N".to_owned(), |extent| extent.to_string()))
        .collect();
    format!("[{}]", extents.join(", "))
}
