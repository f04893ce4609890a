//! `usher run`: the kiosk at work, live on its threads or frame by frame over a recording.

mod opening;
mod replayed;

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use embedded_graphics::prelude::Size;
use serde::Serialize;
use shared::gallery::options::KeyOptions;

use super::sealing::Held;
use super::{self as command, PixelSize};
use crate::camera::CameraSource;
use crate::config::Config;
use crate::desk::consent;
use crate::latency::Summary;
use crate::live::{self, Plan};
use crate::metrics::process::Process;
use crate::screen::target::ScreenTarget;
use opening::Opening;
use replayed::Replayed;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher run --config /etc/usher/kiosk.toml
  usher run --camera v4l:auto --screen window --gallery people.gallery --model models/usher-small.toml \\
    --detector models/yunet.onnx
  usher run --camera replay:recordings/visit --screen png:screens --gallery people.gallery \\
    --model models/usher-small.toml --detector models/yunet.onnx --events events.jsonl --size 1280x800

Options go before the settings. Events are JSON lines on standard output, or in a file. A recording with png: is gone
through frame by frame and always gives the same run: each change of the screen becomes a PNG file whose name begins
with the number of its frame. Everything else is live, a recording in its own time, until it is told to stop.")]
pub(super) struct Run {
    /// The kiosk's settings, TOML; usher config show --default prints them all
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where frames come from: v4l:auto, v4l:/dev/videoN, v4l:by-path/NAME, or replay:DIR [default: kiosk.camera]
    #[arg(long, value_name = "SOURCE")]
    camera: Option<CameraSource>,
    /// Frames per second of a replay [default: its timing.toml, else 10]
    #[arg(long, value_name = "RATE")]
    fps: Option<f64>,
    /// Whether a recording keeps its own time
    #[arg(long, value_name = "PACE")]
    pace: Option<Pace>,
    /// The model's manifest; its ONNX file lies beside it [default: the one that
    /// usher update installed, else kiosk.model]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The face detector [default: kiosk.detector]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// Which of the model's thresholds decides [default: recognition.operating_point, else the gallery's own, else the
    /// one that keeps to recognition.fpir]
    #[arg(long, value_name = "NAME")]
    operating_point: Option<String>,
    /// The gallery's file [default: kiosk.gallery]
    #[arg(long, value_name = "FILE")]
    gallery: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyOptions,
    /// Where the screen is: drm, drm:DEVICE, fb:DEVICE, window, png:DIR or none [default: screen.backend]
    #[arg(long, value_name = "TARGET")]
    screen: Option<ScreenTarget>,
    /// Width and height of the screen in pixels [default: screen.size, else the panel's, else 800x480]
    #[arg(long, value_name = "WxH")]
    size: Option<PixelSize>,
    /// Add events to this file instead of printing them [default: events.path]
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Draw each Nth frame of a recording too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
    /// At the end print times and memory as a line of JSON
    #[arg(long)]
    report: bool,
}

/// Whether a recording keeps its own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pace {
    /// Each frame when it was taken.
    Real,
    /// As fast as it goes, frame by frame; the screen has to be png:DIR.
    Fast,
}

/// What `--report` prints.
#[derive(Serialize)]
struct Report {
    stages: Summary,
    resident_mib: f64,
    first_frame_drawn_ms: Option<f64>,
}

impl Run {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut config = Config::read(self.config.as_deref())?;
        let source = match &self.model {
            None => command::counting_model(&mut config)?,
            Some(path) => path.display().to_string(),
        };
        self.over(&mut config);
        let target = config.screen.backend.clone();
        let is_replay = matches!(config.kiosk.camera, CameraSource::Replay(_));
        match (&target, self.pace) {
            (ScreenTarget::Png(folder), None | Some(Pace::Fast)) if is_replay => Replayed {
                opening: self.opening(&config),
                camera: config.kiosk.camera.clone(),
                fps: self.fps,
                folder: folder.clone(),
                every: self.every,
            }
            .run(&config),
            (_, Some(Pace::Fast)) => anyhow::bail!(
                "expected --pace fast with a recording and --screen png:DIR, found --camera {} and --screen {target}; leave \
                 --pace out",
                config.kiosk.camera
            ),
            _ => self.live(config, source, began),
        }
    }

    fn live(&self, config: Config, source: String, began: Instant) -> anyhow::Result<()> {
        if self.config.is_some() {
            crate::log::to_file(&config.log)?;
        }
        let opening = self.opening(&config);
        let consent_text = match &config.desk.consent_text {
            Some(path) => consent::read(path)?,
            None => consent::STANDARD.to_owned(),
        };
        let agreed = consent_text.clone();
        let report = live::run(Plan {
            camera: config.kiosk.camera.clone(),
            replay_rate: self.fps,
            target: config.screen.backend.clone(),
            size: config.screen.pixel_size(),
            consent_text,
            open: Box::new(move |config| opening.live(config, agreed, source)),
            began,
            config,
        })?;
        eprintln!("{}", report.latencies);
        if self.report {
            let resident = Process::now().resident_bytes.unwrap_or_default();
            let told = Report {
                stages: report.latencies.summary(),
                resident_mib: resident as f64 / f64::from(1 << 20),
                first_frame_drawn_ms: report.first_drawn.map(|time| time.as_secs_f64() * 1000.0),
            };
            println!("{}", serde_json::to_string(&told)?);
        }
        Ok(())
    }

    /// Puts the options over the settings.
    fn over(&self, config: &mut Config) {
        let parts = &mut config.kiosk;
        if let Some(camera) = &self.camera {
            parts.camera = camera.clone();
        }
        for (option, setting) in [
            (&self.model, &mut parts.model),
            (&self.detector, &mut parts.detector),
            (&self.gallery, &mut parts.gallery),
            (&self.events, &mut config.events.path),
        ] {
            if let Some(path) = option {
                *setting = path.clone();
            }
        }
        if let Some(screen) = &self.screen {
            config.screen.backend = screen.clone();
        }
        if let Some(size) = &self.size {
            config.screen.size = Some(format!("{}x{}", size.width, size.height));
        }
    }

    fn opening(&self, config: &Config) -> Opening {
        Opening {
            held: Held {
                gallery: config.kiosk.gallery.clone(),
                keys: self.keys.clone(),
            },
            operating_point: self.operating_point.clone(),
            // Relative paths of the settings are looked for beside them.
            folder: self
                .config
                .as_deref()
                .and_then(|path| path.parent())
                .map_or_else(PathBuf::new, PathBuf::from),
        }
    }
}

/// The size asked for, or the one of a screen that nobody asked about.
fn canvas_size(config: &Config) -> Size {
    config
        .screen
        .pixel_size()
        .unwrap_or(crate::screen::target::DEFAULT_SIZE)
}
