//! What frames lead to: somebody who is recognized, and a capture until it is kept.

use shared::gallery::{Decision, Gallery, IdentityId};

use super::capture::{Capture, Likeness, Task};
use super::guided::{Glance, Guided, Progress};
use super::{Desk, Scene, State, Wanted, called, failed};
use crate::clock::Timestamp;

impl Desk {
    /// Begins a capture.
    pub(super) fn shoot(&self, now: Timestamp, task: Task) -> State {
        let least = self.enrollment.least_eye_distance_px;
        let guided = Guided::new(self.rules.guided, self.agreement, least, now);
        State::Capture(Box::new(Capture::new(task, guided)))
    }

    pub(super) fn recognize(
        &self,
        scene: &Scene<'_>,
        since: Timestamp,
        run: Option<(IdentityId, usize)>,
        glance: &Glance,
    ) -> State {
        let is_alone = |rival: f32| rival <= self.rules.guided.most_rival;
        let probe = glance
            .face
            .as_ref()
            .filter(|face| {
                (glance.faces <= 1 || is_alone(face.rival))
                    && face.hint.is_none()
                    && face.eye_distance_px >= self.enrollment.least_eye_distance_px
            })
            .and_then(|face| face.embedding.as_ref());
        // A frame that cannot be decided on neither counts nor breaks the row.
        let Some(probe) = probe else {
            return State::Recognize { since, run };
        };
        let decision = scene
            .gallery
            .decide(probe, &self.judgement.decides.threshold);
        let run = match (decision, run) {
            (Decision::Match { identity, .. }, Some((who, frames))) if who == identity => {
                Some((who, frames + 1))
            }
            (Decision::Match { identity, .. }, _) => Some((identity, 1)),
            (Decision::NoMatch { .. }, _) => None,
        };
        match run {
            Some((who, frames)) if frames >= self.rules.recognize_frames => {
                let name = called(scene.gallery, who);
                State::Confirm { who, name }
            }
            run => State::Recognize { since, run },
        }
    }

    pub(super) fn capture(
        &mut self,
        scene: &Scene<'_>,
        mut capture: Box<Capture>,
        glance: &Glance,
    ) -> State {
        let now = scene.now;
        let progress = match capture.guided.look(now, glance) {
            Ok(progress) => progress,
            Err(error) => {
                self.touched = now;
                return failed(error);
            }
        };
        match progress {
            Progress::Going => State::Capture(capture),
            Progress::Straight => {
                self.touched = now;
                let faces = capture.guided.straight();
                let likeness =
                    capture.compare(scene.gallery, &faces, &self.judgement, self.agreement);
                match likeness {
                    Ok(None) => State::Capture(capture),
                    Ok(Some(likeness)) => {
                        capture.guided.pause(now);
                        self.alike(scene.gallery, capture, likeness)
                    }
                    Err(error) => failed(error),
                }
            }
            Progress::Complete => {
                self.touched = now;
                self.finish(scene, capture)
            }
        }
    }

    /// Asks the operator whether it is the same person.
    fn alike(&self, gallery: &Gallery, capture: Box<Capture>, likeness: Likeness) -> State {
        State::Likeness {
            name: called(gallery, likeness.nearest.identity),
            chance: likeness.chance(&self.judgement, gallery.people()),
            capture,
            likeness,
        }
    }

    /// The capture is complete: a last look at whom it is like, then it is kept.
    pub(super) fn finish(&mut self, scene: &Scene<'_>, mut capture: Box<Capture>) -> State {
        let (gallery, agreement) = (scene.gallery, self.agreement);
        let chosen = capture
            .chosen(
                gallery,
                self.enrollment,
                agreement,
                self.rules.most_templates,
            )
            .and_then(|faces| {
                let likeness = capture.compare(gallery, &faces, &self.judgement, agreement)?;
                Ok((faces, likeness))
            });
        match chosen {
            Ok((faces, None)) => {
                let name = capture.task.name().to_owned();
                self.asked = Some(Wanted::Store {
                    kept: capture.kept(faces, scene.wall),
                    operator: self.recorded_operator(),
                    at: scene.wall,
                });
                State::Storing { name }
            }
            Ok((_, Some(likeness))) => {
                capture.guided.pause(scene.now);
                self.alike(gallery, capture, likeness)
            }
            Err(error) => failed(error),
        }
    }
}
