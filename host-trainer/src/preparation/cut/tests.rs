//! Damage in every place is told by its cause; sharpness falls with blur.

use super::*;
use image::{RgbImage, imageops};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Soft shapes under a little noise.
fn picture(side: u32) -> RgbImage {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    RgbImage::from_fn(side, side, |x, y| {
        let wave = (x as f32 / 5.0).sin() * (y as f32 / 7.0).cos();
        let level = 128.0 + 90.0 * wave + random.random_range(-8.0..8.0);
        image::Rgb([level as u8, (level * 0.8) as u8, 255 - level as u8])
    })
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    image.write_with_encoder(encoder).unwrap();
    bytes
}

#[test]
fn no_damage_goes_without_a_cause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jpg");
    let whole = jpeg(&picture(96));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut causes = std::collections::BTreeMap::new();
    for round in 0..200 {
        let place = round * whole.len() / 200;
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << random.random_range(0..8);
        for (bytes, cut) in [(&whole[..place], true), (&flipped[..], false)] {
            std::fs::write(&path, bytes).unwrap();
            match read(&path) {
                Ok(_) => assert!(!cut, "cut after {place} bytes, and taken for whole"),
                Err(Outcome::LeftOut { cause, detail }) => {
                    assert!(cause.is_bad(), "{cause}");
                    assert!(!detail.contains("panicked"), "at {place}");
                    *causes.entry(cause).or_insert(0) += 1;
                }
                Err(Outcome::Cut { .. }) => unreachable!(),
            }
        }
    }
    assert_eq!(causes[&Cause::Empty], 1);
    assert!(causes[&Cause::Truncated] > 150, "{causes:?}");
    assert!(causes[&Cause::Damaged] > 1, "{causes:?}");
}

#[test]
fn content_counts_and_a_wrong_name_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = jpeg(&picture(32));
    for (name, expected) in [("1.jpg", None), ("1.JPEG", None), ("1.png", Some("jpeg"))] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(read(&path).unwrap().1.as_deref(), expected, "{name}");
    }
    let Err(Outcome::LeftOut { cause, .. }) = read(&folder.path().join("none.jpg")) else {
        panic!("read what is not there");
    };
    assert_eq!(cause, Cause::Unreadable);
}

#[test]
fn sharpness_falls_with_blur() {
    let face = |image: &RgbImage| AlignedFace::from_rgb(SIDE_PX, image.as_raw().clone()).unwrap();
    let sharp = picture(SIDE_PX);
    let measured: Vec<f32> = [0.5, 1.0, 2.0, 4.0]
        .iter()
        .map(|sigma| sharpness(&face(&imageops::blur(&sharp, *sigma))))
        .collect();
    assert!(measured.is_sorted_by(|a, b| a > b), "{measured:?}");
    let flat = RgbImage::from_pixel(SIDE_PX, SIDE_PX, image::Rgb([90, 90, 90]));
    assert!(sharpness(&face(&flat)).abs() < 1e-3);
    // A chessboard of single pixels: every Laplacian is 8 times 127.5, up or down.
    let board = RgbImage::from_fn(SIDE_PX, SIDE_PX, |x, y| {
        image::Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3])
    });
    let expected = 1020.0_f32.powi(2);
    assert!((sharpness(&face(&board)) / expected - 1.0).abs() < 1e-3);
}
