//! The screen-flash challenge: the kiosk's screen shows colors, and a face gives them back.
//!
//! The screen shows a short sequence of colors, drawn anew each time ([`sequence`]). What comes back is measured on the
//! forehead, the nose, both cheeks and both sides of the face, against the room around it (`response`). It passes when
//!
//! - the right colors came back in the right order (a recorded video shows those of another sequence or none),
//! - strongly enough to be measured (a display that shows a face is lit by itself; of the kiosk's light it gives back
//!   next to nothing), and
//! - unevenly, as a curved face gives them back (paper is lit evenly; glass mirrors the screen in one place).
//!
//! What it cannot tell, by construction, and the tests' simulations show: a face in a room that is lit from where the
//! screen is alone comes back as evenly as paper, and is refused. A mask or a head of clay is lit as a face is, paper bent to
//! a face's own curve too, and a display may follow the sequence live: all these pass. A video under a sequence of six
//! other colors that began in step passes by chance about once in 200 times. Where the room is too
//! bright it cannot tell anything and says so ([`Reason::TooBright`], [`Reason::NoResponse`]): a screen of 10 inches half a
//! meter away gives about 10 lux of these colors, a lit office 300 to 500. How bright a room may be on a real kiosk, whose
//! people move and whose camera compresses, only recordings can tell; the simulation is kinder than that.

mod response;
mod rules;
pub mod sequence;
#[cfg(test)]
pub(super) mod simulation;
#[cfg(test)]
mod tests;
mod verdict;

use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use shared::geometry::Point;

use super::challenge::{Challenge, FlashChallenge};
use super::patch::{self, FaceAxes, Patch};
use super::{Check, CheckKind, Finding, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;
use response::{REGIONS, Sample, Step};
pub use rules::FlashRules;
use sequence::NEUTRAL;
use verdict::{score, verdict};

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

/// Frames that may be lost before it is given up, beside a quarter of those measured.
const MOST_LOST: usize = 3;

/// The screen-flash challenge.
pub struct Flash {
    rules: FlashRules,
    source: Source,
    colors: Vec<[u8; 3]>,
    shown: Vec<Shown>,
    samples: Vec<Sample>,
    began: Option<(Point, f32)>,
    over_since: Option<u64>,
    /// Frames that could not be measured.
    lost: usize,
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
            lost: 0,
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

impl Check for Flash {
    fn kind(&self) -> CheckKind {
        CheckKind::Flash
    }

    fn begin(&mut self, _now: Timestamp) {
        self.shown.clear();
        self.samples.clear();
        self.began = None;
        self.over_since = None;
        self.lost = 0;
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
                Err(reason) => {
                    // One frame is an accident, and missed by its color at most; many are the place or the light.
                    self.lost += 1;
                    if self.lost > MOST_LOST + self.samples.len() / 4 {
                        return Finding::settled(Progress::Inconclusive(reason));
                    }
                }
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
