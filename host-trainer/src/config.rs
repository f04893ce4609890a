//! What a training run is: one TOML file, saved with the run before it starts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataset::augment::Augment;
use crate::network::DEFAULT_DIMENSION;
use crate::torch::optimizer::Rule;

/// A training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the network, one of `network::NAMES`.
    pub network: String,
    /// Values in an embedding.
    #[serde(default = "default_dimension")]
    pub dimension: usize,
    /// Decides first weights, order and variation of pictures.
    #[serde(default)]
    pub seed: u64,
    /// Steps to train, unless minutes are given.
    pub steps: u64,
    /// Minutes to train, whatever number of steps they come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<f64>,
    /// Steps between checkpoints.
    #[serde(default = "default_checkpoint_steps")]
    pub checkpoint_steps: u64,
    /// What a batch is.
    pub batch: BatchConfig,
    /// The triplet loss.
    #[serde(default)]
    pub triplet: TripletConfig,
    /// Margin softmax beside the triplet loss; without it, triplets alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softmax: Option<SoftmaxConfig>,
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
}

/// The triplet loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TripletConfig {
    /// Margin on squared L2.
    pub alpha: f64,
    /// Factor in the sum of losses.
    pub weight: f64,
}

impl Default for TripletConfig {
    /// FaceNet, section 3.2.
    fn default() -> Self {
        Self {
            alpha: 0.2,
            weight: 1.0,
        }
    }
}

/// Margin softmax over all training identities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftmaxConfig {
    /// Factor of cosines before the softmax.
    pub scale: f64,
    /// Taken off the true identity's cosine.
    pub margin: f64,
    /// Factor in the sum of losses.
    pub weight: f64,
}

/// The learning rate over a run: rises linearly, then falls to zero along a half cosine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Share of the run spent rising.
    pub warmup: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self { warmup: 0.02 }
    }
}

impl ScheduleConfig {
    /// Factor of the learning rate at that share of the run, 0 to 1.
    pub fn factor(&self, progress: f64) -> f64 {
        if progress < self.warmup {
            return progress / self.warmup;
        }
        let falling = (progress - self.warmup) / (1.0 - self.warmup).max(f64::EPSILON);
        0.5 * (1.0 + (std::f64::consts::PI * falling.min(1.0)).cos())
    }
}

/// A share of the run on smaller faces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStage {
    /// Side of the faces, in pixels.
    pub side_px: u32,
    /// The stage ends at that share of the run, 0 to 1.
    pub until: f64,
}

fn default_dimension() -> usize {
    DEFAULT_DIMENSION
}

fn default_checkpoint_steps() -> u64 {
    200
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
        let refuse = |key, expected, found: String| {
            Err(ConfigError::Value {
                path: path.to_owned(),
                key,
                expected,
                found,
            })
        };
        let BatchConfig {
            identities,
            per_identity,
        } = self.batch;
        if identities < 2 {
            return refuse("batch.identities", "at least 2", identities.to_string());
        }
        if per_identity < 2 {
            return refuse("batch.per_identity", "at least 2", per_identity.to_string());
        }
        if self.steps == 0 {
            return refuse("steps", "at least 1", "0".to_owned());
        }
        if !(self.triplet.alpha > 0.0 && self.triplet.alpha < 4.0) {
            return refuse(
                "triplet.alpha",
                "between 0 and 4",
                self.triplet.alpha.to_string(),
            );
        }
        let rate = self.optimizer.learning_rate();
        if !rate.is_finite() || rate <= 0.0 {
            return refuse("optimizer.learning_rate", "above 0", rate.to_string());
        }
        if self.checkpoint_steps == 0 {
            return refuse("checkpoint_steps", "at least 1", "0".to_owned());
        }
        if let Some(minutes) = self
            .minutes
            .filter(|minutes| !(1e-3..=1e6).contains(minutes))
        {
            return refuse("minutes", "above 0", minutes.to_string());
        }
        if !(0.0..1.0).contains(&self.schedule.warmup) {
            let found = self.schedule.warmup.to_string();
            return refuse("schedule.warmup", "a share below 1", found);
        }
        if let Some(softmax) = self.softmax
            && ![softmax.scale, softmax.margin, softmax.weight]
                .iter()
                .all(|value| (0.0..=1e4).contains(value))
        {
            return refuse("softmax", "positive values", format!("{softmax:?}"));
        }
        if !self.augment.is_usable() {
            let found = format!("{:?}", self.augment);
            return refuse("augment", Augment::USABLE, found);
        }
        let sides = 16..=1024;
        if let Some(stage) = self
            .early
            .iter()
            .find(|stage| !sides.contains(&stage.side_px))
        {
            return refuse("early.side_px", "16 to 1024", stage.side_px.to_string());
        }
        let rising = self
            .early
            .windows(2)
            .all(|pair| pair[0].until < pair[1].until);
        if !rising
            || self
                .early
                .iter()
                .any(|stage| !(0.0..1.0).contains(&stage.until))
        {
            return refuse(
                "early.until",
                "rising shares below 1",
                format!("{:?}", self.early),
            );
        }
        Ok(())
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
    fn the_schedule_rises_then_falls_to_zero() {
        let schedule = ScheduleConfig { warmup: 0.1 };
        let factors = [0.0, 0.05, 0.1, 0.55, 1.0].map(|progress| schedule.factor(progress));
        for (found, expected) in factors.into_iter().zip([0.0, 0.5, 1.0, 0.5, 0.0]) {
            assert!((found - expected).abs() < 1e-9, "{factors:?}");
        }
    }

    #[test]
    fn shipped_configs_are_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Config::read(&entry.unwrap().path()).unwrap();
            read += 1;
        }
        assert!(read >= 2);
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
            ("schedule = { warmup = 1.5 }", "schedule.warmup"),
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
