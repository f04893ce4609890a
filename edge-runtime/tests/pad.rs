//! `usher pad report` on folders of recordings, with the real detector.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod place;

use place::{Place, picture, skip};

/// The guard asks for a turn of the head; nothing in these recordings turns.
const SETTINGS: &str = "\
[screen_of_another_room]
ignored = true

[liveness]
tries = 1

[liveness.turn]
need = \"required\"

[liveness.turn.rules]
turn_ms = 1000
";

/// A collection of a still picture's recordings: six of a \"person\", six of an attack.
fn collection(place: &Place) -> Option<()> {
    let portrait = picture("obama.jpg")?;
    let portrait = portrait.to_str().unwrap();
    let make = [
        "replay",
        "make",
        "--picture",
        portrait,
        "--out",
        "still",
        "--frames",
        "30",
        "--size",
        "320x240",
    ];
    let made = place.usher(&[&make[..], &["--detector", "models/yunet.onnx"]].concat());
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    std::fs::write(
        place.path("still/challenge.toml"),
        "[turn]\nsides = [\"left\", \"right\"]\n",
    )
    .unwrap();
    for group in [
        "pad/bona-fide/ada",
        "pad/bona-fide/grace",
        "pad/attack/print",
    ] {
        let count = if group.ends_with("print") { 6 } else { 3 };
        for number in 0..count {
            let recording = place.folder(&format!("{group}/{number}"));
            for name in place.names("still") {
                std::fs::hard_link(place.path("still").join(&name), recording.join(&name)).unwrap();
            }
        }
    }
    std::fs::write(place.path("kiosk.toml"), SETTINGS).unwrap();
    Some(())
}

#[test]
fn a_report_counts_what_the_guard_said() {
    let Some(place) = Place::new() else { return };
    let Some(()) = collection(&place) else {
        return skip("no demo pictures; run scripts/setup");
    };
    let report = |more: &[&str]| {
        place.usher(&[&["pad", "report", "pad", "--config", "kiosk.toml"], more].concat())
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let few = report(&[]);
    assert_eq!(few.status.code(), Some(1));
    assert!(
        said(&few).contains("30 presentations or more"),
        "{}",
        said(&few)
    );
    assert!(!place.path("report.json").exists(), "no report, no claim");

    let done = report(&["--rate", "0.5"]);
    assert!(done.status.success(), "{}", said(&done));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    for line in [
        "worst species: print",
        "ACER is not a metric",
        "6 presentations of 2 subjects",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = std::fs::read(place.path("report.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    // Nothing turned: no attack passed, and no person either.
    assert_eq!(json["species"][0]["apcer"]["count"], 0);
    assert_eq!(json["species"][0]["apcer"]["of"], 6);
    assert_eq!(json["bona_fide"]["bpcer"]["rate"], 1.0);
    let whole = json.to_string();
    assert!(
        !whole.contains("ada") && !whole.contains("grace"),
        "people are not named: {whole}"
    );

    let again = report(&["--rate", "0.5"]);
    assert!(said(&again).contains("there already"), "{}", said(&again));
}

#[test]
fn what_is_missing_is_said() {
    let Some(place) = Place::new() else { return };
    let run = |settings: &str| {
        std::fs::write(place.path("kiosk.toml"), settings).unwrap();
        let output = place.usher(&["pad", "report", "nowhere", "--config", "kiosk.toml"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(run("").contains("found all off"));
    assert!(run("[liveness]\ntries = \"two\"").contains("kiosk.toml"));
    assert!(run(SETTINGS).contains("nowhere/bona-fide"));
    assert!(run("[liveness.flash]\nneed = \"optional\"").contains("optional checks alone"));
}
