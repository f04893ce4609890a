//! Guided capture: one person from five sides, a few good faces of each.
//!
//! ```text
//! Straight ──► (pause: whom does it look like?) ──► Left ──► Right ──► Up ──► Down ──► complete
//!    each: two holds of 0.4 s inside the pose's window; the best frame of each hold is kept
//!    a pose that is not reached in 6 s is left out, as long as three remain; 60 s in all
//! ```
//!
//! Angles are those of [`Face`]; a pose's window lies around the person's own straight look, so that a camera that
//! hangs low or high does not matter. A frame with another face of nearly the same size, without a face, or turned
//! elsewhere ends the hold. A face too far from the straight look's median begins the pose anew and is never kept. Such
//! a face that looks straight, or that does not continue the one before, is another person: too many of those end the
//! capture. One that is turned and was there all the time may be a model's weakness: its pose is left out like one that
//! cannot be reached. Nothing leaves this room before it is complete.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::gallery::selection::select;
use shared::geometry::Rect;
use shared::operating_point::Threshold;

use super::view::Pose;
use crate::clock::Timestamp;
use crate::session::Hint;

/// The poses in their order.
pub const POSES: [Pose; 5] = [
    Pose::Straight,
    Pose::Left,
    Pose::Right,
    Pose::Up,
    Pose::Down,
];

/// What one frame showed.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    /// Faces in it.
    pub faces: usize,
    /// The largest of them.
    pub face: Option<Face>,
}

/// The largest face of a frame.
#[derive(Clone, Debug)]
pub struct Face {
    /// Where, in frame pixels.
    pub bounds: Rect,
    /// Area of the next largest face by this one's, 0 to 1; 0 when there is none.
    pub rival: f32,
    /// Pixels between the eyes, seen from the front.
    pub eye_distance_px: f32,
    /// Turned to the person's own left above zero; degrees.
    pub yaw_degrees: f32,
    /// Chin up above zero; degrees.
    pub pitch_degrees: f32,
    /// Tilted clockwise in the picture (to the person's left shoulder) above zero; degrees.
    pub roll_degrees: f32,
    /// How good a picture of a face it is, 0 to 1; of the frames of a hold the best is kept.
    pub score: f32,
    /// What is wrong with it, if anything. [`Hint::LookHere`] does not count here: where to look is this room's affair.
    pub hint: Option<Hint>,
    /// The face as the model sees it; without one the frame is of no use.
    pub embedding: Option<Embedding>,
}

/// Times and angles of a guided capture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuidedRules {
    /// Milliseconds that a pose is held, 100 to 5000.
    pub hold_ms: u64,
    /// Holds of each pose, of each of which the best face is kept, 1 to 5.
    pub holds: usize,
    /// Milliseconds of frames that are of no use that end a hold, 50 to 2000. A slow device has nothing but usable frames
    /// farther apart, and they end none.
    pub gap_ms: u64,
    /// Seconds in all, 10 to 600.
    pub seconds: u64,
    /// Poses that suffice when the others cannot be reached, 1 to 5.
    pub least_poses: usize,
    /// Milliseconds after which a pose that is not reached is left out, 1000 to 60000.
    pub patience_ms: u64,
    /// The most that a straight look may be turned to a side, 1 to 45 degrees.
    pub straight_yaw_degrees: f32,
    /// The most that it may look up or down, 1 to 45 degrees: what is between the eyes and the camera's height counts too.
    pub straight_pitch_degrees: f32,
    /// The most that a head may be tilted to a shoulder, 1 to 90 degrees.
    pub most_roll_degrees: f32,
    /// The least that left and right are turned from straight, 1 to 60 degrees.
    pub least_yaw_degrees: f32,
    /// The most that they are, 1 to 60 degrees.
    pub most_yaw_degrees: f32,
    /// The least that up and down are turned from straight, 1 to 60 degrees.
    pub least_pitch_degrees: f32,
    /// The most that they are, 1 to 60 degrees.
    pub most_pitch_degrees: f32,
    /// The largest other face beside the person's, as a share of its area, 0 to 1.
    pub most_rival: f32,
    /// Frames of another face, counted over the capture, that end it, 1 to 1000.
    pub most_strange_frames: usize,
}

impl Default for GuidedRules {
    /// A turn of 12 degrees is plain to see, beyond 35 the far cheek is hidden; a nod is smaller than a turn.
    fn default() -> Self {
        Self {
            hold_ms: 400,
            holds: 2,
            gap_ms: 300,
            seconds: 60,
            least_poses: 3,
            patience_ms: 6000,
            straight_yaw_degrees: 10.0,
            straight_pitch_degrees: 20.0,
            most_roll_degrees: 20.0,
            least_yaw_degrees: 12.0,
            most_yaw_degrees: 35.0,
            least_pitch_degrees: 8.0,
            most_pitch_degrees: 25.0,
            most_rival: 0.25,
            most_strange_frames: 12,
        }
    }
}

impl GuidedRules {
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = [
            ("hold_ms", self.hold_ms, 100, 5000),
            ("holds", self.holds as u64, 1, 5),
            ("gap_ms", self.gap_ms, 50, 2000),
            ("seconds", self.seconds, 10, 600),
            ("least_poses", self.least_poses as u64, 1, 5),
            ("patience_ms", self.patience_ms, 1000, 60_000),
            (
                "most_strange_frames",
                self.most_strange_frames as u64,
                1,
                1000,
            ),
        ];
        for (name, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "desk.guided.{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        let measures = [
            ("straight_yaw_degrees", self.straight_yaw_degrees, 1.0, 45.0),
            (
                "straight_pitch_degrees",
                self.straight_pitch_degrees,
                1.0,
                45.0,
            ),
            ("most_roll_degrees", self.most_roll_degrees, 1.0, 90.0),
            ("most_yaw_degrees", self.most_yaw_degrees, 1.0, 60.0),
            (
                "least_yaw_degrees",
                self.least_yaw_degrees,
                1.0,
                self.most_yaw_degrees,
            ),
            ("most_pitch_degrees", self.most_pitch_degrees, 1.0, 60.0),
            (
                "least_pitch_degrees",
                self.least_pitch_degrees,
                1.0,
                self.most_pitch_degrees,
            ),
            ("most_rival", self.most_rival, 0.0, 1.0),
        ];
        for (name, found, least, most) in measures {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "desk.guided.{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        Ok(())
    }
}

/// What stood in the way most often while a pose was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// There was no face.
    Nobody,
    /// There were several of nearly the same size.
    Several,
    /// The face was not fit, and this would have helped.
    Unfit(Hint),
    /// The head was not turned as wanted.
    Elsewhere,
}

impl Obstacle {
    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Nobody => "stand in front of the camera and try again",
            Self::Several | Self::Unfit(Hint::OnePerson) => {
                "let one person alone stand in front of the camera and try again"
            }
            Self::Unfit(Hint::ComeCloser) => "come closer and try again",
            Self::Unfit(Hint::StepBack) => "step back and try again",
            Self::Unfit(Hint::MoveToCenter) => "stand in the middle of the picture and try again",
            Self::Unfit(Hint::MoreLight) => "get more light on the face and try again",
            Self::Unfit(Hint::LessLight) => "get the light out of the picture and try again",
            Self::Unfit(Hint::UncoverFace) => "uncover the face and try again",
            Self::Unfit(Hint::HoldStill | Hint::LookHere) => "hold still and try again",
            Self::Elsewhere => {
                "turn the head a little, as the screen says, hold it for a moment and try again"
            }
        }
    }
}

/// Why a capture came to nothing. Nothing is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuidedError {
    /// The time was up.
    #[error("expected {wanted} looks in {seconds} s, found {done}; {remedy}", remedy = obstacle.remedy())]
    TimeUp {
        /// Poses done.
        done: usize,
        /// Poses that suffice.
        wanted: usize,
        /// Seconds there were.
        seconds: u64,
        /// What stood in the way.
        obstacle: Obstacle,
    },
    /// Somebody else's face came in between.
    #[error(
        "expected one person all the time, found faces of another; let one person alone stand in front of the camera and try again"
    )]
    AnotherPerson,
}

/// Where a capture is after a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes on.
    Going,
    /// The straight look is done: [`Guided::straight`] is there to be compared.
    Straight,
    /// It is complete: [`Guided::faces`] holds what there is.
    Complete,
}

/// A kept face.
#[derive(Clone, Debug)]
struct Shot {
    pose: Pose,
    score: f32,
    yaw_degrees: f32,
    pitch_degrees: f32,
    embedding: Embedding,
}

/// A hold under way.
#[derive(Clone, Debug)]
struct Hold {
    since: Timestamp,
    last: Timestamp,
    /// Where the head was turned when it began: a straight look must stay there.
    yaw_degrees: f32,
    pitch_degrees: f32,
    frames: usize,
    best: Shot,
}

/// How far a straight look may wander during a hold, in degrees.
const STEADY_DEGREES: f32 = 6.0;
/// How far a turned head may nod beside its turn, in degrees, and a nodding one turn.
const ASIDE_DEGREES: f32 = 15.0;
/// Overlap (intersection over union) of a face with the one before below which it does not continue it.
const LEAST_OVERLAP: f32 = 0.2;
/// Frames of a hold at least, however slow the camera.
const LEAST_FRAMES: usize = 2;
/// How long no frame at all may come within a hold: the slowest device embeds a face in less.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// A capture under way.
#[derive(Debug)]
pub struct Guided {
    rules: GuidedRules,
    agreement: Threshold,
    least_eye_distance_px: f32,
    /// Place in [`POSES`] of the pose that is wanted; behind the last when complete.
    at: usize,
    left_out: usize,
    hold: Option<Hold>,
    holds: usize,
    shots: Vec<Shot>,
    /// The person's own straight look: the median of its faces, and its angles.
    own: Option<(Embedding, f32, f32)>,
    strange: usize,
    /// Where the largest face was last, and when.
    track: Option<(Rect, Timestamp)>,
    /// Whether the face has not continued the one before since one was surely the person's.
    is_broken: bool,
    hint: Option<Hint>,
    obstacles: [(Obstacle, usize); 4],
    clock: Stopwatch,
    pose_since_ms: u64,
    /// When a frame was last looked at.
    looked: Option<Timestamp>,
}

/// Milliseconds that were not spent in pauses.
#[derive(Clone, Copy, Debug)]
struct Stopwatch {
    since: Timestamp,
    before_ms: u64,
    paused: bool,
}

impl Stopwatch {
    fn ms(&self, now: Timestamp) -> u64 {
        match self.paused {
            true => self.before_ms,
            false => {
                let passed = now.since(self.since).as_millis();
                self.before_ms + u64::try_from(passed).unwrap_or(u64::MAX)
            }
        }
    }

    fn pause(&mut self, now: Timestamp) {
        self.before_ms = self.ms(now);
        self.paused = true;
    }

    fn go_on(&mut self, now: Timestamp) {
        if self.paused {
            (self.since, self.paused) = (now, false);
        }
    }
}

/// Nothing in the way so far.
const NO_OBSTACLES: [(Obstacle, usize); 4] = [
    (Obstacle::Elsewhere, 0),
    (Obstacle::Nobody, 0),
    (Obstacle::Several, 0),
    (Obstacle::Unfit(Hint::HoldStill), 0),
];

impl Guided {
    /// A capture that begins now.
    ///
    /// Faces within `agreement` of the straight look are one person's; those with fewer than `least_eye_distance_px`
    /// pixels between the eyes are asked to come closer.
    pub fn new(
        rules: GuidedRules,
        agreement: Threshold,
        least_eye_distance_px: f32,
        now: Timestamp,
    ) -> Self {
        Self {
            rules,
            agreement,
            least_eye_distance_px,
            at: 0,
            left_out: 0,
            hold: None,
            holds: 0,
            shots: Vec::new(),
            own: None,
            strange: 0,
            track: None,
            is_broken: false,
            hint: None,
            obstacles: NO_OBSTACLES,
            clock: Stopwatch {
                since: now,
                before_ms: 0,
                paused: false,
            },
            pose_since_ms: 0,
            looked: None,
        }
    }

    /// The pose that is wanted; none when complete.
    pub fn pose(&self) -> Option<Pose> {
        POSES.get(self.at).copied()
    }

    /// Poses done, and poses there can still be.
    pub fn counts(&self) -> (usize, usize) {
        (self.at - self.left_out, POSES.len() - self.left_out)
    }

    /// How far the present pose is held, 0 to 1.
    pub fn held(&self, now: Timestamp) -> f32 {
        let whole = self.hold.as_ref().map_or(0.0, |hold| {
            let share = now.since(hold.since).as_secs_f32() * 1000.0 / self.rules.hold_ms as f32;
            share.min(1.0)
        });
        ((self.holds as f32 + whole) / self.holds_wanted() as f32).min(1.0)
    }

    /// What would help, if anything.
    pub fn hint(&self) -> Option<Hint> {
        self.hint
    }

    /// Time left.
    pub fn left(&self, now: Timestamp) -> Duration {
        let most = self.rules.seconds * 1000;
        Duration::from_millis(most.saturating_sub(self.clock.ms(now)))
    }

    /// The faces of the straight look.
    pub fn straight(&self) -> Vec<Embedding> {
        let straight = self.shots.iter().filter(|shot| shot.pose == Pose::Straight);
        straight.map(|shot| shot.embedding.clone()).collect()
    }

    /// All faces that are kept, and in which pose each was taken.
    pub fn faces(&self) -> impl ExactSizeIterator<Item = (Pose, &Embedding)> {
        self.shots.iter().map(|shot| (shot.pose, &shot.embedding))
    }

    /// Stops the clock: something is being asked.
    pub fn pause(&mut self, now: Timestamp) {
        self.clock.pause(now);
        self.hold = None;
    }

    /// Lets it run again.
    pub fn go_on(&mut self, now: Timestamp) {
        self.clock.go_on(now);
    }

    /// Whether the time is not yet up; to be asked when no frame comes.
    ///
    /// # Errors
    /// [`GuidedError::TimeUp`] when it is.
    pub fn check_time(&self, now: Timestamp) -> Result<(), GuidedError> {
        if !self.left(now).is_zero() || self.pose().is_none() {
            return Ok(());
        }
        let worst = self.obstacles.iter().max_by_key(|(_, frames)| *frames);
        Err(GuidedError::TimeUp {
            done: self.counts().0,
            wanted: self.rules.least_poses,
            seconds: self.rules.seconds,
            obstacle: worst.map_or(Obstacle::Nobody, |(obstacle, _)| *obstacle),
        })
    }

    /// Takes what the frame of `now` showed.
    ///
    /// # Errors
    /// [`GuidedError`] when the time is up, or another person stepped in.
    pub fn look(&mut self, now: Timestamp, glance: &Glance) -> Result<Progress, GuidedError> {
        self.check_time(now)?;
        let Some(pose) = self.pose() else {
            return Ok(Progress::Complete);
        };
        if self.clock.paused {
            return Ok(Progress::Going);
        }
        if let Some(hold) = &self.hold
            && self.is_interrupted(hold, now)
        {
            self.hold = None;
        }
        self.looked = Some(now);
        self.follow(now, glance);
        match (self.usable(pose, glance), self.stranger(glance)) {
            (Ok(_), Some(is_certain)) => self.startle(is_certain)?,
            (Err(obstacle), Some(true)) if obstacle != Obstacle::Several => self.startle(true)?,
            (Ok(shot), None) => {
                self.is_broken = false;
                self.hint = None;
                self.hold(now, shot);
            }
            (Err(obstacle), _) => self.stumble(now, obstacle),
        }
        let held = self.hold.as_ref().is_some_and(|hold| {
            hold.frames >= LEAST_FRAMES
                && now.since(hold.since) >= Duration::from_millis(self.rules.hold_ms)
        });
        if held && let Some(hold) = self.hold.take() {
            self.shots.push(hold.best);
            self.holds += 1;
            if self.holds == self.holds_wanted() {
                return Ok(self.next_pose(now));
            }
        }
        self.skip(now)
    }

    /// Whether a hold was last seen too long ago: other frames came meanwhile, or none for very long.
    fn is_interrupted(&self, hold: &Hold, now: Timestamp) -> bool {
        let gap = now.since(hold.last);
        let was_last = self.looked == Some(hold.last);
        gap > LONGEST_GAP || (gap > Duration::from_millis(self.rules.gap_ms) && !was_last)
    }

    fn holds_wanted(&self) -> usize {
        // The straight look is what all others are compared with: a median needs three.
        match self.at {
            0 => self.rules.holds.max(3),
            _ => self.rules.holds,
        }
    }

    /// The face of a frame that shows what is wanted, else what stands in the way.
    fn usable(&self, pose: Pose, glance: &Glance) -> Result<Shot, Obstacle> {
        let face = glance.face.as_ref().ok_or(Obstacle::Nobody)?;
        if glance.faces > 1 && face.rival > self.rules.most_rival {
            return Err(Obstacle::Several);
        }
        if face.eye_distance_px < self.least_eye_distance_px {
            return Err(Obstacle::Unfit(Hint::ComeCloser));
        }
        match face.hint {
            None | Some(Hint::LookHere) => {}
            Some(hint) => return Err(Obstacle::Unfit(hint)),
        }
        if !self.is_posed(pose, face) {
            return Err(Obstacle::Elsewhere);
        }
        let embedding = face.embedding.clone();
        Ok(Shot {
            pose,
            score: face.score,
            yaw_degrees: face.yaw_degrees,
            pitch_degrees: face.pitch_degrees,
            embedding: embedding.ok_or(Obstacle::Unfit(Hint::HoldStill))?,
        })
    }

    /// Whether the head is turned as the pose wants it.
    fn is_posed(&self, pose: Pose, face: &Face) -> bool {
        let rules = &self.rules;
        let (yaw, pitch) = match &self.own {
            Some((_, yaw, pitch)) => (face.yaw_degrees - yaw, face.pitch_degrees - pitch),
            None => (face.yaw_degrees, face.pitch_degrees),
        };
        let turned = rules.least_yaw_degrees..=rules.most_yaw_degrees;
        let nodded = rules.least_pitch_degrees..=rules.most_pitch_degrees;
        let posed = match pose {
            Pose::Straight => {
                let steady = self.hold.as_ref().is_none_or(|hold| {
                    (face.yaw_degrees - hold.yaw_degrees).abs() <= STEADY_DEGREES
                        && (face.pitch_degrees - hold.pitch_degrees).abs() <= STEADY_DEGREES
                });
                steady
                    && yaw.abs() <= rules.straight_yaw_degrees
                    && pitch.abs() <= rules.straight_pitch_degrees
            }
            Pose::Left => turned.contains(&yaw) && pitch.abs() <= ASIDE_DEGREES,
            Pose::Right => turned.contains(&-yaw) && pitch.abs() <= ASIDE_DEGREES,
            Pose::Up => nodded.contains(&pitch) && yaw.abs() <= ASIDE_DEGREES,
            Pose::Down => nodded.contains(&-pitch) && yaw.abs() <= ASIDE_DEGREES,
        };
        posed && face.roll_degrees.abs() <= rules.most_roll_degrees
    }

    /// Whether the face does not continue the one before.
    fn follow(&mut self, now: Timestamp, glance: &Glance) {
        let Some(face) = &glance.face else { return };
        let gap = Duration::from_millis(2 * self.rules.gap_ms);
        let is_continued = self.track.is_none_or(|(bounds, at)| {
            now.since(at) <= gap && bounds.iou(&face.bounds) >= LEAST_OVERLAP
        });
        self.is_broken |= !is_continued;
        self.track = Some((face.bounds, now));
    }

    /// Whether the face is too far from the straight look, or, while that is being taken, from its first frame; if so,
    /// whether it is surely another person's.
    fn stranger(&self, glance: &Glance) -> Option<bool> {
        let face = glance.face.as_ref()?;
        let embedding = face.embedding.as_ref()?;
        let (own, is_straight) = match (&self.own, self.shots.first(), &self.hold) {
            (Some((own, yaw, pitch)), _, _) => {
                let is_straight = (face.yaw_degrees - yaw).abs() < self.rules.least_yaw_degrees
                    && (face.pitch_degrees - pitch).abs() < self.rules.least_pitch_degrees;
                (own, is_straight)
            }
            (None, Some(first), _) => (&first.embedding, false),
            (None, None, Some(hold)) => (&hold.best.embedding, false),
            (None, None, None) => return None,
        };
        let is_strange = !self.agreement.accepts(SquaredL2::between(own, embedding));
        // A blurred or dark face is far from everybody's.
        let is_fit = matches!(face.hint, None | Some(Hint::LookHere));
        let is_certain = is_fit && (is_straight || self.is_broken || self.own.is_none());
        is_strange.then_some(is_certain)
    }

    /// Another face: the pose begins anew.
    fn startle(&mut self, is_certain: bool) -> Result<(), GuidedError> {
        self.strange += usize::from(is_certain);
        if self.strange >= self.rules.most_strange_frames {
            return Err(GuidedError::AnotherPerson);
        }
        let pose = self.pose();
        self.shots.retain(|shot| Some(shot.pose) != pose);
        (self.holds, self.hold) = (0, None);
        self.hint = Some(match is_certain {
            true => Hint::OnePerson,
            false => Hint::HoldStill,
        });
        Ok(())
    }

    fn hold(&mut self, now: Timestamp, shot: Shot) {
        let hold = self.hold.get_or_insert_with(|| Hold {
            since: now,
            last: now,
            yaw_degrees: shot.yaw_degrees,
            pitch_degrees: shot.pitch_degrees,
            frames: 0,
            best: shot.clone(),
        });
        hold.last = now;
        hold.frames += 1;
        if shot.score > hold.best.score {
            hold.best = shot;
        }
    }

    /// A frame that is of no use. One without a face, or a blurred one, does not yet end a hold: blinks and nets err.
    fn stumble(&mut self, now: Timestamp, obstacle: Obstacle) {
        let gap = Duration::from_millis(self.rules.gap_ms);
        let is_fresh = self
            .hold
            .as_ref()
            .is_some_and(|hold| now.since(hold.last) <= gap);
        match obstacle {
            Obstacle::Nobody | Obstacle::Unfit(_) if is_fresh => {}
            _ => self.hold = None,
        }
        self.hint = match obstacle {
            Obstacle::Nobody => Some(Hint::MoveToCenter),
            Obstacle::Several => Some(Hint::OnePerson),
            Obstacle::Unfit(hint) => Some(hint),
            // The screen shows where to look.
            Obstacle::Elsewhere => None,
        };
        let kind = std::mem::discriminant(&obstacle);
        for (known, frames) in &mut self.obstacles {
            if std::mem::discriminant(known) == kind {
                (*known, *frames) = (obstacle, *frames + 1);
            }
        }
    }

    fn next_pose(&mut self, now: Timestamp) -> Progress {
        let was_straight = self.at == 0;
        if was_straight {
            self.settle();
        }
        self.begin(now, self.at + 1);
        match (self.pose(), was_straight) {
            (None, _) => Progress::Complete,
            (Some(_), true) => Progress::Straight,
            (Some(_), false) => Progress::Going,
        }
    }

    fn begin(&mut self, now: Timestamp, at: usize) {
        self.at = at;
        (self.holds, self.hold, self.hint) = (0, None, None);
        self.obstacles = NO_OBSTACLES;
        self.pose_since_ms = self.clock.ms(now);
    }

    /// Remembers the straight look, which the others are compared with.
    fn settle(&mut self) {
        let faces = self.straight();
        let Some(&median) = select(&faces, 1, self.agreement).kept.first() else {
            return;
        };
        let middle = |angle: fn(&Shot) -> f32| {
            let mut angles: Vec<f32> = self.shots.iter().map(angle).collect();
            angles.sort_by(f32::total_cmp);
            angles[angles.len() / 2]
        };
        let (yaw, pitch) = (
            middle(|shot| shot.yaw_degrees),
            middle(|shot| shot.pitch_degrees),
        );
        self.own = Some((faces[median].clone(), yaw, pitch));
    }

    /// Leaves out a pose that cannot be reached, where the others suffice.
    fn skip(&mut self, now: Timestamp) -> Result<Progress, GuidedError> {
        let waited = self.clock.ms(now).saturating_sub(self.pose_since_ms);
        let others = POSES.len() - self.left_out - 1;
        if self.at == 0
            || self.hold.is_some()
            || waited < self.rules.patience_ms
            || (self.holds == 0 && others < self.rules.least_poses)
        {
            return Ok(Progress::Going);
        }
        // One face of a pose is better than none.
        self.left_out += usize::from(self.holds == 0);
        self.begin(now, self.at + 1);
        Ok(match self.pose() {
            None => Progress::Complete,
            Some(_) => Progress::Going,
        })
    }
}

#[cfg(test)]
pub(in crate::desk) mod tests;
