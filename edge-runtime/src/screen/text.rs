//! Letters: measured, wrapped to a width, shrunk to a number of lines, drawn with smooth edges.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::Point;
use fontdue::{Font, FontSettings};
use unicode_normalization::UnicodeNormalization;

use super::canvas::Canvas;

const DISPLAY: &[u8] = include_bytes!("../../assets/fonts/InterDisplay-SemiBold.otf");
const TEXT: &[u8] = include_bytes!("../../assets/fonts/Inter-Medium.otf");

/// Which of the two fonts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typeface {
    /// Headlines and names.
    Display,
    /// Everything else.
    Text,
}

impl Typeface {
    /// From one baseline to the next, in sizes of the type.
    fn line_height(self) -> f32 {
        match self {
            Self::Display => 1.16,
            Self::Text => 1.42,
        }
    }
}

/// Text broken into lines of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Paragraph {
    /// The font.
    pub typeface: Typeface,
    /// Size in pixels (the em square).
    pub size_px: f32,
    /// What stands on each line.
    pub lines: Vec<String>,
}

impl Paragraph {
    /// Height in pixels, from the top of the first line's capitals to the last baseline plus a quarter size.
    pub fn height(&self) -> f32 {
        let between = self.lines.len().saturating_sub(1) as f32;
        (between * self.typeface.line_height() + Fonts::CAPITALS + 0.25) * self.size_px
    }
}

/// The two fonts of the kiosk, compiled in.
pub struct Fonts {
    display: Font,
    text: Font,
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
        }
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
    /// Breaks after spaces and hyphens. What does not fit even in the smallest size is broken inside words and,
    /// past the last line, cut with an ellipsis.
    pub fn fit(
        &self,
        text: &str,
        typeface: Typeface,
        (largest, smallest): (f32, f32),
        width: f32,
        lines: usize,
    ) -> Paragraph {
        let pieces = pieces(text);
        let mut size_px = largest;
        loop {
            let broken = self.wrap(&pieces, typeface, size_px, width);
            let fits = broken.len() <= lines
                && broken
                    .iter()
                    .all(|line| self.width(line, typeface, size_px) <= width);
            if fits {
                return Paragraph {
                    typeface,
                    size_px,
                    lines: broken,
                };
            }
            if size_px <= smallest {
                return Paragraph {
                    typeface,
                    size_px,
                    lines: self.force(broken, typeface, size_px, width, lines),
                };
            }
            size_px = (size_px * 0.94).max(smallest);
        }
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
        } = paragraph;
        for (row, line) in lines.iter().enumerate() {
            let left = x - anchor * self.width(line, *typeface, *size_px);
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
        self.each_glyph(line, typeface, size_px, |glyph, left, _| {
            let (metrics, coverage) = self.font(typeface).rasterize_indexed(glyph, size_px);
            let corner = Point::new(
                (at.0 + left).round() as i32 + metrics.xmin,
                baseline - metrics.ymin - metrics.height as i32,
            );
            for (row, values) in coverage.chunks(metrics.width.max(1)).enumerate() {
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
                    if self.width(format!("{line}{piece}").trim_end(), typeface, size_px)
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
        let letter = if letter.is_whitespace() && letter != '\u{a0}' {
            ' '
        } else {
            letter
        };
        let Some(piece) = pieces.last_mut() else {
            break;
        };
        piece.push(letter);
        let ends = matches!(letter, ' ' | '-' | '\u{2010}' | '/');
        if ends && letters.peek().is_some_and(|next| !next.is_whitespace()) {
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
