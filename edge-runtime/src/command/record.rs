//! `usher record`: an operator keeps what a camera sees, to replay it later.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::camera::pixel_format::Negotiated;
use crate::camera::recorder::{Announcement, Recorder, RecorderError};
use crate::camera::source::{Source, SourceError};
use crate::camera::watch::{PATIENCE, Sign, Watch, digest};
use crate::camera::{CameraSource, FrameFault, live_clock};
use crate::config::Config;
use crate::desk::pin::Gate;
use crate::desk::pin::operators::Operators;
use crate::desk::pin::uptime::Uptime;
use crate::desk::view::PinRefusal;

use super::pin::asked_once;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher record --camera v4l:auto --out recordings/visit --seconds 20 --operators operators.toml

Only an operator may record: the PIN or token of one is asked for (usher pin set), and wrong tries count as at the
kiosk's desk. The pictures show people: tell them before, keep the folder as you keep their photos, and delete it when it has served.
It is its owner's alone (mode 700). Ctrl-C ends the recording and keeps it.")]
pub(super) struct Record {
    /// Which camera: v4l:auto, v4l:/dev/videoN, v4l:by-path/NAME
    #[arg(long, value_name = "SOURCE")]
    camera: CameraSource,
    /// The folder to make; nothing is written over
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How long
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// The file of operators that usher pin writes; default: desk.pin_file of the settings
    #[arg(long, value_name = "FILE")]
    operators: Option<PathBuf>,
    /// Read the operator's PIN or token from the first line of standard input
    #[arg(long)]
    stdin: bool,
    /// Settings over the defaults, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    faulty: u64,
    /// Why it ended early, if it did.
    broken: Option<SourceError>,
}

impl Record {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let config = Config::read(self.config.as_deref())?;
        let operator = self.operator(&config)?;
        let settings = config.camera;
        let clock = live_clock();
        // The folder first: a camera is not switched on for a recording that cannot be kept.
        let mut recorder = Recorder::create(&self.out)?;
        let mut opener = self.camera.opener(None, &settings, &clock)?;
        let mut source = opener.open()?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop))
                .context("expected to hear of Ctrl-C; run again")?;
        }
        let announcement = Announcement::place().map(Announcement::raise);
        if !matches!(announcement, Some(Ok(_))) {
            eprintln!("no kiosk's screen can tell that this is recorded: tell people yourself");
        }
        eprintln!(
            "RECORDING {} from {} for {} s, by {}; Ctrl-C ends it",
            source.negotiated(),
            self.camera,
            self.seconds,
            operator
        );
        let outcome = self.record(source.as_mut(), &mut recorder, &stop)?;
        drop(source);
        drop(announcement);
        if recorder.frames() == 0 {
            return Err(match outcome.broken {
                Some(error) => error.into(),
                None => anyhow::anyhow!(
                    "expected frames from {}, found none that is sound; run usher camera watch",
                    self.camera
                ),
            });
        }
        let frames = recorder.finish()?;
        if let Some(error) = outcome.broken.filter(|error| !is_end(error)) {
            eprintln!("ended early: {error}");
        }
        println!(
            "{frames} frames in {}{}",
            self.out.display(),
            match outcome.faulty {
                0 => String::new(),
                faulty => format!(", {faulty} faulty ones left out"),
            }
        );
        println!(
            "next: usher run --camera replay:{} --screen png:DIR --gallery FILE --model FILE",
            self.out.display()
        );
        Ok(())
    }

    /// Who records, and answers for it: whose PIN or token it is.
    fn operator(&self, config: &Config) -> anyhow::Result<String> {
        let path = self.operators.as_ref().unwrap_or(&config.desk.pin_file);
        let gate = Gate::open(path, &Uptime::now())?;
        Operators::read(path)?;
        let secret = asked_once(self.stdin)?;
        match gate.verify(&Uptime::now(), &secret)? {
            Ok(name) => Ok(name),
            Err(PinRefusal::Wrong { .. }) => bail!(
                "expected an operator's PIN or token, found another; try again, or run usher pin set NAME"
            ),
            Err(PinRefusal::Wait { left }) => bail!(
                "expected fewer wrong PINs, found too many; wait for {} s or run usher pin clear",
                left.as_secs() + 1
            ),
        }
    }

    fn record(
        &self,
        source: &mut dyn Source,
        recorder: &mut Recorder,
        stop: &AtomicBool,
    ) -> Result<Outcome, RecorderError> {
        let negotiated: Negotiated = source.negotiated().clone();
        let clock = live_clock();
        let mut watch = Watch::new(
            clock(),
            negotiated.frames_per_second,
            Duration::from_secs(3),
            negotiated.may_repeat,
            None,
        );
        let (mut bytes, mut outcome) = (Vec::new(), Outcome::default());
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(self.seconds) && !stop.load(Ordering::Relaxed) {
            let arrived = match source.next(PATIENCE, &mut bytes) {
                Ok(Some(arrived)) => arrived,
                Ok(None) => continue,
                Err(error) => {
                    outcome.broken = Some(error);
                    break;
                }
            };
            let sign = Sign {
                sequence: arrived.sequence,
                taken: arrived.taken,
                digest: digest(&bytes),
            };
            let at = match watch.arrived(clock(), sign) {
                // Nothing is decided here: a frame that took long is kept with the time it was taken.
                Err(FrameFault::Late) => Ok(arrived.taken.unwrap_or_else(&*clock)),
                other => other,
            };
            let added = match at {
                Ok(at) if !arrived.damaged => recorder.add(&negotiated, &bytes, at),
                _ => {
                    outcome.faulty += 1;
                    continue;
                }
            };
            match added {
                Ok(()) => {}
                Err(RecorderError::Frame(fault)) => {
                    tracing::debug!(%fault, "a faulty frame was left out");
                    outcome.faulty += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }
}

fn is_end(error: &SourceError) -> bool {
    matches!(error, SourceError::Ended { .. })
}
