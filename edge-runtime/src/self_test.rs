//! Whether this device computes what it should, found out before it decides about anybody; if not, it does not start.
//!
//! | what is checked | what would not be noticed otherwise |
//! |---|---|
//! | the bits of the preprocessing recipes ([`golden`]) | a compiler or processor that rounds otherwise |
//! | the detector finds a drawn face, where it is, and none in noise | a detector or a decoder that sees otherwise |
//! | a drawn face embeds to unit length, twice to the same bits | memory that forgets, a race |
//! | another drawn face is another embedding | a network that answers the same to everybody |
//! | the embedding is the one in `<name>.selftest.toml` | a runtime or processor whose network computes otherwise |
//!
//! The reference lies beside the manifest in a file of its own, because a manifest of format 1 with a new field would be
//! refused by every usher that is installed. `usher doctor --write-self-test` writes it, on a machine that is trusted;
//! where there is none, the first four are checked and the report says so.

mod portrait;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, Readers};
use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::frame::Frame;
use shared::model_id::{ModelId, sha256_hex};
use shared::pipeline::{Pipeline, PipelineError};
use shared::preprocessing::golden::{self, GoldenError};

/// Version of the reference file.
const FORMAT: u32 = 1;
/// Numbers of the embedding that the reference keeps.
const SAMPLES: usize = 8;
/// By how much each of them may differ: other processors and other kernels sum in another order, by 1e-6 or so.
const TOLERANCE: f32 = 1e-4;
/// Least squared L2 between the two drawn faces; a network that has collapsed has 0.
const LEAST_APART: f32 = 1e-3;
/// By how many pixels a landmark that is found may lie beside the drawn one; YuNet is 5 px off at most.
const MOST_BESIDE_PX: f32 = 16.0;
/// Longest reference file, in bytes.
const MAX_BYTES: u64 = 4096;

/// Why the device must not be used.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The preprocessing computes otherwise.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// The network fails on a drawn face.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The detector does not see what is there.
    #[error(
        "expected the detector to find {expected}, found {found}; fetch the detector's file again (scripts/setup), or report processor and build"
    )]
    Detector {
        /// What is in the picture.
        expected: &'static str,
        /// What it saw.
        found: String,
    },
    /// Twice the same picture gave two embeddings.
    #[error(
        "expected the same embedding of the same picture, found squared L2 {found}; memory or processor are faulty: replace the device"
    )]
    NotTheSame {
        /// How far they are apart.
        found: f32,
    },
    /// Two pictures gave one embedding.
    #[error(
        "expected two faces to have two embeddings, found squared L2 {found}; the model has collapsed: install another"
    )]
    Collapsed {
        /// How far they are apart.
        found: f32,
    },
    /// The embedding is not the reference's.
    #[error(
        "expected the embedding that {path} holds, found number {place} to differ by {found}; this device computes otherwise than the one that wrote it: report processor and build, or write it again by usher doctor --write-self-test"
    )]
    OtherThanReference {
        /// The reference.
        path: PathBuf,
        /// Place in the embedding, from 0.
        place: usize,
        /// By how much.
        found: f32,
    },
    /// The reference is another model's, or of another drawn face.
    #[error(
        "expected {path} to be made by this model and this usher, found that of another; write it again by usher doctor --write-self-test"
    )]
    OtherReference {
        /// The reference.
        path: PathBuf,
    },
    /// The reference cannot be read or written.
    #[error(
        "expected a self-test's reference in {path}, found: {found}; write it again by usher doctor --write-self-test"
    )]
    Reference {
        /// The reference.
        path: PathBuf,
        /// What the system or the parser said.
        found: String,
    },
}

/// What was checked and is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Everything.
    All,
    /// Everything but the reference, which is not there.
    WithoutReference,
}

impl Passed {
    /// For status and log.
    pub fn words(&self) -> &'static str {
        match self {
            Self::All => "passed",
            Self::WithoutReference => "passed, without a reference to compare with",
        }
    }
}

/// What a trusted machine got of the drawn face.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    format: u32,
    /// The model's id, in full.
    model: String,
    /// SHA-256 of the drawn face's pixels.
    portrait: String,
    /// Numbers of its embedding, evenly spread over it.
    samples: Vec<f32>,
}

/// Checks the device; takes the time of two detections and three embeddings.
///
/// # Errors
/// [`SelfTestError`] when something is not as it should be: then nobody must be decided on.
pub fn run(pipeline: &mut Pipeline, manifest: &Path) -> Result<Passed, SelfTestError> {
    let (now, dimension) = check(pipeline)?;
    let path = beside(manifest);
    match read(&path)? {
        None => Ok(Passed::WithoutReference),
        Some(reference) => {
            compare(&path, &reference, &now, dimension)?;
            Ok(Passed::All)
        }
    }
}

/// Writes this machine's reference beside the manifest, in place of an older one; returns where.
///
/// # Errors
/// [`SelfTestError`] when a check fails, or the file cannot be written.
pub fn write(pipeline: &mut Pipeline, manifest: &Path) -> Result<PathBuf, SelfTestError> {
    let (reference, _) = check(pipeline)?;
    let path = beside(manifest);
    let failed = |found: String| SelfTestError::Reference {
        path: path.clone(),
        found,
    };
    let text = toml::to_string(&reference).map_err(|error| failed(error.to_string()))?;
    atomic_file::replace(&path, text.as_bytes(), Readers::Everyone)
        .map_err(|error| failed(error.to_string()))?;
    Ok(path)
}

/// `models/usher-small.selftest.toml` of `models/usher-small.toml`.
pub fn beside(manifest: &Path) -> PathBuf {
    manifest.with_extension("selftest.toml")
}

/// Everything that needs no reference; what this machine's would be, and the embedding's dimension.
fn check(pipeline: &mut Pipeline) -> Result<(Reference, usize), SelfTestError> {
    golden::check()?;
    let face = portrait::first();
    check_detector(pipeline, &face)?;
    let embedding = embed(pipeline, &face)?;
    check_invariants(pipeline, &face, &embedding)?;
    let model = pipeline.embedder().manifest().model_id();
    Ok((of(&embedding, model, &face), embedding.dimension()))
}

fn check_detector(pipeline: &mut Pipeline, face: &Frame) -> Result<(), SelfTestError> {
    let noise = pipeline.detect(&portrait::noise())?;
    if !noise.is_empty() {
        return Err(SelfTestError::Detector {
            expected: "no face in noise",
            found: noise.len().to_string(),
        });
    }
    let faces = pipeline.detect(face)?;
    let one = |found: String| SelfTestError::Detector {
        expected: "one face in a drawn portrait, where it was drawn",
        found,
    };
    let [found] = faces.as_slice() else {
        return Err(one(faces.len().to_string()));
    };
    let drawn = portrait::detection().landmarks;
    let beside = found.landmarks.0.iter().zip(&drawn.0);
    let most = beside
        .map(|(found, drawn)| (found.x - drawn.x).hypot(found.y - drawn.y))
        .fold(0.0, f32::max);
    match most <= MOST_BESIDE_PX {
        true => Ok(()),
        false => Err(one(format!("a landmark {most:.0} pixels beside"))),
    }
}

fn embed(pipeline: &mut Pipeline, face: &Frame) -> Result<Embedding, PipelineError> {
    let aligned = pipeline.align(face, &portrait::detection())?;
    pipeline.embed(&aligned)
}

fn check_invariants(
    pipeline: &mut Pipeline,
    face: &Frame,
    embedding: &Embedding,
) -> Result<(), SelfTestError> {
    // Unit length is checked where an embedding is made.
    let again = embed(pipeline, face)?;
    if again != *embedding {
        return Err(SelfTestError::NotTheSame {
            found: SquaredL2::between(embedding, &again).value(),
        });
    }
    let other = embed(pipeline, &portrait::second())?;
    let apart = SquaredL2::between(embedding, &other).value();
    if apart < LEAST_APART {
        return Err(SelfTestError::Collapsed { found: apart });
    }
    Ok(())
}

fn of(embedding: &Embedding, model: ModelId, face: &Frame) -> Reference {
    Reference {
        format: FORMAT,
        model: model.hex(),
        portrait: sha256_hex(face.rgb()),
        samples: places(embedding.dimension())
            .map(|place| embedding.values()[place])
            .collect(),
    }
}

/// Which numbers are kept.
fn places(dimension: usize) -> impl Iterator<Item = usize> {
    (0..SAMPLES.min(dimension)).map(move |sample| sample * dimension / SAMPLES.min(dimension))
}

fn read(path: &Path) -> Result<Option<Reference>, SelfTestError> {
    use io::Read;
    let failed = |found: String| SelfTestError::Reference {
        path: path.to_owned(),
        found,
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut text = String::new();
    file.take(MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    let reference = toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))?;
    Ok(Some(reference))
}

fn compare(
    path: &Path,
    reference: &Reference,
    now: &Reference,
    dimension: usize,
) -> Result<(), SelfTestError> {
    let same_kind = reference.format == now.format
        && reference.model == now.model
        && reference.portrait == now.portrait
        && reference.samples.len() == now.samples.len();
    if !same_kind {
        return Err(SelfTestError::OtherReference {
            path: path.to_owned(),
        });
    }
    for (place, (expected, found)) in
        places(dimension).zip(reference.samples.iter().zip(&now.samples))
    {
        let apart = (expected - found).abs();
        // So that NaN is refused too.
        let near = apart <= TOLERANCE;
        if !near {
            return Err(SelfTestError::OtherThanReference {
                path: path.to_owned(),
                place,
                found: apart,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
