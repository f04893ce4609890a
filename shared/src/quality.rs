//! How fit a detected face is to be recognized, and what is wrong with it.
//!
//! | measure | unit, range | from |
//! |---|---|---|
//! | distance between the eyes | pixels of the frame | landmarks |
//! | part outside the frame | share of the box, 0 to 1 | box |
//! | height | share of the frame's shorter side | box |
//! | yaw, pitch, roll; misfit | degrees; eye distances | landmarks ([`pose`]) |
//! | score | [`crate::detector::MIN_SCORE`] to 1 | detector |
//! | sharpness, light, texture of eyes and mouth | see [`Appearance`] | pixels of the aligned face |
//!
//! [`Placement`] costs nothing and is taken of every face; [`Appearance`] needs the aligned face. [`QualityLimits`] turn
//! them into [`Defect`]s, or, where there is none, into a weight of 0 to 1 that says how much the face counts.
//! Everything is + - x / sqrt in a fixed order, so a recording gives the same answers on every processor.
//!
//! Occlusion is told by simple means: the detector's score, landmarks that do not fit a face, and regions of eyes and
//! mouth that are much smoother than the rest. That finds a plain mask or scarf and dark glasses without rims. It does
//! not find what is transparent, textured or skin-like (a hand, a beard, a printed mask), nor hair over the brows.
//!
//! The default limits come from LFW: `cargo test -p usher-shared --test face_quality -- --ignored --nocapture` prints
//! the quantiles of each measure over its 13,233 pictures and what each limit refuses of them.

mod appearance;
pub mod pose;

use serde::{Deserialize, Serialize};

use crate::detector::Detection;
use crate::geometry::Rect;

pub use appearance::Appearance;
pub use pose::{HeadFit, HeadPose};

/// What weight the worst face that passes the limits has.
const LEAST_WEIGHT: f32 = 0.25;

/// What landmarks and box say about a face, without its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// Distance between the eyes, in pixels of the frame.
    pub eye_distance_px: f32,
    /// Share of the box that lies outside the frame, 0 to 1.
    pub outside: f32,
    /// Height of the box over the frame's shorter side.
    pub height: f32,
    /// The head's pose, and how well the landmarks fit a face; none where they are not those of one.
    pub head: Option<HeadFit>,
    /// How sure the detector is.
    pub score: f32,
}

impl Placement {
    /// Measures a face detected in a frame of this width and height in pixels.
    pub fn of(detection: &Detection, (width_px, height_px): (u32, u32)) -> Placement {
        let (width, height) = (width_px as f32, height_px as f32);
        let bounds = detection.bounds;
        // Pixel centers lie at whole numbers, so the frame reaches from -0.5.
        let inside = Rect {
            left: bounds.left.max(-0.5),
            top: bounds.top.max(-0.5),
            width: bounds.right().min(width - 0.5) - bounds.left.max(-0.5),
            height: bounds.bottom().min(height - 0.5) - bounds.top.max(-0.5),
        };
        let area = bounds.area();
        Placement {
            eye_distance_px: detection.landmarks.eye_distance_px(),
            outside: if area > 0.0 {
                (1.0 - inside.area() / area).clamp(0.0, 1.0)
            } else {
                1.0
            },
            height: bounds.height / width.min(height),
            head: HeadFit::of(&detection.landmarks),
            score: detection.score,
        }
    }
}

/// What is wrong with a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Defect {
    /// Too few pixels between the eyes.
    TooSmall,
    /// So large that it leaves the frame.
    TooLarge,
    /// Part of it is outside the frame.
    OutsideFrame,
    /// Turned to the side, up or down, or tilted.
    Turned,
    /// Landmarks or score are not those of a face that is wholly seen.
    Unclear,
    /// Too little light, or the light is behind.
    TooDark,
    /// Too much light.
    TooBright,
    /// Lit from one side alone.
    UnevenLight,
    /// The eyes are covered.
    EyesCovered,
    /// The mouth is covered.
    MouthCovered,
    /// Out of focus, shaken, or without pixels to speak of.
    Blurred,
}

impl Defect {
    /// All defects, the ones that a person should mend first in front.
    pub const ALL: [Defect; 11] = [
        Self::TooSmall,
        Self::TooLarge,
        Self::OutsideFrame,
        Self::Turned,
        Self::Unclear,
        Self::TooDark,
        Self::TooBright,
        Self::UnevenLight,
        Self::EyesCovered,
        Self::MouthCovered,
        Self::Blurred,
    ];
}

/// From where on a face is not compared, and up to where it counts fully.
///
/// `least_` and `most_` are limits; where there is a second value, `good_`, a face between the two counts partly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualityLimits {
    /// Least distance between the eyes, in pixels.
    pub least_eye_distance_px: f32,
    /// Distance between the eyes from which a face counts fully, in pixels.
    pub good_eye_distance_px: f32,
    /// Most share of the face's box outside the frame, 0 to 1.
    pub most_outside: f32,
    /// Most degrees turned to either side.
    pub most_yaw_degrees: f32,
    /// Degrees turned to either side up to which a face counts fully.
    pub good_yaw_degrees: f32,
    /// Most degrees turned up or down.
    pub most_pitch_degrees: f32,
    /// Most degrees tilted to either side.
    pub most_roll_degrees: f32,
    /// Least score of the detector, 0 to 1.
    pub least_score: f32,
    /// Score from which a face counts fully, 0 to 1.
    pub good_score: f32,
    /// Most misfit of the landmarks, in eye distances.
    pub most_misfit: f32,
    /// Least sharpness, 0 to 20.
    pub least_sharpness: f32,
    /// Sharpness from which a face counts fully, 0 to 20.
    pub good_sharpness: f32,
    /// Least mean brightness, 0 to 255. It is low, because dark skin in good light is darker than light skin in bad.
    pub least_brightness: f32,
    /// Most mean brightness, 0 to 255.
    pub most_brightness: f32,
    /// Least contrast (standard deviation of luma), 0 to 127.
    pub least_contrast: f32,
    /// Most share of pixels as good as black, 0 to 1.
    pub most_black: f32,
    /// Most share of pixels as good as white, 0 to 1.
    pub most_white: f32,
    /// Most imbalance of the light, 0 to 1.
    pub most_imbalance: f32,
    /// Least texture of the eyes' region, as a share of the face's.
    pub least_eye_texture: f32,
    /// Least texture of the mouth's region, as a share of the face's.
    pub least_mouth_texture: f32,
}

impl Default for QualityLimits {
    /// Together they refuse less than 2 % of LFW's pictures.
    ///
    /// 24 px between the eyes: the aligned face has 35, so less would be mostly invented. Roll is not LFW's to say, its
    /// pictures were turned upright; alignment undoes it, so 35 degrees only leaves out who lies.
    fn default() -> Self {
        Self {
            least_eye_distance_px: 24.0,
            good_eye_distance_px: 36.0,
            most_outside: 0.15,
            most_yaw_degrees: 42.0,
            good_yaw_degrees: 20.0,
            most_pitch_degrees: 18.0,
            most_roll_degrees: 35.0,
            least_score: 0.7,
            good_score: 0.9,
            most_misfit: 0.08,
            least_sharpness: 0.02,
            good_sharpness: 0.06,
            least_brightness: 35.0,
            most_brightness: 225.0,
            least_contrast: 12.0,
            most_black: 0.4,
            most_white: 0.2,
            most_imbalance: 0.4,
            least_eye_texture: 0.6,
            least_mouth_texture: 0.4,
        }
    }
}

impl QualityLimits {
    /// What is wrong with a face as far as its placement says, in the order of [`Defect::ALL`].
    pub fn misplaced(&self, placement: &Placement) -> Vec<Defect> {
        let cut = placement.outside > self.most_outside;
        // A box almost as high as the frame cannot be moved into it.
        let large = placement.height > 0.9;
        let turned = placement.head.is_some_and(|HeadFit { pose, .. }| {
            pose.yaw_degrees.abs() > self.most_yaw_degrees
                || pose.pitch_degrees.abs() > self.most_pitch_degrees
                || pose.roll_degrees.abs() > self.most_roll_degrees
        });
        let unclear = placement.score < self.least_score
            || placement
                .head
                .is_none_or(|head| head.misfit > self.most_misfit);
        // A distance that is no number is refused too.
        let eyes = placement.eye_distance_px;
        let small = eyes.is_nan() || eyes < self.least_eye_distance_px;
        listed([
            (small, Defect::TooSmall),
            (cut && large, Defect::TooLarge),
            (cut && !large, Defect::OutsideFrame),
            (turned, Defect::Turned),
            (unclear, Defect::Unclear),
        ])
    }

    /// What is wrong with a face as far as its pixels say, in the order of [`Defect::ALL`].
    pub fn blemished(&self, appearance: &Appearance) -> Vec<Defect> {
        let dark = appearance.brightness < self.least_brightness
            || appearance.black > self.most_black
            || appearance.contrast < self.least_contrast;
        let bright =
            appearance.brightness > self.most_brightness || appearance.white > self.most_white;
        listed([
            (dark && !bright, Defect::TooDark),
            (bright, Defect::TooBright),
            (
                appearance.imbalance > self.most_imbalance,
                Defect::UnevenLight,
            ),
            (
                appearance.eye_texture < self.least_eye_texture,
                Defect::EyesCovered,
            ),
            (
                appearance.mouth_texture < self.least_mouth_texture,
                Defect::MouthCovered,
            ),
            (appearance.sharpness < self.least_sharpness, Defect::Blurred),
        ])
    }

    /// How much a face counts: 0 with a defect, else from 0.25 just within the limits to 1.
    ///
    /// The worst of size, yaw, score and sharpness decides: a sharp face does not make up for a small one.
    pub fn weight(&self, placement: &Placement, appearance: &Appearance) -> f32 {
        if !self.misplaced(placement).is_empty() || !self.blemished(appearance).is_empty() {
            return 0.0;
        }
        let (size, score) = (placement.eye_distance_px, placement.score);
        let yaw = placement
            .head
            .map_or(90.0, |head| head.pose.yaw_degrees.abs());
        let worst = [
            ramp(size, self.least_eye_distance_px, self.good_eye_distance_px),
            ramp(yaw, self.most_yaw_degrees, self.good_yaw_degrees),
            ramp(score, self.least_score, self.good_score),
            ramp(
                appearance.sharpness,
                self.least_sharpness,
                self.good_sharpness,
            ),
        ]
        .into_iter()
        .fold(1.0, f32::min);
        LEAST_WEIGHT + (1.0 - LEAST_WEIGHT) * worst
    }

    /// Says which limit makes no sense, by its name: each has its range, and none may lie beyond its `good_` value.
    ///
    /// # Errors
    /// The first such limit, as "least_score = 2, which is not from 0 to 1".
    pub fn check(&self) -> Result<(), String> {
        let ranges = [
            ("least_eye_distance_px", self.least_eye_distance_px, 1000.0),
            ("good_eye_distance_px", self.good_eye_distance_px, 1000.0),
            ("most_outside", self.most_outside, 1.0),
            ("most_yaw_degrees", self.most_yaw_degrees, 90.0),
            (
                "good_yaw_degrees",
                self.good_yaw_degrees,
                self.most_yaw_degrees,
            ),
            ("most_pitch_degrees", self.most_pitch_degrees, 90.0),
            ("most_roll_degrees", self.most_roll_degrees, 180.0),
            ("good_score", self.good_score, 1.0),
            ("least_score", self.least_score, self.good_score),
            ("most_misfit", self.most_misfit, 10.0),
            ("good_sharpness", self.good_sharpness, 20.0),
            ("least_sharpness", self.least_sharpness, self.good_sharpness),
            ("most_brightness", self.most_brightness, 255.0),
            (
                "least_brightness",
                self.least_brightness,
                self.most_brightness,
            ),
            ("least_contrast", self.least_contrast, 127.0),
            ("most_black", self.most_black, 1.0),
            ("most_white", self.most_white, 1.0),
            ("most_imbalance", self.most_imbalance, 1.0),
            ("least_eye_texture", self.least_eye_texture, 10.0),
            ("least_mouth_texture", self.least_mouth_texture, 10.0),
        ];
        for (name, found, most) in ranges {
            if !(0.0..=most).contains(&found) {
                return Err(format!("{name} = {found}, which is not from 0 to {most}"));
            }
        }
        if self.good_eye_distance_px < self.least_eye_distance_px {
            return Err(format!(
                "good_eye_distance_px = {}, which is less than least_eye_distance_px = {}",
                self.good_eye_distance_px, self.least_eye_distance_px
            ));
        }
        Ok(())
    }
}

fn listed<const N: usize>(found: [(bool, Defect); N]) -> Vec<Defect> {
    found
        .into_iter()
        .filter_map(|(present, defect)| present.then_some(defect))
        .collect()
}

/// 0 at the limit, 1 at the good value and beyond; either may be the larger one.
fn ramp(value: f32, limit: f32, good: f32) -> f32 {
    if good == limit {
        return 1.0;
    }
    ((value - limit) / (good - limit)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
