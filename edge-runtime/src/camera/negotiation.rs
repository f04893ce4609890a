//! Chooses among what a camera offers: the nearest to what was asked for.

use std::cmp::Ordering;

use serde::Serialize;

use super::pixel_format::PixelFormat;
use super::settings::CameraSettings;

/// A range of sizes of one format; a single size has steps of 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Sizes {
    /// Least width and height in pixels.
    pub(crate) least: (u32, u32),
    /// Greatest width and height in pixels.
    pub(crate) most: (u32, u32),
    /// Pixels from one width, and from one height, to the next.
    pub(crate) step: (u32, u32),
}

impl Sizes {
    /// One size alone.
    pub(crate) fn only(width: u32, height: u32) -> Self {
        Self {
            least: (width, height),
            most: (width, height),
            step: (0, 0),
        }
    }

    /// The size in this range that is nearest to a wanted one.
    pub(super) fn nearest(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let side = |wanted: u32, least: u32, most: u32, step: u32| {
            let inside = wanted.clamp(least, most.max(least));
            least + (inside - least) / step.max(1) * step.max(1)
        };
        (
            side(width, self.least.0, self.most.0, self.step.0),
            side(height, self.least.1, self.most.1, self.step.1),
        )
    }
}

/// One format with its sizes, and for each the frame rates.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Offer {
    /// The format.
    #[serde(serialize_with = "as_name")]
    pub(crate) format: PixelFormat,
    /// V4L2's own name, which for `Mjpg` may be `JPEG`.
    #[serde(skip)]
    pub(crate) fourcc: [u8; 4],
    /// Sizes; none where the driver does not list them, and then any may be asked for.
    pub(crate) sizes: Vec<OfferedSize>,
}

/// Sizes and the rates at which they come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct OfferedSize {
    /// The sizes.
    pub(crate) sizes: Sizes,
    /// Frames per second, fastest first; none where the driver does not list them.
    pub(crate) rates: Vec<f64>,
}

fn as_name<S: serde::Serializer>(format: &PixelFormat, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(format)
}

/// What is asked of the camera.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Choice {
    /// The format.
    #[serde(serialize_with = "as_name")]
    pub(crate) format: PixelFormat,
    /// V4L2's own name for it.
    #[serde(skip)]
    pub(crate) fourcc: [u8; 4],
    /// Width in pixels.
    pub(crate) width_px: u32,
    /// Height in pixels.
    pub(crate) height_px: u32,
    /// Frames per second, the listed one nearest to the wanted one, or that itself.
    pub(crate) frames_per_second: f64,
}

/// Fewer frames a second make no liveness check and no smooth preview.
const LEAST_RATE: f64 = 5.0;

/// Formats for large pictures, best first: USB 2 carries 30 of 1280x720 only as JPEG.
const FOR_LARGE: [PixelFormat; 7] = [
    PixelFormat::Mjpg,
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Rgb3,
    PixelFormat::Bgr3,
    PixelFormat::Grey,
];

/// Formats for small pictures, best first: nothing is lost and nothing has to be decompressed.
const FOR_SMALL: [PixelFormat; 7] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Mjpg,
    PixelFormat::Rgb3,
    PixelFormat::Bgr3,
    PixelFormat::Grey,
];

/// The best of what is offered, `None` when no offered format may be taken.
///
/// In this order: 5 frames a second or more, the size nearest to the wanted one, a rate not below the wanted one,
/// and the format.
pub(crate) fn choose(offers: &[Offer], wanted: &CameraSettings) -> Option<Choice> {
    let size = (wanted.width, wanted.height);
    let wanted_rate = f64::from(wanted.frames_per_second);
    let only = wanted.wanted_format();
    let mut candidates = Vec::new();
    for offer in offers {
        if only.is_some_and(|only| only != offer.format) {
            continue;
        }
        let unlisted = [OfferedSize {
            sizes: Sizes::only(size.0, size.1),
            rates: Vec::new(),
        }];
        let sizes = if offer.sizes.is_empty() {
            &unlisted[..]
        } else {
            &offer.sizes[..]
        };
        for offered in sizes {
            let (width_px, height_px) = offered.sizes.nearest(size);
            candidates.push(Choice {
                format: offer.format,
                fourcc: offer.fourcc,
                width_px,
                height_px,
                frames_per_second: nearest_rate(&offered.rates, wanted_rate),
            });
        }
    }
    candidates.into_iter().min_by(|a, b| {
        let key = |choice: &Choice| {
            (
                choice.frames_per_second < LEAST_RATE.min(wanted_rate),
                size.0.abs_diff(choice.width_px) + size.1.abs_diff(choice.height_px),
            )
        };
        key(a)
            .cmp(&key(b))
            .then_with(|| shortfall(a, wanted_rate).total_cmp(&shortfall(b, wanted_rate)))
            .then_with(|| rank(a).cmp(&rank(b)))
            .then(Ordering::Equal)
    })
}

fn shortfall(choice: &Choice, wanted_rate: f64) -> f64 {
    // 29.97 for 30 is no shortfall.
    let missing = wanted_rate - choice.frames_per_second;
    if missing < 0.02 * wanted_rate {
        0.0
    } else {
        missing
    }
}

fn rank(choice: &Choice) -> usize {
    let order = if choice.width_px >= 1280 && choice.height_px >= 720 {
        FOR_LARGE
    } else {
        FOR_SMALL
    };
    order
        .iter()
        .position(|format| *format == choice.format)
        .unwrap_or(order.len())
}

fn nearest_rate(rates: &[f64], wanted: f64) -> f64 {
    rates
        .iter()
        .copied()
        .min_by(|a, b| (a - wanted).abs().total_cmp(&(b - wanted).abs()))
        .unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(format: PixelFormat, sizes: &[(u32, u32, f64)]) -> Offer {
        Offer {
            format,
            fourcc: format.fourcc(),
            sizes: sizes
                .iter()
                .map(|(width, height, rate)| OfferedSize {
                    sizes: Sizes::only(*width, *height),
                    rates: vec![*rate, rate / 2.0],
                })
                .collect(),
        }
    }

    fn chosen(offers: &[Offer], width: u32, height: u32, format: &str) -> Option<String> {
        let wanted = CameraSettings {
            width,
            height,
            format: format.to_owned().try_into().unwrap(),
            ..CameraSettings::default()
        };
        choose(offers, &wanted).map(|choice| {
            format!(
                "{} {}x{} {}",
                choice.format, choice.width_px, choice.height_px, choice.frames_per_second
            )
        })
    }

    #[test]
    fn the_nearest_is_taken() {
        use PixelFormat::{Grey, Mjpg, Nv12, Yuyv};
        let webcam = [
            offer(
                Yuyv,
                &[(640, 480, 30.0), (1280, 720, 10.0), (1920, 1080, 5.0)],
            ),
            offer(
                Mjpg,
                &[(640, 480, 30.0), (1280, 720, 30.0), (1920, 1080, 30.0)],
            ),
        ];
        let fast = [
            offer(Yuyv, &[(1280, 720, 30.0)]),
            offer(Mjpg, &[(1280, 720, 30.0)]),
        ];
        let slow = [offer(Yuyv, &[(1280, 720, 2.0), (640, 480, 30.0)])];
        let grey = [offer(Grey, &[(640, 400, 60.0)])];
        let film = [
            offer(Nv12, &[(1280, 720, 29.97)]),
            offer(Yuyv, &[(1280, 720, 29.0)]),
        ];
        for (offers, width, height, format, expected) in [
            (&webcam[..], 1280, 720, "auto", Some("MJPG 1280x720 30")),
            (&webcam[..], 640, 480, "auto", Some("YUYV 640x480 30")),
            (&webcam[..], 1280, 720, "YUYV", Some("YUYV 1280x720 10")),
            (&webcam[..], 1600, 1200, "auto", Some("MJPG 1920x1080 30")),
            (&webcam[..], 1280, 720, "NV12", None),
            (&fast[..], 1280, 720, "auto", Some("MJPG 1280x720 30")),
            (&slow[..], 1280, 720, "auto", Some("YUYV 640x480 30")),
            (&grey[..], 1280, 720, "auto", Some("GREY 640x400 30")),
            (&film[..], 1280, 720, "auto", Some("NV12 1280x720 29.97")),
            (&[][..], 1280, 720, "auto", None),
        ] {
            assert_eq!(
                chosen(offers, width, height, format).as_deref(),
                expected,
                "{width}x{height} {format}"
            );
        }
    }

    #[test]
    fn ranges_and_drivers_that_list_nothing() {
        let range = Offer {
            format: PixelFormat::Yuyv,
            fourcc: *b"YUYV",
            sizes: vec![OfferedSize {
                sizes: Sizes {
                    least: (48, 32),
                    most: (4096, 2160),
                    step: (16, 2),
                },
                rates: vec![],
            }],
        };
        assert_eq!(
            chosen(std::slice::from_ref(&range), 650, 481, "auto").as_deref(),
            Some("YUYV 640x480 30")
        );
        let silent = offer(PixelFormat::Yuyv, &[]);
        assert_eq!(
            chosen(&[silent], 640, 480, "auto").as_deref(),
            Some("YUYV 640x480 30")
        );
        // A range with steps of nothing, or upside down, does not divide by zero.
        let odd = Sizes {
            least: (100, 100),
            most: (50, 50),
            step: (0, 0),
        };
        assert_eq!(odd.nearest((640, 480)), (100, 100));
    }
}
