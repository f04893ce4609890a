//! `usher-train prepare`: from photos to aligned faces with the margin that training jitters in.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use image::codecs::jpeg::JpegEncoder;
use shared::align::{self, AlignedFace};
use shared::detector::Detector;
use shared::geometry::Point;
use shared::landmarks::Landmarks;

use crate::dataset::folder::{entries, file_name, is_picture};
use crate::file;

/// Side of an aligned picture, in pixels: the standard crop with 8 pixels around it.
const SIDE_PX: u32 = 128;
/// Side of the standard crop, in pixels.
const CROP_PX: u32 = 112;
/// Quality of the JPEG files written, of 100.
const QUALITY: u8 = 95;

/// Detect, align and cut the one face of each photo
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: usher-train prepare --photos photos --out data/aligned")]
pub struct Arguments {
    /// Photos, a folder per identity
    #[arg(long)]
    photos: PathBuf,
    /// Where the aligned faces go, a folder per identity
    #[arg(long)]
    out: PathBuf,
    /// The face detector
    #[arg(long, default_value = "models/yunet.onnx")]
    detector: PathBuf,
    /// Side at which the detector looks, in pixels, a multiple of 32
    #[arg(long, default_value_t = 640)]
    detector_side: u32,
}

/// Writes the aligned faces and says which photos were left out, and why.
///
/// # Errors
/// If the detector or a folder is unusable, or no photo has exactly one face.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut detector = Detector::load(&arguments.detector, arguments.detector_side)?;
    let (mut kept, mut identities) = (0, 0);
    for identity in entries(&arguments.photos)?
        .into_iter()
        .filter(|path| path.is_dir())
    {
        let out = arguments.out.join(file_name(&identity));
        let before = kept;
        for photo in entries(&identity)?
            .into_iter()
            .filter(|path| is_picture(path))
        {
            match cut(&mut detector, &photo) {
                Ok(face) => {
                    write(&face, &out, &photo)?;
                    kept += 1;
                }
                Err(error) => eprintln!("left out {}: {error:#}", photo.display()),
            }
        }
        identities += usize::from(kept > before);
    }
    if kept == 0 {
        bail!(
            "no photo below {} could be aligned: expected <identity>/<photo>.jpg with one face each",
            arguments.photos.display()
        );
    }
    println!(
        "{kept} faces of {identities} identities in {}",
        arguments.out.display()
    );
    eprintln!(
        "next: usher-train train --config host-trainer/configs/mobilefacenet.toml --data {} --run RUN",
        arguments.out.display()
    );
    Ok(())
}

fn cut(detector: &mut Detector, photo: &Path) -> anyhow::Result<AlignedFace> {
    let frame = shared::picture::read(photo)?;
    let detections = detector.detect(&frame)?;
    let [detection] = detections.as_slice() else {
        bail!("expected one face, found {}", detections.len());
    };
    let frame_from_face = align::similarity(&template_with_margin(), &detection.landmarks)?;
    Ok(align::warp(&frame, &frame_from_face, SIDE_PX))
}

fn template_with_margin() -> Landmarks {
    let margin = (SIDE_PX - CROP_PX) as f32 / 2.0;
    let Landmarks(points) = align::template(CROP_PX);
    Landmarks(points.map(|point| Point {
        x: point.x + margin,
        y: point.y + margin,
    }))
}

fn write(face: &AlignedFace, folder: &Path, photo: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.jpg", file_name(photo)));
    let place = || format!("cannot write {}", path.display());
    std::fs::create_dir_all(folder).with_context(place)?;
    let mut bytes = Vec::new();
    let picture = face.to_image();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))
        .with_context(place)?;
    file::replace(&path, &bytes).with_context(place)
}
