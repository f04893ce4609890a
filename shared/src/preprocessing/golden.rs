//! The pinned bits of the recipe: the same picture gives the same numbers in training and on every device.
//!
//! A device checks them at each start: a compiler, a processor or a memory that computes otherwise makes every model and
//! every gallery void, and nothing else would notice.

use sha2::{Digest, Sha256};

use super::{ColorOrder, Preprocessing};
use crate::frame::Frame;
use crate::geometry::Point;
use crate::landmarks::Landmarks;
use crate::model_id::hex;

/// A recipe whose bits are not those that are pinned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the preprocessing recipe \"{recipe}\" to give the pinned bits {expected}, found {found}; this device computes otherwise than the trainer: do not use it, and report processor and build"
)]
pub struct GoldenError {
    /// Which recipe.
    pub recipe: &'static str,
    /// The pinned digest.
    pub expected: &'static str,
    /// What came out here.
    pub found: String,
}

/// Runs each pinned recipe on a synthetic picture and compares the bits; takes some milliseconds.
///
/// # Errors
/// [`GoldenError`] at the first recipe whose bits differ.
pub fn check() -> Result<(), GoldenError> {
    for (recipe, preprocessing, expected) in pinned() {
        let found = bits_digest(&preprocessing);
        if found != expected {
            return Err(GoldenError {
                recipe,
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// The contract between trainer and device: if a bit moves here, every shipped model and
/// every gallery is void. Change it only together with a new recipe variant. The digests were
/// computed by a second implementation, in NumPy, before this one was held to them.
fn pinned() -> [(&'static str, Preprocessing, &'static str); 3] {
    [
        (
            "usher 112",
            Preprocessing::usher(112),
            "a410196d6adf1499410970ed20bc537b00445f1d9683c5c0cd37a9534533d138",
        ),
        (
            "usher 220",
            Preprocessing::usher(220),
            "9688721bdfc86f5ebc0146dc887a99d0c42f4faf8fb22fc7a02c8153996cf3ac",
        ),
        (
            "bgr",
            Preprocessing {
                color_order: ColorOrder::Bgr,
                mean: 103.939,
                scale: 0.017,
                ..Preprocessing::usher(96)
            },
            "ba00f2b1e59b3510180ecd3fc3978c88db6e7773e63ee7e29d036bae16d32af1",
        ),
    ]
}

/// SHA-256 over the bits of the recipe's numbers, little-endian; of a picture that does not align, another digest.
fn bits_digest(recipe: &Preprocessing) -> String {
    let frame = synthetic_frame();
    let mut hash = Sha256::new();
    for landmarks in synthetic_landmarks() {
        match recipe.align(&frame, &landmarks) {
            Ok(face) => {
                for value in recipe.normalize(&face).values() {
                    hash.update(value.to_bits().to_le_bytes());
                }
            }
            Err(error) => hash.update(error.to_string()),
        }
    }
    hex(&hash.finalize())
}

/// A picture of smooth ramps under a fine integer pattern: the same bytes everywhere.
fn synthetic_frame() -> Frame {
    let (width, height) = (320_u32, 240_u32);
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let noise = x.wrapping_mul(7919) ^ y.wrapping_mul(104_729);
            rgb.extend([
                ((x * 255 / width) ^ (noise >> 3 & 15)) as u8,
                ((y * 255 / height) ^ (noise >> 7 & 31)) as u8,
                (noise & 255) as u8,
            ]);
        }
    }
    Frame::from_image(
        image::RgbImage::from_raw(width, height, rgb).expect("the loops fill the size"),
    )
}

/// A face turned and larger than the crop, one smaller, one reaching beyond the frame.
fn synthetic_landmarks() -> [Landmarks; 3] {
    [
        [
            [110.3, 80.7],
            [190.2, 95.1],
            [142.8, 131.4],
            [104.9, 165.2],
            [171.6, 178.8],
        ],
        [
            [60.25, 50.5],
            [78.75, 49.0],
            [70.0, 61.5],
            [62.5, 71.25],
            [77.0, 70.5],
        ],
        [
            [10.5, 30.25],
            [60.75, 12.5],
            [41.0, 50.0],
            [35.5, 86.0],
            [70.25, 71.5],
        ],
    ]
    .map(|points| Landmarks(points.map(|[x, y]| Point::new(x, y))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bits() {
        assert_eq!(check(), Ok(()));
    }

    #[test]
    fn other_numbers_are_other_bits() {
        let [(_, recipe, expected), ..] = pinned();
        let other = Preprocessing {
            mean: 127.500_01,
            ..recipe
        };
        assert_ne!(bits_digest(&other), expected);
    }
}
