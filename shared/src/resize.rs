//! A part of a picture at another size, for detectors, networks, screens and varied training pictures alike.
//!
//! The only place that calls `fast_image_resize`, and for RGB8 alone: its call for pixels of any kind brings
//! code for all of them, three megabytes.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{ResizeAlg, ResizeOptions};

use crate::frame::Frame;

/// How pixels are weighed; every one of them is, whatever the scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// By their distance: soft, and without rings around edges.
    Bilinear,
    /// Sharper.
    Lanczos3,
}

/// A part of a picture, in its pixels; its corners are those of pixels, not their centers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// From the picture's left edge.
    pub left: f64,
    /// From the picture's upper edge.
    pub top: f64,
    /// More than 0.
    pub width: f64,
    /// More than 0.
    pub height: f64,
}

/// Why a part cannot be scaled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("expected a part of a picture of {width_px}x{height_px} pixels, found {part:?}: {reason}")]
pub struct ResizeError {
    width_px: u32,
    height_px: u32,
    part: Part,
    reason: String,
}

/// Scales pictures; keeps its memory from one to the next.
#[derive(Clone, Debug, Default)]
pub struct Resizer(fast_image_resize::Resizer);

impl Resizer {
    /// A whole picture at another size, RGB8, row-major.
    pub fn whole(&mut self, picture: &Frame, size: (u32, u32), filter: Filter) -> Vec<u8> {
        let part = Part {
            left: 0.0,
            top: 0.0,
            width: picture.width_px().into(),
            height: picture.height_px().into(),
        };
        let mut to = vec![0; 3 * size.0 as usize * size.1 as usize];
        self.part(picture, part, size, filter, &mut to)
            .expect("a whole picture is a part of it");
        to
    }

    /// A part of a picture at another size, into `to`: RGB8, row-major.
    ///
    /// # Errors
    /// [`ResizeError`] when the part is empty or reaches beyond the picture.
    ///
    /// # Panics
    /// When `to` holds less than the size asks for.
    pub fn part(
        &mut self,
        picture: &Frame,
        part: Part,
        (width_px, height_px): (u32, u32),
        filter: Filter,
        to: &mut [u8],
    ) -> Result<(), ResizeError> {
        let size = (picture.width_px(), picture.height_px());
        let source = TypedImageRef::<U8x3>::from_buffer(size.0, size.1, picture.rgb())
            .expect("a frame holds width x height x 3 bytes");
        let mut target = TypedImage::<U8x3>::from_buffer(width_px, height_px, to)
            .expect("room for width x height x 3 bytes");
        let filter = match filter {
            Filter::Bilinear => fast_image_resize::FilterType::Bilinear,
            Filter::Lanczos3 => fast_image_resize::FilterType::Lanczos3,
        };
        let options = ResizeOptions::new()
            .crop(part.left, part.top, part.width, part.height)
            .resize_alg(ResizeAlg::Convolution(filter));
        let resized = self.0.resize_typed(&source, &mut target, &options);
        resized.map_err(|error| ResizeError {
            width_px: size.0,
            height_px: size.1,
            part,
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the library's call for pixels of any kind makes is what ours makes.
    #[test]
    fn a_part_is_what_the_library_makes_of_it() {
        let rgb: Vec<u8> = (0..40 * 30 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let frame = Frame::new(40, 30, rgb).unwrap();
        let part = Part {
            left: 3.25,
            top: 2.5,
            width: 30.0,
            height: 20.5,
        };
        let pixel = fast_image_resize::PixelType::U8x3;
        let source = fast_image_resize::images::ImageRef::new(40, 30, frame.rgb(), pixel).unwrap();
        for (filter, theirs) in [
            (Filter::Bilinear, fast_image_resize::FilterType::Bilinear),
            (Filter::Lanczos3, fast_image_resize::FilterType::Lanczos3),
        ] {
            let options = ResizeOptions::new()
                .crop(part.left, part.top, part.width, part.height)
                .resize_alg(ResizeAlg::Convolution(theirs));
            let mut expected = fast_image_resize::images::Image::new(16, 9, pixel);
            fast_image_resize::Resizer::new()
                .resize(&source, &mut expected, &options)
                .unwrap();
            let mut found = vec![0; 16 * 9 * 3];
            Resizer::default()
                .part(&frame, part, (16, 9), filter, &mut found)
                .unwrap();
            assert_eq!(found, expected.buffer());
        }
        let same = Resizer::default().whole(&frame, (40, 30), Filter::Bilinear);
        assert_eq!(same, frame.rgb());
    }

    #[test]
    fn a_part_beyond_the_picture_is_refused_in_words() {
        let frame = Frame::new(4, 4, vec![9; 48]).unwrap();
        let part = Part {
            left: 2.0,
            top: 0.0,
            width: 3.0,
            height: 4.0,
        };
        let mut to = [0; 12];
        let refused = Resizer::default().part(&frame, part, (2, 2), Filter::Bilinear, &mut to);
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("4x4") && said.contains("left: 2.0"), "{said}");
    }
}
