//! The live picture: mirrored like a looking-glass, with round corners and a soft box around the face.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use shared::frame::Frame;
use shared::geometry::Rect;

use super::canvas::Canvas;
use super::layout::Painter;
use super::shape::{Corners, Outline, RoundRect, Shape};
use super::theme;

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
const FACE_SHARE: f32 = 0.36;
const LARGEST_ZOOM: f32 = 2.4;
/// Where the middle of the face comes to lie, as a share of the cut's height.
const FACE_LEVEL: f32 = 0.46;

/// The cut of the frame that fills the panel.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Crop {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
}

impl Painter<'_> {
    /// Draws the live picture into the panel, rim and face box in the color of what was decided, if anything was.
    pub(super) fn preview(&mut self, preview: &Preview<'_>, decided: Option<Rgb888>) {
        let panel = self.layout.preview;
        let radius = self.px(28.0);
        let shape = RoundRect::new(panel, radius);
        let crop = crop(preview, panel.size);
        draw_picture(&mut self.canvas, preview.frame, crop, panel, &shape);
        if let Some(face) = preview.face {
            let scale = panel.size.width as f32 / crop.width;
            // A little air around the detector's box, which ends at chin and eyebrows.
            let air = 0.12 * face.width.max(face.height);
            let mirrored_left = panel.top_left.x as f32
                + (crop.left + crop.width - face.left - face.width - air) * scale;
            let face = RoundRect {
                left: mirrored_left,
                top: panel.top_left.y as f32 + (face.top - air - crop.top) * scale,
                width: (face.width + 2.0 * air) * scale,
                height: (face.height + 2.0 * air) * scale,
                radius: self.px(22.0).min(0.16 * face.width * scale),
            };
            self.face_box(face, panel, decided.unwrap_or(theme::TEXT));
        }
        let width = self.px(2.5);
        let rim = decided.unwrap_or(theme::LINE);
        self.canvas.fill(&Outline { of: shape, width }, rim, 1.0);
    }

    fn face_box(&mut self, face: RoundRect, panel: Rectangle, color: Rgb888) {
        let inset = self.px(10.0);
        let (left, top) = (
            panel.top_left.x as f32 + inset,
            panel.top_left.y as f32 + inset,
        );
        let (right, bottom) = (
            left + panel.size.width as f32 - 2.0 * inset,
            top + panel.size.height as f32 - 2.0 * inset,
        );
        let (l, t) = (face.left.clamp(left, right), face.top.clamp(top, bottom));
        let kept = RoundRect {
            left: l,
            top: t,
            width: (face.left + face.width).clamp(left, right) - l,
            height: (face.top + face.height).clamp(top, bottom) - t,
            radius: face.radius,
        };
        // A face outside the cut has no box.
        if kept.width < 3.0 * inset || kept.height < 3.0 * inset {
            return;
        }
        let stroke = Outline {
            of: kept,
            width: self.px(3.0),
        };
        let corners = Corners {
            outline: stroke,
            reach: kept.width.min(kept.height) * 0.27,
        };
        self.canvas
            .glow(&corners, self.px(7.0), Rgb888::BLACK, 0.30);
        self.canvas.fill(&stroke, Rgb888::WHITE, 0.16);
        self.canvas.fill(&corners, color, 1.0);
    }
}

/// The cut with the panel's shape that shows the focus large and in the middle, as far as the frame reaches.
fn crop(preview: &Preview<'_>, panel: Size) -> Crop {
    let frame = (
        preview.frame.width_px() as f32,
        preview.frame.height_px() as f32,
    );
    let panel = (panel.width as f32, panel.height as f32);
    let scale = (frame.0 / panel.0).min(frame.1 / panel.1);
    let widest = (panel.0 * scale, panel.1 * scale);
    let Some(focus) = preview.focus else {
        return Crop {
            left: (frame.0 - widest.0) / 2.0,
            top: (frame.1 - widest.1) / 2.0,
            width: widest.0,
            height: widest.1,
        };
    };
    let zoom = (FACE_SHARE * widest.1 / focus.height.max(1.0)).clamp(1.0, LARGEST_ZOOM);
    let (width, height) = (widest.0 / zoom, widest.1 / zoom);
    let middle = focus.center();
    Crop {
        left: (middle.x - 0.5 * width).clamp(0.0, frame.0 - width),
        top: (middle.y - FACE_LEVEL * height).clamp(0.0, frame.1 - height),
        width,
        height,
    }
}

fn draw_picture(
    canvas: &mut Canvas,
    frame: &Frame,
    crop: Crop,
    panel: Rectangle,
    shape: &RoundRect,
) {
    let source = ImageRef::new(
        frame.width_px(),
        frame.height_px(),
        frame.rgb(),
        PixelType::U8x3,
    )
    .expect("a frame holds width x height x 3 bytes");
    let mut scaled = Image::new(panel.size.width, panel.size.height, PixelType::U8x3);
    // Rounding may carry the cut a hair beyond the frame, which the resizer refuses.
    let (left, top) = (f64::from(crop.left), f64::from(crop.top));
    let width = f64::from(crop.width).min(f64::from(frame.width_px()) - left);
    let height = f64::from(crop.height).min(f64::from(frame.height_px()) - top);
    let options = ResizeOptions::new().crop(left, top, width, height);
    Resizer::new()
        .resize(&source, &mut scaled, &options)
        .expect("the cut lies inside the frame");
    for (row, line) in scaled
        .buffer()
        .chunks(3 * panel.size.width as usize)
        .enumerate()
    {
        for (column, rgb) in line.chunks(3).rev().enumerate() {
            let point = panel.top_left + Point::new(column as i32, row as i32);
            let coverage = 0.5 - shape.distance(point.x as f32 + 0.5, point.y as f32 + 0.5);
            canvas.blend(point, Rgb888::new(rgb[0], rgb[1], rgb[2]), coverage);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_follows_the_face_within_the_frame() {
        let frame = Frame::new(1280, 720, vec![0; 1280 * 720 * 3]).unwrap();
        let panel = Size::new(400, 400);
        for (name, (left, top, height), expected) in [
            (
                "near, in the middle",
                (540.0, 200.0, 300.0),
                [292.5, 0.0, 720.0],
            ),
            ("far", (600.0, 300.0, 129.6), [468.6, 199.2, 360.0]),
            ("very far", (600.0, 300.0, 50.0), [468.75, 187.0, 300.0]),
            (
                "at the left edge",
                (-20.0, 300.0, 129.6),
                [0.0, 199.2, 360.0],
            ),
            (
                "at the lower right",
                (1250.0, 700.0, 129.6),
                [920.0, 360.0, 360.0],
            ),
        ] {
            let face = Rect {
                left,
                top,
                width: height * 0.75,
                height,
            };
            let cut = crop(&Preview::of(&frame, Some(face)), panel);
            let found = [cut.left, cut.top, cut.width];
            let close = found
                .iter()
                .zip(expected)
                .all(|(found, expected): (&f32, f32)| (found - expected).abs() < 0.01);
            assert!(close && cut.width == cut.height, "{name}: {cut:?}");
        }
        let nobody = crop(&Preview::of(&frame, None), panel);
        assert_eq!((nobody.left, nobody.top, nobody.width), (280.0, 0.0, 720.0));
    }

    #[test]
    fn the_picture_is_mirrored() {
        let mut rgb = vec![0; 200 * 100 * 3];
        for row in rgb.chunks_mut(600) {
            row[..300].fill(255);
        }
        let frame = Frame::new(200, 100, rgb).unwrap();
        let panel = Rectangle::new(Point::new(10, 10), Size::new(200, 100));
        let mut canvas = Canvas::new(Size::new(220, 120), Rgb888::BLUE);
        let cut = crop(&Preview::of(&frame, None), panel.size);
        draw_picture(
            &mut canvas,
            &frame,
            cut,
            panel,
            &RoundRect::new(panel, 20.0),
        );
        assert_eq!(canvas.pixel(Point::new(30, 60)), Some(Rgb888::BLACK));
        assert_eq!(canvas.pixel(Point::new(190, 60)), Some(Rgb888::WHITE));
        assert_eq!(
            canvas.pixel(Point::new(10, 10)),
            Some(Rgb888::BLUE),
            "the corner is round"
        );
    }
}
