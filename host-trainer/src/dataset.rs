//! Aligned training faces: a folder per identity, or tar files with a manifest.
//!
//! Every picture is a face aligned to the template at 112/128 of its side: the standard crop with
//! a margin of 8/128 around it for jitter, as `prepare` writes them. Pictures are held in memory
//! as the compressed bytes they were read as.

pub mod augment;
pub mod folder;
pub mod lfw;
pub mod loader;
pub mod sampler;
pub mod tars;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Side of the standard crop as a share of an aligned picture's side.
pub const CROP_SHARE: f64 = 112.0 / 128.0;

/// One picture, still compressed.
#[derive(Debug)]
pub struct Picture {
    /// Where it came from, for messages: a path, or a tar and the path inside.
    pub name: PathBuf,
    /// Index into [`Dataset::identities`].
    pub identity: usize,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// What a share of the pictures came from, for the model card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Name of the source.
    pub name: String,
    /// Pictures from it.
    pub pictures: u64,
    /// Identities that have a picture from it.
    pub identities: u64,
    /// Its licence or terms.
    pub licence: String,
}

/// Pictures of identities, at least two of each.
#[derive(Debug)]
pub struct Dataset {
    /// Names, in alphabetical order.
    pub identities: Vec<String>,
    /// Pictures, those of one identity together.
    pub pictures: Vec<Picture>,
    /// Where they came from.
    pub sources: Vec<Source>,
}

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of the manifest is not one.
    #[error(
        "{path}, line {line}: expected tar, path, identity, source and licence separated by tabs, found {found:?}"
    )]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// A picture stands in the manifest twice.
    #[error(
        "{path}, line {line}: expected each picture once, found it again; take one of the two lines out"
    )]
    Twice {
        /// The manifest.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// The manifest and its tars disagree.
    #[error(
        "{tar} lacks {count} pictures that {manifest} lists, {example} among them: fetch both again from one place"
    )]
    Missing {
        /// The tar file.
        tar: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// Pictures lacking.
        count: usize,
        /// One of them.
        example: String,
    },
    /// Nothing to learn from.
    #[error(
        "{path} holds {identities} identities with at least two pictures: expected two or more, as <identity>/<picture>.jpg or as manifest.tsv with tar files"
    )]
    TooSmall {
        /// The folder.
        path: PathBuf,
        /// Identities found.
        identities: usize,
    },
}

/// A picture as a reader finds it.
struct Found {
    name: PathBuf,
    identity: String,
    source: String,
    licence: String,
    bytes: Vec<u8>,
}

impl Dataset {
    /// Reads `folder`: tar files if it holds a `manifest.tsv`, else a folder per identity.
    ///
    /// Identities with a single picture are left out: they have no genuine pair.
    ///
    /// # Errors
    /// A [`DatasetError`] naming the file.
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        let manifest = folder.join("manifest.tsv");
        let found = if manifest.exists() {
            tars::read(folder, &manifest)?
        } else {
            folder::read(folder)?
        };
        Self::collect(folder, found)
    }

    fn collect(folder: &Path, found: Vec<Found>) -> Result<Self, DatasetError> {
        let mut by_identity: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        for picture in found {
            by_identity
                .entry(picture.identity.clone())
                .or_default()
                .push(picture);
        }
        by_identity.retain(|_, pictures| pictures.len() >= 2);
        if by_identity.len() < 2 {
            return Err(DatasetError::TooSmall {
                path: folder.to_owned(),
                identities: by_identity.len(),
            });
        }
        let sources = summarize(&by_identity);
        let identities = by_identity.keys().cloned().collect();
        let pictures = by_identity.into_values().enumerate();
        let pictures = pictures.flat_map(|(identity, pictures)| {
            pictures.into_iter().map(move |found| Picture {
                name: found.name,
                identity,
                bytes: found.bytes,
            })
        });
        Ok(Self {
            identities,
            pictures: pictures.collect(),
            sources,
        })
    }

    /// Indices of the pictures of each identity.
    pub fn by_identity(&self) -> Vec<Vec<usize>> {
        let mut lists = vec![Vec::new(); self.identities.len()];
        for (index, picture) in self.pictures.iter().enumerate() {
            lists[picture.identity].push(index);
        }
        lists
    }

    /// Where a picture is, for messages.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn name(&self, picture: usize) -> PathBuf {
        self.pictures[picture].name.clone()
    }

    /// A picture's bytes, still compressed.
    ///
    /// # Errors
    /// [`DatasetError::Io`] if they cannot be read.
    ///
    /// # Panics
    /// If there is no such picture.
    pub fn bytes(&self, picture: usize) -> Result<Cow<'_, [u8]>, DatasetError> {
        Ok(Cow::Borrowed(&self.pictures[picture].bytes))
    }

    /// SHA-256 over all identities and bytes, in hexadecimal: what a run was trained on.
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for picture in &self.pictures {
            digest.update(self.identities[picture.identity].as_bytes());
            digest.update([0]);
            digest.update((picture.bytes.len() as u64).to_le_bytes());
            digest.update(&picture.bytes);
        }
        shared::model_id::hex(&digest.finalize())
    }
}

fn summarize(by_identity: &BTreeMap<String, Vec<Found>>) -> Vec<Source> {
    let mut sources: BTreeMap<(&str, &str), Source> = BTreeMap::new();
    for pictures in by_identity.values() {
        let mut seen = Vec::new();
        for picture in pictures {
            let key = (picture.source.as_str(), picture.licence.as_str());
            let source = sources.entry(key).or_insert_with(|| Source {
                name: picture.source.clone(),
                pictures: 0,
                identities: 0,
                licence: picture.licence.clone(),
            });
            source.pictures += 1;
            if !seen.contains(&key) {
                seen.push(key);
                source.identities += 1;
            }
        }
    }
    sources.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_names_without_lone_pictures() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "b/2.jpg",
            "b/1.PNG",
            "a/1.jpg",
            "a/2.jpg",
            "lone/1.jpg",
            "b/notes.txt",
        ] {
            write(&folder.path().join(name), name.as_bytes());
        }
        let dataset = Dataset::open(folder.path()).unwrap();
        assert_eq!(dataset.identities, ["a", "b"]);
        let held: Vec<&[u8]> = dataset
            .pictures
            .iter()
            .map(|picture| &picture.bytes[..])
            .collect();
        assert_eq!(held, [&b"a/1.jpg"[..], b"a/2.jpg", b"b/1.PNG", b"b/2.jpg"]);
        assert_eq!(dataset.by_identity(), [[0, 1], [2, 3]]);
        let before = dataset.digest();
        write(&folder.path().join("a/2.jpg"), b"another");
        assert_ne!(Dataset::open(folder.path()).unwrap().digest(), before);
    }

    /// Two tars with two identities in common, and a manifest that lists `listed` of the first.
    fn tars(folder: &Path, listed: &[&str]) {
        let mut manifest = "tar\tpath\tidentity\tsource\tlicence\n".to_owned();
        for (tar, paths) in [("one.tar", listed), ("two.tar", &["a/3.jpg", "b/1.jpg"])] {
            let mut archive = tar::Builder::new(std::fs::File::create(folder.join(tar)).unwrap());
            for path in ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.jpg"] {
                let mut header = tar::Header::new_gnu();
                header.set_size(path.len() as u64);
                header.set_mode(0o644);
                archive
                    .append_data(&mut header, path, path.as_bytes())
                    .unwrap();
            }
            archive.finish().unwrap();
            for path in paths {
                let identity = &path[..1];
                manifest += &format!("{tar}\t{path}\t{identity}\tset of {tar}\tresearch\n");
            }
        }
        write(&folder.join("manifest.tsv"), manifest.as_bytes());
    }

    #[test]
    fn tars_give_what_their_manifest_lists() {
        let folder = tempfile::tempdir().unwrap();
        tars(folder.path(), &["a/1.jpg", "b/1.jpg"]);
        let dataset = Dataset::open(folder.path()).unwrap();
        assert_eq!(dataset.pictures.len(), 4);
        let names: Vec<&str> = dataset
            .sources
            .iter()
            .map(|source| &source.name[..])
            .collect();
        assert_eq!(names, ["set of one.tar", "set of two.tar"]);
        assert_eq!(
            (dataset.sources[0].pictures, dataset.sources[0].identities),
            (2, 2)
        );
    }

    #[test]
    fn a_tar_without_a_listed_picture_is_named() {
        let folder = tempfile::tempdir().unwrap();
        tars(folder.path(), &["a/1.jpg", "a/9.jpg"]);
        let error = Dataset::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("one.tar") && error.contains("a/9.jpg"),
            "{error}"
        );
    }

    #[test]
    fn a_manifest_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("manifest.tsv"), b"head\nonly\ttwo\n");
        let error = Dataset::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("manifest.tsv, line 2"), "{error}");
    }

    #[test]
    fn one_identity_is_nothing_to_learn_from() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a/1.jpg"), b"1");
        write(&folder.path().join("a/2.jpg"), b"2");
        let error = Dataset::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("holds 1 identities"), "{error}");
    }
}
