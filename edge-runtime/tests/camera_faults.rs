//! A year in a lobby for the capture thread: faulty frames, unplugs, and that nothing of it stays open.
//!
//! One test program with one test at a time: descriptors and threads are counted for the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs::File;
use std::io::Cursor;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use edge_runtime::camera::FAULT_KINDS;
use edge_runtime::camera::feed::{Clock, Feed, FeedState, Steps};
use edge_runtime::camera::orientation::Orientation;
use edge_runtime::camera::pixel_format::{Colors, Negotiated, PixelFormat};
use edge_runtime::camera::source::{Arrived, Opener, Source, SourceError};
use edge_runtime::camera::watch::STALE;
use edge_runtime::clock::Timestamp;
use image::RgbImage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Held by each test: counts are of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

const SIZE: (u32, u32) = (96, 64);

/// A clock that is moved by hand.
#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let time = self.clone();
        Arc::new(move || Timestamp::from_millis(time.now()))
    }
}

fn negotiated(format: PixelFormat) -> Negotiated {
    Negotiated {
        format,
        width_px: SIZE.0,
        height_px: SIZE.1,
        stride_bytes: if format == PixelFormat::Yuyv {
            2 * SIZE.0 as usize
        } else {
            0
        },
        colors: Colors::default(),
        frames_per_second: Some(30.0),
        orientation: Orientation::default(),
        may_repeat: false,
    }
}

/// A picture with noise of its own, as a sensor's.
fn jpeg(random: &mut ChaCha8Rng, (width, height): (u32, u32)) -> Vec<u8> {
    let shade: u8 = random.random();
    let picture = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([
            shade ^ x as u8,
            shade.wrapping_add(y as u8),
            random.random(),
        ])
    });
    let mut bytes = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)
        .unwrap();
    bytes
}

/// What may be wrong with a frame, and the kinds under which it may be counted.
const FAULTS: [(&str, &[&str]); 9] = [
    ("short", &["short"]),
    ("empty", &["empty"]),
    ("noise", &["garbage"]),
    ("garbage entropy", &["garbage", ""]),
    ("wrong size", &["wrong_size"]),
    ("backward stamp", &["out_of_time"]),
    ("stamp from the future", &["out_of_time"]),
    ("duplicate", &["duplicate"]),
    ("marked by the driver", &["marked"]),
];

/// Gives sound frames and faulty ones in turn, as a seed says.
struct Faulty {
    time: Time,
    random: ChaCha8Rng,
    sequence: u32,
    last: Vec<u8>,
    sound: bool,
    script: Arc<Mutex<Vec<usize>>>,
    negotiated: Negotiated,
}

impl Source for Faulty {
    fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn origin(&self) -> &str {
        "faulty"
    }

    fn next(
        &mut self,
        _patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError> {
        self.time.advance(33);
        self.sound = !self.sound;
        let mut arrived = Arrived {
            sequence: Some(self.sequence),
            taken: Some(Timestamp::from_millis(self.time.now() - 5)),
            damaged: false,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut whole = jpeg(&mut self.random, SIZE);
        if !self.sound {
            let fault = self.random.random_range(0..FAULTS.len());
            self.script.lock().unwrap().push(fault);
            match FAULTS[fault].0 {
                "short" => {
                    let length = self.random.random_range(2..whole.len() - 2);
                    whole.truncate(length);
                }
                "empty" => whole.clear(),
                "noise" => {
                    whole.fill_with(|| self.random.random());
                    whole[0] = 0;
                }
                "garbage entropy" => {
                    let (begin, end) = (whole.len() / 2, whole.len() - 2);
                    whole[begin..end].fill_with(|| self.random.random());
                }
                "wrong size" => whole = jpeg(&mut self.random, (SIZE.0 / 2, SIZE.1)),
                "backward stamp" => {
                    arrived.taken = Some(Timestamp::from_millis(self.time.now() - 300));
                }
                "stamp from the future" => {
                    arrived.taken = Some(Timestamp::from_millis(self.time.now() + 3_600_000));
                }
                "duplicate" => whole.clone_from(&self.last),
                _ => arrived.damaged = true,
            }
        }
        if self.sound {
            self.last.clone_from(&whole);
        }
        *bytes = whole;
        Ok(Some(arrived))
    }
}

struct FaultyOpener {
    time: Time,
    script: Arc<Mutex<Vec<usize>>>,
    opened: u64,
}

impl Opener for FaultyOpener {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        self.opened += 1;
        Ok(Box::new(Faulty {
            time: self.time.clone(),
            random: ChaCha8Rng::seed_from_u64(600 + self.opened),
            sequence: u32::MAX - 50,
            last: Vec::new(),
            sound: false,
            script: Arc::clone(&self.script),
            negotiated: negotiated(PixelFormat::Mjpg),
        }))
    }
}

#[test]
fn ten_thousand_faulty_frames() {
    let _alone = alone();
    let time = Time::default();
    time.advance(1_000_000);
    let script = Arc::new(Mutex::new(Vec::new()));
    let opener = FaultyOpener {
        time: time.clone(),
        script: Arc::clone(&script),
        opened: 0,
    };
    let (feed, mut steps) = Feed::stepped(Box::new(opener), Duration::from_secs(3), time.clock());
    let mut last = None;
    let mut handed_out = 0_u64;
    while script.lock().unwrap().len() < 10_000 {
        time.advance(steps.step().as_millis() as u64);
        if let Some(captured) = feed.wait_newer(last, Duration::ZERO) {
            let frame = &captured.frame;
            assert_eq!((frame.width_px(), frame.height_px()), SIZE);
            assert!(Duration::from_millis(time.now() - captured.at.millis()) <= STALE);
            assert!(last.is_none_or(|last| captured.number > last));
            last = Some(captured.number);
            handed_out += 1;
        }
    }
    let counts = feed.counts();
    println!(
        "10,000 faulty among {} frames: {:?}",
        counts.arrived,
        FAULT_KINDS.iter().zip(counts.faulty).collect::<Vec<_>>()
    );
    // Half of all frames are sound, and with them between the faulty ones the camera is never given up.
    assert_eq!(feed.status().state, FeedState::Running);
    assert_eq!(counts.opened, 1);
    let injected = |names: &[&str]| {
        let script = script.lock().unwrap();
        script
            .iter()
            .filter(|fault| names.contains(&FAULTS[**fault].0))
            .count() as u64
    };
    let counted = |kind: &str| {
        let kinds = FAULT_KINDS.iter().zip(counts.faulty);
        kinds
            .into_iter()
            .find(|(name, _)| **name == kind)
            .unwrap()
            .1
    };
    for (kind, names) in [
        ("empty", &["empty"][..]),
        ("short", &["short"]),
        ("wrong_size", &["wrong size"]),
        ("duplicate", &["duplicate"]),
        ("marked", &["marked by the driver"]),
        ("out_of_time", &["backward stamp", "stamp from the future"]),
    ] {
        assert_eq!(counted(kind), injected(names), "{kind}");
    }
    assert_eq!(counted("panicked"), 0);
    // Entropy of noise may by chance be a JPEG of the right size; every other fault is seen.
    let garbled = injected(&["garbage entropy"]);
    let unseen = injected(&["noise"]) + garbled - counted("garbage");
    assert!(unseen <= garbled / 10, "{unseen} of {garbled}");
    assert_eq!(handed_out, counts.taken);
    assert!(handed_out >= 10_000, "{handed_out}");
}

/// A camera that somebody keeps unplugging: it holds a descriptor, as a real one does.
struct Plugged {
    time: Time,
    unplug_at: u64,
    next_error: Option<rustix::io::Errno>,
    sequence: u32,
    random: ChaCha8Rng,
    first_after: u64,
    negotiated: Negotiated,
    _device: File,
}

impl Source for Plugged {
    fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    fn origin(&self) -> &str {
        "plugged"
    }

    fn next(
        &mut self,
        patience: Duration,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Arrived>, SourceError> {
        if self.time.now() >= self.unplug_at {
            let Some(errno) = self.next_error else {
                // It only falls silent.
                self.time.advance(patience.as_millis() as u64);
                return Ok(None);
            };
            return Err(match errno {
                rustix::io::Errno::NODEV => SourceError::Gone {
                    place: "plugged".to_owned(),
                },
                errno => SourceError::Driver {
                    place: "plugged".to_owned(),
                    deed: "give a frame",
                    reason: errno.into(),
                },
            });
        }
        // The first frame takes longer, as with every camera.
        self.time.advance(if self.sequence == 0 {
            self.first_after
        } else {
            33
        });
        bytes.clear();
        bytes.resize((2 * SIZE.0 * SIZE.1) as usize, 0);
        self.random.fill(&mut bytes[..]);
        let sequence = self.sequence;
        self.sequence += 1;
        Ok(Some(Arrived {
            sequence: Some(sequence),
            taken: Some(Timestamp::from_millis(self.time.now())),
            damaged: false,
        }))
    }
}

/// When the camera is there again, and how it will be lost the next time.
struct Socket {
    time: Time,
    back_at: Arc<AtomicU64>,
    random: ChaCha8Rng,
}

impl Opener for Socket {
    fn open(&mut self) -> Result<Box<dyn Source>, SourceError> {
        // To open a camera takes time, whether it is there or not.
        self.time.advance(self.random.random_range(1..60));
        if self.time.now() < self.back_at.load(Ordering::Relaxed) {
            return Err(SourceError::Gone {
                place: "plugged".to_owned(),
            });
        }
        let errors = [
            Some(rustix::io::Errno::NODEV),
            Some(rustix::io::Errno::IO),
            Some(rustix::io::Errno::INVAL),
            None,
        ];
        Ok(Box::new(Plugged {
            time: self.time.clone(),
            unplug_at: self.time.now() + self.random.random_range(1000..4000),
            next_error: errors[self.random.random_range(0..errors.len())],
            sequence: 0,
            random: ChaCha8Rng::seed_from_u64(self.random.random()),
            first_after: self.random.random_range(33..700),
            negotiated: negotiated(PixelFormat::Yuyv),
            _device: File::open("/dev/null").unwrap(),
        }))
    }
}

/// Open descriptors of this program.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Its capture threads; the test program's own threads come and go.
fn capturing() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.trim() == "camera")
        .count()
}

/// Fails unless as many descriptors are open as before and no thread captures. A thread that was joined
/// is listed a moment longer: the kernel wakes who waits for it before it takes it off the list.
fn assert_nothing_stayed(open_before: usize) {
    let until = Instant::now() + Duration::from_secs(5);
    while capturing() > 0 && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!((descriptors(), capturing()), (open_before, 0));
}

/// One test at a time, for they count what the process holds; one that failed lets the others go on.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_all(time: &Time, feed: &Feed, steps: &mut Steps, last: &mut Option<u64>) {
    time.advance(steps.step().as_millis() as u64);
    if let Some(captured) = feed.wait_newer(*last, Duration::ZERO) {
        *last = Some(captured.number);
    }
}

#[test]
fn a_thousand_unplugs() {
    let _alone = alone();
    let time = Time::default();
    time.advance(1_000_000);
    let back_at = Arc::new(AtomicU64::new(0));
    let socket = Socket {
        time: time.clone(),
        back_at: Arc::clone(&back_at),
        random: ChaCha8Rng::seed_from_u64(601),
    };
    let (feed, mut steps) = Feed::stepped(Box::new(socket), Duration::from_secs(3), time.clock());
    let mut random = ChaCha8Rng::seed_from_u64(602);
    let mut last = None;
    while feed.status().state != FeedState::Running {
        take_all(&time, &feed, &mut steps, &mut last);
    }
    let before = descriptors();
    let (mut recoveries, mut noticed) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        while feed.status().state == FeedState::Running {
            take_all(&time, &feed, &mut steps, &mut last);
        }
        noticed.push(time.now() - feed.counts().last_frame_ms);
        // It stays away for up to 20 s; a quarter are back at once.
        let away = random.random_range(0..20_000_u64).saturating_sub(5000);
        let back = time.now() + away;
        back_at.store(back, Ordering::Relaxed);
        while feed.status().state != FeedState::Running {
            take_all(&time, &feed, &mut steps, &mut last);
        }
        recoveries.push(time.now().saturating_sub(back));
    }
    recoveries.sort_unstable();
    noticed.sort_unstable();
    let p99 = recoveries[989];
    println!(
        "1,000 unplugs: recovery p50 {} ms, p99 {p99} ms, worst {} ms; noticed after at most {} ms",
        recoveries[499], recoveries[999], noticed[999]
    );
    assert!(p99 < 2000, "{p99} ms");
    assert!(noticed[999] < 1000, "{} ms", noticed[999]);
    assert_nothing_stayed(before);
    assert!(feed.counts().recovered >= 1000);
    assert!(feed.counts().opened >= 1001);
}

#[test]
fn threads_end_and_nothing_stays_open() {
    let _alone = alone();
    let before = descriptors();
    for number in 0..200 {
        let time = Time::default();
        time.advance(1_000_000);
        let socket = Socket {
            time: time.clone(),
            back_at: Arc::default(),
            random: ChaCha8Rng::seed_from_u64(number),
        };
        let feed = Feed::start(Box::new(socket), Duration::from_secs(3), time.clock()).unwrap();
        let frame = feed.wait_newer(None, Duration::from_secs(60));
        assert!(frame.is_some() || feed.counts().stale > 0);
        if number % 2 == 0 {
            feed.stop();
        }
    }
    assert_nothing_stayed(before);
}
