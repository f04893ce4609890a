//! Embeddings on disk, found by the content of a picture.
//!
//! A folder for each model, detector and choice of faces; in it safetensors files of many pictures:
//! `pictures` u8 [pictures, 32] (SHA-256 of their files), `counts`, a u32 for each picture (faces of it),
//! `boxes` f32 [faces, 5] (left, top, width, height, score), `landmarks` f32 [faces, 10] and
//! `embeddings` f32 [faces, dimension]. A file is named by its own SHA-256, so that a damaged one is
//! noticed; it is then said and its pictures are embedded again. Any of it may be deleted at any
//! time. Folder and files are their owner's alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use shared::atomic_file::{self, Readers};
use shared::model_id::hex;
use shared::{Detection, Embedding, Landmarks, Point, Rect};

use super::{EmbeddingsError, Faces, Found, Source};

/// Pictures, or the time, after which a file is written: what a run that is cut off loses at most.
const PART: usize = 512;
const PART_TIME: Duration = Duration::from_secs(20);
/// More files than this are made one.
const MAX_FILES: usize = 8;
/// Changes whenever the same pictures would be embedded otherwise than before.
const VERSION: &str = "usher embeddings 1";
const EXTENSION: &str = "safetensors";

type Key = [u8; 32];

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> Key {
    Sha256::digest(bytes).into()
}

/// What is known of pictures.
pub(super) struct Cache {
    /// None: nothing is kept.
    folder: Option<PathBuf>,
    dimension: usize,
    known: HashMap<Key, Vec<Found>>,
    files: Vec<PathBuf>,
    fresh: Mutex<Fresh>,
}

/// What is not yet written.
struct Fresh {
    pictures: Vec<(Key, Vec<Found>)>,
    /// When the last file was written, or work began.
    since: Instant,
}

impl Default for Fresh {
    fn default() -> Self {
        let since = Instant::now();
        Self {
            pictures: Vec::new(),
            since,
        }
    }
}

impl Cache {
    /// What a source has kept of such faces.
    pub(super) fn open(source: &Source, faces: Faces) -> Result<Self, EmbeddingsError> {
        let manifest = source.manifest()?;
        let mut cache = Self {
            folder: None,
            dimension: manifest.dimension,
            known: HashMap::new(),
            files: Vec::new(),
            fresh: Mutex::default(),
        };
        let Some(place) = &source.cache else {
            return Ok(cache);
        };
        let mut how = Sha256::new();
        how.update(VERSION);
        how.update([faces as u8]);
        if faces != Faces::Aligned {
            let detector =
                std::fs::read(&source.detector).map_err(|error| EmbeddingsError::Read {
                    path: source.detector.clone(),
                    source: error,
                })?;
            how.update(digest(&detector));
            how.update(source.side_px(faces).to_le_bytes());
        }
        let how = hex(&how.finalize()[..6]);
        let folder = place.join(format!("{}-{how}", manifest.model_id()));
        cache.read(&folder)?;
        cache.folder = Some(folder);
        Ok(cache)
    }

    /// The faces of a picture; none if it is not known.
    pub(super) fn get(&self, picture: &Key) -> Option<&[Found]> {
        self.known.get(picture).map(Vec::as_slice)
    }

    /// Keeps the faces of a picture, now or with others later.
    pub(super) fn put(&self, picture: Key, found: &[Found]) -> Result<(), EmbeddingsError> {
        if self.folder.is_none() {
            return Ok(());
        }
        let part = {
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.pictures.push((picture, found.to_vec()));
            if fresh.pictures.len() < PART && fresh.since.elapsed() < PART_TIME {
                return Ok(());
            }
            std::mem::take(&mut *fresh).pictures
        };
        self.write(&part).map(|_| ())
    }

    /// Writes what is not yet written, and makes one file of many.
    pub(super) fn finish(mut self) -> Result<(), EmbeddingsError> {
        let fresh = std::mem::take(&mut self.fresh)
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .pictures;
        if !fresh.is_empty() {
            self.write(&fresh)?;
        }
        let Some(folder) = self.folder.take() else {
            return Ok(());
        };
        let mut now = Self {
            folder: None,
            dimension: self.dimension,
            known: HashMap::new(),
            files: Vec::new(),
            fresh: Mutex::default(),
        };
        if list(&folder)?.len() <= MAX_FILES {
            return Ok(());
        }
        now.read(&folder)?;
        let mut all: Vec<(Key, Vec<Found>)> = now.known.drain().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        now.folder = Some(folder);
        let whole = now.write(&all)?;
        for file in now.files.iter().filter(|file| **file != whole) {
            // Another process may have been here before; what stays is read once more, no harm.
            let _ = std::fs::remove_file(file);
        }
        Ok(())
    }

    fn read(&mut self, folder: &Path) -> Result<(), EmbeddingsError> {
        for file in list(folder)? {
            let bytes = std::fs::read(&file).map_err(|source| EmbeddingsError::Read {
                path: file.clone(),
                source,
            })?;
            let name = file.file_stem().unwrap_or_default();
            let sound = hex(&digest(&bytes)) == name.to_string_lossy();
            match parse(&bytes, self.dimension).filter(|_| sound) {
                Some(pictures) => {
                    self.known.extend(pictures);
                    self.files.push(file);
                }
                None => eprintln!(
                    "warning: {} is damaged: its pictures are embedded again; delete the file",
                    file.display()
                ),
            }
        }
        Ok(())
    }

    fn write(&self, pictures: &[(Key, Vec<Found>)]) -> Result<PathBuf, EmbeddingsError> {
        let folder = self.folder.as_deref().unwrap_or(Path::new(""));
        let bytes = format(pictures, self.dimension);
        let path = folder.join(format!("{}.{EXTENSION}", hex(&digest(&bytes))));
        atomic_file::private_folder(folder)
            .and_then(|()| atomic_file::replace(&path, &bytes, Readers::Owner))
            .map_err(|source| EmbeddingsError::Cache {
                path: path.clone(),
                source,
            })?;
        Ok(path)
    }
}

/// The files of a folder, which may not be there.
fn list(folder: &Path) -> Result<Vec<PathBuf>, EmbeddingsError> {
    let fail = |source| EmbeddingsError::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        let named = path.extension().is_some_and(|found| found == EXTENSION);
        if named && !crate::dataset::folder::is_hidden(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn format(pictures: &[(Key, Vec<Found>)], dimension: usize) -> Vec<u8> {
    let keys: Vec<u8> = pictures.iter().flat_map(|(key, _)| *key).collect();
    let counts: Vec<u8> = pictures
        .iter()
        .flat_map(|(_, found)| (found.len() as u32).to_le_bytes())
        .collect();
    let faces = || pictures.iter().flat_map(|(_, found)| found);
    let boxes = floats(faces().flat_map(|face| match &face.detection {
        Some(Detection { bounds, score, .. }) => {
            [bounds.left, bounds.top, bounds.width, bounds.height, *score]
        }
        // A score that no detection has.
        None => [0.0, 0.0, 0.0, 0.0, -1.0],
    }));
    let landmarks = floats(
        faces()
            .flat_map(|face| match &face.detection {
                Some(detection) => detection.landmarks.0.map(|point| [point.x, point.y]),
                None => [[0.0; 2]; 5],
            })
            .flatten(),
    );
    let embeddings = floats(faces().flat_map(|face| face.embedding.values().to_vec()));
    let count = faces().count();
    let tensors = [
        ("pictures", Dtype::U8, vec![pictures.len(), 32], &keys),
        ("counts", Dtype::U32, vec![pictures.len()], &counts),
        ("boxes", Dtype::F32, vec![count, 5], &boxes),
        ("landmarks", Dtype::F32, vec![count, 10], &landmarks),
        (
            "embeddings",
            Dtype::F32,
            vec![count, dimension],
            &embeddings,
        ),
    ];
    let views =
        tensors.map(
            |(name, dtype, extents, bytes)| match TensorView::new(dtype, extents, bytes) {
                Ok(view) => (name, view),
                Err(error) => unreachable!("extents and bytes agree: {error}"),
            },
        );
    match safetensors::serialize(views, None) {
        Ok(bytes) => bytes,
        Err(error) => unreachable!("five sound tensors: {error}"),
    }
}

fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

/// The pictures of a file; none if it is not such a file.
fn parse(bytes: &[u8], dimension: usize) -> Option<Vec<(Key, Vec<Found>)>> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let read = |name: &str, dtype: Dtype, width: usize| {
        let tensor = file.tensor(name).ok()?;
        (tensor.dtype() == dtype && tensor.shape().get(1).is_none_or(|found| *found == width))
            .then(|| tensor.data().to_vec())
    };
    let numbers = |bytes: Vec<u8>| -> Vec<f32> {
        let chunks = bytes.as_chunks::<4>().0.iter();
        chunks.map(|chunk| f32::from_le_bytes(*chunk)).collect()
    };
    let keys = read("pictures", Dtype::U8, 32)?;
    let counts = read("counts", Dtype::U32, 1)?;
    let boxes = numbers(read("boxes", Dtype::F32, 5)?);
    let landmarks = numbers(read("landmarks", Dtype::F32, 10)?);
    let embeddings = numbers(read("embeddings", Dtype::F32, dimension)?);
    let mut faces = boxes
        .as_chunks::<5>()
        .0
        .iter()
        .zip(landmarks.as_chunks::<10>().0)
        .zip(embeddings.chunks_exact(dimension))
        .map(|((bounds, landmarks), embedding)| found(bounds, landmarks, embedding));
    let counts = counts.as_chunks::<4>().0.iter();
    keys.as_chunks::<32>()
        .0
        .iter()
        .zip(counts)
        .map(|(key, count)| {
            let count = u32::from_le_bytes(*count);
            let found: Option<Vec<Found>> = (0..count).map(|_| faces.next()?).collect();
            Some((*key, found?))
        })
        .collect()
}

fn found(bounds: &[f32; 5], landmarks: &[f32; 10], embedding: &[f32]) -> Option<Found> {
    let [left, top, width, height, score] = *bounds;
    let mut points = [Point { x: 0.0, y: 0.0 }; 5];
    for (point, [x, y]) in points.iter_mut().zip(landmarks.as_chunks::<2>().0) {
        *point = Point { x: *x, y: *y };
    }
    let bounds = Rect {
        left,
        top,
        width,
        height,
    };
    Some(Found {
        detection: (score >= 0.0).then_some(Detection {
            bounds,
            score,
            landmarks: Landmarks(points),
        }),
        embedding: Embedding::from_unit(embedding.to_vec()).ok()?,
    })
}

#[cfg(test)]
mod tests;
