//! A recording frame by frame onto PNG files: the same recording always gives the same run.

use std::path::PathBuf;
use std::time::Instant;

use super::opening::Opening;
use crate::camera::{CameraSource, Captured};
use crate::clock::Timestamp;
use crate::command::sealing::now;
use crate::config::Config;
use crate::event::{EventLog, Happening};
use crate::fault::Fault;
use crate::kiosk::{Kiosk, Step};
use crate::latency::Stage;
use crate::liveness::Liveness;
use crate::screen::png::PngScreen;
use crate::screen::settings::ScreenSettings;
use crate::screen::{Chrome, Screen, View};
use crate::session::State;

/// Such a run.
pub(super) struct Replayed {
    pub(super) opening: Opening,
    pub(super) camera: CameraSource,
    pub(super) fps: Option<f64>,
    pub(super) folder: PathBuf,
    pub(super) every: Option<u64>,
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

impl Replayed {
    pub(super) fn run(&self, config: &Config) -> anyhow::Result<()> {
        let size = super::canvas_size(config);
        let mut output = Output {
            // Without what moves by itself, so that the same recording gives the same pictures.
            screen: Screen::with(
                size.width,
                size.height,
                &ScreenSettings {
                    motion: false,
                    burn_in_shift_px: 0,
                    ..config.screen.clone()
                },
            )?,
            files: PngScreen::open(&self.folder)?,
            events: EventLog::open(&config.events, now())?,
            now: Timestamp::default(),
            frame: 0,
            pictures: 0,
        };
        let served = self.serve(config, &mut output);
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
        eprintln!("{} screens in {}", output.pictures, self.folder.display());
        if !config.events.path.as_os_str().is_empty() {
            eprintln!("events in {}", config.events.path.display());
        }
        Ok(())
    }

    fn serve(&self, config: &Config, output: &mut Output) -> anyhow::Result<()> {
        // Held while it runs.
        let (mut kiosk, _store) = self.opening.kiosk(config)?;
        if let Some(warning) = kiosk.decides().warning() {
            tracing::warn!("{warning}");
        }
        let expired = kiosk.suspend_expired(now());
        if expired > 0 {
            tracing::warn!(
                people = expired,
                "consents have run out: these people are not greeted"
            );
        }
        let mut camera = self.camera.open_with(self.fps, &config.camera)?;
        let mut shown: Option<State> = None;
        while let Some(captured) = camera.next_frame()? {
            (output.now, output.frame) = (captured.at, captured.number);
            let step = kiosk.step(&captured, &|| true, &mut |_| Liveness::Off)?;
            for event in &step.events {
                let happening = Happening::of(event, kiosk.gallery(), captured.number);
                output.events.write(captured.at, None, happening)?;
            }
            let changed = shown.as_ref() != Some(kiosk.state());
            let asked = |every| captured.number.is_multiple_of(every);
            if changed || self.every.is_some_and(asked) {
                output.draw(&mut kiosk, &captured, &step)?;
                shown = Some(kiosk.state().clone());
            }
        }
        eprintln!("{}", kiosk.latencies());
        Ok(())
    }
}

impl Output {
    fn draw(&mut self, kiosk: &mut Kiosk, captured: &Captured, step: &Step) -> anyhow::Result<()> {
        let begin = Instant::now();
        let showing = kiosk.showing();
        let view = showing.view(Some(&captured.frame), step.aim);
        let chrome = Chrome {
            liveness_off: *kiosk.state() != State::Idle,
            ..Chrome::default()
        };
        let (canvas, name) = (self.screen.draw(&view, &chrome), view.name());
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
