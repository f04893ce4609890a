//! The live picture: mirrored like a looking-glass, in a circle, with a soft box around the face that is looked at.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use shared::frame::Frame;
use shared::geometry::Rect;
use shared::resize::{Filter, Part, Resizer};

use super::canvas::Canvas;
use super::painter::Painter;
use super::shape::{Corners, Disc, Outline, RoundRect, Shape};

/// The camera's frame and the face in it that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Preview<'a> {
    /// The whole frame.
    pub frame: &'a Frame,
    /// Bounds of the face, for the box around it, in frame pixels.
    pub face: Option<Rect>,
    /// What the cut is centered on: the face, followed calmly, in frame pixels.
    pub focus: Option<Rect>,
}

impl<'a> Preview<'a> {
    /// A picture that stands alone: it looks at its face.
    pub fn of(frame: &'a Frame, face: Option<Rect>) -> Self {
        Self {
            frame,
            face,
            focus: face,
        }
    }
}

/// Height of the face that the cut aims at, as a share of its own, and the most it enlarges for that.
const FACE_SHARE: f32 = 0.44;
const LARGEST_ZOOM: f32 = 2.4;
/// Where the middle of the face comes to lie, as a share of the cut's height.
const FACE_LEVEL: f32 = 0.49;
/// A face box whose corners lie further out, as a share of the circle's radius, is left out: the ring frames the face.
const FURTHEST_CORNER: f32 = 0.93;

/// The square of the frame that fills the circle, in frame pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cut {
    left: f32,
    top: f32,
    side: f32,
}

impl Painter<'_> {
    /// Puts the live picture into `circle`, with the face box in white, which is told from any picture by its shade.
    pub(super) fn picture(&mut self, preview: &Preview<'_>, circle: Disc) {
        let cut = cut(preview);
        self.live_picture(circle, cut);
        let Some(face) = preview.face else {
            return;
        };
        let scale = 2.0 * circle.radius / cut.side;
        // A little air around the detector's box, which ends at chin and eyebrows.
        let air = 0.10 * face.width.max(face.height);
        let right_of_cut = cut.left + cut.side - face.left - face.width - air;
        let rect = RoundRect {
            left: circle.x - circle.radius + right_of_cut * scale,
            top: circle.y - circle.radius + (face.top - air - cut.top) * scale,
            width: (face.width + 2.0 * air) * scale,
            height: (face.height + 2.0 * air) * scale,
            radius: self.px(22.0).min(0.2 * face.width * scale),
        };
        let far = [rect.left, rect.left + rect.width]
            .into_iter()
            .flat_map(|x| [(x, rect.top), (x, rect.top + rect.height)])
            .any(|(x, y)| circle.distance(x, y) > (FURTHEST_CORNER - 1.0) * circle.radius);
        if far || rect.width < self.px(36.0) {
            return;
        }
        let corners = Corners {
            outline: Outline {
                of: rect,
                width: self.px(3.0),
            },
            reach: rect.width.min(rect.height) * 0.22,
        };
        self.glow(corners, self.px(6.0), Rgb888::BLACK, 0.28);
        self.fill(corners, Rgb888::WHITE, 0.92);
    }
}

/// The cut that shows the focus large and in the middle, as far as the frame reaches.
fn cut(preview: &Preview<'_>) -> Cut {
    let (width, height) = (
        preview.frame.width_px() as f32,
        preview.frame.height_px() as f32,
    );
    let widest = width.min(height);
    let Some(focus) = preview.focus else {
        return Cut {
            left: (width - widest) / 2.0,
            top: (height - widest) / 2.0,
            side: widest,
        };
    };
    let zoom = (FACE_SHARE * widest / focus.height.max(1.0)).clamp(1.0, LARGEST_ZOOM);
    let side = widest / zoom;
    let middle = focus.center();
    Cut {
        left: (middle.x - 0.5 * side).clamp(0.0, width - side),
        top: (middle.y - FACE_LEVEL * side).clamp(0.0, height - side),
        side,
    }
}

/// Scales and mirrors frames; keeps its memory from one to the next.
#[derive(Default)]
pub(super) struct Mirror {
    resizer: Resizer,
    scaled: Vec<u8>,
    row: Vec<u32>,
}

impl Mirror {
    /// Draws the cut of `frame` into `circle`.
    pub(super) fn draw(&mut self, canvas: &mut Canvas, frame: &Frame, cut: Cut, circle: Disc) {
        // The square of whole pixels around the circle.
        let corner = (
            (circle.x - circle.radius).floor() as i32,
            (circle.y - circle.radius).floor() as i32,
        );
        let side = (2.0 * circle.radius).ceil() as u32 + 1;
        let Self {
            resizer,
            scaled,
            row: pixels,
        } = self;
        scaled.resize(3 * side as usize * side as usize, 0);
        // Rounding may carry the cut a hair beyond the frame, which the resizer refuses.
        let (left, top) = (f64::from(cut.left), f64::from(cut.top));
        let part = Part {
            left,
            top,
            width: f64::from(cut.side).min(f64::from(frame.width_px()) - left),
            height: f64::from(cut.side).min(f64::from(frame.height_px()) - top),
        };
        resizer
            .part(frame, part, (side, side), Filter::Bilinear, scaled)
            .expect("the cut lies inside the frame");
        let inner = circle.with_radius(circle.radius - 1.0);
        for (row, line) in scaled.chunks_exact(3 * side as usize).enumerate() {
            let y = corner.1 + row as i32;
            let level = y as f32 + 0.5;
            let Some((from, to)) = circle.with_radius(circle.radius + 1.0).chord(level) else {
                continue;
            };
            pixels.clear();
            pixels.extend(
                line.chunks_exact(3)
                    .rev()
                    .map(|rgb| u32::from_be_bytes([0, rgb[0], rgb[1], rgb[2]])),
            );
            let columns = |from: f32, to: f32| {
                let column = |x: f32| (x as i32 - corner.0).clamp(0, side as i32) as usize;
                (column(from.floor()), column(to.ceil()))
            };
            let (first, last) = columns(from, to);
            // Whole pixels in the middle, blended ones at both ends.
            let (begin, end) = inner
                .chord(level)
                .map_or((last, last), |(from, to)| columns(from.ceil(), to.floor()));
            let (begin, end) = (begin.max(first), end.min(last).max(begin.max(first)));
            canvas.copy_row(corner.0 + begin as i32, y, &pixels[begin..end]);
            for column in (first..begin).chain(end..last) {
                let point = Point::new(corner.0 + column as i32, y);
                let coverage = 0.5 - circle.distance(point.x as f32 + 0.5, level);
                canvas.blend_packed(point, pixels[column], coverage);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::packed;
    use super::*;

    #[test]
    fn the_cut_follows_the_face_within_the_frame() {
        let frame = Frame::new(1280, 720, vec![0; 1280 * 720 * 3]).unwrap();
        for (name, (left, top, height), expected) in [
            (
                "near, in the middle",
                (540.0, 200.0, 320.0),
                [300.0, 0.0, 720.0],
            ),
            ("far", (600.0, 300.0, 158.4), [479.4, 202.8, 360.0]),
            ("very far", (600.0, 300.0, 50.0), [468.75, 178.0, 300.0]),
            (
                "at the left edge",
                (-20.0, 300.0, 158.4),
                [0.0, 202.8, 360.0],
            ),
            (
                "at the lower right",
                (1250.0, 700.0, 158.4),
                [920.0, 360.0, 360.0],
            ),
        ] {
            let face = Rect {
                left,
                top,
                width: height * 0.75,
                height,
            };
            let cut = cut(&Preview::of(&frame, Some(face)));
            let found = [cut.left, cut.top, cut.side];
            let close = found
                .iter()
                .zip(expected)
                .all(|(found, expected): (&f32, f32)| (found - expected).abs() < 0.01);
            assert!(close, "{name}: {cut:?}");
        }
        let nobody = cut(&Preview::of(&frame, None));
        assert_eq!((nobody.left, nobody.top, nobody.side), (280.0, 0.0, 720.0));
    }

    #[test]
    fn the_picture_is_mirrored_in_a_round_glass() {
        let mut rgb = vec![0; 100 * 100 * 3];
        for row in rgb.chunks_mut(300) {
            row[..150].fill(255);
        }
        let frame = Frame::new(100, 100, rgb).unwrap();
        let circle = Disc {
            x: 110.0,
            y: 60.0,
            radius: 50.0,
        };
        let mut canvas = Canvas::new(Size::new(220, 120), Rgb888::BLUE);
        let cut = cut(&Preview::of(&frame, None));
        Mirror::default().draw(&mut canvas, &frame, cut, circle);
        assert_eq!(canvas.pixel(Point::new(80, 60)), Some(Rgb888::BLACK));
        assert_eq!(canvas.pixel(Point::new(140, 60)), Some(Rgb888::WHITE));
        for (name, x, y) in [("corner", 62, 12), ("left", 58, 60), ("below", 110, 112)] {
            assert_eq!(canvas.pixel(Point::new(x, y)), Some(Rgb888::BLUE), "{name}");
        }
        // As round as the disc that any other shape is filled by.
        let mut disc = Canvas::new(Size::new(220, 120), Rgb888::BLUE);
        disc.fill(&circle, Rgb888::BLACK, 1.0);
        let black = Frame::new(100, 100, vec![0; 100 * 100 * 3]).unwrap();
        let mut picture = Canvas::new(Size::new(220, 120), Rgb888::BLUE);
        Mirror::default().draw(&mut picture, &black, cut, circle);
        assert_eq!(picture, disc);
        assert_eq!(packed(Rgb888::BLUE), picture.pixels()[0]);
    }
}
