//! A run's folder: what it was started with, numbers, checkpoints; and its line of progress.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use shared::ModelManifest;
use shared::atomic_file::{self, Readers};

use crate::config::Config;
use crate::dataset::Dataset;
use crate::history::{self, CONFIG, DATA, DataSummary, EARLIER, LAST, METRICS, Stage};
use crate::telemetry::metrics::{self, Line, Step, Validated};
use crate::telemetry::tensorboard::EventWriter;

/// Weights of the best validation.
pub const BEST: &str = "best.safetensors";
/// What a run was started with, apart from its config.
pub const ORIGIN: &str = "origin.json";
/// Held by the one process that writes the run.
const LOCK: &str = ".lock";
/// Weight of the newest step in the numbers on the progress line.
const SMOOTHING: f64 = 0.1;
/// Between two lines where there is no terminal to draw on.
const SILENCE: Duration = Duration::from_secs(30);
/// Files of a run that a process began and was killed before its config was there.
const BEGUN: [&str; 5] = [DATA, ORIGIN, EARLIER, METRICS, LOCK];

/// What a run was started with, apart from its config: where `--resume` finds it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The training set.
    pub data: PathBuf,
    /// The weights it started from, where they were not drawn from the seed.
    pub init: Option<PathBuf>,
    /// Pairs to validate on.
    pub validate: Option<PathBuf>,
    /// The face detector that finds validation faces.
    pub detector: PathBuf,
    /// The model to learn from.
    pub teacher: Option<Other>,
    /// The model whose galleries are to stay usable.
    pub compatible_with: Option<Other>,
    /// Where their embeddings of the training set are kept.
    pub teacher_cache: PathBuf,
    /// Largest training set that is held in memory, in MiB.
    pub memory_mib: u64,
    /// The revision of usher-train's source.
    pub revision: String,
    /// Threads that an operator is spread over: another number may change last digits.
    pub threads: usize,
}

/// Another model that a run is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// Its manifest.
    pub manifest: PathBuf,
    /// Its id, which a model exported anew under the same name has not.
    pub model_id: String,
}

impl Other {
    /// The model of a manifest.
    ///
    /// # Errors
    /// If the manifest cannot be read.
    pub fn of(manifest: &Path) -> anyhow::Result<Self> {
        let model_id = ModelManifest::read(manifest)?.model_id().to_string();
        let manifest = std::path::absolute(manifest)
            .with_context(|| format!("no such place: {}", manifest.display()))?;
        Ok(Self { manifest, model_id })
    }
}

/// A run being written.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    metrics: metrics::Writer,
    events: EventWriter,
    bar: ProgressBar,
    smooth: Option<Smooth>,
    /// Pictures and seconds at the step before.
    before: Option<(u64, f64)>,
    accuracy: Option<f64>,
    /// When a line was last said where there is no terminal to draw on.
    said: Option<Instant>,
    keep: usize,
    // Locked until the run is dropped.
    _lock: File,
}

/// Running averages for the progress line.
#[derive(Debug, Clone, Copy)]
struct Smooth {
    loss: f64,
    active: f64,
    genuine: f64,
    impostor: f64,
    speed: f64,
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
        origin: &Origin,
        dataset: &Dataset,
        earlier: &[Stage],
    ) -> anyhow::Result<Self> {
        if folder.join(CONFIG).exists() {
            bail!(
                "{} holds a run already: expected a new folder; runs are never overwritten \
                 (usher-train train --resume {} goes on with it)",
                folder.display(),
                folder.display()
            );
        }
        let place = || format!("cannot write to {}", folder.display());
        std::fs::create_dir_all(folder).with_context(place)?;
        let lock = lock(folder)?;
        refuse_others(folder)?;
        // Without a config there is no run: what a killed process began is begun anew.
        let _ = std::fs::remove_file(folder.join(METRICS));
        let write = |name: &str, bytes: &[u8]| {
            atomic_file::replace(&folder.join(name), bytes, Readers::Everyone).with_context(place)
        };
        let summary = DataSummary {
            sha256: dataset.digest(),
            sources: dataset.sources.clone(),
        };
        write(DATA, &serde_json::to_vec_pretty(&summary)?)?;
        write(ORIGIN, &serde_json::to_vec_pretty(origin)?)?;
        if !earlier.is_empty() {
            write(EARLIER, &serde_json::to_vec_pretty(earlier)?)?;
        }
        let metrics = metrics::Writer::create(&folder.join(METRICS))?;
        // Last, for it is what makes the folder a run.
        write(CONFIG, toml::to_string(config)?.as_bytes())?;
        Self::open(
            folder,
            metrics,
            EventWriter::create(folder)?,
            config.keep,
            lock,
        )
    }

    /// Goes on with a run from `step`: numbers of later steps, which no checkpoint knows, are taken
    /// off.
    ///
    /// # Errors
    /// If another process writes the run, its files cannot be read, or `dataset` is not what it
    /// was trained on.
    pub fn resume(
        folder: &Path,
        config: &Config,
        dataset: &Dataset,
        step: u64,
    ) -> anyhow::Result<Self> {
        let lock = lock(folder)?;
        let trained_on = history::data(&folder.join(DATA))?.sha256;
        let found = dataset.digest();
        if trained_on != found {
            bail!(
                "{} was trained on data of digest {trained_on}: expected the same, found {found}; \
                 name the folder with --data, or start a new run with --init {}",
                folder.display(),
                folder.join(LAST).display()
            );
        }
        tidy(folder)?;
        let metrics = metrics::Writer::resume(&folder.join(METRICS), step)?;
        let events = EventWriter::resume(folder, step)?;
        Self::open(folder, metrics, events, config.keep, lock)
    }

    fn open(
        folder: &Path,
        metrics: metrics::Writer,
        events: EventWriter,
        keep: usize,
        lock: File,
    ) -> anyhow::Result<Self> {
        let style = ProgressStyle::with_template("{bar:10} {percent:>3} %  {msg}  ETA {eta}")?;
        Ok(Self {
            folder: folder.to_owned(),
            metrics,
            events,
            bar: ProgressBar::new(1000).with_style(style),
            smooth: None,
            before: None,
            accuracy: None,
            said: None,
            keep,
            _lock: lock,
        })
    }

    /// Where the run lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a step's numbers and moves the progress line.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn record(&mut self, step: &Step, progress: f64) -> anyhow::Result<()> {
        self.metrics.write(&Line::Step(*step))?;
        self.events.step(step)?;
        let (pictures, seconds) = self.before.unwrap_or_default();
        self.before = Some((step.pictures, step.seconds));
        let new = Smooth {
            speed: step.pictures.saturating_sub(pictures) as f64
                / (step.seconds - seconds).max(1e-9),
            loss: step.loss,
            active: step.active_share,
            genuine: step.genuine,
            impostor: step.impostor,
        };
        let smooth = self.smooth.map_or(new, |old| old.toward(new));
        self.bar.set_position((progress * 1000.0) as u64);
        if self.smooth.is_none() {
            self.bar.reset_eta(); // what an earlier process did says nothing of this one's pace
        }
        let accuracy = self.accuracy.map_or_else(String::new, |share| {
            format!("  pairs {:.1} %", share * 100.0)
        });
        let line = format!(
            "step {}  {:.0} faces/s  loss {:.3}  active {:.0} %  genuine {:.2} impostor {:.2}{accuracy}",
            step.step,
            smooth.speed,
            smooth.loss,
            smooth.active * 100.0,
            smooth.genuine,
            smooth.impostor,
        );
        if self.bar.is_hidden() && self.said.is_none_or(|said| said.elapsed() > SILENCE) {
            self.said = Some(Instant::now());
            eprintln!("{:.1} %  {line}", progress * 100.0);
        }
        self.smooth = Some(smooth);
        self.bar.set_message(line);
        Ok(())
    }

    /// Writes a validation's numbers.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn validated(&mut self, validated: &Validated) -> anyhow::Result<()> {
        self.metrics.write(&Line::Validation(*validated))?;
        self.events.validation(validated)?;
        self.accuracy = Some(validated.accuracy);
        self.say(&format!(
            "step {}: {:.1} % of {} pairs right at {:.3}, AUC {:.3}, genuine {:.3}, impostor {:.3}",
            validated.step,
            validated.accuracy * 100.0,
            validated.pairs,
            validated.threshold,
            validated.auc,
            validated.genuine,
            validated.impostor
        ));
        Ok(())
    }

    /// Puts the numbers on the disk, as the checkpoint of the same steps is about to be.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        Ok(self.metrics.sync()?)
    }

    /// Where the checkpoint of that step goes.
    pub fn checkpoint(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:06}.safetensors"))
    }

    /// Removes all but the newest checkpoints that have a step in their name.
    ///
    /// # Errors
    /// If the folder cannot be read or a file not be removed.
    pub fn prune(&self) -> anyhow::Result<()> {
        let place = || format!("cannot tidy {}", self.folder.display());
        let mut steps = Vec::new();
        for entry in std::fs::read_dir(&self.folder).with_context(place)? {
            let path = entry.with_context(place)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| {
                let number = name.strip_prefix("step-")?.strip_suffix(".safetensors")?;
                number.parse::<u64>().ok()
            });
            steps.extend(number.map(|number| (number, path)));
        }
        steps.sort_unstable();
        let surplus = steps.len().saturating_sub(self.keep);
        for (_, path) in &steps[..surplus] {
            std::fs::remove_file(path).with_context(place)?;
        }
        Ok(())
    }

    /// Ends the progress line.
    pub fn finish(&self) {
        self.bar.finish();
    }

    /// Says something above the progress line.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }
}

impl Smooth {
    fn toward(self, new: Self) -> Self {
        let smooth = |old: f64, new: f64| old + SMOOTHING * (new - old);
        Self {
            loss: smooth(self.loss, new.loss),
            active: smooth(self.active, new.active),
            genuine: smooth(self.genuine, new.genuine),
            impostor: smooth(self.impostor, new.impostor),
            speed: smooth(self.speed, new.speed),
        }
    }
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is being written by another usher-train: wait for it, or stop it",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Refuses a folder in which other things lie than what a killed process began.
fn refuse_others(folder: &Path) -> anyhow::Result<()> {
    let place = || format!("cannot read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let name = entry.with_context(place)?.file_name();
        let name = name.to_string_lossy();
        if !BEGUN.contains(&name.as_ref()) && !name.starts_with(atomic_file::TEMPORARY) {
            bail!(
                "{} holds other things, {name} among them: expected a new folder for --run",
                folder.display()
            );
        }
    }
    Ok(())
}

/// Removes files that a killed process was writing; the run is locked.
fn tidy(folder: &Path) -> anyhow::Result<()> {
    let place = || format!("cannot tidy {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(place)? {
        let entry = entry.with_context(place)?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(atomic_file::TEMPORARY) {
            std::fs::remove_file(entry.path()).with_context(place)?;
        }
    }
    Ok(())
}

/// Config and origin of a run that is there.
///
/// # Errors
/// If the folder holds no run, or its files cannot be read.
pub fn open(folder: &Path) -> anyhow::Result<(Config, Origin)> {
    let config = folder.join(CONFIG);
    if !config.exists() {
        bail!(
            "{} holds no run: expected {CONFIG}; start one with --config, --data and --run",
            folder.display()
        );
    }
    let path = folder.join(ORIGIN);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let origin = serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} does not say what the run was started with",
            path.display()
        )
    })?;
    Ok((Config::read(&config)?, origin))
}
