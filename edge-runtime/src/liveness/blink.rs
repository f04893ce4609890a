//! The blink challenge: both eyes lose their edges together for a moment, and nothing else does.
//!
//! Five landmarks have no eyelids, so the eyes themselves are measured: the sharpness of an eye's patch is the mean step
//! of light from row to row over its mean light. Iris, white and lids make an open eye rich in such steps; a closed one
//! is skin with a line of lashes. Each eye is compared with its own running baseline, the median of the last two
//! seconds. A blink is a drop of both eyes within a frame of each other that lasts 100 to 400 ms and comes back, while
//! the mouth's patch keeps its sharpness (a picture that is shaken blurs everywhere) and the eyes stay where they were.
//!
//! A blink lasts 100 to 400 ms, often 150. Below 15 frames a second it falls between frames, so that the check cannot
//! be configured then, and says [`Reason::FramesTooFew`] when frames come more slowly than promised.
//!
//! What it cannot tell: a video of somebody who blinks (people blink every few seconds unasked), and paper eyelids. It
//! refuses a plain photograph, and hardly more: use it with another check.

use serde::{Deserialize, Serialize};
use shared::frame::Frame;

use super::patch::{FaceAxes, linear};
use super::{Check, CheckKind, Finding, Look, Progress, Prompt, Reason};
use crate::clock::Timestamp;

/// Frames a second below which blinks are missed.
pub const LEAST_FRAMES_PER_SECOND: f64 = 15.0;

/// Settings of the blink challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlinkRules {
    /// How many blinks, 1 to 3.
    pub blinks: usize,
    /// Share of the baseline that an eye has to lose, 0.15 to 0.9.
    pub least_drop: f32,
    /// Milliseconds that a blink takes at least, 40 to 200.
    pub shortest_ms: u64,
    /// Milliseconds that a blink takes at most, 200 to 1000.
    pub longest_ms: u64,
    /// Pixels between the eyes below which eyelids are not seen.
    pub least_eye_distance_px: f32,
}

impl Default for BlinkRules {
    /// Durations from the literature on spontaneous blinks; the drop from the tests' simulations and nothing else.
    fn default() -> Self {
        BlinkRules {
            blinks: 1,
            least_drop: 0.35,
            shortest_ms: 100,
            longest_ms: 400,
            least_eye_distance_px: 48.0,
        }
    }
}

/// Share of the least drop at which an eye counts as open again, and which the mouth must not lose.
const HALF: f32 = 0.5;

/// Milliseconds that the baseline looks back.
const BASELINE_MS: u64 = 2_000;

/// Frames that a baseline needs.
const BASELINE_FRAMES: usize = 8;

/// Longest gap between two frames in which a blink is still seen, in milliseconds: 15 a second, and some jitter.
const LONGEST_FRAME_MS: u64 = 90;

/// Distances between the eyes that the face may move during a blink.
const MOST_MOVED: f32 = 0.12;

/// Frames that may be lost before it is given up.
const MOST_LOST: usize = 5;

/// Rows and columns of samples in a patch.
const GRID: (u32, u32) = (24, 24);

/// What a frame shows of eyes and mouth.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sharpness {
    at_ms: u64,
    eyes: [f32; 2],
    mouth: f32,
    /// Between the eyes, and their distance, in pixels.
    middle: (f32, f32),
    eye_distance: f32,
}

/// A blink under way.
#[derive(Clone, Copy, Debug)]
struct Closing {
    since_ms: u64,
    baseline: [f32; 3],
    middle: (f32, f32),
    both: bool,
    spoiled: bool,
}

/// The blink challenge.
pub struct Blink {
    rules: BlinkRules,
    history: Vec<Sharpness>,
    closing: Option<Closing>,
    seen: usize,
    slow_frames: usize,
    lost_frames: usize,
}

impl Blink {
    /// A challenge by these rules.
    pub fn new(rules: BlinkRules) -> Blink {
        Blink {
            rules,
            history: Vec::new(),
            closing: None,
            seen: 0,
            slow_frames: 0,
            lost_frames: 0,
        }
    }

    fn step(&mut self, now: Sharpness) {
        self.spoil(&now);
        let Some(closing) = &mut self.closing else {
            let Some(baseline) = baseline(&self.history) else {
                self.history.push(now);
                return;
            };
            let dropped = dropped(&now, &baseline, self.rules.least_drop);
            // One eye first: the other may follow in the next frame.
            if dropped[0] || dropped[1] {
                // Where the face was with open eyes: another picture would not be held just there.
                let middle = self.history.last().map_or(now.middle, |last| last.middle);
                self.closing = Some(Closing {
                    since_ms: now.at_ms,
                    baseline,
                    middle,
                    both: dropped[0] && dropped[1],
                    spoiled: false,
                });
                self.spoil(&now);
            } else {
                self.history.push(now);
                self.history
                    .retain(|old| old.at_ms + BASELINE_MS >= now.at_ms);
            }
            return;
        };
        let open_again = dropped(&now, &closing.baseline, self.rules.least_drop * HALF);
        if !open_again[0] && !open_again[1] {
            let lasted = now.at_ms - closing.since_ms;
            let blinked = closing.both
                && !closing.spoiled
                && (self.rules.shortest_ms..=self.rules.longest_ms).contains(&lasted);
            self.seen += usize::from(blinked);
            self.closing = None;
            self.history.push(now);
            return;
        }
        let dropped = dropped(&now, &closing.baseline, self.rules.least_drop);
        closing.both |= dropped[0] && dropped[1];
        if now.at_ms - closing.since_ms > 2 * self.rules.longest_ms {
            // No blink: eyes kept shut, or another light. The baseline begins anew.
            self.closing = None;
            self.history.clear();
        }
    }

    /// Marks a closing during which the mouth lost its edges too, or the face moved.
    fn spoil(&mut self, now: &Sharpness) {
        if let Some(closing) = &mut self.closing {
            let mouth = now.mouth < closing.baseline[2] * (1.0 - self.rules.least_drop * HALF);
            let way = (now.middle.0 - closing.middle.0).hypot(now.middle.1 - closing.middle.1);
            let stayed = way <= MOST_MOVED * now.eye_distance;
            closing.spoiled |= mouth || !stayed;
        }
    }
}

impl Check for Blink {
    fn kind(&self) -> CheckKind {
        CheckKind::Blink
    }

    fn begin(&mut self, _now: Timestamp) {
        self.history.clear();
        self.closing = None;
        (self.seen, self.slow_frames, self.lost_frames) = (0, 0, 0);
    }

    fn look(&mut self, _now: Timestamp, look: &Look<'_>) -> Finding {
        let inconclusive = |reason| Finding::settled(Progress::Inconclusive(reason));
        let axes = FaceAxes::of(&look.detection.landmarks)
            .filter(|axes| axes.eye_distance_px() >= self.rules.least_eye_distance_px);
        let Some(sharpness) = axes.and_then(|axes| sharpness(look.frame, &axes, look.at)) else {
            self.lost_frames += 1;
            return match self.lost_frames > MOST_LOST {
                true => inconclusive(Reason::OutOfPlace),
                false => Finding::waiting(Prompt::Blink),
            };
        };
        if let Some(last) = self.history.last().map(|last| last.at_ms)
            && self.closing.is_none()
            && sharpness.at_ms.saturating_sub(last) > LONGEST_FRAME_MS
        {
            self.slow_frames += 1;
            // A late frame now and then is no reason; a slow camera is.
            if self.slow_frames > BASELINE_FRAMES {
                return inconclusive(Reason::FramesTooFew);
            }
        }
        self.step(sharpness);
        match self.seen >= self.rules.blinks {
            true => Finding::settled(Progress::Passed),
            false => Finding::waiting(Prompt::Blink),
        }
    }
}

/// Which eyes lost more than this share of their baseline.
fn dropped(now: &Sharpness, baseline: &[f32; 3], share: f32) -> [bool; 2] {
    [0, 1].map(|eye| now.eyes[eye] < baseline[eye] * (1.0 - share))
}

/// Medians of both eyes and the mouth; none before there are enough frames.
fn baseline(history: &[Sharpness]) -> Option<[f32; 3]> {
    if history.len() < BASELINE_FRAMES {
        return None;
    }
    let median = |value: fn(&Sharpness) -> f32| {
        let mut values: Vec<f32> = history.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        values[values.len() / 2]
    };
    Some([
        median(|sharpness| sharpness.eyes[0]),
        median(|sharpness| sharpness.eyes[1]),
        median(|sharpness| sharpness.mouth),
    ])
}

fn sharpness(frame: &Frame, axes: &FaceAxes, at: Timestamp) -> Option<Sharpness> {
    let middle = axes.at(0.0, 0.0);
    Some(Sharpness {
        at_ms: at.millis(),
        eyes: [
            steps(frame, axes, (-0.5, 0.0), (0.2, 0.13))?,
            steps(frame, axes, (0.5, 0.0), (0.2, 0.13))?,
        ],
        mouth: steps(frame, axes, (0.0, 1.12), (0.35, 0.2))?,
        middle: (middle.x, middle.y),
        eye_distance: axes.eye_distance_px(),
    })
}

/// Mean step of light from row to row of a patch over its mean light; none beyond the frame.
fn steps(frame: &Frame, axes: &FaceAxes, middle: (f32, f32), half: (f32, f32)) -> Option<f32> {
    let (columns, rows) = GRID;
    let place = |index: u32, of: u32| (index as f32 + 0.5) / of as f32 * 2.0 - 1.0;
    let (mut sum, mut steps) = (0.0, 0.0);
    for column in 0..columns {
        let mut above = None;
        for row in 0..rows {
            let at = axes.at(
                middle.0 + half.0 * place(column, columns),
                middle.1 + half.1 * place(row, rows),
            );
            let light = luminance(frame, at.x, at.y)?;
            sum += light;
            if let Some(above) = above.replace(light) {
                steps += (light - above).abs();
            }
        }
    }
    // A black picture has no edges: the small addition keeps the ratio finite.
    Some(steps / (sum + 1e-3))
}

/// Luminance between four pixels: nearest pixels would jump with the landmarks' jitter.
fn luminance(frame: &Frame, x: f32, y: f32) -> Option<f32> {
    let inside = x >= 0.0
        && y >= 0.0
        && x < frame.width_px() as f32 - 1.0
        && y < frame.height_px() as f32 - 1.0;
    if !inside {
        return None;
    }
    let (left, top) = (x as u32, y as u32);
    let (right_share, lower_share) = (x - left as f32, y - top as f32);
    let at = |x, y| {
        let [red, green, blue] = frame.pixel(x, y).map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let row = |y| at(left, y) * (1.0 - right_share) + at(left + 1, y) * right_share;
    Some(row(top) * (1.0 - lower_share) + row(top + 1) * lower_share)
}

impl BlinkRules {
    /// The first setting that makes no sense, in words; `at` is where the settings stand.
    pub(super) fn check(&self, at: &str) -> Result<(), String> {
        use super::config::{number, whole};
        whole(at, "blinks", self.blinks as u64, 1, 3)?;
        number(at, "least_drop", self.least_drop, 0.15, 0.9)?;
        whole(at, "shortest_ms", self.shortest_ms, 40, 200)?;
        whole(at, "longest_ms", self.longest_ms, 200, 1_000)?;
        number(
            at,
            "least_eye_distance_px",
            self.least_eye_distance_px,
            16.0,
            1000.0,
        )
    }
}

#[cfg(test)]
mod tests;
