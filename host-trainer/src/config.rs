//! What a training run is: one TOML file, saved with the run before it starts.

mod check;
pub mod device;
mod objective;
pub mod optimizer;
mod schedule;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::dataset::augment::Augment;
use crate::dataset::sampler::{Fill, Mixing, Shape};
use crate::network::DEFAULT_DIMENSION;
use crate::network::Spec;
use device::DeviceChoice;
use optimizer::Rule;

pub use objective::{
    CompatibleConfig, DistillationConfig, Margin, SoftmaxConfig, SoftmaxKind, TripletConfig,
};
pub use schedule::{Course, EarlyStage, ScheduleConfig};

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the network, one of `network::NAMES`.
    pub network: String,
    /// Values in an embedding, 64 to 512.
    #[serde(default = "default_dimension")]
    pub dimension: usize,
    /// Batch normalization after every convolution; absent: as the network's paper has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_norm: Option<bool>,
    /// Factor of the network's channels.
    #[serde(default = "one")]
    pub width: f64,
    /// Layers up to this one, or to the end of this block of layers, stay as they began and cost no
    /// gradients; absent: all are trained. For weights from `usher-train prune`, whose first blocks are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// Batch normalization by the statistics that the first weights bring, not by each batch's: faster, and
    /// what is trained is what is shipped. For weights that are trained already.
    #[serde(default)]
    pub keep_statistics: bool,
    /// Decides first weights, order and variation of pictures.
    #[serde(default)]
    pub seed: u64,
    /// Share of the training pictures to learn from, above 0 to 1: those of whole identities, drawn
    /// by the seed.
    #[serde(default = "one")]
    pub pictures_share: f64,
    /// Steps to train, unless minutes are given.
    pub steps: u64,
    /// Minutes to train, whatever number of steps they come to. The schedule then follows the
    /// clock, and no two runs are alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Where to train.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Numbers that activations are computed in.
    #[serde(default)]
    pub precision: Precision,
    /// Steps between checkpoints.
    #[serde(default = "default_checkpoint_steps")]
    pub checkpoint_steps: u64,
    /// Checkpoints kept beside the last and the best.
    #[serde(default = "default_keep")]
    pub keep: usize,
    /// Steps between validations, where there are pairs to validate on.
    #[serde(default = "default_validation_steps")]
    pub validation_steps: u64,
    /// Pairs of a validation, half of them genuine.
    #[serde(default = "default_validation_pairs")]
    pub validation_pairs: usize,
    /// Largest norm of all gradients together; longer ones are scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_clip: Option<f64>,
    /// Share of the old in a running average of the weights, which is then what is validated and
    /// exported (0.999 averages about 1,000 steps); absent: the weights themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
    /// What a batch is.
    pub batch: BatchConfig,
    /// The triplet loss.
    #[serde(default)]
    pub triplet: TripletConfig,
    /// Margin softmax beside the triplet loss; without it, triplets alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<SoftmaxConfig>,
    /// How a teacher is listened to, where one is given.
    #[serde(default)]
    pub distillation: DistillationConfig,
    /// How an older model's galleries are kept to, where one is given.
    #[serde(default)]
    pub compatible: CompatibleConfig,
    /// The optimizer.
    pub optimizer: Rule,
    /// The course of the learning rate.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// How pictures are varied.
    #[serde(default)]
    pub augment: Augment,
    /// Smaller faces first, where the network allows it; empty: the network's own side throughout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<EarlyStage>,
}

/// P identities with K pictures each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchConfig {
    /// Identities (P).
    pub identities: usize,
    /// Pictures of each (K), at least 2.
    pub per_identity: usize,
    /// How identities with fewer pictures are treated.
    #[serde(default)]
    pub fill: Fill,
    /// Whether a batch mixes the set's groups (tar files), which may differ in the style of their
    /// pictures.
    #[serde(default)]
    pub mixing: Mixing,
    /// Faces whose gradients are computed at once. A batch of more is embedded without gradients
    /// first and mined as a whole; then what was chosen is back-propagated, a chunk at a time, so
    /// that memory holds a chunk, not the batch. Absent: the whole batch at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<usize>,
}

impl BatchConfig {
    /// What the sampler is asked for.
    pub fn shape(&self) -> Shape {
        Shape {
            identities: self.identities,
            per_identity: self.per_identity,
            fill: self.fill,
            mixing: self.mixing,
        }
    }

    /// The identities, rising, that have pictures in each group of the set, where batches keep to
    /// one group; empty where they mix.
    pub fn groups_of(&self, dataset: &Dataset) -> Vec<Vec<i64>> {
        if self.mixing == Mixing::Free {
            return Vec::new();
        }
        let mut groups = vec![std::collections::BTreeSet::new(); dataset.groups.len()];
        for picture in &dataset.pictures {
            groups[picture.group].insert(picture.identity as i64);
        }
        groups
            .into_iter()
            .map(|identities| identities.into_iter().collect())
            .collect()
    }
}

/// Numbers that activations are computed in; weights and gradients are f32 always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16, on CUDA and on processors with instructions for it: on others it is slower than f32.
    Bf16,
}

fn default_dimension() -> usize {
    DEFAULT_DIMENSION
}

fn one() -> f64 {
    1.0
}

fn default_checkpoint_steps() -> u64 {
    200
}

fn default_keep() -> usize {
    3
}

fn default_validation_steps() -> u64 {
    500
}

fn default_validation_pairs() -> usize {
    600
}

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or not these keys.
    #[error("{path} is no training config: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value out of its range.
    #[error("{path}: {key} must be {expected}, found {found}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its range.
        expected: &'static str,
        /// Its value.
        found: String,
    },
}

impl Config {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// A [`ConfigError`] naming file and key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Io {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check(path)?;
        Ok(config)
    }

    /// Whether every value is one that training can use; `path` is for the message.
    ///
    /// # Errors
    /// [`ConfigError::Value`] naming the first that is not.
    pub fn check(&self, path: &Path) -> Result<(), ConfigError> {
        match check::first_misfit(self) {
            None => Ok(()),
            Some(check::Misfit {
                key,
                expected,
                found,
            }) => Err(ConfigError::Value {
                path: path.to_owned(),
                key,
                expected,
                found,
            }),
        }
    }

    /// The network to build.
    pub fn spec(&self) -> Spec {
        Spec {
            name: self.network.clone(),
            dimension: self.dimension,
            batch_norm: self.batch_norm,
            width: self.width,
        }
    }

    /// Step size at that share of the run.
    pub fn learning_rate(&self, progress: f64) -> f64 {
        self.optimizer.learning_rate() * self.schedule.factor(progress)
    }

    /// Side of the faces at that share of the run, `own` being the network's.
    pub fn side_px(&self, progress: f64, own: u32) -> u32 {
        let stage = self.early.iter().find(|stage| progress < stage.until);
        stage.map_or(own, |stage| stage.side_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_configs_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Config::read(&entry.unwrap().path()).unwrap();
            read += 1;
        }
        assert!(read >= 6, "{read}");
    }

    #[test]
    fn an_unknown_key_and_a_bad_value_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let text = "network = 'nn1'\nsteps = 5\nbatch = { identities = 4, per_identity = 1 }\n\
                    optimizer = { kind = 'ada_grad', learning_rate = 0.05 }\n";
        std::fs::write(&path, text).unwrap();
        let error = Config::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("batch.per_identity must be at least 2, found 1"),
            "{error}"
        );
        std::fs::write(&path, format!("{text}teacher = 'none'\n")).unwrap();
        let error = Config::read(&path).unwrap_err().to_string();
        assert!(
            error.contains("run.toml") && error.contains("teacher"),
            "{error}"
        );
    }

    #[test]
    fn values_that_would_break_a_run_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let text = "network = 'mobilefacenet'\nsteps = 5\nbatch = { identities = 4, per_identity = 2 }\n\
                    optimizer = { kind = 'ada_grad', learning_rate = 0.05 }\n";
        for (line, key) in [
            ("", ""),
            ("checkpoint_steps = 0", "checkpoint_steps"),
            ("minutes = 0", "minutes"),
            ("minutes = nan", "minutes"),
            ("minutes = -1", "minutes"),
            ("schedule = { warmup = 1.5 }", "schedule"),
            ("schedule = { course = 'step' }", "schedule"),
            ("schedule = { steps_at = [0.5] }", "schedule"),
            ("triplet = { alpha = 5.0 }", "triplet.alpha"),
            ("triplet = { weight = 0.0 }", "triplet.weight"),
            ("gradient_clip = 0.0", "gradient_clip"),
            ("average = 1.0", "average"),
            ("keep = 0", "keep"),
            ("pictures_share = 0.0", "pictures_share"),
            ("pictures_share = 1.5", "pictures_share"),
            ("width = 0.0", "width"),
            (
                "precision = 'bf16'",
                if check::has_bf16() { "" } else { "precision" },
            ),
            ("distillation = { weight = -1.0 }", "distillation"),
            ("compatible = { last_layer_until = 1.0 }", "compatible"),
            ("augment = { zoom = -2 }", "augment"),
            (
                "softmax = { scale = nan, margin = 0.1, weight = 1 }",
                "softmax",
            ),
            ("early = [{ side_px = 0, until = 0.5 }]", "early.side_px"),
            ("early = [{ side_px = 64, until = 1.5 }]", "early.until"),
        ] {
            std::fs::write(&path, format!("{text}{line}\n")).unwrap();
            match Config::read(&path) {
                Ok(_) => assert!(key.is_empty(), "{line} was accepted"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        !key.is_empty() && error.contains(&format!("{key} must be")),
                        "{error}"
                    );
                }
            }
        }
    }
}
