//! What decides how a set comes out; a run is gone on with under the same settings alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which face of a photo is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Faces {
    /// The only one; a photo with several is left out
    One,
    /// The one nearest to the photo's center
    Central,
    /// The one with the largest box
    Largest,
}

/// Least distance between the eyes by default, in pixels: the aligned face has 35, so that less
/// than half of its detail is there. Faces of LFW have 26 to 61.
pub const DEFAULT_MIN_EYE_PX: f64 = 16.0;

/// Least sharpness by default, in squared grey levels.
///
/// Measured on 396 pictures of LFW: 25 to 547, median 128; under a Gaussian blur of 2 pixels (45
/// between the eyes) median 13, of 3 pixels 10 at most; at half size 22 at least.
pub const DEFAULT_MIN_SHARPNESS: f64 = 15.0;

/// Drop of the mean cosine that tells an outlier by default.
///
/// Measured with `usher-small` on 406 pictures of 60 people of LFW (up to 8 each) and 30 wrong
/// ones planted: 23 of the 30 and 5 of the 406 lie that far below; at 0.2 it is 24 and 16.
pub const DEFAULT_OUTLIER_DROP: f64 = 0.3;

/// Below these a face is left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Least distance between the eyes in the photo, in pixels.
    pub min_eye_px: f64,
    /// Least variance of the Laplacian, in squared grey levels.
    pub min_sharpness: f64,
}

/// What decides how a set comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Version of the way that faces are cut and measured.
    pub recipe: u32,
    /// The folder of photos, absolute.
    pub photos: String,
    /// Digest of the detector's file.
    pub detector_sha256: String,
    /// Side at which the detector looks, in pixels.
    pub detector_side: u32,
    /// Which face is meant.
    pub faces: Faces,
    /// Whether symbolic links are followed.
    pub follow_symlinks: bool,
    /// Least quality.
    #[serde(flatten)]
    pub limits: Limits,
    /// Pictures of one identity at most that many bits apart are one; none are when absent.
    pub duplicate_bits: Option<u32>,
    /// How unlikeness to the identity's others is judged; not at all when absent.
    pub outliers: Option<OutlierSettings>,
    /// Greatest size of a tar shard in MiB; a folder per identity when absent.
    pub shard_mib: Option<u32>,
}

/// How a picture unlike its identity's others is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutlierSettings {
    /// Identifier of the model that embeds.
    pub model: String,
    /// Least drop of the mean cosine below the identity's median that tells an outlier.
    pub drop: f64,
    /// Whether outliers are left out; else they are told only.
    pub left_out: bool,
}

/// Version of the way that faces are cut and measured; counts up when a change makes other bytes.
pub const RECIPE: u32 = 1;

impl Settings {
    /// Names and values, flat, as a journal's first line has them.
    ///
    /// # Errors
    /// Never for settings; serde's signature.
    pub fn fields(&self) -> Result<BTreeMap<String, Value>, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(self)?)
    }
}

/// What differs between an earlier run's settings and these, in words; empty when nothing does.
pub fn differences(earlier: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> String {
    let names: std::collections::BTreeSet<&String> = earlier.keys().chain(now.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    let differing: Vec<String> = names
        .into_iter()
        .filter(|name| earlier.get(*name) != now.get(*name))
        .map(|name| {
            format!(
                "{name} {}, now {}",
                shown(earlier.get(name)),
                shown(now.get(name))
            )
        })
        .collect();
    differing.join("; ")
}
