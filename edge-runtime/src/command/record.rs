//! `usher record`: an operator keeps what a camera sees, to replay it later.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use crate::camera::pixel_format::Negotiated;
use crate::camera::recorder::{Announcement, Recorder, RecorderError};
use crate::camera::source::{Source, SourceError};
use crate::camera::watch::{PATIENCE, Sign, Watch, digest};
use crate::camera::{CameraSource, FrameFault, live_clock};
use crate::config::Config;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher record --camera v4l:auto --out recordings/visit --seconds 20 --operator \"front desk\"

The pictures show people: tell them before, keep the folder as you keep their photos, and delete it when it has served.
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
    /// Who records, and answers for it
    #[arg(long, value_name = "NAME", value_parser = who)]
    operator: String,
    /// Settings over the defaults, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn who(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err("expected a name; write for example --operator \"front desk\"".to_owned());
    }
    Ok(name.to_owned())
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
        let settings = Config::read(self.config.as_deref())?.camera;
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
            self.operator
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_answers_for_it() {
        assert_eq!(who(" front desk "), Ok("front desk".to_owned()));
        for text in ["", "  ", "a\nb"] {
            assert!(who(text).is_err());
        }
    }
}
