//! The whole kiosk, as a process: what becomes of it when a thread of it stands still, or when it hardly gets to run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod place;

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use place::{Place, picture, skip};
use shared::manifest::ModelManifest;

/// Limits as short as they may be, so that a test need not wait for half a minute.
const SETTINGS: &str = "
[watchdog]
capture_ms = 1500
recognition_ms = 1500
screen_ms = 1500
hard_ms = 4000
[metrics]
socket = \"usher.sock\"
[events]
path = \"events.jsonl\"
";

/// How the watchdog ends a process that stands still.
const EXIT_STUCK: i32 = 70;

/// A supervisor as systemd is one: what the process tells it.
struct Supervisor {
    socket: UnixDatagram,
}

impl Supervisor {
    fn at(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        Self { socket }
    }

    /// Whether a ping comes within this time.
    fn hears_a_ping(&self, within: Duration) -> bool {
        let begin = Instant::now();
        let mut bytes = [0; 4096];
        while begin.elapsed() < within {
            if let Ok(length) = self.socket.recv(&mut bytes)
                && String::from_utf8_lossy(&bytes[..length]).contains("WATCHDOG=1")
            {
                return true;
            }
        }
        false
    }
}

/// Starts the kiosk on a recording, with what is above as settings.
fn start(place: &Place, recording: &str, notify: &Path) -> Child {
    std::fs::write(place.path("kiosk.toml"), SETTINGS).unwrap();
    Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["run", "--config", "kiosk.toml", "--screen", "none"])
        .args(["--camera", &format!("replay:{recording}")])
        .args(["--gallery", "people.gallery"])
        .args(["--model", "models/usher-small.toml"])
        .args(["--detector", "models/yunet.onnx"])
        .current_dir(place.path(""))
        .env("USHER_KEY", place.key())
        .env("NOTIFY_SOCKET", notify)
        .env("WATCHDOG_USEC", "1000000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn recorded(place: &Place, name: &str, what: &[&str], frames: u32, rate: &str) {
    let frames = frames.to_string();
    let make = ["replay", "make", "--out", name, "--frames", &frames];
    let more = [
        "--fps",
        rate,
        "--size",
        "640x360",
        "--detector",
        "models/yunet.onnx",
    ];
    let output = place.usher(&[&make[..], what, &more].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// The thread of this name; the main thread for none.
fn thread(process: u32, name: Option<&str>) -> Option<Pid> {
    let Some(name) = name else {
        return Some(Pid::from_raw(process as i32));
    };
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    tasks.flatten().find_map(|task| {
        let called = std::fs::read_to_string(task.path().join("comm")).ok()?;
        let number = task.file_name().to_str()?.parse().ok()?;
        (called.trim() == name).then(|| Pid::from_raw(number))
    })
}

#[test]
fn each_thread_that_stands_still_is_noticed() {
    let Some(place) = Place::new() else { return };
    let manifest = ModelManifest::read(&place.manifest()).unwrap();
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));
    recorded(&place, "nobody", &["--empty"], 600, "10");
    let notify = place.path("notify");
    for (name, ends_itself) in [
        (Some("camera"), true),
        (Some("recognition"), true),
        (Some("screen"), true),
        (None, true),
        // Nobody is left inside to end the process: that is the supervisor's.
        (Some("watchdog"), false),
    ] {
        let supervisor = Supervisor::at(&notify);
        let mut kiosk = start(&place, "nobody", &notify);
        let who = name.unwrap_or("main");
        assert!(
            supervisor.hears_a_ping(Duration::from_secs(60)),
            "{who}: the kiosk did not start"
        );
        let frozen = thread(kiosk.id(), name).unwrap_or_else(|| panic!("no thread {who}"));
        if let Err(error) = ptrace::seize(frozen, ptrace::Options::empty()) {
            kiosk.kill().unwrap();
            kiosk.wait().unwrap();
            return skip(&format!(
                "threads of a child cannot be stopped here: {error}"
            ));
        }
        ptrace::interrupt(frozen).unwrap();
        // That it has stopped is told once, and must not be taken for the end of the process.
        waitpid(frozen, Some(WaitPidFlag::__WALL)).unwrap();
        let frozen_at = Instant::now();
        // What was sent before, and until the limit is over, may still come; then silence.
        std::thread::sleep(Duration::from_millis(1500));
        while supervisor.hears_a_ping(Duration::from_millis(700)) {
            let long = frozen_at.elapsed();
            assert!(
                long < Duration::from_secs(20),
                "{who} is frozen and pings go on"
            );
        }
        // Threads that are held are this process's to reap.
        let reap = || {
            if name.is_some() {
                let _ = waitpid(frozen, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG));
            }
        };
        let end = Instant::now() + Duration::from_secs(20);
        let ended = loop {
            reap();
            match kiosk.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > end || !ends_itself => break None,
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        match (ends_itself, ended) {
            (true, Some(status)) => assert_eq!(status.code(), Some(EXIT_STUCK), "{who}"),
            (true, None) => panic!("{who} is frozen and the process goes on"),
            (false, ended) => {
                assert_eq!(ended, None, "{who}");
                kiosk.kill().unwrap();
                let _ = waitpid(frozen, Some(WaitPidFlag::__WALL));
                kiosk.wait().unwrap();
            }
        }
    }
}

/// The value of a metric in Prometheus' text.
fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line[name.len()..].trim().parse().unwrap()
}

#[test]
fn a_tenth_of_the_processor_drops_frames_and_decides_on_nothing_old() {
    let Some(place) = Place::new() else { return };
    let Some(face) = picture("obama.jpg") else {
        return skip("no picture of a face is here; run scripts/setup");
    };
    let manifest = ModelManifest::read(&place.manifest()).unwrap();
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));
    recorded(
        &place,
        "visit",
        &["--picture", face.to_str().unwrap()],
        900,
        "30",
    );
    let notify = place.path("notify");
    let supervisor = Supervisor::at(&notify);
    let mut kiosk = start(&place, "visit", &notify);
    assert!(supervisor.hears_a_ping(Duration::from_secs(60)));
    let process = Pid::from_raw(kiosk.id() as i32);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(12) {
        kill(process, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(45));
        kill(process, Signal::SIGCONT).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = place.usher(&["status", "--metrics", "--socket", "usher.sock"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let pings = supervisor.hears_a_ping(Duration::from_secs(10));
    kiosk.kill().unwrap();
    kiosk.wait().unwrap();

    let (frames, dropped) = (
        metric(&text, "usher_frames_total "),
        metric(&text, "usher_frames_dropped_total "),
    );
    let depth = metric(&text, "usher_queue_depth ");
    let of = |bound: &str| {
        metric(
            &text,
            &format!("usher_stage_seconds_bucket{{stage=\"decision\",le=\"{bound}\"}} "),
        )
    };
    let memory = metric(&text, "usher_resident_memory_bytes ");
    println!(
        "{frames} frames, {dropped} dropped, {depth} waiting; {} decisions, {} of them on frames of up to 0.5 s; {memory} bytes",
        of("+Inf"),
        of("0.5"),
    );
    assert!(frames > 50.0 && dropped > frames / 4.0);
    assert!(depth <= 1.0);
    // A frame's age is asked just before its answer counts; to note how long it took comes after, and may be stopped once
    // more.
    assert_eq!(of("1"), of("+Inf"));
    assert!(memory < 200e6);
    assert!(pings, "a slow kiosk is no stuck one");
}
