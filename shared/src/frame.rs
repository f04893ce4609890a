//! One picture in memory: RGB, 8 bits a channel.

use std::fmt;

/// A picture of at least one pixel, RGB8, row-major without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width_px: u32,
    height_px: u32,
    rgb: Vec<u8>,
}

/// Why bytes are not a picture of the stated size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Width or height is zero.
    #[error(
        "expected a picture of at least 1x1 pixel, found {width_px}x{height_px}; check where the size comes from"
    )]
    Empty {
        /// Stated width.
        width_px: u32,
        /// Stated height.
        height_px: u32,
    },
    /// The bytes do not fill the stated size exactly.
    #[error(
        "expected {expected} bytes for {width_px}x{height_px} RGB pixels, found {found}; check size and pixel format of the source"
    )]
    WrongLength {
        /// Stated width.
        width_px: u32,
        /// Stated height.
        height_px: u32,
        /// width x height x 3.
        expected: u64,
        /// Bytes given.
        found: usize,
    },
}

impl Frame {
    /// A frame of width x height x 3 bytes, row-major.
    ///
    /// # Errors
    /// [`FrameError`] when a side is zero or the bytes do not fill the size exactly.
    pub fn new(width_px: u32, height_px: u32, rgb: Vec<u8>) -> Result<Frame, FrameError> {
        check(width_px, height_px, &rgb)?;
        Ok(Frame {
            width_px,
            height_px,
            rgb,
        })
    }

    /// The frame with the pixels of an `image` picture.
    ///
    /// # Panics
    /// When the picture has no pixel: no decoder and no camera yields one.
    pub fn from_image(image: image::RgbImage) -> Frame {
        let (width_px, height_px) = image.dimensions();
        assert!(
            width_px > 0 && height_px > 0,
            "a frame has at least one pixel"
        );
        Frame {
            width_px,
            height_px,
            rgb: image.into_raw(),
        }
    }

    /// The same pixels as an `image` picture, to draw or to encode.
    pub fn into_image(self) -> image::RgbImage {
        image::RgbImage::from_raw(self.width_px, self.height_px, self.rgb)
            .expect("a frame holds width x height x 3 bytes")
    }

    /// Width in pixels, at least 1.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// Height in pixels, at least 1.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// All bytes: width x height x 3, row-major, red first.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Red, green, blue of the pixel in column x, row y.
    ///
    /// # Panics
    /// When x or y lies outside the frame.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        assert!(
            x < self.width_px && y < self.height_px,
            "pixel outside the frame"
        );
        let start = 3 * (y as usize * self.width_px as usize + x as usize);
        // One bounds check for three bytes: the warp reads millions of pixels.
        let rgb = &self.rgb[start..start + 3];
        [rgb[0], rgb[1], rgb[2]]
    }
}

/// Whether `rgb` fills a picture of this size exactly.
pub(crate) fn check(width_px: u32, height_px: u32, rgb: &[u8]) -> Result<(), FrameError> {
    if width_px == 0 || height_px == 0 {
        return Err(FrameError::Empty {
            width_px,
            height_px,
        });
    }
    // Saturating: a size beyond u64 is certainly not what was given.
    let expected = (u64::from(width_px) * u64::from(height_px)).saturating_mul(3);
    if expected != rgb.len() as u64 {
        return Err(FrameError::WrongLength {
            width_px,
            height_px,
            expected,
            found: rgb.len(),
        });
    }
    Ok(())
}

impl fmt::Debug for Frame {
    /// The size alone, so that no face reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({}x{})", self.width_px, self.height_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_exactly_the_stated_size() {
        let frame = Frame::new(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!((frame.width_px(), frame.height_px()), (2, 1));
        assert_eq!(frame.pixel(1, 0), [4, 5, 6]);
        assert_eq!(Frame::from_image(frame.clone().into_image()), frame);
        assert_eq!(format!("{frame:?}"), "Frame(2x1)");
    }

    #[test]
    fn refuses_other_sizes() {
        for (name, width, height, length) in [
            ("no width", 0, 4, 0),
            ("no height", 4, 0, 0),
            ("short", 2, 2, 11),
            ("long", 2, 2, 13),
            ("huge", u32::MAX, u32::MAX, 12),
        ] {
            assert!(
                Frame::new(width, height, vec![0; length]).is_err(),
                "{name}"
            );
        }
        let error = Frame::new(2, 2, vec![0; 11]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected 12 bytes for 2x2 RGB pixels, found 11; check size and pixel format of the source"
        );
    }
}
