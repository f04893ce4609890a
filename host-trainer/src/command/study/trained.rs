//! `study dimension`, `study pictures` and `study losses`: one config trained several times, as runs to go on from.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{Output, tell};
use crate::command::train;
use crate::config::Config;
use crate::config::device::DeviceChoice;
use crate::dataset::MEMORY_BYTES;
use crate::dataset::augment::Augment;
use crate::history::{self, CONFIG, DATA, LAST, METRICS};
use crate::run::{self, Origin, Other};
use crate::study::paper::{self, PaperVal};
use crate::study::{Kind, Measured, Row, Study};
use crate::telemetry::metrics;
use crate::torch::checkpoint;
use crate::torch::device;
use crate::torch::train::Budget;

/// Shares of the training pictures that `study pictures` trains on, and their names.
const SHARES: [(f64, &str); 4] = [(0.125, "1-8"), (0.25, "1-4"), (0.5, "1-2"), (1.0, "all")];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to train and how, in TOML
    #[arg(long)]
    config: PathBuf,
    /// Aligned faces, as for `train`
    #[arg(long)]
    data: PathBuf,
    /// Folder with pairsDevTrain.txt, pairsDevTest.txt and the pictures
    #[arg(long)]
    lfw: PathBuf,
    /// Folder for the runs, one for each value; those in it are not trained again but gone on with
    #[arg(long)]
    runs: PathBuf,
    /// Train each this long in place of the config's steps
    #[arg(long, conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Train each this many steps in place of the config's
    #[arg(long)]
    steps: Option<u64>,
    /// Manifest of an embedder to distil from, as for `train`; `study losses` asks for one
    #[arg(long, value_name = "MANIFEST")]
    teacher: Option<PathBuf>,
    /// Where a teacher's embeddings are kept for the next run (biometric data)
    #[arg(long, default_value = ".teacher")]
    teacher_cache: PathBuf,
    /// Most pairs of either of View 1's lists, half genuine [default: as many as its test list has]
    #[arg(long, default_value_t = 1000, hide_default_value = true, value_parser = clap::value_parser!(u16).range(20..))]
    pairs: u16,
    /// Where to train, in place of the config's choice
    #[arg(long, value_enum)]
    device: Option<DeviceChoice>,
    /// The face detector, for View 1's pictures
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Threads that decode pictures
    #[arg(long, default_value_t = 2)]
    workers: usize,
    #[command(flatten)]
    output: Output,
}

/// A value of a study as a run.
#[derive(Debug, Clone)]
struct Trial {
    /// Name of its folder.
    name: String,
    config: Config,
    /// Whether the teacher, if there is one, teaches it.
    taught: bool,
    /// How the table shows it, where that is known before the data is read.
    value: Option<String>,
    paper: Option<PaperVal>,
}

pub(super) fn run(kind: Kind, arguments: &Arguments) -> anyhow::Result<()> {
    train::prepare_environment();
    let mut config = train::effective(
        Config::read(&arguments.config)?,
        (arguments.minutes, arguments.steps),
        arguments.device,
    )?;
    config.validation_pairs = usize::from(arguments.pairs);
    let origin = origin(arguments)?;
    if kind == Kind::Losses {
        asks_for_everything(&config, arguments)?;
    }
    let trials = trials(kind, &config);
    // Whatever stands in the way of a later run is told before the first.
    for trial in &trials {
        fits(
            &arguments.runs.join(&trial.name),
            trial,
            &trial.origin(&origin),
        )?;
    }
    let mut measured = Vec::new();
    for (number, trial) in trials.iter().enumerate() {
        let folder = arguments.runs.join(&trial.name);
        eprintln!(
            "run {} of {}: {}",
            number + 1,
            trials.len(),
            folder.display()
        );
        let last = train_to_end(&folder, trial, &trial.origin(&origin), arguments.workers)?;
        measured.push((last, pictures(&folder)?));
    }
    let study = study(kind, &config, arguments, trials, measured);
    tell(&study, &arguments.output)?;
    eprintln!("next: usher-train plot {}/*", arguments.runs.display());
    Ok(())
}

impl Trial {
    /// Where this run begins.
    fn origin(&self, all: &Origin) -> Origin {
        Origin {
            teacher: all.teacher.clone().filter(|_| self.taught),
            ..all.clone()
        }
    }
}

/// `study losses` adds one thing after the other: each must be there to be added.
fn asks_for_everything(config: &Config, arguments: &Arguments) -> anyhow::Result<()> {
    let lacking = if config.softmax.is_none() {
        "a [softmax] in the config"
    } else if arguments.teacher.is_none() {
        "--teacher MANIFEST"
    } else if config.augment == Augment::NOTHING {
        "an [augment] in the config that varies pictures"
    } else if config.triplet.weight == 0.0 {
        "a [triplet] weight above 0 in the config"
    } else {
        return Ok(());
    };
    bail!("study losses: expected {lacking}, found none; it trains without and with it")
}

fn origin(arguments: &Arguments) -> anyhow::Result<Origin> {
    let absolute = |path: &Path| {
        std::path::absolute(path).with_context(|| format!("no such place: {}", path.display()))
    };
    Ok(Origin {
        data: absolute(&arguments.data)?,
        init: None,
        validate: Some(absolute(&arguments.lfw)?),
        detector: absolute(&arguments.detector)?,
        teacher: arguments.teacher.as_deref().map(Other::of).transpose()?,
        compatible_with: None,
        teacher_cache: absolute(&arguments.teacher_cache)?,
        memory_mib: MEMORY_BYTES >> 20,
        revision: env!("USHER_REVISION").to_owned(),
        threads: device::threads(),
    })
}

fn trials(kind: Kind, config: &Config) -> Vec<Trial> {
    if kind == Kind::Losses {
        return by_losses(config);
    }
    if kind == Kind::Dimension {
        let values = paper::DIMENSION.iter().map(|(dimension, val)| Trial {
            name: format!("dimension-{dimension}"),
            config: Config {
                dimension: *dimension,
                ..config.clone()
            },
            taught: true,
            value: Some(dimension.to_string()),
            paper: Some(*val),
        });
        return values.collect();
    }
    let values = SHARES.iter().map(|(share, name)| Trial {
        name: format!("pictures-{name}"),
        config: Config {
            pictures_share: share * config.pictures_share,
            ..config.clone()
        },
        taught: true,
        value: None,
        paper: None,
    });
    values.collect()
}

/// The config without anything but triplets, and what it has beside them added bit by bit.
fn by_losses(config: &Config) -> Vec<Trial> {
    let bare = Config {
        softmax: None,
        augment: Augment::NOTHING,
        ..config.clone()
    };
    let softmax = Config {
        softmax: config.softmax,
        ..bare.clone()
    };
    let rows = [
        ("triplets", "triplets alone", bare, false),
        ("softmax", "+ margin softmax", softmax.clone(), false),
        ("teacher", "+ a teacher", softmax, true),
        ("varied", "+ varied pictures", config.clone(), true),
    ];
    let trial = |(name, value, config, taught): (&str, &str, Config, bool)| Trial {
        name: format!("losses-{name}"),
        config,
        taught,
        value: Some(value.to_owned()),
        paper: None,
    };
    rows.map(trial).into()
}

/// Whether a run that is there already is the one that the study asks for.
fn fits(folder: &Path, trial: &Trial, origin: &Origin) -> anyhow::Result<()> {
    if !folder.join(CONFIG).exists() {
        return Ok(());
    }
    let (config, begun) = run::open(folder)?;
    let differs = if config != trial.config {
        Some("config, steps, minutes, device or pairs")
    } else if begun.data != origin.data {
        Some("data")
    } else if begun.validate != origin.validate {
        Some("LFW's folder")
    } else if begun.teacher != origin.teacher {
        Some("teacher")
    } else {
        None
    };
    match differs {
        Some(what) => bail!(
            "{} holds a run that was started otherwise ({what}): expected the study's own; ask for \
             the same again, or name another folder with --runs",
            folder.display()
        ),
        None => Ok(()),
    }
}

/// Trains the run as far as it is not trained yet; what its last validation says.
fn train_to_end(
    folder: &Path,
    trial: &Trial,
    origin: &Origin,
    workers: usize,
) -> anyhow::Result<Measured> {
    let config = trial.config.clone();
    let name = || format!("the run {} broke off", folder.display());
    if !folder.join(CONFIG).exists() {
        train::begin(config, origin, folder, workers).with_context(name)?;
    } else if at_end(folder, &trial.config)?.is_none() {
        train::go_on(config, origin, folder, workers).with_context(name)?;
    }
    at_end(folder, &trial.config)?.with_context(|| {
        format!(
            "{} ended without a validation: expected one after its last step",
            folder.display()
        )
    })
}

/// What a run's last validation says, if the run has come to its end.
fn at_end(folder: &Path, config: &Config) -> anyhow::Result<Option<Measured>> {
    let last = folder.join(LAST);
    if !last.exists() {
        return Ok(None);
    }
    let state = checkpoint::state(&last)?;
    let metrics = metrics::read(&folder.join(METRICS))?;
    let validated = metrics.validations.last();
    let validated = validated.filter(|validated| validated.step == state.step);
    let spent = Budget::of(config).is_spent(state.step, state.seconds);
    Ok(validated.filter(|_| spent).map(Measured::of_run))
}

/// Pictures that a run was trained on.
fn pictures(folder: &Path) -> anyhow::Result<u64> {
    let sources = history::data(&folder.join(DATA))?.sources;
    Ok(sources.iter().map(|source| source.pictures).sum())
}

/// The runs' rows; of `study pictures` the paper's stand below, by their numbers of pictures.
fn study(
    kind: Kind,
    config: &Config,
    arguments: &Arguments,
    trials: Vec<Trial>,
    measured: Vec<(Measured, u64)>,
) -> Study {
    let pairs = measured.first().map_or(0, |(measured, _)| measured.pairs);
    let all = measured.iter().map(|(_, pictures)| *pictures).max();
    let rows = trials.into_iter().zip(measured);
    let mut rows: Vec<Row> = rows
        .map(|(trial, (measured, pictures))| Row {
            value: trial.value.unwrap_or_else(|| pictures.to_string()),
            measured: Some(measured),
            paper: trial.paper,
        })
        .collect();
    if kind == Kind::Pictures {
        rows.extend(paper::PICTURES.map(|(pictures, val)| Row {
            value: pictures.to_string(),
            measured: None,
            paper: Some(val),
        }));
    }
    let budget = match config.minutes {
        Some(minutes) => format!("{minutes} minutes"),
        None => format!("{} steps", config.steps),
    };
    let paper = match kind {
        Kind::Losses => None,
        Kind::Dimension => Some(
            "its Table 5: NN1 on a private hold-out, trained on 100-200 million private pictures, \
             ± its standard error over five splits",
        ),
        _ => Some(
            "its Table 6: a network as NN4 (96x96) after 700 hours on private pictures; its rows \
             stand below ours, for no run here comes near their number",
        ),
    };
    let mut about = vec![format!(
        "{} ({}), trained anew for each row, {budget} each, on at most {} pictures of {}; seed {}.",
        config.network,
        arguments.config.display(),
        all.unwrap_or_default(),
        arguments.data.display(),
        config.seed
    )];
    if kind == Kind::Pictures {
        about.push(
            "A smaller set is of whole identities, drawn by the seed, each with all its pictures; a \
             larger set holds it."
                .to_owned(),
        );
    }
    about.push(format!(
        "Pairs right and AUC: LFW's View 1 (never View 2) after the last step, {pairs} pairs of its \
         test list, the threshold chosen on as many of its training list. ± is the standard error \
         over pairs; how far another seed moves a row is not measured."
    ));
    if kind == Kind::Losses {
        about.push(
            "Each row has what the one above it has, and one thing more. Pictures are cut out by the same \
             crop; varied: mirrored, moved, brightened and so on, as the config says."
                .to_owned(),
        );
    }
    about.extend(paper.map(|paper| {
        format!(
            "The paper's column, {paper}. Other data, another network, another measure: compare \
             the course, not the height."
        )
    }));
    Study {
        study: kind,
        about,
        rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{Line, Step, Validated, Writer};
    use crate::torch::checkpoint::State;

    const CONFIG_TEXT: &str = "
        network = 'mobilefacenet'
        steps = 40
        pictures_share = 0.5
        batch = { identities = 2, per_identity = 2 }
        optimizer = { kind = 'ada_grad', learning_rate = 0.05 }
    ";

    fn origin(data: &str) -> Origin {
        Origin {
            data: data.into(),
            init: None,
            validate: Some("lfw".into()),
            detector: "yunet.onnx".into(),
            teacher: None,
            compatible_with: None,
            teacher_cache: ".teacher".into(),
            memory_mib: 64,
            revision: "0".to_owned(),
            threads: 1,
        }
    }

    /// A run's folder as it stands at that step, its last validation at another.
    fn run_at(folder: &Path, config: &Config, step: u64, validated: u64) {
        let json = serde_json::to_vec(&origin("data")).unwrap();
        std::fs::write(folder.join(run::ORIGIN), json).unwrap();
        std::fs::write(folder.join(CONFIG), toml::to_string(config).unwrap()).unwrap();
        let state = State {
            step,
            ..State::default()
        };
        let tensors = [("fc.bias".to_owned(), tch::Tensor::from_slice(&[1.0_f32]))].into();
        checkpoint::write(&folder.join(LAST), &tensors, &state).unwrap();
        let mut writer = Writer::create(&folder.join(METRICS)).unwrap();
        let line = Step {
            step,
            ..Step::default()
        };
        writer.write(&Line::Step(line)).unwrap();
        let line = Validated {
            step: validated,
            accuracy: 0.75,
            pairs: 100,
            ..Validated::default()
        };
        writer.write(&Line::Validation(line)).unwrap();
    }

    #[test]
    fn each_value_is_a_run_of_its_own() {
        let config: Config = toml::from_str(CONFIG_TEXT).unwrap();
        let names = |kind| -> Vec<String> {
            let trials = trials(kind, &config).into_iter();
            trials.map(|trial| trial.name).collect()
        };
        let dimensions = [
            "dimension-64",
            "dimension-128",
            "dimension-256",
            "dimension-512",
        ];
        assert_eq!(names(Kind::Dimension), dimensions);
        let pictures = [
            "pictures-1-8",
            "pictures-1-4",
            "pictures-1-2",
            "pictures-all",
        ];
        assert_eq!(names(Kind::Pictures), pictures);
        // Shares of what the config itself asks for.
        let share = trials(Kind::Pictures, &config)[0].config.pictures_share;
        assert_eq!(share, 0.0625);
        let losses = [
            "losses-triplets",
            "losses-softmax",
            "losses-teacher",
            "losses-varied",
        ];
        assert_eq!(names(Kind::Losses), losses);
        // The last has all of the config.
        let last = trials(Kind::Losses, &config).pop().unwrap();
        assert!(last.taught && last.config == config);
        for trial in [
            trials(Kind::Dimension, &config),
            trials(Kind::Pictures, &config),
            trials(Kind::Losses, &config),
        ]
        .concat()
        {
            trial.config.check(Path::new("a trial")).unwrap();
        }
    }

    #[test]
    fn a_run_is_at_its_end_after_its_steps_and_a_validation() {
        let config: Config = toml::from_str(CONFIG_TEXT).unwrap();
        for (step, validated, done) in [(40, 40, true), (20, 20, false), (40, 20, false)] {
            let folder = tempfile::tempdir().unwrap();
            assert!(at_end(folder.path(), &config).unwrap().is_none());
            run_at(folder.path(), &config, step, validated);
            let found = at_end(folder.path(), &config).unwrap();
            assert_eq!(found.is_some(), done, "{step} {validated}");
            assert!(found.is_none_or(|found| found.accuracy == 0.75));
        }
    }

    #[test]
    fn a_run_that_was_started_otherwise_is_refused() {
        let config: Config = toml::from_str(CONFIG_TEXT).unwrap();
        let [trial, other] = [0, 1].map(|it| trials(Kind::Dimension, &config).swap_remove(it));
        let folder = tempfile::tempdir().unwrap();
        fits(folder.path(), &trial, &origin("data")).unwrap();
        run_at(folder.path(), &trial.config, 20, 20);
        fits(folder.path(), &trial, &origin("data")).unwrap();
        for (trial, data, what) in [(&other, "data", "config"), (&trial, "others", "(data)")] {
            let error = fits(folder.path(), trial, &origin(data)).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
