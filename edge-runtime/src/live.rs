//! The kiosk at work with a live camera: capture, recognition and screen on threads of their own.
//!
//! ```text
//! capture ── latest frame ──► recognition ── latest scene ──► screen ──► display
//! (camera::feed)   │          Kiosk, Guard, OpenDesk          │  ▲
//!                  │             │         ▲ keys, touches ───┘  │
//!                  └─────────────┼── latest frame, for the live picture
//!                                └─► Outlets: record, broker, door, counts, board
//! main: starts them, hears signals, tells the watchdog of the capture, and ends everything
//! ```
//!
//! The screen draws first, then the camera is opened and the networks are loaded; what cannot be used is a fault on the
//! screen and the end of the process, so that whatever supervises it starts it again. Nothing waits for anything but
//! for the newest value of it, so a slow part makes the others neither slow nor late: frames are skipped, never queued.

mod desk;
mod latest;
mod outlets;
mod recognition;
mod scene;
mod screen;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use embedded_graphics::prelude::Size;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::camera::CameraSource;
use crate::camera::feed::{Clock, Feed, FeedState};
use crate::clock::judge::ClockJudge;
use crate::clock::moment::{Clocks, DeviceClocks};
use crate::config::Config;
use crate::door::DoorOutput;
use crate::event::{EventLog, Happening};
use crate::fault::Fault;
use crate::kiosk::Kiosk;
use crate::latency::{Latencies, Stage};
use crate::liveness::guard::Guard;
use crate::metrics::{Info, Metrics};
use crate::mqtt::{Device, Mqtt};
use crate::screen::target::ScreenTarget;
use crate::status::server::{Answers, Server};
use crate::status::{Board, LivenessStatus, ModelStatus};
use crate::watchdog::{Guard as Watch, Heartbeats, Part};
pub(crate) use desk::OpenDesk;
use latest::Latest;
use outlets::Outlets;
use recognition::Recognition;
use scene::Scene;
use screen::Drawing;

/// How often the main thread looks after the others.
const LOOK: Duration = Duration::from_millis(100);
/// How long a scene is shown without a newer one, for each millisecond that a frame may be old.
const SCENES: Duration = Duration::from_millis(4);
/// How long a fault at the start stays on the screen before the process ends.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Loads networks and gallery.
pub(crate) type Open = Box<dyn FnOnce(&Config) -> anyhow::Result<Opened> + Send>;

/// What a live kiosk is made of.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) camera: CameraSource,
    /// Frames per second of a replay, before the recording's own.
    pub(crate) replay_rate: Option<f64>,
    pub(crate) target: ScreenTarget,
    pub(crate) size: Option<Size>,
    /// What people agree to at the desk.
    pub(crate) consent_text: String,
    /// Loads networks and gallery, on the thread that works with them.
    pub(crate) open: Open,
    /// When the process began.
    pub(crate) began: Instant,
}

/// What was loaded.
pub(crate) struct Opened {
    pub(crate) kiosk: Kiosk,
    pub(crate) guard: Guard,
    /// None where the gallery may only be read, or no operator has a PIN.
    pub(crate) desk: Option<OpenDesk>,
    pub(crate) liveness: Vec<LivenessStatus>,
    /// What may be said of how well they work.
    pub(crate) liveness_claim: String,
    pub(crate) self_test: &'static str,
    pub(crate) gallery_sha256: String,
    /// Where the model comes from, in words.
    pub(crate) model_source: String,
}

/// How a run went.
pub(crate) struct Report {
    /// Of the recognition.
    pub(crate) latencies: Latencies,
    /// From the start of the process to the first picture on the display.
    pub(crate) first_drawn: Option<Duration>,
}

/// What the threads share.
struct Shared {
    scene: Latest<Arc<Scene>>,
    hearts: Arc<Heartbeats>,
    began: Instant,
    first_drawn: OnceLock<Duration>,
    draws: Mutex<Latencies>,
}

impl Shared {
    fn note_drawn(&self, took: Duration) {
        self.first_drawn.get_or_init(|| self.began.elapsed());
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        draws.note(Stage::Draw, took);
    }
}

/// What each thread of the kiosk knows.
#[derive(Clone)]
struct Live {
    shared: Arc<Shared>,
    outlets: Outlets,
    clock: Clock,
}

/// Runs the kiosk until it is told to stop, a recording is over, or something fails for good.
///
/// # Errors
/// What failed; it was on the screen for a while.
pub(crate) fn run(plan: Plan) -> anyhow::Result<Report> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .context("cannot hear signals; start again")?;
    }
    let config = plan.config.clone();
    let live = start(&config, &plan)?;
    let (words_to, words) = channel();
    let (feed_to, feed_for_screen) = channel();
    let screen = spawn("screen", {
        let (live, stop, words_to) = (live.clone(), Arc::clone(&stop), words_to.clone());
        let drawing = screen::Plan {
            target: plan.target.clone(),
            size: plan.size,
            settings: config.screen.clone(),
            keyboard: config.desk.keyboard,
            consent_text: plan.consent_text.clone(),
            outdated: SCENES * config.recognition.oldest_frame_ms as u32,
        };
        move || -> anyhow::Result<()> {
            let drawing = Drawing::open(drawing, &live, &words_to)?;
            drawing.run(&live, &feed_for_screen, &words_to, &stop)
        }
    })?;
    let feed = Arc::new(plan.camera.feed(
        plan.replay_rate,
        &config.camera,
        Arc::clone(&live.clock),
    )?);
    let _ = feed_to.send(Arc::clone(&feed));
    let recognition = spawn("recognition", {
        let (live, stop, feed) = (live.clone(), Arc::clone(&stop), Arc::clone(&feed));
        let (open, config) = (plan.open, config.clone());
        move || -> anyhow::Result<Latencies> {
            // Closed from here on, before anybody can be greeted.
            live.outlets.keep_door(&config.door)?;
            let mut opened = open(&config)?;
            introduce(&config, &live.outlets, &mut opened);
            recognition::tell_started(&live.outlets, &mut opened.kiosk);
            let frames = (feed, Arc::clone(&live.clock));
            Recognition::new(opened, frames, live.outlets, live.shared, words, &config).run(&stop)
        }
    })?;
    let ended = supervise(&config, &live, &feed, (screen, recognition), &stop);
    live.outlets.tell(Happening::Stopped {
        why: match &ended {
            Ok(_) if feed.status().state == FeedState::Ended => "the recording is over",
            Ok(_) => "told to stop",
            Err(_) => "a fault",
        },
    });
    live.outlets.close();
    ended
}

/// Everything that the threads share, before there is one.
fn start(config: &Config, plan: &Plan) -> anyhow::Result<Live> {
    let clocks: Arc<dyn Clocks> = Arc::new(DeviceClocks::new(&config.clock.synced_files));
    let board = Arc::new(Board::new(clocks.now()));
    let metrics = Arc::new(Metrics::default());
    let judge = ClockJudge::new(&config.clock, shared::gallery::consent::WallTime::default());
    let log = EventLog::open(&config.events, clocks.moment().wall())?;
    let device = Device {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: config.kiosk.model.display().to_string(),
        has_door: config.door.output != DoorOutput::Off,
    };
    let mqtt = Mqtt::start(&config.mqtt, device, Arc::clone(&metrics))?;
    board.update(|status| {
        status.version = env!("CARGO_PKG_VERSION").to_owned();
        status.state = "starting".to_owned();
        status.camera.name = plan.camera.to_string();
        status.door = "none".to_owned();
    });
    let log = (log, config.events.names);
    let outlets = Outlets::new((board, metrics, clocks), log, mqtt, judge)
        .context("cannot start the record; free some memory")?;
    outlets.look_at_clocks();
    let shared = Arc::new(Shared {
        scene: Latest::default(),
        hearts: Arc::default(),
        began: plan.began,
        first_drawn: OnceLock::new(),
        draws: Mutex::default(),
    });
    Ok(Live {
        shared,
        outlets,
        clock: crate::camera::live_clock(),
    })
}

/// Puts on the board what was loaded.
fn introduce(config: &Config, outlets: &Outlets, opened: &mut Opened) {
    let newest = opened.kiosk.gallery().newest_record();
    outlets.judge_clocks_by(ClockJudge::new(&config.clock, newest));
    let manifest = opened.kiosk.pipeline().embedder().manifest().clone();
    if let Some(warning) = opened.kiosk.decides().warning() {
        tracing::warn!("{warning}");
    }
    outlets.metrics.set_info(Info {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        model: manifest.name.clone(),
        model_sha256: manifest.sha256.clone(),
        gallery_sha256: opened.gallery_sha256.clone(),
    });
    let liveness = std::mem::take(&mut opened.liveness);
    let claim = std::mem::take(&mut opened.liveness_claim);
    outlets.board.update(|status| {
        status.model = ModelStatus {
            name: manifest.name.clone(),
            id: manifest.model_id().to_string(),
            sha256: manifest.sha256.clone(),
            self_test: opened.self_test.to_owned(),
            source: opened.model_source.clone(),
        };
        status.liveness = liveness;
        status.liveness_claim = claim;
    });
}

type Threads = (
    JoinHandle<anyhow::Result<()>>,
    JoinHandle<anyhow::Result<Latencies>>,
);

/// Looks after the threads until one has ended; then ends the other.
fn supervise(
    config: &Config,
    live: &Live,
    feed: &Feed,
    (screen, recognition): Threads,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Report> {
    let answers = Answers {
        board: Arc::clone(&live.outlets.board),
        metrics: Arc::clone(&live.outlets.metrics),
        clocks: Arc::clone(&live.outlets.clocks),
        hearts: Arc::clone(&live.shared.hearts),
    };
    // Where nobody may make the socket a kiosk on a desk still runs.
    let _server = match Server::start(&config.metrics, answers) {
        Ok(server) => Some(server),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    };
    let last = live.outlets.clone();
    let _watch = Watch::start(
        config.watchdog,
        Arc::clone(&live.shared.hearts),
        Arc::clone(&live.outlets.clocks),
        move |_| last.close(),
    )?;
    let capture = AtomicU64::new(u64::MAX);
    while !stop.load(Ordering::Relaxed) && !screen.is_finished() && !recognition.is_finished() {
        let beat = feed.heartbeat().millis();
        if capture.swap(beat, Ordering::Relaxed) != beat {
            live.shared
                .hearts
                .beat(Part::Capture, live.outlets.clocks.now());
        }
        std::thread::sleep(LOOK);
    }
    let is_screen_alive = !screen.is_finished();
    let mut failed = None;
    let mut latencies = Latencies::default();
    if recognition.is_finished() || stop.load(Ordering::Relaxed) {
        match joined("recognition", recognition) {
            Ok(measured) => latencies = measured,
            Err(error) => {
                if is_screen_alive && !stop.load(Ordering::Relaxed) {
                    show_to_the_end(live, &error, stop);
                }
                failed = Some(error);
            }
        }
        stop.store(true, Ordering::Relaxed);
        if let Err(error) = joined("screen", screen) {
            failed.get_or_insert(error);
        }
    } else {
        let ended = joined("screen", screen);
        stop.store(true, Ordering::Relaxed);
        let measured = joined("recognition", recognition);
        match (ended, measured) {
            (Ok(()), Ok(measured)) => latencies = measured,
            (Err(error), _) | (_, Err(error)) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let draws = live.shared.draws.lock();
    latencies.append(&draws.unwrap_or_else(PoisonError::into_inner));
    Ok(Report {
        latencies,
        first_drawn: live.shared.first_drawn.get().copied(),
    })
}

/// Leaves what went wrong on the screen for a while, so that whoever looks after the device can read it.
fn show_to_the_end(live: &Live, error: &anyhow::Error, stop: &AtomicBool) {
    let fault = Fault::of(error);
    tracing::error!(
        "{}; {}; this stays on the screen for {} s",
        fault.cause,
        fault.remedy,
        LAST_LOOK.as_secs()
    );
    live.outlets.fault("kiosk", &fault);
    live.outlets
        .board
        .update(|status| status.state = "fault".to_owned());
    let now = (live.clock)();
    live.shared
        .scene
        .put(Arc::new(screen::fault_scene(fault, now)));
    let begin = Instant::now();
    while begin.elapsed() < LAST_LOOK && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<JoinHandle<T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .with_context(|| format!("cannot start the {name}; free some memory"))
}

fn joined<T>(name: &str, thread: JoinHandle<anyhow::Result<T>>) -> anyhow::Result<T> {
    match thread.join() {
        Ok(result) => result,
        Err(_) => anyhow::bail!(
            "expected the {name} to work, found that it panicked; start again and report what the log says"
        ),
    }
}
