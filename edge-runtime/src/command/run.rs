//! `usher run`: the kiosk at work.

use std::io::ErrorKind;
use std::path::PathBuf;

use clap::Args;
use shared::gallery::options::{Asking, Keys};
use shared::gallery::store::Condition;
use shared::gallery::{Gallery, GalleryError, GalleryStore};
use shared::model_id::ModelId;

use super::sealing::{Held, now};
use super::{Eyes, ScreenTarget};
use crate::camera::Captured;
use crate::clock::Timestamp;
use crate::event::{EventLog, EventsConfig, Happening};
use crate::fault::Fault;
use crate::kiosk::{Kiosk, Step};
use crate::latency::Stage;
use crate::liveness::Liveness;
use crate::screen::png::PngScreen;
use crate::screen::{Chrome, Screen, View};
use crate::session::{Event, State};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher run --camera replay:recordings/visit --screen png:screens --gallery people.gallery \\
    --model models/usher-small.toml --events events.jsonl --size 1280x800

Events are JSON lines on standard output, or in the file that --events names. Each change of the screen becomes a
PNG file whose name begins with the number of its frame.")]
pub(super) struct Run {
    #[command(flatten)]
    eyes: Eyes,
    /// Where screens go: png:DIR, one file for each change
    #[arg(long, value_name = "TARGET")]
    screen: ScreenTarget,
    #[command(flatten)]
    held: Held,
    /// Add events to the end of this file instead of printing them
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Draw each Nth frame too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    every: Option<u64>,
}

/// What the kiosk shows and tells, and when it last did.
struct Output {
    screen: Screen,
    files: PngScreen,
    events: EventLog,
    now: Timestamp,
    frame: u64,
    pictures: u64,
}

impl Run {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let mut output = Output {
            screen: self.eyes.screen()?,
            files: PngScreen::open(&self.screen.0)?,
            events: EventLog::open(&EventsConfig::at(self.events.as_deref()), now())?,
            now: Timestamp::default(),
            frame: 0,
            pictures: 0,
        };
        let served = self.serve(&mut output);
        if let Err(error) = &served {
            let fault = Fault::of(error);
            output.show(&View::Fault {
                cause: &fault.cause,
                remedy: &fault.remedy,
            })?;
            output.events.write(
                output.now,
                None,
                Happening::Fault {
                    cause: &fault.cause,
                    remedy: &fault.remedy,
                },
            )?;
        }
        served?;
        eprintln!("{} screens in {}", output.pictures, self.screen.0.display());
        if let Some(events) = &self.events {
            eprintln!("events in {}", events.display());
        }
        Ok(())
    }

    fn serve(&self, output: &mut Output) -> anyhow::Result<()> {
        let config = self.eyes.config()?;
        let pipeline = self.eyes.pipeline()?;
        let model = pipeline.embedder().manifest().model_id();
        // Held while it runs: who is removed meanwhile would still be greeted.
        let (gallery, _lock) = self.gallery(&model)?;
        let asked = self.eyes.operating_point.as_deref();
        if gallery.people() == 0 {
            tracing::warn!("the gallery is empty, so everybody is unknown");
        }
        let mut camera = self.eyes.camera.open(self.eyes.fps)?;
        let mut kiosk = Kiosk::new(pipeline, gallery, asked, &config)?;
        if let Some(warning) = kiosk.decides().warning() {
            tracing::warn!("{warning}");
        }
        let mut shown: Option<State> = None;
        let mut consents_seen = None;
        while let Some(captured) = camera.next_frame()? {
            (output.now, output.frame) = (captured.at, captured.number);
            let hour = now().unix_seconds() / 3600;
            if consents_seen.replace(hour) != Some(hour) {
                self.look_at_consents(&mut kiosk);
            }
            let step = kiosk.step(&captured, &mut |_| Liveness::Off)?;
            output.tell(&kiosk, &step)?;
            let changed = shown.as_ref() != Some(kiosk.state());
            if changed
                || self
                    .every
                    .is_some_and(|every| captured.number.is_multiple_of(every))
            {
                output.draw(&mut kiosk, &captured, &step)?;
                shown = Some(kiosk.state().clone());
            }
        }
        eprintln!("{}", kiosk.latencies());
        Ok(())
    }

    /// The gallery, and what keeps others from changing it.
    fn gallery(&self, model: &ModelId) -> anyhow::Result<(Gallery, Option<std::fs::File>)> {
        let keys = self.held.keys.keys(Asking::Once)?;
        match self.held.open_with(&keys, Some(model)) {
            Ok(store) => {
                let (gallery, lock) = store.into_gallery();
                Ok((gallery, Some(lock)))
            }
            // A newer usher's, or one on a read-only disk, may be read, and nothing else.
            Err(GalleryError::Newer { .. }) => Ok((self.read_only(&keys, model)?, None)),
            Err(GalleryError::Write { source, .. })
                if matches!(
                    source.kind(),
                    ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                ) =>
            {
                Ok((self.read_only(&keys, model)?, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The gallery where it may not be held; an older file in its place is refused all the same.
    fn read_only(&self, keys: &Keys, model: &ModelId) -> Result<Gallery, GalleryError> {
        let path = &self.held.gallery;
        let (gallery, found) = GalleryStore::inspect(path, Some(model), keys.sealing())?;
        if let Condition::RolledBack { lost } = found.condition() {
            return Err(GalleryError::RolledBack {
                path: path.clone(),
                expected: found.last_sequence + lost,
                found: found.last_sequence,
            });
        }
        tracing::warn!(
            "the gallery may only be read: what is changed meanwhile counts from the next start"
        );
        Ok(gallery)
    }

    fn look_at_consents(&self, kiosk: &mut Kiosk) {
        let expired = kiosk.suspend_expired(now());
        if expired > 0 {
            tracing::warn!(
                people = expired,
                "consents have run out: these people are no longer greeted; renew them (usher gallery consent) or remove \
                 them (usher gallery sweep)"
            );
        }
    }
}

impl Output {
    fn tell(&mut self, kiosk: &Kiosk, step: &Step) -> anyhow::Result<()> {
        let (threshold, frame) = (kiosk.threshold().value(), self.frame);
        for event in &step.events {
            let happening = match event {
                Event::Greeted {
                    identity, distance, ..
                } => {
                    let name = kiosk
                        .gallery()
                        .identity(*identity)
                        .map(|known| known.name());
                    Happening::Greeted {
                        identity: identity.to_string(),
                        name,
                        distance: distance.value(),
                        threshold,
                        frame,
                        one_in: None,
                    }
                }
                Event::Unknown { nearest } => Happening::Unknown {
                    nearest_distance: nearest.map(|nearest| nearest.value()),
                    threshold,
                    frame,
                    one_in: None,
                },
                // The log has no words for these yet.
                Event::NotLive | Event::Left => continue,
            };
            self.events.write(self.now, None, happening)?;
        }
        Ok(())
    }

    fn draw(&mut self, kiosk: &mut Kiosk, captured: &Captured, step: &Step) -> anyhow::Result<()> {
        let begin = std::time::Instant::now();
        let view = kiosk.view(&captured.frame, step);
        let (canvas, name) = (self.screen.draw(&view, &Chrome::default()), view.name());
        let elapsed = begin.elapsed();
        self.files.show(canvas, self.frame, name)?;
        kiosk.latencies().note(Stage::Draw, elapsed);
        self.pictures += 1;
        Ok(())
    }

    fn show(&mut self, view: &View<'_>) -> anyhow::Result<()> {
        let canvas = self.screen.draw(view, &Chrome::default());
        self.files.show(canvas, self.frame, view.name())?;
        self.pictures += 1;
        Ok(())
    }
}
