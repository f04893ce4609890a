//! The clusters that `usher-train cluster` found, as its `clusters.json` lists them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared::model_id::hex;

use crate::embeddings::Face;

/// The list; other fields are for others.
#[derive(Debug, Deserialize)]
struct File {
    faces: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    /// SHA-256 of its picture.
    digest: String,
    /// Its number in its picture.
    index: usize,
    /// None: a lone face.
    cluster: Option<u32>,
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
    #[error("none of the {faces} faces is listed in {path}: cluster the same pictures")]
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
    let listed: HashMap<(String, usize), Option<u32>> = file
        .faces
        .into_iter()
        .map(|face| ((face.digest, face.index), face.cluster))
        .collect();
    let found: Vec<Option<&Option<u32>>> = faces
        .iter()
        .map(|face| listed.get(&(hex(&face.digest), face.index)))
        .collect();
    if found.iter().all(Option::is_none) {
        return Err(ClustersError::Strange {
            path: path.to_owned(),
            faces: faces.len(),
        });
    }
    let name = |cluster: &u32| format!("cluster {cluster}");
    let of = |found: Option<&Option<u32>>| found.and_then(|cluster| cluster.as_ref().map(name));
    Ok(found.into_iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Embedding;

    fn face(digest: u8, index: usize) -> Face {
        Face {
            path: PathBuf::from("1.jpg"),
            digest: [digest; 32],
            label: None,
            index,
            detection: None,
            embedding: Embedding::from_raw(vec![1.0, 0.0]).unwrap(),
        }
    }

    #[test]
    fn faces_are_found_by_their_pictures_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clusters.json");
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let list = format!(
            r#"{{"format": 1, "faces": [
                {{"path": "a", "digest": "{one}", "index": 0, "cluster": 3}},
                {{"path": "a", "digest": "{one}", "index": 1, "cluster": null}},
                {{"path": "b", "digest": "{two}", "index": 0, "cluster": 4}}]}}"#
        );
        std::fs::write(&path, list).unwrap();
        let faces = [face(1, 0), face(1, 1), face(1, 2), face(2, 0)];
        let found = read(&path, &faces).unwrap();
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(found, [named("cluster 3"), None, None, named("cluster 4")]);
        let error = read(&path, &[face(9, 0)]).unwrap_err().to_string();
        assert!(error.contains("none of the 1 faces"), "{error}");
        std::fs::write(&path, "[]").unwrap();
        assert!(matches!(
            read(&path, &faces),
            Err(ClustersError::Parse { .. })
        ));
    }
}
