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

    /// Where the line at height `y` may come nearer than `near` pixels to the figure: at most two stretches, from and
    /// to, that do not overlap. Rings of a hundred thousand empty pixels are drawn by it in no time.
    fn reach(&self, y: f32, near: f32) -> Stretches {
        let _ = y;
        let bounds = self.bounds();
        let left = bounds.top_left.x as f32;
        one(left - near, left + bounds.size.width as f32 + near)
    }
}

/// Stretches of a line, from and to.
pub type Stretches = std::iter::Flatten<std::array::IntoIter<Option<(f32, f32)>, 2>>;

fn one(from: f32, to: f32) -> Stretches {
    [Some((from, to)), None].into_iter().flatten()
}

fn none() -> Stretches {
    [None, None].into_iter().flatten()
}

/// Both flanks of something hollow, or all of it where they meet.
fn flanks(outer: (f32, f32), inner: Option<(f32, f32)>) -> Stretches {
    match inner {
        // Flanks that come near each other would overlap after rounding.
        Some((left, right)) if right - left > 4.0 => {
            [Some((outer.0, left)), Some((right, outer.1))]
                .into_iter()
                .flatten()
        }
        _ => one(outer.0, outer.1),
    }
}

/// Length of `(x, y)`; unlike `hypot` it rounds the same way on every processor.
fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// A filled circle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disc {
    /// Center, to the right.
    pub x: f32,
    /// Center, down.
    pub y: f32,
    /// Radius.
    pub radius: f32,
}

impl Disc {
    /// The same center, another radius.
    pub fn with_radius(self, radius: f32) -> Self {
        Self { radius, ..self }
    }

    /// The point on the edge at `turns` clockwise from the top.
    pub fn at(self, turns: f32) -> (f32, f32) {
        let (sin, cos) = (turns * std::f32::consts::TAU).sin_cos();
        (self.x + self.radius * sin, self.y - self.radius * cos)
    }

    /// The stretch of the line at height `y` that lies inside.
    pub(super) fn chord(&self, y: f32) -> Option<(f32, f32)> {
        let half = self.radius * self.radius - (y - self.y) * (y - self.y);
        (self.radius > 0.0 && half > 0.0).then(|| (self.x - half.sqrt(), self.x + half.sqrt()))
    }
}

impl Shape for Disc {
    fn distance(&self, x: f32, y: f32) -> f32 {
        length(x - self.x, y - self.y) - self.radius
    }

    fn bounds(&self) -> Rectangle {
        around(
            self.x - self.radius,
            self.y - self.radius,
            self.x + self.radius,
            self.y + self.radius,
        )
    }

    fn reach(&self, y: f32, near: f32) -> Stretches {
        match self.with_radius(self.radius + near).chord(y) {
            Some((from, to)) => one(from, to),
            None => none(),
        }
    }
}

/// A whole ring.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ring {
    /// The circle along the middle of the stroke.
    pub circle: Disc,
    /// Stroke width.
    pub width: f32,
}

impl Shape for Ring {
    fn distance(&self, x: f32, y: f32) -> f32 {
        self.circle.distance(x, y).abs() - self.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        self.circle
            .with_radius(self.circle.radius + self.width / 2.0)
            .bounds()
    }

    fn reach(&self, y: f32, near: f32) -> Stretches {
        let (radius, half) = (self.circle.radius, self.width / 2.0 + near);
        match self.circle.with_radius(radius + half).chord(y) {
            Some(outer) => flanks(outer, self.circle.with_radius(radius - half).chord(y)),
            None => none(),
        }
    }
}

/// Part of a ring with round ends, clockwise from the top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arc {
    ring: Ring,
    turns: f32,
    /// Directions of both ends, as seen from the center.
    ends: [(f32, f32); 2],
}

impl Arc {
    /// The part of `circle` that begins at `from` and goes on for `turns`, 0 to 1, both in turns, `width` wide.
    pub fn new(circle: Disc, from: f32, turns: f32, width: f32) -> Self {
        let direction = |turns: f32| {
            let (sin, cos) = (turns * std::f32::consts::TAU).sin_cos();
            (sin, -cos)
        };
        Self {
            ring: Ring { circle, width },
            turns,
            ends: [direction(from), direction(from + turns)],
        }
    }
}

impl Shape for Arc {
    fn distance(&self, x: f32, y: f32) -> f32 {
        let circle = self.ring.circle;
        let (dx, dy) = (x - circle.x, y - circle.y);
        let [(ax, ay), (bx, by)] = self.ends;
        let behind_begin = ax * dy - ay * dx >= 0.0;
        let before_end = bx * dy - by * dx <= 0.0;
        let between = if self.turns <= 0.5 {
            behind_begin && before_end
        } else {
            behind_begin || before_end
        };
        if between || self.turns >= 1.0 {
            return self.ring.distance(x, y);
        }
        let end = |(ex, ey): (f32, f32)| length(dx - circle.radius * ex, dy - circle.radius * ey);
        end(self.ends[0]).min(end(self.ends[1])) - self.ring.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        self.ring.bounds()
    }

    fn reach(&self, y: f32, near: f32) -> Stretches {
        self.ring.reach(y, near)
    }
}

/// A line with round ends.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        length(ax - bx * along, ay - by * along) - self.width / 2.0
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
        length(dx.max(0.0), dy.max(0.0)) + dx.max(dy).min(0.0) - radius
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

/// The outline of a rectangle with round corners.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outline {
    /// Whose edge is drawn.
    pub of: RoundRect,
    /// Stroke width, half of it to each side of the edge.
    pub width: f32,
}

impl Shape for Outline {
    fn distance(&self, x: f32, y: f32) -> f32 {
        self.of.distance(x, y).abs() - self.width / 2.0
    }

    fn bounds(&self) -> Rectangle {
        self.of.bounds().offset((self.width / 2.0).ceil() as i32)
    }

    fn reach(&self, y: f32, near: f32) -> Stretches {
        let RoundRect {
            left,
            top,
            width,
            height,
            radius,
        } = self.of;
        let half = self.width / 2.0 + near;
        let outer = (left - half, left + width + half);
        let inset = radius.max(half);
        let straight = y > top + inset && y < top + height - inset;
        flanks(
            outer,
            straight.then_some((left + half, left + width - half)),
        )
    }
}

/// The four corners of a rounded outline, as a viewfinder shows them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Corners {
    /// The whole outline.
    pub outline: Outline,
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

    fn reach(&self, y: f32, near: f32) -> Stretches {
        self.outline.reach(y, near)
    }
}

/// A triangle with round corners, pointing up.
#[derive(Clone, Copy, Debug, PartialEq)]
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
            length(dx - corner.0, dy - corner.1)
        } else if beyond_tip {
            length(dx - tip.0, dy - tip.1)
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
        let circle = Disc {
            x: 0.0,
            y: 0.0,
            radius: 10.0,
        };
        let quarter = Arc::new(circle, 0.0, 0.25, 2.0);
        let most = Arc::new(circle, 0.5, 0.75, 2.0);
        let triangle = Triangle {
            x: 0.0,
            y: 0.0,
            reach: 20.0,
            radius: 2.0,
        };
        let table: [(&str, &dyn Shape, f32, f32, f32); 13] = [
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
            ("on three quarters, at the left", &most, -10.0, 0.0, -1.0),
            (
                "in their gap",
                &most,
                50.0_f32.sqrt(),
                50.0_f32.sqrt(),
                6.653_669,
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

    #[test]
    fn no_covered_pixel_is_left_out_and_none_is_visited_twice() {
        let circle = Disc {
            x: 50.3,
            y: 49.6,
            radius: 40.0,
        };
        let rect = RoundRect {
            left: 10.2,
            top: 12.7,
            width: 70.0,
            height: 61.0,
            radius: 14.0,
        };
        let outline = Outline {
            of: rect,
            width: 5.0,
        };
        let corners = Corners {
            outline,
            reach: 20.0,
        };
        let ring = Ring { circle, width: 6.0 };
        let arc = Arc::new(circle, 0.9, 0.3, 8.0);
        let shapes: [(&str, &dyn Shape); 6] = [
            ("disc", &circle),
            ("ring", &ring),
            ("arc", &arc),
            ("rectangle", &rect),
            ("outline", &outline),
            ("corners", &corners),
        ];
        for (name, shape) in shapes {
            for near in [1.0, 7.0] {
                for row in 0..100 {
                    let y = row as f32 + 0.5;
                    let stretches: Vec<_> = shape.reach(y, near).collect();
                    for column in 0..100 {
                        let x = column as f32 + 0.5;
                        let visits = stretches
                            .iter()
                            .filter(|(from, to)| {
                                let (from, to) = ((from - 1.0) as i32, (to + 1.0).ceil() as i32);
                                (from..to).contains(&column)
                            })
                            .count();
                        assert!(visits <= 1, "{name} at {x} {y}");
                        if shape.distance(x, y) < near {
                            assert_eq!(visits, 1, "{name}, {near} near, at {x} {y}");
                        }
                    }
                }
            }
        }
    }
}
