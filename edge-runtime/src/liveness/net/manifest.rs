//! The TOML contract beside a liveness network's ONNX file.
//!
//! ```toml
//! format = 1
//! name = "minifasnet-v2"            # what reports call it
//! onnx = "minifasnet-v2.onnx"       # beside this file
//! sha256 = "64 hex digits"          # of the ONNX file
//! licence = "Apache-2.0"            # terms of the weights
//!
//! [input]                           # f32 [1, 3, side, side], value = (byte - mean) * scale
//! side_px = 80
//! crop_scale = 2.7                  # of the face's box, around its middle; MiniFASNet has nets for 2.7 and for 4.0
//! color_order = "bgr"
//! mean = 0.0
//! scale = 1.0
//!
//! [output]                          # f32 [1, classes]
//! classes = 3
//! live_class = 1                    # counted from 0
//! softmax = true                    # false: the network's output is probabilities already
//!
//! [decision]
//! threshold = 0.6                   # least mean probability of live
//! frames = 8                        # over so many frames
//!
//! [report]                          # the evidence; without it nothing may be claimed
//! file = "report.json"              # of usher pad report, beside this file
//! sha256 = "64 hex digits"
//! ```
//!
//! A network trained by us later is exported to ONNX with such a file beside it; nothing here needs to change.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::preprocessing::{ColorOrder, SIDE_RANGE_PX};

use super::super::LivenessError;

/// The format that this build reads.
pub const FORMAT: u32 = 1;

/// Longest manifest, in bytes.
const MOST_BYTES: u64 = 64 << 10;

/// What has to be known of a liveness network to run it and to believe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetManifest {
    /// [`FORMAT`].
    pub format: u32,
    /// What it is called.
    pub name: String,
    /// File name of the ONNX file, which lies beside the manifest.
    pub onnx: String,
    /// SHA-256 of the ONNX file, 64 lower-case hex digits.
    pub sha256: String,
    /// Terms under which the weights may be used.
    pub licence: String,
    /// How the face is cut and becomes numbers.
    pub input: NetInput,
    /// Which number says live.
    pub output: NetOutput,
    /// From when on it passes.
    pub decision: NetDecision,
    /// The report that speaks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportReference>,
}

/// How the face is cut and becomes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetInput {
    /// Width and height of the input in pixels, 16 to 1024.
    pub side_px: u32,
    /// Width and height of the crop over those of the face's box, 0.5 to 8.
    pub crop_scale: f32,
    /// Which plane comes first.
    pub color_order: ColorOrder,
    /// Subtracted from each byte.
    pub mean: f32,
    /// Multiplied with the difference; not zero.
    pub scale: f32,
}

/// Which number says live.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetOutput {
    /// How many classes, 2 to 16.
    pub classes: usize,
    /// Which of them is live, from 0.
    pub live_class: usize,
    /// Whether the output still has to become probabilities.
    pub softmax: bool,
}

/// From when on it passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetDecision {
    /// Least mean probability of live, above 0 and below 1.
    pub threshold: f32,
    /// Frames that the mean is taken over, 1 to 100.
    pub frames: usize,
}

/// A report of `usher pad report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportReference {
    /// File name, beside the manifest.
    pub file: String,
    /// Its SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

impl NetManifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`LivenessError`], naming the file and the field.
    pub fn read(path: &Path) -> Result<NetManifest, LivenessError> {
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text))
            .map_err(|source| LivenessError::Read {
                what: "a liveness manifest",
                path: path.to_owned(),
                source,
            })?;
        let wrong = |reason: String| LivenessError::Manifest {
            path: path.to_owned(),
            reason,
        };
        let manifest: NetManifest = toml::from_str(&text)
            .map_err(|error| wrong(error.message().trim().replace('\n', " ")))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// The first field out of its range, in words.
    fn check(&self) -> Result<(), String> {
        let field = |fits: bool, words: String| if fits { Ok(()) } else { Err(words) };
        let input = &self.input;
        field(
            self.format == FORMAT,
            format!("format = {}, which is not {FORMAT}", self.format),
        )?;
        field(!self.name.trim().is_empty(), "name is empty".to_owned())?;
        field(
            !self.licence.trim().is_empty(),
            "licence is empty".to_owned(),
        )?;
        field(
            is_file_name(&self.onnx),
            format!("onnx = {:?}, which is no bare file name", self.onnx),
        )?;
        field(
            is_sha256(&self.sha256),
            "sha256 is not 64 lower-case hex digits".to_owned(),
        )?;
        field(
            SIDE_RANGE_PX.contains(&input.side_px),
            format!(
                "input.side_px = {}, which is not from 16 to 1024",
                input.side_px
            ),
        )?;
        field(
            (0.5..=8.0).contains(&input.crop_scale),
            format!(
                "input.crop_scale = {}, which is not from 0.5 to 8",
                input.crop_scale
            ),
        )?;
        field(
            input.mean.is_finite() && input.scale.is_finite() && input.scale != 0.0,
            "input.mean and input.scale have to be finite, input.scale not zero".to_owned(),
        )?;
        let output = &self.output;
        field(
            (2..=16).contains(&output.classes),
            format!(
                "output.classes = {}, which is not from 2 to 16",
                output.classes
            ),
        )?;
        field(
            output.live_class < output.classes,
            format!(
                "output.live_class = {}, of classes from 0 to {}",
                output.live_class,
                output.classes - 1
            ),
        )?;
        let threshold = self.decision.threshold;
        field(
            threshold > 0.0 && threshold < 1.0,
            format!("decision.threshold = {threshold}, which is not between 0 and 1"),
        )?;
        field(
            (1..=100).contains(&self.decision.frames),
            format!(
                "decision.frames = {}, which is not from 1 to 100",
                self.decision.frames
            ),
        )?;
        match &self.report {
            Some(report) => {
                field(
                    is_file_name(&report.file),
                    "report.file is no bare file name".to_owned(),
                )?;
                field(
                    is_sha256(&report.sha256),
                    "report.sha256 is not 64 lower-case hex digits".to_owned(),
                )
            }
            None => Ok(()),
        }
    }
}

/// A bare file name, so that a manifest cannot point out of its folder.
fn is_file_name(name: &str) -> bool {
    !name.trim().is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

fn is_sha256(digest: &str) -> bool {
    digest.len() == 64
        && digest
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
