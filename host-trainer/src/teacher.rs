//! Embeddings of every training picture by another network: what distillation learns from, and what
//! compatible training stays comparable with.
//!
//! The teacher is any ONNX embedder with a manifest. It sees the standard crop of each picture,
//! without variation, resized to its own side and normalized by its own recipe. Embedding a set
//! takes minutes to hours, so it is done once: finished parts lie in a folder of [`cache`] and a
//! run that was cut off goes on from them. The rows are biometric data: their files are their
//! owner's alone, and no message shows a number of them.

mod cache;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use shared::{Embedder, EmbedderError, ManifestError, ModelId, ModelManifest, PictureError};

use crate::dataset::augment::standard_crop;
use crate::dataset::{Dataset, DatasetError};
use cache::{Cache, Kept};

/// Pictures in a part of the cache: a few seconds of work, which is what a cut-off run loses.
const PART: usize = 512;

/// A teacher's embedding of each picture of a data set.
pub struct TeacherEmbeddings {
    model: ModelId,
    dimension: usize,
    /// f32 [pictures, dimension], row after row.
    values: Vec<f32>,
}

/// Why there are no teacher embeddings.
#[derive(Debug, thiserror::Error)]
pub enum TeacherError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The network cannot be used.
    #[error(transparent)]
    Model(#[from] EmbedderError),
    /// A picture's bytes cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A picture cannot be decoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The teacher finds no embedding in a picture.
    #[error("{path}: {source}; take the picture out of the set, or take another teacher")]
    Embed {
        /// The picture.
        path: PathBuf,
        /// What went wrong.
        source: Box<EmbedderError>,
    },
    /// The cache cannot be written or read.
    #[error(
        "cannot keep the teacher's embeddings at {path}: {source}; free space there, or name another folder"
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl TeacherEmbeddings {
    /// The embeddings of `dataset` by the model of `manifest`, from the folder `cache` as far as
    /// they are there; the rest is computed on `threads` threads, with a progress bar, and kept
    /// part by part.
    ///
    /// Parts are found by the model's id and the data set's digest, so another teacher, recipe or
    /// set never meets them. A damaged part is said on stderr and made anew. All rows are held in
    /// memory: 4 bytes times pictures times dimension.
    ///
    /// # Errors
    /// The first [`TeacherError`] of any thread; finished parts stay.
    pub fn open(
        dataset: &Dataset,
        manifest: &Path,
        cache: &Path,
        threads: NonZeroUsize,
    ) -> Result<Self, TeacherError> {
        Self::open_by(PART, dataset, manifest, cache, threads)
    }

    /// [`TeacherEmbeddings::open`] with parts of `part` pictures.
    fn open_by(
        part: usize,
        dataset: &Dataset,
        manifest: &Path,
        cache: &Path,
        threads: NonZeroUsize,
    ) -> Result<Self, TeacherError> {
        let model = ModelManifest::read(manifest)?;
        let cache = Cache::new(cache, model.model_id(), &dataset.digest(), model.dimension);
        let count = dataset.pictures.len();
        let parts: Vec<Range<usize>> = (0..count)
            .step_by(part)
            .map(|start| start..(start + part).min(count))
            .collect();
        let mut teacher = Self {
            model: model.model_id(),
            dimension: model.dimension,
            values: vec![0.0; count * model.dimension],
        };
        let mut lacking = Vec::new();
        for part in parts {
            match cache.read(&part)? {
                Kept::Whole(rows) => teacher.put(&part, &rows),
                Kept::Absent => lacking.push(part),
                Kept::Damaged(why) => {
                    let path = cache.path(&part);
                    eprintln!("warning: {} {why}: made anew", path.display());
                    lacking.push(part);
                }
            }
        }
        let made = compute(dataset, manifest, &cache, lacking, threads)?;
        for (part, rows) in made {
            teacher.put(&part, &rows);
        }
        Ok(teacher)
    }

    fn put(&mut self, part: &Range<usize>, rows: &[f32]) {
        self.values[part.start * self.dimension..part.end * self.dimension].copy_from_slice(rows);
    }

    /// Whose embeddings these are.
    pub fn model_id(&self) -> ModelId {
        self.model
    }

    /// Numbers in a row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The unit embedding of a picture of the data set.
    ///
    /// # Panics
    /// If the set has no such picture.
    pub fn row(&self, picture: usize) -> &[f32] {
        &self.values[picture * self.dimension..][..self.dimension]
    }

    /// The embeddings of those pictures: f32 [pictures, dimension], row after row.
    ///
    /// # Panics
    /// If the set lacks one of them.
    pub fn rows(&self, pictures: &[usize]) -> Vec<f32> {
        let rows = pictures.iter().flat_map(|picture| self.row(*picture));
        rows.copied().collect()
    }
}

impl std::fmt::Debug for TeacherEmbeddings {
    /// The extents alone, so that no embedding reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.values.len() / self.dimension.max(1);
        write!(f, "TeacherEmbeddings({rows}x{})", self.dimension)
    }
}

type Made = Vec<(Range<usize>, Vec<f32>)>;

/// Embeds the pictures of those parts: each thread has its own network, takes the next part, and
/// keeps it when it is whole.
fn compute(
    dataset: &Dataset,
    manifest: &Path,
    cache: &Cache,
    parts: Vec<Range<usize>>,
    threads: NonZeroUsize,
) -> Result<Made, TeacherError> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let bar = progress(parts.iter().map(ExactSizeIterator::len).sum());
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let made = Mutex::new(Made::with_capacity(parts.len()));
    let work = || -> Result<(), TeacherError> {
        let mut embedder = Embedder::load(manifest)?;
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut rows = Vec::with_capacity(part.len() * embedder.manifest().dimension);
            for picture in part.clone() {
                if failed.load(Ordering::Relaxed) {
                    return Ok(()); // whoever failed tells why
                }
                rows.extend(embed(&mut embedder, dataset, picture)?);
                bar.inc(1);
            }
            cache.write(part, &rows)?;
            let mut made = made.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            made.push((part.clone(), rows));
        }
        Ok(())
    };
    let watched = || work().inspect_err(|_| failed.store(true, Ordering::Relaxed));
    let workers = threads.get().min(parts.len());
    let results: Vec<Result<(), TeacherError>> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(watched)).collect();
        started
            .into_iter()
            .map(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    results.into_iter().collect::<Result<(), TeacherError>>()?;
    bar.finish();
    let made = made.into_inner();
    Ok(made.unwrap_or_else(|poisoned| poisoned.into_inner()))
}

fn embed(
    embedder: &mut Embedder,
    dataset: &Dataset,
    picture: usize,
) -> Result<Vec<f32>, TeacherError> {
    let name = dataset.name(picture);
    let frame = shared::picture::decode(&dataset.bytes(picture)?, &name)?;
    let recipe = &embedder.manifest().preprocessing;
    let face = recipe.normalize(&standard_crop(&frame, recipe.side_px));
    let embedding = embedder
        .embed(&face)
        .map_err(|source| TeacherError::Embed {
            path: name,
            source: Box::new(source),
        })?;
    Ok(embedding.values().to_vec())
}

fn progress(pictures: usize) -> ProgressBar {
    let template = "teacher {bar:24} {pos}/{len} pictures  {per_sec}  ETA {eta}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(pictures as u64).with_style(style)
}

#[cfg(test)]
mod tests;
