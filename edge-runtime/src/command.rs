//! The command line of `usher`: what can be asked for, and what the commands share.

mod bench;
mod camera;
mod config;
mod consent;
mod doctor;
mod enroll;
mod files;
mod gallery;
mod health;
mod pad;
mod pin;
mod record;
mod replay;
mod run;
mod sealing;
mod status;
mod table;
mod update;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use shared::detector::Detector;
use shared::embedder::Embedder;
use shared::inference;
use shared::manifest::ModelManifest;
use shared::pipeline::Pipeline;

use crate::camera::CameraSource;
use crate::config::Config;
use crate::screen::Screen;
pub(crate) use sealing::now;

/// Side of the detector's input in pixels: a face with 24 pixels between the eyes in a frame of 1280x720 still has 6.
const DETECTOR_SIDE_PX: u32 = 320;

/// Face recognition that runs on the device it guards.
#[derive(Debug, Parser)]
#[command(
    name = "usher",
    version,
    after_help = "\
Examples:
  usher consent > consent.txt
  usher enroll \"Ada Lovelace\" --consent standard --camera replay:recordings/ada --gallery people.gallery \\
    --model models/usher-small.toml
  usher gallery list --gallery people.gallery
  usher run --camera replay:recordings/visit --screen png:screens --gallery people.gallery --model models/usher-small.toml
  usher replay make --picture ada.jpg --out recordings/visit --detector models/yunet.onnx

Exit status: 0 done, 1 failed, 2 wrong usage. USHER_LOG=debug says more on standard error; it never holds a name,
a picture or an embedding."
)]
pub struct Usher {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Get to know one person from a recording of that person alone
    Enroll(Box<enroll::Enroll>),
    /// Greet whom the gallery knows
    Run(run::Run),
    /// Look after the people in a gallery: list, show, remove, back up, export, audit
    #[command(subcommand)]
    Gallery(Box<gallery::GalleryCommand>),
    /// List cameras and what they can do, and watch one
    #[command(subcommand)]
    Camera(camera::CameraCommand),
    /// Keep what a camera sees, to replay it later; for operators
    Record(record::Record),
    /// Print the standard consent text
    Consent(consent::ShowConsent),
    /// Measure the liveness checks on recordings of people and of attacks
    #[command(subcommand)]
    Pad(pad::Pad),
    Status(status::ShowStatus),
    Health(health::Health),
    Doctor(Box<doctor::Doctor>),
    /// Check settings, show them, print the commented defaults
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Say who may unlock the desk of the kiosk, by PIN or token
    #[command(subcommand)]
    Pin(pin::PinCommand),
    /// Install signed models and galleries, go back, say what is installed
    #[command(subcommand)]
    Update(Box<update::UpdateCommand>),
    /// Measure how long each stage takes on this device
    Bench(bench::Bench),
    /// Make recordings that stand in for a camera
    #[command(subcommand)]
    Replay(replay::Replay),
}

impl Usher {
    /// Does what was asked for.
    pub fn execute(&self) -> anyhow::Result<()> {
        match &self.command {
            Command::Enroll(enroll) => enroll.execute(),
            Command::Run(run) => run.execute(),
            Command::Gallery(gallery) => gallery.execute(),
            Command::Camera(camera) => camera.execute(),
            Command::Record(record) => record.execute(),
            Command::Consent(consent) => consent.execute(),
            Command::Pad(pad) => pad.execute(),
            Command::Status(status) => status.execute(),
            Command::Health(health) => health.execute(),
            Command::Doctor(doctor) => doctor.execute(),
            Command::Config(config) => config.execute(),
            Command::Pin(pin) => pin.execute(),
            Command::Update(update) => update.execute(),
            Command::Bench(bench) => bench.execute(),
            Command::Replay(replay) => replay.execute(),
        }
    }
}

/// What every command that looks at faces needs.
#[derive(Debug, Args)]
struct Eyes {
    /// Where frames come from: v4l:auto, v4l:/dev/videoN, v4l:by-path/NAME, or replay:DIR, a folder of pictures in
    /// counting order
    #[arg(long, value_name = "SOURCE")]
    camera: CameraSource,
    /// Frames per second of a replay [default: its timing.toml, else 10]
    #[arg(long, value_name = "RATE")]
    fps: Option<f64>,
    /// The model's manifest; its ONNX file lies beside it [default: the one that counts on the kiosk of --config]
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    model: Option<PathBuf>,
    /// The face detector [default: models/yunet.onnx, or without --model that of --config]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Which of the model's thresholds decides [default: the gallery's own, else greet]
    #[arg(long, value_name = "NAME")]
    operating_point: Option<String>,
    /// Settings over the defaults, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Width and height of the screen in pixels
    #[arg(long, value_name = "WxH", default_value = "800x480")]
    size: PixelSize,
}

impl Eyes {
    /// The networks that the options name, else those of the settings.
    fn pipeline(&self, config: &Config) -> anyhow::Result<Pipeline> {
        pipeline(
            &config.kiosk.detector(),
            &config.kiosk.model,
            config.kiosk.threads,
        )
    }

    /// The settings, with the options over them.
    fn config(&self) -> anyhow::Result<Config> {
        /// The detector of a checkout.
        const DETECTOR: &str = "models/yunet.onnx";
        let mut config = Config::read(self.config.as_deref())?;
        match &self.model {
            None => drop(counting_model(&mut config)?),
            Some(model) => {
                config.kiosk.model = model.clone();
                config.kiosk.detector = DETECTOR.into();
            }
        }
        if let Some(detector) = &self.detector {
            config.kiosk.detector = detector.clone();
        }
        Ok(config)
    }

    /// How the gallery is used next, with the same model.
    fn next(&self, gallery: &Path) -> String {
        let gallery = gallery.display();
        match (&self.model, &self.config) {
            (None, Some(config)) => {
                format!(
                    "usher run --gallery {gallery} --config {}",
                    config.display()
                )
            }
            (model, _) => format!(
                "usher run --gallery {gallery} --model {} --camera replay:DIR --screen png:DIR",
                model.as_deref().unwrap_or(Path::new("FILE")).display()
            ),
        }
    }

    fn screen(&self) -> anyhow::Result<Screen> {
        Ok(Screen::new(self.size.width, self.size.height)?)
    }
}

/// Which model, by its manifest or by the settings of the kiosk that it is of.
#[derive(Debug, Args)]
struct WhichModel {
    /// The model's manifest
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The kiosk's settings: in place of --model the model that counts there
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    config: Option<PathBuf>,
}

impl WhichModel {
    /// The manifest; none where neither option was given.
    fn manifest(&self) -> anyhow::Result<Option<ModelManifest>> {
        let path = match (&self.model, &self.config) {
            (Some(path), _) => path.clone(),
            (None, Some(config)) => {
                let mut config = Config::read(Some(config))?;
                counting_model(&mut config)?;
                config.kiosk.model
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(ModelManifest::read(&path)?))
    }

    /// The rarity of a stranger's being named that the model's thresholds are chosen by: that of the settings, else
    /// what a kiosk has that sets none.
    fn fpir(&self) -> anyhow::Result<f64> {
        Ok(Config::read(self.config.as_deref())?.recognition.fpir)
    }
}

/// Lets the installed model go before that of the settings, and says in words where the one that counts comes from.
fn counting_model(config: &mut Config) -> anyhow::Result<String> {
    Ok(match config.use_installed()? {
        Some(installed) => format!(
            "installed: {}, serial {}",
            installed.label.name(),
            installed.label.serial()
        ),
        None => config.kiosk.model.display().to_string(),
    })
}

fn detector(path: &Path) -> anyhow::Result<Detector> {
    Ok(Detector::load(path, DETECTOR_SIDE_PX)?)
}

/// Detector and embedder, run by so many threads.
fn pipeline(detector: &Path, model: &Path, threads: usize) -> anyhow::Result<Pipeline> {
    let crew = inference::crew(threads)?;
    let detector = Detector::load_for(detector, DETECTOR_SIDE_PX, &crew)?;
    let embedder = Embedder::load_for(model, &crew)?;
    tracing::debug!(model = %embedder.manifest().model_id(), "loaded");
    Ok(Pipeline::new(detector, embedder))
}

/// `WxH` on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PixelSize {
    width: u32,
    height: u32,
}

impl FromStr for PixelSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        match parts {
            Some((width, height))
                if (1..=8192).contains(&width) && (1..=8192).contains(&height) =>
            {
                Ok(Self { width, height })
            }
            _ => Err(format!(
                "expected WIDTHxHEIGHT in pixels, found \"{text}\"; write for example 1280x800"
            )),
        }
    }
}

/// `png:DIR` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PngTarget(PathBuf);

impl FromStr for PngTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("png", folder)) if !folder.is_empty() => Ok(Self(folder.into())),
            _ => Err(format!(
                "expected png:DIR, found \"{text}\"; write for example png:screens"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Usher::command().debug_assert();
    }

    #[test]
    fn sizes_and_screens() {
        assert_eq!(
            "1280x800".parse(),
            Ok(PixelSize {
                width: 1280,
                height: 800
            })
        );
        for text in ["", "1280", "x", "1280x", "0x480", "axb", "99999x800"] {
            assert!(text.parse::<PixelSize>().is_err(), "{text}");
        }
        assert_eq!("png:a:b".parse(), Ok(PngTarget("a:b".into())));
        assert!("drm:".parse::<PngTarget>().is_err());
    }
}
