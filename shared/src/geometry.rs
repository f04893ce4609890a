//! Points and rectangles in frame pixels.

/// A position in pixels: x to the right, y down, (0, 0) the center of the top left pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Pixels to the right.
    pub x: f32,
    /// Pixels down.
    pub y: f32,
}

impl Point {
    /// The point (x, y), in pixels.
    pub const fn new(x: f32, y: f32) -> Self {
        Point { x, y }
    }
}

/// An axis-parallel rectangle in pixels; it may reach beyond its frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// x of the left side.
    pub left: f32,
    /// y of the upper side.
    pub top: f32,
    /// Extent to the right, in pixels.
    pub width: f32,
    /// Extent downwards, in pixels.
    pub height: f32,
}

impl Rect {
    /// x of the right side.
    pub fn right(&self) -> f32 {
        self.left + self.width
    }

    /// y of the lower side.
    pub fn bottom(&self) -> f32 {
        self.top + self.height
    }

    /// The middle of the rectangle.
    pub fn center(&self) -> Point {
        Point::new(self.left + 0.5 * self.width, self.top + 0.5 * self.height)
    }

    /// Square pixels covered; 0 for a rectangle of negative extent.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Intersection over union, 0 to 1; 0 when the union is empty.
    pub fn iou(&self, other: &Rect) -> f32 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let intersection = width * height;
        let union = self.area() + other.area() - intersection;
        if union > 0.0 {
            intersection / union
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(left: f32, top: f32, width: f32, height: f32) -> Rect {
        Rect {
            left,
            top,
            width,
            height,
        }
    }

    #[test]
    fn overlap_of_named_pairs() {
        let unit = rect(0.0, 0.0, 2.0, 2.0);
        for (name, other, expected) in [
            ("same", unit, 1.0),
            ("half beside", rect(1.0, 0.0, 2.0, 2.0), 1.0 / 3.0),
            ("inside", rect(0.5, 0.5, 1.0, 1.0), 0.25),
            ("touching", rect(2.0, 0.0, 2.0, 2.0), 0.0),
            ("apart", rect(9.0, 9.0, 1.0, 1.0), 0.0),
            ("negative extent", rect(1.0, 1.0, -1.0, -1.0), 0.0),
            ("no extent", rect(1.0, 1.0, 0.0, 0.0), 0.0),
        ] {
            assert_eq!(unit.iou(&other), expected, "{name}");
            assert_eq!(other.iou(&unit), expected, "{name}, the other way");
        }
    }

    #[test]
    fn center_and_area() {
        let r = rect(10.0, 20.0, 4.0, 6.0);
        assert_eq!(r.center(), Point::new(12.0, 23.0));
        assert_eq!(r.area(), 24.0);
    }
}
