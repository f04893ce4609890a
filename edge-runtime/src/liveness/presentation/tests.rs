//! Rates, the report, and whole collections of simulated recordings.

use std::path::Path;

use super::collection::{Collection, CollectionError};
use super::report::{Findings, Report, claim, config_digest};
use super::*;
use crate::liveness::LivenessError;
use crate::liveness::challenge::Challenge;
use crate::liveness::config::LivenessConfig;
use crate::liveness::flash::simulation::{Scene, Studio, Subject};
use crate::liveness::guard::Need;
use crate::liveness::{Prompt, setup};

fn tally(bona_fide: u64, attack: u64, none: u64) -> Tally {
    let mut tally = Tally::default();
    for (count, outcome, reason) in [
        (bona_fide, Outcome::BonaFide, None),
        (attack, Outcome::Attack, Some(Reason::Flat)),
        (none, Outcome::NoResponse, None),
    ] {
        for _ in 0..count {
            tally.add((outcome, reason));
        }
    }
    tally
}

fn report(config: &LivenessConfig) -> Report {
    Report::of(Findings {
        config,
        config_sha256: config_digest(config, Path::new("")).unwrap(),
        data_sha256: "0".repeat(64),
        rate_asked: 0.1,
        subjects: 4,
        bona_fide: tally(36, 3, 1),
        species: vec![
            ("print".to_owned(), tally(0, 30, 0)),
            ("tablet".to_owned(), tally(2, 26, 2)),
            ("phone".to_owned(), tally(2, 28, 0)),
        ],
    })
    .unwrap()
}

#[test]
fn rates_are_those_of_the_standard() {
    let report = report(&LivenessConfig::default());
    assert_eq!(report.worst_species, "tablet", "of equals the first");
    let [print, tablet, _] = report.species.as_slice() else {
        panic!()
    };
    assert_eq!((print.apcer.count, print.apcer.of), (0, 30));
    // R: binom.test(0, 30)$conf.int
    assert!((print.apcer.interval[1] - 0.115_703_3).abs() < 1e-6);
    assert!((tablet.apcer.rate - 2.0 / 30.0).abs() < 1e-12);
    // A non-response is counted apart and stays in the denominator.
    assert!((tablet.apnrr.rate - 2.0 / 30.0).abs() < 1e-12);
    assert!((report.bona_fide.bpcer.rate - 3.0 / 40.0).abs() < 1e-12);
    assert!((report.bona_fide.bpnrr.rate - 1.0 / 40.0).abs() < 1e-12);
    assert!((report.acer - (2.0 / 30.0 + 3.0 / 40.0) / 2.0).abs() < 1e-12);
    let text = report.text();
    for said in [
        "worst species: tablet",
        "6.7 %",
        "0.0 % (0.0 to 11.6)",
        "ACER is not a metric",
        "4 subjects",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_report_speaks_for_its_own_settings_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = LivenessConfig::default();
    config.flash.need = Need::Required;
    assert_eq!(Report::named_by(&config, folder.path()).unwrap(), None);
    let written = report(&config);
    let path = folder.path().join("report.json");
    written.write(&path).unwrap();
    assert!(
        matches!(written.write(&path), Err(LivenessError::Report { .. })),
        "never overwritten"
    );
    assert!(
        claim(&config, folder.path())
            .unwrap()
            .contains("nothing is known")
    );
    config.report = Some("report.json".into());
    let claimed = claim(&config, folder.path()).unwrap();
    assert!(
        claimed.starts_with("worst species tablet: APCER 6.7 % (0.8 to 22.1); BPCER 7.5 %"),
        "{claimed}"
    );
    assert_eq!(
        Report::named_by(&config, folder.path()).unwrap(),
        Some(written)
    );
    config.flash.rules.least_correlation = 0.7;
    let message = Report::named_by(&config, folder.path())
        .unwrap_err()
        .to_string();
    assert!(message.contains("other settings"), "{message}");
}

#[test]
fn too_few_presentations_are_refused_by_the_rule_of_3() {
    assert_eq!(
        [0.1, 0.05, 0.5, 0.03].map(least_presentations),
        [30, 60, 6, 100]
    );
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        Collection::open(folder.path()),
        Err(CollectionError::Read { .. })
    ));
    let make = |kind: &str, name: &str, count: u32| {
        for number in 0..count {
            std::fs::create_dir_all(folder.path().join(kind).join(name).join(number.to_string()))
                .unwrap();
        }
    };
    make("bona-fide", "a", 3);
    make("bona-fide", "b", 3);
    std::fs::create_dir_all(folder.path().join("attack")).unwrap();
    let refused = |rate| {
        Collection::open(folder.path())
            .unwrap()
            .check(rate)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(0.5).contains("no attack species"));
    make("attack", "print", 5);
    assert!(refused(0.5).contains("5 of print"), "{}", refused(0.5));
    make("attack", "print", 6);
    assert!(Collection::open(folder.path()).unwrap().check(0.5).is_ok());
    assert!(
        refused(0.1).contains("6 of people, 6 of print"),
        "{}",
        refused(0.1)
    );
}

#[test]
fn the_digest_knows_every_file_and_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("attack/print/1");
    std::fs::create_dir_all(&recording).unwrap();
    std::fs::create_dir_all(folder.path().join("bona-fide")).unwrap();
    let digest = || {
        Collection::open(folder.path())
            .unwrap()
            .digest(folder.path())
            .unwrap()
    };
    std::fs::write(recording.join("1.png"), b"a").unwrap();
    let first = digest();
    assert_eq!(first, digest());
    std::fs::write(recording.join("1.png"), b"b").unwrap();
    assert_ne!(first, digest());
    std::fs::write(recording.join("1.png"), b"a").unwrap();
    std::fs::rename(&recording, folder.path().join("attack/print/2")).unwrap();
    assert_ne!(first, digest());
}

/// What a kiosk decided live, it decides again from the recording and its challenge file.
#[test]
fn a_recording_is_judged_as_the_kiosk_judged_it() {
    let mut config = LivenessConfig::default();
    config.flash.need = Need::Required;
    for (subject, expected) in [
        (Subject::Face, (Outcome::BonaFide, None)),
        (Subject::CutOut, (Outcome::Attack, Some(Reason::Flat))),
        (
            Subject::Display(1.0),
            (Outcome::Attack, Some(Reason::Glossy)),
        ),
    ] {
        let mut guard = setup::guard(&config, Path::new(""), 12.0, [7; 32]).unwrap();
        let mut studio = Studio::new(Scene::new(subject, 2));
        let (mut frames, mut shown) = (Vec::new(), Vec::new());
        let mut liveness = Liveness::Off;
        for number in 0..60 {
            let ms = number * 1000 / 12;
            let (frame, detection) = studio.picture(ms, &shown);
            let at = Timestamp::from_millis(ms);
            let look = Look {
                frame: &frame,
                detection: &detection,
                aligned: None,
                at,
                track: 1,
            };
            liveness = guard.step(at, Some(&look), Some(IdentityId::from_number(1)));
            frames.push((at, frame, detection));
            match liveness {
                Liveness::Pending(Prompt::Flash(color)) => shown.push((ms, color)),
                Liveness::Pending(_) => {}
                _ => break,
            }
        }
        let live = match liveness {
            Liveness::Live => Outcome::BonaFide,
            Liveness::Refused => Outcome::Attack,
            other => panic!("{subject:?}: {other:?}"),
        };
        assert_eq!(
            (live, guard.refusal().map(|hold| hold.reason)),
            expected,
            "{subject:?}"
        );
        let folder = tempfile::tempdir().unwrap();
        guard.challenge().write(folder.path()).unwrap();
        let challenge = Challenge::read(folder.path()).unwrap();
        let again = setup::guard_of_recording(&config, Path::new(""), &challenge).unwrap();
        let mut presentation = Presentation::new(again);
        for (at, frame, detection) in &frames {
            if presentation.step(*at, frame, Some(detection)) {
                break;
            }
        }
        assert_eq!(
            presentation.outcome(),
            expected,
            "{subject:?}, from the recording"
        );
    }
}

/// Without a face, or cut off too early, a presentation is a non-response, and neither passed nor refused.
#[test]
fn what_does_not_come_to_an_end_is_a_non_response() {
    let mut config = LivenessConfig::default();
    config.turn.need = Need::Required;
    let challenge: Challenge = toml::from_str("[turn]\nsides = [\"left\"]").unwrap();
    let guard = setup::guard_of_recording(&config, Path::new(""), &challenge).unwrap();
    let mut presentation = Presentation::new(guard);
    let frame = Frame::new(1, 1, vec![0; 3]).unwrap();
    for number in 0..100 {
        assert!(!presentation.step(Timestamp::from_millis(100 * number), &frame, None));
    }
    assert_eq!(presentation.outcome(), (Outcome::NoResponse, None));
}
