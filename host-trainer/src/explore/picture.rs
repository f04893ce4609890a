//! The same picture without a page: dots as SVG and as PNG, the largest groups named.

use std::fmt::Write;

use image::{Rgb, RgbImage};

use super::Groups;
use super::palette::CHOSEN;

/// Side of the picture, in pixels; the legend lies at the right of it.
const SIDE: f32 = 1000.0;
const MARGIN: f32 = 40.0;
const LEGEND: f32 = 260.0;
const ROW: f32 = 28.0;
/// Of a dot without a group.
const GREY: &str = "#a0a4ab";
const PAPER: [u8; 3] = [251, 251, 250];
/// How much of a dot covers what lies under it.
const OPACITY: f32 = 0.8;

/// Every face's place in pixels, the middle of the picture in the middle, at equal scale along x
/// and y; y runs up, as in a chart.
fn placed(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
    let bound = |axis: usize| {
        let values = points.iter().map(|point| point[axis]);
        let low = values.clone().fold(f32::INFINITY, f32::min);
        (low, values.fold(f32::NEG_INFINITY, f32::max))
    };
    let ((left, right), (bottom, top)) = (bound(0), bound(1));
    let extent = (right - left).max(top - bottom).max(f32::MIN_POSITIVE);
    let scale = (SIDE - 2.0 * MARGIN) / extent;
    let place = |[x, y]: &[f32; 2]| {
        let x = SIDE / 2.0 + (x - (left + right) / 2.0) * scale;
        [x, SIDE / 2.0 - (y - (bottom + top) / 2.0) * scale]
    };
    points.iter().map(place).collect()
}

/// Less for many faces.
fn radius(count: usize) -> f32 {
    (160.0 / (count.max(1) as f32).sqrt()).clamp(2.0, 5.0)
}

fn color(groups: &Groups, face: usize) -> &str {
    groups.of[face].map_or(GREY, |group| &groups.groups[group].1)
}

/// The picture as SVG, with a legend of the largest groups.
pub fn svg(points: &[[f32; 2]], groups: &Groups, title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {SIDE}\" font-family=\"Inter, 'Helvetica Neue', Arial, sans-serif\" font-size=\"15\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fbfbfa\"/>\n<g fill-opacity=\"{OPACITY}\">\n",
        SIDE + LEGEND,
        escaped(title)
    );
    let radius = radius(points.len());
    // Writing to a String cannot fail.
    for (face, [x, y]) in placed(points).iter().enumerate() {
        let fill = color(groups, face);
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{fill}\"/>"
        );
    }
    svg += "</g>\n";
    for (row, (name, fill)) in groups.groups.iter().take(CHOSEN).enumerate() {
        let y = MARGIN + 20.0 + row as f32 * ROW;
        let _ = writeln!(
            svg,
            "<circle cx=\"{SIDE}\" cy=\"{}\" r=\"6\" fill=\"{fill}\"/><text x=\"{}\" y=\"{y}\" fill=\"#2b2f36\">{}</text>",
            y - 5.0,
            SIDE + 16.0,
            escaped(&name.replace('_', " "))
        );
    }
    if groups.groups.len() > CHOSEN {
        let y = MARGIN + 24.0 + CHOSEN as f32 * ROW;
        let (x, more) = (SIDE + 16.0, groups.groups.len() - CHOSEN);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" fill=\"#6b7078\">and {more} more</text>"
        );
    }
    svg + "</svg>\n"
}

/// The dots alone, smooth at their edges.
pub fn png(points: &[[f32; 2]], groups: &Groups) -> RgbImage {
    let mut picture = RgbImage::from_pixel(SIDE as u32, SIDE as u32, Rgb(PAPER));
    let radius = radius(points.len());
    for (face, [x, y]) in placed(points).iter().enumerate() {
        let ink = rgb(color(groups, face));
        let low = |center: f32| (center - radius - 1.0).max(0.0) as u32;
        let high = |center: f32| ((center + radius + 2.0) as u32).min(SIDE as u32);
        for row in low(*y)..high(*y) {
            for column in low(*x)..high(*x) {
                let away = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                let covered = (radius + 0.5 - away).clamp(0.0, 1.0) * OPACITY;
                let pixel = picture.get_pixel_mut(column, row);
                for (old, new) in pixel.0.iter_mut().zip(ink) {
                    let mixed = f32::from(*old) * (1.0 - covered) + f32::from(new) * covered;
                    *old = mixed.round() as u8;
                }
            }
        }
    }
    picture
}

/// Of #rrggbb.
fn rgb(color: &str) -> [u8; 3] {
    let part = |from: usize| u8::from_str_radix(color.get(from..from + 2).unwrap_or("0"), 16);
    [1, 3, 5].map(|from| part(from).unwrap_or(0))
}

/// As text inside XML; a control character, which XML has no way to write, becomes a space.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
