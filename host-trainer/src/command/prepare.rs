//! `usher-train prepare`: from photos to aligned faces with the margin that training jitters in.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use shared::ModelManifest;
use shared::model_id::sha256_hex;

use crate::parallel;
use crate::preparation::duplicates::DEFAULT_WITHIN;
use crate::preparation::settings::{
    DEFAULT_MIN_EYE_PX, DEFAULT_MIN_SHARPNESS, DEFAULT_OUTLIER_DROP, Faces, Limits,
    OutlierSettings, RECIPE, Settings,
};
use crate::preparation::{self, Preparation, report};

/// Detect, align and cut the face of each photo, by all cores; goes on where it was stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: usher-train prepare --photos photos --out data/aligned --model models/usher-small.toml

Reads photos/<person>/<photo>.jpg (also png, bmp, webp) and writes data/aligned/<person>/<photo>.jpg.jpg,
128 x 128 pixels, and data/aligned/report.json with every photo left out and why. Content counts, not the
extension: a JPEG named .png is used, and told. Killed at any time, the same command goes on; photos that
were changed, added or removed since are noticed by length and time of change.")]
pub struct Arguments {
    /// Photos, a folder per identity
    #[arg(long)]
    photos: PathBuf,
    /// Where the aligned faces go: a new or empty folder, or that of an earlier run to go on with
    #[arg(long)]
    out: PathBuf,
    /// The face detector
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Side at which the detector looks, in pixels, a multiple of 32
    #[arg(long, default_value_t = 640)]
    detector_side: u32,
    /// Which face is meant
    #[arg(long, value_enum, default_value_t = Faces::One)]
    faces: Faces,
    /// Least distance between the eyes in the photo, in pixels; the aligned face has 35
    #[arg(long, default_value_t = DEFAULT_MIN_EYE_PX, value_parser = not_negative)]
    min_eye_px: f64,
    /// Least sharpness: variance of the Laplacian on the aligned face; blur ends below 15, LFW begins at 25
    #[arg(long, default_value_t = DEFAULT_MIN_SHARPNESS, value_parser = not_negative)]
    min_sharpness: f64,
    /// Photos at most that many of 256 difference hash bits apart show the same
    #[arg(long, value_name = "BITS", default_value_t = DEFAULT_WITHIN, value_parser = clap::value_parser!(u32).range(0..=31))]
    duplicate_bits: u32,
    /// Keep duplicates, and look for none
    #[arg(long)]
    keep_duplicates: bool,
    /// Tell photos unlike their identity's others (wrong labels) by this model
    #[arg(long, value_name = "MANIFEST")]
    model: Option<PathBuf>,
    /// Such a photo's mean cosine to the others lies that far below the identity's median
    #[arg(long, value_name = "COSINE", default_value_t = DEFAULT_OUTLIER_DROP, value_parser = not_negative)]
    outlier_drop: f64,
    /// Leave such photos out, and not only tell them
    #[arg(long, requires = "model")]
    drop_outliers: bool,
    /// Use photos and folders that are symbolic links; else they are skipped
    #[arg(long)]
    follow_symlinks: bool,
    /// Stop once more than this share of the photos, if there are 20, cannot be read
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    max_bad: f64,
    /// Write tar shards of at most so many MiB in place of folders
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=1024))]
    shards: Option<u32>,
    /// Photos worked on at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Remove what an earlier run has written there, and begin anew
    #[arg(long)]
    overwrite: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Prepares the set, prints its report, and says what comes next.
///
/// # Errors
/// If the detector or a folder is unusable, too many photos cannot be read, or no face is kept.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let preparation = arguments.preparation()?;
    let out = &preparation.out;
    let report = preparation::prepare(&preparation)?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    eprintln!("report: {}", out.join(report::NAME).display());
    if report.kept == 0 {
        bail!(
            "no photo below {} could be aligned: expected <identity>/<photo>.jpg with one face each",
            arguments.photos.display()
        );
    }
    eprintln!(
        "next: usher-train train --config host-trainer/configs/mobilefacenet.toml --data {} --run RUN",
        out.display()
    );
    Ok(())
}

impl Arguments {
    fn preparation(&self) -> anyhow::Result<Preparation> {
        let photos = self
            .photos
            .canonicalize()
            .with_context(|| format!("expected a folder of photos at {}", self.photos.display()))?;
        let settings = Settings {
            recipe: RECIPE,
            photos: photos.to_string_lossy().into_owned(),
            detector_sha256: digest(&self.detector)?,
            detector_side: self.detector_side,
            faces: self.faces,
            follow_symlinks: self.follow_symlinks,
            limits: Limits {
                min_eye_px: self.min_eye_px,
                min_sharpness: self.min_sharpness,
            },
            duplicate_bits: (!self.keep_duplicates).then_some(self.duplicate_bits),
            outliers: self.outliers()?,
            shard_mib: self.shards,
        };
        Ok(Preparation {
            photos,
            out: self.out.clone(),
            detector: self.detector.clone(),
            model: self.model.clone(),
            settings,
            max_bad: self.max_bad,
            threads: self.threads.map_or_else(parallel::cores, NonZeroUsize::get),
            overwrite: self.overwrite,
        })
    }

    fn outliers(&self) -> anyhow::Result<Option<OutlierSettings>> {
        let Some(model) = &self.model else {
            return Ok(None);
        };
        let manifest = ModelManifest::read(model)?;
        Ok(Some(OutlierSettings {
            model: manifest.model_id().hex(),
            drop: self.outlier_drop,
            left_out: self.drop_outliers,
        }))
    }
}

fn digest(detector: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(detector).with_context(|| {
        format!(
            "expected the face detector at {}; run scripts/setup to fetch it",
            detector.display()
        )
    })?;
    Ok(sha256_hex(&bytes))
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..f64::INFINITY).contains(&number) => Ok(number),
        _ => Err("expected a number of 0 or more".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1".to_owned()),
    }
}
