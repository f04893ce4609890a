//! The charts of a picture: what each shows of the runs.

use super::axis::{Axis, counted};
use super::series::{Point, numbers, reach, smooth, thin};
use super::{Along, Run};
use crate::telemetry::metrics::{Step, Validated};

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

/// Colors that stay apart for color-blind readers (Okabe and Ito 2008), without its yellow, which
/// is too light for a line; one for each run.
pub(super) const COLORS: [Rgb; super::MOST_RUNS] = [
    (0, 114, 178),   // blue
    (213, 94, 0),    // vermilion
    (0, 158, 115),   // bluish green
    (204, 121, 167), // reddish purple
    (230, 159, 0),   // orange
    (86, 180, 233),  // sky blue
    (60, 60, 60),    // nearly black
];
const GENUINE: Rgb = COLORS[0];
const IMPOSTOR: Rgb = COLORS[1];

/// One chart.
pub(super) struct Panel {
    /// What is shown, and its unit.
    pub(super) title: &'static str,
    /// The number to take home, at the right of the title; empty where runs are compared.
    pub(super) note: String,
    /// What the lines are, below the title.
    pub(super) keys: Vec<Key>,
    /// Written behind each number at the left.
    pub(super) unit: &'static str,
    /// From left to right.
    pub(super) x: Axis,
    /// From bottom to top.
    pub(super) y: Axis,
    /// From back to front.
    pub(super) layers: Vec<Layer>,
}

/// A line below a chart's title.
pub(super) enum Key {
    /// Plain words.
    Words(&'static str),
    /// A line like those in the chart, and its name.
    Line(Pen, &'static str),
}

/// How a line is drawn.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) color: Rgb,
    pub(super) width: f64,
    pub(super) opacity: f64,
    pub(super) dashed: bool,
}

/// Something drawn into a chart.
pub(super) enum Layer {
    /// A line through points.
    Line(Pen, Vec<Point>),
    /// The area between two lines of the same length.
    Band(Rgb, Vec<Point>, Vec<Point>),
    /// A dot at each point.
    Dots(Rgb, Vec<Point>),
    /// A ring around a point, and words beside it.
    Ring(Rgb, Point, String),
}

/// A line for what each step measured.
fn raw(color: Rgb) -> Pen {
    Pen {
        color,
        width: 0.8,
        opacity: 0.28,
        dashed: false,
    }
}

/// A line for its smoothed course.
fn smoothed(color: Rgb) -> Pen {
    Pen {
        color,
        width: 2.2,
        opacity: 1.0,
        dashed: false,
    }
}

/// The charts that these runs have something for.
pub(super) fn of(runs: &[Run], along: Along) -> Vec<Panel> {
    let charts = Charts { runs, along };
    [
        Some(charts.loss()),
        Some(charts.active()),
        Some(charts.distances()),
        charts.accuracy(),
        Some(charts.learning_rate()),
        Some(charts.speed()),
        charts.rank(),
        charts.gradient(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

struct Charts<'a> {
    runs: &'a [Run],
    along: Along,
}

impl Charts<'_> {
    /// The run, if no other is compared with it.
    fn only(&self) -> Option<&Run> {
        match self.runs {
            [run] => Some(run),
            _ => None,
        }
    }

    fn x(&self) -> Axis {
        let steps = self.runs.iter().flat_map(|run| &run.metrics.steps);
        let end = steps
            .map(|step| self.along.of_step(step))
            .fold(0.0, f64::max);
        Axis::exact(0.0, end, 6)
    }

    fn points(&self, run: &Run, value: impl Fn(&Step) -> Option<f64>) -> Vec<Point> {
        let steps = run.metrics.steps.iter();
        numbers(steps.filter_map(|step| Some((self.along.of_step(step), value(step)?))))
    }

    /// A chart of lines and, from zero up, an axis that they fit on.
    fn chart(&self, title: &'static str, words: &'static str, layers: Vec<Layer>) -> Panel {
        Panel {
            title,
            note: String::new(),
            keys: vec![Key::Words(words)],
            unit: "",
            x: self.x(),
            y: Axis::rounded(0.0, top(&layers), 5),
            layers,
        }
    }

    /// A chart of one value of every step: as measured behind, smoothed in front.
    fn stepwise(
        &self,
        title: &'static str,
        words: &'static str,
        value: impl Fn(&Step) -> Option<f64>,
    ) -> Panel {
        let series = self.runs.iter().map(|run| self.points(run, &value));
        let series: Vec<(Rgb, Vec<Point>)> = COLORS.into_iter().zip(series).collect();
        let back = series
            .iter()
            .map(|(color, points)| Layer::Line(raw(*color), thin(points)));
        let front = series
            .iter()
            .map(|(color, points)| Layer::Line(smoothed(*color), smooth(points)));
        self.chart(title, words, back.chain(front).collect())
    }

    /// The smoothed value at a single run's end.
    fn at_end(&self, value: impl Fn(&Step) -> Option<f64>) -> Option<f64> {
        let points = self.points(self.only()?, value);
        smooth(&points).last().map(|(_, y)| *y)
    }

    fn loss(&self) -> Panel {
        let words = "what is minimized: thin as measured at each step, thick smoothed";
        let mut panel = self.stepwise("Loss", words, |step| Some(step.loss));
        if let Some(loss) = self.at_end(|step| Some(step.loss)) {
            panel.note = format!("{loss:.3} at the end");
        }
        type Part = (&'static str, fn(&Step) -> Option<f64>);
        let parts: [Part; 4] = [
            ("triplet", |step| step.triplet),
            ("softmax", |step| step.softmax),
            ("distillation", |step| step.distillation),
            ("compatible", |step| step.compatible),
        ];
        let Some(run) = self.only() else {
            return panel;
        };
        let parts: Vec<(&str, Vec<Point>)> = parts
            .into_iter()
            .map(|(name, value)| (name, self.points(run, value)))
            .filter(|(_, points)| !points.is_empty())
            .collect();
        // A single part is the whole.
        if parts.len() > 1 {
            panel.keys = vec![Key::Line(smoothed(COLORS[0]), "all together")];
            for ((name, points), color) in parts.into_iter().zip(&COLORS[1..]) {
                let pen = Pen {
                    width: 1.6,
                    ..smoothed(*color)
                };
                panel.keys.push(Key::Line(pen, name));
                panel.layers.push(Layer::Line(pen, smooth(&points)));
            }
        }
        panel
    }

    fn active(&self) -> Panel {
        let value = |step: &Step| Some(step.active_share * 100.0);
        let words = "share of the possible triplets that still teach something";
        let mut panel = self.stepwise("Active triplets", words, value);
        panel.unit = " %";
        if let Some(active) = self.at_end(value) {
            panel.note = format!("{active:.0} % at the end");
        }
        panel
    }

    fn distances(&self) -> Panel {
        let title = "Distance of the batch's pairs, squared L2";
        let genuine = |step: &Step| Some(step.genuine);
        let impostor = |step: &Step| Some(step.impostor);
        let Some(run) = self.only() else {
            return self.compared_distances(title);
        };
        // Where either is no number, the band between them has no edge.
        let both = |step: &Step| step.genuine.is_finite() && step.impostor.is_finite();
        let near = self.points(run, |step| both(step).then_some(step.genuine));
        let far = self.points(run, |step| both(step).then_some(step.impostor));
        let (near_smooth, far_smooth) = (smooth(&near), smooth(&far));
        let layers = vec![
            Layer::Band((120, 120, 120), near_smooth.clone(), far_smooth.clone()),
            Layer::Line(raw(GENUINE), thin(&near)),
            Layer::Line(raw(IMPOSTOR), thin(&far)),
            Layer::Line(smoothed(GENUINE), near_smooth),
            Layer::Line(smoothed(IMPOSTOR), far_smooth),
        ];
        let mut panel = self.chart(title, "", layers);
        panel.keys = vec![
            Key::Line(smoothed(IMPOSTOR), "impostor: two people"),
            Key::Line(smoothed(GENUINE), "genuine: one person"),
        ];
        let ends = self.at_end(genuine).zip(self.at_end(impostor));
        if let Some((genuine, impostor)) = ends {
            panel.note = format!("{:.2} apart at the end", impostor - genuine);
        }
        panel
    }

    /// Genuine and impostor pairs by the kind of line, runs by color.
    fn compared_distances(&self, title: &'static str) -> Panel {
        let dashed = |color| Pen {
            dashed: true,
            ..smoothed(color)
        };
        let layers = self.runs.iter().zip(COLORS).flat_map(|(run, color)| {
            let near = self.points(run, |step| Some(step.genuine));
            let far = self.points(run, |step| Some(step.impostor));
            [
                Layer::Line(dashed(color), smooth(&near)),
                Layer::Line(smoothed(color), smooth(&far)),
            ]
        });
        let mut panel = self.chart(title, "", layers.collect());
        let grey = (110, 110, 110);
        panel.keys = vec![
            Key::Line(smoothed(grey), "impostor: two people"),
            Key::Line(dashed(grey), "genuine: one person"),
        ];
        panel
    }

    fn accuracy(&self) -> Option<Panel> {
        let mut layers = Vec::new();
        let mut rings = Vec::new();
        let mut note = String::new();
        for (run, color) in self.runs.iter().zip(COLORS) {
            let points = run.metrics.validations.iter().map(|validated| {
                let x = self.along.of_validation(validated);
                (x, validated.accuracy * 100.0)
            });
            let points = numbers(points);
            let Some(best) = best(run) else {
                continue;
            };
            let at = (self.along.of_validation(best), best.accuracy * 100.0);
            layers.push(Layer::Line(smoothed(color), points.clone()));
            layers.push(Layer::Dots(color, points));
            rings.push(Layer::Ring(color, at, format!("{:.1} %", at.1)));
            if self.only().is_some() {
                let pairs = counted(best.pairs);
                let step = counted(best.step);
                note = format!("best {:.1} % of {pairs} pairs, at step {step}", at.1);
            }
        }
        let all = layers.iter().flat_map(heights);
        let low = all.clone().fold(f64::INFINITY, f64::min);
        let high = all.fold(f64::NEG_INFINITY, f64::max);
        if rings.is_empty() {
            return None;
        }
        layers.extend(rings);
        Some(Panel {
            note,
            unit: " %",
            // Room for the words beside the best, but never beyond what can be reached.
            y: Axis::rounded(low, (high + 0.08 * (high - low)).min(100.0), 5),
            ..self.chart(
                "Validation accuracy",
                "pairs decided rightly by a threshold chosen on other pairs",
                layers,
            )
        })
    }

    fn learning_rate(&self) -> Panel {
        let lines = self.runs.iter().zip(COLORS).map(|(run, color)| {
            let points = self.points(run, |step| Some(step.learning_rate));
            Layer::Line(smoothed(color), thin(&points))
        });
        self.chart(
            "Learning rate",
            "size of the optimizer's steps",
            lines.collect(),
        )
    }

    fn speed(&self) -> Panel {
        let lines = self.runs.iter().zip(COLORS).map(|(run, color)| {
            let steps = &run.metrics.steps;
            // Over a few steps at once: the time of a single one says little.
            let span = (2 * reach(steps.len())).max(1);
            let pairs = steps.iter().zip(&steps[span.min(steps.len() - 1)..]);
            let speeds = pairs.map(|(from, to)| {
                let pictures = to.pictures as f64 - from.pictures as f64;
                (
                    self.along.of_step(to),
                    pictures / (to.seconds - from.seconds),
                )
            });
            let speeds = numbers(speeds.filter(|(_, speed)| *speed >= 0.0));
            Layer::Line(smoothed(color), thin(&speeds))
        });
        let words = "over a fortieth of the run each time, waiting for data included";
        let mut panel = self.chart("Faces per second", words, lines.collect());
        if let Some(last) = self.only().and_then(|run| run.metrics.steps.last()) {
            let speed = last.pictures as f64 / last.seconds.max(1e-9);
            let waiting = 100.0 * last.waited_seconds / last.seconds.max(1e-9);
            panel.note =
                format!("{speed:.0} on average, {waiting:.1} % of the time waiting for data");
        }
        panel
    }

    fn rank(&self) -> Option<Panel> {
        let words = "directions that the batch's embeddings use; near 1 they collapse";
        let value = |step: &Step| step.rank;
        let mut panel = self.stepwise("Effective rank", words, value);
        panel.note = self
            .at_end(value)
            .map_or(String::new(), |rank| format!("{rank:.0} at the end"));
        panel.has_points().then_some(panel)
    }

    fn gradient(&self) -> Option<Panel> {
        let words = "L2 norm over all weights, before any clipping";
        let panel = self.stepwise("Gradient", words, |step| step.gradient_norm);
        panel.has_points().then_some(panel)
    }
}

impl Panel {
    fn has_points(&self) -> bool {
        self.layers
            .iter()
            .any(|layer| heights(layer).next().is_some())
    }
}

/// The validation with the highest accuracy, the first among equals.
pub(super) fn best(run: &Run) -> Option<&Validated> {
    let validations = run.metrics.validations.iter().rev();
    let numbers = validations.filter(|validated| validated.accuracy.is_finite());
    numbers.max_by(|a, b| a.accuracy.total_cmp(&b.accuracy))
}

fn heights(layer: &Layer) -> impl Iterator<Item = f64> + Clone {
    let points: &[Point] = match layer {
        Layer::Line(_, points) | Layer::Dots(_, points) => points,
        Layer::Band(..) | Layer::Ring(..) => &[],
    };
    points.iter().map(|(_, y)| *y)
}

/// How high a chart has to reach: over every thick line, and over all but the highest hundredth
/// of a thin one, so that a single wild step does not flatten the rest.
fn top(layers: &[Layer]) -> f64 {
    let tops = layers.iter().filter_map(|layer| {
        let mut heights: Vec<f64> = heights(layer).collect();
        heights.sort_by(f64::total_cmp);
        let beyond = match layer {
            Layer::Line(pen, _) if pen.opacity < 1.0 => heights.len() / 100,
            _ => 0,
        };
        heights.iter().rev().nth(beyond).copied()
    });
    tops.fold(0.0, f64::max)
}
