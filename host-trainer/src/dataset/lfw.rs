//! Labeled Faces in the Wild: its folder of pictures, or the tar file of them.
//!
//! Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", 2007. The folder holds
//! pairs.txt, pairsDevTrain.txt, pairsDevTest.txt and the pictures: `Name/Name_0001.jpg`, there or
//! in `lfw160.tar` (deep-funneled, the center 160x160).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::verification::pairs::{PairList, PairsError, PictureId};

/// View 2, ten folds: the test.
pub const VIEW_2: &str = "pairs.txt";
/// View 1, to choose thresholds on.
pub const VIEW_1_TRAIN: &str = "pairsDevTrain.txt";
/// View 1, to check them on.
pub const VIEW_1_TEST: &str = "pairsDevTest.txt";
const TAR: &str = "lfw160.tar";

/// A folder of LFW.
#[derive(Debug, Clone)]
pub struct Lfw {
    folder: PathBuf,
}

/// Pictures as the files' bytes.
pub type Pictures = BTreeMap<PictureId, Vec<u8>>;

/// Why LFW could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LfwError {
    /// A list of pairs.
    #[error(transparent)]
    Pairs(#[from] PairsError),
    /// The file system refused, or the tar file is damaged.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Pictures that the pairs need are not there.
    #[error(
        "{place} lacks {count} pictures that the pairs need, {example} among them; LFW has {TAR} or a folder for every person beside its lists"
    )]
    Missing {
        /// The tar file or the folder.
        place: PathBuf,
        /// Pictures lacking.
        count: usize,
        /// One of them.
        example: PathBuf,
    },
}

impl Lfw {
    /// LFW in that folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// One of its lists of pairs.
    ///
    /// # Errors
    /// [`LfwError::Pairs`] naming file and line.
    pub fn pairs(&self, list: &str) -> Result<PairList, LfwError> {
        Ok(PairList::read(&self.folder.join(list))?)
    }

    /// The bytes of those pictures.
    ///
    /// # Errors
    /// [`LfwError`] if one cannot be read or is not there.
    pub fn pictures(&self, wanted: &BTreeSet<PictureId>) -> Result<Pictures, LfwError> {
        let tar = self.folder.join(TAR);
        let (place, found) = if tar.exists() {
            let found = from_tar(&tar, wanted).map_err(|source| LfwError::Io {
                path: tar.clone(),
                source,
            })?;
            (tar, found)
        } else {
            (self.folder.clone(), self.from_folder(wanted)?)
        };
        let mut lacking = wanted.iter().filter(|id| !found.contains_key(id));
        match lacking.next() {
            None => Ok(found),
            Some(first) => Err(LfwError::Missing {
                place,
                count: lacking.count() + 1,
                example: first.path(),
            }),
        }
    }

    fn from_folder(&self, wanted: &BTreeSet<PictureId>) -> Result<Pictures, LfwError> {
        let mut found = Pictures::new();
        for id in wanted {
            let path = self.folder.join(id.path());
            match std::fs::read(&path) {
                Ok(bytes) => {
                    found.insert(id.clone(), bytes);
                }
                // Told of all at once by the caller.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(LfwError::Io { path, source }),
            }
        }
        Ok(found)
    }
}

fn from_tar(tar: &Path, wanted: &BTreeSet<PictureId>) -> std::io::Result<Pictures> {
    let by_path: BTreeMap<PathBuf, &PictureId> = wanted.iter().map(|id| (id.path(), id)).collect();
    let mut found = Pictures::new();
    let mut archive = tar::Archive::new(BufReader::new(File::open(tar)?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        // `lfw160/Name/Name_0001.jpg`: the first folder is the archive's own.
        let path: PathBuf = entry.path()?.components().skip(1).collect();
        if let Some(id) = by_path.get(&path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            found.insert((*id).clone(), bytes);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> BTreeSet<PictureId> {
        let id = |person: &str, number| PictureId {
            person: person.to_owned(),
            number,
        };
        [id("Ada", 1), id("Bob", 12)].into()
    }

    fn check(lfw: &Lfw) {
        let found = lfw.pictures(&wanted()).unwrap();
        let bytes: Vec<&[u8]> = found.values().map(Vec::as_slice).collect();
        assert_eq!(bytes, [b"ada".as_slice(), b"bob"]);
    }

    #[test]
    fn a_folder_and_a_tar_give_the_same_pictures() {
        let folder = tempfile::tempdir().unwrap();
        for (person, file, bytes) in [
            ("Ada", "Ada_0001.jpg", "ada"),
            ("Bob", "Bob_0012.jpg", "bob"),
        ] {
            std::fs::create_dir(folder.path().join(person)).unwrap();
            std::fs::write(folder.path().join(person).join(file), bytes).unwrap();
        }
        check(&Lfw::new(folder.path()));

        let other = tempfile::tempdir().unwrap();
        let mut tar = tar::Builder::new(File::create(other.path().join(TAR)).unwrap());
        tar.append_dir_all("lfw160", folder.path()).unwrap();
        tar.finish().unwrap();
        check(&Lfw::new(other.path()));
    }

    #[test]
    fn what_lacks_is_counted_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lfw::new(folder.path()).pictures(&wanted()).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("lacks 2 pictures") && said.contains("Ada_0001.jpg"),
            "{said}"
        );
    }
}
