use super::*;

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn sign(sequence: u32, taken: u64, digest: u64) -> Sign {
    Sign {
        sequence: Some(sequence),
        taken: Some(at(taken)),
        digest,
    }
}

fn watch() -> Watch {
    Watch::new(
        at(1000),
        Some(30.0),
        Duration::from_millis(3000),
        false,
        None,
    )
}

#[test]
fn order_of_frames() {
    for (name, signs, expected) in [
        ("usual", [sign(7, 1000, 1), sign(8, 1033, 2)], Ok(0)),
        ("gap", [sign(7, 1000, 1), sign(11, 1133, 2)], Ok(3)),
        (
            "numbers wrap",
            [sign(u32::MAX, 1000, 1), sign(0, 1033, 2)],
            Ok(0),
        ),
        (
            "same number",
            [sign(7, 1000, 1), sign(7, 1033, 2)],
            Err(FrameFault::Duplicate),
        ),
        (
            "same bytes",
            [sign(7, 1000, 1), sign(8, 1033, 1)],
            Err(FrameFault::Duplicate),
        ),
        (
            "number back",
            [sign(7, 1000, 1), sign(6, 1033, 2)],
            Err(FrameFault::OutOfTime),
        ),
        (
            "stamp back",
            [sign(7, 1000, 1), sign(8, 999, 2)],
            Err(FrameFault::OutOfTime),
        ),
        (
            "from the future",
            [sign(7, 1000, 1), sign(8, 1400, 2)],
            Err(FrameFault::OutOfTime),
        ),
        (
            "too old",
            [sign(7, 400, 1), sign(8, 500, 2)],
            Err(FrameFault::Late),
        ),
        ("same stamp", [sign(7, 1000, 1), sign(8, 1000, 2)], Ok(0)),
    ] {
        let mut watch = watch();
        let _ = watch.arrived(at(1010), signs[0]);
        let judged = watch.arrived(at(1200), signs[1]);
        match expected {
            Ok(missed) => {
                assert_eq!(judged.ok(), signs[1].taken, "{name}");
                assert_eq!(watch.missed(), missed, "{name}");
            }
            Err(fault) => assert_eq!(judged.unwrap_err(), fault, "{name}"),
        }
    }
}

#[test]
fn one_stamp_from_the_future_spoils_one_frame() {
    let mut watch = watch();
    watch.arrived(at(1010), sign(1, 1000, 1)).unwrap();
    watch.arrived(at(1040), sign(2, 99_000, 2)).unwrap_err();
    assert_eq!(watch.arrived(at(1070), sign(3, 1066, 3)), Ok(at(1066)));
    // A stamp from the past spoils its own frame, and not the next.
    watch.arrived(at(1100), sign(4, 900, 4)).unwrap_err();
    assert_eq!(watch.arrived(at(1130), sign(5, 1128, 5)), Ok(at(1128)));
}

#[test]
fn drivers_that_neither_count_nor_stamp() {
    let mut watch = watch();
    let bare = |digest| Sign {
        sequence: None,
        taken: None,
        digest,
    };
    assert_eq!(watch.arrived(at(1010), bare(1)), Ok(at(1010)));
    assert_eq!(watch.arrived(at(1040), bare(2)), Ok(at(1040)));
    assert_eq!(watch.arrived(at(1070), bare(2)), Err(FrameFault::Duplicate));
}

#[test]
fn a_frozen_camera_does_not_thaw_by_being_opened_again() {
    let mut before = watch();
    before.arrived(at(1010), sign(1, 1000, 7)).unwrap();
    let digest = before.last_digest();
    let mut after = Watch::new(at(2000), Some(30.0), Duration::ZERO, false, digest);
    let first = after.arrived(at(2010), sign(0, 2000, 7));
    assert_eq!(first, Err(FrameFault::Duplicate));
    assert!(after.arrived(at(2040), sign(1, 2033, 8)).is_ok());
}

#[test]
fn a_recording_may_repeat() {
    let mut watch = Watch::new(at(0), Some(10.0), Duration::ZERO, true, None);
    watch.arrived(at(10), sign(1, 10, 1)).unwrap();
    assert!(watch.arrived(at(110), sign(2, 110, 1)).is_ok());
}

#[test]
fn stalls_are_seen_within_a_second_and_named() {
    let mut watch = watch();
    // The first frame may take its time.
    assert_eq!(watch.stalled(at(3900), None), None);
    let first = watch.stalled(at(4000), None).unwrap();
    assert!(matches!(first, Stall::Silent(_)));
    watch.sound(at(5000));
    assert_eq!(watch.stalled(at(5700), None), None);
    // The longest wait for a frame is added before anybody looks.
    let latest = at(5000).millis() + (STALL + PATIENCE).as_millis() as u64;
    assert!(latest - 5000 < 1000);
    for (fault, word) in [
        (None, "found none"),
        (Some(FrameFault::Duplicate), "found the same one"),
        (Some(FrameFault::Empty), "found no bytes"),
    ] {
        let stall = watch.stalled(at(5800), fault.as_ref()).unwrap().to_string();
        assert!(stall.contains(word), "{stall}");
    }
    // One frame in two seconds is slow, and not stalled after one.
    let mut slow = Watch::new(at(0), Some(0.5), Duration::ZERO, false, None);
    slow.sound(at(0));
    assert_eq!(slow.stalled(at(4000), None), None);
    assert!(slow.stalled(at(5001), None).is_some());
}

#[test]
fn frames_go_stale() {
    assert!(!is_stale(at(1000), at(1500)));
    assert!(is_stale(at(1000), at(1501)));
    assert!(!is_stale(at(1000), at(900)));
}

/// Rows of packed 4:2:2 of a colorful scene: smooth luma, chroma of different blue and red.
fn scene(blue: u8, red: u8, luma_first: bool) -> Vec<Vec<u8>> {
    (0..64)
        .map(|y| {
            (0..160)
                .flat_map(|x: usize| {
                    let luma = |at: usize| (60 + (at * 3 + y) % 120) as u8;
                    let (first, second) = (luma(2 * x), luma(2 * x + 1));
                    if luma_first {
                        [first, blue, second, red]
                    } else {
                        [blue, first, red, second]
                    }
                })
                .collect()
        })
        .collect()
}

#[test]
fn luma_and_chroma_the_other_way_round() {
    for (name, blue, red, luma_first, luma_at, expected) in [
        ("YUYV", 90, 180, true, 0, Order::Fits),
        ("UYVY taken for YUYV", 90, 180, false, 0, Order::Swapped),
        ("UYVY", 90, 180, false, 1, Order::Fits),
        ("YUYV taken for UYVY", 90, 180, true, 1, Order::Swapped),
        ("grey", 128, 128, true, 0, Order::Unknown),
        ("grey, other way", 128, 128, false, 0, Order::Unknown),
    ] {
        let rows = scene(blue, red, luma_first);
        let found = order(rows.iter().map(Vec::as_slice), luma_at);
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(order(std::iter::empty(), 0), Order::Unknown);
    let flat = vec![vec![128; 640]; 16];
    assert_eq!(order(flat.iter().map(Vec::as_slice), 0), Order::Unknown);
}

#[test]
fn the_order_is_looked_at_after_the_start() {
    let mut watch = watch();
    for _ in 0..4 {
        assert!(!watch.note_order(Order::Swapped));
    }
    assert!(!watch.note_order(Order::Fits));
    for _ in 0..25 {
        assert!(watch.looks_at_order());
        watch.note_order(Order::Unknown);
    }
    assert!(!watch.looks_at_order());
    let mut swapped = super::tests::watch();
    let told: Vec<bool> = (0..6).map(|_| swapped.note_order(Order::Swapped)).collect();
    assert_eq!(told, [false, false, false, false, true, true]);
    assert!(swapped.looks_at_order());
}

#[test]
fn digests_tell_frames_apart() {
    let frame: Vec<u8> = (0..10_007_u32)
        .map(|value| (value * 7 % 251) as u8)
        .collect();
    let mut seen = std::collections::BTreeSet::from([digest(&frame)]);
    for at in (0..frame.len()).step_by(37).chain([frame.len() - 1]) {
        let mut other = frame.clone();
        other[at] ^= 1;
        assert!(seen.insert(digest(&other)), "{at}");
    }
    assert!(seen.insert(digest(&frame[..frame.len() - 1])));
    assert!(seen.insert(digest(&[])));
    assert!(seen.insert(digest(&[0])));
    assert_eq!(digest(&frame), digest(&frame.clone()));
}
