//! The slot for a network that tells faces from pictures of faces (MiniFASNet and its like).
//!
//! No such network is shipped: none that may be shipped has a report of ours. One is put in by its manifest
//! ([`manifest`]) and its ONNX file; several, each with a crop of its own, make an ensemble whose probabilities are
//! averaged, as the authors of MiniFASNet do with the crops 2.7 and 4.0.
//!
//! What it cannot tell by itself: anything. Such networks learn the cameras, printers and displays of their training
//! set; what one is worth on this kiosk, `usher pad report` has to say.

pub mod manifest;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::frame::Frame;
use shared::geometry::Rect;
use shared::inference::OnnxModel;
use shared::model_id::sha256_hex;
use shared::preprocessing::ColorOrder;
use shared::resize::{Filter, Part, Resizer};

use super::guard::Need;
use super::{Check, CheckKind, Finding, LivenessError, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;
use manifest::{NetInput, NetManifest};

/// Settings of the network slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetRules {
    /// Manifests of the networks, one for each crop, relative to the settings' folder; at most 8.
    pub manifests: Vec<PathBuf>,
}

impl NetRules {
    /// The first setting that makes no sense, in words; `at` is where the settings stand.
    pub(super) fn check(&self, at: &str, need: Need) -> Result<(), String> {
        let count = self.manifests.len();
        let least = usize::from(need != Need::Off);
        match (least..=8).contains(&count) {
            true => Ok(()),
            false => Err(format!(
                "{at}.manifests has {count} files, which is not from {least} to 8"
            )),
        }
    }
}

/// One network and how to feed it.
struct Net {
    manifest: NetManifest,
    model: OnnxModel,
    resizer: Resizer,
}

/// The check by one or more networks.
pub struct NetCheck {
    nets: Vec<Net>,
    /// Mean probability of each frame looked at.
    probabilities: Vec<f32>,
}

impl NetCheck {
    /// Loads the networks of these manifests; relative ones are looked for in `folder`.
    ///
    /// # Errors
    /// [`LivenessError`], naming manifest and reason.
    pub fn load(rules: &NetRules, folder: &Path) -> Result<NetCheck, LivenessError> {
        let nets = rules
            .manifests
            .iter()
            .map(|path| Net::load(&folder.join(path)));
        Ok(NetCheck {
            nets: nets.collect::<Result<_, _>>()?,
            probabilities: Vec::new(),
        })
    }

    /// The manifests of the networks, for the status.
    pub fn manifests(&self) -> impl Iterator<Item = &NetManifest> {
        self.nets.iter().map(|net| &net.manifest)
    }

    fn frames(&self) -> usize {
        let frames = self.nets.iter().map(|net| net.manifest.decision.frames);
        frames.max().unwrap_or(1)
    }

    /// Mean threshold: with one network its own.
    fn threshold(&self) -> f32 {
        let sum: f32 = self
            .nets
            .iter()
            .map(|net| net.manifest.decision.threshold)
            .sum();
        sum / self.nets.len().max(1) as f32
    }
}

impl Net {
    fn load(path: &Path) -> Result<Net, LivenessError> {
        let manifest = NetManifest::read(path)?;
        let beside = |file: &str, what: &'static str| {
            let file = path.with_file_name(file);
            std::fs::read(&file).map_err(|source| LivenessError::Read {
                what,
                path: file,
                source,
            })
        };
        let same = |expected: &str, bytes: &[u8]| {
            let found = sha256_hex(bytes);
            match found == expected {
                true => Ok(()),
                false => Err(LivenessError::Digest {
                    path: path.to_owned(),
                    expected: expected.to_owned(),
                    found,
                }),
            }
        };
        if let Some(report) = &manifest.report {
            same(
                &report.sha256,
                &beside(&report.file, "a liveness network's report")?,
            )?;
        }
        let bytes = beside(&manifest.onnx, "a liveness network")?;
        same(&manifest.sha256, &bytes)?;
        let refuse = |reason: String| LivenessError::Network {
            path: path.to_owned(),
            reason,
        };
        let side = manifest.input.side_px as usize;
        let model = OnnxModel::load(&bytes, &[1, 3, side, side])
            .map_err(|error| refuse(error.to_string()))?;
        match model.outputs() {
            [only] if only.shape.iter().product::<usize>() == manifest.output.classes => {}
            outputs => {
                let shapes: Vec<_> = outputs.iter().map(|output| &output.shape).collect();
                return Err(refuse(format!(
                    "outputs {shapes:?} where output.classes = {}",
                    manifest.output.classes
                )));
            }
        }
        Ok(Net {
            manifest,
            model,
            resizer: Resizer::default(),
        })
    }

    /// Probability of live, 0 to 1; none when the network fails or says no number.
    fn probability(&mut self, frame: &Frame, bounds: &Rect) -> Option<f32> {
        let input = planes(&mut self.resizer, frame, bounds, &self.manifest.input)?;
        let outputs = self.model.run(&input).ok()?;
        let row = outputs.first()?;
        let output = &self.manifest.output;
        let live = *row.get(output.live_class)?;
        let probability = match output.softmax {
            false => live,
            true => 1.0 / row.iter().map(|other| (other - live).exp()).sum::<f32>(),
        };
        (0.0..=1.0).contains(&probability).then_some(probability)
    }
}

/// The crop of a face as MiniFASNet's authors take it: the box, scaled about its middle as far as the frame allows, and
/// moved inside; left, top, width, height in pixels. None when the box lies wholly outside or is empty.
fn crop(bounds: &Rect, scale: f32, frame: (u32, u32)) -> Option<[f64; 4]> {
    let (width, height) = (frame.0 as f32, frame.1 as f32);
    let finite = [bounds.left, bounds.top, bounds.width, bounds.height]
        .iter()
        .all(|value| value.is_finite());
    let outside = bounds.right() <= 0.0
        || bounds.bottom() <= 0.0
        || bounds.left >= width
        || bounds.top >= height;
    if !finite || outside || bounds.width < 1.0 || bounds.height < 1.0 {
        return None;
    }
    let scale = scale.min(width / bounds.width).min(height / bounds.height);
    let size = (bounds.width * scale, bounds.height * scale);
    let middle = bounds.center();
    let inside = |middle: f32, size: f32, most: f32| {
        (middle - size / 2.0).clamp(0.0, (most - size).max(0.0))
    };
    Some([
        f64::from(inside(middle.x, size.0, width)),
        f64::from(inside(middle.y, size.1, height)),
        f64::from(size.0.min(width)),
        f64::from(size.1.min(height)),
    ])
}

/// The network's input: the crop scaled to side x side, planar.
///
/// Scaled by area-aware bilinear filtering, where the authors' bilinear skips pixels: for large faces that is smoother.
fn planes(
    resizer: &mut Resizer,
    frame: &Frame,
    bounds: &Rect,
    input: &NetInput,
) -> Option<Vec<f32>> {
    let size = (frame.width_px(), frame.height_px());
    let [left, top, width, height] = crop(bounds, input.crop_scale, size)?;
    let part = Part {
        left,
        top,
        width,
        height,
    };
    let side = input.side_px;
    let mut pixels = vec![0; 3 * side as usize * side as usize];
    resizer
        .part(frame, part, (side, side), Filter::Bilinear, &mut pixels)
        .ok()?;
    let channels = match input.color_order {
        ColorOrder::Rgb => [0, 1, 2],
        ColorOrder::Bgr => [2, 1, 0],
    };
    let plane = |channel: usize| {
        pixels
            .chunks_exact(3)
            .map(move |pixel| (f32::from(pixel[channel]) - input.mean) * input.scale)
    };
    Some(channels.into_iter().flat_map(plane).collect())
}

/// 0.5 at the threshold, straight to 0 and 1 on either side.
fn score(probability: f32, threshold: f32) -> f32 {
    match probability >= threshold {
        true => 0.5 + 0.5 * (probability - threshold) / (1.0 - threshold),
        false => 0.5 * probability / threshold,
    }
}

impl Check for NetCheck {
    fn kind(&self) -> CheckKind {
        CheckKind::Net
    }

    fn begin(&mut self, _now: Timestamp) {
        self.probabilities.clear();
    }

    fn look(&mut self, _now: Timestamp, look: &Look<'_>) -> Finding {
        let mut sum = 0.0;
        for net in &mut self.nets {
            let Some(probability) = net.probability(look.frame, &look.detection.bounds) else {
                return Finding::settled(Progress::Inconclusive(Reason::NetFailed));
            };
            sum += probability;
        }
        self.probabilities.push(sum / self.nets.len().max(1) as f32);
        if self.probabilities.len() < self.frames() {
            return Finding::waiting(Prompt::HoldStill);
        }
        let mean = self.probabilities.iter().sum::<f32>() / self.probabilities.len() as f32;
        let passed = !self.nets.is_empty() && mean >= self.threshold();
        Finding {
            progress: match passed {
                true => Progress::Passed,
                false => Progress::Failed(Reason::Picture),
            },
            score: Some(score(mean, self.threshold())),
            prompt: Prompt::HoldStill,
        }
    }
}

#[cfg(test)]
mod tests;
