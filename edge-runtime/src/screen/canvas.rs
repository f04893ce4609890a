//! The picture in memory that every screen is drawn on: RGB, 8 bits a channel, readable for blending.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::shape::Shape;

/// One screen's pixels, row by row from the top left.
///
/// embedded-graphics draws on it like on any display ([`DrawTarget`]); anti-aliased edges and letters need what
/// lies beneath them, so they are blended here ([`Canvas::blend`]). A finished canvas is drawn on a real display
/// in one go ([`Drawable`]).
#[derive(Clone, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    pixels: Vec<Rgb888>,
}

impl Canvas {
    /// A canvas of one color.
    pub fn new(size: Size, color: Rgb888) -> Self {
        Self {
            size,
            pixels: vec![color; size.width as usize * size.height as usize],
        }
    }

    /// The pixels as bytes, R G B, row by row.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.pixels
            .iter()
            .flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()])
            .collect()
    }

    /// The color at `point`, `None` outside.
    pub fn pixel(&self, point: Point) -> Option<Rgb888> {
        self.index(point).map(|index| self.pixels[index])
    }

    /// Covers the pixel at `point` with `color`, 0 (not at all) to 1 (fully); outside nothing happens.
    pub fn blend(&mut self, point: Point, color: Rgb888, coverage: f32) {
        let Some(index) = self.index(point) else {
            return;
        };
        let alpha = (coverage.clamp(0.0, 1.0) * 256.0 + 0.5) as u32;
        let mix = |below: u8, above: u8| {
            ((u32::from(below) * (256 - alpha) + u32::from(above) * alpha + 128) >> 8) as u8
        };
        let below = self.pixels[index];
        self.pixels[index] = Rgb888::new(
            mix(below.r(), color.r()),
            mix(below.g(), color.g()),
            mix(below.b(), color.b()),
        );
    }

    /// Fills `shape` with `color` at `opacity`, 0 to 1, with smooth edges.
    pub fn fill(&mut self, shape: &impl Shape, color: Rgb888, opacity: f32) {
        for point in self.within(shape.bounds()).points() {
            let coverage = 0.5 - shape.distance(point.x as f32 + 0.5, point.y as f32 + 0.5);
            if coverage > 0.0 {
                self.blend(point, color, coverage.min(1.0) * opacity);
            }
        }
    }

    /// A soft shade around the edge of `shape`, fading over `reach` pixels to both sides.
    pub fn glow(&mut self, shape: &impl Shape, reach: f32, color: Rgb888, opacity: f32) {
        let bounds = shape.bounds();
        let wider = bounds.offset(reach.ceil() as i32);
        for point in self.within(wider).points() {
            let near = 1.0
                - shape
                    .distance(point.x as f32 + 0.5, point.y as f32 + 0.5)
                    .max(0.0)
                    / reach;
            if near > 0.0 {
                self.blend(point, color, near * near * opacity);
            }
        }
    }

    fn within(&self, bounds: Rectangle) -> Rectangle {
        bounds.intersection(&self.bounding_box())
    }

    fn index(&self, point: Point) -> Option<usize> {
        let (x, y) = (u32::try_from(point.x).ok()?, u32::try_from(point.y).ok()?);
        (x < self.size.width && y < self.size.height)
            .then(|| y as usize * self.size.width as usize + x as usize)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(
        &mut self,
        pixels: I,
    ) -> Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            if let Some(index) = self.index(point) {
                self.pixels[index] = color;
            }
        }
        Ok(())
    }
}

impl Drawable for Canvas {
    type Color = Rgb888;
    type Output = ();

    fn draw<D: DrawTarget<Color = Rgb888>>(&self, display: &mut D) -> Result<(), D::Error> {
        display.fill_contiguous(&self.bounding_box(), self.pixels.iter().copied())
    }
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canvas({}x{})", self.size.width, self.size.height)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Disc;
    use super::*;

    #[test]
    fn blending_reaches_both_ends_and_ignores_the_outside() {
        let mut canvas = Canvas::new(Size::new(2, 2), Rgb888::BLACK);
        canvas.blend(Point::new(0, 0), Rgb888::WHITE, 1.0);
        canvas.blend(Point::new(1, 0), Rgb888::WHITE, 0.5);
        canvas.blend(Point::new(0, 1), Rgb888::WHITE, 0.0);
        canvas.blend(Point::new(-1, 7), Rgb888::WHITE, 1.0);
        let red: Vec<u8> = canvas.to_rgb().chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(red, [255, 128, 0, 0]);
    }

    #[test]
    fn a_disc_covers_its_area() {
        let mut canvas = Canvas::new(Size::new(64, 64), Rgb888::BLACK);
        canvas.fill(
            &Disc {
                x: 32.0,
                y: 32.0,
                radius: 20.0,
            },
            Rgb888::WHITE,
            1.0,
        );
        let covered: f32 = canvas
            .to_rgb()
            .chunks(3)
            .map(|pixel| f32::from(pixel[0]) / 255.0)
            .sum();
        let area = std::f32::consts::PI * 20.0 * 20.0;
        assert!((covered - area).abs() < 0.01 * area, "{covered} of {area}");
    }

    #[test]
    fn a_finished_canvas_is_drawn_on_any_display() {
        let mut canvas = Canvas::new(Size::new(3, 2), Rgb888::BLACK);
        canvas.blend(Point::new(2, 1), Rgb888::RED, 1.0);
        let mut display = Canvas::new(Size::new(3, 2), Rgb888::BLUE);
        canvas.draw(&mut display).unwrap();
        assert_eq!(display, canvas);
    }
}
