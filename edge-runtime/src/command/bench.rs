//! `usher bench`: how long each stage from a camera's frame to a decision takes on this device.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use shared::embedding::Embedding;
use shared::gallery::search::TemplateForm;
use shared::gallery::{Consent, Enrollee, Gallery, NewTemplate};

use super::pipeline;
use super::sealing::now;
use crate::camera::memory::MemoryCamera;
use crate::kiosk::largest;
use crate::latency::{Latencies, Stage, Summary};
use crate::metrics::process::Process;

/// Frames before the measured ones.
const WARM_UP: u64 = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher bench --recording recordings/visit --model models/usher-small.toml --detector models/yunet.onnx

Every frame is decoded, detected, its largest face aligned, embedded and compared with made templates: more than a kiosk
does, which embeds only what tells something. Frames are read into memory first and gone through in turn.")]
pub(super) struct Bench {
    /// A folder of JPEG frames, as usher record and usher replay make write it
    #[arg(long, value_name = "DIR")]
    recording: PathBuf,
    /// The model's manifest
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The face detector
    #[arg(long, value_name = "FILE", default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// How many frames are measured
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    frames: u64,
    /// How many made templates the gallery holds
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    templates: u64,
    /// How many threads run detector and model
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    threads: u8,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report {
    stages: Summary,
    frames_with_a_face: u64,
    resident_mib: f64,
}

impl Bench {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let mut camera = MemoryCamera::read(&self.recording)?;
        let mut pipeline = pipeline(&self.detector, &self.model, self.threads.into())?;
        let manifest = pipeline.embedder().manifest();
        let gallery = self.gallery(manifest.model_id(), manifest.dimension)?;
        let mut latencies = Latencies::default();
        let mut found = 0;
        for number in 0..WARM_UP + self.frames {
            if number == WARM_UP {
                latencies = Latencies::default();
                found = 0;
            }
            let begin = Instant::now();
            let frame = latencies.measure(Stage::Decode, || camera.next_frame())?;
            let faces = latencies.measure(Stage::Detect, || pipeline.detect(&frame.frame))?;
            if let Some(face) = largest(&faces) {
                found += 1;
                let aligned =
                    latencies.measure(Stage::Align, || pipeline.align(&frame.frame, face))?;
                let probe = latencies.measure(Stage::Embed, || pipeline.embed(&aligned))?;
                latencies.measure(Stage::Match, || gallery.search(&probe));
            }
            latencies.note(Stage::Decision, begin.elapsed());
        }
        ensure!(
            found > 0,
            "expected faces in {}, found none in {} frames; bench with a recording of a person",
            self.recording.display(),
            self.frames
        );
        let resident = Process::now().resident_bytes.unwrap_or_default();
        let report = Report {
            stages: latencies.summary(),
            frames_with_a_face: found,
            resident_mib: resident as f64 / f64::from(1 << 20),
        };
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{latencies}");
            println!(
                "faces in {found} of {} frames; {:.0} MiB resident",
                self.frames, report.resident_mib
            );
        }
        Ok(())
    }

    /// People who are nobody: random unit vectors, drawn by a fixed seed.
    fn gallery(
        &self,
        model: shared::model_id::ModelId,
        dimension: usize,
    ) -> anyhow::Result<Gallery> {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut gallery = Gallery::with_form(model, dimension, TemplateForm::Full);
        let at = now();
        for number in 0..self.templates {
            let values = (0..dimension).map(|_| random.random_range(-1.0..1.0_f32));
            gallery.enroll(&Enrollee {
                name: format!("nobody {number}"),
                consent: Consent::given("a made template", at, "bench", 1)?,
                templates: vec![NewTemplate {
                    embedding: Embedding::from_raw(values.collect())?,
                    label: None,
                    taken_at: at,
                }],
            })?;
        }
        Ok(gallery)
    }
}
