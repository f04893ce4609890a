//! What a kiosk's camera does to a face, done to training pictures: seeded, off the training
//! thread.

mod occlusion;
pub(crate) mod photo;

use rand::Rng;
use serde::{Deserialize, Serialize};
use shared::align::AlignedFace;
use shared::frame::Frame;
use shared::resize::Part;

use super::CROP_SHARE;
use occlusion::Patch;
use photo::Toning;

/// Sides of the crop, in pixels, that a lower resolution is drawn from.
const FAR_PX: std::ops::RangeInclusive<u32> = 32..=112;

/// Qualities that a JPEG is drawn from, from an old webcam's to a good camera's.
const JPEG_QUALITY: std::ops::RangeInclusive<u8> = 20..=90;

/// Standard deviations that a blur is drawn from, in pixels of the face.
const SIGMA_PX: std::ops::RangeInclusive<f64> = 0.7..=1.5;

/// Largest angle that is accepted, in degrees: an aligned face stands upright.
const MAX_ROTATION_DEGREES: f64 = 45.0;

/// How far pictures are varied: probabilities of what happens or not, reaches of what is drawn
/// evenly between less and more. All from 0 (off) to 1 but the rotation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Probability of mirroring.
    pub flip: f64,
    /// Largest shift in each direction, as a share of the crop's side.
    pub shift: f64,
    /// Largest change of the crop's side, as a share of it.
    pub zoom: f64,
    /// Largest turn to either side, in degrees, 0 to 45: what alignment leaves is a few degrees.
    pub rotation_degrees: f64,
    /// Largest change of brightness, as a share of white.
    pub brightness: f64,
    /// Largest change of contrast about mid grey, as a share.
    pub contrast: f64,
    /// Largest change of color temperature: red gains that share and blue loses it, or the other
    /// way. Lamp light against daylight, after a camera's white balance, is about 0.15.
    pub temperature: f64,
    /// Largest change of saturation, as a share.
    pub saturation: f64,
    /// Probability of losing the colors.
    pub grey: f64,
    /// Probability of a blur, of 0.7 to 1.5 pixels.
    pub blur: f64,
    /// Probability of a lower resolution: 32 to 112 pixels for the crop, as from afar. Where some
    /// identities have large pictures and others small ones it also keeps the network from telling
    /// them apart by that.
    pub low_resolution: f64,
    /// Probability of passing through a JPEG file of quality 20 to 90.
    pub jpeg: f64,
    /// Probability of a patch before the face, flat or noise: a mask, a band over the eyes, or a
    /// rectangle anywhere.
    pub occlusion: f64,
}

impl Default for Augment {
    /// What every run so far had; the others are off unless a config names them.
    fn default() -> Self {
        Self {
            flip: 0.5,
            shift: 0.03,
            zoom: 0.05,
            brightness: 0.15,
            contrast: 0.2,
            blur: 0.1,
            grey: 0.05,
            ..Self::NOTHING
        }
    }
}

impl Augment {
    /// No variation: the standard crop.
    pub const NOTHING: Self = Self {
        flip: 0.0,
        shift: 0.0,
        zoom: 0.0,
        rotation_degrees: 0.0,
        brightness: 0.0,
        contrast: 0.0,
        temperature: 0.0,
        saturation: 0.0,
        grey: 0.0,
        blur: 0.0,
        low_resolution: 0.0,
        jpeg: 0.0,
        occlusion: 0.0,
    };

    /// What [`Augment::is_usable`] expects, for messages.
    pub const USABLE: &str =
        "shares and probabilities from 0 to 1, and rotation_degrees from 0 to 45";

    /// Whether every field lies in its range: between 0 and 1, the rotation between 0 and 45.
    pub fn is_usable(&self) -> bool {
        let Self {
            flip,
            shift,
            zoom,
            rotation_degrees,
            brightness,
            contrast,
            temperature,
            saturation,
            grey,
            blur,
            low_resolution,
            jpeg,
            occlusion,
        } = *self;
        let turn = rotation_degrees / MAX_ROTATION_DEGREES;
        let geometry = [flip, shift, zoom, turn, occlusion];
        let light = [brightness, contrast, temperature, saturation, grey];
        let camera = [blur, low_resolution, jpeg];
        let all = geometry.iter().chain(&light).chain(&camera);
        all.into_iter().all(|share| (0.0..=1.0).contains(share))
    }

    /// A face of `side_px` cut from an aligned picture with its margin, varied by draws from
    /// `random`. The number of draws does not depend on the picture, nor on what is turned off.
    pub fn cut(&self, picture: &Frame, side_px: u32, random: &mut impl Rng) -> AlignedFace {
        let mut within = |reach: f64| random.random_range(-1.0..=1.0) * reach;
        let (shift_x, shift_y) = (within(self.shift), within(self.shift));
        let (zoom, degrees) = (within(self.zoom), within(self.rotation_degrees));
        let mut toning = Toning {
            brightness: within(self.brightness),
            contrast: within(self.contrast),
            temperature: within(self.temperature),
            saturation: within(self.saturation),
            grey: false,
        };
        let mut happens = |probability: f64| random.random::<f64>() < probability;
        toning.grey = happens(self.grey);
        let (flip, blur, far) = (
            happens(self.flip),
            happens(self.blur),
            happens(self.low_resolution),
        );
        let (jpeg, occluded) = (happens(self.jpeg), happens(self.occlusion));
        let (sigma, far_px) = (random.random_range(SIGMA_PX), random.random_range(FAR_PX));
        let quality = random.random_range(JPEG_QUALITY);
        let patch = Patch::draw(random);

        // In the order in which it happens to light: face, what is before it, lens, sensor, file.
        let cut = crop_box(picture, shift_x, shift_y, zoom);
        let mut rgb = if far && far_px < side_px {
            photo::coarse(picture, cut, far_px, side_px)
        } else {
            photo::resized(picture, cut, side_px)
        };
        if degrees != 0.0 {
            rgb = photo::turned(rgb, side_px, degrees);
        }
        if occluded {
            patch.cover(&mut rgb, side_px);
        }
        if blur {
            rgb = photo::blurred(rgb, side_px, sigma);
        }
        toning.apply(&mut rgb);
        if jpeg {
            rgb = photo::through_jpeg(&rgb, (side_px, side_px), quality);
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
    let rgb = photo::resized(picture, crop_box(picture, 0.0, 0.0, 0.0), side_px);
    match AlignedFace::from_rgb(side_px, rgb) {
        Ok(face) => face,
        Err(error) => unreachable!("three bytes a pixel: {error}"),
    }
}

/// The standard crop, moved and zoomed but kept inside the picture.
fn crop_box(picture: &Frame, shift_x: f64, shift_y: f64, zoom: f64) -> Part {
    let size = [picture.width_px(), picture.height_px()].map(f64::from);
    let [width, height] = size.map(|extent| (extent * CROP_SHARE * (1.0 + zoom)).min(extent));
    let place = |extent: f64, cut: f64, shift: f64| {
        ((extent - cut) / 2.0 + shift * cut).clamp(0.0, extent - cut)
    };
    Part {
        left: place(size[0], width, shift_x),
        top: place(size[1], height, shift_y),
        width,
        height,
    }
}

#[cfg(test)]
mod tests;
