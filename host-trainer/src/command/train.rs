//! `usher-train train`: from a folder of aligned faces to weights.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use shared::ModelManifest;

use crate::config::Config;
use crate::config::device::DeviceChoice;
use crate::dataset::{Dataset, MEMORY_BYTES};
use crate::history::{self, LAST};
use crate::network;
use crate::run::{self, BEST, Origin, Other, Run};
use crate::teacher::TeacherEmbeddings;
use crate::torch::checkpoint;
use crate::torch::device;
use crate::torch::environment;
use crate::torch::train::{self, Budget, Job};
use crate::validation::{Limits, ValidationSet};

/// Pictures of a set that are looked at before training.
const LOOKED_AT: usize = 20;

/// Train a network by triplet loss, with margin softmax or a teacher beside it where asked for
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: usher-train train --config host-trainer/configs/mobilefacenet.toml \
                        --data data/aligned --run runs/first --minutes 60\n\
                        After a power cut: usher-train train --resume runs/first"
)]
pub struct Arguments {
    /// What to train and how, in TOML
    #[arg(long, required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Aligned faces: a folder per identity (also as in VGGFace2, CASIA-WebFace, LFW), tar files
    /// with manifest.tsv, or tar shards
    #[arg(long, required_unless_present = "resume")]
    data: Option<PathBuf>,
    /// Folder of the run, made anew
    #[arg(long, required_unless_present = "resume")]
    run: Option<PathBuf>,
    /// Go on with this run from its last checkpoint, with the config and data it was started with
    #[arg(long, conflicts_with_all = ["config", "run", "minutes", "steps", "init", "device", "teacher", "compatible_with", "teacher_cache", "detector", "memory"])]
    resume: Option<PathBuf>,
    /// Train this long in place of the config's steps
    #[arg(long, conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Train this many steps in place of the config's
    #[arg(long)]
    steps: Option<u64>,
    /// Start from these weights in place of random ones
    #[arg(long)]
    init: Option<PathBuf>,
    /// Where to train, in place of the config's choice
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    /// Learn from this model's embeddings of the training faces too
    #[arg(long, value_name = "MODEL.toml")]
    teacher: Option<PathBuf>,
    /// Keep to this model's galleries: its templates are to match the new model's probes
    #[arg(long, value_name = "MODEL.toml")]
    compatible_with: Option<PathBuf>,
    /// Where a teacher's embeddings are kept for the next run (biometric data)
    #[arg(long, default_value = ".teacher")]
    teacher_cache: PathBuf,
    /// Validate now and then on LFW's View 1 in this folder, or on a list of pairs
    #[arg(long)]
    validate: Option<PathBuf>,
    /// The face detector, for the validation pictures
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Largest training set that is held in memory, in MiB; a larger one is read as it is needed
    #[arg(long, default_value_t = MEMORY_BYTES >> 20, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    memory: u64,
    /// Threads that decode pictures
    #[arg(long, default_value_t = 2)]
    workers: usize,
}

/// Trains.
///
/// # Errors
/// If config or data are unusable, the run exists, or training breaks off.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    prepare_environment();
    let folder = match &arguments.resume {
        Some(folder) => resume(arguments, folder)?,
        None => start(arguments)?,
    };
    println!("{}", folder.join(LAST).display());
    let best = match folder.join(BEST).exists() {
        true => " --checkpoint best",
        false => "",
    };
    eprintln!(
        "next: usher-train plot {0}; usher-train export --run {0}{best} --name NAME --models models",
        folder.display()
    );
    Ok(())
}

/// Starts the program again with the settings that training is faster with, where they lack.
pub(super) fn prepare_environment() {
    if let Err(error) = environment::prepare() {
        eprintln!("warning: training slower, without the settings for libtorch: {error}");
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<PathBuf> {
    let (Some(config), Some(data), Some(folder)) =
        (&arguments.config, &arguments.data, &arguments.run)
    else {
        bail!("expected --config, --data and --run, or --resume");
    };
    let mut config = effective(
        Config::read(config)?,
        (arguments.minutes, arguments.steps),
        arguments.device,
    )?;
    if arguments.compatible_with.is_some() && arguments.init.is_none() {
        // The last layer of a net that has learnt nothing is not worth a stage of its own.
        config.compatible.last_layer_until = 0.0;
    }
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).with_context(|| format!("no such place: {}", path.display()))
    };
    let other = |manifest: &Option<PathBuf>| manifest.as_deref().map(Other::of).transpose();
    let origin = Origin {
        data: absolute(data)?,
        init: arguments.init.as_ref().map(absolute).transpose()?,
        validate: arguments.validate.as_ref().map(absolute).transpose()?,
        detector: absolute(&arguments.detector)?,
        teacher: other(&arguments.teacher)?,
        compatible_with: other(&arguments.compatible_with)?,
        teacher_cache: absolute(&arguments.teacher_cache)?,
        memory_mib: arguments.memory,
        revision: env!("USHER_REVISION").to_owned(),
        threads: device::threads(),
    };
    begin(config, &origin, folder, arguments.workers)?;
    Ok(folder.clone())
}

/// Trains a new run to its end, in a folder made anew.
pub(super) fn begin(
    config: Config,
    origin: &Origin,
    folder: &Path,
    workers: usize,
) -> anyhow::Result<()> {
    // Whatever is wrong is told before the run's folder is made.
    let first = train::first_weights(&config, origin.init.as_deref())?;
    let earlier = match &origin.init {
        Some(weights) => history::of_weights(weights)?,
        None => Vec::new(),
    };
    let job = job(workers, config, origin, first)?;
    let mut run = Run::create(folder, &job.config, origin, &job.dataset, &earlier)?;
    train::train(&job, &mut run)?;
    run.finish();
    Ok(())
}

fn resume(arguments: &Arguments, folder: &Path) -> anyhow::Result<PathBuf> {
    let (config, mut origin) = run::open(folder)?;
    if let Some(data) = &arguments.data {
        origin.data.clone_from(data);
    }
    if arguments.validate.is_some() {
        origin.validate.clone_from(&arguments.validate);
    }
    go_on(config, &origin, folder, arguments.workers)?;
    Ok(folder.to_owned())
}

/// Trains a run that is there from its last checkpoint to its end.
pub(super) fn go_on(
    config: Config,
    origin: &Origin,
    folder: &Path,
    workers: usize,
) -> anyhow::Result<()> {
    if origin.threads != device::threads() {
        eprintln!(
            "warning: the run was started with {} threads, this is {}: last digits may differ \
             (OMP_NUM_THREADS={} would keep them)",
            origin.threads,
            device::threads(),
            origin.threads
        );
    }
    let last = folder.join(LAST);
    let from = match last.exists() {
        true => Some(checkpoint::read(&last)?),
        false => None, // stopped before its first checkpoint
    };
    let step = from.as_ref().map_or(0, |(_, state)| state.step);
    if let Some((_, state)) = &from
        && Budget::of(&config).is_spent(state.step, state.seconds)
    {
        eprintln!(
            "the run is finished, after step {step}; to train on, start a new one with --init {}",
            last.display()
        );
        return Ok(());
    }
    let init = origin.init.as_deref().filter(|_| from.is_none());
    let first = train::first_weights(&config, init)?;
    let mut job = job(workers, config, origin, first)?;
    job.from = from;
    let mut run = Run::resume(folder, &job.config, &job.dataset, step)?;
    eprintln!("going on after step {step}");
    train::train(&job, &mut run)?;
    run.finish();
    Ok(())
}

/// Pictures that are not square are photos, not faces as `prepare` cuts them.
fn refuse_unaligned(dataset: &Dataset) -> anyhow::Result<()> {
    let step = dataset.pictures.len().div_ceil(LOOKED_AT);
    for picture in (0..dataset.pictures.len()).step_by(step) {
        let name = dataset.name(picture);
        // One that cannot be decoded is the loader's to count.
        let Ok(frame) = shared::picture::decode(&dataset.bytes(picture)?, &name) else {
            continue;
        };
        let (width, height) = (frame.width_px(), frame.height_px());
        if width != height {
            bail!(
                "{}: expected an aligned face, which is square, found {width}x{height}; make the set \
                 with usher-train prepare",
                name.display()
            );
        }
    }
    Ok(())
}

/// The config with what the command line says in its place: minutes or steps, device.
pub(super) fn effective(
    mut config: Config,
    (minutes, steps): (Option<f64>, Option<u64>),
    device: Option<DeviceChoice>,
) -> anyhow::Result<Config> {
    if minutes.is_some() {
        config.minutes = minutes;
    }
    if let Some(steps) = steps {
        (config.steps, config.minutes) = (steps, None);
    }
    if let Some(device) = device {
        config.device = device;
    }
    config.check(Path::new("the command line"))?;
    Ok(config)
}

fn job(
    workers: usize,
    config: Config,
    origin: &Origin,
    first: crate::weights::Weights,
) -> anyhow::Result<Job> {
    let device = device::pick(config.device)?;
    let dataset = Dataset::open_share(
        &origin.data,
        config.pictures_share,
        config.seed,
        origin.memory_mib << 20,
    )
    .with_context(|| {
        let data = origin.data.display();
        format!("cannot train on {data} (--data names another place, also with --resume)")
    })?;
    refuse_unaligned(&dataset)?;
    let dataset = Arc::new(dataset);
    eprintln!(
        "{} pictures of {} identities from {} ({})",
        dataset.pictures.len(),
        dataset.identities.len(),
        origin.data.display(),
        dataset.layout
    );
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let embeddings = |other: &Other| -> anyhow::Result<TeacherEmbeddings> {
        let (manifest, cache) = (&other.manifest, &origin.teacher_cache);
        let found = ModelManifest::read(manifest)?.model_id().to_string();
        if found != other.model_id {
            bail!(
                "the run was started with model {} at {}: expected it there, found {found}; put it \
                 back, or start a new run",
                other.model_id,
                manifest.display()
            );
        }
        Ok(TeacherEmbeddings::open(&dataset, manifest, cache, threads)?)
    };
    let teacher = origin.teacher.as_ref().map(embeddings).transpose()?;
    let older = origin
        .compatible_with
        .as_ref()
        .map(embeddings)
        .transpose()?;
    if let Some(older) = older
        .as_ref()
        .filter(|older| older.dimension() != config.dimension)
    {
        bail!(
            "a compatible model has the older one's dimension: expected dimension = {}, found {}",
            older.dimension(),
            config.dimension
        );
    }
    let side_px = network::build(&config.spec())?.side_px()?;
    let limits = Limits {
        side_px,
        pairs: config.validation_pairs,
    };
    let validation = origin.validate.as_ref();
    let validation = validation.map(|place| ValidationSet::open(place, limits, &origin.detector));
    let validation = validation.transpose()?;
    if let Some(set) = &validation {
        eprintln!(
            "validation: {} faces; no face found in {} pictures, whose pairs are left out",
            set.faces(),
            set.without_face()
        );
    }
    Ok(Job {
        device,
        dataset,
        first,
        from: None,
        teacher,
        older,
        validation,
        workers,
        config,
    })
}
