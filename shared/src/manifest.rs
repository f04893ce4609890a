//! The TOML contract beside every ONNX file: digest, recipe, operating points, origin, licence.

mod check;
mod error;

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::atomic_file::{self, Readers};
use crate::model_id::ModelId;
use crate::operating_point::OperatingPoint;
use crate::preprocessing::Preprocessing;

pub use error::ManifestError;

/// The manifest format that this build reads and writes.
pub const FORMAT: u32 = 1;
/// Longest manifest, in bytes: reading one takes up to a hundred times its size.
pub const MAX_FILE_BYTES: u64 = 128 << 10;

/// What a device must know of a network to run it, and a person to trust it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Version of this contract: [`FORMAT`].
    pub format: u32,
    /// What the model is called: "usher-small".
    pub name: String,
    /// The network's architecture: "mobilefacenet".
    pub network: String,
    /// File name of the ONNX file, which lies beside the manifest.
    pub onnx: String,
    /// SHA-256 of the ONNX file, 64 lower-case hex digits.
    pub sha256: String,
    /// Numbers in an embedding.
    pub dimension: usize,
    /// Trained numbers in the network.
    pub parameters: u64,
    /// Multiply-adds for one face.
    pub multiply_adds: u64,
    /// Terms under which the weights may be used.
    pub licence: String,
    /// How a face becomes the network's input.
    pub preprocessing: Preprocessing,
    /// Named thresholds with their measured error rates; empty before calibration.
    #[serde(default)]
    pub operating_points: Vec<OperatingPoint>,
    /// What the network was trained on.
    #[serde(default)]
    pub training_data: Vec<TrainingData>,
}

/// One set of pictures that a network was trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingData {
    /// What the set is called.
    pub name: String,
    /// Pictures used.
    pub pictures: u64,
    /// People in them.
    pub identities: u64,
    /// Terms under which the pictures may be used; they bind the weights too.
    pub licence: String,
}

impl ModelManifest {
    /// Reads and checks a manifest; the ONNX file itself is checked by [`crate::Embedder::load`].
    ///
    /// # Errors
    /// [`ManifestError`], naming file, line and field.
    pub fn read(path: &Path) -> Result<ModelManifest, ManifestError> {
        let unreadable = |source| ManifestError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        std::fs::File::open(path)
            .map_err(unreadable)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        ModelManifest::from_toml(&text, path)
    }

    /// Reads and checks a manifest's text; `path` is what errors name.
    ///
    /// # Errors
    /// [`ManifestError`], naming file, line and field.
    pub fn from_toml(text: &str, path: &Path) -> Result<ModelManifest, ManifestError> {
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(ManifestError::Read {
                path: path.to_owned(),
                source: std::io::ErrorKind::FileTooLarge.into(),
            });
        }
        let manifest = parse(text, path)?;
        check::check(&manifest, path)?;
        Ok(manifest)
    }

    /// The manifest's text; `path` is what errors name.
    ///
    /// # Errors
    /// [`ManifestError`] when a field is out of its range.
    pub fn to_toml(&self, path: &Path) -> Result<String, ManifestError> {
        check::check(self, path)?;
        toml::to_string(self).map_err(|source| ManifestError::Unwritable {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes the manifest in place of the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// [`ManifestError`] when a field is out of its range or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let text = self.to_toml(path)?;
        atomic_file::replace(path, text.as_bytes(), Readers::Everyone).map_err(|source| {
            ManifestError::Write {
                path: path.to_owned(),
                source,
            }
        })
    }

    /// The digest of weights and recipe that every gallery of this model holds.
    pub fn model_id(&self) -> ModelId {
        ModelId::of(&self.sha256, &self.preprocessing)
    }

    /// The operating point of this name.
    ///
    /// # Errors
    /// [`ManifestError::NoOperatingPoint`], naming those there are.
    pub fn operating_point(&self, name: &str) -> Result<&OperatingPoint, ManifestError> {
        self.operating_points
            .iter()
            .find(|point| point.name == name)
            .ok_or_else(|| ManifestError::NoOperatingPoint {
                model: self.name.clone(),
                expected: name.to_owned(),
                found: match self.operating_points.as_slice() {
                    [] => "none".to_owned(),
                    points => points
                        .iter()
                        .map(|point| point.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                },
            })
    }
}

/// The format alone, so that a manifest of a later format is not blamed for its new fields.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

fn parse(text: &str, path: &Path) -> Result<ModelManifest, ManifestError> {
    let syntax = |error| ManifestError::syntax(path, text, &error);
    let FormatOnly { format } = toml::from_str(text).map_err(syntax)?;
    if format != FORMAT {
        return Err(ManifestError::Format {
            path: path.to_owned(),
            found: format,
        });
    }
    toml::from_str(text).map_err(syntax)
}

#[cfg(test)]
pub(crate) mod tests;
