//! Where things stand: one place of rules for every size, landscape and portrait, and for what is touched.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::shape::Disc;

/// Places on a screen of one size; lengths are written for 800x480 or 480x800 and grow with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// The whole screen in pixels.
    pub size: Size,
    /// Pixels per length written for 800x480.
    pub unit: f32,
    /// Whether it is higher than wide.
    pub upright: bool,
    /// Outer edge of the ring around the live picture.
    pub ring: Disc,
    /// The message: beside the ring, or below it.
    pub column: Rectangle,
    /// What a view without a live picture may use.
    pub content: Rectangle,
}

/// Distance to the screen's edge, for 800x480.
const MARGIN: f32 = 32.0;
/// Outer radius of the ring.
const RING: f32 = 184.0;
/// Between ring and screen's edge: room for the arrows that sit on the ring.
const ASIDE: f32 = 44.0;
/// Between ring and column.
const BESIDE: f32 = 44.0;
/// The widest column: longer lines are hard to read from a step away.
const WIDEST_COLUMN: f32 = 420.0;
/// Between two things that are touched.
pub(super) const GAP: f32 = 12.0;
/// Height of a button that stands alone.
pub(super) const BUTTON: f32 = 60.0;

impl Layout {
    /// Lays out a screen of `size` pixels.
    pub fn new(size: Size) -> Self {
        let upright = size.height > size.width;
        let reference = if upright {
            (480.0, 800.0)
        } else {
            (800.0, 480.0)
        };
        let unit = (size.width as f32 / reference.0).min(size.height as f32 / reference.1);
        // From here on in lengths of the reference.
        let (width, height) = (size.width as f32 / unit, size.height as f32 / unit);
        let (ring, column) = if upright {
            let column_height = 272.0;
            let group = 2.0 * RING + BESIDE + column_height;
            let top = ((height - group) / 2.0).max(52.0);
            let column = (
                MARGIN,
                top + 2.0 * RING + BESIDE,
                width - 2.0 * MARGIN,
                column_height,
            );
            ((width / 2.0, top + RING), column)
        } else {
            let column_width = (width - ASIDE - MARGIN - 2.0 * RING - BESIDE).min(WIDEST_COLUMN);
            let group = ASIDE + 2.0 * RING + BESIDE + column_width + MARGIN;
            let left = (width - group) / 2.0 + ASIDE;
            let column = (
                left + 2.0 * RING + BESIDE,
                MARGIN,
                column_width,
                height - 2.0 * MARGIN,
            );
            ((left + RING, height / 2.0), column)
        };
        let most = if upright {
            (560.0, 900.0)
        } else {
            (960.0, 600.0)
        };
        let content_size = (
            (width - 2.0 * MARGIN).min(most.0),
            (height - 2.0 * MARGIN).min(most.1),
        );
        let content = (
            (width - content_size.0) / 2.0,
            (height - content_size.1) / 2.0,
            content_size.0,
            content_size.1,
        );
        Self {
            size,
            unit,
            upright,
            ring: Disc {
                x: ring.0 * unit,
                y: ring.1 * unit,
                radius: RING * unit,
            },
            column: scaled(column, unit),
            content: scaled(content, unit),
        }
    }

    /// `length` for 800x480 in pixels of this screen.
    pub fn px(&self, length: f32) -> f32 {
        length * self.unit
    }

    /// The whole screen.
    pub fn whole(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.size)
    }

    /// The content in two panes: what is read, and what is touched; side by side, or one above the other with
    /// `reading` (for 800x480) of the height for the first.
    pub(super) fn panes(&self, reading: f32) -> (Rectangle, Rectangle) {
        let gap = self.px(32.0);
        if self.upright {
            let (above, rest) = split_below(self.content, self.px(reading));
            (above, split_below(rest, gap).1)
        } else {
            let (left, right) = split_beside(self.content, self.content.size.width as f32 * 0.53);
            (split_beside(left, left.size.width as f32 - gap).0, right)
        }
    }

    /// The lowest `height` (for 800x480) of `area` and what is above it, with a gap between.
    pub(super) fn foot(&self, area: Rectangle, height: f32) -> (Rectangle, Rectangle) {
        let (above, foot) = split_below(area, area.size.height as f32 - self.px(height));
        let kept = above.size.height as f32 - self.px(16.0);
        (split_below(above, kept).0, foot)
    }

    /// `area` cut into `columns` x `rows` equal fields with [`GAP`] between, row by row.
    pub(super) fn grid(&self, area: Rectangle, columns: usize, rows: usize) -> Vec<Rectangle> {
        let gap = self.px(GAP);
        let step = (
            (area.size.width as f32 + gap) / columns as f32,
            (area.size.height as f32 + gap) / rows as f32,
        );
        let corner = |column: usize, row: usize| {
            Point::new(
                area.top_left.x + (column as f32 * step.0).round() as i32,
                area.top_left.y + (row as f32 * step.1).round() as i32,
            )
        };
        let size = Size::new((step.0 - gap).round() as u32, (step.1 - gap).round() as u32);
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (column, row)))
            .map(|(column, row)| Rectangle::new(corner(column, row), size))
            .collect()
    }
}

fn scaled((left, top, width, height): (f32, f32, f32, f32), unit: f32) -> Rectangle {
    Rectangle::new(
        Point::new((left * unit).round() as i32, (top * unit).round() as i32),
        Size::new(
            (width * unit).round() as u32,
            (height * unit).round() as u32,
        ),
    )
}

/// `area` above and below the line `height` pixels down.
pub(super) fn split_below(area: Rectangle, height: f32) -> (Rectangle, Rectangle) {
    let height = (height.round().max(0.0) as u32).min(area.size.height);
    (
        Rectangle::new(area.top_left, Size::new(area.size.width, height)),
        Rectangle::new(
            area.top_left + Point::new(0, height as i32),
            Size::new(area.size.width, area.size.height - height),
        ),
    )
}

/// `area` to the left and to the right of the line `width` pixels in.
pub(super) fn split_beside(area: Rectangle, width: f32) -> (Rectangle, Rectangle) {
    let width = (width.round().max(0.0) as u32).min(area.size.width);
    (
        Rectangle::new(area.top_left, Size::new(width, area.size.height)),
        Rectangle::new(
            area.top_left + Point::new(width as i32, 0),
            Size::new(area.size.width - width, area.size.height),
        ),
    )
}

/// `area` with its height changed to `height` pixels around its middle.
pub(super) fn middle(area: Rectangle, height: f32) -> Rectangle {
    let height = (height.round().max(0.0) as u32).min(area.size.height);
    let down = (area.size.height - height) / 2;
    Rectangle::new(
        area.top_left + Point::new(0, down as i32),
        Size::new(area.size.width, height),
    )
}

#[cfg(test)]
mod tests {
    use super::super::shape::Shape;
    use super::*;

    const SIZES: [(u32, u32); 11] = [
        (800, 480),
        (1024, 600),
        (1280, 720),
        (1280, 800),
        (1920, 480),
        (1920, 1080),
        (480, 800),
        (600, 1024),
        (720, 1280),
        (800, 1280),
        (1080, 1920),
    ];

    #[test]
    fn everything_keeps_a_margin() {
        for (width, height) in SIZES {
            let layout = Layout::new(Size::new(width, height));
            let safe = layout.whole().offset(-(layout.px(20.0) as i32));
            let ring = layout.ring.bounds();
            for (name, area) in [
                ("ring", ring),
                ("column", layout.column),
                ("content", layout.content),
            ] {
                assert_eq!(area.intersection(&safe), area, "{name} at {width}x{height}");
            }
            assert!(
                ring.intersection(&layout.column).is_zero_sized(),
                "{width}x{height}"
            );
            assert!(
                layout.column.size.width as f32 >= layout.px(300.0),
                "{width}x{height}"
            );
        }
    }

    #[test]
    fn fields_of_a_grid_fill_it_without_overlap() {
        for (width, height) in SIZES {
            let layout = Layout::new(Size::new(width, height));
            let fields = layout.grid(layout.content, 3, 4);
            assert_eq!(fields.len(), 12);
            for (index, field) in fields.iter().enumerate() {
                assert_eq!(layout.content.offset(1).intersection(field), *field);
                for other in &fields[..index] {
                    assert!(field.intersection(other).is_zero_sized());
                }
            }
        }
    }
}
