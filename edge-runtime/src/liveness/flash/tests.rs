//! The flash challenge before simulated faces, prints, displays and recordings.

use std::collections::BTreeMap;

use rand::SeedableRng;

use super::simulation::{Portrait, Scene, Studio, Subject};
use super::*;

/// Shows one challenge to a studio; what the check says at the end, and what it measured.
fn challenged(rules: &FlashRules, scene: Scene, mut studio: Studio) -> (Finding, Option<Measured>) {
    let mut flash = Flash::new(
        rules.clone(),
        ChaCha20Rng::seed_from_u64(1_000 + scene.seed),
    );
    flash.begin(Timestamp::default());
    let mut shown = vec![(0, NEUTRAL)];
    for frame in 0.. {
        let ms = (frame as f32 * 1000.0 / scene.frames_per_second).round() as u64;
        assert!(ms < 10_000, "it has to end");
        let (picture, detection) = studio.picture(ms, &shown);
        let at = Timestamp::from_millis(ms);
        let look = Look {
            frame: &picture,
            detection: &detection,
            aligned: None,
            at,
            track: 1,
        };
        let finding = flash.look(at, &look);
        match (finding.progress, finding.prompt) {
            (Progress::Waiting, Prompt::Flash(color)) => {
                if shown.last().map(|last| last.1) != Some(color) {
                    shown.push((ms, color));
                }
            }
            (Progress::Waiting, prompt) => panic!("{prompt:?} while the colors are shown"),
            _ => return (finding, flash.measured()),
        }
    }
    unreachable!()
}

/// How often each word was said over so many seeds.
fn outcomes(scene: impl Fn(u64) -> Scene, seeds: std::ops::Range<u64>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let scene = scene(seed);
        let (finding, measured) = challenged(&FlashRules::default(), scene, Studio::new(scene));
        let word = match finding.progress {
            Progress::Passed => "passed".to_owned(),
            other => format!("{other:?}"),
        };
        if std::env::var_os("SHOW").is_some() {
            eprintln!(
                "{:?} ambient {} seed {seed}: {word} {measured:?}",
                scene.subject, scene.ambient
            );
        }
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}

fn passed(counts: &BTreeMap<String, u64>) -> u64 {
    counts.get("passed").copied().unwrap_or(0)
}

/// Prints the whole table: what the simulation says of each subject in each light.
#[test]
fn table_of_subjects_and_lights() {
    let mut wrong = Vec::new();
    let in_light = |ambient| {
        move |subject, seed| Scene {
            ambient,
            ..Scene::new(subject, seed)
        }
    };
    let (dim, room, bright, daylight) = (
        in_light(1.0),
        in_light(3.0),
        in_light(30.0),
        in_light(300.0),
    );
    type Light<'a> = &'a dyn Fn(Subject, u64) -> Scene;
    let cases: [(&str, Subject, Light<'_>, u64, u64); 15] = [
        // In dim and middling rooms a face passes.
        ("face, dim room", Subject::Face, &dim, 4, 4),
        ("face, room", Subject::Face, &room, 4, 4),
        ("face, bright room", Subject::Face, &bright, 0, 4),
        ("face, daylight", Subject::Face, &daylight, 0, 0),
        // Whatever stands in for a face does not, in any light.
        ("sheet of paper, dim", Subject::Sheet, &dim, 0, 0),
        ("sheet of paper, room", Subject::Sheet, &room, 0, 0),
        ("cut-out, dim", Subject::CutOut, &dim, 0, 0),
        ("cut-out, room", Subject::CutOut, &room, 0, 0),
        ("cut-out, bright room", Subject::CutOut, &bright, 0, 0),
        ("cut-out held aslant", Subject::Tilted(35.0), &room, 0, 0),
        ("display, dim", Subject::Display(1.0), &dim, 0, 0),
        ("display, room", Subject::Display(1.0), &room, 0, 0),
        ("bright display, room", Subject::Display(3.0), &room, 0, 0),
        ("replayed video, dim", Subject::Replay(1.0), &dim, 0, 0),
        ("replayed video, room", Subject::Replay(1.0), &room, 0, 0),
    ];
    for (name, subject, light, least, most) in cases {
        let counts = outcomes(|seed| light(subject, seed), 0..4);
        println!("{name:24} {counts:?}");
        if !(least..=most).contains(&passed(&counts)) {
            wrong.push(format!("{name}: {counts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Limits of the measure, kept as tests so that nobody claims otherwise.
#[test]
fn table_of_known_limits() {
    let of = |name: &str, scene: &dyn Fn(u64) -> Scene| {
        let counts = outcomes(scene, 0..3);
        println!("{name:32} {counts:?}");
        passed(&counts)
    };
    let bent = |radius, seed| Scene {
        ambient: 1.0,
        ..Scene::new(Subject::Bent(radius), seed)
    };
    let frontal = |frontal, seed| Scene {
        ambient: 1.5,
        frontal,
        ..Scene::new(Subject::Face, seed)
    };
    assert!(
        of("paper bent to a face's radius", &|seed| bent(1.2, seed)) > 0,
        "better than known"
    );
    of("paper bent gently", &|seed| bent(2.5, seed));
    assert!(
        of("a face, a third of light ahead", &|seed| frontal(
            0.33, seed
        )) >= 2
    );
    assert_eq!(
        of("a face lit only from ahead", &|seed| frontal(1.0, seed)),
        0,
        "better than known"
    );
}

#[test]
fn camera_and_room_do_not_matter_much() {
    let mut wrong = Vec::new();
    type Change = fn(&mut Scene);
    let changes: [(&str, Change); 10] = [
        ("warm light", |scene| scene.tint = [1.0, 0.7, 0.4]),
        ("cold light", |scene| scene.tint = [0.8, 0.95, 1.0]),
        ("no lag", |scene| scene.lag_ms = 0.0),
        ("long lag", |scene| scene.lag_ms = 330.0),
        ("8 frames a second", |scene| scene.frames_per_second = 8.0),
        ("30 frames a second", |scene| scene.frames_per_second = 30.0),
        ("noise", |scene| scene.noise = 4.0),
        ("JPEG", |scene| scene.jpeg = Some(80)),
        ("white balance drifts", |scene| scene.drift = 0.15),
        ("the face sways", |scene| scene.jitter = 0.8),
    ];
    for (name, change) in changes {
        let counts = outcomes(
            |seed| {
                let mut scene = Scene {
                    ambient: 1.5,
                    ..Scene::new(Subject::Face, seed)
                };
                change(&mut scene);
                scene
            },
            0..2,
        );
        println!("{name:24} {counts:?}");
        if passed(&counts) < 2 {
            wrong.push(format!("{name}: {counts:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let rules = FlashRules::default();
    type Case = (&'static str, fn(&mut Scene), FlashRules, Reason);
    let cases: [Case; 4] = [
        (
            "overexposed",
            |scene| scene.overexposed = 2.5,
            rules.clone(),
            Reason::TooBright,
        ),
        (
            "4 frames a second",
            |scene| scene.frames_per_second = 4.0,
            rules.clone(),
            Reason::FramesTooFew,
        ),
        (
            "the room is too bright",
            |scene| scene.ambient = 200.0,
            rules.clone(),
            Reason::TooBright,
        ),
        (
            "a small face",
            |_| {},
            FlashRules {
                least_eye_distance_px: 60.0,
                ..rules.clone()
            },
            Reason::OutOfPlace,
        ),
    ];
    for (name, change, rules, reason) in cases {
        let mut scene = Scene::new(Subject::Face, 3);
        change(&mut scene);
        let (finding, measured) = challenged(&rules, scene, Studio::new(scene));
        let expected = [
            Progress::Inconclusive(reason),
            Progress::Inconclusive(Reason::NoResponse),
        ];
        assert!(
            expected.contains(&finding.progress),
            "{name}: {finding:?} {measured:?}"
        );
    }
}

/// The colors never change faster than three times a second, however the frames come.
#[test]
fn late_frames_never_shorten_a_color() {
    use rand::Rng;
    let mut random = ChaCha20Rng::seed_from_u64(5);
    let rules = FlashRules::default();
    for seed in 0..50 {
        let mut flash = Flash::new(rules.clone(), ChaCha20Rng::seed_from_u64(seed));
        flash.begin(Timestamp::default());
        let (mut ms, mut changes, mut last) = (0, Vec::new(), None);
        while flash.over_since.is_none() {
            let color = flash.color(Timestamp::from_millis(ms));
            if last.replace(color) != Some(color) {
                changes.push(ms);
            }
            ms += random.random_range(1..900);
        }
        assert_eq!(
            changes.len(),
            rules.colors + 2,
            "neutral, the colors, neutral"
        );
        for pair in changes.windows(2) {
            assert!(pair[1] - pair[0] >= sequence::LEAST_COLOR_MS, "{changes:?}");
        }
    }
}

/// Faces of real pictures as albedo; skipped where there are none.
#[test]
fn real_pictures_as_albedo() {
    let Some(portraits) = portraits() else { return };
    for (name, portrait) in portraits {
        for (subject, passes) in [
            (Subject::Face, true),
            (Subject::CutOut, false),
            (Subject::Display(1.0), false),
            (Subject::Replay(1.0), false),
        ] {
            let scene = Scene {
                ambient: 1.5,
                ..Scene::new(subject, 11)
            };
            let studio = Studio::new(scene).with_portrait(&portrait);
            let (finding, measured) = challenged(&FlashRules::default(), scene, studio);
            println!("{name:24} {subject:?}: {:?} {measured:?}", finding.progress);
            assert_eq!(
                finding.progress == Progress::Passed,
                passes,
                "{name} {subject:?}"
            );
        }
    }
}

/// Portraits of the demo, with eyes found by the detector.
fn portraits() -> Option<Vec<(String, Portrait)>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let yunet = root.join("models/yunet.onnx");
    let mut folders = vec![root.join("../shared/data/demo")];
    folders.extend(
        std::fs::read_dir(root.join(".demo/pictures"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    let pictures: Vec<_> = folders
        .iter()
        .flat_map(|folder| {
            ["obama.jpg", "biden.jpg", "lin-manuel-miranda.png"].map(|name| folder.join(name))
        })
        .filter(|path| path.exists())
        .collect();
    if pictures.is_empty() || !yunet.exists() {
        eprintln!(
            "SKIPPED: no demo pictures or no {}; run scripts/setup",
            yunet.display()
        );
        return None;
    }
    let mut detector = shared::detector::Detector::load(&yunet, 320).unwrap();
    let mut found = Vec::new();
    for path in pictures {
        let frame = shared::picture::read(&path).unwrap();
        let faces = detector.detect(&frame).unwrap();
        let [left, right, ..] = faces.first()?.landmarks.0;
        let name = path.file_name()?.to_string_lossy().into_owned();
        found.push((
            name,
            Portrait {
                frame,
                eyes: (left, right),
            },
        ));
    }
    Some(found)
}
