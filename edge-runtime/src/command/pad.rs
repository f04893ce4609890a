//! `usher pad report`: how often attacks pass the liveness checks and people fail them, on recordings.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde::Deserialize;
use shared::detector::Detector;

use crate::camera::Camera;
use crate::camera::replay::Replay;
use crate::kiosk::largest;
use crate::liveness::challenge::Challenge;
use crate::liveness::config::LivenessConfig;
use crate::liveness::guard::Need;
use crate::liveness::presentation::collection::{Collection, Group};
use crate::liveness::presentation::report::{Findings, Report, config_digest, refuse_existing};
use crate::liveness::presentation::{Presentation, Tally};
use crate::liveness::setup;

#[derive(Debug, Subcommand)]
pub(super) enum Pad {
    /// Measure APCER of each attack species, and BPCER, on recordings
    Report(PadReport),
}

#[derive(Debug, Args)]
#[command(after_help = "\
DIR holds bona-fide/<subject>/<recording>/ and attack/<species>/<recording>/, each recording a folder of pictures with
timing.toml, and challenge.toml if something was asked or shown while it was taken.

Example:
  usher pad report recordings/pad --config kiosk.toml --out report.json")]
pub(super) struct PadReport {
    /// The recordings
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The kiosk's settings; their liveness is what is measured
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Finds the faces
    #[arg(long, value_name = "FILE", default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// The file to write; it must not exist yet
    #[arg(long, value_name = "FILE", default_value = "report.json")]
    out: PathBuf,
    /// The error rate that the report has to be able to show: 3 / RATE presentations of each kind are needed
    #[arg(long, value_name = "RATE", default_value_t = 0.1, value_parser = rate)]
    rate: f64,
    /// Print the report itself instead of a table
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 0.5 => Ok(rate),
        _ => Err("expected a rate above 0, at most 0.5; write for example 0.05".to_owned()),
    }
}

/// The one section that is measured; the others are the kiosk's.
#[derive(Deserialize)]
struct OnlyLiveness {
    #[serde(default)]
    liveness: LivenessConfig,
}

impl Pad {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let Self::Report(report) = self;
        report.execute()
    }
}

impl PadReport {
    fn execute(&self) -> anyhow::Result<()> {
        let config = self.liveness()?;
        refuse_existing(&self.out)?;
        let base = self.config.parent().unwrap_or(Path::new(""));
        let collection = Collection::open(&self.folder)?;
        collection.check(self.rate)?;
        let mut bench = Bench {
            detector: super::detector(&self.detector)?,
            config: &config,
            base,
            done: 0,
            total: recordings(&collection.subjects) + recordings(&collection.species),
        };
        let mut bona_fide = Tally::default();
        for subject in &collection.subjects {
            bench.present(subject, &mut bona_fide)?;
        }
        let mut species = Vec::new();
        for attack in &collection.species {
            let mut tally = Tally::default();
            bench.present(attack, &mut tally)?;
            species.push((attack.name.clone(), tally));
        }
        let report = Report::of(Findings {
            config: &config,
            config_sha256: config_digest(&config, base)?,
            data_sha256: collection.digest(&self.folder)?,
            rate_asked: self.rate,
            subjects: collection.subjects.len() as u64,
            bona_fide,
            species,
        });
        let Some(report) = report else {
            bail!("expected presentations of people and of attacks, found none; record some");
        };
        report.write(&self.out)?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&report)?),
            false => {
                println!("{}", report.text());
                println!();
                println!("{}", self.out.display());
                println!(
                    "next: put report = {:?} under [liveness] in {}",
                    self.out,
                    self.config.display()
                );
            }
        }
        Ok(())
    }

    fn liveness(&self) -> anyhow::Result<LivenessConfig> {
        let name = self.config.display();
        let text = std::fs::read_to_string(&self.config)
            .with_context(|| format!("expected the kiosk's settings at {name}; check the path"))?;
        let OnlyLiveness { liveness } = toml::from_str(&text).map_err(|error| {
            let reason = error.message().trim().replace('\n', " ");
            anyhow::anyhow!("expected settings in {name}, found: {reason}; correct the file")
        })?;
        liveness.check().map_err(|reason| {
            anyhow::anyhow!("expected settings in {name}, found: {reason}; correct the file")
        })?;
        let off = |check: &setup::CheckStatus| check.need == Need::Off;
        if setup::status(&liveness).iter().all(off) {
            bail!(
                "expected a liveness check that is on in {name}, found all off; set need = \"required\" under \
                 [liveness.flash] or another"
            );
        }
        Ok(liveness)
    }
}

/// Shows recordings to a fresh guard, one by one.
struct Bench<'a> {
    detector: Detector,
    config: &'a LivenessConfig,
    base: &'a Path,
    done: usize,
    total: usize,
}

impl Bench<'_> {
    fn present(&mut self, group: &Group, tally: &mut Tally) -> anyhow::Result<()> {
        for recording in &group.recordings {
            let challenge = Challenge::read(recording)?;
            let guard = setup::guard_of_recording(self.config, self.base, &challenge)
                .with_context(|| format!("cannot judge {}", recording.display()))?;
            let mut presentation = Presentation::new(guard);
            let mut replay = Replay::open(recording, None)?;
            while let Some(captured) = replay.next_frame()? {
                let faces = self.detector.detect(&captured.frame)?;
                if presentation.step(captured.at, &captured.frame, largest(&faces)) {
                    break;
                }
            }
            tally.add(presentation.outcome());
            self.done += 1;
            if std::io::stderr().is_terminal() {
                eprint!("\r{} of {} recordings", self.done, self.total);
            }
        }
        if std::io::stderr().is_terminal() && self.done == self.total {
            eprintln!();
        }
        Ok(())
    }
}

fn recordings(groups: &[Group]) -> usize {
    groups.iter().map(|group| group.recordings.len()).sum()
}
