//! Letters: measured, wrapped to a width, shrunk to a number of lines, drawn with smooth edges.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{Point, Size};
use embedded_graphics::primitives::Rectangle;
use fontdue::{Font, FontSettings};
use unicode_normalization::UnicodeNormalization;

use super::canvas::Canvas;

const DISPLAY: &[u8] = include_bytes!("../../assets/fonts/InterDisplay-SemiBold.otf");
const TEXT: &[u8] = include_bytes!("../../assets/fonts/Inter-Medium.otf");

/// Which of the two fonts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Typeface {
    /// Headlines and names.
    Display,
    /// Everything else.
    Text,
}

impl Typeface {
    /// From one baseline to the next, in sizes of the type.
    pub(super) fn line_height(self) -> f32 {
        match self {
            Self::Display => 1.16,
            Self::Text => 1.42,
        }
    }
}

/// Text broken into lines of one size.
#[derive(Clone, PartialEq)]
pub struct Paragraph {
    /// The font.
    pub typeface: Typeface,
    /// Size in pixels (the em square).
    pub size_px: f32,
    /// What stands on each line.
    pub lines: Vec<String>,
    /// Width of each line in pixels.
    pub widths: Vec<f32>,
}

impl Paragraph {
    /// Height in pixels, from the top of the first line's capitals to the last baseline plus a quarter size.
    pub fn height(&self) -> f32 {
        let between = self.lines.len().saturating_sub(1) as f32;
        (between * self.typeface.line_height() + Fonts::CAPITALS + 0.25) * self.size_px
    }

    /// Height in pixels from the top of the first line's capitals to the last baseline: what looks centered when this
    /// is.
    pub fn optical_height(&self) -> f32 {
        self.height() - 0.25 * self.size_px
    }

    /// Width of the widest line in pixels.
    pub fn width(&self) -> f32 {
        self.widths.iter().copied().fold(0.0, f32::max)
    }

    /// Pixels outside which [`Fonts::draw`] draws nothing: room for the highest accent and the longest tail.
    pub fn bounds(&self, x: f32, top: f32, anchor: f32) -> Rectangle {
        let (width, em) = (self.width(), self.size_px);
        let left = x - anchor * width - 0.2 * em;
        let corner = Point::new(left.floor() as i32 - 1, (top - 0.5 * em).floor() as i32 - 1);
        let size = Size::new(
            (width + 0.4 * em).ceil() as u32 + 3,
            (self.height() + 0.7 * em).ceil() as u32 + 3,
        );
        Rectangle::new(corner, size)
    }
}

/// What is written may be a name: it is no part of a log.
impl std::fmt::Debug for Paragraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Paragraph({:?} {} px, {} lines of {:?} px)",
            self.typeface,
            self.size_px,
            self.lines.len(),
            self.widths
        )
    }
}

/// What was computed, kept until there is too much of it: the same few sentences are asked for with each frame.
struct Kept<K, V>(Mutex<HashMap<K, V>>);

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    const MOST: usize = 400;

    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn or(&self, key: K, make: impl FnOnce() -> V) -> V {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = kept.get(&key) {
            return value.clone();
        }
        if kept.len() >= Self::MOST {
            kept.clear();
        }
        let value = make();
        kept.insert(key, value.clone());
        value
    }
}

/// A letter as it is laid on the canvas.
struct Glyph {
    left: i32,
    /// From the baseline up to the top row.
    top: i32,
    width: usize,
    coverage: Vec<u8>,
}

/// Text, font, smallest and largest size, width (as bits) and lines of a fitted paragraph.
type Fitting = (String, Typeface, [u32; 3], usize);

/// The two fonts of the kiosk, compiled in.
pub struct Fonts {
    display: Font,
    text: Font,
    fitted: Kept<Fitting, Arc<Paragraph>>,
    glyphs: Kept<(Typeface, u16, u32), Arc<Glyph>>,
}

impl Fonts {
    /// Height of a capital letter in sizes of the type; both fonts share it.
    pub const CAPITALS: f32 = 0.727;

    /// Reads the fonts that are compiled in.
    pub fn new() -> Self {
        let read = |bytes: &[u8]| {
            Font::from_bytes(
                bytes,
                FontSettings {
                    scale: 64.0,
                    ..FontSettings::default()
                },
            )
            .expect("a font of our own is sound")
        };
        Self {
            display: read(DISPLAY),
            text: read(TEXT),
            fitted: Kept::new(),
            glyphs: Kept::new(),
        }
    }

    /// Whether both fonts have `letter`.
    pub fn covers(&self, letter: char) -> bool {
        [&self.display, &self.text]
            .iter()
            .all(|font| font.lookup_glyph_index(letter) != 0)
    }

    /// One line, as it is.
    pub fn line(&self, text: &str, typeface: Typeface, size_px: f32) -> Arc<Paragraph> {
        self.fit(text, typeface, (size_px, size_px), f32::INFINITY, 1)
    }

    /// Width of one line in pixels, kerning included.
    pub fn width(&self, text: &str, typeface: Typeface, size_px: f32) -> f32 {
        let mut width = 0.0;
        self.each_glyph(text, typeface, size_px, |_, left, advance| {
            width = left + advance
        });
        width
    }

    /// Breaks `text` into at most `lines` lines of `width` pixels, in the largest size from `largest` down to
    /// `smallest` at which that works without breaking a word.
    ///
    /// Breaks after spaces and hyphens, and where the text has line ends. What does not fit even in the smallest size
    /// is broken inside words and, past the last line, cut with an ellipsis.
    pub fn fit(
        &self,
        text: &str,
        typeface: Typeface,
        (largest, smallest): (f32, f32),
        width: f32,
        lines: usize,
    ) -> Arc<Paragraph> {
        let sizes = [largest.to_bits(), smallest.to_bits(), width.to_bits()];
        self.fitted
            .or((text.to_owned(), typeface, sizes, lines), || {
                let (size_px, lines) =
                    self.broken(text, typeface, (largest, smallest), width, lines);
                let widths = lines
                    .iter()
                    .map(|line| self.width(line, typeface, size_px))
                    .collect();
                Arc::new(Paragraph {
                    typeface,
                    size_px,
                    lines,
                    widths,
                })
            })
    }

    fn broken(
        &self,
        text: &str,
        typeface: Typeface,
        (largest, smallest): (f32, f32),
        width: f32,
        lines: usize,
    ) -> (f32, Vec<String>) {
        let pieces = pieces(text);
        let mut size_px = largest;
        loop {
            let broken = self.wrap(&pieces, typeface, size_px, width);
            let fits = broken.len() <= lines
                && broken
                    .iter()
                    .all(|line| self.width(line, typeface, size_px) <= width);
            if fits {
                return (
                    size_px,
                    self.balanced(&pieces, typeface, size_px, width, broken),
                );
            }
            if size_px <= smallest {
                return (size_px, self.force(broken, typeface, size_px, width, lines));
            }
            size_px = (size_px * 0.94).max(smallest);
        }
    }

    /// The same number of lines, about equally long: no word stands alone on the last one. A text of many lines stays
    /// as it is.
    fn balanced(
        &self,
        pieces: &[String],
        typeface: Typeface,
        size_px: f32,
        width: f32,
        broken: Vec<String>,
    ) -> Vec<String> {
        let lines = broken.len();
        if !(2..=4).contains(&lines) {
            return broken;
        }
        let (mut narrow, mut wide) = (width / lines as f32, width);
        let mut best = broken;
        for _ in 0..7 {
            let between = (narrow + wide) / 2.0;
            let tried = self.wrap(pieces, typeface, size_px, between);
            let fits = tried.len() == lines
                && tried
                    .iter()
                    .all(|line| self.width(line, typeface, size_px) <= between);
            if fits {
                (wide, best) = (between, tried);
            } else {
                narrow = between;
            }
        }
        best
    }

    /// Draws `paragraph` with the top of its capitals at `top`; `anchor` 0 puts the left end of each line at `x`,
    /// 0.5 its middle, 1 its right end.
    pub fn draw(
        &self,
        canvas: &mut Canvas,
        paragraph: &Paragraph,
        x: f32,
        top: f32,
        anchor: f32,
        color: Rgb888,
    ) {
        let Paragraph {
            typeface,
            size_px,
            lines,
            widths,
        } = paragraph;
        for (row, (line, width)) in lines.iter().zip(widths).enumerate() {
            let left = x - anchor * width;
            let baseline =
                top + Self::CAPITALS * size_px + row as f32 * typeface.line_height() * size_px;
            self.draw_line(canvas, line, (left, baseline), *typeface, *size_px, color);
        }
    }

    fn draw_line(
        &self,
        canvas: &mut Canvas,
        line: &str,
        at: (f32, f32),
        typeface: Typeface,
        size_px: f32,
        color: Rgb888,
    ) {
        let baseline = at.1.round() as i32;
        self.each_glyph(line, typeface, size_px, |index, left, _| {
            let glyph = self.glyph(typeface, index, size_px);
            let corner = Point::new(
                (at.0 + left).round() as i32 + glyph.left,
                baseline - glyph.top,
            );
            for (row, values) in glyph.coverage.chunks(glyph.width.max(1)).enumerate() {
                for (column, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
                    canvas.blend(
                        corner + Point::new(column as i32, row as i32),
                        color,
                        f32::from(*value) / 255.0,
                    );
                }
            }
        });
    }

    fn glyph(&self, typeface: Typeface, index: u16, size_px: f32) -> Arc<Glyph> {
        self.glyphs.or((typeface, index, size_px.to_bits()), || {
            let (metrics, coverage) = self.font(typeface).rasterize_indexed(index, size_px);
            Arc::new(Glyph {
                left: metrics.xmin,
                top: metrics.ymin + metrics.height as i32,
                width: metrics.width,
                coverage,
            })
        })
    }

    /// Calls `visit` with each glyph, its left end and its advance. A letter that the font lacks is glyph 0, a box.
    fn each_glyph(
        &self,
        text: &str,
        typeface: Typeface,
        size_px: f32,
        mut visit: impl FnMut(u16, f32, f32),
    ) {
        let font = self.font(typeface);
        let mut left = 0.0;
        let mut before = None;
        for letter in text.nfc().filter(|letter| !letter.is_control()) {
            let glyph = font.lookup_glyph_index(letter);
            left += before
                .and_then(|before| font.horizontal_kern_indexed(before, glyph, size_px))
                .unwrap_or(0.0);
            let advance = font.metrics_indexed(glyph, size_px).advance_width;
            visit(glyph, left, advance);
            left += advance;
            before = Some(glyph);
        }
    }

    fn wrap(&self, pieces: &[String], typeface: Typeface, size_px: f32, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for piece in pieces {
            match lines.last_mut() {
                Some(line)
                    if !line.ends_with('\n')
                        && self.width(format!("{line}{piece}").trim_end(), typeface, size_px)
                            <= width =>
                {
                    line.push_str(piece)
                }
                _ => lines.push(piece.clone()),
            }
        }
        lines
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    fn force(
        &self,
        broken: Vec<String>,
        typeface: Typeface,
        size_px: f32,
        width: f32,
        lines: usize,
    ) -> Vec<String> {
        let mut forced: Vec<String> = Vec::new();
        for line in broken {
            if self.width(&line, typeface, size_px) <= width {
                forced.push(line);
            } else {
                let letters: Vec<String> = line.nfc().map(String::from).collect();
                forced.extend(self.wrap(&letters, typeface, size_px, width));
            }
        }
        if forced.len() > lines {
            forced.truncate(lines);
            if let Some(last) = forced.last_mut() {
                while !last.is_empty() && self.width(&format!("{last}…"), typeface, size_px) > width
                {
                    last.pop();
                }
                *last = format!("{}…", last.trim_end());
            }
        }
        forced
    }

    fn font(&self, typeface: Typeface) -> &Font {
        match typeface {
            Typeface::Display => &self.display,
            Typeface::Text => &self.text,
        }
    }
}

impl Default for Fonts {
    fn default() -> Self {
        Self::new()
    }
}

/// The stretches of `text` between which a line may end: each ends behind its spaces or its hyphen.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let letter = match letter {
            '\n' | '\u{a0}' => letter,
            _ if letter.is_whitespace() => ' ',
            _ => letter,
        };
        let Some(piece) = pieces.last_mut() else {
            break;
        };
        piece.push(letter);
        let ends = matches!(letter, ' ' | '-' | '\u{2010}' | '/')
            && letters.peek().is_some_and(|next| !next.is_whitespace());
        if letter == '\n' || ends {
            pieces.push(String::new());
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use embedded_graphics::prelude::{RgbColor, Size};

    use super::*;

    #[test]
    fn lines_end_after_spaces_and_hyphens() {
        assert_eq!(
            pieces("Ada von  Hohen-Stein"),
            ["Ada ", "von  ", "Hohen-", "Stein"]
        );
        assert_eq!(pieces(""), [""]);
    }

    #[test]
    fn no_name_is_wider_than_its_column_or_taller_than_its_lines() {
        let fonts = Fonts::new();
        for name in [
            "Bo",
            "Barack Obama",
            "Maximiliane-Theodora von Hohenstein-Württemberg",
            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
            "Αλέξανδρος Παπαδόπουλος-Καραμανλής",
            "Александра Константиновна Рождественская-Бестужева",
            "田中太郎 \u{1F600} \u{0}\n\t",
            "",
        ] {
            for width in [180.0, 303.0, 500.0] {
                let paragraph = fonts.fit(name, Typeface::Display, (46.0, 22.0), width, 4);
                assert!(
                    paragraph.lines.len() <= 4,
                    "{name} in {width}: {paragraph:?}"
                );
                for line in &paragraph.lines {
                    assert!(
                        fonts.width(line, Typeface::Display, paragraph.size_px) <= width,
                        "{name} in {width}: {line}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_letter_stays_unless_an_ellipsis_says_so() {
        let fonts = Fonts::new();
        let name = "Maximiliane-Theodora von Hohenstein-Württemberg";
        let whole = fonts.fit(name, Typeface::Display, (46.0, 22.0), 303.0, 4);
        assert_eq!(whole.lines.join(" ").replace("- ", "-"), name);
        let cut = fonts.fit(name, Typeface::Display, (46.0, 22.0), 180.0, 1);
        assert!(cut.lines[0].ends_with('…'), "{cut:?}");
    }

    #[test]
    fn kerning_is_read_from_the_font() {
        let fonts = Fonts::new();
        for typeface in [Typeface::Display, Typeface::Text] {
            let apart = fonts.width("A", typeface, 100.0) + fonts.width("V", typeface, 100.0);
            assert!(
                fonts.width("AV", typeface, 100.0) < apart - 2.0,
                "{typeface:?}"
            );
        }
    }

    #[test]
    fn a_letter_the_font_lacks_is_a_box() {
        let fonts = Fonts::new();
        let mut canvas = Canvas::new(Size::new(60, 60), Rgb888::BLACK);
        let paragraph = fonts.fit("田", Typeface::Display, (40.0, 40.0), 60.0, 1);
        fonts.draw(&mut canvas, &paragraph, 5.0, 10.0, 0.0, Rgb888::WHITE);
        assert!(canvas.to_rgb().iter().any(|value| *value > 128));
    }

    #[test]
    fn a_letter_and_its_accent_are_one() {
        let fonts = Fonts::new();
        let (split, whole) = ("Rene\u{301}", "Ren\u{e9}");
        assert_eq!(
            fonts.width(split, Typeface::Text, 30.0),
            fonts.width(whole, Typeface::Text, 30.0)
        );
    }
}
