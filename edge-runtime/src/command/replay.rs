//! `usher replay make`: a recording out of one picture, or of a room with nobody in it.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use image::codecs::jpeg::JpegEncoder;
use shared::frame::Frame;
use shared::picture;

use super::PixelSize;
use crate::camera::replay::{TIMING_FILE, Timing};
use crate::clock::FrameClock;
use crate::kiosk::largest;
use crate::recording::{Subject, Walk};

/// JPEG quality of the frames: a good camera's.
const QUALITY: u8 = 92;

#[derive(Debug, Subcommand)]
pub(super) enum Replay {
    /// Make a recording of a picture's person walking up to the camera
    Make(Make),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher replay make --picture ada.jpg --out recordings/visit --detector models/yunet.onnx --frames 60")]
pub(super) struct Make {
    /// A picture with the person's face
    #[arg(long, value_name = "FILE", required_unless_present = "empty")]
    picture: Option<PathBuf>,
    /// The room alone, with nobody in it
    #[arg(long, conflicts_with = "picture")]
    empty: bool,
    /// The folder to make; it must not exist yet, or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Finds the face, so that the eyes come to lie where a visitor's would [default: a portrait's proportions]
    #[arg(long, value_name = "FILE")]
    detector: Option<PathBuf>,
    /// How many frames
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    frames: u64,
    /// Width and height of a frame in pixels
    #[arg(long, value_name = "WxH", default_value = "1280x720")]
    size: PixelSize,
    /// Frames per second, kept in timing.toml
    #[arg(long, value_name = "RATE", default_value_t = 10.0)]
    fps: f64,
    /// Seed of the small changes in brightness
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

impl Replay {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let Self::Make(make) = self;
        make.execute()
    }
}

impl Make {
    fn execute(&self) -> anyhow::Result<()> {
        FrameClock::new(self.fps).context("--fps; give a rate of a camera, such as 10")?;
        let picture = self.picture.as_deref().map(picture::read).transpose()?;
        let subject = picture
            .as_ref()
            .map(|picture| self.subject(picture))
            .transpose()?;
        let walk = Walk {
            frames: self.frames,
            size: (self.size.width, self.size.height),
            seed: self.seed,
        };
        self.write(|folder| self.draw(&walk, subject.as_ref(), folder))?;
        println!(
            "{} frames of {}x{} in {}",
            self.frames,
            self.size.width,
            self.size.height,
            self.out.display()
        );
        println!(
            "next: usher run --camera replay:{} --screen png:DIR --gallery FILE --model FILE",
            self.out.display()
        );
        Ok(())
    }

    /// Whose walk it is.
    fn subject<'a>(&self, picture: &'a Frame) -> anyhow::Result<Subject<'a>> {
        let Some(path) = &self.detector else {
            return Ok(Subject::assumed(picture));
        };
        let faces = super::detector(path)?.detect(picture)?;
        let Some(face) = largest(&faces) else {
            bail!(
                "expected a face in {}, found none; take a picture with a larger face",
                self.picture.as_deref().unwrap_or(Path::new("")).display()
            );
        };
        Ok(Subject::detected(picture, face))
    }

    fn draw(&self, walk: &Walk, subject: Option<&Subject<'_>>, folder: &Path) -> io::Result<()> {
        for number in 0..self.frames {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, QUALITY)
                .encode_image(&walk.frame(subject, number))
                .map_err(io::Error::other)?;
            std::fs::write(folder.join(format!("frame-{number:04}.jpg")), bytes)?;
        }
        let timing = toml::to_string(&Timing::steady(self.fps)).map_err(io::Error::other)?;
        std::fs::write(folder.join(TIMING_FILE), timing)
    }

    /// Fills a folder beside the wanted one and then puts it in place, so that no half recording is left behind.
    fn write(&self, fill: impl FnOnce(&Path) -> io::Result<()>) -> anyhow::Result<()> {
        let parent = match self.out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let written = || -> io::Result<()> {
            std::fs::create_dir_all(parent)?;
            let folder = tempfile::Builder::new()
                .prefix(".recording-")
                .tempdir_in(parent)?;
            fill(folder.path())?;
            // Renaming replaces an empty folder, and refuses any other: no recording is overwritten.
            std::fs::rename(folder.path(), &self.out)
        };
        written().map_err(|error| {
            anyhow::anyhow!(
                "expected to make the folder {}, found: {error}; name a new folder where there is space and permission",
                self.out.display()
            )
        })
    }
}
