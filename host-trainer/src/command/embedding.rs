//! What every command that embeds pictures is told: model, detector, and where embeddings are kept.

use std::path::PathBuf;

use crate::embeddings::Source;

/// Model, detector and cache.
#[derive(Debug, Clone, clap::Args)]
pub struct EmbeddingArguments {
    /// The model's manifest
    #[arg(long, default_value = "models/usher-small.toml")]
    pub model: PathBuf,
    /// The face detector
    #[arg(long, default_value = "models/yunet.onnx")]
    pub detector: PathBuf,
    /// Side at which the detector looks, in pixels, a multiple of 32 [default: 320; albums: 640]
    #[arg(long, value_name = "PIXELS")]
    pub detector_side: Option<u32>,
    /// Where embeddings are kept (biometric data) [default: ~/.cache/usher/embeddings]
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// Keep no embeddings, and use none that were kept
    #[arg(long, conflicts_with = "cache")]
    pub no_cache: bool,
}

impl EmbeddingArguments {
    /// The source that they name.
    pub fn source(&self) -> Source {
        self.source_of(self.model.clone())
    }

    /// The same with another model.
    pub fn source_of(&self, model: PathBuf) -> Source {
        Source {
            model,
            detector: self.detector.clone(),
            detector_side_px: self.detector_side,
            cache: match (self.no_cache, &self.cache) {
                (true, _) => None,
                (false, Some(folder)) => Some(folder.clone()),
                (false, None) => default_cache(),
            },
        }
    }
}

/// `embeddings` in `$USHER_CACHE`, `$XDG_CACHE_HOME/usher` or `~/.cache/usher`, the first that is
/// set; none if nothing is.
fn default_cache() -> Option<PathBuf> {
    let folder = |name: &str| {
        let value = std::env::var_os(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    let cache = folder("USHER_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("usher")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/usher")))?;
    Some(cache.join("embeddings"))
}
