//! What a kiosk's camera does to a face, done to training pictures: seeded, off the training
//! thread.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rand::Rng;
use serde::{Deserialize, Serialize};
use shared::align::AlignedFace;
use shared::frame::Frame;

use super::CROP_SHARE;

/// How far pictures are varied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Probability of mirroring.
    pub flip: f64,
    /// Largest shift in each direction, as a share of the crop's side.
    pub shift: f64,
    /// Largest change of the crop's side, as a share of it.
    pub zoom: f64,
    /// Largest change of brightness, as a share of white.
    pub brightness: f64,
    /// Largest change of contrast about mid grey, as a share.
    pub contrast: f64,
    /// Probability of a blur.
    pub blur: f64,
    /// Probability of losing the colors.
    pub grey: f64,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            flip: 0.5,
            shift: 0.03,
            zoom: 0.05,
            brightness: 0.15,
            contrast: 0.2,
            blur: 0.1,
            grey: 0.05,
        }
    }
}

impl Augment {
    /// A face of `side_px` cut from an aligned picture with its margin, varied by draws from
    /// `random`. The number of draws does not depend on the picture.
    pub fn cut(&self, picture: &Frame, side_px: u32, random: &mut impl Rng) -> AlignedFace {
        let mut within = |reach: f64| random.random_range(-1.0..=1.0) * reach;
        let (shift_x, shift_y) = (within(self.shift), within(self.shift));
        let (zoom, brightness, contrast) = (
            within(self.zoom),
            within(self.brightness),
            within(self.contrast),
        );
        let sigma = 0.7 + random.random::<f64>() * 0.8;
        let mut happens = |probability: f64| random.random::<f64>() < probability;
        let (flip, blur, grey) = (happens(self.flip), happens(self.blur), happens(self.grey));

        let mut rgb = crop(picture, side_px, shift_x, shift_y, zoom);
        if blur {
            rgb = blurred(rgb, side_px, sigma);
        }
        let tone = tones(brightness, contrast);
        for pixel in rgb.as_chunks_mut::<3>().0 {
            if grey {
                let [red, green, blue] = pixel.map(u32::from);
                *pixel = [((299 * red + 587 * green + 114 * blue) / 1000) as u8; 3];
            }
            *pixel = pixel.map(|value| tone[usize::from(value)]);
        }
        if flip {
            for row in rgb.chunks_exact_mut(side_px as usize * 3) {
                row.as_chunks_mut::<3>().0.reverse();
            }
        }
        match AlignedFace::from_rgb(side_px, rgb) {
            Ok(face) => face,
            Err(error) => unreachable!("three bytes a pixel: {error}"),
        }
    }
}

/// The standard crop, moved and zoomed but kept inside the picture, resized in one step.
fn crop(picture: &Frame, side_px: u32, shift_x: f64, shift_y: f64, zoom: f64) -> Vec<u8> {
    let (width, height) = (
        f64::from(picture.width_px()),
        f64::from(picture.height_px()),
    );
    let crop_width = (width * CROP_SHARE * (1.0 + zoom)).min(width);
    let crop_height = (height * CROP_SHARE * (1.0 + zoom)).min(height);
    let left = ((width - crop_width) / 2.0 + shift_x * crop_width).clamp(0.0, width - crop_width);
    let top =
        ((height - crop_height) / 2.0 + shift_y * crop_height).clamp(0.0, height - crop_height);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, crop_width, crop_height);
    let mut out = Image::new(side_px, side_px, PixelType::U8x3);
    let source = ImageRef::new(
        picture.width_px(),
        picture.height_px(),
        picture.rgb(),
        PixelType::U8x3,
    );
    let resized = source
        .map_err(|error| error.to_string())
        .and_then(|source| {
            let mut resizer = Resizer::new();
            resizer
                .resize(&source, &mut out, &options)
                .map_err(|error| error.to_string())
        });
    // A frame's buffer fits its size, and the crop was clamped to it: nothing is left to fail.
    assert_eq!(resized, Ok(()), "a crop inside a frame");
    out.into_vec()
}

fn blurred(rgb: Vec<u8>, side_px: u32, sigma: f64) -> Vec<u8> {
    match image::RgbImage::from_raw(side_px, side_px, rgb) {
        Some(face) => image::imageops::fast_blur(&face, sigma as f32).into_raw(),
        None => unreachable!("three bytes a pixel"),
    }
}

/// What each byte becomes.
fn tones(brightness: f64, contrast: f64) -> [u8; 256] {
    std::array::from_fn(|value| {
        let value = (value as f64 - 127.5) * (1.0 + contrast) + 127.5 + 255.0 * brightness;
        value.round().clamp(0.0, 255.0) as u8
    })
}
