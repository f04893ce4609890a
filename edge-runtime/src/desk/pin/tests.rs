//! Guessing at the gate: tries, waits, reboots, clocks, power cuts.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::lockout::{FIRST_WAIT, FREE_TRIES, LONGEST_WAIT, wait_after};
use super::operators::{Costs, TOKEN_DIGITS};
use super::*;

/// A folder with one operator, whose hash costs nearly nothing.
struct Desk {
    _folder: tempfile::TempDir,
    path: PathBuf,
    now: Uptime,
}

const CHEAP: Costs = Costs {
    memory_kib: 8,
    passes: 1,
};
const RIGHT: &str = "730418";

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operators.toml");
        let mut operators = Operators::none(CHEAP).unwrap();
        operators.set_pin("Ada", &Secret::new(RIGHT)).unwrap();
        operators.write(&path).unwrap();
        let now = Uptime {
            boot: "first".to_owned(),
            since: Duration::from_secs(100),
        };
        let desk = Self {
            _folder: folder,
            path,
            now,
        };
        Lockout::beside(&desk.path).clear(&desk.now).unwrap();
        desk
    }

    fn gate(&self) -> Gate {
        Gate::open(&self.path, &self.now).unwrap()
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    fn reboot(&mut self, boot: &str) {
        self.now = Uptime {
            boot: boot.to_owned(),
            since: Duration::from_secs(20),
        };
    }

    fn verify(&self, text: &str) -> Result<String, PinRefusal> {
        self.gate().verify(&self.now, &Secret::new(text)).unwrap()
    }

    fn left(&self) -> Duration {
        self.gate().left(&self.now).unwrap()
    }
}

fn wait(seconds: u64) -> Result<String, PinRefusal> {
    Err(PinRefusal::Wait {
        left: Duration::from_secs(seconds),
    })
}

fn wrong(tries_left: u32) -> Result<String, PinRefusal> {
    Err(PinRefusal::Wrong { tries_left })
}

#[test]
fn weak_pins_are_refused() {
    for (pin, expected) in [
        ("0000", Err(WeakPin::Trivial)),
        ("1234", Err(WeakPin::Trivial)),
        ("4321", Err(WeakPin::Trivial)),
        ("7890", Err(WeakPin::Trivial)),
        ("2468", Err(WeakPin::Trivial)),
        ("1122", Err(WeakPin::Trivial)),
        ("1212", Err(WeakPin::Trivial)),
        ("123123", Err(WeakPin::Trivial)),
        ("456745674567", Err(WeakPin::Trivial)),
        ("1984", Err(WeakPin::Trivial)),
        ("2580", Err(WeakPin::Trivial)),
        ("", Err(WeakPin::Form)),
        ("739", Err(WeakPin::Form)),
        ("7304185926103", Err(WeakPin::Form)),
        ("73o4", Err(WeakPin::Form)),
        ("٧٣٠٤", Err(WeakPin::Form)),
        ("7304", Ok(())),
        ("198407", Ok(())),
        ("730418592610", Ok(())),
    ] {
        assert_eq!(check(&Secret::new(pin)), expected, "{pin}");
    }
}

#[test]
fn each_operator_has_their_own() {
    let mut operators = Operators::none(CHEAP).unwrap();
    operators.set_pin("Ada", &Secret::new("7304")).unwrap();
    operators.set_pin(" Bob ", &Secret::new("5926")).unwrap();
    let token = operators.set_token("Bob").unwrap();
    assert_eq!(token.len(), TOKEN_DIGITS);
    for (text, whose) in [
        ("7304", Some("Ada")),
        ("5926", Some("Bob")),
        (token.as_str(), Some("Bob")),
        (&token.to_uppercase(), Some("Bob")),
        (&format!(" {}\n", token.as_str()), Some("Bob")),
        ("73040", None),
        ("", None),
        (&"0".repeat(TOKEN_DIGITS), None),
        (&format!("{}0", token.as_str()), None),
        (&"x".repeat(500), None),
    ] {
        assert_eq!(
            operators.whose(&Secret::new(text)).as_deref(),
            whose,
            "{text}"
        );
    }
    assert!(matches!(
        operators.set_pin("Bob", &Secret::new("7304")),
        Err(PinError::Taken)
    ));
    operators.set_pin("Ada", &Secret::new("7304")).unwrap();
    operators.set_pin("Ada", &Secret::new("8305")).unwrap();
    assert_eq!(
        operators.whose(&Secret::new("7304")),
        None,
        "the old one is gone"
    );
    operators.remove("Bob").unwrap();
    assert_eq!(operators.whose(&Secret::new(&token)), None);
    assert!(matches!(
        operators.remove("Bob"),
        Err(PinError::NoSuchOperator)
    ));
    for name in ["", " ", "a\nb", &"x".repeat(201)] {
        assert!(matches!(
            operators.set_pin(name, &Secret::new("9471")),
            Err(PinError::Name)
        ));
    }
}

#[test]
fn five_tries_then_growing_waits() {
    let mut desk = Desk::new();
    for tries_left in [4, 3, 2, 1] {
        assert_eq!(desk.verify("0001"), wrong(tries_left));
    }
    for seconds in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
        assert_eq!(desk.verify("0001"), wait(seconds));
        desk.pass(seconds - 1);
        assert_eq!(desk.verify(RIGHT), wait(1), "the right one has to wait too");
        desk.pass(1);
    }
    assert_eq!(desk.verify(RIGHT), Ok("Ada".to_owned()));
    assert_eq!(desk.verify("0001"), wrong(4), "the count began anew");
    assert_eq!(wait_after(FREE_TRIES - 1), Duration::ZERO);
    assert_eq!(wait_after(FREE_TRIES), FIRST_WAIT);
    assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
}

#[test]
fn a_reboot_draws_the_wait_out_and_never_shortens_it() {
    let mut desk = Desk::new();
    for _ in 0..FREE_TRIES + 2 {
        while !desk.left().is_zero() {
            desk.pass(1);
        }
        let _ = desk.verify("0001");
    }
    assert_eq!(desk.left(), Duration::from_secs(120));
    // A boot that has lasted longer than the one in which the wait began has not served it.
    for hours in [1, 1000] {
        desk.now = Uptime {
            boot: format!("{hours} hours old"),
            since: Duration::from_secs(hours * 3600),
        };
        assert_eq!(desk.left(), Duration::from_secs(120), "{hours} hours");
    }
    desk.pass(119);
    for boot in ["second", "third", "fourth"] {
        // The uptime is smaller or larger than that of the wait's beginning: it does not matter.
        desk.reboot(boot);
        assert_eq!(desk.left(), Duration::from_secs(120), "{boot}");
        desk.pass(100_000 * u64::from(boot == "third"));
        if boot == "third" {
            assert_eq!(desk.left(), Duration::ZERO, "served in one boot");
            assert_eq!(
                desk.verify("0001"),
                wait(240),
                "the count outlived the reboots"
            );
            desk.reboot("third again");
            assert_eq!(desk.left(), Duration::from_secs(240));
            break;
        }
    }
    // The program starts again within one boot: the wait goes on and does not begin anew.
    desk.pass(40);
    assert_eq!(desk.left(), Duration::from_secs(200));
    // An uptime that fell within one boot does not exist; where it does, the wait begins anew.
    desk.now.since = Duration::from_secs(1);
    assert_eq!(desk.left(), Duration::from_secs(240));
}

#[test]
fn tries_before_the_wait_outlive_a_reboot() {
    let mut desk = Desk::new();
    for (boot, expected) in [
        ("a", wrong(4)),
        ("b", wrong(3)),
        ("c", wrong(2)),
        ("d", wrong(1)),
        ("e", wait(30)),
    ] {
        desk.reboot(boot);
        assert_eq!(desk.verify("0001"), expected, "{boot}");
    }
}

#[test]
fn the_wall_clock_is_not_asked() {
    // `Uptime` is all the time there is: a wall clock that jumps by ten years cannot even be handed in. What remains is
    // to see that nothing reads one behind its back: the file's time of change may lie anywhere.
    let mut desk = Desk::new();
    for _ in 0..FREE_TRIES {
        let _ = desk.verify("0001");
    }
    let tries = Lockout::beside(&desk.path);
    for years in [-10_i64, 10] {
        let jumped = std::time::SystemTime::now();
        let by = Duration::from_secs(10 * 365 * 86_400);
        let jumped = if years < 0 { jumped - by } else { jumped + by };
        let file = std::fs::File::options()
            .write(true)
            .open(tries.path())
            .unwrap();
        file.set_modified(jumped).unwrap();
        assert_eq!(desk.left(), Duration::from_secs(30), "{years} years");
        assert_eq!(desk.verify(RIGHT), wait(30), "{years} years");
    }
    desk.pass(30);
    assert_eq!(desk.verify(RIGHT), Ok("Ada".to_owned()));
}

#[test]
fn a_try_is_on_disk_before_it_is_compared() {
    let desk = Desk::new();
    let tries = Lockout::beside(&desk.path);
    for failures in 1..=FREE_TRIES {
        let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            tries.attempt(&desk.now, || -> Option<()> {
                assert_eq!(tries.look(&desk.now).failures, failures);
                // The power is cut while the right PIN is being compared.
                std::panic::resume_unwind(Box::new("power cut"));
            })
        }));
        assert!(cut.is_err());
        assert_eq!(tries.look(&desk.now).failures, failures, "and stays there");
    }
    assert_eq!(desk.verify(RIGHT), wait(30));
}

#[test]
fn without_a_whole_file_of_tries_the_wait_is_the_longest() {
    for (name, damage) in [
        ("missing", None),
        ("empty", Some("")),
        ("garbage", Some("\u{0}\u{1}garbage")),
        (
            "another version",
            Some("usher-pin-tries-2 00\nfailures = 0\n"),
        ),
        (
            "no digest",
            Some("usher-pin-tries-1 \nfailures = 0\nboot = \"first\"\nsince_ms = 0\n"),
        ),
    ] {
        let mut desk = Desk::new();
        let tries = Lockout::beside(&desk.path);
        match damage {
            None => std::fs::remove_file(tries.path()).unwrap(),
            Some(text) => std::fs::write(tries.path(), text).unwrap(),
        }
        assert_eq!(desk.verify(RIGHT), wait(3600), "{name}");
        desk.pass(1800);
        assert_eq!(desk.left(), Duration::from_secs(1800), "{name}: it runs");
        desk.pass(1800);
        assert_eq!(desk.verify("0001"), wait(3600), "{name}: one try, not five");
        desk.pass(3600);
        assert_eq!(desk.verify(RIGHT), Ok("Ada".to_owned()), "{name}");
    }
}

#[test]
fn every_flipped_bit_is_noticed_or_harmless() {
    let desk = Desk::new();
    for _ in 0..FREE_TRIES {
        let _ = desk.verify("0001");
    }
    let tries = Lockout::beside(&desk.path);
    let whole = std::fs::read(tries.path()).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(tries.path(), &flipped).unwrap();
        assert!(tries.look(&desk.now).left >= FIRST_WAIT, "bit {bit}");
    }
}

#[test]
fn a_count_that_cannot_be_written_lets_nobody_in() {
    let desk = Desk::new();
    let gate = desk.gate();
    // Replacing a folder that is not empty fails, for root too.
    let tries = Lockout::beside(&desk.path);
    std::fs::remove_file(tries.path()).unwrap();
    std::fs::create_dir_all(tries.path().join("occupied")).unwrap();
    let error = gate.verify(&desk.now, &Secret::new(RIGHT)).unwrap_err();
    assert!(matches!(error, PinError::File { .. }), "{error}");
    assert!(error.to_string().contains("; check disk"), "{error}");
}

#[test]
fn operators_that_cannot_be_trusted_are_refused() {
    let desk = Desk::new();
    let gate = desk.gate();
    let verify = || gate.verify(&desk.now, &Secret::new(RIGHT));
    let set_mode = |mode| {
        std::fs::set_permissions(&desk.path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let text = std::fs::read_to_string(&desk.path).unwrap();
    assert_eq!(
        std::fs::metadata(&desk.path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    set_mode(0o640);
    assert!(matches!(
        verify(),
        Err(PinError::Readable { mode: 0o640, .. })
    ));
    set_mode(0o600);
    for (name, content) in [
        ("empty", String::new()),
        (
            "costly",
            text.replace("memory_kib = 8", "memory_kib = 4000000"),
        ),
        ("slow", text.replace("passes = 1", "passes = 4000000")),
        ("unknown key", format!("{text}admin = true\n")),
        ("another version", text.replace("format = 1", "format = 2")),
    ] {
        std::fs::write(&desk.path, content).unwrap();
        let error = verify().unwrap_err();
        assert!(matches!(error, PinError::Content { .. }), "{name}: {error}");
        assert!(!error.to_string().contains("Ada"), "{name}: {error}");
    }
    std::fs::remove_file(&desk.path).unwrap();
    assert!(matches!(verify(), Err(PinError::NoOperators { .. })));
    let tries = Lockout::beside(&desk.path).look(&desk.now);
    assert_eq!(tries.failures, 0, "no try is lost to a broken file");
}

#[test]
fn nothing_of_a_pin_is_shown() {
    let mut operators = Operators::none(CHEAP).unwrap();
    operators.set_pin("Ada", &Secret::new(RIGHT)).unwrap();
    let shown = format!("{:?} {:?}", Secret::new(RIGHT), operators);
    assert_eq!(shown, "Secret(..) Operators(1)");
    for error in [
        operators.set_pin("Eve", &Secret::new(RIGHT)).unwrap_err(),
        operators.set_pin("Eve", &Secret::new("1111")).unwrap_err(),
    ] {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(RIGHT) && !shown.contains("1111"), "{shown}");
    }
}

/// Somebody stands at the kiosk day and night, tries whenever it lets them, and pulls the plug in between.
#[test]
fn brute_force_is_bounded() {
    for (name, reboots) in [("patient", false), ("pulling the plug", true)] {
        let mut desk = Desk::new();
        let gate = desk.gate();
        let (mut days, mut boots) = (Vec::new(), 0);
        for _day in 0..7 {
            let (mut tries, mut second) = (0, 0);
            while second < 86_400 {
                let left = gate.left(&desk.now).unwrap();
                if left.is_zero() {
                    let refused = gate.verify(&desk.now, &Secret::new("0001")).unwrap();
                    assert!(refused.is_err());
                    tries += 1;
                    // Ten digits and Enter by a machine.
                    desk.pass(1);
                    second += 1;
                } else if reboots && tries % 3 == 0 && boots % 5 != 0 {
                    boots += 1;
                    desk.reboot(&format!("boot {boots}"));
                    second += 30;
                } else {
                    boots += 1;
                    desk.pass(left.as_secs().max(1));
                    second += left.as_secs().max(1);
                }
            }
            days.push(tries);
        }
        println!("brute force, {name}: tries on each of seven days: {days:?}");
        assert!(days[0] <= 36, "{name}: {days:?}");
        assert!(
            days[1..].iter().all(|&tries| tries <= 25),
            "{name}: {days:?}"
        );
    }
}
