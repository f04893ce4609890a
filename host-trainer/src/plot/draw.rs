//! Draws the charts, by plotters' SVG backend.
//!
//! plotters knows whole units only; so everything is drawn ten times as large as it is shown, and
//! lines run smoothly between pixels.

use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::counted;
use super::panels::{COLORS, Key, Layer, Panel, Pen, Rgb, best};
use super::series::Point;
use super::{Along, Run};

/// Units of the drawing in a pixel.
const UNITS: f64 = 10.0;
const WIDTH: f64 = 1200.0;
pub(super) const MARGIN: f64 = 36.0;
/// Between two columns of charts.
const GUTTER: f64 = 44.0;
const COLUMNS: usize = 2;
/// A chart with its title and numbers.
const PANEL_HEIGHT: f64 = 322.0;
/// Of it, above and below the drawing itself, and at its left.
const HEAD: f64 = 56.0;
const FOOT: f64 = 54.0;
const LEFT: f64 = 50.0;
/// A run's line in the page's head.
const ROW: f64 = 24.0;
const FONT: &str = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif";
pub(super) const INK: Rgb = (32, 36, 42);
pub(super) const GREY: Rgb = (104, 110, 118);
pub(super) const GRID: Rgb = (228, 231, 235);
/// The line that a chart stands on.
pub(super) const BASE: Rgb = (150, 156, 164);
/// Average width of a letter as a share of the font's size, to put one thing beside another.
const LETTER: f64 = 0.53;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// The whole picture as SVG.
pub(super) fn page(
    runs: &[Run],
    panels: &[Panel],
    along: Along,
) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let head = MARGIN + 34.0 + ROW * runs.len() as f64 + 24.0;
    let rows = panels.len().div_ceil(COLUMNS);
    let height = head + PANEL_HEIGHT * rows as f64 + MARGIN / 2.0;
    svg((WIDTH, height), "Curves of training runs", |area| {
        self::head(area, runs)?;
        let width = (WIDTH - 2.0 * MARGIN - GUTTER) / COLUMNS as f64;
        for (index, panel) in panels.iter().enumerate() {
            let (row, column) = (index / COLUMNS, index % COLUMNS);
            let chart = Chart {
                area,
                panel,
                left: MARGIN + (width + GUTTER) * column as f64,
                top: head + PANEL_HEIGHT * row as f64,
                width,
            };
            chart.draw(along)?;
        }
        Ok(())
    })
}

/// An SVG of that width and height in pixels, drawn by `draw` onto white.
pub(super) fn svg(
    (width, height): (f64, f64),
    title: &str,
    draw: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let mut text = String::new();
    {
        let size = (units(width) as u32, units(height) as u32);
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
    }
    // The size to be shown at, round joints instead of spikes, a title for screen readers.
    let (_, body) = text.split_once('\n').unwrap_or_default();
    Ok(format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{title}</title>\n\
         <style>polyline{{stroke-linejoin:round;stroke-linecap:round}}</style>\n{body}",
        units(width),
        units(height)
    ))
}

/// The page's title, and a line for each run.
fn head(area: &Area<'_>, runs: &[Run]) -> Drawn {
    let title = match runs {
        [_] => "A training run",
        _ => "Training runs compared",
    };
    let place = (MARGIN, MARGIN);
    write(area, title, place, Words::new(22.0, INK).bold())?;
    for (index, (run, color)) in runs.iter().zip(COLORS).enumerate() {
        let middle = MARGIN + 34.0 + ROW * (index as f64 + 0.5);
        if runs.len() > 1 {
            let key = [(MARGIN, middle), (MARGIN + 22.0, middle)];
            line(
                area,
                &key,
                Pen {
                    color,
                    width: 4.0,
                    opacity: 1.0,
                    dashed: false,
                },
            )?;
        }
        let left = MARGIN + if runs.len() > 1 { 32.0 } else { 0.0 };
        let name: String = match run.name.chars().count() {
            0..=52 => run.name.clone(),
            _ => run.name.chars().take(51).chain(['…']).collect(),
        };
        write(
            area,
            &name,
            (left, middle),
            Words::new(15.0, INK).middle().bold(),
        )?;
        let right = (WIDTH - MARGIN, middle);
        write(
            area,
            &facts(run),
            right,
            Words::new(14.0, GREY).middle().ending(),
        )?;
    }
    Ok(())
}

/// How long a run went on and how far it came.
fn facts(run: &Run) -> String {
    let last = run.metrics.steps.last().copied().unwrap_or_default();
    let mut facts = vec![
        format!("{} steps", counted(last.step)),
        format!("{} pictures", counted(last.pictures)),
        match last.seconds {
            seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
            seconds => format!("{:.1} h", seconds / 3600.0),
        },
    ];
    if let Some(best) = best(run) {
        facts.push(format!("best validation {:.1} %", best.accuracy * 100.0));
    }
    facts.join("  ·  ")
}

/// A chart at its place on the page, in pixels.
struct Chart<'a, 'b> {
    area: &'a Area<'b>,
    panel: &'a Panel,
    left: f64,
    top: f64,
    width: f64,
}

impl Chart<'_, '_> {
    fn draw(&self, along: Along) -> Drawn {
        let Panel { title, note, .. } = self.panel;
        let place = (self.left, self.top);
        write(self.area, title, place, Words::new(16.0, INK).bold())?;
        let right = (self.left + self.width, self.top + 2.0);
        write(self.area, note, right, Words::new(13.0, INK).ending())?;
        self.keys()?;
        self.axes(along)?;
        self.panel
            .layers
            .iter()
            .try_for_each(|layer| self.layer(layer))
    }

    fn keys(&self) -> Drawn {
        let mut left = self.left;
        let middle = self.top + 34.0;
        for key in &self.panel.keys {
            let words = match key {
                Key::Words(words) => words,
                Key::Line(pen, words) => {
                    let key = [(left, middle), (left + 20.0, middle)];
                    line(self.area, &key, *pen)?;
                    left += 27.0;
                    words
                }
            };
            write(
                self.area,
                words,
                (left, middle),
                Words::new(13.0, GREY).middle(),
            )?;
            left += 13.0 * LETTER * words.len() as f64 + 20.0;
        }
        Ok(())
    }

    fn axes(&self, along: Along) -> Drawn {
        let Panel { x, y, unit, .. } = self.panel;
        let bottom = self.place((x.from, y.from)).1;
        for mark in y.marks() {
            let (left, height) = self.place((x.from, mark));
            let right = self.left + self.width;
            let pen = Pen {
                color: if mark == y.from { BASE } else { GRID },
                width: 1.0,
                opacity: 1.0,
                dashed: false,
            };
            line(self.area, &[(left, height), (right, height)], pen)?;
            let label = format!("{}{unit}", y.label(mark));
            let words = Words::new(12.5, GREY).middle().ending();
            write(self.area, &label, (left - 8.0, height), words)?;
        }
        for mark in x.marks() {
            let (middle, _) = self.place((mark, y.from));
            let words = Words::new(12.5, GREY).centered();
            write(self.area, &x.label(mark), (middle, bottom + 8.0), words)?;
        }
        let (middle, _) = self.place(((x.from + x.to) / 2.0, y.from));
        let words = Words::new(12.5, GREY).centered();
        write(self.area, along.name(), (middle, bottom + 25.0), words)
    }

    /// Where a point of the chart is on the page, in pixels.
    fn place(&self, (x, y): Point) -> Point {
        let (left, top) = (self.left + LEFT, self.top + HEAD);
        let (width, height) = (self.width - LEFT, PANEL_HEIGHT - HEAD - FOOT);
        let across = self.panel.x.place(x) * width;
        let up = self.panel.y.place(y) * height;
        (left + across, top + height - up)
    }

    fn layer(&self, layer: &Layer) -> Drawn {
        let places = |points: &[Point]| -> Vec<Point> {
            points.iter().map(|point| self.place(*point)).collect()
        };
        match layer {
            Layer::Line(pen, points) => line(self.area, &places(points), *pen),
            Layer::Band(color, lower, upper) => {
                let edge = places(lower)
                    .into_iter()
                    .chain(places(upper).into_iter().rev());
                let edge: Vec<(i32, i32)> = edge.map(on_grid).collect();
                self.area.draw(&Polygon::new(edge, rgb(*color).mix(0.12)))
            }
            Layer::Dots(color, points) => places(points).into_iter().try_for_each(|place| {
                let dot = Circle::new(on_grid(place), units(3.2), rgb(*color).filled());
                self.area.draw(&dot)
            }),
            Layer::Ring(color, point, words) => {
                let place = self.place(*point);
                let white = Circle::new(on_grid(place), units(6.5), WHITE.filled());
                self.area.draw(&white)?;
                let pen = rgb(*color).stroke_width(units(2.2) as u32);
                self.area
                    .draw(&Circle::new(on_grid(place), units(6.0), pen))?;
                let dot = Circle::new(on_grid(place), units(2.8), rgb(*color).filled());
                self.area.draw(&dot)?;
                // To the left of a point near the right edge.
                let late = self.panel.x.place(point.0) > 0.85;
                let style = Words::new(13.0, *color).bold().middle();
                let (away, style) = match late {
                    true => (-12.0, style.ending()),
                    false => (12.0, style),
                };
                write(self.area, words, (place.0 + away, place.1 - 8.0), style)
            }
        }
    }
}

/// How words are set.
#[derive(Clone, Copy)]
pub(super) struct Words {
    size: f64,
    color: Rgb,
    bold: bool,
    across: HPos,
    up: VPos,
}

impl Words {
    /// From a place to the right and down.
    pub(super) fn new(size: f64, color: Rgb) -> Self {
        Self {
            size,
            color,
            bold: false,
            across: HPos::Left,
            up: VPos::Top,
        }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// With its middle at the height of the place.
    pub(super) fn middle(self) -> Self {
        Self {
            up: VPos::Center,
            ..self
        }
    }

    /// With its end at the place.
    pub(super) fn ending(self) -> Self {
        Self {
            across: HPos::Right,
            ..self
        }
    }

    /// On both sides of the place.
    pub(super) fn centered(self) -> Self {
        Self {
            across: HPos::Center,
            ..self
        }
    }
}

pub(super) fn write(area: &Area<'_>, text: &str, place: Point, words: Words) -> Drawn {
    let style = if words.bold {
        FontStyle::Bold
    } else {
        FontStyle::Normal
    };
    // The SVG backend writes a font's size divided by 1.24.
    let size = words.size * UNITS * 1.24;
    let font = FontDesc::new(FontFamily::Name(FONT), size, style);
    let color = rgb(words.color);
    let style = TextStyle::from(font)
        .color(&color)
        .pos(Pos::new(words.across, words.up));
    area.draw(&Text::new(text, on_grid(place), style))
}

pub(super) fn line(area: &Area<'_>, places: &[Point], pen: Pen) -> Drawn {
    let places: Vec<(i32, i32)> = places.iter().copied().map(on_grid).collect();
    let style = rgb(pen.color)
        .mix(pen.opacity)
        .stroke_width(units(pen.width) as u32);
    match pen.dashed {
        true => area.draw(&DashedPathElement::new(
            places,
            units(6.0),
            units(5.0),
            style,
        )),
        false => area.draw(&PathElement::new(places, style)),
    }
}

pub(super) fn rgb((red, green, blue): Rgb) -> RGBColor {
    RGBColor(red, green, blue)
}

pub(super) fn units(pixels: f64) -> i32 {
    (pixels * UNITS).round() as i32
}

pub(super) fn on_grid((x, y): Point) -> (i32, i32) {
    (units(x), units(y))
}
