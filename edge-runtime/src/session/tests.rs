//! The state machine with a hand-moved clock: scripts of frames 100 ms apart.

use shared::embedding::Embedding;
use shared::gallery::consent::WallTime;
use shared::gallery::{Consent, Enrollee, Gallery, NewTemplate};
use shared::model_id::ModelId;

use super::*;
use crate::decision::Unsure;
use crate::tracking::{SubjectRules, Tracker};
use shared::geometry::Rect;

/// Two people's numbers, as a gallery gives them.
fn two_people() -> [IdentityId; 2] {
    let mut gallery = Gallery::new(ModelId::from_bytes([7; 32]), 2);
    ["A", "B"].map(|name| {
        let now = WallTime::from_unix_seconds(1_800_000_000);
        let enrollee = Enrollee {
            name: name.to_owned(),
            consent: Consent::given("I agree.", now, "desk", 1).unwrap(),
            templates: vec![NewTemplate {
                embedding: Embedding::from_raw(vec![1.0, 0.0]).unwrap(),
                label: None,
                taken_at: now,
            }],
        };
        gallery.enroll(&enrollee).unwrap()
    })
}

/// Plays a script and tells the state after each frame, one letter each, and the events as `FRAME:WHAT`.
///
/// Frames: ` ` nobody, `s` too small, `+` a good face that is not compared, `.` a face nobody matches, `~` one that
/// decides nothing, `A` and `B` a match, `a` and `b` the same whose face is elsewhere in the frame, `,` no match
/// elsewhere. States: `-` idle, `l` looking, `c` come closer, `~` not sure, `!` checking, `A` and `B` greeting, `?`
/// unknown. Events: `A` and `B` greeted, `?` unknown, `x` not live, `-` left.
fn play(script: &str) -> (String, Vec<String>) {
    watched(script, "")
}

/// As [`play`]; `checks` tells of each frame what is known of liveness, the last one again when it is too short: `o` off
/// (as without any), `p` pending, `v` live, `x` refused.
fn watched(script: &str, checks: &str) -> (String, Vec<String>) {
    let people = two_people();
    let threshold = Threshold::new(1.0).unwrap();
    let rules = SessionRules::default();
    let mut tracker = Tracker::new(rules.presence, SubjectRules::default());
    let mut session = Session::new(rules, threshold, Some(250.0));
    let (mut states, mut events) = (String::new(), Vec::new());
    for (frame, letter) in script.chars().enumerate() {
        let now = Timestamp::from_millis(frame as u64 * 100);
        let distance = |value| SquaredL2::new(value).unwrap();
        let matched = |who: usize| Outcome::Match {
            identity: people[who],
            distance: distance(0.5),
        };
        let outcome = match letter {
            'A' | 'a' => Some(matched(0)),
            'B' | 'b' => Some(matched(1)),
            '.' | ',' => Some(Outcome::NoMatch {
                nearest: Some(distance(1.5)),
            }),
            '~' => Some(Outcome::NotSure {
                nearest: distance(1.02),
                reason: Unsure::Near,
            }),
            ' ' | 's' | '+' => None,
            other => panic!("no frame is called {other}"),
        };
        let face = Rect {
            left: if "ab,".contains(letter) { 300.0 } else { 100.0 },
            top: 50.0,
            width: 100.0,
            height: 120.0,
        };
        let faces = [face];
        tracker.step(now, if letter == ' ' { &[] } else { &faces });
        let mut happened = session.keep(|track| tracker.track(track).is_some());
        let seen = match tracker.subject() {
            None => Seen::Nobody,
            Some(subject) if subject.face.is_none() => Seen::Lost,
            Some(subject) => Seen::Face {
                track: subject.id,
                hint: (letter == 's').then_some(Hint::ComeCloser),
            },
        };
        if let (Seen::Face { track, .. }, Some(outcome)) = (seen, outcome) {
            session.hear(now, track, &outcome, 1.0);
        }
        let check = checks.chars().nth(frame).or(checks.chars().last());
        let liveness = match check {
            None | Some('o') => Liveness::Off,
            Some('p') => Liveness::Pending(Prompt::Blink),
            Some('v') => Liveness::Live,
            Some('x') => Liveness::Refused,
            Some(other) => panic!("no check is called {other}"),
        };
        happened.extend(session.step(now, seen, liveness));
        let name = |identity: IdentityId| if identity == people[0] { 'A' } else { 'B' };
        for event in happened {
            let what = match event {
                Event::Greeted {
                    identity,
                    threshold: bar,
                    one_in,
                    ..
                } => {
                    assert_eq!((bar, one_in), (threshold, Some(250.0)));
                    name(identity)
                }
                Event::Unknown { .. } => '?',
                Event::NotLive => 'x',
                Event::Left => '-',
            };
            events.push(format!("{frame}:{what}"));
        }
        states.push(match session.state() {
            State::Idle => '-',
            State::Looking {
                hint: Hint::ComeCloser,
            } => 'c',
            State::Looking { .. } => 'l',
            State::NotSure { .. } => '~',
            State::Checking { .. } => '!',
            State::Greeting { identity, .. } => name(*identity),
            State::Unknown { .. } => '?',
        });
    }
    (states, events)
}

#[test]
fn scripts_of_short_visits() {
    for (name, script, states, events) in [
        ("empty room", "   ", "---", &[][..]),
        ("walks up", " ssAAAA", "-ccllAA", &["5:A"]),
        (
            "one lucky frame never greets",
            "..A......",
            "lllll????",
            &["5:?"],
        ),
        (
            "two lucky frames never greet",
            "AA.....",
            "llllll?",
            &["6:?"],
        ),
        (
            "between two near identities, never greeted",
            "ABABABABABAB",
            "lllll???????",
            &["5:?"],
        ),
        (
            "between two, two by two, never greeted",
            "AABBAABBAABBAABB",
            "llllllllll??????",
            &["10:?"],
        ),
        (
            "a blink does not end a presence",
            "AAA   AAA",
            "llAAAAAAA",
            &["2:A"],
        ),
        (
            "a greeting survives two doubts",
            "AAA..AAA",
            "llAAAAAA",
            &["2:A"],
        ),
        (
            "a greeting falls after three doubts, and is not repeated",
            "AAA...AAA",
            "llAAAlllA",
            &["2:A"],
        ),
        (
            "another face takes the greeting away at once",
            "AAA,,",
            "llAll",
            &["2:A"],
        ),
        (
            "a stranger in the greeted one's place",
            "AAA........",
            "llAAAlllll?",
            &["2:A", "10:?"],
        ),
        ("votes do not pass to another face", "AAaa", "llll", &[]),
        ("nor do misses", "....,", "lllll", &[]),
        ("nor does a greeting", "AAAaaa", "llAllA", &["2:A", "5:A"]),
        (
            "another person known, elsewhere",
            "AAAbbb",
            "llAllB",
            &["2:A", "5:B"],
        ),
        (
            "unknown from afar, known from near",
            ".....AAA",
            "llll???A",
            &["4:?", "7:A"],
        ),
        (
            "too small says so and decides nothing",
            "ssssssssss",
            "cccccccccc",
            &[],
        ),
        ("a greeted person steps back", "AAAsss", "llAAAA", &["2:A"]),
        (
            "found again, a name waits for a vote",
            "AAA +A",
            "llAAlA",
            &["2:A"],
        ),
        (
            "and is not given to whoever is found",
            "AAA .........",
            "llAAlllllll??",
            &["2:A", "11:?"],
        ),
        (
            "a greeting stays between two comparisons",
            "AAA++++++++++A",
            "llAAAAAAAAAAAA",
            &["2:A"],
        ),
        (
            "a passing doubt weighs half",
            "AAA~~~~~A",
            "llAAAAAll",
            &["2:A"],
        ),
        (
            "neither known nor unknown, then known",
            "~~~~~~AAA",
            "llll~~~~A",
            &["8:A"],
        ),
        (
            "never sure becomes unknown",
            "~~~~~~~~~~~~~~~",
            "llll~~~~~~~~~~?",
            &["14:?"],
        ),
    ] {
        let (found_states, found_events) = play(script);
        assert_eq!(found_states, states, "{name}: {script}");
        assert_eq!(found_events, events, "{name}: {script}");
    }
}

#[test]
fn a_greeting_is_shown_for_four_seconds_after_a_hasty_visit() {
    let (states, events) = play(&format!("AAA{}", " ".repeat(50)));
    // Greeted at 200 ms: gone at 4.2 s. Left a second after having been seen last.
    assert_eq!(states, format!("ll{}{}", "A".repeat(40), "-".repeat(11)));
    assert_eq!(events, ["2:A", "13:-"]);
}

#[test]
fn an_unknown_person_is_answered_for_three_seconds() {
    let (states, _) = play(&format!(".....{}", " ".repeat(40)));
    assert_eq!(states, format!("llll{}{}", "?".repeat(30), "-".repeat(11)));
}

#[test]
fn whoever_stays_is_greeted_once() {
    let (states, events) = play(&"A".repeat(300));
    assert_eq!(states, format!("ll{}", "A".repeat(298)));
    assert_eq!(events, ["2:A"]);
}

#[test]
fn whoever_comes_back_is_greeted_again() {
    let (states, events) = play(&format!("AAA{}AAA", " ".repeat(15)));
    assert_eq!(states, format!("ll{}llA", "A".repeat(16)));
    assert_eq!(events, ["2:A", "13:-", "20:A"]);
}

#[test]
fn a_stranger_after_a_greeting_never_sees_the_name() {
    let (states, _) = play(&format!("AAA{}.....", " ".repeat(15)));
    assert_eq!(&states[18..], "llll?");
}

#[test]
fn a_name_does_not_stay_over_a_face_that_cannot_be_decided_on() {
    let (states, events) = play(&format!("AAA{}", "s".repeat(60)));
    // Greeted in frame 2, shown for four seconds to frame 41, taken down by the third doubt, in frame 44.
    assert_eq!(states.matches('A').count(), 42, "{states}");
    assert!(states.ends_with("cc"), "{states}");
    assert_eq!(events, ["2:A"]);
}

#[test]
fn nobody_is_greeted_before_liveness_is_known() {
    for (name, script, checks, states, events) in [
        (
            "asked only after agreement",
            "AAAAAAAA",
            "pppppvv",
            "ll!!!AAA",
            &["5:A"][..],
        ),
        ("live from the start", "AAAA", "v", "llAA", &["2:A"]),
        (
            "what is asked stays while the name cannot be compared",
            "AAA~~~~~A",
            "p",
            "ll!!!!!!!",
            &[],
        ),
        ("a picture", "AAAAAA", "ppppxx", "ll!!??", &["4:x"]),
        (
            "a picture, told once",
            "AAAAAAAA",
            "xxxxpxx",
            "ll??!???",
            &["2:x"],
        ),
        (
            "a stranger is unknown whatever liveness says",
            ".....",
            "xxxxx",
            "llll?",
            &["4:?"],
        ),
        (
            "found to be a picture while greeted",
            "AAAAAA",
            "vvvvx",
            "llAA??",
            &["2:A", "4:x"],
        ),
        (
            "asked again while greeted",
            "AAAAAAA",
            "vvvvppv",
            "llAA!!A",
            &["2:A"],
        ),
        (
            "who passed must be who was recognized",
            "AAA+++++A",
            "pppppv",
            "ll!!!!!!A",
            &["8:A"],
        ),
        (
            "another face passed the check",
            "AAA+++++...",
            "pppppv",
            "ll!!!!!!!!l",
            &[],
        ),
        (
            "another face elsewhere inherits no check",
            "AAAaaaa",
            "pppppp",
            "ll!ll!!",
            &[],
        ),
    ] {
        let (found_states, found_events) = watched(script, checks);
        assert_eq!(found_states, states, "{name}: {script}");
        assert_eq!(found_events, events, "{name}: {script}");
    }
}

#[test]
fn what_was_agreed_on_long_ago_is_not_believed_when_it_is_somebodys_turn() {
    let [ada, _] = two_people();
    let rules = SessionRules::default();
    let (first, waiting) = (TrackId::new(0), TrackId::new(1));
    for (waited_ms, greeted) in [(2900, true), (3100, false)] {
        let mut session = Session::new(rules, Threshold::new(1.0).unwrap(), None);
        let matched = Outcome::Match {
            identity: ada,
            distance: SquaredL2::new(0.5).unwrap(),
        };
        for millis in [0, 100, 200] {
            session.hear(Timestamp::from_millis(millis), waiting, &matched, 1.0);
        }
        let mut step = |millis, track| {
            let seen = Seen::Face { track, hint: None };
            session.step(Timestamp::from_millis(millis), seen, Liveness::Off)
        };
        assert!(step(200, first).is_empty(), "it is not her turn");
        let later = 200 + waited_ms;
        assert!(step(later, waiting).is_empty(), "not seen again yet");
        session.hear(Timestamp::from_millis(later), waiting, &matched, 1.0);
        let events = session.step(
            Timestamp::from_millis(later),
            Seen::Face {
                track: waiting,
                hint: None,
            },
            Liveness::Off,
        );
        assert_eq!(!events.is_empty(), greeted, "after {waited_ms} ms");
    }
}

#[test]
fn whoever_was_greeted_and_waited_long_is_recognized_anew() {
    let [ada, _] = two_people();
    let (first, other) = (TrackId::new(0), TrackId::new(1));
    let matched = Outcome::Match {
        identity: ada,
        distance: SquaredL2::new(0.5).unwrap(),
    };
    for (waited_ms, greeted) in [(2900, true), (3100, false)] {
        let mut session = Session::new(SessionRules::default(), Threshold::new(1.0).unwrap(), None);
        let mut frame = |millis, track, heard: bool| {
            let now = Timestamp::from_millis(millis);
            if heard {
                session.hear(now, track, &matched, 1.0);
            }
            session.step(now, Seen::Face { track, hint: None }, Liveness::Off);
            matches!(session.state(), State::Greeting { .. })
        };
        assert!((0..3).any(|number| frame(100 * number, first, true)));
        assert!(!frame(300, other, false));
        let back = frame(200 + waited_ms, first, true);
        assert_eq!(back, greeted, "after {waited_ms} ms");
    }
}

#[test]
fn another_gallery_starts_anew() {
    let [ada, _] = two_people();
    let threshold = Threshold::new(1.0).unwrap();
    let mut session = Session::new(SessionRules::default(), threshold, None);
    let track = TrackId::new(0);
    let matched = Outcome::Match {
        identity: ada,
        distance: SquaredL2::new(0.5).unwrap(),
    };
    let now = Timestamp::from_millis(200);
    for _ in 0..3 {
        session.hear(now, track, &matched, 1.0);
    }
    session.step(now, Seen::Face { track, hint: None }, Liveness::Off);
    assert!(matches!(session.state(), State::Greeting { .. }));
    session.decide_by(threshold, None);
    session.step(now, Seen::Face { track, hint: None }, Liveness::Off);
    assert!(matches!(session.state(), State::Looking { .. }));
}

/// Whatever 10,000 sequences of sightings show: nobody is greeted without three votes for that name within the last
/// five of that face, and no name is on the screen while another face is the subject.
#[test]
fn nobody_is_greeted_without_votes_for_the_name() {
    use rand::{Rng, SeedableRng};
    let people = two_people();
    let rules = SessionRules::default();
    let mut greetings = 0;
    for seed in 0..10_000_u64 {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut tracker = Tracker::new(rules.presence, SubjectRules::default());
        let mut session = Session::new(rules, Threshold::new(1.0).unwrap(), None);
        let (mut now, mut place, mut votes) = (0_u64, 0, Vec::new());
        let favored = people[random.random_range(0..2)];
        for _ in 0..40 {
            now += random.random_range(30..400);
            if random.random_range(0..12) == 0 {
                place = random.random_range(0..3);
            }
            let at = Timestamp::from_millis(now);
            let face = Rect {
                left: 200.0 * place as f32,
                top: 50.0,
                width: 100.0,
                height: 120.0,
            };
            let blind = random.random_range(0..10) == 0;
            tracker.step(
                at,
                if blind {
                    &[]
                } else {
                    std::slice::from_ref(&face)
                },
            );
            session.keep(|track| tracker.track(track).is_some());
            let Some(track) = tracker.subject().map(|subject| subject.id) else {
                session.step(at, Seen::Nobody, Liveness::Off);
                continue;
            };
            if blind {
                session.step(at, Seen::Lost, Liveness::Off);
                continue;
            }
            let distance = SquaredL2::new(0.7).unwrap();
            let outcome = match random.random_range(0..10) {
                0..6 => Some(Outcome::Match {
                    identity: favored,
                    distance,
                }),
                6 => Some(Outcome::Match {
                    identity: people[random.random_range(0..2)],
                    distance,
                }),
                7 => Some(Outcome::NoMatch { nearest: None }),
                8 => Some(Outcome::NotSure {
                    nearest: distance,
                    reason: Unsure::Near,
                }),
                _ => None,
            };
            if let Some(outcome) = outcome {
                session.hear(at, track, &outcome, random.random_range(0.2..1.0));
                votes.push((track, outcome.named().map(|(identity, _)| identity)));
            }
            let events = session.step(at, Seen::Face { track, hint: None }, Liveness::Off);
            for event in events {
                let Event::Greeted { identity, .. } = event else {
                    continue;
                };
                greetings += 1;
                let own = votes.iter().rev().filter(|(voter, _)| *voter == track);
                let speaking = own.take(rules.consensus.window_frames);
                let speaking = speaking
                    .filter(|(_, named)| *named == Some(identity))
                    .count();
                assert!(
                    speaking >= rules.consensus.agreeing_frames,
                    "seed {seed}: {speaking} votes"
                );
            }
            if let State::Greeting { identity, .. } = session.state() {
                assert!(
                    votes.contains(&(track, Some(*identity))),
                    "seed {seed}: a name over a face that nobody took for it"
                );
            }
        }
    }
    assert!(
        greetings > 1000,
        "only {greetings} greetings: nothing was tested"
    );
}
