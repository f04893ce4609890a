//! A camera's bytes become a frame: by SIMD crates, into memory that is used again, and never trusting a byte.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use shared::frame::Frame;
use yuv::{
    YuvBiPlanarImage, YuvConversionMode, YuvError, YuvGrayImage, YuvPackedImage, YuvRange,
    YuvStandardMatrix,
};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::mjpg;
use super::pixel_format::{Negotiated, PixelFormat};
use super::{Captured, watch};

/// Frames whose memory is kept for the next ones.
const KEPT_FRAMES: usize = 4;

/// Why bytes of a camera are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// No bytes at all.
    #[error("expected a frame, found no bytes; check cable and power of the camera")]
    Empty,
    /// Fewer bytes than the frame has.
    #[error("expected {expected} bytes of a frame, found {found}; check cable and USB bandwidth")]
    Short {
        /// Bytes of a whole frame.
        expected: usize,
        /// Bytes there were.
        found: usize,
    },
    /// A JPEG without its end.
    #[error(
        "expected a whole JPEG, found it cut short after {found} bytes; check cable and USB bandwidth"
    )]
    CutShort {
        /// Bytes there were.
        found: usize,
    },
    /// Bytes that mean nothing.
    #[error("expected a JPEG, found {reason}; check cable and USB bandwidth")]
    Garbage {
        /// What the decoder said, in one line.
        reason: String,
    },
    /// A frame of another size than was agreed on.
    #[error(
        "expected a frame of {}x{} pixels, found {}x{}; choose another camera.width and camera.height", expected.0, expected.1, found.0, found.1
    )]
    WrongSize {
        /// Width and height agreed on.
        expected: (u32, u32),
        /// Width and height found.
        found: (u32, u32),
    },
    /// The agreed layout cannot be: a row longer than the stride, an odd width where pixels come in pairs.
    #[error("expected a sound layout of pixels, found {found}; choose another camera.format")]
    Layout {
        /// What was agreed on.
        found: String,
    },
    /// The decoder gave up in a way that it should not.
    #[error("expected a frame, found bytes on which the decoder panicked; report this camera")]
    Panicked,
    /// The driver marked the frame as damaged.
    #[error(
        "expected a sound frame, found one that the driver marks as damaged; check cable and USB bandwidth"
    )]
    Marked,
    /// Luma and chroma are the other way round.
    #[error(
        "expected {expected} pixels, found luma and chroma the other way round; set camera.format to another one"
    )]
    Swapped {
        /// The format agreed on.
        expected: PixelFormat,
    },
    /// The frame was taken before the one that came before it, or in the future.
    #[error(
        "expected frames in the order they were taken, found one from another time; report this camera"
    )]
    OutOfTime,
    /// The frame took too long to get here.
    #[error(
        "expected frames not older than 500 ms, found older ones; give the machine less to do, or report this camera"
    )]
    Late,
    /// The frame equals the one before, byte by byte.
    #[error("expected a new picture, found the one before again; check lens cover and camera")]
    Duplicate,
    /// A picture file that cannot be read.
    #[error("{0}")]
    File(String),
}

/// Kinds of faulty frames, as they are counted.
pub const FAULT_KINDS: [&str; 10] = [
    "empty",
    "short",
    "garbage",
    "wrong_size",
    "marked",
    "swapped",
    "out_of_time",
    "duplicate",
    "panicked",
    "late",
];

impl FrameFault {
    /// Its place in [`FAULT_KINDS`].
    pub(crate) fn kind(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Short { .. } | Self::CutShort { .. } => 1,
            Self::Garbage { .. } | Self::File(_) => 2,
            Self::WrongSize { .. } | Self::Layout { .. } => 3,
            Self::Marked => 4,
            Self::Swapped { .. } => 5,
            Self::OutOfTime => 6,
            Self::Duplicate => 7,
            Self::Panicked => 8,
            Self::Late => 9,
        }
    }
}

/// Checks what can be known of a frame without decoding it: its length, and a JPEG's head and end.
///
/// # Errors
/// [`FrameFault`] naming what is wrong.
pub(super) fn inspect(picture: &Negotiated, bytes: &[u8]) -> Result<(), FrameFault> {
    if bytes.is_empty() {
        return Err(FrameFault::Empty);
    }
    match picture.format {
        PixelFormat::File => Ok(()),
        PixelFormat::Mjpg => {
            let head = mjpg::head(bytes)?;
            of_size(picture, (head.width_px, head.height_px))
        }
        _ => match picture.least_bytes() {
            Some(expected) if bytes.len() >= expected => Ok(()),
            Some(expected) => Err(FrameFault::Short {
                expected,
                found: bytes.len(),
            }),
            None => Err(layout(picture, "rows without end")),
        },
    }
}

fn of_size(picture: &Negotiated, found: (u32, u32)) -> Result<(), FrameFault> {
    let expected = (picture.width_px, picture.height_px);
    if found == expected {
        Ok(())
    } else {
        Err(FrameFault::WrongSize { expected, found })
    }
}

fn layout(picture: &Negotiated, reason: &str) -> FrameFault {
    FrameFault::Layout {
        found: format!(
            "{picture} with {} bytes a row ({})",
            picture.stride_bytes,
            one_line(reason)
        ),
    }
}

/// Decodes frames one after the other, in memory of frames that nobody looks at any more.
#[derive(Default)]
pub(super) struct Decoder {
    kept: Vec<Arc<Captured>>,
    spare: Vec<u8>,
    scratch: Vec<u8>,
}

impl Decoder {
    /// Decodes `bytes` and turns the frame upright.
    ///
    /// # Errors
    /// [`FrameFault`] for whatever is not one whole frame of the agreed size; a decoder that panics costs the frame.
    pub(super) fn decode(
        &mut self,
        picture: &Negotiated,
        bytes: &[u8],
    ) -> Result<Frame, FrameFault> {
        inspect(picture, bytes)?;
        if picture.format == PixelFormat::File {
            return file(picture, bytes);
        }
        let mut rgb = self.memory();
        let scratch = &mut self.scratch;
        let decoded = contained(|| decode_into(picture, bytes, &mut rgb, scratch));
        if let Err(fault) = decoded {
            self.spare = rgb;
            return Err(fault);
        }
        let size = (picture.width_px, picture.height_px);
        let (width_px, height_px) = picture.orientation.turned(size);
        if !picture.orientation.is_upright() {
            let mut upright = self.memory();
            picture.orientation.apply(&rgb, size, &mut upright);
            self.spare = std::mem::replace(&mut rgb, upright);
        }
        Frame::new(width_px, height_px, rgb).map_err(|error| layout(picture, &error.to_string()))
    }

    /// Keeps a frame's memory for later, when nobody else holds the frame any more.
    pub(super) fn keep(&mut self, frame: &Arc<Captured>) {
        if self.kept.len() == KEPT_FRAMES {
            self.kept.remove(0);
        }
        self.kept.push(Arc::clone(frame));
    }

    fn memory(&mut self) -> Vec<u8> {
        if self.spare.capacity() > 0 {
            return std::mem::take(&mut self.spare);
        }
        let free = self
            .kept
            .iter()
            .position(|frame| Arc::strong_count(frame) == 1);
        free.and_then(|index| Arc::into_inner(self.kept.swap_remove(index)))
            .map(|captured| captured.frame.into_image().into_raw())
            .unwrap_or_default()
    }
}

/// Runs a decoder so that a panic in it costs one frame.
fn contained(decode: impl FnOnce() -> Result<(), FrameFault>) -> Result<(), FrameFault> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic: Box<dyn Any + Send>| {
        drop(panic);
        Err(FrameFault::Panicked)
    })
}

fn file(picture: &Negotiated, bytes: &[u8]) -> Result<Frame, FrameFault> {
    let frame = shared::picture::decode(bytes, Path::new("the recording"))
        .map_err(|error| FrameFault::File(error.to_string()))?;
    if picture.orientation.is_upright() {
        return Ok(frame);
    }
    let size = (frame.width_px(), frame.height_px());
    let (width_px, height_px) = picture.orientation.turned(size);
    let mut upright = Vec::new();
    picture.orientation.apply(frame.rgb(), size, &mut upright);
    Frame::new(width_px, height_px, upright).map_err(|error| layout(picture, &error.to_string()))
}

fn decode_into(
    picture: &Negotiated,
    bytes: &[u8],
    rgb: &mut Vec<u8>,
    scratch: &mut Vec<u8>,
) -> Result<(), FrameFault> {
    let (width, height) = (picture.width_px, picture.height_px);
    let length = 3_usize
        .checked_mul(width as usize)
        .and_then(|row| row.checked_mul(height as usize))
        .filter(|length| *length > 0)
        .ok_or_else(|| layout(picture, "no pixels, or too many"))?;
    rgb.resize(length, 0);
    if picture.format == PixelFormat::Mjpg {
        return jpeg(bytes, rgb, scratch);
    }
    let row = picture
        .format
        .row_bytes(width)
        .filter(|row| *row <= picture.stride_bytes)
        .ok_or_else(|| layout(picture, "less than its pixels"))?;
    raw(picture, bytes, row, rgb).map_err(|error| layout(picture, &error.to_string()))
}

fn jpeg(bytes: &[u8], rgb: &mut [u8], scratch: &mut Vec<u8>) -> Result<(), FrameFault> {
    let head = mjpg::head(bytes)?;
    mjpg::check_scan(bytes, &head)?;
    let bytes = mjpg::with_tables(bytes, &head, scratch);
    // Strict: the part of a picture that is missing would otherwise be filled with grey.
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(head.width_px as usize)
        .set_max_height(head.height_px as usize)
        .set_strict_mode(true);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder
        .decode_headers()
        .and_then(|()| {
            if decoder.output_buffer_size() == Some(rgb.len()) {
                decoder.decode_into(rgb)
            } else {
                Err(zune_jpeg::errors::DecodeErrors::FormatStatic(
                    "a size that contradicts itself",
                ))
            }
        })
        .map_err(|error| FrameFault::Garbage {
            reason: one_line(&error.to_string()),
        })
}

/// The first 80 characters, on one line: a decoder's message may hold anything.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(80)
        .collect()
}

fn raw(picture: &Negotiated, bytes: &[u8], row: usize, rgb: &mut [u8]) -> Result<(), YuvError> {
    let (width, height) = (picture.width_px, picture.height_px);
    let stride = picture.stride_bytes;
    let range = if picture.colors.full_range {
        YuvRange::Full
    } else {
        YuvRange::Limited
    };
    let matrix = if picture.colors.bt709 {
        YuvStandardMatrix::Bt709
    } else {
        YuvStandardMatrix::Bt601
    };
    let rows = bytes.chunks(stride).take(height as usize);
    match picture.format {
        PixelFormat::Rgb3 => {
            for (to, from) in rgb.chunks_exact_mut(row).zip(rows) {
                to.copy_from_slice(&from[..row]);
            }
            Ok(())
        }
        PixelFormat::Bgr3 => {
            for (to, from) in rgb.chunks_exact_mut(row).zip(rows) {
                yuv::bgr_to_rgb(&from[..row], row as u32, to, row as u32, width, 1)?;
            }
            Ok(())
        }
        PixelFormat::Grey => {
            // Full range and no chroma: each value three times.
            let gray = YuvGrayImage {
                y_plane: bytes,
                y_stride: stride as u32,
                width,
                height,
            };
            if bytes.len() < stride * height as usize {
                return packed_rows(bytes, stride, row, rgb, 3 * width as usize, |from, to| {
                    for (to, value) in to.chunks_exact_mut(3).zip(from) {
                        to.fill(*value);
                    }
                    Ok(())
                });
            }
            yuv::yuv400_to_rgb(&gray, rgb, 3 * width, YuvRange::Full, matrix)
        }
        PixelFormat::Nv12 => {
            let (luma, chroma) = bytes.split_at(stride * height as usize);
            let planes = YuvBiPlanarImage {
                y_plane: luma,
                y_stride: stride as u32,
                uv_plane: &chroma[..stride * height.div_ceil(2) as usize],
                uv_stride: stride as u32,
                width,
                height,
            };
            yuv::yuv_nv12_to_rgb(
                &planes,
                rgb,
                3 * width,
                range,
                matrix,
                YuvConversionMode::Balanced,
            )
        }
        PixelFormat::Yuyv | PixelFormat::Uyvy => {
            let convert = |yuy: &[u8], stride: usize, height: u32, rgb: &mut [u8]| {
                let packed = YuvPackedImage {
                    yuy,
                    yuy_stride: stride as u32,
                    width,
                    height,
                };
                if picture.format == PixelFormat::Yuyv {
                    yuv::yuyv422_to_rgb(&packed, rgb, 3 * width, range, matrix)
                } else {
                    yuv::uyvy422_to_rgb(&packed, rgb, 3 * width, range, matrix)
                }
            };
            match bytes.get(..stride * height as usize) {
                Some(whole) => convert(whole, stride, height, rgb),
                // The last row ends with its last pixel.
                None => packed_rows(bytes, stride, row, rgb, 3 * width as usize, |from, to| {
                    convert(from, row, 1, to)
                }),
            }
        }
        PixelFormat::Mjpg | PixelFormat::File => Err(YuvError::ZeroBaseSize),
    }
}

/// Row by row, for frames whose last row is not filled up to the stride.
fn packed_rows(
    bytes: &[u8],
    stride: usize,
    row: usize,
    rgb: &mut [u8],
    rgb_row: usize,
    convert: impl Fn(&[u8], &mut [u8]) -> Result<(), YuvError>,
) -> Result<(), YuvError> {
    for (from, to) in bytes.chunks(stride).zip(rgb.chunks_exact_mut(rgb_row)) {
        convert(&from[..row], to)?;
    }
    Ok(())
}

/// Whether luma and chroma of this frame are the other way round, for the formats where that can be told.
pub(super) fn check_order(picture: &Negotiated, bytes: &[u8]) -> watch::Order {
    let luma_at = match picture.format {
        PixelFormat::Yuyv => 0,
        PixelFormat::Uyvy => 1,
        _ => return watch::Order::Fits,
    };
    let rows = bytes
        .chunks(picture.stride_bytes.max(1))
        .take(picture.height_px as usize)
        .filter_map(|row| row.get(..2 * picture.width_px as usize));
    watch::order(rows, luma_at)
}

#[cfg(test)]
mod tests;
