//! A screen as a list of things to draw, and the drawing of what differs from the list before.
//!
//! A view is first laid down as a list, which costs little, and then compared with the list of the picture before.
//! Only where the two differ is anything drawn, and there everything is: the ground first, then each thing in its
//! order, clipped. So a picture drawn piece by piece is the picture drawn at once, to the bit.

use std::sync::Arc;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::logo::Logo;
use super::preview::{Cut, Mirror};
use super::shape::{Arc as Bow, Corners, Disc, Line, Outline, Ring, RoundRect, Shape, Triangle};
use super::text::{Fonts, Paragraph};
use shared::frame::Frame;

/// Any of the shapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Figure {
    Disc(Disc),
    Ring(Ring),
    Arc(Bow),
    Line(Line),
    RoundRect(RoundRect),
    Outline(Outline),
    Corners(Corners),
    Triangle(Triangle),
}

macro_rules! figures {
    ($($shape:ident $variant:ident),*) => {
        $(impl From<$shape> for Figure {
            fn from(shape: $shape) -> Self {
                Self::$variant(shape)
            }
        })*

        impl Figure {
            fn bounds(&self) -> Rectangle {
                match self { $(Self::$variant(shape) => shape.bounds(),)* }
            }

            fn fill(&self, canvas: &mut Canvas, color: Rgb888, opacity: f32) {
                match self { $(Self::$variant(shape) => canvas.fill(shape, color, opacity),)* }
            }

            fn glow(&self, canvas: &mut Canvas, reach: f32, color: Rgb888, opacity: f32) {
                match self { $(Self::$variant(shape) => canvas.glow(shape, reach, color, opacity),)* }
            }
        }
    };
}

figures!(
    Disc Disc, Ring Ring, Bow Arc, Line Line, RoundRect RoundRect, Outline Outline, Corners Corners, Triangle Triangle
);

/// One thing to draw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// A filled shape.
    Fill {
        figure: Figure,
        color: Rgb888,
        opacity: f32,
    },
    /// A soft shade around a shape.
    Glow {
        figure: Figure,
        reach: f32,
        color: Rgb888,
        opacity: f32,
    },
    /// Letters.
    Text {
        paragraph: Arc<Paragraph>,
        x: f32,
        top: f32,
        anchor: f32,
        color: Rgb888,
    },
    /// The live picture in a circle.
    Picture { circle: Disc, cut: Cut },
    /// The picture of the house.
    Logo { logo: Arc<Logo>, area: Rectangle },
}

impl Item {
    fn bounds(&self) -> Rectangle {
        match self {
            Self::Fill { figure, .. } => figure.bounds(),
            Self::Glow { figure, reach, .. } => figure.bounds().offset(reach.ceil() as i32),
            Self::Text {
                paragraph,
                x,
                top,
                anchor,
                ..
            } => paragraph.bounds(*x, *top, *anchor),
            Self::Picture { circle, .. } => circle.bounds(),
            Self::Logo { area, .. } => *area,
        }
    }

    /// Whether it looks different each time.
    fn lives(&self) -> bool {
        matches!(self, Self::Picture { .. })
    }
}

/// A screen as a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    pub(super) background: Rgb888,
    pub(super) items: Vec<Item>,
}

impl Scene {
    /// What has to be drawn anew where `before` is on the canvas: rectangles that do not overlap much.
    pub(super) fn differences(&self, before: &Self, whole: Rectangle) -> Vec<Rectangle> {
        if self.background != before.background {
            return vec![whole];
        }
        let (new, old) = (&self.items, &before.items);
        let mut areas = Vec::new();
        if new.len() == old.len() {
            for (item, was) in new.iter().zip(old) {
                if item.lives() || item != was {
                    areas.extend([item.bounds(), was.bounds()]);
                }
            }
        } else {
            let same = |(a, b): &(&Item, &Item)| a == b && !a.lives();
            let head = new.iter().zip(old).take_while(same).count();
            let (new, old) = (&new[head..], &old[head..]);
            let tail = new
                .iter()
                .rev()
                .zip(old.iter().rev())
                .take_while(same)
                .count();
            let changed = new[..new.len() - tail]
                .iter()
                .chain(&old[..old.len() - tail]);
            areas.extend(changed.map(Item::bounds));
        }
        merged(areas, whole)
    }

    /// What is written, and the pixels from the top of its capitals to its last baseline.
    pub(super) fn written(&self) -> Vec<(String, Rectangle)> {
        let texts = self.items.iter().filter_map(|item| match item {
            Item::Text {
                paragraph,
                x,
                top,
                anchor,
                ..
            } => {
                let left = x - anchor * paragraph.width();
                let area = Rectangle::new(
                    Point::new(left.round() as i32, top.round() as i32),
                    Size::new(
                        paragraph.width().round() as u32,
                        paragraph.optical_height().round() as u32,
                    ),
                );
                Some((paragraph.lines.join(" "), area))
            }
            _ => None,
        });
        texts.collect()
    }

    /// Draws the parts of the scene that lie in `area`; `frame` is the live picture.
    pub(super) fn draw(
        &self,
        canvas: &mut Canvas,
        area: Rectangle,
        fonts: &Fonts,
        mirror: &mut Mirror,
        frame: Option<&Frame>,
    ) {
        canvas.set_clip(area);
        canvas.clear(area, self.background);
        for item in &self.items {
            if item.bounds().intersection(&area).is_zero_sized() {
                continue;
            }
            match item {
                Item::Fill {
                    figure,
                    color,
                    opacity,
                } => figure.fill(canvas, *color, *opacity),
                Item::Glow {
                    figure,
                    reach,
                    color,
                    opacity,
                } => figure.glow(canvas, *reach, *color, *opacity),
                Item::Text {
                    paragraph,
                    x,
                    top,
                    anchor,
                    color,
                } => fonts.draw(canvas, paragraph, *x, *top, *anchor, *color),
                Item::Picture { circle, cut } => {
                    if let Some(frame) = frame {
                        mirror.draw(canvas, frame, *cut, *circle);
                    }
                }
                Item::Logo { logo, area } => logo.draw(canvas, *area),
            }
        }
        canvas.set_clip(canvas.bounding_box());
    }
}

/// The parts of `areas` inside `whole`, those that overlap put together.
fn merged(areas: Vec<Rectangle>, whole: Rectangle) -> Vec<Rectangle> {
    let mut kept: Vec<Rectangle> = Vec::new();
    for area in areas {
        let mut area = area.intersection(&whole);
        if area.is_zero_sized() {
            continue;
        }
        while let Some(index) = kept
            .iter()
            .position(|other| !other.intersection(&area).is_zero_sized())
        {
            area = envelope(area, kept.swap_remove(index));
        }
        kept.push(area);
    }
    kept
}

/// The smallest rectangle around both.
fn envelope(a: Rectangle, b: Rectangle) -> Rectangle {
    let corner = |area: Rectangle| {
        area.top_left + Point::new(area.size.width as i32, area.size.height as i32)
    };
    let top_left = a.top_left.component_min(b.top_left);
    let size = corner(a).component_max(corner(b)) - top_left;
    Rectangle::new(top_left, Size::new(size.x as u32, size.y as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dot(x: f32) -> Item {
        Item::Fill {
            figure: Disc {
                x,
                y: 5.0,
                radius: 2.0,
            }
            .into(),
            color: Rgb888::WHITE,
            opacity: 1.0,
        }
    }

    fn scene(places: &[f32]) -> Scene {
        Scene {
            background: Rgb888::BLACK,
            items: places.iter().copied().map(dot).collect(),
        }
    }

    #[test]
    fn only_what_changed_is_drawn() {
        let whole = Rectangle::new(Point::zero(), Size::new(100, 10));
        for (name, before, after, expected) in [
            ("nothing", &[10.0, 50.0][..], &[10.0, 50.0][..], 0),
            ("one moved far", &[10.0, 50.0], &[10.0, 90.0], 2),
            ("one moved a little", &[10.0, 50.0], &[10.0, 51.0], 1),
            ("one more at the end", &[10.0], &[10.0, 90.0], 1),
            ("one less at the start", &[10.0, 50.0], &[50.0], 1),
            ("outside", &[500.0], &[600.0], 0),
        ] {
            let (before, after) = (scene(before), scene(after));
            assert_eq!(after.differences(&before, whole).len(), expected, "{name}");
        }
        let mut red = scene(&[10.0]);
        red.background = Rgb888::RED;
        assert_eq!(red.differences(&scene(&[10.0]), whole), [whole]);
    }
}
