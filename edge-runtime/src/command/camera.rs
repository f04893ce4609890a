//! `usher camera`: which cameras there are, what they can do, and whether they do it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::camera::device;
use crate::camera::feed::{Counts, Feed, FeedState};
use crate::camera::probe::DeviceFound;
use crate::camera::settings::CameraSettings;
use crate::camera::{CameraSource, Captured, FAULT_KINDS, live_clock, v4l};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum CameraCommand {
    /// List cameras, formats, sizes, rates and controls, and what usher would take
    Probe(Probe),
    /// Watch a camera for a while: how many frames come, and what goes wrong
    Watch(Watch),
    /// Set a control of a device by its number
    #[command(hide = true)]
    Control(SetControl),
}

impl CameraCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        match self {
            Self::Probe(probe) => probe.execute(),
            Self::Watch(watch) => watch.execute(),
            Self::Control(control) => {
                Ok(v4l::set_control(&control.node, control.id, control.value)?)
            }
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher camera probe
  usher camera probe --json | jq '.devices[].choice'

Each camera can be named by its node (v4l:/dev/video0), by where it is plugged in (v4l:by-path/...), or as the first
that gives pictures (v4l:auto). Exit status 1: there is no camera that can be used.")]
pub(super) struct Probe {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Settings over the defaults, TOML; its section camera says what is wanted
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What was found at all nodes.
#[derive(Serialize)]
struct Found {
    devices: Vec<DeviceFound>,
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    node: String,
    problem: String,
}

fn settings(config: Option<&Path>) -> anyhow::Result<CameraSettings> {
    Ok(Config::read(config)?.camera)
}

impl Probe {
    fn execute(&self) -> anyhow::Result<()> {
        let settings = settings(self.config.as_deref())?;
        let mut found = Found {
            devices: Vec::new(),
            failed: Vec::new(),
        };
        for node in device::nodes() {
            match v4l::look(&node, &settings) {
                Ok(device) => found.devices.push(device),
                Err(error) => found.failed.push(Failed {
                    node: node.display().to_string(),
                    problem: error.to_string(),
                }),
            }
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&found)?);
        } else {
            for device in &found.devices {
                println!("{device}");
            }
            for failed in &found.failed {
                println!("{}  {}", failed.node, failed.problem);
            }
        }
        let usable = found.devices.iter().find(|device| device.choice.is_some());
        match usable {
            Some(device) => {
                if !self.json {
                    println!("next: usher camera watch --camera v4l:{}", device.node);
                }
                Ok(())
            }
            None if found.devices.is_empty() && found.failed.is_empty() => {
                anyhow::bail!(
                    "expected a camera at /dev/video*, found none; plug one in, or load its driver (modprobe uvcvideo)"
                )
            }
            None => anyhow::bail!(
                "expected a camera that can be used, found none of {}; see above for each",
                found.devices.len() + found.failed.len()
            ),
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher camera watch --camera v4l:auto --seconds 10

Prints a line for each change of state and one at the end, as JSON. No picture is kept.")]
pub(super) struct Watch {
    /// Which camera: v4l:auto, v4l:/dev/videoN, v4l:by-path/NAME, or replay:DIR in real time
    #[arg(long, value_name = "SOURCE", default_value = "v4l:auto")]
    camera: CameraSource,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Settings over the defaults, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SetControl {
    /// The node, as /dev/video0
    node: PathBuf,
    /// The control's number
    #[arg(value_parser = number)]
    id: u32,
    /// Its new value; none for a button
    value: Option<i64>,
}

/// A number, decimal or hexadecimal after `0x`.
fn number(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| {
        format!("expected a number, found \"{text}\" ({error}); write for example 0x980900")
    })
}

/// A change of state.
#[derive(Serialize)]
struct Change<'a> {
    /// On the machine's monotonic clock.
    at_ms: u64,
    state: &'a str,
    taken: Option<String>,
    cause: Option<&'a str>,
    remedy: Option<&'a str>,
    /// How long no sound frame came before this recovery.
    outage_ms: Option<u64>,
}

/// What was counted.
#[derive(Serialize)]
struct Summary {
    seconds: u64,
    frames_per_second: f64,
    sound: u64,
    decoded: u64,
    missed_by_driver: u64,
    stale: u64,
    opened: u64,
    recovered: u64,
    longest_outage_ms: u64,
    faulty: std::collections::BTreeMap<&'static str, u64>,
    /// Width and height of the last frame, upright.
    size: Option<(u32, u32)>,
    /// Mean red, green and blue of the last frame.
    mean_rgb: Option<[u8; 3]>,
    /// Time from taking a frame to having it decoded, median, in milliseconds.
    age_ms: Option<u64>,
}

impl Watch {
    fn execute(&self) -> anyhow::Result<()> {
        let settings = settings(self.config.as_deref())?;
        let clock = live_clock();
        let feed = self.camera.feed(None, &settings, clock.clone())?;
        let begin = Instant::now();
        let mut state = None;
        let mut last: Option<std::sync::Arc<Captured>> = None;
        let mut ages = Vec::new();
        let (mut recovered, mut longest) = (0, 0);
        while begin.elapsed() < Duration::from_secs(self.seconds) {
            let than = last.as_ref().map(|last| last.number);
            if let Some(captured) = feed.wait_newer(than, Duration::from_millis(50)) {
                ages.push(clock().since(captured.at).as_millis() as u64);
                last = Some(captured);
            }
            let counts = feed.counts();
            let outage_ms = (counts.recovered > recovered).then_some(counts.last_outage_ms);
            recovered = counts.recovered;
            longest = longest.max(outage_ms.unwrap_or(0));
            let status = feed.status();
            if state.as_ref() != Some(&status.state) {
                print_change(clock().millis(), &status.state, &feed, outage_ms)?;
                state = Some(status.state);
            }
            if state == Some(FeedState::Ended) {
                break;
            }
        }
        let elapsed = begin.elapsed().as_secs_f64();
        ages.sort_unstable();
        let summary = summary(&feed.counts(), elapsed, last.as_deref(), longest, &ages);
        println!("{}", serde_json::to_string(&summary)?);
        feed.stop();
        anyhow::ensure!(
            summary.decoded > 0,
            "expected frames from {}, found none in {} s; see the states above",
            self.camera,
            self.seconds
        );
        Ok(())
    }
}

fn print_change(
    at_ms: u64,
    state: &FeedState,
    feed: &Feed,
    outage_ms: Option<u64>,
) -> anyhow::Result<()> {
    let fault = state.fault();
    let change = Change {
        at_ms,
        state: state.word(),
        taken: feed.status().negotiated.map(|taken| taken.to_string()),
        cause: fault.map(|fault| fault.cause.as_str()),
        remedy: fault.map(|fault| fault.remedy.as_str()),
        outage_ms,
    };
    println!("{}", serde_json::to_string(&change)?);
    Ok(())
}

fn summary(
    counts: &Counts,
    elapsed: f64,
    last: Option<&Captured>,
    longest_outage_ms: u64,
    ages: &[u64],
) -> Summary {
    let faulty = FAULT_KINDS.into_iter().zip(counts.faulty);
    Summary {
        seconds: elapsed as u64,
        frames_per_second: (counts.sound as f64 / elapsed * 10.0).round() / 10.0,
        sound: counts.sound,
        decoded: counts.taken,
        missed_by_driver: counts.missed,
        stale: counts.stale,
        opened: counts.opened,
        recovered: counts.recovered,
        longest_outage_ms,
        faulty: faulty.filter(|(_, count)| *count > 0).collect(),
        size: last.map(|last| (last.frame.width_px(), last.frame.height_px())),
        mean_rgb: last.map(|last| mean(last.frame.rgb())),
        age_ms: ages.get(ages.len() / 2).copied(),
    }
}

fn mean(rgb: &[u8]) -> [u8; 3] {
    std::array::from_fn(|channel| {
        let values = rgb.iter().skip(channel).step_by(3);
        let sum: u64 = values.map(|value| u64::from(*value)).sum();
        (sum / (rgb.len() as u64 / 3).max(1)) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_controls() {
        assert_eq!(number("0xf0f041"), Ok(0x00f0_f041));
        assert_eq!(number("9963776"), Ok(9_963_776));
        assert!(number("exposure").is_err());
    }

    #[test]
    fn mean_colors() {
        assert_eq!(mean(&[10, 20, 30, 20, 40, 60]), [15, 30, 45]);
        assert_eq!(mean(&[]), [0, 0, 0]);
    }
}
