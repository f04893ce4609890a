//! `usher pin`: what it prints and writes, and what it refuses, by the real program.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use edge_runtime::desk::pin::lockout::Lockout;
use edge_runtime::desk::pin::uptime::Uptime;
use edge_runtime::desk::pin::{Gate, Secret};
use edge_runtime::desk::view::PinRefusal;

/// A folder of its own, and the file of operators in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn operators(&self) -> PathBuf {
        self.folder.path().join("made/operators.toml")
    }

    /// `usher pin` with this on standard input.
    fn pin(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("pin")
            .args(arguments)
            .arg("--operators")
            .arg(self.operators())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn done(&self, arguments: &[&str], input: &str) -> String {
        let output = self.pin(arguments, input);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {message}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], input: &str) -> String {
        let output = self.pin(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("; "), "no remedy: {message}");
        message
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn operators_come_and_go() {
    let place = Place::new();
    place.done(&["set", "Ada", "--stdin"], "730418\n");
    let token = place.done(&["token", "Bob"], "");
    let token = token.trim();
    assert_eq!(token.len(), 32);
    let tries = Lockout::beside(&place.operators());
    for path in [place.operators().as_path(), tries.path()] {
        assert_eq!(mode(path), 0o600, "{}", path.display());
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("730418") && !text.contains(token));
    }
    assert_eq!(mode(place.operators().parent().unwrap()), 0o700);

    let now = Uptime::now();
    let gate = Gate::open(&place.operators(), &now).unwrap();
    let whose = |text: &str| gate.verify(&now, &Secret::new(text)).unwrap();
    let started = Instant::now();
    assert_eq!(whose("730418"), Ok("Ada".to_owned()));
    println!("a comparison took {} ms", started.elapsed().as_millis());
    assert_eq!(whose(token), Ok("Bob".to_owned()));

    for tries_left in [4, 3, 2, 1] {
        assert_eq!(whose("730419"), Err(PinRefusal::Wrong { tries_left }));
    }
    let left = Duration::from_secs(30);
    assert_eq!(whose("730419"), Err(PinRefusal::Wait { left }));
    assert_eq!(whose("730418"), Err(PinRefusal::Wait { left }));
    let report: serde_json::Value =
        serde_json::from_str(&place.done(&["check-state", "--json"], "")).unwrap();
    assert_eq!(report["wrong_tries"], 5);
    assert_eq!(report["tries_file_whole"], true);
    assert_eq!(report["memory_kib"], 19 << 10);
    assert_eq!(report["operators"][0]["name"], "Ada");
    assert_eq!(report["operators"][1]["token"], true);
    let text = place.done(&["check-state"], "");
    assert!(
        text.contains("Ada, by PIN") && text.contains("Bob, by token"),
        "{text}"
    );
    assert!(text.contains("5 wrong ones, wait for"), "{text}");

    // The kiosk that is running learns of it at its next try.
    place.done(&["clear"], "");
    assert_eq!(whose("730418"), Ok("Ada".to_owned()));
    place.done(&["remove", "Ada"], "");
    assert_eq!(whose("730418"), Err(PinRefusal::Wrong { tries_left: 4 }));

    // Another operator does not set the tries back, and a lost file of tries is no reset.
    place.done(&["set", "Cid", "--stdin"], "5926\n");
    assert_eq!(whose("0000"), Err(PinRefusal::Wrong { tries_left: 3 }));
    std::fs::remove_file(tries.path()).unwrap();
    place.done(&["set", "Cid", "--stdin"], "6927\n");
    let left = Duration::from_secs(3600);
    assert_eq!(whose("6927"), Err(PinRefusal::Wait { left }));
}

#[test]
fn only_an_operator_records() {
    let place = Place::new();
    let record = |input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
            .args(["record", "--camera", "v4l:/dev/no-camera", "--seconds", "1"])
            .args(["--out", "visit", "--stdin", "--operators"])
            .arg(place.operators())
            .current_dir(place.folder.path())
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(!place.folder.path().join("visit").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = record("730418\n");
    assert!(told.contains("run usher pin set NAME"), "{told}");
    place.done(&["set", "Ada", "--stdin"], "730418\n");
    let told = record("730419\n");
    assert!(told.contains("expected an operator's PIN"), "{told}");
    // The right one gets as far as the camera, which is not there.
    let told = record("730418\n");
    assert!(told.contains("no-camera"), "{told}");
}

#[test]
fn what_is_no_good_is_refused_and_changes_nothing() {
    let place = Place::new();
    for (arguments, input, words) in [
        (vec!["check-state"], "", "run usher pin set NAME"),
        (vec!["clear"], "", "run usher pin set NAME"),
        (vec!["remove", "Ada"], "", "run usher pin set NAME"),
        (vec!["set", "Ada", "--stdin"], "1234\n", "first to be tried"),
        (vec!["set", "Ada", "--stdin"], "", "4 to 12 digits"),
        (vec!["set", " ", "--stdin"], "730418\n", "operator's name"),
        (vec!["set", "Ada"], "730418\n", "say --stdin"),
    ] {
        let message = place.refused(&arguments, input);
        assert!(message.contains(words), "{arguments:?}: {message}");
        assert!(
            !message.contains("1234") && !message.contains("730418"),
            "{message}"
        );
        assert!(!place.operators().exists(), "{arguments:?}");
    }
    place.done(&["set", "Ada", "--stdin"], "730418");
    let before = std::fs::read(place.operators()).unwrap();
    let message = place.refused(&["set", "Bob", "--stdin"], "730418");
    assert!(
        message.contains("no other operator") && !message.contains("Ada"),
        "{message}"
    );
    let message = place.refused(&["remove", "Bob"], "");
    assert!(message.contains("usher pin check-state"), "{message}");
    assert_eq!(std::fs::read(place.operators()).unwrap(), before);
}
