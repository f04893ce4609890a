//! Simulated heads and pictures of heads that turn, by points in space and a pinhole camera.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::detector::Detection;
use shared::frame::Frame;
use shared::geometry::{Point, Rect};

use super::*;

/// Eyes, nose tip, mouth corners of a head: right, down, towards the camera, in distances between the eyes.
const HEAD: [[f32; 3]; 5] = [
    [-0.5, 0.0, 0.0],
    [0.5, 0.0, 0.0],
    [0.0, 0.57, 0.5],
    [-0.4, 1.15, 0.1],
    [0.4, 1.15, 0.1],
];

/// What is held before the camera.
#[derive(Clone, Copy, Debug)]
enum Thing {
    /// A head.
    Head,
    /// A flat picture of a head that looks straight ahead.
    Flat,
    /// That picture bent round an upright cylinder of this radius.
    Bent(f32),
}

/// How it is held in one frame; angles in degrees.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    yaw: f32,
    pitch: f32,
    roll: f32,
    shift: f32,
}

fn points(thing: Thing, held: Held, random: &mut ChaCha8Rng) -> Landmarks {
    let turn = |(a, b): (f32, f32), degrees: f32| {
        let (sin, cos) = degrees.to_radians().sin_cos();
        (a * cos + b * sin, b * cos - a * sin)
    };
    Landmarks(HEAD.map(|[x, y, z]| {
        let z = match thing {
            Thing::Head => z,
            Thing::Flat => 0.0,
            Thing::Bent(radius) => (radius * radius - x * x).sqrt() - radius,
        };
        // Positive yaw: the nose goes right in the picture, which is the person's left.
        let (x, z) = turn((x, z), held.yaw);
        let (y, z) = turn((y - 0.5, z), held.pitch);
        let (x, y) = turn((x, y), held.roll);
        // Half a meter away.
        let scale = 90.0 * 8.0 / (8.0 - z);
        let mut jitter = || random.random_range(-0.7..0.7_f32);
        Point::new(
            320.0 + held.shift + scale * x + jitter(),
            240.0 + scale * y + jitter(),
        )
    }))
}

/// Lets a subject move as `motion` says, given the prompt and the frame's number; what the check says in the end.
fn challenged(
    rules: &TurnRules,
    thing: Thing,
    seed: u64,
    mut motion: impl FnMut(Prompt, u64) -> Held,
) -> Progress {
    let mut turn = Turn::new(rules.clone(), ChaCha20Rng::seed_from_u64(seed));
    turn.begin(Timestamp::default());
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let frame = Frame::new(1, 1, vec![0; 3]).unwrap();
    let mut prompt = Prompt::HoldStill;
    for number in 0..300 {
        let detection = Detection {
            bounds: Rect {
                left: 0.0,
                top: 0.0,
                width: 1.0,
                height: 1.0,
            },
            score: 0.9,
            landmarks: points(thing, motion(prompt, number), &mut random),
        };
        let at = Timestamp::from_millis(number * 100);
        let look = Look {
            frame: &frame,
            detection: &detection,
            aligned: None,
            at,
            track: 1,
        };
        let finding = turn.look(at, &look);
        if finding.progress != Progress::Waiting {
            return finding.progress;
        }
        prompt = finding.prompt;
    }
    Progress::Waiting
}

/// Somebody who does as asked, at 12 degrees a frame at most, up to `most` degrees.
fn obedient(most: f32) -> impl FnMut(Prompt, u64) -> Held {
    let mut yaw = 0.0_f32;
    move |prompt, _| {
        let wanted = match prompt {
            Prompt::TurnLeft => most,
            Prompt::TurnRight => -most,
            _ => 0.0,
        };
        yaw += (wanted - yaw).clamp(-12.0, 12.0);
        Held {
            yaw,
            ..Held::default()
        }
    }
}

#[test]
fn heads_that_turn_as_asked_pass() {
    let rules = TurnRules::default();
    let mut passed = 0;
    for seed in 0..200 {
        passed +=
            u32::from(challenged(&rules, Thing::Head, seed, obedient(35.0)) == Progress::Passed);
    }
    assert!(passed >= 198, "{passed} of 200");
}

#[test]
fn flat_things_never_pass_however_they_are_held() {
    let rules = TurnRules::default();
    for seed in 0..300 {
        let mut random = ChaCha8Rng::seed_from_u64(900 + seed);
        let thing = match seed % 3 {
            0 => Thing::Flat,
            1 => Thing::Bent(2.0),
            _ => Thing::Bent(1.2),
        };
        // First held still, then whatever: towards an aim that is drawn every half second.
        let (mut held, mut aim) = (Held::default(), Held::default());
        let outcome = challenged(&rules, thing, seed, |_, number| {
            if number > 6 && number % 5 == 0 {
                let mut degrees = |most: f32| random.random_range(-most..most);
                aim = Held {
                    yaw: degrees(45.0),
                    pitch: degrees(30.0),
                    roll: degrees(40.0),
                    shift: degrees(60.0),
                };
            }
            let step = |from: f32, to: f32| from + (to - from).clamp(-12.0, 12.0);
            held = Held {
                yaw: step(held.yaw, aim.yaw),
                pitch: step(held.pitch, aim.pitch),
                roll: step(held.roll, aim.roll),
                shift: step(held.shift, aim.shift),
            };
            held
        });
        assert!(
            !matches!(outcome, Progress::Passed | Progress::Waiting),
            "{thing:?}, seed {seed}: {outcome:?}"
        );
    }
}

#[test]
fn a_picture_turned_aside_is_known_as_one() {
    let outcome = challenged(&TurnRules::default(), Thing::Flat, 1, obedient(45.0));
    assert_eq!(outcome, Progress::Failed(Reason::NoDepth));
}

#[test]
fn table_of_visits() {
    let rules = TurnRules::default();
    type Motion = Box<dyn FnMut(Prompt, u64) -> Held>;
    let yaw = |yaw| Held {
        yaw,
        ..Held::default()
    };
    let cases: [(&str, Motion, Progress); 6] = [
        (
            "does nothing",
            Box::new(move |_, _| yaw(0.0)),
            Progress::Inconclusive(Reason::NotDone),
        ),
        (
            "turns too little",
            Box::new(obedient(12.0)),
            Progress::Inconclusive(Reason::NotDone),
        ),
        (
            "turns the wrong way",
            Box::new({
                let mut right = obedient(35.0);
                move |prompt, number| yaw(-right(prompt, number).yaw)
            }),
            Progress::Inconclusive(Reason::NotDone),
        ),
        (
            "stays out",
            Box::new({
                let mut at = 0.0_f32;
                move |prompt, _| {
                    match prompt {
                        Prompt::TurnLeft => at = (at + 10.0).min(35.0),
                        Prompt::TurnRight => at = (at - 10.0).max(-35.0),
                        _ => {}
                    }
                    yaw(at)
                }
            }),
            Progress::Inconclusive(Reason::NotDone),
        ),
        (
            "jumps from one pose to another, as two pictures do",
            Box::new(move |prompt, _| match prompt {
                Prompt::TurnLeft => yaw(45.0),
                Prompt::TurnRight => yaw(-45.0),
                _ => yaw(0.0),
            }),
            Progress::Inconclusive(Reason::Moved),
        ),
        (
            "never looks straight ahead",
            Box::new(move |_, _| yaw(40.0)),
            Progress::Inconclusive(Reason::Moved),
        ),
    ];
    for (name, motion, expected) in cases {
        assert_eq!(
            challenged(&rules, Thing::Head, 4, motion),
            expected,
            "{name}"
        );
    }
}

/// A video of a person who turns left, then right: it passes when that is what was asked, one time in four.
#[test]
fn a_video_has_to_guess_the_order() {
    let rules = TurnRules::default();
    let mut passed = 0;
    for seed in 0..200 {
        let script = |number: u64| match number {
            0..=9 => 0.0,
            10..=39 => {
                [0.0, 12.0, 24.0, 35.0, 24.0, 12.0][(number % 6) as usize]
                    * if number < 25 { 1.0 } else { -1.0 }
            }
            _ => 0.0,
        };
        let outcome = challenged(&rules, Thing::Head, seed, |_, number| Held {
            yaw: script(number),
            ..Held::default()
        });
        passed += u32::from(outcome == Progress::Passed);
    }
    assert!(passed <= 75, "{passed} of 200");
}

#[test]
fn affine_maps_leave_the_parallax_alone() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let plain = HEAD.map(|[x, y, _]| (x + 0.05 * y, y));
    let of = |map: [f32; 6]| {
        let points = plain.map(|(x, y)| {
            Point::new(
                map[0] * x + map[1] * y + map[2],
                map[3] * x + map[4] * y + map[5],
            )
        });
        shape(&Landmarks(points)).unwrap().parallax
    };
    let still = of([100.0, 0.0, 50.0, 0.0, 100.0, 50.0]);
    for _ in 0..1_000 {
        let mut number = |most: f32| random.random_range(-most..most);
        let map = [
            80.0 + number(40.0),
            number(40.0),
            number(90.0),
            number(40.0),
            80.0 + number(40.0),
            number(90.0),
        ];
        assert!((of(map) - still).abs() < 1e-3, "{map:?}");
    }
    let line = Landmarks(std::array::from_fn(|i| Point::new(i as f32, i as f32)));
    assert_eq!(shape(&line), None);
}

#[test]
fn the_order_is_seeded_and_various() {
    let drawn = |seed| {
        let mut turn = Turn::new(TurnRules::default(), ChaCha20Rng::seed_from_u64(seed));
        turn.begin(Timestamp::default());
        turn.sides
    };
    let mut all: Vec<_> = (0..100).map(drawn).collect();
    assert_eq!(all, (0..100).map(drawn).collect::<Vec<_>>());
    all.sort_by_key(|sides| sides.iter().map(|side| *side as u8).collect::<Vec<_>>());
    all.dedup();
    assert_eq!(all.len(), 4);
}
