//! Placements and appearances by hand: which defect each is, and how much the rest counts.

use super::*;
use crate::align::{self, AlignedFace};
use crate::geometry::Point;
use crate::landmarks::Landmarks;

/// The ArcFace template as detected in a frame, enlarged and shifted; its box as YuNet draws one.
fn face(scale: f32, shift: Point) -> Detection {
    let landmarks = align::template(112)
        .0
        .map(|p| Point::new(p.x * scale + shift.x, p.y * scale + shift.y));
    Detection {
        bounds: Rect {
            left: 15.0 * scale + shift.x,
            top: 5.0 * scale + shift.y,
            width: 82.0 * scale,
            height: 107.0 * scale,
        },
        score: 0.93,
        landmarks: Landmarks(landmarks),
    }
}

/// A face of 64 px sides: dots of this contrast around a mean luma, eyes and mouth among them unless covered.
fn picture(mean: f32, contrast: f32, covered: &[[u32; 4]]) -> AlignedFace {
    let mut rgb = Vec::new();
    for y in 0..112_u32 {
        for x in 0..112_u32 {
            // Stripes four pixels wide: an edge everywhere, noise nowhere.
            let up = (x / 4 + y / 4) % 2 == 0;
            let flat = covered.iter().any(|[left, right, top, bottom]| {
                (*left..*right).contains(&x) && (*top..*bottom).contains(&y)
            });
            let value = match (flat, up) {
                (true, _) => mean,
                (false, true) => mean + contrast,
                (false, false) => mean - contrast,
            };
            rgb.extend([value as u8; 3]);
        }
    }
    AlignedFace::from_rgb(112, rgb).unwrap()
}

#[test]
fn table_of_placements() {
    let limits = QualityLimits::default();
    let at = |x, y| Point::new(x, y);
    let changed = |change: fn(&mut Detection)| {
        let mut detection = face(1.5, at(200.0, 100.0));
        change(&mut detection);
        detection
    };
    for (name, detection, expected) in [
        ("in the middle", face(1.5, at(200.0, 100.0)), &[][..]),
        ("far away", face(0.6, at(200.0, 100.0)), &[Defect::TooSmall]),
        (
            "half out on the left",
            face(1.5, at(-80.0, 100.0)),
            &[Defect::OutsideFrame],
        ),
        ("a corner out", face(1.5, at(-25.0, 100.0)), &[]),
        (
            "nose to the lens",
            face(4.5, at(100.0, -150.0)),
            &[Defect::TooLarge],
        ),
        (
            "turned away",
            changed(|d| {
                for (point, x) in [(0, 0.0), (1, -20.0), (2, 24.0), (3, 0.0), (4, -16.0)] {
                    d.landmarks.0[point].x += x;
                }
            }),
            &[Defect::Turned],
        ),
        (
            "hardly a face",
            changed(|d| d.score = 0.62),
            &[Defect::Unclear],
        ),
        (
            "a landmark astray",
            changed(|d| d.landmarks.0[3].y -= 30.0),
            &[Defect::Unclear],
        ),
    ] {
        let placement = Placement::of(&detection, (640, 480));
        assert_eq!(
            limits.misplaced(&placement),
            expected,
            "{name}: {placement:?}"
        );
    }
}

#[test]
fn a_detector_gone_mad_is_refused() {
    let limits = QualityLimits::default();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let detection = Detection {
            bounds: Rect {
                left: value,
                top: value,
                width: value,
                height: value,
            },
            score: 0.9,
            landmarks: Landmarks([Point::new(value, value); 5]),
        };
        let placement = Placement::of(&detection, (640, 480));
        assert!(!limits.misplaced(&placement).is_empty(), "{value}");
    }
}

#[test]
fn table_of_appearances() {
    let limits = QualityLimits::default();
    let (eyes, mouth) = ([10, 102, 36, 68], [30, 82, 76, 110]);
    for (name, face, expected) in [
        ("even light", picture(120.0, 40.0, &[]), &[][..]),
        ("dark skin in even light", picture(60.0, 20.0, &[]), &[]),
        ("night", picture(16.0, 8.0, &[]), &[Defect::TooDark]),
        ("a silhouette", picture(6.0, 4.0, &[]), &[Defect::TooDark]),
        ("the sun", picture(246.0, 9.0, &[]), &[Defect::TooBright]),
        (
            "a plain mask",
            picture(120.0, 40.0, &[mouth]),
            &[Defect::MouthCovered],
        ),
        (
            "a bar over the eyes",
            picture(120.0, 40.0, &[eyes]),
            &[Defect::EyesCovered],
        ),
        (
            "a wall",
            picture(120.0, 0.0, &[]),
            &[
                Defect::TooDark,
                Defect::EyesCovered,
                Defect::MouthCovered,
                Defect::Blurred,
            ],
        ),
    ] {
        let appearance = Appearance::of(&face);
        assert_eq!(
            limits.blemished(&appearance),
            expected,
            "{name}: {appearance:?}"
        );
    }
}

#[test]
fn light_from_one_side() {
    let face = picture(120.0, 40.0, &[]);
    let rgb = face.rgb().iter().enumerate().map(|(i, value)| {
        if (i / 3) % 112 < 56 {
            value / 5
        } else {
            *value
        }
    });
    let lit = AlignedFace::from_rgb(112, rgb.collect()).unwrap();
    let appearance = Appearance::of(&lit);
    assert!(
        (appearance.imbalance - 0.667).abs() < 0.02,
        "{appearance:?}"
    );
    assert_eq!(
        QualityLimits::default().blemished(&appearance),
        [Defect::UnevenLight]
    );
}

#[test]
fn ratios_do_not_depend_on_the_light() {
    let [strong, weak] = [(160.0, 60.0), (80.0, 30.0)]
        .map(|(mean, contrast)| Appearance::of(&picture(mean, contrast, &[])));
    assert!(
        (strong.sharpness - weak.sharpness).abs() < 0.02,
        "{strong:?} {weak:?}"
    );
    assert!((strong.mouth_texture - weak.mouth_texture).abs() < 0.01);
    assert!((strong.imbalance - weak.imbalance).abs() < 0.01);
}

#[test]
fn a_crop_of_any_side_is_measured() {
    for side in [1, 2, 3, 16, 32, 96, 220] {
        let face = AlignedFace::from_rgb(side, vec![100; 3 * (side * side) as usize]).unwrap();
        let appearance = Appearance::of(&face);
        assert!(
            appearance.brightness.is_finite() && appearance.sharpness.is_finite(),
            "{side}: {appearance:?}"
        );
    }
}

#[test]
fn the_worst_measure_decides_how_much_a_face_counts() {
    let limits = QualityLimits::default();
    let good = Appearance::of(&picture(120.0, 40.0, &[]));
    let weight = |scale: f32, score: f32, appearance: &Appearance| {
        let mut detection = face(scale, Point::new(100.0, 100.0));
        detection.score = score;
        limits.weight(&Placement::of(&detection, (640, 480)), appearance)
    };
    assert_eq!(weight(1.5, 0.95, &good), 1.0);
    assert_eq!(weight(0.5, 0.95, &good), 0.0, "too small");
    assert_eq!(weight(1.5, 0.69, &good), 0.0, "unclear");
    let blurred = Appearance {
        sharpness: limits.least_sharpness,
        ..good
    };
    assert_eq!(
        weight(1.5, 0.95, &blurred),
        LEAST_WEIGHT,
        "just sharp enough"
    );
    let between = weight(1.5, 0.8, &good);
    assert!((between - 0.625).abs() < 0.01, "half sure: {between}");
    assert_eq!(
        weight(1.5, 0.8, &blurred),
        LEAST_WEIGHT,
        "the worse one, not both"
    );
}

#[test]
fn limits_that_make_no_sense_are_named() {
    let sound = QualityLimits::default();
    assert_eq!(sound.check(), Ok(()));
    for (limits, named) in [
        (
            QualityLimits {
                least_score: 0.95,
                ..sound
            },
            "least_score = 0.95, which is not from 0 to 0.9",
        ),
        (
            QualityLimits {
                most_yaw_degrees: 91.0,
                ..sound
            },
            "most_yaw_degrees",
        ),
        (
            QualityLimits {
                good_yaw_degrees: 50.0,
                ..sound
            },
            "good_yaw_degrees",
        ),
        (
            QualityLimits {
                least_eye_distance_px: f32::NAN,
                ..sound
            },
            "least_eye_distance_px",
        ),
        (
            QualityLimits {
                good_eye_distance_px: 10.0,
                ..sound
            },
            "good_eye_distance_px",
        ),
        (
            QualityLimits {
                least_brightness: 230.0,
                ..sound
            },
            "least_brightness",
        ),
    ] {
        let message = limits.check().unwrap_err();
        assert!(message.starts_with(named), "{message}");
    }
}
