//! Twenty-four hours in a lobby, by a clock that is moved by hand: 2.6 million frames, and what stays of them.
//!
//! Thirty frames a second all day, with networks that are stubs: people come, are greeted or refused, stand side by
//! side, leave. Everything from detections to the canvas runs, the record included. After the first hour memory may
//! grow by less than a mebibyte, and threads and descriptors not at all. One test program with one test, because they
//! are counted for the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::convert::Infallible;

use edge_runtime::attention::{Attention, Look, Senses};
use edge_runtime::clock::Timestamp;
use edge_runtime::decision::Outcome;
use edge_runtime::event::{EventLog, EventsConfig, Happening};
use edge_runtime::latency::{Latencies, Stage};
use edge_runtime::liveness::Liveness;
use edge_runtime::metrics::process::Process;
use edge_runtime::recognition::RecognitionRules;
use edge_runtime::screen::{Chrome, Screen};
use edge_runtime::session::{Event, Session, SessionRules, State};
use edge_runtime::showing::{Aim, Showing};
use edge_runtime::tracking::Tracker;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::align::AlignedFace;
use shared::detector::Detection;
use shared::distance::SquaredL2;
use shared::embedding::Embedding;
use shared::frame::Frame;
use shared::gallery::consent::WallTime;
use shared::gallery::{Gallery, IdentityId};
use shared::geometry::{Point, Rect};
use shared::landmarks::Landmarks;
use shared::model_id::ModelId;
use shared::operating_point::Threshold;
use shared::quality::Appearance;

const FRAMES: u64 = 24 * 3600 * 30;
const WARM: u64 = FRAMES / 24;
const MOST_GROWTH_BYTES: u64 = 1 << 20;
/// The screen is drawn once in so many frames: a second of every minute.
const DRAWN: u64 = 60;

/// Somebody in the lobby.
#[derive(Clone, Copy)]
struct Person {
    known: Option<IdentityId>,
    left: f32,
    until: u64,
}

/// Networks that know who it is by where the face lies.
struct Stub<'a> {
    people: &'a [Person],
}

impl Stub<'_> {
    fn who(&self, face: &AlignedFace) -> Option<IdentityId> {
        self.people[usize::from(face.rgb()[0])].known
    }
}

impl Senses for Stub<'_> {
    type Error = Infallible;

    fn align(&mut self, face: &Detection) -> Result<Option<AlignedFace>, Infallible> {
        let place = |person: &Person| (person.left - face.bounds.left).abs() < 1.0;
        let number = self.people.iter().position(place).unwrap();
        Ok(Some(
            AlignedFace::from_rgb(1, vec![number as u8, 0, 0]).unwrap(),
        ))
    }

    fn appearance(&mut self, _face: &AlignedFace) -> Appearance {
        Appearance {
            brightness: 120.0,
            contrast: 40.0,
            black: 0.0,
            white: 0.0,
            imbalance: 0.0,
            sharpness: 1.0,
            eye_texture: 1.2,
            mouth_texture: 1.0,
        }
    }

    fn compare(
        &mut self,
        face: &AlignedFace,
        _weight: f32,
    ) -> Result<Option<(Embedding, Outcome)>, Infallible> {
        let distance = |value| SquaredL2::new(value).unwrap();
        let (probe, outcome) = match self.who(face) {
            Some(identity) => {
                let distance = distance(0.4);
                (vec![1.0, 0.0], Outcome::Match { identity, distance })
            }
            None => {
                let nearest = Some(distance(1.6));
                (vec![0.0, 1.0], Outcome::NoMatch { nearest })
            }
        };
        Ok(Some((Embedding::from_raw(probe).unwrap(), outcome)))
    }

    fn liveness(&mut self, _look: &Look<'_>) -> Liveness {
        Liveness::Off
    }
}

/// A face of 160 pixels whose landmarks are those of a head seen from the front.
fn face(left: f32) -> Detection {
    let template = [
        (38.3, 51.7),
        (73.5, 51.5),
        (56.0, 71.7),
        (41.5, 92.4),
        (70.7, 92.2),
    ];
    let points = template.map(|(x, y)| Point {
        x: left + x * 160.0 / 112.0,
        y: 200.0 + y * 160.0 / 112.0,
    });
    Detection {
        bounds: Rect {
            left,
            top: 200.0,
            width: 160.0,
            height: 160.0,
        },
        score: 0.95,
        landmarks: Landmarks(points),
    }
}

#[test]
fn a_day_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let frame = Frame::new(1280, 720, vec![90; 1280 * 720 * 3]).unwrap();
    let gallery = Gallery::new(ModelId::from_bytes([7; 32]), 2);
    let (rules, session) = (RecognitionRules::default(), SessionRules::default());
    let tracker = Tracker::new(session.presence, rules.subject);
    let threshold = Threshold::new(1.0).unwrap();
    let mut attention = Attention::new(rules, tracker, Session::new(session, threshold, None));
    let mut screen = Screen::new(800, 480).unwrap();
    let mut latencies = Latencies::default();
    let events = EventsConfig {
        max_bytes: 1 << 20,
        ..EventsConfig::at(Some(&folder.path().join("events.jsonl")))
    };
    let mut log = EventLog::open(&events, WallTime::default()).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(24);
    let mut people: Vec<Person> = Vec::new();
    let (mut greeted, mut unknown, mut left) = (0_u64, 0_u64, 0_u64);
    let mut before = None;
    for number in 0..FRAMES {
        if number == WARM {
            before = Some(Process::now());
        }
        // Timestamps as a camera gives them: 33, 33, 34 ms apart.
        let now = Timestamp::from_millis(number * 100 / 3);
        people.retain(|person| person.until > number);
        // A visitor every two minutes, for five to sixty seconds, three of four known.
        if people.len() < 3 && random.random_range(0..3600) == 0 {
            people.push(Person {
                known: (random.random_range(0..4) > 0)
                    .then(|| IdentityId::from_number(random.random_range(1..=50))),
                left: 60.0 + 380.0 * people.len() as f32,
                until: number + random.random_range(150..1800),
            });
        }
        let faces: Vec<Detection> = people.iter().map(|person| face(person.left)).collect();
        let mut stub = Stub { people: &people };
        let Ok(noticed) = attention.look(now, &frame, &faces, &mut stub);
        for event in &noticed.events {
            match event {
                Event::Greeted { .. } => greeted += 1,
                Event::Unknown { .. } => unknown += 1,
                Event::Left => left += 1,
                Event::NotLive => panic!("nobody was checked"),
            }
            log.write(now, None, Happening::of(event, &gallery, number))
                .unwrap();
        }
        latencies.note(
            Stage::Decision,
            std::time::Duration::from_millis(number % 40),
        );
        latencies.take_new();
        if number % (30 * DRAWN) < 3 {
            let showing = match attention.session().state() {
                State::Greeting { identity, .. } => Showing::Greeting {
                    name: format!("Visitor {identity}"),
                    one_in: None,
                },
                State::Unknown { .. } => Showing::Unknown,
                State::Idle => Showing::Idle,
                _ => Showing::NotSure,
            };
            let aim = Aim {
                face: noticed.face,
                focus: noticed.face,
            };
            let chrome = Chrome {
                now,
                ..Chrome::default()
            };
            screen.draw(&showing.view(Some(&frame), aim), &chrome);
        }
    }
    let (before, after) = (before.unwrap(), Process::now());
    let growth = after
        .resident_bytes
        .unwrap()
        .saturating_sub(before.resident_bytes.unwrap());
    println!(
        "{FRAMES} frames: {greeted} greeted, {unknown} unknown, {left} left; memory grew by {} KiB of {} MiB",
        growth >> 10,
        after.resident_bytes.unwrap() >> 20
    );
    assert!(growth < MOST_GROWTH_BYTES, "memory grew by {growth} bytes");
    assert_eq!(after.threads, before.threads, "threads");
    assert_eq!(after.open_files, before.open_files, "descriptors");
    assert!(
        greeted > 100 && unknown > 30 && left > 100,
        "{greeted} {unknown} {left}"
    );
}
