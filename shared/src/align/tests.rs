//! What alignment promises: the similarity is found again, the warp keeps places and colors.

use super::*;

fn landmarks(points: [[f32; 2]; 5]) -> Landmarks {
    Landmarks(points.map(|[x, y]| Point::new(x, y)))
}

fn moved(by: &Similarity, from: &Landmarks) -> Landmarks {
    Landmarks(from.0.map(|p| by.apply(p)))
}

fn close(a: f32, b: f32, tolerance: f32) -> bool {
    (a - b).abs() <= tolerance
}

/// A linear congruential generator (Knuth's MMIX constants): every run draws the same numbers.
struct Draw(u64);

impl Draw {
    /// The next number, from `low` to `high`.
    fn next(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * ((self.0 >> 40) as f32 / (1u64 << 24) as f32)
    }
}

#[test]
fn template_is_the_published_one_and_scales() {
    assert_eq!(template(112).0, ARCFACE_112);
    let double = template(224);
    assert_eq!(double.0[0], Point::new(76.5892, 103.3926));
}

#[test]
fn recovers_any_similarity() {
    let mut draw = Draw(7);
    for round in 0..2000 {
        let truth = Similarity {
            a: draw.next(-4.0, 4.0),
            b: draw.next(-4.0, 4.0),
            tx: draw.next(-2000.0, 2000.0),
            ty: draw.next(-2000.0, 2000.0),
        };
        if truth.scale() < 0.05 {
            continue;
        }
        let from = template(112);
        let found = similarity(&from, &moved(&truth, &from)).unwrap();
        // The moved points were rounded to f32: 2000 px carry 1.2e-4 px, over a face of 35 px.
        assert!(
            close(found.a, truth.a, 2e-5),
            "{round}: {found:?} {truth:?}"
        );
        assert!(
            close(found.b, truth.b, 2e-5),
            "{round}: {found:?} {truth:?}"
        );
        assert!(
            close(found.tx, truth.tx, 2e-3),
            "{round}: {found:?} {truth:?}"
        );
        assert!(
            close(found.ty, truth.ty, 2e-3),
            "{round}: {found:?} {truth:?}"
        );
    }
}

#[test]
fn no_other_similarity_fits_better() {
    let mut draw = Draw(11);
    let to = template(112);
    for _ in 0..50 {
        let from = Landmarks(
            to.0.map(|p| Point::new(p.x + draw.next(-6.0, 6.0), p.y + draw.next(-6.0, 6.0))),
        );
        let best = similarity(&from, &to).unwrap();
        let cost = |s: &Similarity| -> f64 {
            from.0
                .iter()
                .zip(&to.0)
                .map(|(p, q)| {
                    let r = s.apply(*p);
                    f64::from(r.x - q.x).powi(2) + f64::from(r.y - q.y).powi(2)
                })
                .sum()
        };
        let least = cost(&best);
        for (da, db, dx, dy) in [
            (1e-2, 0.0, 0.0, 0.0),
            (-1e-2, 0.0, 0.0, 0.0),
            (0.0, 1e-2, 0.0, 0.0),
            (0.0, -1e-2, 0.0, 0.0),
            (0.0, 0.0, 0.3, 0.0),
            (0.0, 0.0, -0.3, 0.0),
            (0.0, 0.0, 0.0, 0.3),
            (0.0, 0.0, 0.0, -0.3),
        ] {
            let other = Similarity {
                a: best.a + da,
                b: best.b + db,
                tx: best.tx + dx,
                ty: best.ty + dy,
            };
            assert!(cost(&other) > least, "{other:?} beats {best:?}");
        }
    }
}

#[test]
fn inverse_leads_back() {
    let there = Similarity {
        a: 1.5,
        b: -0.7,
        tx: 40.0,
        ty: -3.0,
    };
    let back = there.inverse().unwrap();
    for p in ARCFACE_112 {
        let q = back.apply(there.apply(p));
        assert!(
            close(p.x, q.x, 1e-4) && close(p.y, q.y, 1e-4),
            "{p:?} {q:?}"
        );
    }
    let flat = Similarity {
        a: 0.0,
        b: 0.0,
        tx: 1.0,
        ty: 1.0,
    };
    assert_eq!(flat.inverse(), None);
}

#[test]
fn refuses_what_is_no_face() {
    let mirrored = Landmarks(template(112).0.map(|p| Point::new(112.0 - p.x, p.y)));
    let mut not_a_number = template(112);
    not_a_number.0[3].y = f32::NAN;
    let mut infinite = template(112);
    infinite.0[1].x = f32::INFINITY;
    for (name, from) in [
        ("in a point", landmarks([[5.0, 5.0]; 5])),
        (
            "on a line",
            landmarks([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [9.0, 18.0]]),
        ),
        (
            "nearly on a line",
            landmarks([
                [0.0, 0.0],
                [10.0, 0.1],
                [20.0, 0.0],
                [30.0, 0.1],
                [40.0, 0.0],
            ]),
        ),
        (
            "two places",
            landmarks([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [9.0, 9.0], [9.0, 9.0]]),
        ),
        ("NaN", not_a_number),
        ("infinite", infinite),
        ("left and right exchanged", mirrored),
        (
            "far too small",
            Landmarks(
                template(112)
                    .0
                    .map(|p| Point::new(p.x * 1e-42, p.y * 1e-42)),
            ),
        ),
    ] {
        assert!(similarity(&from, &template(112)).is_err(), "{name}");
    }
}

#[test]
fn accepts_a_face_turned_aside() {
    // Eyes and mouth corners drawn together as in a half profile, the nose beside them.
    let profile = landmarks([
        [50.0, 50.0],
        [62.0, 50.0],
        [70.0, 72.0],
        [52.0, 92.0],
        [61.0, 92.0],
    ]);
    assert!(similarity(&profile, &template(112)).is_ok());
}

fn gradient(width_px: u32, height_px: u32) -> Frame {
    let mut rgb = Vec::new();
    for y in 0..height_px {
        for x in 0..width_px {
            rgb.extend([x as u8, y as u8, 200]);
        }
    }
    Frame::new(width_px, height_px, rgb).unwrap()
}

#[test]
fn identity_warp_copies_pixels() {
    let frame = gradient(40, 40);
    let identity = Similarity {
        a: 1.0,
        b: 0.0,
        tx: 0.0,
        ty: 0.0,
    };
    assert_eq!(warp(&frame, &identity, 40).rgb(), frame.rgb());
}

#[test]
fn warp_samples_where_the_similarity_points() {
    let frame = gradient(200, 200);
    for (name, transform) in [
        ("shift", [1.0, 0.0, 30.0, 20.0]),
        ("half pixel", [1.0, 0.0, 30.5, 20.5]),
        ("grow", [2.0, 0.0, 20.0, 30.0]),
        ("turn a quarter", [0.0, 1.0, 150.0, 20.0]),
        ("turn and shrink", [0.6, 0.3, 60.0, 40.0]),
    ] {
        let [a, b, tx, ty] = transform;
        let frame_from_face = Similarity { a, b, tx, ty };
        let face = warp(&frame, &frame_from_face, 50);
        for (x, y) in [(0, 0), (49, 0), (0, 49), (49, 49), (20, 31)] {
            let at = frame_from_face.apply(Point::new(x as f32, y as f32));
            let start = 3 * (y * 50 + x);
            let found = &face.rgb()[start..start + 3];
            // The frame's red is x and its green y, so a linear sample reads the place itself.
            assert!(close(f32::from(found[0]), at.x, 0.51), "{name} {x},{y}");
            assert!(close(f32::from(found[1]), at.y, 0.51), "{name} {x},{y}");
            assert_eq!(found[2], 200, "{name} {x},{y}");
        }
    }
}

#[test]
fn a_large_face_is_averaged_not_skipped() {
    // A checkerboard of single pixels: sampled with gaps it would come out black or white.
    let rgb = (0..400 * 400)
        .flat_map(|i| [if (i % 400 + i / 400) % 2 == 0 { 255 } else { 0 }; 3])
        .collect();
    let frame = Frame::new(400, 400, rgb).unwrap();
    let frame_from_face = Similarity {
        a: 4.0,
        b: 0.0,
        // A whole number: one sample for each crop pixel would hit one pixel alone.
        tx: 2.0,
        ty: 2.0,
    };
    let face = warp(&frame, &frame_from_face, 90);
    assert!(face.rgb().iter().all(|&v| v.abs_diff(128) <= 1));
}

#[test]
fn supersampling_follows_the_scale() {
    for (scale, expected) in [
        (0.1, 1),
        (1.0, 1),
        (1.000_01, 1),
        (1.2, 2),
        (2.0, 2),
        (3.5, 4),
        (50.0, 8),
        (f32::NAN, 1),
    ] {
        let transform = Similarity {
            a: scale,
            b: 0.0,
            tx: 0.0,
            ty: 0.0,
        };
        assert_eq!(supersampling(&transform), expected, "{scale}");
    }
}

#[test]
fn beyond_the_frame_its_edge_is_repeated() {
    let frame = Frame::new(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
    let far_right = Similarity {
        a: 1.0,
        b: 0.0,
        tx: 100.0,
        ty: -50.0,
    };
    assert_eq!(warp(&frame, &far_right, 2).rgb(), [40, 50, 60].repeat(4));
    let nowhere = Similarity {
        a: f32::NAN,
        b: 0.0,
        tx: 0.0,
        ty: f32::NEG_INFINITY,
    };
    assert_eq!(warp(&frame, &nowhere, 1).rgb(), [10, 20, 30]);
}

#[test]
fn the_aligned_landmarks_lie_on_the_template() {
    // Dots painted at the landmarks of a turned, large face must come out at the template.
    let frame_from_face = Similarity {
        a: 2.2,
        b: 0.8,
        tx: 120.0,
        ty: 60.0,
    };
    let found = moved(&frame_from_face, &template(112));
    let mut rgb = vec![0; 500 * 500 * 3];
    for p in found.0 {
        for y in -4..=4 {
            for x in -4..=4 {
                let column = (p.x.round() as i32 + x) as usize;
                let row = (p.y.round() as i32 + y) as usize;
                rgb[3 * (row * 500 + column)] = 255;
            }
        }
    }
    let frame = Frame::new(500, 500, rgb).unwrap();
    let face_from_frame = similarity(&found, &template(112)).unwrap();
    let face = warp(&frame, &face_from_frame.inverse().unwrap(), 112);
    for p in ARCFACE_112 {
        let start = 3 * (p.y.round() as usize * 112 + p.x.round() as usize);
        assert_eq!(face.rgb()[start], 255, "{p:?}");
    }
}

#[test]
fn an_aligned_face_holds_exactly_its_side() {
    assert!(AlignedFace::from_rgb(2, vec![0; 12]).is_ok());
    assert!(AlignedFace::from_rgb(2, vec![0; 11]).is_err());
    assert!(AlignedFace::from_rgb(0, vec![]).is_err());
    let face = AlignedFace::from_rgb(1, vec![1, 2, 3]).unwrap();
    assert_eq!(face.to_image().get_pixel(0, 0).0, [1, 2, 3]);
    assert_eq!(format!("{face:?}"), "AlignedFace(1x1)");
}
