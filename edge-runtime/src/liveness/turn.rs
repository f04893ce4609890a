//! The head-turn challenge: left and right in an order drawn anew, out and back, as something deep turns.
//!
//! The measure is the nose's parallax. With the eyes and the middle of the mouth as the axes of a plane,
//! `nose = between the eyes + a · (eye to eye) + b · (eyes to mouth)`, and `a` and `b` are the same for every affine
//! picture of a flat thing: a photograph that is moved, turned, tilted or sheared keeps its `a`. A head does not: the
//! nose's tip lies about half an eye distance before the plane of eyes and mouth, so that `a` changes by about
//! 0.45 · tan(yaw). A turn counts only as a change of `a` against the person's own neutral, so it needs no model of the
//! person and cannot be had from a flat thing. A picture that becomes narrow without any parallax refuses outright.
//!
//! What it cannot tell: a video of somebody who turns as asked (it has to guess the order: one in 2^turns), a mask, a
//! bust. Perspective moves a flat picture's `a` by about 0.02 at 30 degrees and half a meter, a picture bent round a
//! drinking glass by 0.1 at 40 degrees: both below what a turn needs.

use rand::Rng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use shared::landmarks::Landmarks;

use super::challenge::{Challenge, TurnChallenge};
use super::{Check, CheckKind, Finding, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;

/// Settings of the head-turn challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnRules {
    /// How many turns, 1 to 4; a video passes by chance once in 2 to the power of this.
    pub turns: usize,
    /// Frames that the neutral pose is taken from, 3 to 30.
    pub neutral_frames: usize,
    /// Least change of the nose's parallax that is a turn, 0.14 to 0.6; 0.18 is about 22 degrees.
    pub least_parallax: f32,
    /// Most change at which the head is back, above 0 and below `least_parallax`.
    pub back_parallax: f32,
    /// Largest change from one frame to the next, above 0 to 2; more is a cut.
    pub most_jump: f32,
    /// Width over height, against neutral, below which a face without parallax is a flat thing turned, 0.5 to 0.95.
    pub flat_narrowing: f32,
    /// Milliseconds from one prompt to being back, 1000 to 20000.
    pub turn_ms: u64,
}

impl Default for TurnRules {
    fn default() -> Self {
        TurnRules {
            turns: 2,
            neutral_frames: 4,
            least_parallax: 0.18,
            back_parallax: 0.08,
            most_jump: 0.4,
            flat_narrowing: 0.82,
            turn_ms: 4_000,
        }
    }
}

/// One of the two ways to turn, as the person sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// To the person's left: the nose moves right in the picture, which is not mirrored.
    Left,
    /// To the person's right.
    Right,
}

/// What five points say about the pose.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shape {
    /// The nose's place between the eyes, in the plane's own axes; affine maps leave it as it is.
    parallax: f32,
    /// Distance of the eyes over the distance from eyes to mouth.
    width_over_height: f32,
}

/// The head-turn challenge.
pub struct Turn {
    rules: TurnRules,
    source: Source,
    sides: Vec<Side>,
    neutral: Vec<Shape>,
    /// The turn under way: which, whether it has been out, and since when it is asked for.
    turn: usize,
    out: bool,
    asked: Option<Timestamp>,
    last: Option<Shape>,
    narrow: usize,
}

enum Source {
    Drawn(Box<ChaCha20Rng>),
    Recorded(Vec<Side>),
}

/// Frames in a row that are narrow without parallax, after which it is no accident of landmarks.
const FLAT_FRAMES: usize = 3;

/// Largest parallax of a neutral pose: a face turned further away looks elsewhere.
const MOST_NEUTRAL: f32 = 0.2;

/// Largest spread of the parallax over the neutral frames.
const MOST_RESTLESS: f32 = 0.08;

/// Milliseconds in which the face has to look straight ahead for once.
const NEUTRAL_MS: u64 = 4_000;

impl Turn {
    /// A challenge whose order `random` draws.
    pub fn new(rules: TurnRules, random: ChaCha20Rng) -> Turn {
        Turn::of(rules, Source::Drawn(Box::new(random)))
    }

    /// The challenge of a recording in which these turns were asked for.
    pub fn recorded(rules: TurnRules, sides: Vec<Side>) -> Turn {
        Turn::of(rules, Source::Recorded(sides))
    }

    fn of(rules: TurnRules, source: Source) -> Turn {
        Turn {
            rules,
            source,
            sides: Vec::new(),
            neutral: Vec::new(),
            turn: 0,
            out: false,
            asked: None,
            last: None,
            narrow: 0,
        }
    }

    fn prompt(&self) -> Prompt {
        match (self.out, self.sides.get(self.turn)) {
            (false, Some(Side::Left)) => Prompt::TurnLeft,
            (false, Some(Side::Right)) => Prompt::TurnRight,
            // Out: look here again.
            _ => Prompt::HoldStill,
        }
    }

    /// The neutral pose, once there are enough calm frames of a face that looks here.
    fn neutral(&mut self, shape: Shape) -> Option<Shape> {
        let wanted = self.rules.neutral_frames;
        if self.neutral.len() == wanted {
            return Some(median(&self.neutral));
        }
        self.neutral.push(shape);
        let parallax = || self.neutral.iter().map(|shape| shape.parallax);
        let (least, most) = (
            parallax().fold(f32::MAX, f32::min),
            parallax().fold(f32::MIN, f32::max),
        );
        if most - least > MOST_RESTLESS || most > MOST_NEUTRAL || least < -MOST_NEUTRAL {
            self.neutral.clear();
        }
        None
    }

    fn step(&mut self, now: Timestamp, shape: Shape) -> Progress {
        let asked = *self.asked.get_or_insert(now);
        let Some(neutral) = self.neutral(shape) else {
            let late = now.since(asked).as_millis() > u128::from(NEUTRAL_MS);
            return match late {
                true => Progress::Inconclusive(Reason::Moved),
                false => Progress::Waiting,
            };
        };
        if let Some(last) = self.last.replace(shape)
            && (shape.parallax - last.parallax).abs() > self.rules.most_jump
        {
            return Progress::Inconclusive(Reason::Moved);
        }
        let turned = shape.parallax - neutral.parallax;
        let narrowed = shape.width_over_height / neutral.width_over_height;
        let flat = narrowed < self.rules.flat_narrowing && turned.abs() < self.rules.back_parallax;
        self.narrow = if flat { self.narrow + 1 } else { 0 };
        if self.narrow >= FLAT_FRAMES {
            return Progress::Failed(Reason::NoDepth);
        }
        let Some(side) = self.sides.get(self.turn) else {
            return Progress::Passed;
        };
        let towards = match side {
            Side::Left => turned,
            Side::Right => -turned,
        };
        match self.out {
            false if towards >= self.rules.least_parallax => self.out = true,
            false if -towards >= self.rules.least_parallax => {
                return Progress::Inconclusive(Reason::NotDone);
            }
            true if turned.abs() <= self.rules.back_parallax => {
                self.out = false;
                self.turn += 1;
                self.asked = Some(now);
                if self.turn == self.sides.len() {
                    return Progress::Passed;
                }
                return Progress::Waiting;
            }
            _ => {}
        }
        match now.since(asked).as_millis() > u128::from(self.rules.turn_ms) {
            true => Progress::Inconclusive(Reason::NotDone),
            false => Progress::Waiting,
        }
    }
}

impl Check for Turn {
    fn kind(&self) -> CheckKind {
        CheckKind::Turn
    }

    fn begin(&mut self, _now: Timestamp) {
        self.neutral.clear();
        (self.turn, self.out, self.narrow) = (0, false, 0);
        (self.asked, self.last) = (None, None);
        self.sides = match &mut self.source {
            Source::Recorded(sides) => sides.clone(),
            Source::Drawn(random) => (0..self.rules.turns)
                .map(|_| match random.random() {
                    true => Side::Left,
                    false => Side::Right,
                })
                .collect(),
        };
    }

    fn look(&mut self, now: Timestamp, look: &Look<'_>) -> Finding {
        let Some(shape) = shape(&look.detection.landmarks) else {
            return Finding::settled(Progress::Inconclusive(Reason::OutOfPlace));
        };
        let was_neutral = self.neutral.len() == self.rules.neutral_frames;
        match self.step(now, shape) {
            Progress::Waiting => {
                let neutral = self.neutral.len() == self.rules.neutral_frames;
                if neutral && !was_neutral {
                    self.asked = Some(now);
                }
                Finding::waiting(if neutral {
                    self.prompt()
                } else {
                    Prompt::HoldStill
                })
            }
            settled => Finding::settled(settled),
        }
    }

    fn tell(&self, challenge: &mut Challenge) {
        challenge.turn = Some(TurnChallenge {
            sides: self.sides.clone(),
        });
    }
}

/// The shape of five points; none when eyes and mouth span no plane.
fn shape(landmarks: &Landmarks) -> Option<Shape> {
    let [left, right, nose, mouth_left, mouth_right] = landmarks.0;
    let eyes = ((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
    let mouth = (
        (mouth_left.x + mouth_right.x) / 2.0,
        (mouth_left.y + mouth_right.y) / 2.0,
    );
    let across = (right.x - left.x, right.y - left.y);
    let down = (mouth.0 - eyes.0, mouth.1 - eyes.1);
    let nose = (nose.x - eyes.0, nose.y - eyes.1);
    let area = across.0 * down.1 - across.1 * down.0;
    let height = down.0.hypot(down.1);
    let shape = Shape {
        parallax: (nose.0 * down.1 - nose.1 * down.0) / area,
        width_over_height: across.0.hypot(across.1) / height,
    };
    let spans = landmarks.is_finite() && area.abs() > 1e-3 * height * height;
    (spans && shape.parallax.is_finite()).then_some(shape)
}

fn median(shapes: &[Shape]) -> Shape {
    let of = |value: fn(&Shape) -> f32| {
        let mut values: Vec<f32> = shapes.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        values[values.len() / 2]
    };
    Shape {
        parallax: of(|shape| shape.parallax),
        width_over_height: of(|shape| shape.width_over_height),
    }
}

impl TurnRules {
    /// The first setting that makes no sense, in words; `at` is where the settings stand.
    pub(super) fn check(&self, at: &str) -> Result<(), String> {
        use super::config::{number, whole};
        whole(at, "turns", self.turns as u64, 1, 4)?;
        whole(at, "neutral_frames", self.neutral_frames as u64, 3, 30)?;
        number(at, "least_parallax", self.least_parallax, 0.14, 0.6)?;
        number(
            at,
            "back_parallax",
            self.back_parallax,
            0.01,
            self.least_parallax - 0.01,
        )?;
        number(at, "most_jump", self.most_jump, 0.01, 2.0)?;
        number(at, "flat_narrowing", self.flat_narrowing, 0.5, 0.95)?;
        whole(at, "turn_ms", self.turn_ms, 1_000, 20_000)
    }
}

#[cfg(test)]
mod tests;
