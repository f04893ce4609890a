//! How a camera lays its pixels out in memory, and which layouts can be read.

use std::fmt;

use super::orientation::Orientation;

/// A layout of pixels that can be turned into a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// JPEG pictures one after the other; V4L2 calls them `MJPG` or `JPEG`.
    Mjpg,
    /// Luma and chroma in turn, two pixels in four bytes.
    Yuyv,
    /// As `YUYV`, chroma first.
    Uyvy,
    /// A plane of luma, then one of interleaved chroma at half the size.
    Nv12,
    /// Red, green, blue.
    Rgb3,
    /// Blue, green, red.
    Bgr3,
    /// Luma alone, eight bits.
    Grey,
    /// A picture file of any size and format, as recordings of pictures hold them; no camera gives these.
    File,
}

impl PixelFormat {
    /// All that a camera may give, best known first.
    pub const OF_CAMERAS: [Self; 7] = [
        Self::Mjpg,
        Self::Yuyv,
        Self::Nv12,
        Self::Uyvy,
        Self::Rgb3,
        Self::Bgr3,
        Self::Grey,
    ];

    /// The format that V4L2 calls by this name, if it can be read.
    pub fn of_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Some(match &fourcc {
            b"MJPG" | b"JPEG" => Self::Mjpg,
            b"YUYV" => Self::Yuyv,
            b"UYVY" => Self::Uyvy,
            b"NV12" => Self::Nv12,
            b"RGB3" => Self::Rgb3,
            b"BGR3" => Self::Bgr3,
            b"GREY" => Self::Grey,
            _ => return None,
        })
    }

    /// V4L2's name for it.
    pub const fn fourcc(self) -> [u8; 4] {
        match self {
            Self::Mjpg | Self::File => *b"MJPG",
            Self::Yuyv => *b"YUYV",
            Self::Uyvy => *b"UYVY",
            Self::Nv12 => *b"NV12",
            Self::Rgb3 => *b"RGB3",
            Self::Bgr3 => *b"BGR3",
            Self::Grey => *b"GREY",
        }
    }

    /// Bytes that a row of `width_px` pixels takes at least; in `NV12` those of its luma. None for pictures in files.
    pub(crate) const fn row_bytes(self, width_px: u32) -> Option<usize> {
        let width = width_px as usize;
        match self {
            Self::Mjpg | Self::File => None,
            Self::Yuyv | Self::Uyvy => Some(2 * width),
            Self::Rgb3 | Self::Bgr3 => Some(3 * width),
            Self::Nv12 | Self::Grey => Some(width),
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mjpg => "MJPG",
            Self::Yuyv => "YUYV",
            Self::Uyvy => "UYVY",
            Self::Nv12 => "NV12",
            Self::Rgb3 => "RGB3",
            Self::Bgr3 => "BGR3",
            Self::Grey => "GREY",
            Self::File => "picture files",
        })
    }
}

/// Which numbers stand for which colors in luma and chroma.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colors {
    /// By the weights of BT.709 instead of BT.601.
    pub bt709: bool,
    /// Luma from 0 to 255 instead of 16 to 235.
    pub full_range: bool,
}

/// What a camera was brought to give.
#[derive(Clone, Debug, PartialEq)]
pub struct Negotiated {
    /// How pixels are laid out.
    pub format: PixelFormat,
    /// Width before it is turned upright, in pixels.
    pub width_px: u32,
    /// Height before it is turned upright, in pixels.
    pub height_px: u32,
    /// Bytes from one row to the next, at least those that a row takes; 0 for pictures in files.
    pub stride_bytes: usize,
    /// What luma and chroma mean.
    pub colors: Colors,
    /// Frames per second, as far as the camera says.
    pub frames_per_second: Option<f64>,
    /// How frames are turned upright.
    pub orientation: Orientation,
    /// Whether frames that equal one another byte by byte are nothing strange: in a recording they are not.
    pub may_repeat: bool,
}

impl Negotiated {
    /// Bytes of one frame without anything after its last pixel; `None` where frames differ in length.
    pub(crate) fn least_bytes(&self) -> Option<usize> {
        let row = self.format.row_bytes(self.width_px)?;
        let rows = self.height_px as usize;
        let all_but_last = self.stride_bytes.checked_mul(rows.checked_sub(1)?)?;
        match self.format {
            // The chroma has rows of the same length, half as many.
            PixelFormat::Nv12 => self.stride_bytes.checked_mul(rows + rows.div_ceil(2)),
            _ => all_but_last.checked_add(row),
        }
    }
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.format, self.width_px, self.height_px)?;
        if let Some(rate) = self.frames_per_second {
            write!(f, " at {} frames per second", Rate(rate))?;
        }
        Ok(())
    }
}

/// A rate with no more decimals than it needs.
struct Rate(f64);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", (self.0 * 100.0).round() / 100.0)
    }
}

/// Why a layout of pixels that a camera offers cannot be read, in words, and what to do.
pub(crate) fn unsupported(fourcc: [u8; 4]) -> (String, &'static str) {
    let name = String::from_utf8_lossy(&fourcc).trim_end().to_owned();
    // Raw Bayer formats: BA81, GBRG, GRBG, RGGB, and their 10 to 16 bit and packed forms.
    let bayer: [&[u8]; 14] = [
        b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG1", b"GB1", b"BA1", b"RG1", b"BYR2", b"pBA",
        b"pGA", b"pgA", b"pRA", b"GR1",
    ];
    if bayer.iter().any(|start| fourcc.starts_with(start)) || fourcc.ends_with(b"CAA") {
        return (
            format!("{name} is raw Bayer: one color a pixel, without white balance"),
            "put an image signal processor before it (libcamera with v4l2loopback), or use a USB camera",
        );
    }
    match &fourcc {
        b"H264" | b"HEVC" | b"VP80" | b"VP90" | b"MPG4" | b"S264" => (
            format!(
                "{name} is compressed video, in which a frame cannot be read without those before it"
            ),
            "choose a camera or a mode with MJPG or YUYV",
        ),
        b"NM12" | b"NM21" | b"YM12" | b"YM21" | b"NM16" => (
            format!("{name} lies in several buffers (multiplanar)"),
            "use a node of the same camera with NV12, or v4l2loopback before it",
        ),
        b"Z16 " | b"Y12I" | b"INZI" => (
            format!("{name} is depth, not a picture"),
            "use the color node of the same camera",
        ),
        _ => (
            format!("{name} is not among the layouts that are read"),
            "choose a mode with MJPG, YUYV, UYVY, NV12, RGB3, BGR3 or GREY",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for format in PixelFormat::OF_CAMERAS {
            assert_eq!(PixelFormat::of_fourcc(format.fourcc()), Some(format));
            assert_eq!(format.to_string().as_bytes(), format.fourcc());
        }
        assert_eq!(PixelFormat::of_fourcc(*b"JPEG"), Some(PixelFormat::Mjpg));
    }

    #[test]
    fn what_is_not_read_says_why() {
        for (fourcc, word) in [
            (*b"RGGB", "Bayer"),
            (*b"BG10", "Bayer"),
            (*b"pBAA", "Bayer"),
            (*b"BYR2", "Bayer"),
            (*b"H264", "compressed video"),
            (*b"NM12", "multiplanar"),
            (*b"Z16 ", "depth"),
            (*b"XR24", "not among"),
        ] {
            assert_eq!(PixelFormat::of_fourcc(fourcc), None);
            let (why, remedy) = unsupported(fourcc);
            assert!(why.contains(word), "{why}");
            assert!(!remedy.is_empty());
        }
    }

    #[test]
    fn bytes_of_a_frame() {
        let negotiated = |format, stride_bytes| Negotiated {
            format,
            width_px: 4,
            height_px: 3,
            stride_bytes,
            colors: Colors::default(),
            frames_per_second: Some(29.97),
            orientation: Orientation::default(),
            may_repeat: false,
        };
        for (format, stride, expected) in [
            (PixelFormat::Yuyv, 8, Some(24)),
            (PixelFormat::Yuyv, 16, Some(40)),
            (PixelFormat::Nv12, 4, Some(20)),
            (PixelFormat::Nv12, 8, Some(40)),
            (PixelFormat::Rgb3, 12, Some(36)),
            (PixelFormat::Grey, 5, Some(14)),
            (PixelFormat::Mjpg, 0, None),
        ] {
            assert_eq!(negotiated(format, stride).least_bytes(), expected);
        }
        assert_eq!(
            negotiated(PixelFormat::Yuyv, 8).to_string(),
            "YUYV 4x3 at 29.97 frames per second"
        );
    }
}
