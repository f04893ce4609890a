//! What a kiosk's camera does to a face, done to training pictures: seeded, off the training
//! thread.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rand::Rng;
use serde::{Deserialize, Serialize};
use shared::align::AlignedFace;
use shared::frame::Frame;

use super::CROP_SHARE;

/// Sides of the crop, in pixels, that a lower resolution is drawn from.
const FAR_PX: std::ops::RangeInclusive<u32> = 32..=112;

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
    /// Probability of a lower resolution: 32 to 112 pixels for the crop, as from afar. Where some
    /// identities have large pictures and others small ones it also keeps the network from telling
    /// them apart by that.
    pub low_resolution: f64,
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
            low_resolution: 0.0,
        }
    }
}

impl Augment {
    /// Whether every field lies between 0 and 1.
    pub fn is_usable(&self) -> bool {
        let Self {
            flip,
            shift,
            zoom,
            brightness,
            contrast,
            blur,
            grey,
            low_resolution,
        } = *self;
        [
            flip,
            shift,
            zoom,
            brightness,
            contrast,
            blur,
            grey,
            low_resolution,
        ]
        .iter()
        .all(|share| (0.0..=1.0).contains(share))
    }

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
        let (far, far_px) = (happens(self.low_resolution), random.random_range(FAR_PX));

        let cut = crop_box(picture, shift_x, shift_y, zoom);
        let source = (picture.width_px(), picture.height_px(), picture.rgb());
        let mut rgb = if far && far_px < side_px {
            let small = resized(source, cut, far_px);
            let whole = [0.0, 0.0, f64::from(far_px), f64::from(far_px)];
            resized((far_px, far_px, &small), whole, side_px)
        } else {
            resized(source, cut, side_px)
        };
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

/// The standard crop of an aligned picture, side x side pixels, without any variation.
pub fn standard_crop(picture: &Frame, side_px: u32) -> AlignedFace {
    let source = (picture.width_px(), picture.height_px(), picture.rgb());
    let rgb = resized(source, crop_box(picture, 0.0, 0.0, 0.0), side_px);
    match AlignedFace::from_rgb(side_px, rgb) {
        Ok(face) => face,
        Err(error) => unreachable!("three bytes a pixel: {error}"),
    }
}

/// The standard crop, moved and zoomed but kept inside the picture: left, top, width, height.
fn crop_box(picture: &Frame, shift_x: f64, shift_y: f64, zoom: f64) -> [f64; 4] {
    let size = [picture.width_px(), picture.height_px()].map(f64::from);
    let [width, height] = size.map(|extent| (extent * CROP_SHARE * (1.0 + zoom)).min(extent));
    let place = |extent: f64, cut: f64, shift: f64| {
        ((extent - cut) / 2.0 + shift * cut).clamp(0.0, extent - cut)
    };
    let (left, top) = (
        place(size[0], width, shift_x),
        place(size[1], height, shift_y),
    );
    [left, top, width, height]
}

/// That part of a picture (width, height, RGB8), side x side.
fn resized((width, height, rgb): (u32, u32, &[u8]), part: [f64; 4], side_px: u32) -> Vec<u8> {
    let [left, top, part_width, part_height] = part;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, part_width, part_height);
    let mut out = Image::new(side_px, side_px, PixelType::U8x3);
    let done = ImageRef::new(width, height, rgb, PixelType::U8x3)
        .map_err(|error| error.to_string())
        .and_then(|source| {
            let resize = Resizer::new().resize(&source, &mut out, &options);
            resize.map_err(|error| error.to_string())
        });
    // The buffer fits the size, and the part was clamped to it: nothing is left to fail.
    assert_eq!(done, Ok(()), "a part of a picture");
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const NOTHING: Augment = Augment {
        flip: 0.0,
        shift: 0.0,
        zoom: 0.0,
        brightness: 0.0,
        contrast: 0.0,
        blur: 0.0,
        grey: 0.0,
        low_resolution: 0.0,
    };

    /// A picture whose red tells the column and whose green tells the row.
    fn picture() -> Frame {
        let image = image::RgbImage::from_fn(128, 128, |x, y| image::Rgb([x as u8, y as u8, 200]));
        Frame::from_image(image)
    }

    fn cut(augment: Augment, seed: u64) -> AlignedFace {
        augment.cut(&picture(), 112, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    fn pixel(face: &AlignedFace, x: usize, y: usize) -> [u8; 3] {
        face.rgb().as_chunks::<3>().0[y * 112 + x]
    }

    #[test]
    fn without_variation_it_is_the_standard_crop() {
        let face = cut(NOTHING, 1);
        assert_eq!(face, standard_crop(&picture(), 112));
        assert_eq!(pixel(&face, 0, 0), [8, 8, 200]);
        assert_eq!(pixel(&face, 111, 50), [119, 58, 200]);
    }

    #[test]
    fn each_variation_does_what_it_says() {
        let mirrored = cut(
            Augment {
                flip: 1.0,
                ..NOTHING
            },
            1,
        );
        assert_eq!(pixel(&mirrored, 0, 0), [119, 8, 200]);
        let grey = cut(
            Augment {
                grey: 1.0,
                ..NOTHING
            },
            1,
        );
        assert_eq!(
            pixel(&grey, 0, 0),
            [(299 * 8 + 587 * 8 + 114 * 200) / 1000; 3].map(|v: u32| v as u8)
        );
        let far = cut(
            Augment {
                low_resolution: 1.0,
                ..NOTHING
            },
            1,
        );
        assert_ne!(far, cut(NOTHING, 1));
        let ([red, ..], [_, green, blue]) = (pixel(&far, 56, 56), pixel(&far, 56, 56));
        assert!(red.abs_diff(64) <= 2 && green.abs_diff(64) <= 2 && blue == 200);
        let moved = cut(
            Augment {
                shift: 0.05,
                ..NOTHING
            },
            1,
        );
        let [red, green, _] = pixel(&moved, 56, 56);
        assert!((red, green) != (64, 64) && red.abs_diff(64) <= 6 && green.abs_diff(64) <= 6);
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(cut(Augment::default(), 5), cut(Augment::default(), 5));
        assert_ne!(cut(Augment::default(), 5), cut(Augment::default(), 6));
    }
}
