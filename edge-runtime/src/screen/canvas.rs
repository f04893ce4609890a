//! The picture in memory that every screen is drawn on: one `u32` a pixel, XRGB8888, readable for blending.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::shape::Shape;

/// One screen's pixels, row by row from the top left, and which of them the last drawing changed.
///
/// embedded-graphics draws on it like on any display ([`DrawTarget`]); anti-aliased edges and letters need what
/// lies beneath them, so they are blended here ([`Canvas::blend`]). Nothing outside the clip is ever touched. A
/// finished canvas is drawn on a real display in one go ([`Drawable`]), or handed to a [`super::display::Display`].
#[derive(Clone)]
pub struct Canvas {
    size: Size,
    clip: Rectangle,
    pixels: Vec<u32>,
    damage: Vec<Rectangle>,
}

impl Canvas {
    /// A canvas of one color, all of it changed.
    pub fn new(size: Size, color: Rgb888) -> Self {
        let whole = Rectangle::new(Point::zero(), size);
        Self {
            size,
            clip: whole,
            pixels: vec![packed(color); size.width as usize * size.height as usize],
            damage: vec![whole],
        }
    }

    /// The pixels, `0x00RRGGBB` each, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// The pixels of row `y`, which is inside.
    pub fn row(&self, y: u32) -> &[u32] {
        let width = self.size.width as usize;
        &self.pixels[y as usize * width..][..width]
    }

    /// The pixels as bytes, R G B, row by row.
    pub fn to_rgb(&self) -> Vec<u8> {
        self.pixels
            .iter()
            .flat_map(|pixel| {
                let [_, red, green, blue] = pixel.to_be_bytes();
                [red, green, blue]
            })
            .collect()
    }

    /// What changed since the picture before: rectangles inside the canvas; empty when nothing did.
    pub fn damage(&self) -> &[Rectangle] {
        &self.damage
    }

    /// Says what changed.
    pub(super) fn set_damage(&mut self, damage: Vec<Rectangle>) {
        self.damage = damage;
    }

    /// All of it changed.
    pub(super) fn damage_all(&mut self) {
        self.damage = vec![self.bounding_box()];
    }

    /// From now on only pixels inside `clip` are drawn.
    pub(super) fn set_clip(&mut self, clip: Rectangle) {
        self.clip = clip.intersection(&self.bounding_box());
    }

    /// The pixels, to be written over.
    pub(super) fn pixels_mut(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// The color at `point`, `None` outside.
    pub fn pixel(&self, point: Point) -> Option<Rgb888> {
        let inside = self.bounding_box().contains(point);
        inside.then(|| unpacked(self.pixels[self.index(point)]))
    }

    /// Covers the pixel at `point` with `color`, 0 (not at all) to 1 (fully); outside the clip nothing happens.
    pub fn blend(&mut self, point: Point, color: Rgb888, coverage: f32) {
        self.blend_packed(point, packed(color), coverage);
    }

    /// Covers the pixel at `point` with a packed color, as [`Self::blend`] does.
    pub(super) fn blend_packed(&mut self, point: Point, pixel: u32, coverage: f32) {
        if self.clip.contains(point) {
            let index = self.index(point);
            self.pixels[index] = mixed(self.pixels[index], pixel, alpha(coverage));
        }
    }

    /// Fills what the clip leaves of `area` with `color`.
    pub fn clear(&mut self, area: Rectangle, color: Rgb888) {
        let area = self.within(area);
        let (left, width) = (area.top_left.x as usize, area.size.width as usize);
        for y in area.rows() {
            let begin = y as usize * self.size.width as usize + left;
            self.pixels[begin..begin + width].fill(packed(color));
        }
    }

    /// Fills `shape` with `color` at `opacity`, 0 to 1, with smooth edges.
    pub fn fill(&mut self, shape: &impl Shape, color: Rgb888, opacity: f32) {
        self.cover(shape, shape.bounds(), 1.0, color, |distance| {
            (0.5 - distance).min(1.0) * opacity
        });
    }

    /// A soft shade around the edge of `shape`, fading over `reach` pixels to both sides.
    pub fn glow(&mut self, shape: &impl Shape, reach: f32, color: Rgb888, opacity: f32) {
        let wider = shape.bounds().offset(reach.ceil() as i32);
        self.cover(shape, wider, reach, color, |distance| {
            let near = (1.0 - distance.max(0.0) / reach).max(0.0);
            near * near * opacity
        });
    }

    /// Lays a row of finished pixels over row `y` from `x` on, inside the clip.
    pub(super) fn copy_row(&mut self, x: i32, y: i32, pixels: &[u32]) {
        let line = Rectangle::new(Point::new(x, y), Size::new(pixels.len() as u32, 1));
        let kept = self.within(line);
        if kept.is_zero_sized() {
            return;
        }
        let skipped = (kept.top_left.x - x) as usize;
        let (begin, width) = (self.index(kept.top_left), kept.size.width as usize);
        self.pixels[begin..begin + width].copy_from_slice(&pixels[skipped..skipped + width]);
    }

    fn cover(
        &mut self,
        shape: &impl Shape,
        bounds: Rectangle,
        reach: f32,
        color: Rgb888,
        coverage: impl Fn(f32) -> f32,
    ) {
        let area = self.within(bounds);
        let (left, right) = (area.top_left.x, area.top_left.x + area.size.width as i32);
        let above = packed(color);
        for y in area.rows() {
            let level = y as f32 + 0.5;
            let begin = y as usize * self.size.width as usize;
            for (from, to) in shape.reach(level, reach) {
                // A pixel's center lies half a pixel inside; floor and ceiling leave one more on each side.
                let from = (from - 1.0).clamp(left as f32, right as f32) as i32;
                let to = (to + 1.0).clamp(left as f32, right as f32).ceil() as i32;
                for x in from..to {
                    let coverage = coverage(shape.distance(x as f32 + 0.5, level));
                    if coverage > 0.0 {
                        let pixel = &mut self.pixels[begin + x as usize];
                        *pixel = mixed(*pixel, above, alpha(coverage));
                    }
                }
            }
        }
    }

    fn within(&self, bounds: Rectangle) -> Rectangle {
        bounds.intersection(&self.clip)
    }

    fn index(&self, point: Point) -> usize {
        point.y as usize * self.size.width as usize + point.x as usize
    }
}

/// Two canvases are equal when they show the same; what changed is no part of the picture.
impl PartialEq for Canvas {
    fn eq(&self, other: &Self) -> bool {
        self.size == other.size && self.pixels == other.pixels
    }
}

/// `color` as it lies in memory.
pub(super) fn packed(color: Rgb888) -> u32 {
    u32::from_be_bytes([0, color.r(), color.g(), color.b()])
}

fn unpacked(pixel: u32) -> Rgb888 {
    let [_, red, green, blue] = pixel.to_be_bytes();
    Rgb888::new(red, green, blue)
}

/// Coverage in 256ths.
pub(super) fn alpha(coverage: f32) -> u32 {
    (coverage.clamp(0.0, 1.0) * 256.0 + 0.5) as u32
}

/// `above` over `below`, both packed, `alpha` 0 to 256: red and blue in one multiplication, green in another.
pub(super) fn mixed(below: u32, above: u32, alpha: u32) -> u32 {
    let rest = 256 - alpha;
    let odd = ((below & 0xFF_00FF) * rest + (above & 0xFF_00FF) * alpha + 0x80_0080) >> 8;
    let green = ((below & 0xFF00) * rest + (above & 0xFF00) * alpha + 0x8000) >> 8;
    odd & 0xFF_00FF | green & 0xFF00
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
            if self.clip.contains(point) {
                let index = self.index(point);
                self.pixels[index] = packed(color);
            }
        }
        Ok(())
    }
}

impl Drawable for Canvas {
    type Color = Rgb888;
    type Output = ();

    fn draw<D: DrawTarget<Color = Rgb888>>(&self, display: &mut D) -> Result<(), D::Error> {
        display.fill_contiguous(
            &self.bounding_box(),
            self.pixels.iter().map(|pixel| unpacked(*pixel)),
        )
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

    const BLACK: Rgb888 = Rgb888::BLACK;
    const WHITE: Rgb888 = Rgb888::WHITE;

    #[test]
    fn blending_reaches_both_ends_and_ignores_the_outside() {
        let mut canvas = Canvas::new(Size::new(2, 2), BLACK);
        canvas.blend(Point::new(0, 0), WHITE, 1.0);
        canvas.blend(Point::new(1, 0), WHITE, 0.5);
        canvas.blend(Point::new(0, 1), WHITE, 0.0);
        canvas.blend(Point::new(-1, 7), WHITE, 1.0);
        let red: Vec<u8> = canvas.to_rgb().chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(red, [255, 128, 0, 0]);
    }

    #[test]
    fn mixing_keeps_the_channels_apart() {
        for (below, above) in [(0x00FF_0000, 0x0000_FFFF), (0x0012_3456, 0x00FE_DCBA)] {
            for alpha in 0..=256 {
                let found = mixed(below, above, alpha).to_be_bytes();
                let channels = below.to_be_bytes().into_iter().zip(above.to_be_bytes());
                for ((b, a), found) in channels.zip(found).skip(1) {
                    let expected = (u32::from(b) * (256 - alpha) + u32::from(a) * alpha + 128) >> 8;
                    assert_eq!(u32::from(found), expected, "{below:x} {above:x} {alpha}");
                }
            }
        }
    }

    #[test]
    fn a_disc_covers_its_area() {
        let mut canvas = Canvas::new(Size::new(64, 64), BLACK);
        let disc = Disc {
            x: 32.0,
            y: 32.0,
            radius: 20.0,
        };
        canvas.fill(&disc, WHITE, 1.0);
        let covered: f32 = canvas
            .to_rgb()
            .chunks(3)
            .map(|pixel| f32::from(pixel[0]) / 255.0)
            .sum();
        let area = std::f32::consts::PI * 20.0 * 20.0;
        assert!((covered - area).abs() < 0.01 * area, "{covered} of {area}");
    }

    #[test]
    fn nothing_is_drawn_outside_the_clip() {
        let mut canvas = Canvas::new(Size::new(8, 8), BLACK);
        canvas.set_clip(Rectangle::new(Point::new(2, 2), Size::new(3, 3)));
        let disc = Disc {
            x: 4.0,
            y: 4.0,
            radius: 9.0,
        };
        canvas.fill(&disc, WHITE, 1.0);
        canvas.clear(canvas.bounding_box(), WHITE);
        canvas.copy_row(-1, 7, &[0xFF_FFFF; 20]);
        canvas.copy_row(1, 2, &[0xFF_FFFF; 20]);
        let white = canvas.pixels().iter().filter(|pixel| **pixel != 0).count();
        assert_eq!(white, 9);
    }

    #[test]
    fn a_finished_canvas_is_drawn_on_any_display() {
        let mut canvas = Canvas::new(Size::new(3, 2), BLACK);
        canvas.blend(Point::new(2, 1), Rgb888::RED, 1.0);
        let mut display = Canvas::new(Size::new(3, 2), Rgb888::BLUE);
        canvas.draw(&mut display).unwrap();
        assert_eq!(display, canvas);
    }
}
