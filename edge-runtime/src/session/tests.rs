//! The state machine with a hand-moved clock: scripts of frames 100 ms apart.

use shared::embedding::Embedding;
use shared::gallery::consent::WallTime;
use shared::gallery::{Consent, Enrollee, Gallery, NewTemplate};
use shared::model_id::ModelId;

use super::*;

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
/// Frames: ` ` nobody, `s` too small, `.` a face nobody matches, `A` and `B` a match, `a` and `b` the same whose face is
/// elsewhere in the frame, `,` no match elsewhere. States: `-` idle, `l` looking, `c` come closer, `A` and `B`
/// greeting, `?` unknown.
fn play(script: &str) -> (String, Vec<String>) {
    let people = two_people();
    let mut session = Session::new(SessionRules::default());
    let (mut states, mut events) = (String::new(), Vec::new());
    for (frame, letter) in script.chars().enumerate() {
        let place = |left| Rect {
            left,
            top: 50.0,
            width: 100.0,
            height: 120.0,
        };
        let distance = |value| SquaredL2::new(value).unwrap();
        let matched = |who: usize| Decision::Match {
            identity: people[who],
            distance: distance(0.5),
        };
        let stranger = Decision::NoMatch {
            nearest: Some(distance(1.5)),
        };
        let sighting = match letter {
            ' ' => Sighting::Nobody,
            's' => Sighting::Unusable {
                bounds: place(100.0),
                hint: Hint::ComeCloser,
            },
            '.' => Sighting::Face {
                bounds: place(100.0),
                decision: stranger,
            },
            'A' => Sighting::Face {
                bounds: place(100.0),
                decision: matched(0),
            },
            'B' => Sighting::Face {
                bounds: place(100.0),
                decision: matched(1),
            },
            'a' => Sighting::Face {
                bounds: place(300.0),
                decision: matched(0),
            },
            'b' => Sighting::Face {
                bounds: place(300.0),
                decision: matched(1),
            },
            ',' => Sighting::Face {
                bounds: place(300.0),
                decision: stranger,
            },
            other => panic!("no frame is called {other}"),
        };
        let name = |identity: IdentityId| if identity == people[0] { 'A' } else { 'B' };
        for event in session.step(Timestamp::from_millis(frame as u64 * 100), &sighting) {
            events.push(match event {
                Event::Greeted { identity, .. } => format!("{frame}:{}", name(identity)),
                Event::Unknown { .. } => format!("{frame}:?"),
            });
        }
        states.push(match session.state() {
            State::Idle => '-',
            State::Looking {
                hint: Hint::HoldStill,
            } => 'l',
            State::Looking {
                hint: Hint::ComeCloser,
            } => 'c',
            State::Looking { .. } => 'o',
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
    ] {
        let (found_states, found_events) = play(script);
        assert_eq!(found_states, states, "{name}: {script}");
        assert_eq!(found_events, events, "{name}: {script}");
    }
}

#[test]
fn a_greeting_is_shown_for_four_seconds_after_a_hasty_visit() {
    let (states, events) = play(&format!("AAA{}", " ".repeat(50)));
    // Greeted at 200 ms: gone at 4.2 s.
    assert_eq!(states, format!("ll{}{}", "A".repeat(40), "-".repeat(11)));
    assert_eq!(events, ["2:A"]);
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
    assert_eq!(events, ["2:A", "20:A"]);
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
