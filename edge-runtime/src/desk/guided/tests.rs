//! Simulated people in front of the camera: willing, stiff, joined by others.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const FRAME_MS: u64 = 100;

/// The embedding of a person (a direction of its own) whose head is turned by so many degrees: 40 degrees of head are
/// 20 in the space of embeddings, a squared distance of 0.12.
pub(in crate::desk) fn embedding(person: usize, yaw: f32, pitch: f32) -> Embedding {
    let mut raw = vec![0.0; 8];
    raw[person] = 1.0;
    raw[6] = (yaw / 2.0).to_radians().sin();
    raw[7] = (pitch / 2.0).to_radians().sin();
    Embedding::from_raw(raw).unwrap()
}

pub(in crate::desk) fn glance(person: usize, yaw: f32, pitch: f32) -> Glance {
    Glance {
        faces: 1,
        face: Some(Face {
            bounds: Rect {
                left: 100.0,
                top: 100.0,
                width: 200.0,
                height: 200.0,
            },
            rival: 0.0,
            eye_distance_px: 90.0,
            yaw_degrees: yaw,
            pitch_degrees: pitch,
            roll_degrees: 0.0,
            score: 0.8,
            hint: None,
            embedding: Some(embedding(person, yaw, pitch)),
        }),
    }
}

pub(in crate::desk) fn agreement() -> Threshold {
    Threshold::new(0.5).unwrap()
}

/// A person who does what the screen says: after a second of reading, the head turns by 40 degrees a second, and
/// trembles.
pub(in crate::desk) struct Willing {
    pub(in crate::desk) person: usize,
    /// How they hold their head when they look straight.
    pub(in crate::desk) own: (f32, f32),
    /// Poses that they cannot take.
    pub(in crate::desk) stiff: Vec<Pose>,
    head: (f32, f32),
    asked: Option<(Pose, Timestamp)>,
    random: ChaCha8Rng,
}

impl Willing {
    pub(in crate::desk) fn new(person: usize, seed: u64) -> Self {
        Self {
            person,
            own: (2.0, -6.0),
            stiff: Vec::new(),
            head: (15.0, 10.0),
            asked: None,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    pub(in crate::desk) fn frame(&mut self, now: Timestamp, pose: Pose) -> Glance {
        if self.asked.is_none_or(|(asked, _)| asked != pose) {
            self.asked = Some((pose, now));
        }
        let since = self.asked.map_or(0, |(_, at)| now.since(at).as_millis());
        if since >= 1000 && !self.stiff.contains(&pose) {
            let (yaw, pitch) = match pose {
                Pose::Straight => (0.0, 0.0),
                Pose::Left => (22.0, 0.0),
                Pose::Right => (-22.0, 0.0),
                Pose::Up => (0.0, 15.0),
                Pose::Down => (0.0, -15.0),
            };
            let most = 40.0 * FRAME_MS as f32 / 1000.0;
            let step = |from: f32, to: f32| from + (to - from).clamp(-most, most);
            self.head.0 = step(self.head.0, self.own.0 + yaw);
            self.head.1 = step(self.head.1, self.own.1 + pitch);
        }
        let tremble = |random: &mut ChaCha8Rng| random.random_range(-1.5..1.5);
        let yaw = self.head.0 + tremble(&mut self.random);
        let pitch = self.head.1 + tremble(&mut self.random);
        let mut glance = glance(self.person, yaw, pitch);
        if let Some(face) = &mut glance.face {
            face.score = self.random.random_range(0.3..1.0);
            // A blink or a blur now and then.
            if self.random.random_bool(0.05) {
                face.hint = Some(Hint::HoldStill);
            }
        }
        glance
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn guided(rules: GuidedRules) -> Guided {
    Guided::new(rules, agreement(), 32.0, at(0))
}

/// Shows `frame` every 100 ms until it ends; returns when it did, and how.
fn run(
    guided: &mut Guided,
    mut frame: impl FnMut(Timestamp, Pose, &Guided) -> Glance,
) -> (u64, Result<(), GuidedError>) {
    for number in 0..10_000 {
        let now = at(number * FRAME_MS);
        let Some(pose) = guided.pose() else {
            return (number * FRAME_MS, Ok(()));
        };
        let glance = frame(now, pose, guided);
        match guided.look(now, &glance) {
            Ok(Progress::Complete) => return (number * FRAME_MS, Ok(())),
            Ok(_) => {}
            Err(error) => return (number * FRAME_MS, Err(error)),
        }
    }
    panic!("neither complete nor failed in 1000 s");
}

#[test]
fn a_slow_device_sees_few_frames_and_still_a_hold() {
    // Milliseconds from one look to the next, and whether two looks in a row are a hold.
    for (every_ms, expected) in [(100, true), (1000, true), (4000, true), (11_000, false)] {
        let mut capture = guided(GuidedRules {
            seconds: 600,
            ..GuidedRules::default()
        });
        for number in 0..12 {
            let _ = capture.look(at(number * every_ms), &glance(0, 0.0, 0.0));
        }
        assert_eq!(
            capture.counts().0 > 0 || !capture.straight().is_empty(),
            expected,
            "{every_ms} ms"
        );
    }
    // Frames that are of no use in between end it all the same.
    let mut capture = guided(GuidedRules::default());
    for number in 0..12 {
        let yaw = if number % 5 == 0 { 0.0 } else { 40.0 };
        let _ = capture.look(at(number * 100), &glance(0, yaw, 0.0));
    }
    assert!(capture.straight().is_empty());
}

#[test]
fn a_willing_person_takes_less_than_20_seconds() {
    let mut slowest = 0;
    for seed in 0..50 {
        let mut person = Willing::new(0, seed);
        let mut capture = guided(GuidedRules::default());
        let (ms, result) = run(&mut capture, |now, pose, _| person.frame(now, pose));
        assert_eq!(result, Ok(()), "seed {seed}");
        assert_eq!(capture.counts(), (5, 5), "seed {seed}");
        assert_eq!(capture.faces().len(), 3 + 4 * 2, "seed {seed}");
        slowest = slowest.max(ms);
    }
    println!("a willing person: at most {slowest} ms of 50 runs at 10 frames per second");
    assert!(slowest < 20_000, "{slowest} ms");
}

#[test]
fn poses_that_cannot_be_reached_are_left_out() {
    for (name, stiff, expected) in [
        ("cannot nod", vec![Pose::Up, Pose::Down], Ok((3, 3))),
        ("cannot look down", vec![Pose::Down], Ok((4, 4))),
        (
            "a stiff neck",
            vec![Pose::Left, Pose::Right, Pose::Up],
            Err(()),
        ),
        ("never straight", vec![Pose::Straight], Err(())),
    ] {
        let mut person = Willing::new(0, 7);
        person.stiff = stiff;
        let mut capture = guided(GuidedRules::default());
        let (ms, result) = run(&mut capture, |now, pose, _| person.frame(now, pose));
        match expected {
            Ok(counts) => {
                assert_eq!((result, capture.counts()), (Ok(()), counts), "{name}");
                assert!(ms < 30_000, "{name}: {ms}");
            }
            Err(()) => {
                let error = result.unwrap_err();
                let is_time = matches!(
                    error,
                    GuidedError::TimeUp {
                        obstacle: Obstacle::Elsewhere,
                        ..
                    }
                );
                assert!(is_time && ms == 60_000, "{name}: {error} at {ms}");
                assert!(error.to_string().contains("; turn the head"), "{error}");
            }
        }
    }
}

#[test]
fn left_is_the_persons_own_and_windows_have_two_ends() {
    // Around a straight look at (2, -6), where the camera hangs.
    for (pose, yaw, pitch, fits) in [
        (Pose::Left, 20.0, -6.0, true),
        (Pose::Left, -20.0, -6.0, false),
        (Pose::Left, 12.0, -6.0, false),
        (Pose::Left, 14.5, -6.0, true),
        (Pose::Left, 36.5, -6.0, true),
        (Pose::Left, 38.0, -6.0, false),
        (Pose::Left, 20.0, 20.0, false),
        (Pose::Right, -20.0, -6.0, true),
        (Pose::Right, 20.0, -6.0, false),
        (Pose::Up, 2.0, 3.0, true),
        (Pose::Up, 2.0, 1.0, false),
        (Pose::Up, 2.0, 20.0, false),
        (Pose::Down, 2.0, -15.0, true),
        (Pose::Down, 2.0, -12.0, false),
        (Pose::Down, 30.0, -15.0, false),
    ] {
        let mut capture = guided(GuidedRules::default());
        capture.own = Some((embedding(0, 2.0, -6.0), 2.0, -6.0));
        capture.at = POSES.iter().position(|known| *known == pose).unwrap();
        let shown = glance(0, yaw, pitch);
        capture.look(at(0), &shown).unwrap();
        assert_eq!(capture.hold.is_some(), fits, "{pose:?} at {yaw}, {pitch}");
    }
}

#[test]
fn the_best_frame_of_each_hold_is_kept() {
    let mut capture = guided(GuidedRules::default());
    let scores = [
        0.1, 0.9, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.2, 0.1, 0.3, 0.8, 0.1, 0.1, 0.1,
    ];
    for (number, score) in scores.into_iter().enumerate() {
        let mut shown = glance(0, number as f32 / 10.0, 0.0);
        if let Some(face) = &mut shown.face {
            face.score = score;
        }
        let progress = capture.look(at(number as u64 * FRAME_MS), &shown).unwrap();
        assert_eq!(progress == Progress::Straight, number == 14, "{number}");
    }
    let kept: Vec<_> = capture.shots.iter().map(|shot| shot.score).collect();
    assert_eq!(kept, [0.9, 0.7, 0.8]);
}

#[test]
fn one_person_at_a_time() {
    // Somebody as large beside the person: nothing is held while they are there.
    let mut person = Willing::new(0, 3);
    let mut capture = guided(GuidedRules::default());
    let (ms, result) = run(&mut capture, |now, pose, capture| {
        let mut shown = person.frame(now, pose);
        if now < at(10_000) {
            shown.faces = 2;
            if let Some(face) = &mut shown.face {
                face.rival = 0.9;
            }
            assert_eq!(capture.faces().len(), 0);
        }
        shown
    });
    assert!(result.is_ok() && ms > 10_000, "{result:?} {ms}");
    // Somebody far behind does not matter.
    let mut capture = guided(GuidedRules::default());
    let mut person = Willing::new(0, 3);
    let (ms, result) = run(&mut capture, |now, pose, _| {
        let mut shown = person.frame(now, pose);
        shown.faces = 5;
        if let Some(face) = &mut shown.face {
            face.rival = 0.1;
        }
        shown
    });
    assert!(result.is_ok() && ms < 20_000, "{result:?} {ms}");
    // Two all the time: the time is up, and the message says why.
    let mut capture = guided(GuidedRules::default());
    let (_, result) = run(&mut capture, |_, _, _| {
        let mut shown = glance(0, 0.0, 0.0);
        shown.faces = 2;
        if let Some(face) = &mut shown.face {
            face.rival = 1.0;
        }
        shown
    });
    let message = result.unwrap_err().to_string();
    assert!(message.contains("; let one person alone"), "{message}");
}

#[test]
fn another_person_ends_it_and_leaves_nothing() {
    // They change places in front of the camera once the straight look is done; the face jumps or it does not.
    for (name, jumps) in [("from the side", true), ("in the same place", false)] {
        let mut capture = guided(GuidedRules::default());
        let (mut first, mut second) = (Willing::new(0, 1), Willing::new(1, 2));
        second.head = second.own;
        let (_, result) = run(&mut capture, |now, pose, capture| {
            let is_swapped = capture.at > 0;
            let mut shown = match is_swapped {
                false => first.frame(now, pose),
                true => second.frame(now, pose),
            };
            if let (true, Some(face)) = (jumps && is_swapped, &mut shown.face) {
                face.bounds.left += 300.0;
            }
            shown
        });
        assert_eq!(result, Err(GuidedError::AnotherPerson), "{name}");
        let strangers = capture.faces().filter(|(_, face)| face.values()[1] > 0.5);
        assert_eq!(strangers.count(), 0, "{name}: never kept");
    }
}

#[test]
fn a_passer_by_costs_the_pose_alone() {
    let mut capture = guided(GuidedRules::default());
    let (mut person, mut passing) = (Willing::new(0, 1), Willing::new(1, 2));
    let mut shown_strangers = 0;
    let (ms, result) = run(&mut capture, |now, pose, capture| {
        if pose == Pose::Right && capture.holds == 1 && shown_strangers < 4 {
            shown_strangers += 1;
            let mut shown = passing.frame(now, pose);
            if let Some(face) = &mut shown.face {
                (face.yaw_degrees, face.pitch_degrees) = (-20.0, -6.0);
                face.bounds.left += 300.0;
                face.hint = None;
            }
            return shown;
        }
        person.frame(now, pose)
    });
    assert_eq!((result, shown_strangers), (Ok(()), 4));
    assert!(ms < 20_000, "{ms}");
    assert_eq!(capture.faces().len(), 11);
    assert!(capture.faces().all(|(_, face)| face.values()[1] == 0.0));
}

#[test]
fn a_turned_face_that_the_model_does_not_know_is_left_out() {
    // Left and right are far from straight for this model; the face never leaves the picture.
    let mut person = Willing::new(0, 5);
    let mut capture = guided(GuidedRules::default());
    let (_, result) = run(&mut capture, |now, pose, capture| {
        let mut shown = person.frame(now, pose);
        if let Some(face) = &mut shown.face
            && capture.own.is_some()
            && (face.yaw_degrees - 2.0).abs() > 12.0
        {
            face.embedding = Some(embedding(2, 0.0, 0.0));
        }
        shown
    });
    assert_eq!((result, capture.counts()), (Ok(()), (3, 3)));
    assert!(capture.faces().all(|(_, face)| face.values()[2] == 0.0));
}

#[test]
fn a_pause_costs_no_time() {
    let mut capture = guided(GuidedRules::default());
    let mut person = Willing::new(0, 1);
    let mut now = 0;
    loop {
        let shown = person.frame(at(now), Pose::Straight);
        if capture.look(at(now), &shown).unwrap() == Progress::Straight {
            break;
        }
        now += FRAME_MS;
    }
    assert_eq!(capture.straight().len(), 3);
    let left = capture.left(at(now));
    capture.pause(at(now));
    assert_eq!(capture.left(at(now + 500_000)), left);
    let shown = glance(0, 22.0, -6.0);
    assert_eq!(capture.look(at(now + 1000), &shown), Ok(Progress::Going));
    assert_eq!(capture.faces().len(), 3, "nothing is taken meanwhile");
    capture.go_on(at(now + 500_000));
    assert_eq!(
        capture.left(at(now + 501_000)),
        left - Duration::from_secs(1)
    );
    // Without a frame the time runs out all the same.
    assert!(capture.check_time(at(now + 600_000)).is_err());
}

#[test]
fn nobody_there() {
    let mut capture = guided(GuidedRules::default());
    let (ms, result) = run(&mut capture, |_, _, _| Glance::default());
    let message = result.unwrap_err().to_string();
    assert_eq!(ms, 60_000);
    assert_eq!(
        message,
        "expected 3 looks in 60 s, found 0; stand in front of the camera and try again"
    );
}
