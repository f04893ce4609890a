//! The settings of recognition: which faces are compared, how often, and what makes a comparison a match.

use serde::{Deserialize, Serialize};
use shared::quality::{Defect, QualityLimits};

use crate::session::Hint;
use crate::tracking::SubjectRules;

/// Section `[recognition]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecognitionRules {
    /// Share of strangers that may be taken for anybody in the gallery, 0 to 1, for each comparison.
    pub fpir: f64,
    /// The model's operating point that decides, by name, in place of one chosen by `fpir`.
    pub operating_point: Option<String>,
    /// How much farther (squared L2, 0 to 4) the next person must be than the closest one.
    pub least_gap: f32,
    /// How far (squared L2, 0 to 4) beyond the threshold a distance is still no clear refusal.
    pub unsure_margin: f32,
    /// Least weight (0 to 1, see [`QualityLimits::weight`]) of a face that can match.
    pub least_weight: f32,
    /// How far (squared L2, 0 to 4) the next probe of a face is from the one before when it is another person's face
    /// in the same place: all evidence is forgotten at once.
    pub replaced_beyond: f32,
    /// Frames that are looked at in a second at most, 1 to 60; blinks need 15.
    pub most_frames_per_second: f64,
    /// Age in milliseconds beyond which a frame is not decided on.
    pub oldest_frame_ms: u64,
    /// How long in milliseconds a better face is waited for before the best one so far is compared.
    pub window_ms: u64,
    /// Weight (0 to 1) from which a face is compared without waiting for a better one.
    pub good_weight: f32,
    /// Milliseconds from one comparison to the next of a person who is decided on, or waits.
    pub recheck_ms: u64,
    /// Which faces can be compared, and how much they count.
    pub quality: QualityLimits,
    /// Whose turn it is.
    pub subject: SubjectRules,
}

impl Default for RecognitionRules {
    /// One stranger in a hundred. In galleries of a hundred of LFW's people `usher-small`'s point "verify" names 892
    /// probes; a gap below 0.02 has 6 % of the right names and 21 % of the wrong ones, one below 0.05 has 18 % and 43 %
    /// (`cargo test -p usher-shared --test face_quality gaps -- --ignored --nocapture`). Half a second from check to
    /// check, so that somebody greeted costs a fifth of the comparisons and a stranger in their place is seen in time.
    /// Probes of one face half a second apart are closer than 1.0, those of two people mostly farther.
    fn default() -> Self {
        Self {
            fpir: 0.01,
            operating_point: None,
            least_gap: 0.02,
            unsure_margin: 0.05,
            least_weight: 0.3,
            replaced_beyond: 1.0,
            most_frames_per_second: 10.0,
            oldest_frame_ms: 500,
            window_ms: 200,
            good_weight: 0.8,
            recheck_ms: 500,
            quality: QualityLimits::default(),
            subject: SubjectRules::default(),
        }
    }
}

impl RecognitionRules {
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(self.fpir > 0.0 && self.fpir < 1.0) {
            return Err(format!(
                "recognition.fpir = {}, which is not between 0 and 1",
                self.fpir
            ));
        }
        if !(1.0..=60.0).contains(&self.most_frames_per_second) {
            return Err(format!(
                "recognition.most_frames_per_second = {}, which is not from 1 to 60",
                self.most_frames_per_second
            ));
        }
        for (name, found, most) in [
            ("least_gap", self.least_gap, 4.0),
            ("unsure_margin", self.unsure_margin, 4.0),
            ("replaced_beyond", self.replaced_beyond, 4.0),
            ("least_weight", self.least_weight, 1.0),
            ("good_weight", self.good_weight, 1.0),
        ] {
            if !(0.0..=most).contains(&found) {
                return Err(format!(
                    "recognition.{name} = {found}, which is not from 0 to {most}"
                ));
            }
        }
        for (name, found, least) in [
            ("oldest_frame_ms", self.oldest_frame_ms, 50),
            ("window_ms", self.window_ms, 0),
            ("recheck_ms", self.recheck_ms, 0),
        ] {
            if !(least..=10_000).contains(&found) {
                return Err(format!(
                    "recognition.{name} = {found}, which is not from {least} to 10000"
                ));
            }
        }
        let quality = self.quality.check();
        quality.map_err(|wrong| format!("recognition.quality.{wrong}"))?;
        self.subject.check()
    }
}

/// What the person can do about what is wrong with a face: of several things the first.
pub fn hint_for(defects: &[Defect]) -> Option<Hint> {
    defects.iter().min().map(|defect| match defect {
        Defect::TooSmall => Hint::ComeCloser,
        Defect::TooLarge => Hint::StepBack,
        Defect::OutsideFrame => Hint::MoveToCenter,
        Defect::Turned | Defect::Unclear => Hint::LookHere,
        Defect::TooDark | Defect::UnevenLight => Hint::MoreLight,
        Defect::TooBright => Hint::LessLight,
        Defect::EyesCovered | Defect::MouthCovered => Hint::UncoverFace,
        Defect::Blurred => Hint::HoldStill,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_to_mend_is_said() {
        assert_eq!(hint_for(&[]), None);
        assert_eq!(
            hint_for(&[Defect::Blurred, Defect::TooSmall]),
            Some(Hint::ComeCloser)
        );
        for defect in Defect::ALL {
            assert!(hint_for(&[defect]).is_some());
        }
    }

    #[test]
    fn rules_that_make_no_sense_are_named() {
        type Change = fn(&mut RecognitionRules);
        let table: [(Change, &str); 7] = [
            (|rules| rules.fpir = 0.0, "recognition.fpir = 0, "),
            (|rules| rules.fpir = f64::NAN, "recognition.fpir = NaN"),
            (
                |rules| rules.least_gap = -0.1,
                "recognition.least_gap = -0.1, which is not from 0 to 4",
            ),
            (|rules| rules.good_weight = 2.0, "recognition.good_weight"),
            (
                |rules| rules.oldest_frame_ms = 10,
                "recognition.oldest_frame_ms = 10, which is not from 50 to 10000",
            ),
            (
                |rules| rules.quality.least_score = 2.0,
                "recognition.quality.least_score = 2",
            ),
            (
                |rules| rules.subject.larger = 0.0,
                "recognition.subject.larger = 0",
            ),
        ];
        assert_eq!(RecognitionRules::default().check(), Ok(()));
        for (change, named) in table {
            let mut rules = RecognitionRules::default();
            change(&mut rules);
            let message = rules.check().unwrap_err();
            assert!(message.starts_with(named), "{message}");
        }
    }
}
