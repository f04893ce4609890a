//! Faces as tiles of a few large JPEG pictures, which a page can hold within itself.

use image::codecs::jpeg::JpegEncoder;
use image::{ImageError, RgbImage, imageops};

use crate::embeddings::{EmbeddingsError, Face};
use crate::parallel;

/// Tiles of a sheet, in rows of [`COLUMNS`].
pub const TILES: usize = 1024;
/// Tiles beside each other.
pub const COLUMNS: usize = 32;
const QUALITY: u8 = 78;
/// More faces than this get smaller tiles, so that the page stays below 30 MB.
const MANY: usize = 6000;

/// Sheets of faces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheets {
    /// Side of a tile in pixels; 0 without sheets.
    pub side_px: u32,
    /// JPEG files, [`TILES`] faces each.
    pub jpegs: Vec<Vec<u8>>,
}

/// Why there are no sheets.
#[derive(Debug, thiserror::Error)]
pub enum SpritesError {
    /// A face cannot be cut out again.
    #[error(transparent)]
    Face(#[from] EmbeddingsError),
    /// JPEG does not take it.
    #[error("cannot write a sheet of faces: {0}")]
    Jpeg(#[from] ImageError),
}

/// The faces in their order, on all cores under a progress bar.
///
/// # Errors
/// [`SpritesError`], of a picture that has gone since it was embedded, say.
pub fn sheets(faces: &[Face]) -> Result<Sheets, SpritesError> {
    let side_px = if faces.len() > MANY { 48 } else { 64 };
    let parts: Vec<&[Face]> = faces.chunks(TILES).collect();
    let one = |(): &mut (), part: &&[Face]| -> Result<Vec<u8>, SpritesError> {
        let rows = part.len().div_ceil(COLUMNS) as u32;
        let mut sheet = RgbImage::new(COLUMNS as u32 * side_px, rows * side_px);
        for (index, face) in part.iter().enumerate() {
            let tile = face.thumbnail(side_px)?;
            let (column, row) = (index % COLUMNS, index / COLUMNS);
            let place = |index: usize| index as i64 * i64::from(side_px);
            imageops::replace(&mut sheet, &tile, place(column), place(row));
        }
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&sheet)?;
        Ok(jpeg)
    };
    let weight = |part: &&[Face]| part.len();
    let jpegs = parallel::map(
        &parts,
        parallel::cores(),
        ("thumbnails", weight),
        || Ok(()),
        one,
    )?;
    Ok(Sheets { side_px, jpegs })
}

/// A JPEG file as a URI that holds it.
pub(crate) fn data_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", base64(jpeg))
}

/// Base64 (RFC 4648), for a data URI.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}
