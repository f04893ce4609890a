//! What lens, light and file format do to a face: resolution, blur, tones, colors, JPEG.

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{ExtendedColorType, ImageDecoder};
use shared::align::{self, Similarity};
use shared::frame::Frame;
use shared::resize::{Filter, Part, Resizer};

/// That part of a picture, side x side.
pub(super) fn resized(picture: &Frame, part: Part, side_px: u32) -> Vec<u8> {
    let mut out = vec![0; 3 * side_px as usize * side_px as usize];
    let (size, filter) = ((side_px, side_px), Filter::Bilinear);
    let done = Resizer::default().part(picture, part, size, filter, &mut out);
    // The part was clamped to the picture: nothing is left to fail.
    assert_eq!(done, Ok(()), "a part of a picture");
    out
}

/// The same, by a camera that sees it with fewer pixels a side.
pub(super) fn coarse(picture: &Frame, part: Part, seen_px: u32, side_px: u32) -> Vec<u8> {
    match Frame::new(seen_px, seen_px, resized(picture, part, seen_px)) {
        Ok(seen) => Resizer::default().whole(&seen, (side_px, side_px), Filter::Bilinear),
        Err(error) => unreachable!("three bytes a pixel: {error}"),
    }
}

/// Turned about its center; the edge is repeated where nothing turns in.
pub(super) fn turned(rgb: Vec<u8>, side_px: u32, degrees: f64) -> Vec<u8> {
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let middle = (f64::from(side_px) - 1.0) / 2.0;
    let turn = Similarity {
        a: cosine as f32,
        b: sine as f32,
        tx: (middle - cosine * middle + sine * middle) as f32,
        ty: (middle - sine * middle - cosine * middle) as f32,
    };
    match Frame::new(side_px, side_px, rgb) {
        Ok(face) => align::warp(&face, &turn, side_px).rgb().to_vec(),
        Err(error) => unreachable!("three bytes a pixel: {error}"),
    }
}

pub(super) fn blurred(rgb: Vec<u8>, side_px: u32, sigma: f64) -> Vec<u8> {
    match image::RgbImage::from_raw(side_px, side_px, rgb) {
        Some(face) => image::imageops::fast_blur(&face, sigma as f32).into_raw(),
        None => unreachable!("three bytes a pixel"),
    }
}

/// Written as a JPEG file of that quality, 1 to 100 as libjpeg counts, and read again.
pub(crate) fn through_jpeg(rgb: &[u8], (width, height): (u32, u32), quality: u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut again = vec![0; rgb.len()];
    let done = JpegEncoder::new_with_quality(&mut file, quality)
        .encode(rgb, width, height, ExtendedColorType::Rgb8)
        .and_then(|()| JpegDecoder::new(std::io::Cursor::new(&file))?.read_image(&mut again));
    match done {
        Ok(()) => again,
        Err(error) => unreachable!("a JPEG file just written: {error}"),
    }
}

/// How light and camera change tones and colors; all zero changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Toning {
    /// Added, as a share of white.
    pub(crate) brightness: f64,
    /// Stretch about mid grey.
    pub(crate) contrast: f64,
    /// Red gains that share and blue loses it; below zero the other way.
    pub(crate) temperature: f64,
    /// Stretch about the pixel's own grey.
    pub(crate) saturation: f64,
    /// Whether colors are lost, before all else.
    pub(crate) grey: bool,
}

impl Toning {
    /// No change.
    pub(crate) const NONE: Self = Self {
        brightness: 0.0,
        contrast: 0.0,
        temperature: 0.0,
        saturation: 0.0,
        grey: false,
    };

    pub(crate) fn apply(&self, rgb: &mut [u8]) {
        let tones = [1.0, 0.0, -1.0].map(|warmth| self.tones(1.0 + warmth * self.temperature));
        // In 1/256, so that no pixel needs floating point.
        let stretch = (self.saturation * 256.0).round() as i32;
        for pixel in rgb.as_chunks_mut::<3>().0 {
            if self.grey || stretch != 0 {
                let grey = luma(*pixel);
                *pixel = match self.grey {
                    true => [grey; 3],
                    false => pixel.map(|value| {
                        let (value, grey) = (i32::from(value), i32::from(grey));
                        (value + (value - grey) * stretch / 256).clamp(0, 255) as u8
                    }),
                };
            }
            for (value, tone) in pixel.iter_mut().zip(&tones) {
                *value = tone[usize::from(*value)];
            }
        }
    }

    /// What each byte of a plane with that gain becomes.
    fn tones(&self, gain: f64) -> [u8; 256] {
        std::array::from_fn(|value| {
            let value = (value as f64 * gain - 127.5) * (1.0 + self.contrast) + 127.5;
            (value + 255.0 * self.brightness).round().clamp(0.0, 255.0) as u8
        })
    }
}

/// Rec. 601.
fn luma(pixel: [u8; 3]) -> u8 {
    let [red, green, blue] = pixel.map(u32::from);
    ((299 * red + 587 * green + 114 * blue) / 1000) as u8
}
