//! A picture file becomes a frame: upright, RGB8, told by its content and never by its name.

mod jpeg;

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use crate::frame::Frame;

/// Longest picture file read, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 << 20;
/// Most pixels decoded, enough for a camera of 100 megapixels.
pub const MAX_PIXELS: u64 = 100_000_000;
/// Most memory that decoding may take for its pixels, in bytes.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Why a file is no picture that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or read.
    #[error("expected a readable picture at {path}, found: {source}; check path and permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no bytes.
    #[error("expected a picture in {path}, found an empty file; copy it again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The content is of no known picture format.
    #[error(
        "expected a JPEG, PNG, WebP or BMP picture in {path}, found other content; convert it to one of these"
    )]
    NotAPicture {
        /// The file.
        path: PathBuf,
    },
    /// The file ends before its picture does.
    #[error(
        "expected a whole picture in {path}, found it cut short after {found_bytes} bytes; copy it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes there were.
        found_bytes: u64,
    },
    /// The picture is larger than is ever decoded.
    #[error(
        "expected a picture of at most {expected} {unit} in {path}, found {found}; make it smaller"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is counted.
        unit: &'static str,
        /// The limit.
        expected: u64,
        /// What there is, or at least what there is.
        found: u64,
    },
    /// The content contradicts its own format.
    #[error("expected a sound picture in {path}, found: {reason}; save or copy it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder said, in one line.
        reason: String,
    },
}

/// Reads a picture file.
///
/// EXIF orientation is applied; grey, palette, 16-bit and CMYK become RGB8, transparency is laid
/// on white. Color profiles are ignored: the bytes count as sRGB.
///
/// # Errors
/// [`PictureError`], naming the file, for whatever is not one whole picture within the limits.
pub fn read(path: &Path) -> Result<Frame, PictureError> {
    let unreadable = |source| PictureError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a longer file is told from one that just fits.
    File::open(path)
        .map_err(unreadable)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    decode(&bytes, path)
}

/// Decodes a picture's bytes as [`read`] does; `name` only stands in messages.
///
/// A decoder that panics has met a damaged picture: that costs the one picture, not the run.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8], name: &Path) -> Result<Frame, PictureError> {
    guarded(name, || decode_unguarded(bytes, name))
}

fn guarded(
    name: &Path,
    decode: impl FnOnce() -> Result<Frame, PictureError>,
) -> Result<Frame, PictureError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(PictureError::Damaged {
            path: name.to_owned(),
            reason: "its decoder panicked".to_owned(),
        })
    })
}

fn decode_unguarded(bytes: &[u8], name: &Path) -> Result<Frame, PictureError> {
    let path = || name.to_owned();
    if bytes.is_empty() {
        return Err(PictureError::Empty { path: path() });
    }
    limit(name, "bytes", MAX_FILE_BYTES, bytes.len() as u64)?;

    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|source| PictureError::Read {
            path: path(),
            source,
        })?;
    let Some(format) = reader.format().filter(|format| format.reading_enabled()) else {
        return Err(PictureError::NotAPicture { path: path() });
    };
    // The JPEG decoder fills what is missing with grey; a face with half its rows is no face.
    if format == image::ImageFormat::Jpeg && !jpeg::is_whole(bytes) {
        return Err(PictureError::Truncated {
            path: path(),
            found_bytes: bytes.len() as u64,
        });
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);

    let failed = |error| explain(error, name, bytes.len() as u64);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limit(
        name,
        "pixels",
        MAX_PIXELS,
        u64::from(width) * u64::from(height),
    )?;
    limit(
        name,
        "decoded bytes",
        MAX_DECODED_BYTES,
        decoder.total_bytes(),
    )?;
    // A broken EXIF block costs the orientation, not the picture.
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    picture.apply_orientation(orientation);
    if picture.width() == 0 || picture.height() == 0 {
        return Err(PictureError::NotAPicture { path: path() });
    }
    Ok(Frame::from_image(opaque(picture)))
}

fn limit(name: &Path, unit: &'static str, expected: u64, found: u64) -> Result<(), PictureError> {
    if found <= expected {
        return Ok(());
    }
    Err(PictureError::TooLarge {
        path: name.to_owned(),
        unit,
        expected,
        found,
    })
}

/// The picture in RGB8, what is transparent laid on white.
fn opaque(picture: DynamicImage) -> image::RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let rgba = picture.into_rgba8();
    let (width, height) = rgba.dimensions();
    image::RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, alpha] = rgba.get_pixel(x, y).0;
        image::Rgb([red, green, blue].map(|value| on_white(value, alpha)))
    })
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    // Rounded to nearest; the result is at most 255.
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// What a decoder's error means for the person who holds the file.
fn explain(error: ImageError, name: &Path, found_bytes: u64) -> PictureError {
    let path = name.to_owned();
    match error {
        ImageError::IoError(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            PictureError::Truncated { path, found_bytes }
        }
        ImageError::IoError(source) => PictureError::Read { path, source },
        other => PictureError::Damaged {
            path,
            reason: other
                .to_string()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_decoder_is_a_damaged_picture() {
        let error = guarded(Path::new("ada.jpg"), || panic!("an index out of bounds"));
        let said = error.unwrap_err().to_string();
        assert!(
            said.contains("ada.jpg") && said.contains("panicked"),
            "{said}"
        );
    }
}
