//! Clusters on disk: what is known of each face, so that new photos join old clusters.
//!
//! `clusters.json` says it all but the embeddings; those lie beside it in a safetensors file named
//! by its digest. That file is written first, then clusters.json in one step, then the old file goes:
//! a crash leaves the old state or the new one, never half of both.

pub mod folders;
mod grow;

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, Readers};
use shared::model_id::sha256_hex;
use shared::{Detection, Landmarks, Point, Rect};

use super::Method;

pub use grow::{Grown, NewFace, grow};

/// The list of faces; a folder with it is one of clusters.
pub const LIST: &str = "clusters.json";
const FORMAT: u32 = 1;
const TENSOR: &str = "embeddings";
const EMBEDDINGS: &str = "embeddings-";

/// All that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this file.
    pub format: u32,
    /// What the file is, for whoever opens it.
    pub about: String,
    /// The model whose embeddings these are: name and id.
    pub model: String,
    /// Up to which mean squared L2 faces are of one cluster.
    pub threshold: f32,
    /// How they were grouped first.
    pub method: Method,
    /// Whether pictures are copied into the clusters' folders; else linked.
    pub copied: bool,
    /// The number that the next new cluster gets.
    pub next: u32,
    /// File with the embeddings, f32 [faces, dimension], beside this one.
    pub embeddings: String,
    /// Numbers in an embedding.
    pub dimension: usize,
    /// Every face, in the order of the embeddings.
    pub faces: Vec<Member>,
    /// Faces whose pictures were still to be put into folders when this was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<usize>,
}

/// A face.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Its picture.
    pub path: PathBuf,
    /// SHA-256 of the picture.
    pub digest: String,
    /// Its number in its picture, from 0.
    pub index: usize,
    /// Its cluster's number, from 1; none for a lone face.
    pub cluster: Option<u32>,
    /// Squared L2 to the center of its cluster; 0 for a lone face.
    pub distance: f32,
    /// Where it lies in its picture; absent where the picture is the face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Its person, where the folders told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Where a face lies, in pixels of its picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Left, top, width, height.
    pub bounds: [f32; 4],
    /// The detector's, 0 to 1.
    pub score: f32,
    /// Right eye, left eye, nose, right and left corner of the mouth, as the person has them.
    pub landmarks: [[f32; 2]; 5],
}

impl From<&Detection> for Place {
    fn from(detection: &Detection) -> Self {
        let bounds = detection.bounds;
        Self {
            bounds: [bounds.left, bounds.top, bounds.width, bounds.height],
            score: detection.score,
            landmarks: detection.landmarks.0.map(|point| [point.x, point.y]),
        }
    }
}

impl From<&Place> for Detection {
    fn from(place: &Place) -> Self {
        let [left, top, width, height] = place.bounds;
        Self {
            bounds: Rect {
                left,
                top,
                width,
                height,
            },
            score: place.score,
            landmarks: Landmarks(place.landmarks.map(|[x, y]| Point { x, y })),
        }
    }
}

/// Why clusters cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder of other things.
    #[error("{path} holds other things; name a new folder, or one that `usher-train cluster` made")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A file refuses.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file says what it cannot.
    #[error("expected {expected} in {path}, found {found}; take another --out and cluster again")]
    Content {
        /// The file.
        path: PathBuf,
        /// What belongs there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
}

impl StoreError {
    /// For `map_err`: the system's word on that file or folder.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl State {
    /// One without faces.
    pub fn new(
        model: String,
        dimension: usize,
        threshold: f32,
        method: Method,
        copied: bool,
    ) -> Self {
        Self {
            format: FORMAT,
            about: "faces grouped by usher-train cluster; biometric data, keep it to yourself"
                .to_owned(),
            model,
            threshold,
            method,
            copied,
            next: 1,
            embeddings: String::new(),
            dimension,
            faces: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Reads state and embeddings, row after row; none where the folder is absent or empty.
    ///
    /// # Errors
    /// [`StoreError`]: a folder of other things, or damaged files.
    pub fn read(folder: &Path) -> Result<Option<(Self, Vec<f32>)>, StoreError> {
        let list = folder.join(LIST);
        let bytes = match fs::read(&list) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // What a crash before the first list left is nobody's.
                let ours = |name: &str| {
                    name.starts_with(EMBEDDINGS) || name.starts_with(atomic_file::TEMPORARY)
                };
                let empty = match fs::read_dir(folder) {
                    Ok(mut entries) => entries.all(|entry| {
                        entry.is_ok_and(|entry| ours(&entry.file_name().to_string_lossy()))
                    }),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
                    Err(source) => return Err(StoreError::io(folder)(source)),
                };
                let path = folder.to_owned();
                return if empty {
                    Ok(None)
                } else {
                    Err(StoreError::Occupied { path })
                };
            }
            Err(source) => return Err(StoreError::io(&list)(source)),
        };
        let content = |path: &Path, expected, found: String| StoreError::Content {
            path: path.to_owned(),
            expected,
            found,
        };
        let state: Self = serde_json::from_slice(&bytes)
            .map_err(|error| content(&list, "a list of faces", error.to_string()))?;
        if state.format != FORMAT {
            return Err(content(
                &list,
                "format 1",
                format!("format {}", state.format),
            ));
        }
        // A name and no path: the file lies here and nowhere else.
        let path = folder.join(Path::new(&state.embeddings).file_name().unwrap_or_default());
        let bytes = fs::read(&path).map_err(StoreError::io(&path))?;
        let damaged = |found: String| content(&path, "the embeddings of all faces", found);
        let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let tensor = file
            .tensor(TENSOR)
            .map_err(|error| damaged(error.to_string()))?;
        let shape = [state.faces.len(), state.dimension];
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(damaged(format!(
                "{:?} {:?}",
                tensor.dtype(),
                tensor.shape()
            )));
        }
        let rows = tensor.data().as_chunks::<4>().0.iter();
        let rows = rows.map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(Some((state, rows)))
    }

    /// Writes state and embeddings into a folder that is there, files for their owner alone.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the old state is then still there.
    pub fn write(&mut self, folder: &Path, rows: &[f32]) -> Result<(), StoreError> {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = vec![self.faces.len(), self.dimension];
        let view = TensorView::new(Dtype::F32, shape, &bytes)
            .unwrap_or_else(|error| unreachable!("a row for each face: {error}"));
        let bytes = safetensors::serialize([(TENSOR, view)], None)
            .unwrap_or_else(|error| unreachable!("one sound tensor: {error}"));
        let name = format!("{EMBEDDINGS}{}.safetensors", &sha256_hex(&bytes)[..16]);
        let path = folder.join(&name);
        atomic_file::replace(&path, &bytes, Readers::Owner).map_err(StoreError::io(&path))?;
        let old = std::mem::replace(&mut self.embeddings, name);
        let list = folder.join(LIST);
        let text = serde_json::to_vec_pretty(self)
            .unwrap_or_else(|error| unreachable!("plain data: {error}"));
        atomic_file::replace(&list, &text, Readers::Owner).map_err(StoreError::io(&list))?;
        if !old.is_empty() && old != self.embeddings {
            let old = folder.join(old);
            fs::remove_file(&old).map_err(StoreError::io(&old))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
