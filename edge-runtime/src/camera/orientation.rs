//! How a camera is mounted: its frames are turned upright here, once, and nowhere else.

use serde::{Deserialize, Serialize};

/// By how much a frame is turned clockwise to stand upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// A quarter, clockwise.
    Quarter,
    /// Half.
    Half,
    /// Three quarters, clockwise.
    ThreeQuarters,
}

impl TryFrom<u16> for Rotation {
    type Error = String;

    fn try_from(degrees: u16) -> Result<Self, String> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Quarter),
            180 => Ok(Self::Half),
            270 => Ok(Self::ThreeQuarters),
            _ => Err(format!(
                "camera.rotation = {degrees}, which is not 0, 90, 180 or 270"
            )),
        }
    }
}

impl From<Rotation> for u16 {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::None => 0,
            Rotation::Quarter => 90,
            Rotation::Half => 180,
            Rotation::ThreeQuarters => 270,
        }
    }
}

/// A turn, and after it a flip of left and right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// The turn.
    pub rotation: Rotation,
    /// Whether left and right then change places: for cameras that mirror by themselves.
    pub mirror: bool,
}

/// Side of the square that is turned at a time, in pixels: its rows and columns stay in the first cache.
const TILE_PX: usize = 32;

impl Orientation {
    /// Whether frames are as they come.
    pub fn is_upright(self) -> bool {
        self == Self::default()
    }

    /// Width and height after the turn.
    pub fn turned(self, (width_px, height_px): (u32, u32)) -> (u32, u32) {
        match self.rotation {
            Rotation::None | Rotation::Half => (width_px, height_px),
            Rotation::Quarter | Rotation::ThreeQuarters => (height_px, width_px),
        }
    }

    /// Turns RGB8 pixels of this size; `to` is filled with as many bytes as `from` has.
    ///
    /// # Panics
    /// When `from` is not width x height x 3 bytes.
    pub(crate) fn apply(self, from: &[u8], (width_px, height_px): (u32, u32), to: &mut Vec<u8>) {
        let (width, height) = (width_px as usize, height_px as usize);
        assert_eq!(from.len(), 3 * width * height, "RGB8 of the stated size");
        to.resize(from.len(), 0);
        let (wide, _) = self.turned((width_px, height_px));
        let wide = wide as usize;
        for top in (0..height).step_by(TILE_PX) {
            for left in (0..width).step_by(TILE_PX) {
                for y in top..height.min(top + TILE_PX) {
                    for x in left..width.min(left + TILE_PX) {
                        let (column, row) = match self.rotation {
                            Rotation::None => (x, y),
                            Rotation::Quarter => (height - 1 - y, x),
                            Rotation::Half => (width - 1 - x, height - 1 - y),
                            Rotation::ThreeQuarters => (y, width - 1 - x),
                        };
                        let column = if self.mirror {
                            wide - 1 - column
                        } else {
                            column
                        };
                        let (source, target) = (3 * (y * width + x), 3 * (row * wide + column));
                        to[target..target + 3].copy_from_slice(&from[source..source + 3]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use image::imageops::{flip_horizontal, rotate90, rotate180, rotate270};

    use super::*;

    #[test]
    fn turns_as_the_image_crate_does() {
        let picture =
            RgbImage::from_fn(70, 41, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
        for mirror in [false, true] {
            for (degrees, turned) in [
                (0, picture.clone()),
                (90, rotate90(&picture)),
                (180, rotate180(&picture)),
                (270, rotate270(&picture)),
            ] {
                let expected = if mirror {
                    flip_horizontal(&turned)
                } else {
                    turned
                };
                let orientation = Orientation {
                    rotation: Rotation::try_from(degrees).unwrap(),
                    mirror,
                };
                let mut found = vec![7; 5];
                orientation.apply(picture.as_raw(), (70, 41), &mut found);
                assert_eq!(orientation.turned((70, 41)), expected.dimensions());
                assert_eq!(&found, expected.as_raw(), "{degrees} {mirror}");
            }
        }
    }

    #[test]
    fn only_right_angles() {
        for degrees in [0_u16, 90, 180, 270] {
            assert_eq!(u16::from(Rotation::try_from(degrees).unwrap()), degrees);
        }
        assert!(Rotation::try_from(45).is_err());
    }
}
