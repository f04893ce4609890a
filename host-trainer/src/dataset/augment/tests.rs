//! Each variation does what it says; the seed decides.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const NOTHING: Augment = Augment::NOTHING;

/// A picture whose red tells the column and whose green tells the row.
fn picture() -> Frame {
    let image = image::RgbImage::from_fn(128, 128, |x, y| image::Rgb([x as u8, y as u8, 200]));
    Frame::from_image(image)
}

fn cut(augment: Augment, seed: u64) -> AlignedFace {
    augment.cut(&picture(), 112, &mut ChaCha8Rng::seed_from_u64(seed))
}

fn pixel(face: &AlignedFace, x: usize, y: usize) -> [u8; 3] {
    face.rgb().as_chunks::<3>().0[y * 112 + x]
}

#[test]
fn without_variation_it_is_the_standard_crop() {
    let face = cut(NOTHING, 1);
    assert_eq!(pixel(&face, 0, 0), [8, 8, 200]);
    assert_eq!(pixel(&face, 111, 50), [119, 58, 200]);
}

#[test]
fn each_variation_does_what_it_says() {
    let mirrored = cut(
        Augment {
            flip: 1.0,
            ..NOTHING
        },
        1,
    );
    assert_eq!(pixel(&mirrored, 0, 0), [119, 8, 200]);
    let grey = cut(
        Augment {
            grey: 1.0,
            ..NOTHING
        },
        1,
    );
    assert_eq!(
        pixel(&grey, 0, 0),
        [(299 * 8 + 587 * 8 + 114 * 200) / 1000; 3].map(|v: u32| v as u8)
    );
    let far = cut(
        Augment {
            low_resolution: 1.0,
            ..NOTHING
        },
        3,
    );
    assert_ne!(far, cut(NOTHING, 1));
    let ([red, ..], [_, green, blue]) = (pixel(&far, 56, 56), pixel(&far, 56, 56));
    assert!(red.abs_diff(64) <= 2 && green.abs_diff(64) <= 2 && blue == 200);
    let moved = cut(
        Augment {
            shift: 0.05,
            ..NOTHING
        },
        1,
    );
    let [red, green, _] = pixel(&moved, 56, 56);
    assert!((red, green) != (64, 64) && red.abs_diff(64) <= 6 && green.abs_diff(64) <= 6);
}

#[test]
fn the_seed_decides() {
    assert_eq!(cut(Augment::default(), 5), cut(Augment::default(), 5));
    assert_ne!(cut(Augment::default(), 5), cut(Augment::default(), 6));
}
/// Mean absolute difference of two faces' bytes.
fn difference(a: &AlignedFace, b: &AlignedFace) -> f64 {
    let total: u64 = a
        .rgb()
        .iter()
        .zip(b.rgb())
        .map(|(a, b)| u64::from(a.abs_diff(*b)))
        .sum();
    total as f64 / a.rgb().len() as f64
}

#[test]
fn a_turn_moves_the_rim_and_not_the_center() {
    let augment = Augment {
        rotation_degrees: 10.0,
        ..NOTHING
    };
    let mut turns = Vec::new();
    for seed in 0..20 {
        let face = cut(augment, seed);
        let [red, green, _] = pixel(&face, 56, 56);
        assert!(red.abs_diff(64) <= 1 && green.abs_diff(64) <= 1);
        // At the middle of the left rim, 55.5 from the center, a row is lost or won a degree.
        let [_, green, _] = pixel(&face, 0, 56);
        turns.push(i32::from(green) - 64);
    }
    let reach = 55.5 * 10_f64.to_radians().sin();
    assert!(
        turns
            .iter()
            .all(|turn| f64::from(turn.abs()) <= reach + 1.0)
    );
    assert!(turns.iter().any(|turn| *turn > 4) && turns.iter().any(|turn| *turn < -4));
}

#[test]
fn colors_grow_warmer_or_stronger() {
    let plain = cut(NOTHING, 1);
    let [red, green, blue] = pixel(&plain, 80, 30).map(f64::from);
    let mut warmer = 0;
    for seed in 0..20 {
        let augment = Augment {
            temperature: 0.2,
            ..NOTHING
        };
        let [warm, same, cold] = pixel(&cut(augment, seed), 80, 30).map(f64::from);
        assert_eq!(same, green);
        let gain = warm / red - 1.0;
        assert!(gain.abs() <= 0.21 && (cold - blue * (1.0 - gain)).abs() < 3.0);
        warmer += u32::from(gain > 0.0);

        let augment = Augment {
            saturation: 0.5,
            ..NOTHING
        };
        let [red_now, _, blue_now] = pixel(&cut(augment, seed), 80, 30).map(f64::from);
        // Blue is above the pixel's grey and red about at it, so their distance is stretched.
        let stretch = (blue_now - red_now) / (blue - red);
        assert!((0.45..=1.55).contains(&stretch), "{stretch}");
    }
    assert!((4..=16).contains(&warmer), "{warmer}");
}

#[test]
fn a_jpeg_leaves_traces_but_no_other_face() {
    let jpeg = Augment {
        jpeg: 1.0,
        ..NOTHING
    };
    let changes = (0..10).map(|seed| difference(&cut(jpeg, seed), &cut(NOTHING, seed)));
    for change in changes {
        assert!((0.1..8.0).contains(&change), "{change}");
    }
}

#[test]
fn patches_cover_a_part() {
    let occlusion = Augment {
        occlusion: 1.0,
        ..NOTHING
    };
    let plain = cut(NOTHING, 0);
    let (mut masks, mut bands) = (0, 0);
    for seed in 0..60 {
        let face = cut(occlusion, seed);
        let covered = |x: usize, y: usize| pixel(&face, x, y) != pixel(&plain, x, y);
        let count = (0..112 * 112).filter(|at| covered(at % 112, at / 112));
        let share = count.count() as f64 / f64::from(112 * 112);
        assert!((0.005..0.45).contains(&share), "{share}");
        assert!(
            !covered(56, 2) || share < 0.2,
            "no mask covers the forehead"
        );
        let (mouth, eyes) = (
            covered(45, 95) && covered(65, 95),
            covered(38, 52) && covered(73, 52),
        );
        masks += u32::from(mouth);
        bands += u32::from(eyes);
    }
    assert!(
        (10..=32).contains(&masks) && (10..=32).contains(&bands),
        "{masks} {bands}"
    );
}

#[test]
fn the_number_of_draws_depends_on_the_seed_alone() {
    let everything = Augment {
        rotation_degrees: 10.0,
        temperature: 0.2,
        saturation: 0.3,
        low_resolution: 1.0,
        jpeg: 1.0,
        occlusion: 1.0,
        ..Augment::default()
    };
    let small = Frame::new(40, 30, vec![9; 3600]).unwrap();
    for seed in 0..10 {
        let drawn = [
            (NOTHING, &picture(), 112),
            (everything, &picture(), 112),
            (everything, &small, 220),
        ]
        .map(|(augment, picture, side_px)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            augment.cut(picture, side_px, &mut random);
            random.get_word_pos()
        });
        assert_eq!(drawn[0], drawn[1]);
        assert_eq!(drawn[0], drawn[2]);
        assert!(
            drawn[0] < 1024,
            "fits what the loader sets aside: {}",
            drawn[0]
        );
    }
}

#[test]
fn old_configs_mean_what_they_did_and_ranges_are_kept() {
    let old: Augment = toml::from_str("flip = 0.5\nlow_resolution = 0.2").unwrap();
    let expected = Augment {
        low_resolution: 0.2,
        ..Augment::default()
    };
    assert_eq!(old, expected);
    assert!(toml::from_str::<Augment>("rotate = 1.0").is_err());
    assert!(Augment::default().is_usable() && NOTHING.is_usable());
    let turned = |rotation_degrees| Augment {
        rotation_degrees,
        ..NOTHING
    };
    assert!(turned(45.0).is_usable());
    for bad in [
        turned(46.0),
        turned(f64::NAN),
        Augment {
            jpeg: 1.1,
            ..NOTHING
        },
        Augment {
            occlusion: -0.1,
            ..NOTHING
        },
        Augment {
            saturation: f64::INFINITY,
            ..NOTHING
        },
    ] {
        assert!(!bad.is_usable(), "{bad:?}");
    }
}

/// Prints what decoding and each variation cost a face of 112 pixels, one thread.
#[test]
#[ignore = "a measurement: cargo test --workspace --lib -- --ignored --nocapture costs"]
fn costs() {
    // A face-like picture: smooth, with some texture.
    let image = |side: u32| {
        image::RgbImage::from_fn(side, side, |x, y| {
            let wave = |n: u32, k: u32| (((x * k + y * n) as f64 / 9.0).sin() * 60.0 + 128.0) as u8;
            image::Rgb([
                wave(1, 2),
                wave(3, 1),
                wave(2, 2).wrapping_add((x * y % 13) as u8),
            ])
        })
    };
    let time = |name: &str, work: &mut dyn FnMut(u64)| {
        let started = std::time::Instant::now();
        let count = 1500;
        (0..count).for_each(&mut *work);
        let micros = started.elapsed().as_secs_f64() * 1e6 / f64::from(count as u32);
        println!(
            "{name:32} {micros:7.1} us a face, {:6.0} a second",
            1e6 / micros
        );
    };
    for side in [128, 250] {
        let mut bytes = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90);
        image(side).write_with_encoder(encoder).unwrap();
        let name = format!("decode {side} px, {} bytes", bytes.len());
        time(&name, &mut |_| {
            shared::picture::decode(&bytes, std::path::Path::new("x")).unwrap();
        });
    }
    let frame = Frame::from_image(image(128));
    let one = |change: fn(&mut Augment)| {
        let mut augment = NOTHING;
        change(&mut augment);
        augment
    };
    for (name, augment) in [
        ("crop alone", NOTHING),
        ("flip", one(|it| it.flip = 1.0)),
        ("shift, zoom", one(|it| (it.shift, it.zoom) = (0.05, 0.05))),
        ("rotation", one(|it| it.rotation_degrees = 10.0)),
        (
            "brightness, contrast",
            one(|it| (it.brightness, it.contrast) = (0.2, 0.2)),
        ),
        ("temperature", one(|it| it.temperature = 0.2)),
        ("saturation", one(|it| it.saturation = 0.3)),
        ("grey", one(|it| it.grey = 1.0)),
        ("blur", one(|it| it.blur = 1.0)),
        ("low resolution", one(|it| it.low_resolution = 1.0)),
        ("JPEG", one(|it| it.jpeg = 1.0)),
        ("occlusion", one(|it| it.occlusion = 1.0)),
        ("the default", Augment::default()),
    ] {
        time(name, &mut |seed| {
            augment.cut(&frame, 112, &mut ChaCha8Rng::seed_from_u64(seed));
        });
    }
    let face = cut(NOTHING, 1);
    let recipe = shared::preprocessing::Preprocessing::usher(112);
    time("normalize", &mut |_| {
        std::hint::black_box(recipe.normalize(&face));
    });
}
