//! How a canvas lies on a panel: turned as the panel is mounted, in the panel's own kind of pixels.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use serde::{Deserialize, Serialize};

use super::canvas::Canvas;

/// By how much the picture is turned clockwise to stand upright on the panel as it is mounted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub enum Rotation {
    /// Not at all.
    #[default]
    Upright,
    /// A quarter turn.
    Right,
    /// Upside down.
    Over,
    /// Three quarters.
    Left,
}

impl TryFrom<u32> for Rotation {
    type Error = String;

    fn try_from(degrees: u32) -> Result<Self, String> {
        match degrees {
            0 => Ok(Self::Upright),
            90 => Ok(Self::Right),
            180 => Ok(Self::Over),
            270 => Ok(Self::Left),
            other => Err(format!(
                "expected a rotation of 0, 90, 180 or 270 degrees, found {other}; write one of these"
            )),
        }
    }
}

impl From<Rotation> for u32 {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::Upright => 0,
            Rotation::Right => 90,
            Rotation::Over => 180,
            Rotation::Left => 270,
        }
    }
}

impl Rotation {
    /// The size of a canvas on a panel of `panel` pixels, and the other way round.
    pub fn turned(self, panel: Size) -> Size {
        match self {
            Self::Upright | Self::Over => panel,
            Self::Right | Self::Left => Size::new(panel.height, panel.width),
        }
    }

    /// Where on a canvas of `canvas` pixels the panel's pixel `point` is: for a touch panel, which knows of no rotation.
    pub fn on_canvas(self, point: Point, canvas: Size) -> Point {
        let (right, bottom) = (canvas.width as i32 - 1, canvas.height as i32 - 1);
        match self {
            Self::Upright => point,
            Self::Right => Point::new(point.y, bottom - point.x),
            Self::Over => Point::new(right - point.x, bottom - point.y),
            Self::Left => Point::new(right - point.y, point.x),
        }
    }

    /// Where on the panel the canvas's pixel `point` is.
    pub fn on_panel(self, point: Point, canvas: Size) -> Point {
        let (right, bottom) = (canvas.width as i32 - 1, canvas.height as i32 - 1);
        match self {
            Self::Upright => point,
            Self::Right => Point::new(bottom - point.y, point.x),
            Self::Over => Point::new(right - point.x, bottom - point.y),
            Self::Left => Point::new(point.y, right - point.x),
        }
    }

    /// Where on the panel the canvas's rectangle `area`, which is not empty, is.
    pub fn area_on_panel(self, area: Rectangle, canvas: Size) -> Rectangle {
        let last =
            area.top_left + Point::new(area.size.width as i32 - 1, area.size.height as i32 - 1);
        Rectangle::with_corners(
            self.on_panel(area.top_left, canvas),
            self.on_panel(last, canvas),
        )
    }
}

/// A panel's kind of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelKind {
    /// Four bytes: blue, green, red, unused.
    Xrgb8888,
    /// Two bytes, little endian: 5 bits of red, 6 of green, 5 of blue.
    Rgb565,
}

impl PixelKind {
    /// Bytes of one pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Xrgb8888 => 4,
            Self::Rgb565 => 2,
        }
    }
}

/// A panel's memory.
pub struct Panel<'a> {
    /// Its rows.
    pub memory: &'a mut [u8],
    /// Bytes from one row to the next.
    pub pitch: usize,
    /// What a pixel is.
    pub kind: PixelKind,
    /// How it is mounted.
    pub rotation: Rotation,
}

/// Rows and columns that are turned at a time, so that what is read stays in the cache.
const TILE: i32 = 32;

impl Panel<'_> {
    /// Copies `area` of `canvas`, which has the panel's turned size. What lies outside the memory is left out.
    pub fn copy(&mut self, canvas: &Canvas, area: Rectangle) {
        let area = area.intersection(&canvas.bounding_box());
        if area.is_zero_sized() {
            return;
        }
        let target = self.rotation.area_on_panel(area, canvas.size());
        match self.rotation {
            Rotation::Upright => {
                for y in target.rows() {
                    let begin = target.top_left.x as usize;
                    let row = &canvas.row(y as u32)[begin..][..target.size.width as usize];
                    self.put(target.top_left.x, y, row.iter().copied());
                }
            }
            Rotation::Over => {
                for y in target.rows() {
                    let first = self
                        .rotation
                        .on_canvas(Point::new(target.top_left.x, y), canvas.size());
                    let row = &canvas.row(first.y as u32)[..=first.x as usize];
                    let row = row.iter().rev().take(target.size.width as usize);
                    self.put(target.top_left.x, y, row.copied());
                }
            }
            Rotation::Right | Rotation::Left => self.turn(canvas, target),
        }
    }

    fn turn(&mut self, canvas: &Canvas, target: Rectangle) {
        let (pixels, width) = (canvas.pixels(), canvas.size().width as i32);
        // One pixel to the right on the panel is one row up or down on the canvas.
        let step = if self.rotation == Rotation::Right {
            -width
        } else {
            width
        };
        let right = target.top_left.x + target.size.width as i32;
        let bottom = target.top_left.y + target.size.height as i32;
        for top in (target.top_left.y..bottom).step_by(TILE as usize) {
            for left in (target.top_left.x..right).step_by(TILE as usize) {
                let columns = left..right.min(left + TILE);
                for y in top..bottom.min(top + TILE) {
                    let from = self.rotation.on_canvas(Point::new(left, y), canvas.size());
                    let begin = from.y * width + from.x;
                    let row = columns
                        .clone()
                        .map(|x| pixels[(begin + (x - left) * step) as usize]);
                    self.put(left, y, row);
                }
            }
        }
    }

    fn put(&mut self, x: i32, y: i32, pixels: impl Iterator<Item = u32>) {
        let begin = y as usize * self.pitch + x as usize * self.kind.bytes();
        let Some(row) = self.memory.get_mut(begin..) else {
            return;
        };
        match self.kind {
            PixelKind::Xrgb8888 => {
                for (bytes, pixel) in row.chunks_exact_mut(4).zip(pixels) {
                    bytes.copy_from_slice(&pixel.to_le_bytes());
                }
            }
            PixelKind::Rgb565 => {
                for (bytes, pixel) in row.chunks_exact_mut(2).zip(pixels) {
                    let [_, red, green, blue] = pixel.to_be_bytes().map(u16::from);
                    let packed = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3;
                    bytes.copy_from_slice(&packed.to_le_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use embedded_graphics::pixelcolor::Rgb888;

    use super::*;

    const ALL: [Rotation; 4] = [
        Rotation::Upright,
        Rotation::Right,
        Rotation::Over,
        Rotation::Left,
    ];

    /// 80x50 pixels, no two alike.
    fn canvas() -> Canvas {
        let mut canvas = Canvas::new(Size::new(80, 50), Rgb888::BLACK);
        for (index, pixel) in canvas.pixels_mut().iter_mut().enumerate() {
            *pixel = index as u32;
        }
        canvas
    }

    fn shown(rotation: Rotation, areas: &[Rectangle]) -> (Vec<u32>, Size) {
        let canvas = canvas();
        let size = rotation.turned(canvas.size());
        let pitch = size.width as usize * 4 + 12;
        let mut memory = vec![0xEE; pitch * size.height as usize];
        let mut panel = Panel {
            memory: &mut memory,
            pitch,
            kind: PixelKind::Xrgb8888,
            rotation,
        };
        for area in areas {
            panel.copy(&canvas, *area);
        }
        let pixels = memory
            .chunks(pitch)
            .flat_map(|row| row[..size.width as usize * 4].chunks(4))
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        (pixels, size)
    }

    #[test]
    fn the_upper_left_corner_goes_where_the_turn_takes_it() {
        let whole = canvas().bounding_box();
        for (rotation, x, y) in [
            (Rotation::Upright, 0, 0),
            (Rotation::Right, 49, 0),
            (Rotation::Over, 79, 49),
            (Rotation::Left, 0, 79),
        ] {
            let (pixels, size) = shown(rotation, &[whole]);
            let found = pixels[y * size.width as usize + x];
            assert_eq!(found, 0, "{rotation:?}");
        }
    }

    #[test]
    fn every_pixel_is_where_a_touch_is_taken_for_it() {
        let canvas = canvas();
        for rotation in ALL {
            let (pixels, size) = shown(rotation, &[canvas.bounding_box()]);
            for (index, pixel) in pixels.iter().enumerate() {
                let (x, y) = (
                    index as i32 % size.width as i32,
                    index as i32 / size.width as i32,
                );
                let at = rotation.on_canvas(Point::new(x, y), canvas.size());
                assert_eq!(*pixel as i32, at.y * 80 + at.x, "{rotation:?} {x} {y}");
                assert_eq!(rotation.on_panel(at, canvas.size()), Point::new(x, y));
            }
        }
    }

    #[test]
    fn parts_make_the_whole_and_touch_nothing_else() {
        let part = Rectangle::new(Point::new(7, 5), Size::new(41, 38));
        for rotation in ALL {
            let (whole, size) = shown(rotation, &[canvas().bounding_box()]);
            let (found, _) = shown(rotation, &[part]);
            let inside = rotation.area_on_panel(part, canvas().size());
            for (index, pixel) in found.iter().enumerate() {
                let at = Point::new(
                    index as i32 % size.width as i32,
                    index as i32 / size.width as i32,
                );
                let expected = if inside.contains(at) {
                    whole[index]
                } else {
                    0xEEEE_EEEE
                };
                assert_eq!(*pixel, expected, "{rotation:?} {at:?}");
            }
        }
    }

    #[test]
    fn sixteen_bits_keep_the_highest() {
        let mut canvas = Canvas::new(Size::new(2, 1), Rgb888::new(0xFF, 0x04, 0x08));
        canvas.blend(Point::new(1, 0), Rgb888::WHITE, 1.0);
        let mut memory = [0; 4];
        let mut panel = Panel {
            memory: &mut memory,
            pitch: 4,
            kind: PixelKind::Rgb565,
            rotation: Rotation::Upright,
        };
        panel.copy(&canvas, canvas.bounding_box());
        let first = u16::from_le_bytes([memory[0], memory[1]]);
        assert_eq!(first, 0b1111_1000_0010_0001);
        assert_eq!(&memory[2..], [0xFF, 0xFF]);
    }

    #[test]
    fn degrees_are_written_as_numbers() {
        for rotation in ALL {
            assert_eq!(Rotation::try_from(u32::from(rotation)), Ok(rotation));
        }
        assert!(Rotation::try_from(45).unwrap_err().contains("found 45"));
    }
}
