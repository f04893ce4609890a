//! `usher enroll`: one person's recording becomes a few templates in the gallery.

use std::path::PathBuf;

use clap::Args;
use shared::embedder::EmbedderError;
use shared::gallery::{Gallery, GalleryError};
use shared::pipeline::{Pipeline, PipelineError};

use super::{Eyes, ScreenTarget};
use crate::camera::{Camera, CameraSource, Captured};
use crate::clock::Timestamp;
use crate::enrollment::Enrollment;
use crate::event::{EventLog, Happening};
use crate::screen::png::PngScreen;
use crate::screen::{Preview, Screen, View};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher enroll \"Ada Lovelace\" --camera replay:recordings/ada --gallery people.gallery \\
    --model models/usher-small.toml

The recording shows this person and nobody else. The gallery is made when it is missing, and stays as it was when
anything goes wrong.")]
pub(super) struct Enroll {
    /// The person's name, as the screen will say it
    name: String,
    #[command(flatten)]
    eyes: Eyes,
    /// Whom to greet; made when missing
    #[arg(long, value_name = "FILE")]
    gallery: PathBuf,
    /// Which of the model's thresholds tells whether the frames show one person: a laxer one than that which greets
    #[arg(long, value_name = "NAME", default_value = "verify")]
    agreement_point: String,
    /// Draw the enrollment too: png:DIR, one file for each template and one for the end
    #[arg(long, value_name = "TARGET")]
    screen: Option<ScreenTarget>,
    /// Add the event to the end of this file
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
}

/// The enrollment's screen, when one is wanted.
struct Output {
    screen: Screen,
    files: Option<PngScreen>,
    shown: Option<usize>,
}

impl Enroll {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let config = self.eyes.config()?;
        let mut pipeline = self.eyes.pipeline()?;
        let manifest = pipeline.embedder().manifest();
        let threshold = manifest
            .operating_point(&self.eyes.operating_point)?
            .threshold;
        let agreement = manifest.operating_point(&self.agreement_point)?.threshold;
        let mut gallery = self.read_gallery(&pipeline)?;
        let mut events = self
            .events
            .as_deref()
            .map(|path| EventLog::open(Some(path)))
            .transpose()?;
        let mut output = Output {
            screen: self.eyes.screen()?,
            files: self
                .screen
                .as_ref()
                .map(|target| PngScreen::open(&target.0))
                .transpose()?,
            shown: None,
        };
        let CameraSource::Replay(folder) = &self.eyes.camera;
        let mut enrollment = Enrollment::new(config.enrollment, folder.display().to_string());
        let mut camera = self.eyes.camera.open(self.eyes.fps)?;
        let last = self.watch(camera.as_mut(), &mut pipeline, &mut enrollment, &mut output)?;
        let frames = enrollment.frames();
        let templates = enrollment.finish(agreement)?;

        let nearest = templates
            .iter()
            .filter_map(|template| gallery.nearest(template))
            .min_by_key(|nearest| nearest.distance);
        let alike = nearest.filter(|nearest| threshold.accepts(nearest.distance));
        let alike = alike.and_then(|nearest| {
            gallery
                .identity(nearest.identity)
                .map(|known| (known.name().to_owned(), known.id(), nearest.distance))
        });
        let kept = templates.len();
        let identity = gallery.enroll(&self.name, templates)?;
        let (id, name) = (identity.id(), identity.name().to_owned());
        gallery.write(&self.gallery)?;

        println!(
            "enrolled {name} as number {id}: {kept} templates from {frames} frames, in {}",
            self.gallery.display()
        );
        if let Some((other, other_id, distance)) = alike {
            eprintln!(
                "warning: {name} looks like {other} (number {other_id}), distance {:.2}, at most {:.2} is a match; \
                 one of them may be greeted by the other's name",
                distance.value(),
                threshold.value()
            );
        }
        println!(
            "next: usher run --gallery {} --model {} --camera replay:DIR --screen png:DIR",
            self.gallery.display(),
            self.eyes.model.display()
        );
        let at = last.as_ref().map_or(Timestamp::default(), |last| last.at);
        if let Some(events) = &mut events {
            events.write(
                at,
                Happening::Enrolled {
                    identity: id.to_string(),
                    name: &name,
                    templates: kept,
                    frames,
                },
            )?;
        }
        if let Some(last) = &last {
            output.end(last, &name)?;
        }
        Ok(())
    }

    /// Looks at all frames; returns the last.
    fn watch(
        &self,
        camera: &mut dyn Camera,
        pipeline: &mut Pipeline,
        enrollment: &mut Enrollment,
        output: &mut Output,
    ) -> anyhow::Result<Option<Captured>> {
        let mut last = None;
        while let Some(captured) = camera.next_frame()? {
            let detections = pipeline.detect(&captured.frame)?;
            if let Some(face) = enrollment.look(&detections, &captured.origin)? {
                let preview = Preview::of(&captured.frame, Some(face.bounds));
                // Landmarks that are no face's make a useless frame, not a failed enrollment.
                let embedded = pipeline
                    .align(&captured.frame, face)
                    .and_then(|aligned| pipeline.embed(&aligned));
                match embedded {
                    Ok(probe) => enrollment.add(&captured.origin, probe),
                    Err(
                        PipelineError::Align(_)
                        | PipelineError::Embedder(EmbedderError::Embedding(_)),
                    ) => {
                        tracing::debug!(frame = captured.number, "not a usable face")
                    }
                    Err(error) => return Err(error.into()),
                }
                output.progress(
                    &preview,
                    captured.number,
                    self.name.trim(),
                    enrollment.progress(),
                )?;
            }
            last = Some(captured);
        }
        Ok(last)
    }

    fn read_gallery(&self, pipeline: &Pipeline) -> anyhow::Result<Gallery> {
        let manifest = pipeline.embedder().manifest();
        match Gallery::read(&self.gallery, &manifest.model_id()) {
            Err(GalleryError::Missing { .. }) => {
                Ok(Gallery::new(manifest.model_id(), manifest.dimension))
            }
            result => Ok(result?),
        }
    }
}

impl Output {
    fn progress(
        &mut self,
        preview: &Preview<'_>,
        frame: u64,
        name: &str,
        (done, wanted): (usize, usize),
    ) -> anyhow::Result<()> {
        if self.shown == Some(done) {
            return Ok(());
        }
        self.shown = Some(done);
        self.show(
            &View::Enrolling {
                preview: *preview,
                name,
                done,
                wanted,
            },
            frame,
        )
    }

    fn end(&self, last: &Captured, name: &str) -> anyhow::Result<()> {
        let preview = Preview::of(&last.frame, None);
        self.show(&View::Enrolled { preview, name }, last.number + 1)
    }

    fn show(&self, view: &View<'_>, frame: u64) -> anyhow::Result<()> {
        if let Some(files) = &self.files {
            files.show(&self.screen.draw(view), frame, view.name())?;
        }
        Ok(())
    }
}
