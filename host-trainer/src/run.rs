//! A run's folder: config, data, metrics, checkpoints; and its line of progress.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use shared::atomic_file::{self, Readers};

use crate::config::Config;
use crate::dataset::Dataset;
use crate::history::{CONFIG, DATA, DataSummary, EARLIER, LAST, METRICS, Stage};
use crate::weights::Weights;

/// Weight of the newest step in the numbers on the progress line.
const SMOOTHING: f64 = 0.05;

/// One step's numbers, a line of `metrics.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Steps done.
    pub step: u64,
    /// The batch's epoch, from 0.
    pub epoch: u64,
    /// Pictures seen so far.
    pub pictures: u64,
    /// Since the start.
    pub seconds: f64,
    /// Spent waiting for data since the start.
    pub waited_seconds: f64,
    /// Side of the faces.
    pub side_px: u32,
    /// Step size.
    pub learning_rate: f64,
    /// The loss that was minimized.
    pub loss: f64,
    /// Share of anchor-positive pairs with a semi-hard negative.
    pub active_share: f64,
    /// Mean squared L2 of the batch's genuine pairs.
    pub genuine: f32,
    /// Mean squared L2 of the batch's impostor pairs.
    pub impostor: f32,
}

/// A run being written.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    metrics: File,
    bar: ProgressBar,
    smooth_loss: Option<f64>,
    smooth_active: f64,
}

impl Run {
    /// Makes the run's folder and writes down what it is before it starts; `earlier` are the runs
    /// whose weights it goes on from.
    ///
    /// # Errors
    /// If the folder holds a run already, or cannot be written.
    pub fn create(
        folder: &Path,
        config: &Config,
        dataset: &Dataset,
        earlier: &[Stage],
    ) -> anyhow::Result<Self> {
        if folder.join(CONFIG).exists() {
            bail!(
                "{} holds a run already: expected a new folder; runs are never overwritten",
                folder.display()
            );
        }
        let place = || format!("cannot write to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(place)?;
        let summary = DataSummary {
            sha256: dataset.digest(),
            sources: dataset.sources.clone(),
        };
        let data = serde_json::to_vec_pretty(&summary)?;
        atomic_file::replace(&folder.join(DATA), &data, Readers::Everyone).with_context(place)?;
        if !earlier.is_empty() {
            let earlier = serde_json::to_vec_pretty(earlier)?;
            atomic_file::replace(&folder.join(EARLIER), &earlier, Readers::Everyone)
                .with_context(place)?;
        }
        let metrics = File::create(folder.join(METRICS)).with_context(place)?;
        atomic_file::replace(
            &folder.join(CONFIG),
            toml::to_string(config)?.as_bytes(),
            Readers::Everyone,
        )
        .with_context(place)?;
        let style = ProgressStyle::with_template("{bar:24} {percent:>3} %  {msg}  ETA {eta}")?;
        Ok(Self {
            folder: folder.to_owned(),
            metrics,
            bar: ProgressBar::new(1000).with_style(style),
            smooth_loss: None,
            smooth_active: 0.0,
        })
    }

    /// Writes a step's numbers and moves the progress line.
    ///
    /// # Errors
    /// If the metrics cannot be written.
    pub fn record(&mut self, measured: &Measured, progress: f64) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(measured)?;
        line.push(b'\n');
        let place = || format!("cannot write {METRICS} in {}", self.folder.display());
        self.metrics.write_all(&line).with_context(place)?;
        let smooth = |old: f64, new: f64| old + SMOOTHING * (new - old);
        let loss = self
            .smooth_loss
            .map_or(measured.loss, |old| smooth(old, measured.loss));
        self.smooth_active = match self.smooth_loss {
            Some(_) => smooth(self.smooth_active, measured.active_share),
            None => measured.active_share,
        };
        self.smooth_loss = Some(loss);
        self.bar.set_position((progress * 1000.0) as u64);
        self.bar.set_message(format!(
            "step {} epoch {}  {:.0} faces/s  loss {loss:.3}  active {:.0} %",
            measured.step,
            measured.epoch,
            measured.pictures as f64 / measured.seconds.max(1e-9),
            self.smooth_active * 100.0,
        ));
        Ok(())
    }

    /// Writes the newest checkpoint, and one of that step's own if a step is given.
    ///
    /// # Errors
    /// If it cannot be written; the one before is then whole.
    pub fn save(&self, weights: &Weights, step: Option<u64>) -> anyhow::Result<()> {
        if let Some(step) = step {
            weights.write(&self.folder.join(format!("step-{step:06}.safetensors")))?;
        }
        weights.write(&self.folder.join(LAST))?;
        Ok(())
    }

    /// Ends the progress line.
    pub fn finish(&self) {
        self.bar.finish();
    }
}
