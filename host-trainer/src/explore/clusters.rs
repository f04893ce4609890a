//! The clusters that `usher-train cluster` found, as its `clusters.json` lists them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::embeddings::Face;

/// The list; other fields are for others.
#[derive(Debug, Deserialize)]
struct File {
    faces: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    path: PathBuf,
    #[serde(default)]
    face: usize,
    /// None: a face of no cluster.
    cluster: Option<i64>,
}

/// Why there are no clusters.
#[derive(Debug, thiserror::Error)]
pub enum ClustersError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not such a list.
    #[error(
        "expected clusters.json of `usher-train cluster` in {path}: {source}; name that file by --clusters"
    )]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A list of other pictures.
    #[error(
        "none of the {faces} faces is listed in {path}: cluster the same folder, named in the same way"
    )]
    Strange {
        /// The file.
        path: PathBuf,
        /// Faces in question.
        faces: usize,
    },
}

/// The cluster of each face, by name; none where the list has none.
///
/// # Errors
/// [`ClustersError`], also when the list has none of these faces.
pub fn read(path: &Path, faces: &[Face]) -> Result<Vec<Option<String>>, ClustersError> {
    let bytes = std::fs::read(path).map_err(|source| ClustersError::Read {
        path: path.to_owned(),
        source,
    })?;
    let file: File = serde_json::from_slice(&bytes).map_err(|source| ClustersError::Parse {
        path: path.to_owned(),
        source,
    })?;
    let listed = file
        .faces
        .into_iter()
        .map(|face| ((face.path, face.face), face.cluster));
    let listed: HashMap<(PathBuf, usize), Option<i64>> = listed.collect();
    let found: Vec<Option<&Option<i64>>> = faces
        .iter()
        .map(|face| listed.get(&(face.path.clone(), face.index)))
        .collect();
    if found.iter().all(Option::is_none) {
        return Err(ClustersError::Strange {
            path: path.to_owned(),
            faces: faces.len(),
        });
    }
    let name = |cluster: &i64| format!("cluster {cluster}");
    let of = |found: Option<&Option<i64>>| found.and_then(|cluster| cluster.as_ref().map(name));
    Ok(found.into_iter().map(of).collect())
}
