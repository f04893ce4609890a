//! Embeddings of pictures: found, aligned and embedded once, kept by content, used by every command
//! that compares, names, clusters or draws faces.
//!
//! [`Photos`] lists the pictures of a folder, [`Source`] says by which model and detector their
//! faces become embeddings, and an [`EmbeddingSet`] is what comes of it. Pictures go through
//! [`shared::Pipeline`], as on the device. What is made is kept in a cache under the digests of
//! picture, model and detector, so a second look at the same pictures costs reading them. The
//! cache holds biometric data: no path and no name, and its files are their owner's alone.

mod cache;
mod photos;
mod thumbnail;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use shared::{
    Detection, Detector, DetectorError, Embedder, EmbedderError, Embedding, Frame, ManifestError,
    ModelId, ModelManifest, PictureError, Pipeline, PipelineError, picture,
};

use crate::dataset::augment::standard_crop;
use crate::parallel;
use cache::Cache;

pub use photos::{Photo, Photos};
pub use thumbnail::thumbnail;

/// Side of the detector's input where a picture is of one person, in pixels; the device's default.
pub const PORTRAIT_DETECTOR_SIDE_PX: u32 = 320;
/// The same where every face of an album counts: small ones in groups are found as well.
pub const ALBUM_DETECTOR_SIDE_PX: u32 = 640;

/// Which faces of a picture count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Faces {
    /// Every face that is found: albums
    All,
    /// The one nearest to the picture's middle: pictures of one person, as LFW's
    Central,
    /// The picture is a face already, cut as `usher-train prepare` cuts them
    Aligned,
}

/// By which model and detector pictures become embeddings.
#[derive(Debug, Clone)]
pub struct Source {
    /// The model's manifest.
    pub model: PathBuf,
    /// The detector's ONNX file.
    pub detector: PathBuf,
    /// Side of the detector's input in pixels; none: 320, and 640 where all faces count.
    pub detector_side_px: Option<u32>,
    /// Where embeddings are kept; none: nowhere.
    pub cache: Option<PathBuf>,
}

/// A face that was found in a picture.
#[derive(Clone, PartialEq)]
pub struct Found {
    /// Where it lies in its picture; absent where the picture is the face.
    pub detection: Option<Detection>,
    /// What stands for it.
    pub embedding: Embedding,
}

/// A face of a set.
#[derive(Clone)]
pub struct Face {
    /// Its picture.
    pub path: PathBuf,
    /// SHA-256 of the picture's file.
    pub digest: [u8; 32],
    /// Its person, as far as the folders tell: of several faces in a picture the largest is meant.
    pub label: Option<String>,
    /// Its number among the faces of its picture, from 0.
    pub index: usize,
    /// Where it lies in its picture; absent where the picture is the face.
    pub detection: Option<Detection>,
    /// What stands for it.
    pub embedding: Embedding,
}

/// The faces of some pictures.
#[derive(Clone)]
pub struct EmbeddingSet {
    /// The model that embedded them.
    pub model: ModelId,
    /// Numbers in an embedding.
    pub dimension: usize,
    /// The faces, in the order of their pictures.
    pub faces: Vec<Face>,
    /// Pictures without a face found.
    pub without_face: Vec<PathBuf>,
    /// Files that are no pictures that can be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Why there are no embeddings.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddingsError {
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The detector does not load.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// The model does not load.
    #[error(transparent)]
    Embedder(#[from] EmbedderError),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The pipeline failed on a picture.
    #[error("{path}: {source}")]
    Pipeline {
        /// The picture.
        path: PathBuf,
        /// What failed.
        source: Box<PipelineError>,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}; check path and permissions")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds no pictures.
    #[error(
        "expected pictures (jpg, jpeg, png, bmp, webp) in {path}, found none; name a folder of pictures, or of a folder per person"
    )]
    NoPictures {
        /// The folder.
        path: PathBuf,
    },
    /// A name that is no text, which no list could hold.
    #[error("expected names in UTF-8, found {path:?}; rename it")]
    NotUtf8 {
        /// The file or folder.
        path: PathBuf,
    },
    /// The cache cannot be written.
    #[error(
        "cannot keep embeddings at {path}: {source}; free space there, name another folder by --cache, or go without by --no-cache"
    )]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A picture to embed: a file, or bytes that are at hand already.
pub(crate) struct Item<'a> {
    path: PathBuf,
    bytes: Option<&'a [u8]>,
}

impl<'a> Item<'a> {
    /// Bytes at hand; the path stands in messages alone.
    pub(crate) fn held(path: PathBuf, bytes: &'a [u8]) -> Self {
        let bytes = Some(bytes);
        Self { path, bytes }
    }

    fn read(&self) -> Result<Cow<'a, [u8]>, EmbeddingsError> {
        match self.bytes {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => {
                std::fs::read(&self.path)
                    .map(Cow::Owned)
                    .map_err(|source| EmbeddingsError::Read {
                        path: self.path.clone(),
                        source,
                    })
            }
        }
    }
}

impl From<&Path> for Item<'_> {
    fn from(path: &Path) -> Self {
        let path = path.to_owned();
        Self { path, bytes: None }
    }
}

/// What came of a picture: its digest, and its faces or why there can be none.
pub(crate) type Outcome = ([u8; 32], Result<Vec<Found>, PictureError>);

impl Source {
    /// The model's manifest.
    ///
    /// # Errors
    /// [`ManifestError`], naming the file.
    pub fn manifest(&self) -> Result<ModelManifest, ManifestError> {
        ModelManifest::read(&self.model)
    }

    /// Embeds the faces of all those pictures, on all cores, with a progress bar on stderr.
    ///
    /// A file that is no sound picture is left out and told in [`EmbeddingSet::unreadable`].
    ///
    /// # Errors
    /// [`EmbeddingsError`] if model or detector are unusable, a file cannot be opened, or the cache
    /// not be written; what was made until then stays in the cache.
    pub fn embed(&self, photos: &Photos, faces: Faces) -> Result<EmbeddingSet, EmbeddingsError> {
        let manifest = self.manifest()?;
        let mut set = EmbeddingSet {
            model: manifest.model_id(),
            dimension: manifest.dimension,
            faces: Vec::new(),
            without_face: Vec::new(),
            unreadable: Vec::new(),
        };
        let items: Vec<Item> = photos
            .photos
            .iter()
            .map(|photo| photo.path.as_path().into())
            .collect();
        let outcomes = self.outcomes(&items, faces)?;
        for (photo, (digest, outcome)) in photos.photos.iter().zip(outcomes) {
            match outcome {
                Err(error) => set.unreadable.push((photo.path.clone(), error.to_string())),
                Ok(found) if found.is_empty() => set.without_face.push(photo.path.clone()),
                Ok(found) => {
                    let named = largest(found.iter().map(|face| face.detection.as_ref()));
                    let faces = found.into_iter().enumerate().map(|(index, found)| Face {
                        path: photo.path.clone(),
                        digest,
                        // Whose folder it is tells of one face; the others are bystanders.
                        label: photo.label.clone().filter(|_| index == named),
                        index,
                        detection: found.detection,
                        embedding: found.embedding,
                    });
                    set.faces.extend(faces);
                }
            }
        }
        Ok(set)
    }

    /// What comes of each picture, in their order.
    ///
    /// # Errors
    /// As [`Source::embed`].
    pub(crate) fn outcomes(
        &self,
        items: &[Item],
        faces: Faces,
    ) -> Result<Vec<Outcome>, EmbeddingsError> {
        let cache = Cache::open(self, faces)?;
        // Networks are loaded by the first picture that needs them: often none does.
        let start = || Ok::<Option<Worker>, EmbeddingsError>(None);
        let one = |worker: &mut Option<Worker>, item: &Item| {
            let bytes = item.read()?;
            let digest = cache::digest(&bytes);
            if let Some(found) = cache.get(&digest) {
                return Ok((digest, Ok(found.to_vec())));
            }
            let frame = match picture::decode(&bytes, &item.path) {
                Ok(frame) => frame,
                Err(error) => return Ok((digest, Err(error))),
            };
            let worker = match worker {
                Some(worker) => worker,
                none => none.insert(Worker::load(self, faces)?),
            };
            let found = worker
                .faces(&frame)
                .map_err(|source| EmbeddingsError::Pipeline {
                    path: item.path.clone(),
                    source: Box::new(source),
                })?;
            cache.put(digest, &found)?;
            Ok((digest, Ok(found)))
        };
        let outcomes = parallel::map(items, parallel::cores(), ("pictures", |_| 1), start, one);
        // What an error left unwritten is kept too: the next attempt goes on from there.
        let kept = cache.finish();
        let outcomes = outcomes?;
        kept?;
        Ok(outcomes)
    }

    /// Side of the detector's input where pictures are of one person, in pixels.
    pub fn portrait_side_px(&self) -> u32 {
        self.side_px(Faces::Central)
    }

    /// Side of the detector's input, in pixels.
    fn side_px(&self, faces: Faces) -> u32 {
        self.detector_side_px.unwrap_or(match faces {
            Faces::All => ALBUM_DETECTOR_SIDE_PX,
            Faces::Central | Faces::Aligned => PORTRAIT_DETECTOR_SIDE_PX,
        })
    }
}

/// The networks of one thread.
enum Worker {
    /// Detector and embedder, and which faces count.
    Whole(Box<Pipeline>, Faces),
    /// The embedder alone: pictures are faces already.
    Aligned(Box<Embedder>),
}

impl Worker {
    fn load(source: &Source, faces: Faces) -> Result<Self, EmbeddingsError> {
        let embedder = Embedder::load(&source.model)?;
        if faces == Faces::Aligned {
            return Ok(Self::Aligned(Box::new(embedder)));
        }
        let detector = Detector::load(&source.detector, source.side_px(faces))?;
        let pipeline = Box::new(Pipeline::new(detector, embedder));
        Ok(Self::Whole(pipeline, faces))
    }

    /// The faces of a picture that count; those whose landmarks are not a face's are none.
    fn faces(&mut self, frame: &Frame) -> Result<Vec<Found>, PipelineError> {
        let (pipeline, faces) = match self {
            Self::Whole(pipeline, faces) => (pipeline, *faces),
            Self::Aligned(embedder) => {
                let recipe = &embedder.manifest().preprocessing;
                let face = recipe.normalize(&standard_crop(frame, recipe.side_px));
                let found = Found {
                    detection: None,
                    embedding: embedder.embed(&face)?,
                };
                return Ok(vec![found]);
            }
        };
        let mut detections = pipeline.detect(frame)?;
        if faces == Faces::Central {
            let central = most_central(&detections, frame.width_px(), frame.height_px()).copied();
            detections = central.into_iter().collect();
        }
        let mut found = Vec::with_capacity(detections.len());
        for detection in detections {
            match pipeline.align(frame, &detection) {
                Ok(aligned) => found.push(Found {
                    detection: Some(detection),
                    embedding: pipeline.embed(&aligned)?,
                }),
                Err(PipelineError::Align(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// The place of the face that covers most of its picture; 0 without faces.
pub fn largest<'a>(faces: impl IntoIterator<Item = Option<&'a Detection>>) -> usize {
    let area =
        |face: Option<&Detection>| face.map_or(0.0, |face| face.bounds.width * face.bounds.height);
    let areas = faces.into_iter().map(area).enumerate();
    let largest = areas.max_by(|a, b| a.1.total_cmp(&b.1));
    largest.map_or(0, |(place, _)| place)
}

/// The face nearest to the middle of a picture of that size; none without faces.
pub fn most_central(faces: &[Detection], width_px: u32, height_px: u32) -> Option<&Detection> {
    // Pixel centers are whole numbers, so the middle of a picture of two pixels is 0.5.
    let middle = |extent: u32| (extent as f32 - 1.0) / 2.0;
    let off = |face: &Detection| {
        let center = face.bounds.center();
        (center.x - middle(width_px)).hypot(center.y - middle(height_px))
    };
    faces.iter().min_by(|a, b| off(a).total_cmp(&off(b)))
}

impl EmbeddingSet {
    /// All embeddings: f32 [faces, dimension], row after row.
    pub fn matrix(&self) -> Vec<f32> {
        let rows = self.faces.iter().flat_map(|face| face.embedding.values());
        rows.copied().collect()
    }

    /// The faces' persons.
    pub fn labels(&self) -> Vec<Option<&str>> {
        self.faces
            .iter()
            .map(|face| face.label.as_deref())
            .collect()
    }

    /// What was left out, in a line or two for a person; empty if nothing was.
    pub fn left_out(&self) -> String {
        let mut text = String::new();
        if let Some(first) = self.without_face.first() {
            text += &format!(
                "no face found in {} pictures, {} among them\n",
                self.without_face.len(),
                first.display()
            );
        }
        if let Some((_, reason)) = self.unreadable.first() {
            text += &format!(
                "{} files left out; the first: {reason}\n",
                self.unreadable.len()
            );
        }
        text
    }
}

impl std::fmt::Debug for Found {
    /// Extents alone, so that no embedding reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Found({} numbers)", self.embedding.values().len())
    }
}

impl std::fmt::Debug for EmbeddingSet {
    /// Extents alone, so that no embedding and no name reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmbeddingSet({}x{})", self.faces.len(), self.dimension)
    }
}

#[cfg(test)]
mod tests;
