//! Whole visits with the real networks: enrolled people are greeted, a stranger is not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod place;

use place::{Place, picture, skip};

/// Enrolls from pictures, lets others walk up, and returns the events of each visit.
fn visits(
    place: &Place,
    enrolled: &[(&str, &[&str])],
    visitors: &[&str],
) -> Option<Vec<Vec<serde_json::Value>>> {
    for (name, pictures) in enrolled {
        let folder = place.folder(&format!("enroll-{name}"));
        for file in *pictures {
            std::fs::copy(picture(file)?, folder.join(file)).unwrap();
        }
        let camera = format!("replay:enroll-{name}");
        let output = place.usher(&place.with_model(&[
            "enroll",
            name,
            "--consent",
            "standard",
            "--camera",
            &camera,
            "--gallery",
            "people.gallery",
        ]));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut events = Vec::new();
    for file in visitors {
        let path = picture(file)?;
        let (out, screens) = (format!("visit-{file}"), format!("png:screens-{file}"));
        let make = [
            "replay",
            "make",
            "--picture",
            path.to_str().unwrap(),
            "--out",
            &out,
            "--frames",
            "24",
        ];
        assert!(
            place
                .usher(&[&make[..], &["--detector", "models/yunet.onnx"]].concat())
                .status
                .success()
        );
        let camera = format!("replay:{out}");
        let run = [
            "run",
            "--camera",
            &camera,
            "--screen",
            &screens,
            "--gallery",
            "people.gallery",
        ];
        let output = place.usher(&place.with_model(&run));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = String::from_utf8(output.stdout).unwrap();
        events.push(
            lines
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        );
    }
    Some(events)
}

#[test]
fn whom_the_kiosk_knows_and_whom_not() {
    let Some(place) = Place::new() else { return };
    let people = [("Barack Obama", &["obama.jpg", "obama2.jpg"][..])];
    let Some(visits) = visits(&place, &people, &["obama3.jpg", "astronaut.png"]) else {
        skip("no picture in ../shared/data/demo or .demo/pictures; run scripts/setup");
        return;
    };
    let [known, stranger] = &visits[..] else {
        panic!("two visits")
    };
    let greetings: Vec<_> = known
        .iter()
        .filter(|event| event["event"] == "greeted")
        .collect();
    assert_eq!(greetings.len(), 1, "{known:?}");
    assert_eq!(greetings[0]["name"], "Barack Obama");
    assert!(
        greetings[0]["distance"].as_f64() <= greetings[0]["threshold"].as_f64(),
        "{known:?}"
    );
    assert_eq!(stranger.len(), 1, "{stranger:?}");
    assert_eq!(stranger[0]["event"], "unknown");
    let told: Vec<_> = stranger[0].as_object().unwrap().keys().collect();
    assert_eq!(
        told,
        [
            "at_ms",
            "event",
            "frame",
            "nearest_distance",
            "one_in",
            "threshold"
        ],
        "nothing about who it could be"
    );
    assert!(
        place
            .names("screens-obama3.jpg")
            .iter()
            .any(|name| name.ends_with("-greeting.png"))
    );
    assert!(
        place
            .names("screens-astronaut.png")
            .iter()
            .any(|name| name.ends_with("-unknown.png"))
    );
}

#[test]
fn the_same_recording_gives_the_same_run() {
    let Some(place) = Place::new() else { return };
    let people = [("Barack Obama", &["obama.jpg"][..])];
    let Some(first) = visits(&place, &people, &["obama2.jpg"]) else {
        skip("no picture in ../shared/data/demo or .demo/pictures; run scripts/setup");
        return;
    };
    let run = [
        "run",
        "--camera",
        "replay:visit-obama2.jpg",
        "--screen",
        "png:again",
        "--gallery",
        "people.gallery",
    ];
    let output = place.usher(&place.with_model(&run));
    let lines = String::from_utf8(output.stdout).unwrap();
    let second: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(first[0], second);
    assert_eq!(place.names("screens-obama2.jpg"), place.names("again"));
    for name in place.names("again") {
        let read = |folder: &str| std::fs::read(place.path(folder).join(&name)).unwrap();
        assert!(
            read("screens-obama2.jpg") == read("again"),
            "{name} differs"
        );
    }
}

#[test]
fn a_name_is_taken_once_and_a_likeness_is_warned_of() {
    let Some(place) = Place::new() else { return };
    let Some(picture) = picture("obama.jpg") else {
        skip("no picture in ../shared/data/demo or .demo/pictures; run scripts/setup");
        return;
    };
    std::fs::copy(picture, place.folder("one").join("1.jpg")).unwrap();
    let enroll = |name: &str, more: &[&str]| {
        let arguments = [
            "enroll",
            name,
            "--consent",
            "standard",
            "--camera",
            "replay:one",
            "--gallery",
            "g",
        ];
        place.usher(&place.with_model(&[&arguments[..], more].concat()))
    };
    assert!(enroll("Ada", &[]).status.success());
    let gallery = std::fs::read(place.path("g")).unwrap();
    let again = enroll("Ada", &[]);
    assert_eq!(again.status.code(), Some(1), "the name is taken");
    assert_eq!(std::fs::read(place.path("g")).unwrap(), gallery);
    let twin = enroll("Grace", &[]);
    assert_eq!(twin.status.code(), Some(1), "the face is Ada's");
    let message = String::from_utf8(twin.stderr).unwrap();
    for words in [
        "found Ada (#1) at distance 0.00",
        "duplicate-check",
        "strangers comes that close to the one person by chance",
        "nothing was kept",
        "--allow-duplicate",
    ] {
        assert!(message.contains(words), "{message}\ndoes not say: {words}");
    }
    assert_eq!(std::fs::read(place.path("g")).unwrap(), gallery);
    let twin = enroll("Grace", &["--allow-duplicate"]);
    let warning = String::from_utf8(twin.stderr).unwrap();
    assert!(twin.status.success(), "{warning}");
    assert!(
        warning.contains("very much like that of Ada (#1)"),
        "{warning}"
    );
}
