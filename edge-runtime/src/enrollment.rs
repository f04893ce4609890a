//! Getting to know one person: frames in, a few templates that agree with each other out.

use serde::{Deserialize, Serialize};
use shared::detector::Detection;
use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::gallery::selection::{Selection, select};
use shared::operating_point::Threshold;

/// Of so many faces one may differ from the rest and is left out: a frame in which the person turned away.
pub const ONE_OUTLIER_IN: usize = 5;

/// What an enrollment needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EnrollmentRules {
    /// Templates kept of one person at most.
    pub most_templates: usize,
    /// Pixels between the eyes below which a frame is left out.
    pub least_eye_distance_px: f32,
}

impl Default for EnrollmentRules {
    /// Five templates; 32 px, because a template is compared for years and a probe for a moment.
    fn default() -> Self {
        Self {
            most_templates: 5,
            least_eye_distance_px: 32.0,
        }
    }
}

/// Why a person could not be enrolled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EnrollmentError {
    /// A frame shows more than one face.
    #[error(
        "expected one face in {origin}, found {count}; enroll with one person alone in front of the camera"
    )]
    SeveralFaces {
        /// The frame.
        origin: String,
        /// Faces in it.
        count: usize,
    },
    /// No frame shows a face.
    #[error(
        "expected a face in {origin}, found none in {frames} frames; come closer, face the camera and get more light"
    )]
    NoFace {
        /// The camera.
        origin: String,
        /// Frames looked at.
        frames: u64,
    },
    /// Faces were seen, all of them too small or unusable.
    #[error(
        "expected {expected_px} pixels between the eyes in {origin}, found {found_px} at most in {frames} frames; come closer or take larger pictures"
    )]
    TooSmall {
        /// The camera.
        origin: String,
        /// Frames looked at.
        frames: u64,
        /// Pixels wanted.
        expected_px: f32,
        /// The most found.
        found_px: f32,
    },
    /// The frames do not agree on one person.
    #[error(
        "expected one person in all frames, found {outliers} of {frames} that differ from the rest, {origin} most (distance {distance:.2}, at most {threshold:.2} is one person); enroll one person at a time with clear pictures"
    )]
    DifferentPeople {
        /// Frames that differ.
        outliers: usize,
        /// Frames with a usable face.
        frames: usize,
        /// The frame that differs most.
        origin: String,
        /// Its squared L2 to the median template.
        distance: f32,
        /// The most that counts as one person.
        threshold: f32,
    },
}

/// What an enrollment leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The templates: the median first, then those that differ most.
    pub templates: Vec<Embedding>,
    /// Faces that were too far from the others.
    pub left_out: usize,
}

/// An enrollment under way.
#[derive(Debug)]
pub struct Enrollment {
    rules: EnrollmentRules,
    camera: String,
    frames: u64,
    faces: u64,
    widest_px: f32,
    probes: Vec<(String, Embedding)>,
}

impl Enrollment {
    /// An enrollment from the camera called `camera`.
    pub fn new(rules: EnrollmentRules, camera: String) -> Self {
        Self {
            rules,
            camera,
            frames: 0,
            faces: 0,
            widest_px: 0.0,
            probes: Vec::new(),
        }
    }

    /// Takes what a frame shows and says which face to embed, `None` when the frame is of no use.
    ///
    /// # Errors
    /// [`EnrollmentError::SeveralFaces`] when it shows more than one.
    pub fn look<'a>(
        &mut self,
        detections: &'a [Detection],
        origin: &str,
    ) -> Result<Option<&'a Detection>, EnrollmentError> {
        self.frames += 1;
        match detections {
            [] => Ok(None),
            [face] => {
                self.faces += 1;
                let eyes = face.landmarks.eye_distance_px();
                self.widest_px = self.widest_px.max(eyes);
                Ok((eyes >= self.rules.least_eye_distance_px).then_some(face))
            }
            several => Err(EnrollmentError::SeveralFaces {
                origin: origin.to_owned(),
                count: several.len(),
            }),
        }
    }

    /// Adds the embedding of the face that [`Enrollment::look`] chose in the frame called `origin`.
    pub fn add(&mut self, origin: &str, probe: Embedding) {
        self.probes.push((origin.to_owned(), probe));
    }

    /// Frames looked at.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Templates there would be if the enrollment ended now, and the most there can be.
    pub fn progress(&self) -> (usize, usize) {
        (
            self.probes.len().min(self.rules.most_templates),
            self.rules.most_templates,
        )
    }

    /// Chooses the templates, as [`select`] does; a face that is too far from the others is left out.
    ///
    /// # Errors
    /// [`EnrollmentError`] when there is no usable face, or more than one in [`ONE_OUTLIER_IN`] is left out: the
    /// frames show different people.
    pub fn finish(self, threshold: Threshold) -> Result<Chosen, EnrollmentError> {
        let faces: Vec<_> = self.probes.iter().map(|(_, face)| face.clone()).collect();
        let Selection { kept, outliers } = select(&faces, self.rules.most_templates, threshold);
        let Some(&median) = kept.first() else {
            return Err(self.nothing());
        };
        let from_median = |place: &&usize| SquaredL2::between(&faces[median], &faces[**place]);
        if let Some(&worst) = outliers.iter().max_by_key(from_median)
            && outliers.len() * ONE_OUTLIER_IN > faces.len()
        {
            return Err(EnrollmentError::DifferentPeople {
                outliers: outliers.len(),
                frames: faces.len(),
                origin: self.probes[worst].0.clone(),
                distance: from_median(&&worst).value(),
                threshold: threshold.value(),
            });
        }
        Ok(Chosen {
            templates: kept.iter().map(|&place| faces[place].clone()).collect(),
            left_out: outliers.len(),
        })
    }

    fn nothing(self) -> EnrollmentError {
        if self.faces == 0 {
            return EnrollmentError::NoFace {
                origin: self.camera,
                frames: self.frames,
            };
        }
        EnrollmentError::TooSmall {
            origin: self.camera,
            frames: self.frames,
            expected_px: self.rules.least_eye_distance_px,
            found_px: self.widest_px.round(),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::geometry::{Point, Rect};
    use shared::landmarks::Landmarks;

    use super::*;

    fn face(eyes: f32) -> Detection {
        let point = |x, y| Point { x, y };
        let landmarks = Landmarks([
            point(0.0, 0.0),
            point(eyes, 0.0),
            point(eyes / 2.0, 10.0),
            point(0.0, 20.0),
            point(eyes, 20.0),
        ]);
        Detection {
            bounds: Rect {
                left: 0.0,
                top: 0.0,
                width: 100.0,
                height: 100.0,
            },
            score: 0.9,
            landmarks,
        }
    }

    /// Probes on the unit circle, at these angles in degrees.
    fn enrollment(angles: &[f32]) -> Enrollment {
        let mut enrollment = Enrollment::new(EnrollmentRules::default(), "a recording".to_owned());
        for angle in angles {
            let radians = angle.to_radians();
            enrollment.add(
                &format!("{angle}.jpg"),
                Embedding::from_raw(vec![radians.cos(), radians.sin()]).unwrap(),
            );
        }
        enrollment
    }

    fn angles(templates: &[Embedding]) -> Vec<i32> {
        templates
            .iter()
            .map(|template| {
                template.values()[1]
                    .atan2(template.values()[0])
                    .to_degrees()
                    .round() as i32
            })
            .collect()
    }

    #[test]
    fn the_median_and_the_most_different_are_kept() {
        let threshold = Threshold::new(0.5).unwrap();
        let chosen = enrollment(&[0.0, 1.0, 2.0, 3.0, 20.0, -20.0, 10.0, 11.0])
            .finish(threshold)
            .unwrap();
        assert_eq!(
            angles(&chosen.templates),
            [3, -20, 20, 11, 0],
            "median first, then farthest first"
        );
        assert_eq!(
            enrollment(&[5.0])
                .finish(threshold)
                .unwrap()
                .templates
                .len(),
            1,
            "one picture is enough"
        );
    }

    #[test]
    fn one_bad_frame_in_five_is_left_out() {
        let chosen = enrollment(&[0.0, 1.0, 2.0, 3.0, 90.0])
            .finish(Threshold::new(0.5).unwrap())
            .unwrap();
        assert_eq!(chosen.left_out, 1);
        assert!(!angles(&chosen.templates).contains(&90));
    }

    #[test]
    fn two_people_are_told_apart() {
        let error = enrollment(&[0.0, 1.0, 2.0, 90.0])
            .finish(Threshold::new(0.5).unwrap())
            .unwrap_err();
        let EnrollmentError::DifferentPeople {
            outliers,
            frames,
            origin,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((*outliers, *frames, origin.as_str()), (1, 4, "90.jpg"));
    }

    #[test]
    fn frames_of_no_use() {
        let threshold = Threshold::new(1.0).unwrap();
        let mut nobody = enrollment(&[]);
        assert_eq!(nobody.look(&[], "1.jpg"), Ok(None));
        assert!(matches!(
            nobody.finish(threshold),
            Err(EnrollmentError::NoFace { frames: 1, .. })
        ));
        let mut far = enrollment(&[]);
        assert_eq!(far.look(&[face(20.0)], "1.jpg"), Ok(None));
        assert!(matches!(
            far.finish(threshold),
            Err(EnrollmentError::TooSmall { found_px: 20.0, .. })
        ));
        let mut couple = enrollment(&[]);
        let error = couple.look(&[face(50.0), face(40.0)], "1.jpg").unwrap_err();
        assert_eq!(
            error,
            EnrollmentError::SeveralFaces {
                origin: "1.jpg".to_owned(),
                count: 2
            }
        );
        assert!(
            enrollment(&[])
                .look(&[face(50.0)], "1.jpg")
                .unwrap()
                .is_some()
        );
    }
}
