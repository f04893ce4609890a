//! A study as one chart: what was measured along the values, and the paper's line beside it.

use plotters::prelude::*;

use super::PlotError;
use super::axis::Axis;
use super::draw::{self, Area, Drawn, GREY, GRID, INK, MARGIN, Words, line, rgb, units, write};
use super::panels::{COLORS, Pen, Rgb};
use super::series::Point;
use crate::study::{FALSE_ACCEPT_RATES, Kind, Row, Study};

const WIDTH: f64 = 860.0;
const PLOT_HEIGHT: f64 = 340.0;
/// Of the page, for the numbers at the left.
const LEFT: f64 = 52.0;
const TITLE: f64 = 42.0;
/// A line of keys, or of words below.
const ROW: f64 = 20.0;
/// Letters in a line of the words below.
const LETTERS: usize = 122;
const PAPER: Rgb = COLORS[6];

/// A line of the chart: what it is, how it is drawn, its percentage in each row.
struct Series {
    name: String,
    color: Rgb,
    dashed: bool,
    percents: Vec<Option<f64>>,
}

/// The picture of a study.
///
/// # Errors
/// [`PlotError::Draw`] if the SVG cannot be made.
pub fn svg(study: &Study) -> Result<String, PlotError> {
    page(study).map_err(|error| PlotError::Draw(error.to_string()))
}

fn page(study: &Study) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let series = series(study);
    let words = wrapped(&study.about);
    let top = MARGIN + TITLE + ROW * series.len() as f64 + 14.0;
    let below = top + PLOT_HEIGHT + 62.0;
    let height = below + ROW * words.len() as f64 + MARGIN / 2.0;
    draw::svg((WIDTH, height), study.study.title(), |area| {
        let place = (MARGIN, MARGIN);
        let paper = study.rows.iter().any(|row| row.paper.is_some());
        let beside = if paper { ", beside the paper" } else { "" };
        let title = format!("{}{beside}", study.study.title());
        write(area, &title, place, Words::new(22.0, INK).bold())?;
        for (index, series) in series.iter().enumerate() {
            let middle = MARGIN + TITLE + ROW * (index as f64 + 0.5);
            let key = [(MARGIN, middle), (MARGIN + 24.0, middle)];
            line(area, &key, series.pen())?;
            let words = Words::new(13.0, GREY).middle();
            write(area, &series.name, (MARGIN + 33.0, middle), words)?;
        }
        let chart = Chart {
            top,
            y: Axis::exact(0.0, 100.0, 5),
            rows: &study.rows,
        };
        chart.axes(area, study.study)?;
        series
            .iter()
            .try_for_each(|series| chart.series(area, series))?;
        words.iter().enumerate().try_for_each(|(index, words)| {
            let place = (MARGIN, below + ROW * index as f64);
            write(area, words, place, Words::new(12.5, GREY))
        })
    })
}

/// What there is to draw, the paper last.
fn series(study: &Study) -> Vec<Series> {
    let percents = |of: &dyn Fn(&Row) -> Option<f64>| study.rows.iter().map(of).collect();
    let mut all = vec![Series {
        name: "pairs decided rightly".to_owned(),
        color: COLORS[2],
        dashed: false,
        percents: percents(&|row| Some(row.measured.as_ref()?.accuracy * 100.0)),
    }];
    for (far, color) in FALSE_ACCEPT_RATES.into_iter().zip(COLORS) {
        let val = |row: &Row| {
            let vals = &row.measured.as_ref()?.val;
            Some(vals.iter().find(|val| val.far == far)?.val * 100.0)
        };
        all.push(Series {
            name: format!("VAL at FAR {far:.0e}"),
            color,
            dashed: false,
            percents: percents(&val),
        });
    }
    all.push(Series {
        name: "the paper's VAL at FAR 1e-3, of other data".to_owned(),
        color: PAPER,
        dashed: true,
        percents: percents(&|row| Some(row.paper?.val_percent)),
    });
    all.retain(|series| series.percents.iter().any(Option::is_some));
    all
}

impl Series {
    fn pen(&self) -> Pen {
        Pen {
            color: self.color,
            width: 2.2,
            opacity: 1.0,
            dashed: self.dashed,
        }
    }
}

/// The chart's place on the page, in pixels; values stand at even distances.
struct Chart<'a> {
    top: f64,
    y: Axis,
    rows: &'a [Row],
}

impl Chart<'_> {
    fn place(&self, index: usize, percent: f64) -> Point {
        let width = WIDTH - 2.0 * MARGIN - LEFT;
        let across = (index as f64 + 0.5) / self.rows.len().max(1) as f64;
        let up = self.y.place(percent) * PLOT_HEIGHT;
        (MARGIN + LEFT + across * width, self.top + PLOT_HEIGHT - up)
    }

    fn axes(&self, area: &Area<'_>, kind: Kind) -> Drawn {
        for mark in self.y.marks() {
            let (_, height) = self.place(0, mark);
            let pen = Pen {
                color: if mark == 0.0 { draw::BASE } else { GRID },
                width: 1.0,
                opacity: 1.0,
                dashed: false,
            };
            let across = [(MARGIN + LEFT, height), (WIDTH - MARGIN, height)];
            line(area, &across, pen)?;
            let words = Words::new(12.5, GREY).middle().ending();
            let label = format!("{} %", self.y.label(mark));
            write(area, &label, (MARGIN + LEFT - 8.0, height), words)?;
        }
        for (index, row) in self.rows.iter().enumerate() {
            let (middle, bottom) = self.place(index, 0.0);
            let words = Words::new(12.5, GREY).centered();
            write(area, &row.value, (middle, bottom + 8.0), words)?;
        }
        let middle = (MARGIN + LEFT + WIDTH - MARGIN) / 2.0;
        let words = Words::new(12.5, GREY).centered();
        let bottom = self.top + PLOT_HEIGHT;
        write(area, kind.column(), (middle, bottom + 27.0), words)
    }

    /// A line from value to value, broken where one lacks, and a dot at each.
    fn series(&self, area: &Area<'_>, series: &Series) -> Drawn {
        let places: Vec<Option<Point>> = series
            .percents
            .iter()
            .enumerate()
            .map(|(index, percent)| percent.map(|percent| self.place(index, percent)))
            .collect();
        for part in places.split(Option::is_none) {
            let part: Vec<Point> = part.iter().copied().flatten().collect();
            if part.len() > 1 {
                line(area, &part, series.pen())?;
            }
        }
        places.into_iter().flatten().try_for_each(|place| {
            let dot = Circle::new(draw::on_grid(place), units(3.6), rgb(series.color).filled());
            area.draw(&dot)
        })
    }
}

/// Sentences in lines of at most [`LETTERS`], each beginning a line.
fn wrapped(sentences: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for sentence in sentences {
        let mut line = String::new();
        for word in sentence.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LETTERS {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tests::made_up;

    #[test]
    fn every_measured_value_and_the_papers_are_in_the_picture() {
        let svg = svg(&made_up()).unwrap();
        for words in [
            "JPEG quality, beside the paper",
            "pairs decided rightly",
            "VAL at FAR 1e-2",
            "the paper&apos;s VAL at FAR 1e-3, of other data",
            "as it is",
            "Of data &lt;made&gt; up.",
        ] {
            assert!(svg.contains(words), "{words}");
        }
        assert!(!svg.contains("VAL at FAR 1e-3\n"), "nothing measured there");
        // Two of each measured series, two of the paper's.
        assert_eq!(svg.matches("<circle").count(), 6);
        // Half of the height for 50 %, of 340 pixels that begin below three keys.
        let bottom = MARGIN + TITLE + 3.0 * ROW + 14.0 + PLOT_HEIGHT;
        let half = format!("cy=\"{}\"", units(bottom - PLOT_HEIGHT / 2.0));
        assert_eq!(svg.matches(&half).count(), 1, "{half}");
    }

    #[test]
    fn long_sentences_are_broken_between_words() {
        let lines = wrapped(&["word ".repeat(60), "end".to_owned()]);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().count() <= LETTERS));
        assert_eq!(lines[3], "end");
    }
}
