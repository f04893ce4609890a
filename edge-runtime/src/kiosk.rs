//! The kiosk's loop body: a frame goes in, the state and what happened come out.

use shared::detector::Detection;
use shared::embedder::EmbedderError;
use shared::frame::Frame;
use shared::gallery::Gallery;
use shared::gallery::consent::WallTime;
use shared::geometry::Rect;
use shared::operating_point::Threshold;
use shared::pipeline::{Pipeline, PipelineError};

use crate::camera::Captured;
use crate::config::Config;
use crate::framing::Framing;
use crate::latency::{Latencies, Stage};
use crate::screen::{Preview, View};
use crate::session::{Event, Hint, Session, Sighting, State};

/// Everything between camera and screen.
pub struct Kiosk {
    pipeline: Pipeline,
    gallery: Gallery,
    threshold: Threshold,
    least_eye_distance_px: f32,
    session: Session,
    framing: Framing,
    latencies: Latencies,
}

/// What a frame led to.
#[derive(Debug)]
pub struct Step {
    /// What happened.
    pub events: Vec<Event>,
    /// The face that was looked at, in frame pixels.
    pub face: Option<Rect>,
    /// What the preview looks at, in frame pixels.
    pub focus: Option<Rect>,
}

impl Kiosk {
    /// A kiosk that knows the people of `gallery`, whose templates are of the pipeline's model.
    pub fn new(
        pipeline: Pipeline,
        gallery: Gallery,
        threshold: Threshold,
        config: &Config,
    ) -> Self {
        Self {
            pipeline,
            gallery,
            threshold,
            least_eye_distance_px: config.least_eye_distance_px,
            session: Session::new(config.session),
            framing: Framing::default(),
            latencies: Latencies::default(),
        }
    }

    /// Looks at one frame: detect, align, embed, match, and the session's next state.
    ///
    /// Of several faces only the largest is decided on. A face that cannot be decided on is a value, not an error.
    ///
    /// # Errors
    /// [`PipelineError`] when a network fails.
    pub fn step(&mut self, captured: &Captured) -> Result<Step, PipelineError> {
        let sighting = self.sight(&captured.frame)?;
        let face = match &sighting {
            Sighting::Nobody => None,
            Sighting::Unusable { bounds, .. } | Sighting::Face { bounds, .. } => Some(*bounds),
        };
        let events = self.session.step(captured.at, &sighting);
        let focus = self.framing.follow(face, self.session.continuity());
        Ok(Step {
            events,
            face,
            focus,
        })
    }

    /// The state after the last step.
    pub fn state(&self) -> &State {
        self.session.state()
    }

    /// The people it knows.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// From now on nobody is matched whose consent has run out at `now`; returns how many there are.
    pub fn suspend_expired(&mut self, now: WallTime) -> usize {
        self.gallery.suspend_expired(now)
    }

    /// The most that is a match.
    pub fn threshold(&self) -> Threshold {
        self.threshold
    }

    /// How long the stages took; drawing is added by whoever draws.
    pub fn latencies(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    /// What the screen shows of the last step.
    pub fn view<'a>(&'a self, frame: &'a Frame, step: &Step) -> View<'a> {
        let preview = Preview {
            frame,
            face: step.face,
            focus: step.focus,
        };
        match self.session.state() {
            State::Idle => View::Idle,
            State::Looking { hint } => View::Looking {
                preview,
                hint: *hint,
                progress: self.session.progress(),
            },
            State::Greeting { identity, .. } => match self.gallery.identity(*identity) {
                Some(known) => View::Greeting {
                    preview,
                    name: known.name(),
                    one_in: None,
                },
                None => View::Unknown { preview },
            },
            State::Unknown { .. } => View::Unknown { preview },
        }
    }

    fn sight(&mut self, frame: &Frame) -> Result<Sighting, PipelineError> {
        let Self {
            pipeline,
            latencies,
            ..
        } = self;
        let detections = latencies.measure(Stage::Detect, || pipeline.detect(frame))?;
        tracing::trace!(faces = detections.len(), "detected");
        let Some(largest) = largest(&detections) else {
            return Ok(Sighting::Nobody);
        };
        let bounds = largest.bounds;
        if largest.landmarks.eye_distance_px() < self.least_eye_distance_px {
            return Ok(Sighting::Unusable {
                bounds,
                hint: Hint::ComeCloser,
            });
        }
        let embedded = latencies
            .measure(Stage::Align, || pipeline.align(frame, largest))
            .and_then(|face| latencies.measure(Stage::Embed, || pipeline.embed(&face)));
        let probe = match embedded {
            Ok(probe) => probe,
            Err(PipelineError::Align(_) | PipelineError::Embedder(EmbedderError::Embedding(_))) => {
                return Ok(Sighting::Unusable {
                    bounds,
                    hint: Hint::HoldStill,
                });
            }
            Err(error) => return Err(error),
        };
        let (gallery, threshold) = (&self.gallery, &self.threshold);
        let decision = latencies.measure(Stage::Match, || gallery.decide(&probe, threshold));
        Ok(Sighting::Face { bounds, decision })
    }
}

/// The face with the largest box: whose owner stands nearest.
pub fn largest(detections: &[Detection]) -> Option<&Detection> {
    detections
        .iter()
        .max_by(|a, b| a.bounds.area().total_cmp(&b.bounds.area()))
}

#[cfg(test)]
mod tests {
    use shared::geometry::Point;
    use shared::landmarks::Landmarks;

    use super::*;

    fn face(side: f32, score: f32) -> Detection {
        let eye = |x| Point { x, y: 4.0 };
        let landmarks = Landmarks([eye(1.0), eye(4.0), eye(2.5), eye(1.0), eye(4.0)]);
        Detection {
            bounds: Rect {
                left: 0.0,
                top: 0.0,
                width: side,
                height: side,
            },
            score,
            landmarks,
        }
    }

    #[test]
    fn the_nearest_person_goes_first() {
        let faces = [face(50.0, 0.99), face(90.0, 0.7), face(20.0, 0.8)];
        assert_eq!(largest(&faces).map(|face| face.score), Some(0.7));
        assert_eq!(largest(&[]), None);
        assert_eq!(faces[0].landmarks.eye_distance_px(), 3.0);
    }
}
