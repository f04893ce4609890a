//! The guard by scripted checks: what it lets pass, and above all what it never does.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::detector::Detection;
use shared::frame::Frame;
use shared::geometry::Point;
use shared::landmarks::Landmarks;

use super::*;

const RULES: GuardRules = GuardRules {
    least_score: 0.5,
    tries: 2,
    valid_ms: 10_000,
    refused_ms: 3_000,
    least_overlap: 0.3,
    longest_gap_ms: 500,
};

const WAIT: Finding = Finding {
    progress: Progress::Waiting,
    score: None,
    prompt: Prompt::Blink,
};
const PASS: Finding = Finding {
    progress: Progress::Passed,
    score: None,
    prompt: Prompt::HoldStill,
};

fn ended(progress: Progress) -> Finding {
    Finding::settled(progress)
}

fn scored(score: f32) -> Finding {
    Finding {
        score: Some(score),
        ..PASS
    }
}

fn failed() -> Finding {
    ended(Progress::Failed(Reason::Flat))
}

fn unsure() -> Finding {
    ended(Progress::Inconclusive(Reason::TooBright))
}

fn ada() -> Option<IdentityId> {
    Some(IdentityId::from_number(1))
}

/// Says what the script says, look by look, and its last word from then on.
struct Scripted {
    kind: CheckKind,
    script: Vec<Finding>,
    next: usize,
}

impl Check for Scripted {
    fn kind(&self) -> CheckKind {
        self.kind
    }

    fn begin(&mut self, _now: Timestamp) {
        self.next = 0;
    }

    fn look(&mut self, _now: Timestamp, _look: &Look<'_>) -> Finding {
        let finding = self.script[self.next.min(self.script.len() - 1)];
        self.next += 1;
        finding
    }
}

fn entry(kind: CheckKind, required: bool, script: &[Finding]) -> Entry {
    Entry {
        check: Box::new(Scripted {
            kind,
            script: script.to_vec(),
            next: 0,
        }),
        required,
        weight: 1.0,
        limit_ms: 5_000,
    }
}

/// A face, moved by hand.
struct Scene {
    frame: Frame,
    detection: Detection,
    track: u64,
    now: u64,
}

impl Scene {
    fn new() -> Scene {
        let eye = |x| Point { x, y: 40.0 };
        Scene {
            frame: Frame::new(1, 1, vec![0; 3]).unwrap(),
            detection: Detection {
                bounds: Rect {
                    left: 10.0,
                    top: 10.0,
                    width: 100.0,
                    height: 100.0,
                },
                score: 0.9,
                landmarks: Landmarks([eye(40.0), eye(80.0), eye(60.0), eye(45.0), eye(75.0)]),
            },
            track: 1,
            now: 0,
        }
    }

    /// The next frame, 100 ms later.
    fn step(&mut self, guard: &mut Guard, named: Option<IdentityId>) -> Liveness {
        self.now += 100;
        let at = Timestamp::from_millis(self.now);
        let look = Look {
            frame: &self.frame,
            detection: &self.detection,
            aligned: None,
            at,
            track: self.track,
        };
        guard.step(at, Some(&look), named)
    }

    fn nobody(&mut self, guard: &mut Guard, ms: u64) -> Liveness {
        self.now += ms;
        guard.step(Timestamp::from_millis(self.now), None, None)
    }
}

#[test]
fn table_of_single_visits() {
    use CheckKind::{Blink, Flash, Net, Turn};
    type Case = (&'static str, Vec<Entry>, &'static [Liveness]);
    let cases: Vec<Case> = vec![
        ("nothing on", vec![], &[Liveness::Off, Liveness::Off]),
        (
            "one passes at once",
            vec![entry(Net, true, &[PASS])],
            &[Liveness::Live, Liveness::Live],
        ),
        (
            "one takes two looks",
            vec![entry(Blink, true, &[WAIT, PASS])],
            &[Liveness::Pending(Prompt::Blink), Liveness::Live],
        ),
        (
            "the second is asked after the first, the third not after a refusal",
            vec![
                entry(Blink, true, &[PASS]),
                entry(Turn, true, &[failed()]),
                entry(Flash, true, &[PASS]),
            ],
            &[
                Liveness::Pending(Prompt::HoldStill),
                Liveness::Refused,
                Liveness::Refused,
            ],
        ),
        (
            "optional ones cannot pass for a required one",
            vec![entry(Net, false, &[PASS])],
            &[Liveness::Refused],
        ),
        (
            "an optional one that fails refuses",
            vec![entry(Net, false, &[failed()]), entry(Blink, true, &[PASS])],
            &[Liveness::Refused],
        ),
        (
            "an optional one that cannot tell is left out after its tries",
            vec![entry(Net, false, &[unsure()]), entry(Blink, true, &[PASS])],
            &[Liveness::Pending(Prompt::HoldStill), Liveness::Live],
        ),
        (
            "a required one that cannot tell is tried again, then refuses",
            vec![entry(Net, true, &[unsure()])],
            &[Liveness::Pending(Prompt::HoldStill), Liveness::Refused],
        ),
        (
            "scores are averaged: a weak one is carried",
            vec![
                entry(Net, true, &[scored(0.4)]),
                entry(Flash, true, &[scored(0.7)]),
            ],
            &[Liveness::Live],
        ),
        (
            "but not two weak ones",
            vec![
                entry(Net, true, &[scored(0.4)]),
                entry(Flash, true, &[scored(0.5)]),
            ],
            &[Liveness::Refused],
        ),
        (
            "a score that is no number is the worst",
            vec![entry(Net, true, &[scored(f32::NAN)])],
            &[Liveness::Refused],
        ),
    ];
    for (name, entries, expected) in cases {
        let (mut guard, mut scene) = (Guard::with(RULES, entries), Scene::new());
        for (look, expected) in expected.iter().enumerate() {
            assert_eq!(
                scene.step(&mut guard, ada()),
                *expected,
                "{name}, look {look}"
            );
        }
    }
}

#[test]
fn passive_checks_go_first_and_active_ones_wait_for_a_name() {
    let mut guard = Guard::with(
        RULES,
        vec![
            entry(CheckKind::Blink, true, &[WAIT, PASS]),
            entry(CheckKind::Net, true, &[PASS]),
        ],
    );
    let mut scene = Scene::new();
    let pending = Liveness::Pending(Prompt::HoldStill);
    for _ in 0..5 {
        assert_eq!(
            scene.step(&mut guard, None),
            pending,
            "nothing is asked of a stranger"
        );
    }
    assert_eq!(
        scene.step(&mut guard, ada()),
        Liveness::Pending(Prompt::Blink)
    );
    // The consensus loses a turned head's name: the check goes on, live has to wait for the name.
    assert_eq!(scene.step(&mut guard, None), pending);
    assert_eq!(scene.step(&mut guard, ada()), Liveness::Live);
    assert_eq!(scene.step(&mut guard, None), pending);
    let other = Some(IdentityId::from_number(2));
    assert_eq!(
        scene.step(&mut guard, other),
        Liveness::Pending(Prompt::Blink),
        "all anew"
    );
}

#[test]
fn what_was_found_dies_with_the_presence() {
    let fresh = || {
        Guard::with(
            RULES,
            vec![entry(CheckKind::Blink, true, &[WAIT, WAIT, PASS])],
        )
    };
    let waiting = Liveness::Pending(Prompt::Blink);
    type Change = fn(&mut Scene, &mut Guard);
    let changes: [(&str, bool, Change); 6] = [
        ("nothing changes", false, |_, _| {}),
        ("a short gap", false, |scene, guard| {
            scene.nobody(guard, 300);
        }),
        ("another track", true, |scene, _| scene.track += 1),
        ("a long gap", true, |scene, guard| {
            scene.nobody(guard, 501);
        }),
        ("a long gap without frames", true, |scene, _| {
            scene.now += 501
        }),
        ("a jump", true, |scene, _| {
            scene.detection.bounds.left += 80.0
        }),
    ];
    for (name, resets, change) in changes {
        let (mut guard, mut scene) = (fresh(), Scene::new());
        for _ in 0..2 {
            assert_eq!(scene.step(&mut guard, ada()), waiting, "{name}");
        }
        change(&mut scene, &mut guard);
        let expected = if resets { waiting } else { Liveness::Live };
        assert_eq!(scene.step(&mut guard, ada()), expected, "{name}");
        // The same change to somebody who is live already.
        while scene.step(&mut guard, ada()) != Liveness::Live {}
        change(&mut scene, &mut guard);
        assert_eq!(scene.step(&mut guard, ada()), expected, "{name}, when live");
    }
}

#[test]
fn nobody_is_live_in_a_frame_without_a_face() {
    let mut guard = Guard::with(RULES, vec![entry(CheckKind::Net, true, &[PASS])]);
    let mut scene = Scene::new();
    assert_eq!(scene.step(&mut guard, None), Liveness::Live);
    assert_ne!(scene.nobody(&mut guard, 100), Liveness::Live);
}

#[test]
fn live_runs_out() {
    let mut guard = Guard::with(RULES, vec![entry(CheckKind::Blink, true, &[WAIT, PASS])]);
    let mut scene = Scene::new();
    while scene.step(&mut guard, ada()) != Liveness::Live {}
    let since = scene.now;
    while scene.step(&mut guard, ada()) == Liveness::Live {}
    assert_eq!(scene.now, since + RULES.valid_ms + 100);
}

#[test]
fn a_refusal_holds_whoever_comes_and_doubles() {
    let mut guard = Guard::with(RULES, vec![entry(CheckKind::Net, true, &[failed()])]);
    let mut scene = Scene::new();
    let mut holds = Vec::new();
    for _ in 0..7 {
        assert_eq!(scene.step(&mut guard, ada()), Liveness::Refused);
        let hold = guard.refusal().unwrap();
        assert_eq!(
            (hold.check, hold.reason),
            (Some(CheckKind::Net), Reason::Flat)
        );
        holds.push(hold.until.millis() - scene.now);
        scene.track += 1;
        scene.nobody(&mut guard, 600);
        assert_eq!(
            scene.step(&mut guard, ada()),
            Liveness::Refused,
            "another face"
        );
        // To the end of the hold, without a frame.
        scene.now = hold.until.millis();
    }
    assert_eq!(
        holds,
        [3_000, 6_000, 12_000, 24_000, 48_000, 48_000, 48_000]
    );
    scene.now += 200_000;
    scene.step(&mut guard, ada());
    assert_eq!(
        guard.refusal().unwrap().until.millis() - scene.now,
        3_000,
        "forgiven"
    );
}

#[test]
fn a_check_that_never_settles_runs_out_of_time_and_refuses() {
    let mut guard = Guard::with(RULES, vec![entry(CheckKind::Blink, true, &[WAIT])]);
    let mut scene = Scene::new();
    while scene.step(&mut guard, ada()) != Liveness::Refused {
        assert!(scene.now < 20_000);
    }
    assert_eq!(guard.refusal().unwrap().reason, Reason::TimedOut);
    assert!(
        (10_000..=10_500).contains(&scene.now),
        "two tries of 5 s: {}",
        scene.now
    );
}

/// 20,000 seeded visits of random findings, gaps, tracks and names: live is said only when each required check passed
/// in an unbroken row of frames of one face, and nothing that is on has failed in it.
#[test]
fn random_findings_never_pass_without_every_required_check() {
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct Told {
        passed: bool,
        failed: bool,
    }
    struct Random {
        kind: CheckKind,
        random: ChaCha8Rng,
        told: Arc<Mutex<Told>>,
    }
    impl Check for Random {
        fn kind(&self) -> CheckKind {
            self.kind
        }
        fn begin(&mut self, _now: Timestamp) {
            *self.told.lock().unwrap() = Told::default();
        }
        fn look(&mut self, _now: Timestamp, _look: &Look<'_>) -> Finding {
            let mut told = self.told.lock().unwrap();
            let progress = match self.random.random_range(0..20) {
                0..=13 => Progress::Waiting,
                14..=16 => Progress::Passed,
                17 | 18 => Progress::Inconclusive(Reason::Moved),
                _ => Progress::Failed(Reason::Glossy),
            };
            told.passed |= progress == Progress::Passed;
            told.failed |= matches!(progress, Progress::Failed(_));
            Finding {
                progress,
                score: self.random.random_bool(0.3).then(|| self.random.random()),
                prompt: Prompt::HoldStill,
            }
        }
    }

    let mut lives = 0;
    for seed in 0..20_000 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut told = Vec::new();
        let mut entries = Vec::new();
        for kind in CheckKind::ALL {
            if random.random_bool(0.5) {
                continue;
            }
            let (required, state) = (
                random.random_bool(0.7),
                Arc::new(Mutex::new(Told::default())),
            );
            told.push((required, Arc::clone(&state)));
            entries.push(Entry {
                check: Box::new(Random {
                    kind,
                    random: ChaCha8Rng::seed_from_u64(seed ^ (kind as u64 + 1) << 32),
                    told: state,
                }),
                required,
                weight: 1.0,
                limit_ms: 2_000,
            });
        }
        let off = entries.is_empty();
        let (mut guard, mut scene) = (Guard::with(RULES, entries), Scene::new());
        for _ in 0..30 {
            let changed = random.random_bool(0.03);
            if changed {
                scene.track += 1;
                // What was told about the face before does not count: only a new beginning of the check may.
                for (_, state) in &told {
                    *state.lock().unwrap() = Told::default();
                }
            }
            let name = random.random_range(0..8_u32);
            let liveness = match random.random_bool(0.05) {
                true => scene.nobody(&mut guard, 100),
                false => {
                    let named = (name > 0).then(|| IdentityId::from_number(name.min(7) / 7 + 1));
                    scene.step(&mut guard, named)
                }
            };
            assert_eq!(liveness == Liveness::Off, off, "seed {seed}");
            if liveness == Liveness::Live {
                lives += 1;
                let states: Vec<_> = told.iter().map(|(r, s)| (*r, s.lock().unwrap())).collect();
                assert!(states.iter().any(|(required, _)| *required), "seed {seed}");
                for (required, told) in states {
                    assert!(told.passed || !required, "seed {seed}");
                    assert!(!told.failed, "seed {seed}");
                }
            }
        }
    }
    assert!(
        lives > 1_000,
        "the loop must reach live to mean anything: {lives}"
    );
}
