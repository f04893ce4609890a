//! Each part frozen in turn: the pings stop, and in the end the process.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::*;

/// Names the part that the child's test freezes.
const FROZEN: &str = "USHER_TEST_FROZEN";

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn beat_all(hearts: &Heartbeats, now: Timestamp, but: Option<Part>) {
    for part in Part::ALL {
        if Some(part) != but {
            hearts.beat(part, now);
        }
    }
}

#[test]
fn each_part_counts() {
    for frozen in Part::ALL {
        let hearts = Heartbeats::default();
        let watchdog = Watchdog::new(WatchdogConfig::default(), at(0));
        assert!(matches!(watchdog.judge(&hearts, at(0)), Pulse::Starting(_)));
        beat_all(&hearts, at(1000), Some(frozen));
        assert_eq!(watchdog.judge(&hearts, at(1000)), Pulse::Starting(frozen));
        assert_eq!(
            watchdog.judge(&hearts, at(30_000)),
            Pulse::Stuck(frozen),
            "never began"
        );
        hearts.beat(frozen, at(1000));
        assert_eq!(watchdog.judge(&hearts, at(10_999)), Pulse::Alive);
        beat_all(&hearts, at(10_999), Some(frozen));
        assert_eq!(watchdog.judge(&hearts, at(11_000)), Pulse::Late(frozen));
        beat_all(&hearts, at(30_000), Some(frozen));
        assert_eq!(watchdog.judge(&hearts, at(30_999)), Pulse::Late(frozen));
        assert_eq!(watchdog.judge(&hearts, at(31_000)), Pulse::Stuck(frozen));
        hearts.beat(frozen, at(31_000));
        assert_eq!(watchdog.judge(&hearts, at(31_000)), Pulse::Alive);
    }
}

#[test]
fn the_hard_limit_can_be_off() {
    let config = WatchdogConfig {
        hard_ms: 0,
        ..WatchdogConfig::default()
    };
    let hearts = Heartbeats::default();
    beat_all(&hearts, at(0), None);
    let watchdog = Watchdog::new(config, at(0));
    assert_eq!(
        watchdog.judge(&hearts, at(86_400_000)),
        Pulse::Late(Part::Capture)
    );
}

/// What a service manager hears of this process's test `name`, a line for each state.
fn heard(name: &str, frozen: Part) -> (Vec<String>, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--test-threads=1"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .env(FROZEN, frozen.name())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    // A datagram socket holds few of them: they are read while the child sends.
    loop {
        let ended = child.try_wait().unwrap();
        let mut bytes = [0; 4096];
        while let Ok(count) = socket.recv(&mut bytes) {
            let text = std::str::from_utf8(&bytes[..count]).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
        if let Some(status) = ended {
            return (lines, status.code());
        }
    }
}

#[test]
fn systemd_hears_pings_until_a_part_freezes() {
    for frozen in Part::ALL {
        let (lines, code) = heard("watchdog::tests::child_freezes", frozen);
        assert_eq!(code, Some(0));
        let stands_still = format!("STATUS={} stands still", frozen.name());
        let mut expected = vec![
            "STATUS=waiting for the first progress of capture".to_owned(),
            "READY=1".to_owned(),
            "WATCHDOG=1".to_owned(),
            "STATUS=capture, recognition and screen progress".to_owned(),
        ];
        // Second 2 to second 14: the frozen part last progressed in second 5, and its limit is ten seconds.
        expected.extend(vec!["WATCHDOG=1".to_owned(); 13]);
        expected.push(stands_still);
        assert_eq!(lines, expected, "{frozen:?}");
    }
}

#[test]
#[ignore = "run by systemd_hears_pings_until_a_part_freezes, in a process with a NOTIFY_SOCKET"]
fn child_freezes() {
    let name = std::env::var(FROZEN).unwrap();
    let frozen = Part::ALL.into_iter().find(|part| part.name() == name);
    let hearts = Heartbeats::default();
    let mut watchdog = Watchdog::new(WatchdogConfig::default(), at(0));
    for second in 0..30 {
        let now = at(second * 1000);
        if second > 0 {
            beat_all(&hearts, now, frozen.filter(|_| second > 5));
        }
        watchdog.look(&hearts, now);
    }
}

#[test]
fn a_process_whose_part_is_stuck_ends_itself() {
    std::thread::scope(|scope| {
        for frozen in Part::ALL {
            scope.spawn(move || {
                let (lines, code) = heard("watchdog::tests::child_is_stuck", frozen);
                assert_eq!(code, Some(EXIT_STUCK), "{frozen:?}");
                for expected in ["READY=1", "WATCHDOG=1", "ERRNO=7"] {
                    assert!(
                        lines.iter().any(|line| line == expected),
                        "no {expected}: {lines:?}"
                    );
                }
                let stands_still = format!("STATUS={} stands still", frozen.name());
                assert!(lines.contains(&stands_still), "{lines:?}");
            });
        }
    });
}

/// A clock that runs a hundred times as fast as the device's.
struct Fast(crate::clock::moment::DeviceClocks);

impl Clocks for Fast {
    fn moment(&self) -> crate::clock::moment::Moment {
        self.0.moment()
    }

    fn now(&self) -> Timestamp {
        at(self.0.now().millis() * 100)
    }
}

#[test]
#[ignore = "run by a_process_whose_part_is_stuck_ends_itself, in a process of its own"]
fn child_is_stuck() {
    let name = std::env::var(FROZEN).unwrap();
    let frozen = Part::ALL.into_iter().find(|part| part.name() == name);
    let clocks = Arc::new(Fast(crate::clock::moment::DeviceClocks::new(&[])));
    let hearts = Arc::new(Heartbeats::default());
    beat_all(&hearts, clocks.now(), None);
    // A look takes a tenth of a second, 10 s by the fast clock: it is ready long before it is stuck, which takes 6 s.
    let config = WatchdogConfig {
        capture_ms: 400_000,
        recognition_ms: 400_000,
        screen_ms: 400_000,
        hard_ms: 600_000,
    };
    let watched = Arc::clone(&hearts);
    let guard = Guard::start(config, watched, clocks.clone(), |_| {
        let _ = sd_notify::notify(&[NotifyState::Errno(7)]);
    });
    let _guard = guard.unwrap();
    loop {
        beat_all(&hearts, clocks.now(), frozen);
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn it_looks_often_enough_for_systemd() {
    for (systemd, expected) in [(None, 1000), (Some(30_000), 1000), (Some(1500), 500)] {
        let time = systemd.map(Duration::from_millis);
        assert_eq!(interval(time), Duration::from_millis(expected));
    }
}

#[test]
fn limits_are_checked() {
    let config = WatchdogConfig::default();
    assert!(config.check().is_ok());
    for (wrong, named) in [
        (
            WatchdogConfig {
                screen_ms: 1,
                ..config
            },
            "watchdog.screen_ms = 1",
        ),
        (
            WatchdogConfig {
                hard_ms: 9000,
                ..config
            },
            "watchdog.hard_ms = 9000",
        ),
    ] {
        assert!(wrong.check().unwrap_err().starts_with(named));
    }
}
