//! What a run minimizes: the paper's triplets, and signals beside them.

use serde::{Deserialize, Serialize};

use crate::triplet::Mining;

/// The form of the triplet loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Margin {
    /// `[d(a,p) - d(a,n) + alpha]+`: FaceNet, equation 3.
    #[default]
    Hinge,
    /// `ln(1 + exp(d(a,p) - d(a,n)))`: never quite done with a triplet.
    Soft,
}

/// The triplet loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TripletConfig {
    /// Which triplets of a batch are learnt from.
    pub mining: Mining,
    /// Its form.
    pub margin: Margin,
    /// Margin on squared L2, 0 to 4: of the hinge, and of what mining takes for a violation.
    pub alpha: f64,
    /// Factor in the sum of losses; 0 leaves the loss out and still measures distances.
    pub weight: f64,
}

impl Default for TripletConfig {
    /// FaceNet, section 3.2.
    fn default() -> Self {
        Self {
            mining: Mining::SemiHard,
            margin: Margin::Hinge,
            alpha: 0.2,
            weight: 1.0,
        }
    }
}

/// How the margin of a softmax is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SoftmaxKind {
    /// Off the cosine.
    #[default]
    CosFace,
    /// On the angle, in radians.
    ArcFace,
}

/// Margin softmax over the training identities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxConfig {
    /// How the margin is taken.
    #[serde(default)]
    pub kind: SoftmaxKind,
    /// Factor of cosines before the softmax.
    pub scale: f64,
    /// Taken off the true identity's cosine, or put on its angle.
    pub margin: f64,
    /// Factor in the sum of losses.
    pub weight: f64,
    /// Share of the run for which it is on: below 1 it is a warm-up that hands over to the others.
    #[serde(default = "whole_run")]
    pub until: f64,
}

/// Learning from a teacher's embeddings: `--teacher MODEL.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DistillationConfig {
    /// Factor in the sum of losses.
    pub weight: f64,
    /// Share of the run for which it is on.
    pub until: f64,
}

impl Default for DistillationConfig {
    fn default() -> Self {
        Self {
            weight: 1.0,
            until: 1.0,
        }
    }
}

/// Training that keeps to an older model's galleries: `--compatible-with MODEL.toml`.
///
/// The paper's harmonic embedding (appendix): triplets are mined among the new and the old
/// embeddings of a batch together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompatibleConfig {
    /// Factor in the sum of losses.
    pub weight: f64,
    /// Share of the run that moves the last layer alone, before the whole net is trained.
    pub last_layer_until: f64,
}

impl Default for CompatibleConfig {
    fn default() -> Self {
        Self {
            weight: 1.0,
            last_layer_until: 0.1,
        }
    }
}

fn whole_run() -> f64 {
    1.0
}
