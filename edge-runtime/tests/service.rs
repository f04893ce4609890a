//! What an installer asks of a kiosk: its settings, its status, its doctor.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod place;

use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use place::Place;
use serde_json::Value;
use shared::manifest::ModelManifest;

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn settings_are_checked_before_they_are_installed() {
    let Some(place) = Place::new() else { return };
    let (defaults, _) = texts(&place.usher(&["config", "show", "--default"]));
    std::fs::write(place.path("kiosk.toml"), &defaults).unwrap();
    let output = place.usher(&["config", "check", "kiosk.toml"]);
    let (told, error) = texts(&output);
    assert!(output.status.success(), "{error}");
    assert_eq!(
        told,
        "kiosk.toml: the settings can be used, all of them defaults\n"
    );
    let changed = defaults.replace("greeting_ms = 4000", "greeting_ms = 5000");
    std::fs::write(place.path("kiosk.toml"), &changed).unwrap();
    let (told, _) = texts(&place.usher(&["config", "check", "kiosk.toml"]));
    assert!(
        told.ends_with("1 differs from the defaults\n  session.greeting_ms\n"),
        "{told}"
    );
    let (shown, _) = texts(&place.usher(&["config", "show", "kiosk.toml"]));
    assert!(shown.contains("greeting_ms = 5000"), "{shown}");
    for (wrong, named) in [
        (
            "[session]\ngreting_ms = 1",
            "session.greting_ms (is session.greeting_ms meant?) in line 2",
        ),
        (
            "[door]\npulse_ms = 5",
            "door.pulse_ms = 5, which is not from 50 to 60000",
        ),
        ("[mqtt", "kiosk.toml"),
    ] {
        std::fs::write(place.path("kiosk.toml"), wrong).unwrap();
        let output = place.usher(&["config", "check", "kiosk.toml"]);
        let (_, error) = texts(&output);
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(error.contains(named), "{wrong}: {error}");
    }
}

#[test]
fn a_kiosk_that_does_not_run_has_no_status() {
    let Some(place) = Place::new() else { return };
    let output = place.usher(&["status", "--socket", "usher.sock"]);
    let (told, error) = texts(&output);
    assert_eq!((output.status.code(), told.as_str()), (Some(1), ""));
    assert!(
        error.contains("usher.sock") && error.contains("start it"),
        "{error}"
    );
}

/// The level of each check, and whether any failed by the exit status.
fn doctor(place: &Place, more: &[&str]) -> (Value, Output) {
    let arguments = [
        "doctor",
        "--json",
        "--model",
        "models/usher-small.toml",
        "--detector",
        "models/yunet.onnx",
        "--gallery",
        "people.gallery",
    ];
    let output = place.usher(&[&arguments[..], more].concat());
    let checks = serde_json::from_slice(&output.stdout).unwrap();
    (checks, output)
}

fn level(checks: &Value, name: &str) -> String {
    let mut found = checks.as_array().unwrap().iter();
    let check = found.find(|check| check["name"] == name);
    check.unwrap_or_else(|| panic!("no {name} in {checks:#}"))["level"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_doctor_finds_what_is_wrong() {
    let Some(place) = Place::new() else { return };
    let manifest = ModelManifest::read(&place.manifest()).unwrap();
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));

    let (checks, output) = doctor(&place, &[]);
    for (name, expected) in [
        ("model", "ok"),
        ("detector", "ok"),
        ("self-test", "warn"),
        ("gallery", "warn"),
        ("key", "ok"),
        ("permissions", "ok"),
    ] {
        assert_eq!(level(&checks, name), expected, "{name} in {checks:#}");
    }
    let all = checks.as_array().unwrap();
    for check in all {
        assert_eq!(check["level"] == "ok", check["remedy"].is_null(), "{check}");
    }
    let fails = all.iter().any(|check| check["level"] == "fail");
    assert_eq!(output.status.code(), Some(i32::from(fails)));

    let (checks, _) = doctor(&place, &["--write-self-test"]);
    assert_eq!(level(&checks, "reference"), "ok");
    let (checks, _) = doctor(&place, &[]);
    assert_eq!(level(&checks, "self-test"), "ok");

    // Others may read the key; the gallery is then not opened either.
    std::fs::set_permissions(place.key(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (checks, output) = doctor(&place, &[]);
    assert_eq!(
        (level(&checks, "key"), level(&checks, "gallery")),
        ("warn".to_owned(), "fail".to_owned())
    );
    assert_eq!(output.status.code(), Some(1));

    // One bit of the network is another network.
    let mut network = std::fs::read(place.network()).unwrap();
    let middle = network.len() / 2;
    network[middle] ^= 1;
    std::fs::write(place.network(), network).unwrap();
    let (checks, output) = doctor(&place, &[]);
    assert_eq!(level(&checks, "model"), "fail");
    assert_eq!(output.status.code(), Some(1));

    // The table says what to do below each.
    let output = place.usher(&[
        "doctor",
        "--model",
        "models/usher-small.toml",
        "--detector",
        "models/yunet.onnx",
    ]);
    let (told, error) = texts(&output);
    assert!(
        told.contains("FAIL  model") && told.contains("-> copy both files"),
        "{told}"
    );
    assert!(error.contains("will not work"), "{error}");
}
