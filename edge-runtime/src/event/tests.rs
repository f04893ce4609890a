//! Lines as other programs read them.

use super::*;
use crate::clock::judge::Standing;
use crate::clock::moment::BootId;

const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);

fn greeted() -> Happening<'static> {
    Happening::Greeted {
        identity: "1".to_owned(),
        name: Some("Ada \"Countess\" Lovelace"),
        distance: 0.81,
        threshold: 1.05,
        frame: 17,
        one_in: None,
    }
}

fn judged() -> Judged {
    Judged {
        moment: Moment {
            utc_ms: NOON.unix_seconds() * 1000 + 5,
            monotonic_ms: 9000,
            boot: BootId::from_number(0xab),
            synced: true,
        },
        believed: NOON,
        standing: Standing::Credible,
    }
}

fn log(folder: &Path, names: bool) -> (EventLog, PathBuf) {
    let config = EventsConfig {
        path: folder.join("events.jsonl"),
        names,
        ..EventsConfig::default()
    };
    // Today: a file of an earlier day would begin anew.
    let log = EventLog::open(&config, crate::command::now()).unwrap();
    (log, config.path)
}

#[test]
fn lines_as_other_programs_read_them() {
    let folder = tempfile::tempdir().unwrap();
    log(folder.path(), true)
        .0
        .write(Timestamp::from_millis(1700), None, greeted())
        .unwrap();
    let (mut log, path) = log(folder.path(), true);
    let unknown = Happening::Unknown {
        nearest_distance: None,
        threshold: 1.05,
        frame: 20,
        one_in: None,
    };
    log.write(Timestamp::from_millis(2000), None, unknown)
        .unwrap();
    log.write(
        Timestamp::from_millis(2100),
        None,
        Happening::Fault {
            cause: "a",
            remedy: "b",
        },
    )
    .unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        concat!(
            r#"{"at_ms":1700,"event":"greeted","identity":"1","name":"Ada \"Countess\" Lovelace","#,
            r#""distance":0.81,"threshold":1.05,"frame":17}"#,
            "\n",
            r#"{"at_ms":2000,"event":"unknown","nearest_distance":null,"threshold":1.05,"frame":20}"#,
            "\n",
            r#"{"at_ms":2100,"event":"fault","cause":"a","remedy":"b"}"#,
            "\n"
        )
    );
}

#[test]
fn a_file_has_the_time_and_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, path) = log(folder.path(), false);
    log.write(Timestamp::from_millis(9000), Some(&judged()), greeted())
        .unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        concat!(
            r#"{"at_ms":9000,"utc":"2027-01-15T08:00:00.005Z","monotonic_ms":9000,"#,
            r#""boot":"000000000000000000000000000000ab","synced":true,"#,
            r#""event":"greeted","identity":"1","distance":0.81,"threshold":1.05,"frame":17}"#,
            "\n"
        )
    );
}

/// One of each kind, with the fields that the module's table promises.
fn one_of_each() -> Vec<(&'static str, Happening<'static>)> {
    let identity = || "3".to_owned();
    vec![
        (
            "started: version model people",
            Happening::Started {
                version: "1",
                model: "3f2a".to_owned(),
                people: 2,
            },
        ),
        (
            "greeted: identity name distance threshold frame one_in",
            Happening::Greeted {
                identity: identity(),
                name: Some("Ada"),
                distance: 0.5,
                threshold: 1.0,
                frame: 1,
                one_in: Some(900),
            },
        ),
        (
            "unknown: nearest_distance threshold frame one_in",
            Happening::Unknown {
                nearest_distance: Some(1.5),
                threshold: 1.0,
                frame: 1,
                one_in: Some(900),
            },
        ),
        ("not_live: frame", Happening::NotLive { frame: 1 }),
        ("left: ", Happening::Left),
        (
            "enrolled: identity name templates frames",
            Happening::Enrolled {
                identity: identity(),
                name: Some("Ada"),
                templates: 5,
                frames: Some(60),
            },
        ),
        (
            "door: active why identity",
            Happening::Door {
                active: true,
                why: "greeted",
                identity: Some(identity()),
            },
        ),
        ("recording: active", Happening::Recording { active: true }),
        ("clock: jumped_ms", Happening::Clock { jumped_ms: -5 }),
        (
            "fault: cause remedy",
            Happening::Fault {
                cause: "a",
                remedy: "b",
            },
        ),
        (
            "recovered: cause after_ms",
            Happening::Recovered {
                cause: "a",
                after_ms: 800,
            },
        ),
        (
            "updating: active what",
            Happening::Updating {
                active: true,
                what: "model usher-small-7",
            },
        ),
        ("stopped: why", Happening::Stopped { why: "asked to" }),
    ]
}

#[test]
fn the_schema_is_what_the_table_says() {
    let schema = include_str!("../event.rs");
    for (expected, happening) in one_of_each() {
        let (kind, fields) = expected.split_once(": ").unwrap();
        let json = line(Timestamp::default(), None, happening).unwrap();
        let found: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&json).unwrap();
        assert_eq!(found["event"], kind);
        let fields = || fields.split(' ').filter(|field| !field.is_empty());
        let mut names: Vec<&str> = fields().chain(["at_ms", "event"]).collect();
        names.sort_unstable();
        assert_eq!(found.keys().collect::<Vec<_>>(), names, "{json}");
        let row: Vec<String> = fields().map(|field| format!("`{field}` ")).collect();
        let row = format!("//! | `{kind}` | {}|", row.join(", ").replace(" ,", ","));
        assert!(schema.contains(&row), "not in the table: {row}");
    }
}

#[test]
fn no_kind_keeps_a_name() {
    for (_, happening) in one_of_each() {
        let json = line(Timestamp::default(), None, happening.without_name()).unwrap();
        assert!(!json.contains("Ada"), "{json}");
    }
}
