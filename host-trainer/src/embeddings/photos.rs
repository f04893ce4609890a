//! Which pictures lie in a folder, and whose they are.

use std::path::{Path, PathBuf};

use super::EmbeddingsError;
use crate::dataset::folder::{file_name, is_hidden, is_picture};

/// Folders below the one named that are still looked into.
const MAX_DEPTH: usize = 8;

/// A picture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// The file.
    pub path: PathBuf,
    /// Its person: the name of the folder it lies in, if that is not the folder named.
    pub label: Option<String>,
}

/// Pictures in a folder, each with its person if they lie in a folder per person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photos {
    /// The folder, or the one picture.
    pub root: PathBuf,
    /// The pictures, in the order of paths.
    pub photos: Vec<Photo>,
}

impl Photos {
    /// The picture at `place`, or all pictures in it and its folders.
    ///
    /// Told by their extension; what a leading dot hides and links to folders are passed over, so
    /// that no loop of links is walked.
    ///
    /// # Errors
    /// [`EmbeddingsError::Read`], [`EmbeddingsError::NotUtf8`] and [`EmbeddingsError::NoPictures`],
    /// naming the place.
    pub fn open(place: &Path) -> Result<Self, EmbeddingsError> {
        let metadata = std::fs::metadata(place).map_err(|source| read(place, source))?;
        let mut photos = Vec::new();
        if metadata.is_dir() {
            walk(place, None, 0, &mut photos)?;
        } else {
            let path = place.to_owned();
            photos.push(Photo { path, label: None });
        }
        if photos.is_empty() {
            let path = place.to_owned();
            return Err(EmbeddingsError::NoPictures { path });
        }
        Ok(Self {
            root: place.to_owned(),
            photos,
        })
    }

    /// Keeps the pictures of people with at least that many, and those without a person if it is 1
    /// or less.
    pub fn with_at_least(mut self, pictures: usize) -> Self {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for label in self.photos.iter().filter_map(|photo| photo.label.clone()) {
            *counts.entry(label).or_default() += 1;
        }
        self.photos.retain(|photo| match &photo.label {
            Some(label) => counts[label] >= pictures,
            None => pictures <= 1,
        });
        self
    }

    /// Whether every picture lies in the folder of a person.
    pub fn are_labeled(&self) -> bool {
        self.photos.iter().all(|photo| photo.label.is_some())
    }
}

fn read(path: &Path, source: std::io::Error) -> EmbeddingsError {
    EmbeddingsError::Read {
        path: path.to_owned(),
        source,
    }
}

fn walk(
    folder: &Path,
    label: Option<&str>,
    depth: usize,
    photos: &mut Vec<Photo>,
) -> Result<(), EmbeddingsError> {
    let fail = |source| read(folder, source);
    let mut entries = std::fs::read_dir(folder)
        .map_err(fail)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if is_hidden(&path) {
            continue;
        }
        if path.to_str().is_none() {
            return Err(EmbeddingsError::NotUtf8 { path });
        }
        let kind = entry.file_type().map_err(fail)?;
        if kind.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, Some(&file_name(&path)), depth + 1, photos)?;
            }
        // A link counts as what it leads to, a pipe or socket never as a picture.
        } else if is_picture(&path) && (kind.is_file() || path.is_file()) {
            let label = label.map(str::to_owned);
            photos.push(Photo { path, label });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(photos: &Photos) -> Vec<(String, Option<&str>)> {
        let photos = photos.photos.iter();
        photos
            .map(|photo| (file_name(&photo.path), photo.label.as_deref()))
            .collect()
    }

    #[test]
    fn pictures_are_listed_with_their_person() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "ada/2.jpg",
            "ada/1.PNG",
            "bob/1.webp",
            "loose.jpg",
            "ada/note.txt",
            ".h/1.jpg",
        ] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), folder.path().join("bob/loop")).unwrap();
        let photos = Photos::open(folder.path()).unwrap();
        let expected = [
            ("1.PNG", Some("ada")),
            ("2.jpg", Some("ada")),
            ("1.webp", Some("bob")),
            ("loose.jpg", None),
        ];
        assert_eq!(
            labels(&photos),
            expected.map(|(name, label)| (name.to_owned(), label))
        );
        assert!(!photos.are_labeled());
        let many = photos.with_at_least(2);
        assert_eq!(many.photos.len(), 2);
        assert!(many.are_labeled());
    }

    #[test]
    fn a_place_without_pictures_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Photos::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("found none"), "{error}");
        let error = Photos::open(&folder.path().join("no"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot read"), "{error}");
    }
}
