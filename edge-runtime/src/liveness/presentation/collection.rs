//! The recordings of a PAD test: `bona-fide/<subject>/<recording>` and `attack/<species>/<recording>`.

use std::io;
use std::path::{Path, PathBuf};

use shared::model_id::sha256_hex;

/// The recordings in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// A folder of recordings for each subject.
    pub subjects: Vec<Group>,
    /// A folder of recordings for each attack species.
    pub species: Vec<Group>,
}

/// Recordings of one subject, or of one species.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The folder's name.
    pub name: String,
    /// The recordings' folders, in order.
    pub recordings: Vec<PathBuf>,
}

/// Why a folder is no collection.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// A folder or file cannot be read.
    #[error(
        "expected recordings of a PAD test at {path}, found: {source}; give a folder with bona-fide/<subject>/<recording> and attack/<species>/<recording>"
    )]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are too few presentations for any statement.
    #[error(
        "expected {needed} presentations or more of each kind, as a rate of {rate} needs by the rule of 3, found {found}; record more, or ask for a larger --rate"
    )]
    TooFew {
        /// How many are needed.
        needed: u64,
        /// The rate that is to be shown.
        rate: f64,
        /// Which kinds have how many.
        found: String,
    },
}

impl Collection {
    /// Lists the recordings of a PAD test.
    ///
    /// # Errors
    /// [`CollectionError::Read`] when a folder is missing.
    pub fn open(folder: &Path) -> Result<Collection, CollectionError> {
        let groups = |kind: &str| -> Result<Vec<Group>, CollectionError> {
            folders(&folder.join(kind))?
                .into_iter()
                .map(|path| {
                    Ok(Group {
                        name: name(&path),
                        recordings: folders(&path)?,
                    })
                })
                .collect()
        };
        Ok(Collection {
            subjects: groups("bona-fide")?,
            species: groups("attack")?,
        })
    }

    /// Refuses a collection that cannot show this rate, for people or for any species.
    ///
    /// # Errors
    /// [`CollectionError::TooFew`], naming what there is too little of.
    pub fn check(&self, rate: f64) -> Result<(), CollectionError> {
        let needed = super::least_presentations(rate);
        let count = |group: &Group| group.recordings.len() as u64;
        let people: u64 = self.subjects.iter().map(count).sum();
        let mut few = Vec::new();
        if people < needed {
            few.push(format!("{people} of people"));
        }
        for species in &self.species {
            if count(species) < needed {
                few.push(format!("{} of {}", count(species), species.name));
            }
        }
        if self.species.is_empty() {
            few.push("no attack species".to_owned());
        }
        match few.is_empty() {
            true => Ok(()),
            false => Err(CollectionError::TooFew {
                needed,
                rate,
                found: few.join(", "),
            }),
        }
    }

    /// SHA-256 over the digest and the place of every file of every recording, 64 lower-case hex digits.
    ///
    /// # Errors
    /// [`CollectionError::Read`] when a file cannot be read.
    pub fn digest(&self, folder: &Path) -> Result<String, CollectionError> {
        let mut lines = Vec::new();
        let groups = self.subjects.iter().chain(&self.species);
        for recording in groups.flat_map(|group| &group.recordings) {
            for file in entries(recording)? {
                if !file.is_file() {
                    continue;
                }
                let bytes = std::fs::read(&file).map_err(|source| CollectionError::Read {
                    path: file.clone(),
                    source,
                })?;
                let place = file.strip_prefix(folder).unwrap_or(&file);
                lines.push(format!("{} {}\n", sha256_hex(&bytes), place.display()));
            }
        }
        lines.sort();
        Ok(sha256_hex(lines.concat().as_bytes()))
    }
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>, CollectionError> {
    let mut folders = entries(folder)?;
    folders.retain(|path| path.is_dir());
    Ok(folders)
}

/// What lies in a folder and is not hidden, in counting order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CollectionError> {
    let refuse = |source| CollectionError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    alphanumeric_sort::sort_path_slice(&mut paths);
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
