//! The picture of the house: a PNG file with size limits, scaled once and laid over the ground.

use std::io::Read;
use std::path::{Path, PathBuf};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use image::{ImageFormat, ImageReader, Limits, RgbaImage};

use super::canvas::Canvas;

/// The largest file that is read.
pub const MOST_BYTES: u64 = 1 << 20;
/// The longest side of the picture in it.
pub const MOST_SIDE_PX: u32 = 2048;
/// The shortest: smaller ones would be blurred.
pub const LEAST_SIDE_PX: u32 = 32;

/// Why a picture cannot be the logo.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// The file could not be read.
    #[error("expected a logo in {}, found: {source}; name a PNG file that can be read, or none", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is too large.
    #[error("expected a logo of at most 1 MiB in {}, found more; save it smaller", path.display())]
    Heavy {
        /// The file.
        path: PathBuf,
    },
    /// It is no PNG picture.
    #[error("expected a PNG picture in {}, found: {reason}; save the logo as PNG", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Its sides are too short or too long.
    #[error(
        "expected a logo with sides of {LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels in {}, found {width}x{height}; \
         save it in another size",
        path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
}

/// A logo, in the size it is shown.
#[derive(PartialEq)]
pub struct Logo {
    picture: RgbaImage,
}

impl Logo {
    /// Reads the PNG file at `path` and scales it into `most` pixels, keeping its shape and never enlarging it.
    ///
    /// # Errors
    /// [`LogoError`]; no more than the limits is ever read or decoded.
    pub fn read(path: &Path, most: Size) -> Result<Self, LogoError> {
        let path = path.to_owned();
        let mut bytes = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
        if let Err(source) = read {
            return Err(LogoError::Read { path, source });
        }
        if bytes.len() as u64 > MOST_BYTES {
            return Err(LogoError::Heavy { path });
        }
        let cursor = std::io::Cursor::new(bytes.as_slice());
        let dimensions =
            ImageReader::with_format(cursor.clone(), ImageFormat::Png).into_dimensions();
        let (width, height) = match dimensions {
            Ok(dimensions) => dimensions,
            Err(error) => {
                let reason = error.to_string();
                return Err(LogoError::Picture { path, reason });
            }
        };
        let allowed = LEAST_SIDE_PX..=MOST_SIDE_PX;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            return Err(LogoError::Size {
                path,
                width,
                height,
            });
        }
        let mut reader = ImageReader::with_format(cursor, ImageFormat::Png);
        let mut limits = Limits::default();
        limits.max_alloc = Some(64 << 20);
        reader.limits(limits);
        let picture = match reader.decode() {
            Ok(picture) => picture.into_rgba8(),
            Err(error) => {
                let reason = error.to_string();
                return Err(LogoError::Picture { path, reason });
            }
        };
        let share = (f64::from(most.width) / f64::from(width))
            .min(f64::from(most.height) / f64::from(height))
            .min(1.0);
        let side = |length: u32| ((f64::from(length) * share).round() as u32).max(1);
        let picture = image::imageops::resize(
            &picture,
            side(width),
            side(height),
            image::imageops::FilterType::CatmullRom,
        );
        Ok(Self { picture })
    }

    /// Its size in pixels.
    pub fn size(&self) -> Size {
        Size::new(self.picture.width(), self.picture.height())
    }

    /// Draws it with its upper left corner at that of `area`.
    pub(super) fn draw(&self, canvas: &mut Canvas, area: Rectangle) {
        for (x, y, pixel) in self.picture.enumerate_pixels() {
            let [red, green, blue, opacity] = pixel.0;
            if opacity > 0 {
                canvas.blend(
                    area.top_left + Point::new(x as i32, y as i32),
                    Rgb888::new(red, green, blue),
                    f32::from(opacity) / 255.0,
                );
            }
        }
    }
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Size { width, height } = self.size();
        write!(f, "Logo({width}x{height})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_keeps_its_shape_and_others_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let save = |name: &str, width, height| {
            RgbaImage::from_pixel(width, height, image::Rgba([255, 0, 0, 128]))
                .save(path(name))
                .unwrap();
        };
        save("wide.png", 600, 200);
        save("small.png", 40, 40);
        save("tiny.png", 16, 16);
        save("long.png", 2049, 32);
        std::fs::write(path("text.png"), "no picture").unwrap();
        std::fs::write(path("heavy.png"), vec![0; (1 << 20) + 1]).unwrap();
        let whole = std::fs::read(path("wide.png")).unwrap();
        std::fs::write(path("cut.png"), &whole[..whole.len() / 2]).unwrap();
        let most = Size::new(300, 300);
        let read = |name: &str| Logo::read(&path(name), most);
        assert_eq!(read("wide.png").unwrap().size(), Size::new(300, 100));
        assert_eq!(read("small.png").unwrap().size(), Size::new(40, 40));
        for (name, named) in [
            ("tiny.png", "found 16x16"),
            ("long.png", "found 2049x32"),
            ("text.png", "PNG"),
            ("heavy.png", "1 MiB"),
            ("cut.png", "PNG picture"),
            ("none.png", "none.png"),
        ] {
            let message = read(name).unwrap_err().to_string();
            assert!(
                message.contains(named) && message.contains("; "),
                "{name}: {message}"
            );
        }
    }
}
