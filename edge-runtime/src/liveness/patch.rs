//! The mean light of small places on and around a face: what the checks measure instead of looking at pictures.

use std::sync::LazyLock;

use shared::frame::Frame;
use shared::geometry::{Point, Rect};
use shared::landmarks::Landmarks;

/// Samples along each side of a patch; noise of single pixels averages out over 400 of them.
const GRID: u32 = 20;

/// Byte value from which a channel counts as overexposed: its light is no longer told.
const CLIPPED: u8 = 250;

/// The face's own coordinates: origin between the eyes, `u` towards the eye that is right in the picture, `v` down
/// the face, both in distances between the eyes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FaceAxes {
    origin: Point,
    along: Point,
}

/// The light of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Light {
    /// Mean of red, green, blue in linear light, 0 to 1.
    pub(super) rgb: [f32; 3],
    /// Share of samples with an overexposed channel, 0 to 1.
    pub(super) clipped: f32,
}

/// A patch of a face: middle and half extent, in the face's coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Patch {
    pub(super) middle: (f32, f32),
    pub(super) half: (f32, f32),
}

/// Linear light of an sRGB byte, 0 to 1 (IEC 61966-2-1).
///
/// A camera's own curve differs from it; what is measured here are changes, so that the difference bends gains a little
/// and turns no color into another.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let value = byte as f32 / 255.0;
        match value <= 0.040_45 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    })
});

/// Linear light of an sRGB byte.
pub(super) fn linear(byte: u8) -> f32 {
    LINEAR[usize::from(byte)]
}

impl FaceAxes {
    /// The coordinates of a face with these landmarks; none when the eyes lie in one point or nowhere.
    pub(super) fn of(landmarks: &Landmarks) -> Option<FaceAxes> {
        let [left, right, ..] = landmarks.0;
        let axes = FaceAxes {
            origin: Point::new((left.x + right.x) / 2.0, (left.y + right.y) / 2.0),
            along: Point::new(right.x - left.x, right.y - left.y),
        };
        (landmarks.is_finite() && axes.eye_distance_px() > 0.0).then_some(axes)
    }

    /// Distance between the eyes, in pixels.
    pub(super) fn eye_distance_px(&self) -> f32 {
        self.along.x.hypot(self.along.y)
    }

    /// Where (u, v) lies in the frame.
    pub(super) fn at(&self, u: f32, v: f32) -> Point {
        Point::new(
            self.origin.x + u * self.along.x - v * self.along.y,
            self.origin.y + u * self.along.y + v * self.along.x,
        )
    }

    /// The light of a patch; none when part of it lies beyond the frame.
    pub(super) fn light(&self, frame: &Frame, patch: &Patch) -> Option<Light> {
        let mut sum = Sum::default();
        for (across, down) in grid() {
            let point = self.at(
                patch.middle.0 + patch.half.0 * across,
                patch.middle.1 + patch.half.1 * down,
            );
            sum.add(pixel(frame, point)?);
        }
        sum.mean()
    }
}

/// The light of the room beside and above a face's box; none when less than a quarter of that lies in the frame.
///
/// Below are clothes, which are as near to the screen as the face.
pub(super) fn background(frame: &Frame, bounds: &Rect) -> Option<Light> {
    let boxes = [
        // Left, right and above, in widths and heights of the box.
        (-0.85, -0.1, 0.6, 0.6),
        (1.25, -0.1, 0.6, 0.6),
        (-0.2, -0.75, 1.4, 0.45),
    ];
    let mut sum = Sum::default();
    for (left, top, width, height) in boxes {
        for (across, down) in grid() {
            sum.add_if(pixel(
                frame,
                Point::new(
                    bounds.left + bounds.width * (left + width * (across + 1.0) / 2.0),
                    bounds.top + bounds.height * (top + height * (down + 1.0) / 2.0),
                ),
            ));
        }
    }
    (sum.samples >= 3 * GRID * GRID / 4).then(|| sum.mean())?
}

/// Places within a square from -1 to 1.
fn grid() -> impl Iterator<Item = (f32, f32)> {
    let place = |index: u32| (index as f32 + 0.5) / GRID as f32 * 2.0 - 1.0;
    (0..GRID).flat_map(move |y| (0..GRID).map(move |x| (place(x), place(y))))
}

fn pixel(frame: &Frame, at: Point) -> Option<[u8; 3]> {
    let (x, y) = (at.x.round(), at.y.round());
    let inside =
        x >= 0.0 && y >= 0.0 && x < frame.width_px() as f32 && y < frame.height_px() as f32;
    inside.then(|| frame.pixel(x as u32, y as u32))
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rgb: [f32; 3],
    clipped: u32,
    samples: u32,
}

impl Sum {
    fn add(&mut self, pixel: [u8; 3]) {
        for (sum, byte) in self.rgb.iter_mut().zip(pixel) {
            *sum += linear(byte);
        }
        self.clipped += u32::from(pixel.iter().any(|byte| *byte >= CLIPPED));
        self.samples += 1;
    }

    fn add_if(&mut self, pixel: Option<[u8; 3]>) {
        if let Some(pixel) = pixel {
            self.add(pixel);
        }
    }

    fn mean(&self) -> Option<Light> {
        let samples = self.samples as f32;
        (self.samples > 0).then(|| Light {
            rgb: self.rgb.map(|sum| sum / samples),
            clipped: self.clipped as f32 / samples,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landmarks() -> Landmarks {
        let point = |x, y| Point { x, y };
        Landmarks([
            point(20.0, 30.0),
            point(40.0, 30.0),
            point(30.0, 40.0),
            point(24.0, 50.0),
            point(36.0, 50.0),
        ])
    }

    #[test]
    fn coordinates_turn_with_the_face() {
        for turn in [0.0_f32, 0.4, -1.2] {
            let turned = landmarks().0.map(|p| {
                let (sin, cos) = turn.sin_cos();
                Point::new(cos * p.x - sin * p.y + 50.0, sin * p.x + cos * p.y + 50.0)
            });
            let axes = FaceAxes::of(&Landmarks(turned)).unwrap();
            assert!((axes.eye_distance_px() - 20.0).abs() < 1e-3);
            let nose = axes.at(0.0, 0.5);
            let away = (nose.x - turned[2].x).hypot(nose.y - turned[2].y);
            assert!(away < 1e-3, "{turn}: {nose:?}");
        }
        let mut nowhere = landmarks();
        nowhere.0[1] = nowhere.0[0];
        assert_eq!(FaceAxes::of(&nowhere), None);
    }

    #[test]
    fn light_is_linear_and_told_where_the_patch_is() {
        let mut rgb = vec![0; 3 * 100 * 100];
        for y in 20..40 {
            for x in 20..40 {
                rgb[3 * (y * 100 + x)..][..3].copy_from_slice(&[188, 0, 255]);
            }
        }
        let frame = Frame::new(100, 100, rgb).unwrap();
        let axes = FaceAxes::of(&landmarks()).unwrap();
        let patch = Patch {
            middle: (0.0, 0.0),
            half: (0.2, 0.2),
        };
        let light = axes.light(&frame, &patch).unwrap();
        assert!(
            (light.rgb[0] - 0.5).abs() < 0.005,
            "188 is half the light: {light:?}"
        );
        assert_eq!((light.rgb[1], light.clipped), (0.0, 1.0));
        let beyond = Patch {
            middle: (0.0, -2.0),
            half: (0.2, 0.2),
        };
        assert_eq!(axes.light(&frame, &beyond), None);
    }

    #[test]
    fn the_room_needs_a_quarter_of_itself() {
        let frame = Frame::new(100, 100, vec![100; 3 * 100 * 100]).unwrap();
        let bounds = |left, side| Rect {
            left,
            top: 40.0,
            width: side,
            height: side,
        };
        assert!(background(&frame, &bounds(40.0, 30.0)).is_some());
        assert_eq!(background(&frame, &bounds(0.0, 100.0)), None);
    }
}
