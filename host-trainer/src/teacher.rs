//! Embeddings of every training picture by another network: what distillation learns from, and what
//! compatible training stays comparable with.
//!
//! The teacher is any ONNX embedder with a manifest. It sees the standard crop of each picture,
//! without variation, resized to its own side and normalized by its own recipe. Embedding a set
//! takes minutes to hours, so it is done once: finished parts lie in its cache and a
//! run that was cut off goes on from them. The rows are biometric data: their files are their
//! owner's alone, and no message shows a number of them.

mod cache;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};

use shared::{
    Embedder, EmbedderError, FaceTensor, ManifestError, ModelId, ModelManifest, PictureError,
    Preprocessing,
};

use crate::dataset::augment::standard_crop;
use crate::dataset::{Dataset, DatasetError};
use crate::parallel;
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
    /// A picture cannot be decoded. The loader leaves a few such out of their batches; a teacher,
    /// whose rows are kept for other runs, has one for each picture.
    #[error(
        "a teacher needs every picture whole: {0}; or take it out of the set and, where `usher-train prepare` made the set, run that again"
    )]
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
    /// A [`TeacherError`]; finished parts stay.
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
        let made = compute(dataset, manifest, &cache, &lacking, threads)?;
        for (part, rows) in lacking.iter().zip(made) {
            teacher.put(part, &rows);
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
    fn row(&self, picture: usize) -> &[f32] {
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

/// Embeds the pictures of those parts, and keeps each part when it is whole.
fn compute(
    dataset: &Dataset,
    manifest: &Path,
    cache: &Cache,
    parts: &[Range<usize>],
    threads: NonZeroUsize,
) -> Result<Vec<Vec<f32>>, TeacherError> {
    let start = || -> Result<Embedder, TeacherError> { Ok(Embedder::load(manifest)?) };
    let pictures = ("pictures for the teacher", Range::len);
    parallel::map(parts, threads.get(), pictures, start, |embedder, part| {
        let mut rows = Vec::with_capacity(part.len() * embedder.manifest().dimension);
        for picture in part.clone() {
            rows.extend(embed(embedder, dataset, picture)?);
        }
        cache.write(part, &rows)?;
        Ok(rows)
    })
}

/// A picture as a teacher sees it: its standard crop, without variation, by that recipe.
///
/// # Errors
/// [`TeacherError::Dataset`] or [`TeacherError::Picture`].
pub(crate) fn face(
    dataset: &Dataset,
    picture: usize,
    recipe: &Preprocessing,
) -> Result<FaceTensor, TeacherError> {
    let frame = shared::picture::decode(&dataset.bytes(picture)?, &dataset.name(picture))?;
    Ok(recipe.normalize(&standard_crop(&frame, recipe.side_px)))
}

fn embed(
    embedder: &mut Embedder,
    dataset: &Dataset,
    picture: usize,
) -> Result<Vec<f32>, TeacherError> {
    let face = face(dataset, picture, &embedder.manifest().preprocessing)?;
    let embedding = embedder
        .embed(&face)
        .map_err(|source| TeacherError::Embed {
            path: dataset.name(picture),
            source: Box::new(source),
        })?;
    Ok(embedding.values().to_vec())
}

#[cfg(test)]
mod tests;
