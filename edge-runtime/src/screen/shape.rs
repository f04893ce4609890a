//! Shapes with smooth edges, each a signed distance: negative inside, in pixels.
//!
//! embedded-graphics draws its primitives without anti-aliasing; on a kiosk's large circles that shows. The coverage
//! of a pixel is taken from the distance of its center to the edge, which is exact for straight edges and within
//! 1 % of the area for the radii used here.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// A figure on the canvas.
pub trait Shape {
    /// Distance in pixels from `(x, y)` to the edge, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32;

    /// Whole pixels outside which nothing is covered.
    fn bounds(&self) -> Rectangle;
}

/// A filled circle.
#[derive(Clone, Copy, Debug)]
pub struct Disc {
    /// Center, to the right.
    pub x: f32,
    /// Center, down.
    pub y: f32,
    /// Radius.
    pub radius: f32,
}

impl Shape for Disc {
    fn distance(&self, x: f32, y: f32) -> f32 {
        (x - self.x).hypot(y - self.y) - self.radius
    }

    fn bounds(&self) -> Rectangle {
        around(
            self.x - self.radius,
            self.y - self.radius,
            self.x + self.radius,
            self.y + self.radius,
        )
    }
}

/// Part of a ring with round ends, clockwise from the top.
#[derive(Clone, Copy, Debug)]
pub struct Arc {
    /// The circle along the middle of the stroke.
    pub circle: Disc,
    /// Where it begins, in turns.
    pub from: f32,
    /// How far it goes, in turns, 0 to 1.
    pub turns: f32,
    /// Stroke width.
    pub width: f32,
}

impl Shape for Arc {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.circle.x, y - self.circle.y);
        let turn = (dx.atan2(-dy) / std::f32::consts::TAU - self.from).rem_euclid(1.0);
        if turn <= self.turns {
            return self.circle.distance(x, y).abs() - self.width / 2.0;
        }
        let end = |turns: f32| {
            let angle = turns * std::f32::consts::TAU;
            (dx - self.circle.radius * angle.sin()).hypot(dy + self.circle.radius * angle.cos())
        };
        end(self.from).min(end(self.from + self.turns)) - self.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        self.circle
            .bounds()
            .offset((self.width / 2.0).ceil() as i32)
    }
}

/// A line with round ends.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// One end.
    pub from: (f32, f32),
    /// The other end.
    pub to: (f32, f32),
    /// Stroke width.
    pub width: f32,
}

impl Shape for Line {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let (ax, ay) = (x - self.from.0, y - self.from.1);
        let (bx, by) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
        let along =
            ((ax * bx + ay * by) / (bx * bx + by * by).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        (ax - bx * along).hypot(ay - by * along) - self.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        let (half, a, b) = (self.width / 2.0, self.from, self.to);
        around(
            a.0.min(b.0) - half,
            a.1.min(b.1) - half,
            a.0.max(b.0) + half,
            a.1.max(b.1) + half,
        )
    }
}

/// A rectangle with round corners.
#[derive(Clone, Copy, Debug)]
pub struct RoundRect {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Radius of the corners.
    pub radius: f32,
}

impl RoundRect {
    /// The rectangle `area` with corners of `radius`.
    pub fn new(area: Rectangle, radius: f32) -> Self {
        Self {
            left: area.top_left.x as f32,
            top: area.top_left.y as f32,
            width: area.size.width as f32,
            height: area.size.height as f32,
            radius,
        }
    }
}

impl Shape for RoundRect {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let radius = self.radius.min(self.width / 2.0).min(self.height / 2.0);
        let dx = (x - self.left - self.width / 2.0).abs() - self.width / 2.0 + radius;
        let dy = (y - self.top - self.height / 2.0).abs() - self.height / 2.0 + radius;
        dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius
    }

    fn bounds(&self) -> Rectangle {
        around(
            self.left,
            self.top,
            self.left + self.width,
            self.top + self.height,
        )
    }
}

/// The outline of another shape.
#[derive(Clone, Copy, Debug)]
pub struct Outline<S> {
    /// Whose edge is drawn.
    pub of: S,
    /// Stroke width, half of it to each side of the edge.
    pub width: f32,
}

impl<S: Shape> Shape for Outline<S> {
    fn distance(&self, x: f32, y: f32) -> f32 {
        self.of.distance(x, y).abs() - self.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        self.of.bounds().offset((self.width / 2.0).ceil() as i32)
    }
}

/// The four corners of a rounded outline, as a viewfinder shows them.
#[derive(Clone, Copy, Debug)]
pub struct Corners {
    /// The whole outline.
    pub outline: Outline<RoundRect>,
    /// How far each corner reaches along both edges.
    pub reach: f32,
}

impl Shape for Corners {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let rect = &self.outline.of;
        let beyond_x = rect.width / 2.0 - self.reach - (x - rect.left - rect.width / 2.0).abs();
        let beyond_y = rect.height / 2.0 - self.reach - (y - rect.top - rect.height / 2.0).abs();
        self.outline.distance(x, y).max(beyond_x).max(beyond_y)
    }

    fn bounds(&self) -> Rectangle {
        self.outline.bounds()
    }
}

/// A triangle with round corners, pointing up.
#[derive(Clone, Copy, Debug)]
pub struct Triangle {
    /// Center of the circle through the corners, to the right.
    pub x: f32,
    /// The same, down.
    pub y: f32,
    /// From there to the round tips.
    pub reach: f32,
    /// Radius of the corners.
    pub radius: f32,
}

impl Shape for Triangle {
    fn distance(&self, x: f32, y: f32) -> f32 {
        // Equilateral, after folding it onto one half: the larger of the distances to base and flank, rounded.
        let (dx, dy) = ((x - self.x).abs(), y - self.y);
        let inner = (self.reach - self.radius) / 2.0;
        let base = dy - inner;
        let flank = dx * 0.866_025_4 - dy * 0.5 - inner;
        let corner = (inner * 1.732_050_8, inner);
        let tip = (0.0, -2.0 * inner);
        let below_corner = base > 0.0 && dx > corner.0;
        let beyond_corner =
            flank > 0.0 && (dx - corner.0) * 0.5 + (dy - corner.1) * 0.866_025_4 > 0.0;
        let beyond_tip = flank > 0.0 && dx * 0.5 + (dy - tip.1) * 0.866_025_4 < 0.0;
        let sharp = if below_corner || beyond_corner {
            (dx - corner.0).hypot(dy - corner.1)
        } else if beyond_tip {
            (dx - tip.0).hypot(dy - tip.1)
        } else {
            base.max(flank)
        };
        sharp - self.radius
    }

    fn bounds(&self) -> Rectangle {
        around(
            self.x - self.reach,
            self.y - self.reach,
            self.x + self.reach,
            self.y + self.reach,
        )
    }
}

fn around(left: f32, top: f32, right: f32, bottom: f32) -> Rectangle {
    let top_left = Point::new(left.floor() as i32 - 1, top.floor() as i32 - 1);
    let bottom_right = Point::new(right.ceil() as i32 + 1, bottom.ceil() as i32 + 1);
    Rectangle::with_corners(top_left, bottom_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_at_known_points() {
        let rect = RoundRect {
            left: 10.0,
            top: 10.0,
            width: 40.0,
            height: 20.0,
            radius: 5.0,
        };
        let line = Line {
            from: (0.0, 0.0),
            to: (10.0, 0.0),
            width: 4.0,
        };
        let quarter = Arc {
            circle: Disc {
                x: 0.0,
                y: 0.0,
                radius: 10.0,
            },
            from: 0.0,
            turns: 0.25,
            width: 2.0,
        };
        let triangle = Triangle {
            x: 0.0,
            y: 0.0,
            reach: 20.0,
            radius: 2.0,
        };
        let table: [(&str, &dyn Shape, f32, f32, f32); 11] = [
            ("middle of the rectangle", &rect, 30.0, 20.0, -10.0),
            ("beside it", &rect, 60.0, 20.0, 10.0),
            (
                "its sharp corner is cut",
                &rect,
                10.0,
                10.0,
                5.0 * 2.0_f32.sqrt() - 5.0,
            ),
            ("beside the line", &line, 5.0, 5.0, 3.0),
            ("beyond its end", &line, 13.0, 4.0, 3.0),
            (
                "on the arc, to the upper right",
                &quarter,
                50.0_f32.sqrt(),
                -50.0_f32.sqrt(),
                -1.0,
            ),
            ("at its end, to the right", &quarter, 10.0, 0.0, -1.0),
            (
                "across from it",
                &quarter,
                0.0,
                10.0,
                200.0_f32.sqrt() - 1.0,
            ),
            ("middle of the triangle", &triangle, 0.0, 0.0, -11.0),
            ("its tip", &triangle, 0.0, -20.0, 0.0),
            ("below its base", &triangle, 0.0, 14.0, 3.0),
        ];
        for (name, shape, x, y, expected) in table {
            let found = shape.distance(x, y);
            assert!(
                (found - expected).abs() < 1e-4,
                "{name}: {found} instead of {expected}"
            );
        }
    }
}
