use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use super::super::mjpg::tests::jpeg;
use super::super::orientation::{Orientation, Rotation};
use super::super::pixel_format::{Colors, PixelFormat};
use super::super::source::{Arrived, Source, SourceError};
use super::*;

/// What a scripted camera does next.
enum Act {
    /// A frame of these bytes after 33 ms.
    Frame(Vec<u8>),
    /// A frame that the driver marks as damaged.
    Damaged(Vec<u8>),
    /// Nothing within the patience.
    Nothing,
    /// An error.
    Error(fn() -> SourceError),
    /// A panic.
    Panic,
}

fn gone() -> SourceError {
    SourceError::of("camera", "give a frame", rustix::io::Errno::NODEV.into())
}

fn broken() -> SourceError {
    SourceError::of("camera", "give a frame", rustix::io::Errno::IO.into())
}

fn refused() -> SourceError {
    SourceError::of("camera", "open", rustix::io::Errno::ACCESS.into())
}

/// A clock, and what cameras opened from now on will do.
#[derive(Default)]
struct World {
    millis: AtomicU64,
    acts: Mutex<VecDeque<Act>>,
    refusals: Mutex<VecDeque<fn() -> SourceError>>,
    sequence: AtomicU64,
    opened: AtomicU64,
    rotation: Rotation,
    format: Option<PixelFormat>,
}

const SIZE: (u32, u32) = (8, 4);

impl World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed))
    }

    fn advance(&self, by: Duration) {
        self.millis
            .fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    fn act(&self, acts: impl IntoIterator<Item = Act>) {
        self.acts.lock().unwrap().extend(acts);
    }
}

/// A picture of noise, new for each number.
fn noise(number: u64) -> Vec<u8> {
    (0..u64::from(SIZE.0 * SIZE.1 * 3))
        .map(|index| (((index + 1) * (number + 7) * 2_654_435_761) >> 7) as u8)
        .collect()
}

struct ScriptedOpener(Arc<World>);

impl Opener for ScriptedOpener {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        if let Some(refusal) = self.0.refusals.lock().unwrap().pop_front() {
            return Err(refusal());
        }
        self.0.opened.fetch_add(1, Ordering::Relaxed);
        let format = self.0.format.unwrap_or(PixelFormat::Rgb3);
        Ok(Box::new(Scripted {
            world: Arc::clone(&self.0),
            negotiated: Negotiated {
                format,
                width_px: SIZE.0,
                height_px: SIZE.1,
                stride_bytes: format.row_bytes(SIZE.0).unwrap_or(0),
                colors: Colors::default(),
                frames_per_second: Some(30.0),
                orientation: Orientation {
                    rotation: self.0.rotation,
                    mirror: false,
                },
                may_repeat: false,
            },
        }))
    }
}

struct Scripted {
    world: Arc<World>,
    negotiated: Negotiated,
}

impl Source for Scripted {
    fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn origin(&self) -> &str {
        "camera"
    }

    fn next(
        &mut self,
        patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError> {
        let act = self.world.acts.lock().unwrap().pop_front();
        let mut give = |content: Vec<u8>, damaged| {
            self.world.advance(Duration::from_millis(33));
            *bytes = content;
            Ok(Some(Arrived {
                sequence: Some(self.world.sequence.fetch_add(1, Ordering::Relaxed) as u32),
                taken: Some(self.world.now()),
                damaged,
            }))
        };
        match act {
            None | Some(Act::Nothing) => {
                self.world.advance(patience);
                Ok(None)
            }
            Some(Act::Frame(content)) => give(content, false),
            Some(Act::Damaged(content)) => give(content, true),
            Some(Act::Error(error)) => Err(error()),
            Some(Act::Panic) => panic!("a scripted panic"),
        }
    }
}

fn world() -> Arc<World> {
    let world = World::default();
    world.millis.store(10_000, Ordering::Relaxed);
    Arc::new(world)
}

fn feed(world: &Arc<World>) -> (Feed, Steps) {
    let read = Arc::clone(world);
    Feed::stepped(
        Box::new(ScriptedOpener(Arc::clone(world))),
        Duration::from_secs(3),
        Arc::new(move || read.now()),
    )
}

/// Takes steps until the script is played; rests move the clock.
fn play(world: &World, steps: &mut Steps) {
    while !world.acts.lock().unwrap().is_empty() {
        world.advance(steps.step());
    }
}

fn now_or_never(feed: &Feed, than: Option<u64>) -> Option<Arc<Captured>> {
    feed.wait_newer(than, Duration::ZERO)
}

#[test]
fn the_latest_frame_wins() {
    let world = world();
    let (feed, mut steps) = feed(&world);
    assert_eq!(feed.status().state, FeedState::Opening);
    world.act((0..5).map(|number| Act::Frame(noise(number))));
    play(&world, &mut steps);
    assert_eq!(feed.status().state, FeedState::Running);
    let taken = now_or_never(&feed, None).unwrap();
    assert_eq!((taken.number, taken.frame.rgb()), (4, &noise(4)[..]));
    assert_eq!(taken.at, world.now());
    assert!(now_or_never(&feed, Some(4)).is_none());
    // The same frame again, for whoever has not seen it.
    assert_eq!(now_or_never(&feed, Some(3)).unwrap().number, 4);
    let counts = feed.counts();
    assert_eq!((counts.arrived, counts.sound), (5, 5));
    assert_eq!((counts.taken, counts.skipped), (1, 4));
    assert_eq!(counts.last_frame_ms, world.now().millis());
    assert_eq!(feed.heartbeat().millis(), world.now().millis() - 33);
    assert_eq!(feed.status().negotiated.unwrap().width_px, 8);
}

#[test]
fn an_old_frame_is_never_handed_out() {
    let world = world();
    let (feed, mut steps) = feed(&world);
    world.act([Act::Frame(noise(0))]);
    play(&world, &mut steps);
    world.advance(Duration::from_millis(501));
    assert!(now_or_never(&feed, None).is_none());
    assert_eq!(feed.counts().stale, 1);
    world.act([Act::Frame(noise(1))]);
    play(&world, &mut steps);
    assert!(now_or_never(&feed, None).is_some());
    // One that was taken in time is not handed out a second time when it has become old.
    world.advance(Duration::from_millis(501));
    assert!(now_or_never(&feed, None).is_none());
}

#[test]
fn each_error_leads_to_its_state_and_back() {
    for (name, act, word, told) in [
        ("gone", Act::Error(gone), "lost", "plug it in"),
        ("EIO", Act::Error(broken), "reopening", "cable"),
        ("panic", Act::Panic, "reopening", "cable"),
    ] {
        let world = world();
        let (feed, mut steps) = feed(&world);
        world.act([Act::Frame(noise(0)), act]);
        play(&world, &mut steps);
        let state = feed.status().state;
        assert_eq!(state.word(), word, "{name}");
        let fault = state.fault().unwrap();
        assert!(fault.remedy.contains(told), "{name}: {fault:?}");
        // What was not taken belongs to the stream that broke.
        assert!(now_or_never(&feed, None).is_none(), "{name}");
        world.act([Act::Frame(noise(1))]);
        play(&world, &mut steps);
        assert_eq!(feed.status().state, FeedState::Running, "{name}");
        assert_eq!(world.opened.load(Ordering::Relaxed), 2, "{name}");
        let counts = feed.counts();
        assert_eq!((counts.opened, counts.recovered), (2, 1), "{name}");
        assert!(counts.last_outage_ms < 100, "{name}");
    }
}

#[test]
fn stalls_are_seen_within_a_second() {
    let same = || (0..60).map(|_| Act::Frame(noise(5)));
    let short = || (0..60).map(|number| Act::Frame(noise(number)[..40].to_vec()));
    let damaged = || (0..60).map(|number| Act::Damaged(noise(number)));
    // Less than the time that a camera has for its first frame: then it is opened a third time.
    let nothing = || (0..20).map(|_| Act::Nothing);
    let scripts: [(&str, Vec<Act>, &str); 4] = [
        ("silent", nothing().collect(), "found none"),
        ("frozen", same().collect(), "found the same one"),
        ("short", short().collect(), "96 bytes of a frame, found 40"),
        ("damaged", damaged().collect(), "marks as damaged"),
    ];
    for (name, script, cause) in scripts {
        let world = world();
        let (feed, mut steps) = feed(&world);
        world.act([Act::Frame(noise(5))]);
        play(&world, &mut steps);
        let last = world.now();
        world.act(script);
        while feed.status().state == FeedState::Running {
            world.advance(steps.step());
        }
        let FeedState::Stalled(fault) = feed.status().state else {
            panic!("{name}: {:?}", feed.status().state);
        };
        assert!(fault.cause.contains(cause), "{name}: {}", fault.cause);
        let after = world.now().since(last);
        assert!(after < Duration::from_secs(1), "{name}: {after:?}");
        // Opened again at once; what was wrong may still be so.
        play(&world, &mut steps);
        assert_eq!(world.opened.load(Ordering::Relaxed), 2, "{name}");
        assert!(
            matches!(feed.status().state, FeedState::Stalled(_)),
            "{name}"
        );
        // Running with the first sound frame.
        world.act([Act::Frame(noise(77))]);
        play(&world, &mut steps);
        assert_eq!(feed.status().state, FeedState::Running, "{name}");
    }
}

#[test]
fn a_camera_that_cannot_be_opened_is_tried_less_and_less_often() {
    let world = world();
    let (feed, mut steps) = feed(&world);
    world
        .refusals
        .lock()
        .unwrap()
        .extend([gone as fn() -> SourceError; 6]);
    let mut tries = Vec::new();
    while world.opened.load(Ordering::Relaxed) == 0 {
        let before = feed.counts().not_opened;
        let rest = steps.step();
        if feed.counts().not_opened > before {
            tries.push(world.now().millis() - 10_000);
        }
        assert!(rest <= Duration::from_millis(100));
        world.advance(rest);
    }
    assert_eq!(tries, [0, 100, 300, 700, 1200, 1700]);
    world.act([Act::Error(gone)]);
    play(&world, &mut steps);
    world.refusals.lock().unwrap().push_back(refused);
    while feed.counts().not_opened < 7 {
        world.advance(steps.step());
    }
    let fault = feed.status().state.fault().cloned().unwrap();
    assert!(fault.remedy.contains("group video"), "{fault:?}");
}

#[test]
fn pictures_that_look_sound_but_cannot_be_decoded_are_a_stall_too() {
    let world = Arc::new(World {
        format: Some(PixelFormat::Mjpg),
        millis: AtomicU64::new(10_000),
        ..World::default()
    });
    let (feed, mut steps) = feed(&world);
    let spoiled = |number: u64| {
        let mut bytes = jpeg(SIZE.0, SIZE.1, number as u32);
        // Head and end are sound; what lies between is no picture.
        let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]);
        let end = bytes.len() - 2;
        let scan = scan.unwrap();
        bytes.splice(scan + 14..end, [0xFF, 0xC0, number as u8, 3, 4, 5]);
        bytes
    };
    world.act((0..60).map(|number| Act::Frame(spoiled(number))));
    while !matches!(feed.status().state, FeedState::Stalled(_)) {
        assert!(!world.acts.lock().unwrap().is_empty(), "never noticed");
        world.advance(steps.step());
        assert!(now_or_never(&feed, None).is_none());
    }
    let fault = feed.status().state.fault().cloned().unwrap();
    assert!(fault.cause.contains("expected a JPEG"), "{fault:?}");
}

#[test]
fn the_end_of_a_recording_is_the_end() {
    let world = world();
    let (feed, mut steps) = feed(&world);
    world.act([
        Act::Frame(noise(0)),
        Act::Error(|| SourceError::Ended {
            place: "visit".to_owned(),
        }),
    ]);
    world.advance(steps.step());
    world.advance(steps.step());
    assert!(now_or_never(&feed, None).is_some());
    play(&world, &mut steps);
    for _ in 0..5 {
        world.advance(steps.step());
    }
    assert_eq!(feed.status().state, FeedState::Ended);
    assert_eq!(world.opened.load(Ordering::Relaxed), 1);
    // No frame will come: nobody waits for one.
    assert!(
        feed.wait_newer(Some(0), Duration::from_secs(3600))
            .is_none()
    );
}

#[test]
fn luma_and_chroma_the_other_way_round_are_noticed_at_the_start() {
    let world = Arc::new(World {
        format: Some(PixelFormat::Yuyv),
        millis: AtomicU64::new(10_000),
        ..World::default()
    });
    let (feed, mut steps) = feed(&world);
    // UYVY of a colorful scene, where YUYV was agreed on.
    let frame = |number: u64| {
        let pixel = |at: u64| [90, (60 + at * 9 + number) as u8, 180, (64 + at * 9) as u8];
        (0..u64::from(SIZE.0 * SIZE.1 / 2))
            .flat_map(pixel)
            .collect()
    };
    world.act((0..60).map(|number| Act::Frame(frame(number))));
    while !matches!(feed.status().state, FeedState::Stalled(_)) {
        assert!(!world.acts.lock().unwrap().is_empty(), "never noticed");
        world.advance(steps.step());
    }
    let fault = feed.status().state.fault().cloned().unwrap();
    assert!(fault.cause.contains("the other way round"), "{fault:?}");
    assert!(fault.remedy.contains("camera.format"), "{fault:?}");
}

#[test]
fn frames_come_upright() {
    let world = Arc::new(World {
        rotation: Rotation::Quarter,
        millis: AtomicU64::new(10_000),
        ..World::default()
    });
    let (feed, mut steps) = feed(&world);
    world.act([Act::Frame(noise(0))]);
    play(&world, &mut steps);
    let taken = now_or_never(&feed, None).unwrap();
    assert_eq!((taken.frame.width_px(), taken.frame.height_px()), (4, 8));
}

/// Gives a frame for each message; ends with the channel.
struct Channel(std::sync::mpsc::Receiver<u64>, Negotiated);

impl Source for Channel {
    fn negotiated(&self) -> &Negotiated {
        &self.1
    }

    fn origin(&self) -> &str {
        "channel"
    }

    fn next(
        &mut self,
        patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError> {
        match self.0.recv_timeout(patience) {
            Ok(number) => {
                *bytes = noise(number);
                Ok(Some(Arrived::default()))
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => Err(SourceError::Ended {
                place: "channel".to_owned(),
            }),
        }
    }
}

struct Once(Option<Box<dyn Source>>);

impl Opener for Once {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        self.0.take().ok_or_else(gone)
    }
}

#[test]
fn a_waiting_thread_is_woken_by_a_frame_and_by_the_end() {
    let world = world();
    let negotiated = ScriptedOpener(world).open().unwrap().negotiated().clone();
    let (send, receive) = std::sync::mpsc::channel();
    let source = Channel(receive, negotiated);
    let feed = Feed::start(
        Box::new(Once(Some(Box::new(source)))),
        Duration::from_secs(3),
        super::super::live_clock(),
    )
    .unwrap();
    let long = Duration::from_secs(3600);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| feed.wait_newer(None, long).unwrap().frame.rgb().to_vec());
        send.send(3).unwrap();
        assert_eq!(waiting.join().unwrap(), noise(3));
        let waiting = scope.spawn(|| feed.wait_newer(Some(0), long));
        drop(send);
        assert!(waiting.join().unwrap().is_none());
    });
    assert_eq!(feed.status().state, FeedState::Ended);
    feed.stop();
}
