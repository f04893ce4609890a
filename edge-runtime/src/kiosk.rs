//! The kiosk's loop body: a frame goes in, the state and what happened come out.

use std::time::Duration;

use shared::align::AlignedFace;
use shared::detector::Detection;
use shared::embedder::EmbedderError;
use shared::embedding::Embedding;
use shared::frame::Frame;
use shared::gallery::Gallery;
use shared::gallery::consent::WallTime;
use shared::manifest::ManifestError;
use shared::operating_point::Threshold;
use shared::pipeline::{Pipeline, PipelineError};

use crate::attention::{Attention, Noticed, Senses};
use crate::camera::Captured;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::decision::{DecisionPoint, Outcome, decide};
use crate::framing::Framing;
use crate::latency::{Latencies, Stage};
use crate::liveness::{Liveness, Prompt};
use crate::recognition::RecognitionRules;
use crate::session::{Event, Session, State};
use crate::showing::{Aim, Showing};
use crate::tracking::Tracker;

pub use crate::attention::Look;

/// Everything between camera and screen.
pub struct Kiosk {
    pipeline: Pipeline,
    gallery: Gallery,
    asked: Option<String>,
    decides: DecisionPoint,
    rules: RecognitionRules,
    attention: Attention,
    framing: Framing,
    latencies: Latencies,
    now: Timestamp,
    last_frame: Timestamp,
}

/// What a frame led to.
#[derive(Debug)]
pub struct Step {
    /// What happened.
    pub events: Vec<Event>,
    /// Where the face is that was looked at.
    pub aim: Aim,
    /// All faces in the frame, best score first.
    pub detections: Vec<Detection>,
    /// Whether a face was compared with the gallery.
    pub compared: bool,
}

impl Kiosk {
    /// A kiosk that knows the people of `gallery`, whose templates are of the pipeline's model.
    ///
    /// `asked` is the operating point that was asked for by name; it goes before the one in `config`, which goes before
    /// the gallery's own, which goes before the one chosen by the wished rate ([`DecisionPoint::choose`]).
    ///
    /// # Errors
    /// [`ManifestError::NoOperatingPoint`] when the model has no such point.
    pub fn new(
        pipeline: Pipeline,
        gallery: Gallery,
        asked: Option<&str>,
        config: &Config,
    ) -> Result<Self, ManifestError> {
        let rules = config.recognition.clone();
        let asked = asked
            .map(str::to_owned)
            .or_else(|| rules.operating_point.clone());
        let decides = DecisionPoint::choose(
            pipeline.embedder().manifest(),
            asked.as_deref(),
            &gallery,
            rules.fpir,
        )?;
        let tracker = Tracker::new(config.session.presence, rules.subject);
        let session = Session::new(config.session, decides.threshold(), decides.one_in());
        Ok(Self {
            attention: Attention::new(rules.clone(), tracker, session),
            pipeline,
            gallery,
            asked,
            decides,
            rules,
            framing: Framing::default(),
            latencies: Latencies::default(),
            now: Timestamp::default(),
            last_frame: Timestamp::default(),
        })
    }

    /// Looks at one frame: detect, follow, align, embed, match, and the session's next state.
    ///
    /// `is_fresh` is asked once the face is embedded: a comparison that came too late counts for nothing. `liveness` is
    /// asked once for each frame that shows the person whose turn it is. A face that cannot be decided on
    /// is a value, not an error. A frame from before the latest one is not looked at; whether one is too old is for the
    /// caller to ask by [`Kiosk::is_decidable`].
    ///
    /// # Errors
    /// [`PipelineError`] when a network fails.
    pub fn step(
        &mut self,
        captured: &Captured,
        is_fresh: &dyn Fn() -> bool,
        liveness: &mut dyn FnMut(&Look<'_>) -> Liveness,
    ) -> Result<Step, PipelineError> {
        if captured.at < self.last_frame {
            return Ok(self.idle_step(self.now));
        }
        self.last_frame = captured.at;
        // Time may have gone on without a frame while this one was on its way.
        self.now = self.now.max(captured.at);
        let frame = &captured.frame;
        let (pipeline, latencies) = (&mut self.pipeline, &mut self.latencies);
        let detections = latencies.measure(Stage::Detect, || pipeline.detect(frame))?;
        tracing::trace!(faces = detections.len(), "detected");
        let mut senses = Sight {
            frame,
            pipeline,
            gallery: &self.gallery,
            threshold: self.decides.threshold(),
            rules: &self.rules,
            latencies,
            is_fresh,
            liveness,
        };
        let noticed = self
            .attention
            .look(self.now, frame, &detections, &mut senses)?;
        Ok(self.framed(noticed, detections))
    }

    /// Lets time pass without a frame that could be decided on, so that greetings end and evidence ages while the camera
    /// stalls.
    pub fn idle_step(&mut self, now: Timestamp) -> Step {
        self.now = self.now.max(now);
        let noticed = self.attention.idle(self.now);
        self.framed(noticed, Vec::new())
    }

    /// Whether a frame is fresh enough at `now` to be decided on.
    pub fn is_decidable(&self, captured: &Captured, now: Timestamp) -> bool {
        now.since(captured.at) <= Duration::from_millis(self.rules.oldest_frame_ms)
    }

    /// The state after the last step.
    pub fn state(&self) -> &State {
        self.attention.session().state()
    }

    /// The people it knows.
    pub fn gallery(&self) -> &Gallery {
        &self.gallery
    }

    /// Another gallery of the same model, after somebody was enrolled or removed. What decides is chosen anew for its
    /// size, and all evidence is forgotten.
    ///
    /// # Errors
    /// [`ManifestError::NoOperatingPoint`] as in [`Kiosk::new`]; the gallery is then the old one.
    pub fn replace_gallery(&mut self, gallery: Gallery) -> Result<(), ManifestError> {
        let manifest = self.pipeline.embedder().manifest();
        let asked = self.asked.as_deref();
        self.decides = DecisionPoint::choose(manifest, asked, &gallery, self.rules.fpir)?;
        self.gallery = gallery;
        let (threshold, one_in) = (self.decides.threshold(), self.decides.one_in());
        self.attention.session_mut().decide_by(threshold, one_in);
        Ok(())
    }

    /// From now on nobody is matched whose consent has run out at `now`; returns how many there are.
    pub fn suspend_expired(&mut self, now: WallTime) -> usize {
        self.gallery.suspend_expired(now)
    }

    /// The operating point that decides, and how it was chosen.
    pub fn decides(&self) -> &DecisionPoint {
        &self.decides
    }

    /// The most that is a match.
    pub fn threshold(&self) -> Threshold {
        self.decides.threshold()
    }

    /// Detector and embedder, for an enrollment between two steps.
    pub fn pipeline(&mut self) -> &mut Pipeline {
        &mut self.pipeline
    }

    /// How long the stages took; drawing is added by whoever draws.
    pub fn latencies(&mut self) -> &mut Latencies {
        &mut self.latencies
    }

    /// What the screen shows after the last step.
    pub fn showing(&self) -> Showing {
        let progress = self.attention.session().progress();
        match self.state() {
            State::Idle => Showing::Idle,
            State::Looking { hint } => Showing::Looking {
                hint: *hint,
                progress,
            },
            State::NotSure { .. } => Showing::NotSure,
            State::Checking {
                prompt: Prompt::Flash(color),
            } => Showing::Flash(*color),
            State::Checking { prompt } => Showing::Check {
                prompt: *prompt,
                progress,
            },
            State::Greeting { identity, .. } => match self.gallery.identity(*identity) {
                Some(known) => Showing::Greeting {
                    name: known.name().to_owned(),
                    one_in: self.decides.one_in().map(|one_in| one_in as u64),
                },
                None => Showing::Unknown,
            },
            State::Unknown { .. } => Showing::Unknown,
        }
    }

    fn framed(&mut self, noticed: Noticed, detections: Vec<Detection>) -> Step {
        let Noticed {
            events,
            face,
            continuity,
            compared,
        } = noticed;
        Step {
            events,
            aim: Aim {
                face,
                focus: self.framing.follow(face, continuity),
            },
            detections,
            compared,
        }
    }
}

/// The networks at work on one frame.
struct Sight<'a> {
    frame: &'a Frame,
    pipeline: &'a mut Pipeline,
    gallery: &'a Gallery,
    threshold: Threshold,
    rules: &'a RecognitionRules,
    latencies: &'a mut Latencies,
    is_fresh: &'a dyn Fn() -> bool,
    liveness: &'a mut dyn FnMut(&Look<'_>) -> Liveness,
}

impl Senses for Sight<'_> {
    type Error = PipelineError;

    fn align(&mut self, face: &Detection) -> Result<Option<AlignedFace>, PipelineError> {
        let (pipeline, frame) = (&self.pipeline, self.frame);
        let aligned = self
            .latencies
            .measure(Stage::Align, || pipeline.align(frame, face));
        match aligned {
            Ok(face) => Ok(Some(face)),
            Err(PipelineError::Align(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn compare(
        &mut self,
        face: &AlignedFace,
        weight: f32,
    ) -> Result<Option<(Embedding, Outcome)>, PipelineError> {
        let pipeline = &mut self.pipeline;
        let embedded = self
            .latencies
            .measure(Stage::Embed, || pipeline.embed(face));
        let probe = match embedded {
            Ok(probe) => probe,
            Err(PipelineError::Embedder(EmbedderError::Embedding(_))) => return Ok(None),
            Err(error) => return Err(error),
        };
        if !(self.is_fresh)() {
            return Ok(None);
        }
        let (gallery, threshold, rules) = (self.gallery, self.threshold, self.rules);
        let outcome = self.latencies.measure(Stage::Match, || {
            decide(gallery, threshold, rules, &probe, weight)
        });
        Ok(Some((probe, outcome)))
    }

    fn liveness(&mut self, look: &Look<'_>) -> Liveness {
        (self.liveness)(look)
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
    use shared::geometry::{Point, Rect};
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
