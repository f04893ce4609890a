//! Pictures for people to look at: two faces with words below, or many under a title.

use std::convert::Infallible;
use std::io::Cursor;

use embedded_graphics::Pixel;
use embedded_graphics::mono_font::iso_8859_1::FONT_10X20;
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Point, Size};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{ImageError, ImageFormat, Rgb, RgbImage, imageops};

/// A decision for.
pub const GREEN: Rgb<u8> = Rgb([46, 160, 103]);
/// A decision against.
pub const RED: Rgb<u8> = Rgb([200, 70, 70]);
const PAPER: Rgb<u8> = Rgb([250, 249, 246]);
const INK: Rgb<u8> = Rgb([38, 40, 46]);
const FAINT: Rgb<u8> = Rgb([120, 122, 128]);
const MARGIN_PX: u32 = 20;
const LINE_PX: u32 = 28;
const FONT: MonoFont = FONT_10X20;

/// Two faces beside each other, a verdict under a bar of its color, and numbers below.
pub fn side_by_side(
    faces: &[RgbImage; 2],
    verdict: &str,
    numbers: &str,
    color: Rgb<u8>,
) -> RgbImage {
    let side = faces[0].width();
    let width = 2 * side + 3 * MARGIN_PX;
    let height = side + 2 * MARGIN_PX + 6 + 2 * LINE_PX + MARGIN_PX;
    let mut picture = RgbImage::from_pixel(width, height, PAPER);
    for (face, left) in faces.iter().zip([MARGIN_PX, side + 2 * MARGIN_PX]) {
        imageops::replace(&mut picture, face, i64::from(left), i64::from(MARGIN_PX));
    }
    let bar = side + 2 * MARGIN_PX - 8;
    fill(
        &mut picture,
        (MARGIN_PX, bar),
        (width - 2 * MARGIN_PX, 6),
        color,
    );
    let middle = width / 2;
    let top = bar + 6 + 12;
    centered(&mut picture, (middle, top), verdict, INK);
    centered(&mut picture, (middle, top + LINE_PX), numbers, FAINT);
    picture
}

/// Faces in rows under a title and a line of numbers, row by row; all of one side in pixels.
pub fn contact_sheet(faces: &[RgbImage], title: &str, numbers: &str) -> RgbImage {
    const GAP_PX: u32 = 6;
    let side = faces.first().map_or(0, RgbImage::width);
    // As wide as high, within what a screen shows.
    let columns = ((faces.len() as f64).sqrt().ceil() as u32).clamp(3, 12);
    let rows = (faces.len() as u32).div_ceil(columns);
    let step = side + GAP_PX;
    let top = MARGIN_PX + 2 * LINE_PX + 8;
    let width = columns * step - GAP_PX + 2 * MARGIN_PX;
    let height = top + (rows * step).saturating_sub(GAP_PX) + MARGIN_PX;
    let mut picture = RgbImage::from_pixel(width, height, PAPER);
    let letters = ((width - 2 * MARGIN_PX) / FONT.character_size.width) as usize;
    let fitted = |text: &str| -> String {
        match text.chars().count() <= letters {
            true => text.to_owned(),
            false => text
                .chars()
                .take(letters.saturating_sub(2))
                .chain("..".chars())
                .collect(),
        }
    };
    left(&mut picture, (MARGIN_PX, MARGIN_PX), &fitted(title), INK);
    left(
        &mut picture,
        (MARGIN_PX, MARGIN_PX + LINE_PX),
        &fitted(numbers),
        FAINT,
    );
    for (place, face) in (0_u32..).zip(faces) {
        let x = MARGIN_PX + place % columns * step;
        let y = top + place / columns * step;
        imageops::replace(&mut picture, face, i64::from(x), i64::from(y));
    }
    picture
}

/// The picture as PNG.
///
/// # Errors
/// What the encoder says.
pub fn png(picture: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn fill(picture: &mut RgbImage, place: (u32, u32), size: (u32, u32), color: Rgb<u8>) {
    let bar = RgbImage::from_pixel(size.0, size.1, color);
    imageops::replace(picture, &bar, i64::from(place.0), i64::from(place.1));
}

/// A line of text whose middle lies at that column, with its top at that row.
fn centered(picture: &mut RgbImage, place: (u32, u32), text: &str, color: Rgb<u8>) {
    line(picture, place, text, color, Alignment::Center);
}

/// A line of text that begins at that column, with its top at that row.
fn left(picture: &mut RgbImage, place: (u32, u32), text: &str, color: Rgb<u8>) {
    line(picture, place, text, color, Alignment::Left);
}

fn line(
    picture: &mut RgbImage,
    (x, y): (u32, u32),
    text: &str,
    color: Rgb<u8>,
    alignment: Alignment,
) {
    let [red, green, blue] = color.0;
    let style = MonoTextStyle::new(&FONT, Rgb888::new(red, green, blue));
    let layout = TextStyleBuilder::new()
        .alignment(alignment)
        .baseline(Baseline::Top)
        .build();
    let text = Text::with_text_style(text, Point::new(x as i32, y as i32), style, layout);
    match text.draw(&mut Canvas(picture)) {
        Ok(_) => {}
        Err(error) => match error {},
    }
}

/// A picture that `embedded-graphics` draws on; what falls outside is cut off.
struct Canvas<'a>(&'a mut RgbImage);

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        Size::new(self.0.width(), self.0.height())
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, color) in pixels {
            let place = (u32::try_from(x).ok(), u32::try_from(y).ok());
            if let (Some(x), Some(y)) = place
                && let Some(pixel) = self.0.get_pixel_mut_checked(x, y)
            {
                *pixel = Rgb([color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faces_verdict_and_numbers_have_their_place() {
        let faces =
            [[10, 20, 30], [90, 80, 70]].map(|color| RgbImage::from_pixel(64, 64, Rgb(color)));
        let picture = side_by_side(&faces, "the same person", "distance 0.123", GREEN);
        assert_eq!(picture.width(), 2 * 64 + 3 * MARGIN_PX);
        assert_eq!(picture.get_pixel(MARGIN_PX, MARGIN_PX).0, [10, 20, 30]);
        assert_eq!(
            picture.get_pixel(64 + 2 * MARGIN_PX, MARGIN_PX).0,
            [90, 80, 70]
        );
        assert!(picture.pixels().any(|pixel| *pixel == GREEN));
        let inked = |color: Rgb<u8>| picture.pixels().filter(|pixel| **pixel == color).count();
        assert!(inked(INK) > 100 && inked(FAINT) > 100);
        assert!(png(&picture).unwrap().starts_with(b"\x89PNG"));
        // A word longer than the picture is cut off, not a panic.
        side_by_side(&faces, &"word ".repeat(40), "", RED);
    }
}
