//! Pictures unlike the others of their identity: wrong labels, mostly.

use std::path::{Path, PathBuf};

use shared::{Embedder, EmbedderError, Embedding, PictureError, picture};

use super::cut::template_with_margin;
use super::journal::Outlier;

/// Fewest pictures of an identity among which one can be unlike the others.
///
/// Of two, each is as far from the other; of three, one wrong picture pulls the median down.
pub const FEWEST: usize = 4;

/// Why an identity cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum OutlierError {
    /// An aligned face cannot be read back.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The model fails on it.
    #[error("{path}: {source}")]
    Embedder {
        /// The aligned face.
        path: PathBuf,
        /// What failed.
        source: Box<EmbedderError>,
    },
}

/// The outliers among an identity's aligned faces, given as photo and file; in the order given.
///
/// # Errors
/// [`OutlierError`] if a face cannot be read or embedded.
pub fn find(
    embedder: &mut Embedder,
    faces: &[(String, PathBuf)],
    drop: f64,
) -> Result<Vec<Outlier>, OutlierError> {
    let mut photos = Vec::new();
    let mut embeddings = Vec::new();
    for (photo, path) in faces {
        // A face of flat color or the like has no direction: no embedding, nothing to judge.
        if let Some(embedding) = embed(embedder, path)? {
            photos.push(photo);
            embeddings.push(embedding);
        }
    }
    if embeddings.len() < FEWEST {
        return Ok(Vec::new());
    }
    let similarities = mean_similarities(&embeddings);
    let median = median(&similarities);
    let outlier = |(photo, similarity): (&&String, &f32)| Outlier {
        photo: (*photo).clone(),
        similarity: *similarity,
        median,
    };
    Ok(photos
        .iter()
        .zip(&similarities)
        .filter(|(_, similarity)| f64::from(median - **similarity) > drop)
        .map(outlier)
        .collect())
}

/// The embedding of an aligned face, cut by the model's recipe out of the picture with its margin.
fn embed(embedder: &mut Embedder, path: &Path) -> Result<Option<Embedding>, OutlierError> {
    let frame = picture::read(path)?;
    let recipe = &embedder.manifest().preprocessing;
    let Ok(face) = recipe.align(&frame, &template_with_margin()) else {
        return Ok(None);
    };
    let tensor = recipe.normalize(&face);
    match embedder.embed(&tensor) {
        Ok(embedding) => Ok(Some(embedding)),
        Err(EmbedderError::Embedding(_)) => Ok(None),
        Err(source) => Err(OutlierError::Embedder {
            path: path.to_owned(),
            source: Box::new(source),
        }),
    }
}

/// Mean cosine of each to the others; at least two.
fn mean_similarities(embeddings: &[Embedding]) -> Vec<f32> {
    let dimension = embeddings.first().map_or(0, Embedding::dimension);
    let mut sum = vec![0.0_f64; dimension];
    for embedding in embeddings {
        for (total, value) in sum.iter_mut().zip(embedding.values()) {
            *total += f64::from(*value);
        }
    }
    let others = (embeddings.len() - 1) as f64;
    // The sum has each one's product with itself too, which is 1.
    let mean = |embedding: &Embedding| {
        let values = embedding.values().iter();
        let product: f64 = values.zip(&sum).map(|(a, b)| f64::from(*a) * b).sum();
        ((product - 1.0) / others) as f32
    };
    embeddings.iter().map(mean).collect()
}

/// The lower of the two middle ones where the count is even.
fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_against_the_others() {
        let at = |x: f32, y: f32| Embedding::from_raw(vec![x, y]).unwrap();
        let embeddings = [at(1.0, 0.0), at(1.0, 0.0), at(0.0, 1.0), at(-1.0, 0.0)];
        let found = mean_similarities(&embeddings);
        for (found, expected) in found.iter().zip([0.0, 0.0, 0.0, -2.0 / 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.0);
    }
}
