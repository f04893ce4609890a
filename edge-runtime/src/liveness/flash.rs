//! The screen-flash challenge: the kiosk's screen shows colors, and a face gives them back.
//!
//! The screen shows a short sequence of colors, drawn anew each time ([`sequence`]). What comes back is measured on the
//! forehead, the nose, both cheeks and both sides of the face, against the room around it ([`response`]). It passes when
//!
//! - the right colors came back in the right order (a recorded video shows those of another sequence or none),
//! - strongly enough to be measured (a display that shows a face is lit by itself; of the kiosk's light it gives back
//!   next to nothing), and
//! - unevenly, as a curved face gives them back (paper is lit evenly; glass mirrors the screen in one place).
//!
//! What it cannot tell, by construction: a mask or a head of clay, which is lit as a face is; paper that is bent or cut
//! so that it comes near a face's shape; a display that follows the sequence live. In bright rooms it cannot tell
//! anything and says so ([`Reason::TooBright`]): a screen of 10 inches half a meter away gives about 10 lux of these
//! colors, a lit office 300 to 500.

mod response;
pub mod sequence;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use shared::geometry::Point;

use super::challenge::{Challenge, FlashChallenge};
use super::patch::{self, FaceAxes, Patch};
use super::{Check, CheckKind, Finding, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;
use response::{REGIONS, Response, Sample, Step};
use sequence::NEUTRAL;

/// Settings of the screen-flash challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlashRules {
    /// How many colors are shown, 4 to 8.
    pub colors: usize,
    /// Milliseconds that a color stays at least, 334 (three changes a second) to 1000.
    pub color_ms: u64,
    /// Milliseconds of the neutral color before, 300 to 3000.
    pub lead_ms: u64,
    /// Longest time from a prompt to its color in the picture that is searched, in milliseconds, 0 to 1000.
    pub most_lag_ms: u64,
    /// Least correlation of what came back with what was shown, 0 to 1.
    pub least_correlation: f32,
    /// Least strength: the screen's light on the face, were it white, as a multiple of the room's, above 0.
    pub least_strength: f32,
    /// Least unevenness of the strength over the face: its standard deviation over its mean, above 0.
    pub least_unevenness: f32,
    /// Most that the strongest place may have of the median place's strength, 1 and more.
    pub most_brightest: f32,
    /// Most that the standard error of a place's strength may be, over the mean strength, above 0.
    pub most_uncertainty: f32,
    /// Most overexposed share of a place, 0 to 1.
    pub most_clipped: f32,
    /// Pixels between the eyes below which it is not tried.
    pub least_eye_distance_px: f32,
    /// Frames with a usable face that each color needs, 2 to 30.
    pub least_frames_per_color: usize,
}

impl Default for FlashRules {
    /// Chosen on the simulations of the tests, and on nothing else: set them anew from `usher pad report`.
    fn default() -> Self {
        FlashRules {
            colors: 5,
            color_ms: 400,
            lead_ms: 600,
            most_lag_ms: 400,
            least_correlation: 0.8,
            least_strength: 0.03,
            least_unevenness: 0.1,
            most_brightest: 2.5,
            most_uncertainty: 0.1,
            most_clipped: 0.05,
            least_eye_distance_px: 40.0,
            least_frames_per_color: 3,
        }
    }
}

/// A color that was shown, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Milliseconds of the recording's clock at which it was prompted.
    pub at_ms: u64,
    /// Red, green, blue.
    pub color: [u8; 3],
}

/// The places measured, in the face's coordinates: forehead, nose, cheeks, sides.
const PLACES: [Patch; REGIONS] = [
    place((0.0, -0.5), (0.3, 0.12)),
    place((0.0, 0.3), (0.1, 0.2)),
    place((-0.52, 0.65), (0.14, 0.14)),
    place((0.52, 0.65), (0.14, 0.14)),
    place((-0.88, 0.4), (0.08, 0.2)),
    place((0.88, 0.4), (0.08, 0.2)),
];

const fn place(middle: (f32, f32), half: (f32, f32)) -> Patch {
    Patch { middle, half }
}

/// Distances between the eyes that the face may move away from where it began, and grow or shrink by.
const MOST_MOVED: f32 = 0.5;

/// How far any other colors have to explain what was seen, while those shown do not, to call it a recording.
const OTHER_COLORS: f64 = 0.85;

/// How many times the least strength's own trace the other colors' has to be, to be no accident of noise.
const CLEARLY: f64 = 2.0;

/// The screen-flash challenge.
pub struct Flash {
    rules: FlashRules,
    source: Source,
    colors: Vec<[u8; 3]>,
    shown: Vec<Shown>,
    samples: Vec<Sample>,
    began: Option<(Point, f32)>,
    over_since: Option<u64>,
    measured: Option<Measured>,
}

/// Where the colors come from.
enum Source {
    /// Drawn for each face.
    Drawn(Box<ChaCha20Rng>),
    /// As a recording's challenge file says they were shown.
    Recorded(Vec<Shown>),
}

/// What the last finished try measured, for reports: numbers of light, nothing of the person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Correlation with the colors shown, 0 to 1.
    pub correlation: f32,
    /// The screen's light on the face over the room's.
    pub strength: f32,
    /// Unevenness over the face.
    pub unevenness: f32,
    /// Standard error of one place's strength.
    pub uncertainty: f32,
    /// Strongest place over the median.
    pub brightest: f32,
    /// From prompt to picture, in milliseconds.
    pub lag_ms: u64,
}

impl Flash {
    /// A challenge whose colors `random` draws; unforeseeable if its seed is.
    pub fn new(rules: FlashRules, random: ChaCha20Rng) -> Flash {
        Flash::of(rules, Source::Drawn(Box::new(random)))
    }

    /// The challenge of a recording, whose colors were shown as `shown` says.
    pub fn recorded(rules: FlashRules, shown: Vec<Shown>) -> Flash {
        Flash::of(rules, Source::Recorded(shown))
    }

    fn of(rules: FlashRules, source: Source) -> Flash {
        Flash {
            rules,
            source,
            colors: Vec::new(),
            shown: Vec::new(),
            samples: Vec::new(),
            began: None,
            over_since: None,
            measured: None,
        }
    }

    /// What the last finished try measured.
    pub fn measured(&self) -> Option<Measured> {
        self.measured
    }

    /// The color to show now, and when the last color was over.
    fn color(&mut self, now: Timestamp) -> [u8; 3] {
        if let Source::Recorded(recorded) = &self.source {
            let known = recorded
                .iter()
                .rposition(|shown| shown.at_ms <= now.millis());
            self.shown = recorded[..known.map_or(0, |last| last + 1)].to_vec();
            let last = recorded.last().map_or(0, |last| last.at_ms);
            let over = self.shown.len() == recorded.len();
            self.over_since = over.then_some(last);
            return self.shown.last().map_or(NEUTRAL, |shown| shown.color);
        }
        let next = match self.shown.as_slice() {
            [] => Some(NEUTRAL),
            [.., last] => {
                // Counted from the color's own beginning: late frames lengthen a color, and never shorten one.
                let stays = if self.shown.len() == 1 {
                    self.rules.lead_ms
                } else {
                    self.rules.color_ms
                };
                let due = now.millis() >= last.at_ms + stays && self.over_since.is_none();
                let color = self.colors.get(self.shown.len() - 1).copied();
                due.then(|| color.unwrap_or(NEUTRAL))
            }
        };
        if let Some(color) = next {
            if self.shown.len() > self.colors.len() {
                self.over_since = Some(now.millis());
            }
            self.shown.push(Shown {
                at_ms: now.millis(),
                color,
            });
        }
        self.shown.last().map_or(NEUTRAL, |shown| shown.color)
    }

    /// Measures the light of a face; none when it cannot be.
    fn sample(&self, look: &Look<'_>) -> Result<Sample, Reason> {
        let axes = FaceAxes::of(&look.detection.landmarks).ok_or(Reason::OutOfPlace)?;
        if axes.eye_distance_px() < self.rules.least_eye_distance_px {
            return Err(Reason::OutOfPlace);
        }
        let mut regions = [[0.0; 3]; REGIONS];
        for (region, place) in regions.iter_mut().zip(&PLACES) {
            let light = axes.light(look.frame, place).ok_or(Reason::OutOfPlace)?;
            if light.clipped > self.rules.most_clipped {
                return Err(Reason::TooBright);
            }
            *region = light.rgb;
        }
        let room = patch::background(look.frame, &look.detection.bounds);
        Ok(Sample {
            at_ms: look.at.millis(),
            regions,
            room: room.ok_or(Reason::NoBackground)?.rgb,
        })
    }

    fn moved(&mut self, look: &Look<'_>) -> bool {
        let [left, right, ..] = look.detection.landmarks.0;
        let middle = Point::new((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
        let apart = look.detection.landmarks.eye_distance_px();
        let (from, size) = *self.began.get_or_insert((middle, apart));
        let way = (middle.x - from.x).hypot(middle.y - from.y);
        !(way <= MOST_MOVED * size && (apart / size).ln().abs() <= MOST_MOVED)
    }

    fn judge(&mut self) -> Finding {
        let steps: Vec<Step> = self
            .shown
            .iter()
            .map(|shown| Step {
                at_ms: shown.at_ms,
                light: sequence::light(shown.color),
            })
            .collect();
        let enough = steps.windows(2).skip(1).all(|pair| {
            let within = |sample: &&Sample| (pair[0].at_ms..pair[1].at_ms).contains(&sample.at_ms);
            self.samples.iter().filter(within).count() >= self.rules.least_frames_per_color
        });
        let inconclusive = |reason| Finding::settled(Progress::Inconclusive(reason));
        if !enough || steps.len() < 5 {
            return inconclusive(Reason::FramesTooFew);
        }
        let Some(response) = response::measure(&self.samples, &steps, self.rules.most_lag_ms)
        else {
            return inconclusive(Reason::NoResponse);
        };
        self.measured = Some(Measured {
            correlation: response.correlation as f32,
            strength: response.strength as f32,
            unevenness: response.unevenness as f32,
            uncertainty: response.uncertainty as f32,
            brightest: response.brightest as f32,
            lag_ms: response.lag_ms,
        });
        let progress = verdict(&self.rules, &response);
        Finding {
            progress,
            score: Some(score(&self.rules, &response, progress)),
            prompt: Prompt::HoldStill,
        }
    }
}

/// What the numbers mean. Order matters: what refuses needs the response to be measured well, what passes needs all.
fn verdict(rules: &FlashRules, response: &Response) -> Progress {
    let least = |rule: f32, found: f64| found >= f64::from(rule);
    // Root mean square that the weakest allowed response would leave: about a third of its swing.
    let trace = f64::from(rules.least_strength) / 3.0;
    if !least(rules.least_correlation, response.correlation) || response.least_channel < 0.0 {
        let others = response.any_colors >= OTHER_COLORS
            && response.correlation < 0.8 * response.any_colors
            && response.seen >= CLEARLY * trace;
        return match others {
            true => Progress::Failed(Reason::WrongColors),
            false => Progress::Inconclusive(Reason::NoResponse),
        };
    }
    if !least(rules.least_strength, response.strength) {
        return Progress::Inconclusive(Reason::TooBright);
    }
    if !(response.uncertainty <= f64::from(rules.most_uncertainty)) {
        return Progress::Inconclusive(Reason::TooBright);
    }
    if response.brightest > f64::from(rules.most_brightest) {
        return Progress::Failed(Reason::Glossy);
    }
    if !least(rules.least_unevenness, response.unevenness) {
        // Flat beyond doubt refuses; flat within the noise may be tried again.
        let doubt = response.uncertainty > f64::from(rules.least_unevenness) / 2.0;
        return match doubt {
            true => Progress::Inconclusive(Reason::Flat),
            false => Progress::Failed(Reason::Flat),
        };
    }
    Progress::Passed
}

/// 0.5 where every measure is just at its rule, 1 where the weaker of the two is as good as it gets or twice the rule.
fn score(rules: &FlashRules, response: &Response, progress: Progress) -> f32 {
    let correlation = (response.correlation as f32 - rules.least_correlation)
        / (1.0 - rules.least_correlation).max(1e-6);
    let unevenness = (response.unevenness as f32 - rules.least_unevenness) / rules.least_unevenness;
    let above = correlation.min(unevenness).clamp(-1.0, 1.0);
    match progress {
        Progress::Passed => 0.5 + 0.5 * above.max(0.0),
        _ => (0.5 + 0.5 * above).clamp(0.0, 0.49),
    }
}

impl Check for Flash {
    fn kind(&self) -> CheckKind {
        CheckKind::Flash
    }

    fn begin(&mut self, _now: Timestamp) {
        self.shown.clear();
        self.samples.clear();
        self.began = None;
        self.over_since = None;
        self.measured = None;
        if let Source::Drawn(random) = &mut self.source {
            self.colors = sequence::draw(random, self.rules.colors);
        }
    }

    fn look(&mut self, now: Timestamp, look: &Look<'_>) -> Finding {
        let color = self.color(now);
        if self.moved(look) {
            return Finding::settled(Progress::Inconclusive(Reason::Moved));
        }
        // Frames from before the first color tell nothing of it.
        let begun = self
            .shown
            .first()
            .is_some_and(|first| first.at_ms <= look.at.millis());
        if begun {
            match self.sample(look) {
                Ok(sample) => self.samples.push(sample),
                Err(reason) => return Finding::settled(Progress::Inconclusive(reason)),
            }
        }
        let over = self
            .over_since
            .is_some_and(|since| look.at.millis() > since + self.rules.most_lag_ms);
        match over {
            true => self.judge(),
            false => Finding::waiting(Prompt::Flash(color)),
        }
    }

    fn tell(&self, challenge: &mut Challenge) {
        challenge.flash = Some(FlashChallenge {
            shown: self.shown.clone(),
        });
    }
}

impl FlashRules {
    /// The first setting that makes no sense, in words; `at` is where the settings stand.
    pub(super) fn check(&self, at: &str) -> Result<(), String> {
        use super::config::{number, whole};
        whole(at, "colors", self.colors as u64, 4, 8)?;
        whole(
            at,
            "color_ms",
            self.color_ms,
            sequence::LEAST_COLOR_MS,
            1000,
        )?;
        whole(at, "lead_ms", self.lead_ms, 300, 3000)?;
        whole(at, "most_lag_ms", self.most_lag_ms, 0, 1000)?;
        number(at, "least_correlation", self.least_correlation, 0.3, 1.0)?;
        number(at, "least_strength", self.least_strength, 0.001, 10.0)?;
        number(at, "least_unevenness", self.least_unevenness, 0.01, 2.0)?;
        number(at, "most_brightest", self.most_brightest, 1.0, 100.0)?;
        number(at, "most_uncertainty", self.most_uncertainty, 0.001, 1.0)?;
        number(at, "most_clipped", self.most_clipped, 0.0, 1.0)?;
        number(
            at,
            "least_eye_distance_px",
            self.least_eye_distance_px,
            8.0,
            1000.0,
        )?;
        let frames = self.least_frames_per_color as u64;
        whole(at, "least_frames_per_color", frames, 2, 30)
    }

    /// Milliseconds that one try takes at least.
    pub fn duration_ms(&self) -> u64 {
        self.lead_ms + self.colors as u64 * self.color_ms + self.most_lag_ms
    }
}
