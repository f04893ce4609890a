//! Scripts of boxes: who is followed, and whose turn it is.

use super::*;

fn square(left: f32, side: f32) -> Rect {
    Rect {
        left,
        top: 100.0,
        width: side,
        height: side,
    }
}

/// Plays frames (when, boxes as left and side) and tells after each whose turn it is and how that came, as `0 Same`.
fn turns(frames: &[(u64, &[(f32, f32)])]) -> Vec<String> {
    let mut tracker = Tracker::new(PresenceRules::default(), SubjectRules::default());
    let play = |(millis, faces): &(u64, &[(f32, f32)])| {
        let faces: Vec<Rect> = faces
            .iter()
            .map(|(left, side)| square(*left, *side))
            .collect();
        tracker.step(Timestamp::from_millis(*millis), &faces);
        let who = tracker
            .subject()
            .map_or("-".to_owned(), |track| track.id.0.to_string());
        format!("{who} {:?}", tracker.continuity())
    };
    frames.iter().map(play).collect()
}

#[test]
fn table_of_presences() {
    /// What it is about, milliseconds, faces (left, side), and what is expected.
    type Row = (&'static str, u64, &'static [(f32, f32)], &'static str);
    let table: [Row; 10] = [
        ("empty room", 0, &[], "- Absent"),
        ("somebody comes", 100, &[(100.0, 100.0)], "0 New"),
        ("and walks on", 200, &[(130.0, 110.0)], "0 Same"),
        ("the detector blinks", 300, &[], "0 Paused"),
        (
            "and finds the face again",
            1100,
            &[(140.0, 120.0)],
            "0 Same",
        ),
        (
            "somebody else steps in front",
            1200,
            &[(300.0, 200.0)],
            "1 New",
        ),
        ("is lost", 2200, &[], "1 Paused"),
        ("is gone", 2201, &[], "- Absent"),
        ("comes back", 2300, &[(300.0, 200.0)], "2 New"),
        (
            "a late frame at the same place",
            3301,
            &[(300.0, 200.0)],
            "3 New",
        ),
    ];
    let frames: Vec<_> = table.iter().map(|row| (row.1, row.2)).collect();
    for (found, (name, _, _, expected)) in turns(&frames).iter().zip(table) {
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn two_people_do_not_take_turns_for_nothing() {
    let (a, b) = ((100.0, 100.0), (400.0, 100.0));
    let slightly = (400.0, 105.0);
    for (name, frames, expected) in [
        (
            "equal faces: the first one stays",
            &[
                (0, &[a][..]),
                (100, &[a, b]),
                (200, &[b, a]),
                (300, &[slightly, a]),
            ][..],
            "0000",
        ),
        (
            "the other blinks, or the subject does",
            &[(0, &[a, b][..]), (100, &[a]), (200, &[b]), (300, &[a, b])],
            "0000",
        ),
        (
            "the subject is away for longer than a blink",
            &[(0, &[a, b][..]), (200, &[b]), (400, &[b]), (500, &[a, b])],
            "0011",
        ),
        (
            "whoever comes as the subject vanishes is somebody new",
            &[(0, &[a][..]), (100, &[b])],
            "01",
        ),
        (
            "a passer-by, larger for a moment",
            &[
                (0, &[a][..]),
                (100, &[a, (400.0, 120.0)]),
                (200, &[a, (400.0, 130.0)]),
                (300, &[a, (400.0, 100.0)]),
                (700, &[a, (400.0, 130.0)]),
            ],
            "00000",
        ),
        (
            "somebody who comes nearer",
            &[
                (0, &[a][..]),
                (100, &[a, (400.0, 130.0)]),
                (500, &[a, (400.0, 130.0)]),
                (600, &[a, (400.0, 130.0)]),
            ],
            "0001",
        ),
        (
            "somebody right in front",
            &[(0, &[a][..]), (100, &[a, (400.0, 200.0)])],
            "01",
        ),
        (
            "nobody: the subject waits until it is gone",
            &[(0, &[a][..]), (900, &[]), (1000, &[]), (1001, &[])],
            "000-",
        ),
    ] {
        let found: String = turns(frames)
            .iter()
            .map(|turn| turn.chars().next().unwrap())
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn each_face_goes_on_with_the_track_that_fits_best() {
    let mut tracker = Tracker::new(PresenceRules::default(), SubjectRules::default());
    let mut step = |millis, faces: &[Rect]| -> Vec<(u64, Option<usize>)> {
        tracker.step(Timestamp::from_millis(millis), faces);
        let tracks = tracker.tracks().iter();
        tracks.map(|track| (track.id.0, track.face)).collect()
    };
    assert_eq!(
        step(0, &[square(100.0, 100.0), square(160.0, 100.0)]),
        [(0, Some(0)), (1, Some(1))]
    );
    // Both move to the right; the first now lies nearer to where the second was than to where it was itself.
    assert_eq!(
        step(100, &[square(185.0, 100.0), square(125.0, 100.0)]),
        [(0, Some(1)), (1, Some(0))]
    );
    // One face between two tracks goes on with one of them alone.
    assert_eq!(
        step(200, &[square(150.0, 100.0)]),
        [(0, Some(0)), (1, None)]
    );
}

#[test]
fn a_track_and_a_face_are_paired_once_and_numbers_are_never_given_twice() {
    let mut random = 20_260_101_u64;
    let mut next = || {
        // Knuth's MMIX generator: the upper bits are good enough for boxes.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 40) as f32 / (1 << 24) as f32
    };
    let mut tracker = Tracker::new(PresenceRules::default(), SubjectRules::default());
    let mut known: Vec<u64> = Vec::new();
    for frame in 0..5000_u64 {
        let count = (next() * 20.0) as usize;
        let faces: Vec<Rect> = (0..count)
            .map(|_| square(next() * 600.0, 40.0 + next() * 100.0))
            .collect();
        tracker.step(Timestamp::from_millis(frame * 150), &faces);
        let mut used: Vec<usize> = tracker
            .tracks()
            .iter()
            .filter_map(|track| track.face)
            .collect();
        assert_eq!(used.len(), count.min(MOST_TRACKS), "every face is followed");
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), count.min(MOST_TRACKS), "and by one track");
        for track in tracker.tracks() {
            if track.began == Timestamp::from_millis(frame * 150) {
                assert!(!known.contains(&track.id.0), "frame {frame}");
                known.push(track.id.0);
            }
        }
        let visible = tracker.tracks().iter().any(|track| track.face.is_some());
        assert!(
            !visible || tracker.subject().is_some(),
            "somebody there, nobody's turn"
        );
    }
}

#[test]
fn a_face_found_to_be_another_is_somebody_new() {
    let mut tracker = Tracker::new(PresenceRules::default(), SubjectRules::default());
    tracker.step(Timestamp::from_millis(0), &[square(0.0, 50.0)]);
    tracker.step(Timestamp::from_millis(50), &[square(0.0, 50.0)]);
    let before = tracker.subject().unwrap().id;
    assert_eq!(tracker.continuity(), Continuity::Same);
    let after = tracker.renew(before, Timestamp::from_millis(50));
    assert_ne!(before, after);
    assert_eq!(tracker.subject().unwrap().id, after);
    assert_eq!(tracker.continuity(), Continuity::New);
    tracker.step(Timestamp::from_millis(100), &[square(0.0, 50.0)]);
    assert_eq!(
        (tracker.subject().unwrap().id, tracker.continuity()),
        (after, Continuity::Same)
    );
}

#[test]
fn rules_that_make_no_sense_are_named() {
    let rules = SubjectRules {
        larger: 0.9,
        ..SubjectRules::default()
    };
    assert_eq!(
        rules.check().unwrap_err(),
        "recognition.subject.larger = 0.9, which is not from 1 to 100"
    );
    assert_eq!(SubjectRules::default().check(), Ok(()));
}
