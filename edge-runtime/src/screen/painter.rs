//! Lays a view down as a list of things to draw: type sizes, the ring, the message beside it.

use std::sync::Arc;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::primitives::Rectangle;

use super::layout::Layout;
use super::logo::Logo;
use super::preview::{Cut, Preview};
use super::scene::{Figure, Item, Scene};
use super::shape::{Arc as Bow, Disc, Ring};
use super::sign::Sign;
use super::text::{Fonts, Paragraph, Typeface};
use super::theme::Theme;
use super::words::{Word, Words};

/// What every screen of a kiosk is drawn with.
pub(super) struct Kit {
    pub(super) fonts: Fonts,
    pub(super) words: Words,
    pub(super) theme: Theme,
    pub(super) logo: Option<Arc<Logo>>,
    pub(super) layout: Layout,
}

/// Sizes of type, for 800x480: the largest and the smallest it is shrunk to.
pub(super) const HEADLINE: (f32, f32) = (46.0, 24.0);
pub(super) const TITLE: (f32, f32) = (34.0, 22.0);
pub(super) const SENTENCE: (f32, f32) = (21.0, 16.0);
pub(super) const NOTE: (f32, f32) = (16.0, 14.0);

/// Stroke of the ring, and the air between it and the picture, for 800x480.
const STROKE: f32 = 7.0;
const AIR: f32 = 8.0;
/// Radius of the sign that sits on the ring, and of the hole cut for it.
const SEAL: f32 = 35.0;
const SEAL_HOLE: f32 = 43.0;

/// What the ring around the live picture tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Around {
    /// Nothing yet.
    Quiet,
    /// How far it is, 0 to 1, clockwise from the top.
    Progress(f32),
    /// It is decided.
    Whole(Rgb888),
    /// One side is meant, `at` turns from the top, and is held for this share, 0 to 1.
    Side { at: f32, held: f32 },
}

/// One paragraph of a message.
pub(super) struct Part {
    pub(super) paragraph: Arc<Paragraph>,
    pub(super) color: Rgb888,
    /// Distance to what stands above it, for 800x480.
    pub(super) gap: f32,
}

/// A view being laid down.
pub(super) struct Painter<'a> {
    pub(super) kit: &'a Kit,
    pub(super) theme: &'a Theme,
    pub(super) layout: Layout,
    pub(super) scene: Scene,
}

impl<'a> Painter<'a> {
    pub(super) fn new(kit: &'a Kit) -> Self {
        Self {
            kit,
            theme: &kit.theme,
            layout: kit.layout,
            scene: Scene {
                background: kit.theme.background,
                items: Vec::new(),
            },
        }
    }

    /// `length` for 800x480 in pixels of this screen.
    pub(super) fn px(&self, length: f32) -> f32 {
        self.layout.px(length)
    }

    pub(super) fn say(&self, word: Word) -> &'a str {
        self.kit.words.say(word)
    }

    pub(super) fn fill(&mut self, figure: impl Into<Figure>, color: Rgb888, opacity: f32) {
        let figure = figure.into();
        self.scene.items.push(Item::Fill {
            figure,
            color,
            opacity,
        });
    }

    pub(super) fn glow(
        &mut self,
        figure: impl Into<Figure>,
        reach: f32,
        color: Rgb888,
        opacity: f32,
    ) {
        let figure = figure.into();
        self.scene.items.push(Item::Glow {
            figure,
            reach,
            color,
            opacity,
        });
    }

    /// Puts `paragraph` with the top of its capitals at `top`; `anchor` 0 has its lines begin at `x`, 0.5 stand around
    /// it, 1 end there.
    pub(super) fn text(
        &mut self,
        paragraph: &Arc<Paragraph>,
        (x, top): (f32, f32),
        anchor: f32,
        color: Rgb888,
    ) {
        self.scene.items.push(Item::Text {
            paragraph: Arc::clone(paragraph),
            x,
            top,
            anchor,
            color,
        });
    }

    /// Puts `paragraph` into the middle of `area`, by what the eye takes for its height.
    pub(super) fn text_in(&mut self, paragraph: &Arc<Paragraph>, area: Rectangle, color: Rgb888) {
        let x = area.top_left.x as f32 + area.size.width as f32 / 2.0;
        let y = area.top_left.y as f32 + area.size.height as f32 / 2.0;
        self.text(
            paragraph,
            (x, y - paragraph.optical_height() / 2.0),
            0.5,
            color,
        );
    }

    pub(super) fn live_picture(&mut self, circle: Disc, cut: Cut) {
        self.scene.items.push(Item::Picture { circle, cut });
    }

    pub(super) fn logo(&mut self, logo: &Arc<Logo>, area: Rectangle) {
        self.scene.items.push(Item::Logo {
            logo: Arc::clone(logo),
            area,
        });
    }

    /// `text` fitted into `width` pixels and so many lines, in a size of the scale.
    pub(super) fn fitted(
        &self,
        text: &str,
        typeface: Typeface,
        (largest, smallest): (f32, f32),
        width: f32,
        lines: usize,
    ) -> Arc<Paragraph> {
        let sizes = (self.px(largest), self.px(smallest));
        self.kit.fonts.fit(text, typeface, sizes, width, lines)
    }

    /// A headline as wide as the column.
    pub(super) fn headline(&self, text: &str, color: Rgb888, gap: f32) -> Part {
        let width = self.layout.column.size.width as f32;
        // A little smaller on one line looks calmer than large on two.
        let one = (HEADLINE.0, HEADLINE.0 * 0.8);
        let paragraph = self.fitted(text, Typeface::Display, one, width, 1);
        let whole = paragraph.lines.iter().all(|line| !line.ends_with('…'));
        let paragraph = if whole {
            paragraph
        } else {
            self.fitted(text, Typeface::Display, HEADLINE, width, 3)
        };
        Part {
            paragraph,
            color,
            gap,
        }
    }

    /// A sentence as wide as the column.
    pub(super) fn sentence(&self, text: &str, color: Rgb888, gap: f32) -> Part {
        let width = self.layout.column.size.width as f32;
        Part {
            paragraph: self.fitted(text, Typeface::Text, SENTENCE, width, 4),
            color,
            gap,
        }
    }

    /// A note as wide as the column.
    pub(super) fn note(&self, text: &str, gap: f32) -> Part {
        let width = self.layout.column.size.width as f32;
        Part {
            paragraph: self.fitted(text, Typeface::Text, NOTE, width, 2),
            color: self.theme.text_quiet,
            gap,
        }
    }

    /// The live picture with its ring; a plain disc where there is none yet.
    pub(super) fn live(&mut self, preview: Option<&Preview<'_>>, around: Around) {
        let outer = self.layout.ring;
        let width = self.px(STROKE);
        let circle = outer.with_radius(outer.radius - width / 2.0);
        let inner = outer.with_radius(outer.radius - width - self.px(AIR));
        match preview {
            Some(preview) => self.picture(preview, inner),
            None => self.fill(inner, self.theme.surface, 1.0),
        }
        match around {
            Around::Whole(color) => self.fill(Ring { circle, width }, color, 1.0),
            _ => self.fill(Ring { circle, width }, self.theme.line, 1.0),
        }
        let accent = self.theme.accent;
        match around {
            Around::Progress(progress) if progress > 0.0 => {
                let turns = progress.min(1.0);
                self.fill(Bow::new(circle, 0.0, turns, width), accent, 1.0);
            }
            Around::Side { at, held } => {
                let reach = 0.20;
                let side = Bow::new(circle, at - reach / 2.0, reach, self.px(STROKE + 3.0));
                self.fill(side, self.theme.text, 1.0);
                if held > 0.0 {
                    // It begins to grow where the seal no longer hides it.
                    let hidden =
                        SEAL_HOLE / (std::f32::consts::PI * (outer.radius / self.layout.unit));
                    let turns = hidden + (reach - hidden) * held.min(1.0);
                    let part = Bow::new(circle, at - turns / 2.0, turns, self.px(STROKE + 3.0));
                    self.fill(part, accent, 1.0);
                }
            }
            _ => {}
        }
    }

    /// A sign that sits on the ring like a seal, `at` turns from the top, dark on `color` or the other way round.
    pub(super) fn seal(&mut self, sign: &Sign, at: f32, color: Rgb888, glyph: Rgb888) {
        let outer = self.layout.ring;
        let (x, y) = outer
            .with_radius(outer.radius - self.px(STROKE / 2.0))
            .at(at);
        let place = |radius| Disc { x, y, radius };
        let (hole, disc) = (place(self.px(SEAL_HOLE)), place(self.px(SEAL)));
        self.fill(hole, self.scene.background, 1.0);
        self.fill(disc, color, 1.0);
        self.sign(sign, disc, glyph);
    }

    /// Where a seal sits that points nowhere: lower right beside a column, at the foot above one.
    pub(super) fn seal_place(&self) -> f32 {
        if self.layout.upright { 0.5 } else { 0.375 }
    }

    /// Stacks `parts`: beside the ring around the middle of its height and left-aligned, below it centered.
    ///
    /// Returns where the message ends.
    pub(super) fn message(&mut self, parts: &[Part]) -> f32 {
        let column = self.layout.column;
        let mut height = 0.0;
        for (index, part) in parts.iter().enumerate() {
            let gap = if index == 0 { 0.0 } else { self.px(part.gap) };
            height += gap + part.paragraph.optical_height();
        }
        let (left, width) = (column.top_left.x as f32, column.size.width as f32);
        let (x, anchor, mut top) = if self.layout.upright {
            (
                left + width / 2.0,
                0.5,
                column.top_left.y as f32 + self.px(20.0),
            )
        } else {
            (left, 0.0, self.layout.ring.y - height / 2.0)
        };
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                top += self.px(part.gap);
            }
            self.text(&part.paragraph, (x, top), anchor, part.color);
            top += part.paragraph.optical_height();
        }
        top
    }
}
