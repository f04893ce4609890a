//! The screen's thread: opens the display, draws the latest scene with the newest frame, and hears what is touched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use embedded_graphics::prelude::{Point, Size};
use jiff::Timestamp as UtcTime;
use jiff::tz::TimeZone;

use super::Live;
use super::recognition::Word;
use super::scene::{Marks, Scene};
use crate::camera::Captured;
use crate::camera::feed::Feed;
use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::input::evdev::Devices;
use crate::input::layout::Layout;
use crate::input::touch::{Phase, Picture, Turn};
use crate::input::{self, Input};
use crate::latency::Stage;
use crate::screen::dimming::Backlight;
use crate::screen::display::{Display, Told};
use crate::screen::panel::Rotation;
use crate::screen::settings::ScreenSettings;
use crate::screen::target::ScreenTarget;
use crate::screen::{Chrome, Screen, View};
use crate::showing::{Aim, Showing};
use crate::watchdog::Part;

/// Least time from one live picture to the next: 20 a second.
const PACE: Duration = Duration::from_millis(50);
/// The same where nothing moves; touches are heard as often.
const STILL: Duration = Duration::from_millis(150);
/// How long a display that failed is left alone before it is tried again.
const REST: Duration = Duration::from_millis(500);

/// What the thread needs from the start.
pub(super) struct Plan {
    pub(super) target: ScreenTarget,
    pub(super) size: Option<Size>,
    pub(super) settings: ScreenSettings,
    pub(super) keyboard: Layout,
    pub(super) consent_text: String,
    /// How long a scene is shown when no newer one comes.
    pub(super) outdated: Duration,
}

/// The thread's own things.
pub(super) struct Drawing {
    display: Box<dyn Display>,
    screen: Screen,
    settings: ScreenSettings,
    backlight: Option<Backlight>,
    zone: TimeZone,
    told: Receiver<input::Told>,
    _devices: Option<Devices>,
    frame: Option<Arc<Captured>>,
    outdated: Duration,
}

impl Drawing {
    /// Opens the display and draws for the first time.
    ///
    /// # Errors
    /// When display or screen cannot be had as they are set.
    pub(super) fn open(plan: Plan, live: &Live, words: &Sender<Word>) -> anyhow::Result<Self> {
        let display = plan.target.open(plan.size, plan.settings.rotation)?;
        let size = display.size();
        let screen = Screen::with(size.width, size.height, &plan.settings)?;
        let _ = words.send(Word::ConsentPages(screen.consent_pages(&plan.consent_text)));
        let (tell, told) = sync_channel(64);
        let panel = matches!(
            plan.target,
            ScreenTarget::Drm(_) | ScreenTarget::Framebuffer(_)
        );
        let picture = Picture {
            width: size.width,
            height: size.height,
            turn: turn(display.rotation()),
        };
        // A kiosk without keys and touches still greets.
        let devices = match panel.then(|| Devices::watch(plan.keyboard, picture, tell)) {
            Some(Ok(devices)) => Some(devices),
            Some(Err(error)) => {
                tracing::warn!(%error, "no keyboards and touch panels");
                None
            }
            None => None,
        };
        let mut drawing = Self {
            display,
            screen,
            backlight: Backlight::find().filter(|_| panel),
            zone: TimeZone::system(),
            settings: plan.settings,
            told,
            _devices: devices,
            frame: None,
            outdated: plan.outdated,
        };
        drawing.draw(&Showing::Idle, Aim::default(), Marks::default(), 1.0, live)?;
        Ok(drawing)
    }

    /// Draws until it is told to stop.
    ///
    /// # Errors
    /// When the display fails for good.
    pub(super) fn run(
        mut self,
        live: &Live,
        feed: &Receiver<Arc<Feed>>,
        words: &Sender<Word>,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let mut camera: Option<Arc<Feed>> = None;
        let mut scene: Option<Arc<Scene>> = None;
        let mut number = 0;
        let mut wait = STILL;
        while !stop.load(Ordering::Relaxed) {
            live.shared
                .hearts
                .beat(Part::Screen, live.outlets.clocks.now());
            let begin = Instant::now();
            if camera.is_none() {
                camera = feed.try_recv().ok();
            }
            if let Some((newer, latest)) = live.shared.scene.wait_newer(number, wait) {
                (number, scene) = (newer, Some(latest));
            }
            let current = scene
                .as_ref()
                .filter(|scene| !self.is_outdated(scene, (live.clock)()));
            let (showing, aim, marks, last_presence) = match current {
                Some(scene) => (&scene.showing, scene.aim, scene.marks, scene.last_presence),
                None => (
                    &Showing::Idle,
                    Aim::default(),
                    Marks::default(),
                    (live.clock)(),
                ),
            };
            self.hear(showing, words, stop);
            let moves = showing.has_preview();
            match (&camera, moves) {
                (Some(feed), true) => {
                    let than = self.frame.as_ref().map(|frame| frame.number);
                    let newest = feed.wait_newer(than, Duration::ZERO);
                    self.frame = newest.or(self.frame.take());
                }
                // Nobody's picture is kept longer than it is shown.
                _ => self.frame = None,
            }
            let alone = match matches!(showing, Showing::Idle) {
                true => (live.clock)().since(last_presence),
                false => Duration::ZERO,
            };
            let brightness = self.settings.dimming().brightness(alone);
            match self.draw(showing, aim, marks, brightness, live) {
                Ok(()) => live.outlets.works("screen"),
                Err(error) if error.passes() => {
                    live.outlets
                        .fault("screen", &Fault::of_message(error.to_string()));
                    std::thread::sleep(REST);
                }
                Err(error) => return Err(error.into()),
            }
            wait = match moves {
                true => PACE.saturating_sub(begin.elapsed()),
                false => STILL,
            };
            // Scenes may come faster than pictures are worth drawing.
            if moves && !wait.is_zero() {
                std::thread::sleep(wait);
                wait = Duration::from_millis(1);
            }
        }
        Ok(())
    }

    fn draw(
        &mut self,
        showing: &Showing,
        aim: Aim,
        marks: Marks,
        brightness: f32,
        live: &Live,
    ) -> Result<(), crate::screen::display::DisplayError> {
        let dark = match &mut self.backlight {
            Some(backlight) => match backlight.set(brightness) {
                Ok(()) => 1.0,
                Err(_) => brightness,
            },
            None => brightness,
        };
        let time = (self.settings.clock && !marks.clock_unset).then(|| self.time_of_day());
        let chrome = Chrome {
            now: (live.clock)(),
            time_of_day: time.as_deref(),
            liveness_off: marks.liveness_off,
            clock_unset: marks.clock_unset,
            operator: marks.operator,
            recording: marks.recording,
            brightness: dark,
        };
        let begin = Instant::now();
        let view = showing.view(self.frame.as_ref().map(|captured| &captured.frame), aim);
        let canvas = self.screen.draw(&view, &chrome);
        let drawn = begin.elapsed();
        self.display.show(canvas)?;
        let metrics = &live.outlets.metrics;
        metrics.took(Stage::Draw, drawn);
        metrics.took(Stage::Show, begin.elapsed().saturating_sub(drawn));
        live.shared.note_drawn(drawn);
        Ok(())
    }

    /// Whether nobody has said for long that it is still so: a name would outlive its face.
    fn is_outdated(&self, scene: &Scene, now: Timestamp) -> bool {
        !matches!(scene.showing, Showing::Fault(_)) && now.since(scene.at) > self.outdated
    }

    /// Passes on what was told: keys as they are, touches by what is shown there.
    fn hear(&mut self, showing: &Showing, words: &Sender<Word>, stop: &AtomicBool) {
        let mut inputs: Vec<Input> = Vec::new();
        let view = showing.view(
            self.frame.as_ref().map(|captured| &captured.frame),
            Aim::default(),
        );
        for told in self.display.told() {
            match told {
                Told::Touched(point) => inputs.extend(self.touched(&view, point)),
                Told::Typed(input) => inputs.push(input),
                Told::Closed => stop.store(true, Ordering::Relaxed),
            }
        }
        loop {
            match self.told.try_recv() {
                Ok(input::Told::Input(input)) => inputs.push(input),
                Ok(input::Told::Touch(touch)) if touch.phase == Phase::Press => {
                    let point = Point::new(touch.x as i32, touch.y as i32);
                    inputs.extend(self.touched(&view, point));
                }
                Ok(input::Told::Touch(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        for input in inputs {
            let _ = words.send(Word::Input(input));
        }
    }

    fn touched(&self, view: &View<'_>, point: Point) -> Option<Input> {
        self.screen.control_at(view, point.x, point.y)
    }

    /// As people here read it.
    fn time_of_day(&self) -> String {
        UtcTime::now()
            .to_zoned_datetime(self.zone.clone())
            .strftime("%H:%M")
            .to_string()
    }
}

fn turn(rotation: Rotation) -> Turn {
    match rotation {
        Rotation::Upright => Turn::Upright,
        Rotation::Right => Turn::Quarter,
        Rotation::Over => Turn::Half,
        Rotation::Left => Turn::ThreeQuarters,
    }
}

/// A fault on the screen, for a start that failed.
pub(super) fn fault_scene(fault: Fault, now: Timestamp) -> Scene {
    Scene {
        at: now,
        showing: Showing::Fault(fault),
        aim: Aim::default(),
        marks: Marks::default(),
        last_presence: now,
    }
}
