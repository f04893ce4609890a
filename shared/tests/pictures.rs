//! Every kind of picture file comes out upright and in the right colors, or as an error in words.
//!
//! The files in `tests/data` show four patches, 24 x 16 pixels: red, green over blue, yellow. They
//! were written by Pillow 12 and, where it cannot (16 bits, YCCK, bomb), by hand.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::{Path, PathBuf};

use shared::picture::{self, PictureError};
use shared::{Frame, FrameError};

const RED: [u8; 3] = [200, 40, 40];
const GREEN: [u8; 3] = [40, 180, 60];
const BLUE: [u8; 3] = [40, 60, 200];
const YELLOW: [u8; 3] = [230, 220, 60];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

/// The colors in the middle of the four patches: upper left, upper right, lower left, lower right.
fn patches(frame: &Frame) -> [[u8; 3]; 4] {
    let (w, h) = (frame.width_px(), frame.height_px());
    // Patches meet at two thirds of the stored width and half the stored height; these places lie
    // well inside a patch in every orientation.
    let (left, right, top, bottom) = (w / 8, w - w / 8 - 1, h / 8, h - h / 8 - 1);
    [
        frame.pixel(left, top),
        frame.pixel(right, top),
        frame.pixel(left, bottom),
        frame.pixel(right, bottom),
    ]
}

#[track_caller]
fn assert_patches(name: &str, frame: &Frame, expected: [[u8; 3]; 4], tolerance: u8) {
    let found = patches(frame);
    for (f, e) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!(
            f.abs_diff(*e) <= tolerance,
            "{name}: {found:?}, expected {expected:?}"
        );
    }
}

#[test]
fn every_kind_has_its_colors() {
    let colors = [RED, GREEN, BLUE, YELLOW];
    // Luma by ITU-R BT.601, as Pillow writes it.
    let grey = [88, 124, 70, 205].map(|v: u8| [v; 3]);
    // Green wholly transparent, blue by half, on white.
    let on_white = [RED, [255; 3], [147, 157, 227], YELLOW];
    let grey_on_white = [[88; 3], [255; 3], [162; 3], [205; 3]];
    for (name, expected, tolerance) in [
        ("rgb.png", colors, 0),
        ("rgb.bmp", colors, 0),
        ("rgb.webp", colors, 0),
        ("palette.png", colors, 0),
        ("rgb16.png", colors, 0),
        ("rgba.png", on_white, 0),
        ("rgba16.png", on_white, 0),
        ("grey.png", grey, 0),
        ("grey16.png", grey, 0),
        ("grey_alpha.png", grey_on_white, 0),
        // JPEG is lossy: quality 95 keeps even patches within a few steps.
        ("rgb.jpg", colors, 4),
        ("progressive.jpg", colors, 4),
        ("cmyk.jpg", colors, 4),
        ("ycck.jpg", colors, 4),
        ("grey.jpg", grey, 4),
    ] {
        let frame = picture::read(&file(name)).unwrap();
        assert_eq!((frame.width_px(), frame.height_px()), (24, 16), "{name}");
        assert_patches(name, &frame, expected, tolerance);
    }
}

/// The JPEG with an EXIF block of nothing but this orientation, in the given byte order.
fn with_orientation(jpeg: &[u8], orientation: u8, little_endian: bool) -> Vec<u8> {
    let tiff: Vec<u8> = if little_endian {
        [
            &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
            &[orientation, 0, 0, 0],
            &[0; 4],
        ]
        .concat()
    } else {
        [
            &b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"[..],
            &[0, orientation, 0, 0],
            &[0; 4],
        ]
        .concat()
    };
    let length = (2 + 6 + tiff.len()) as u16;
    [
        &jpeg[..2],
        &[0xFF, 0xE1],
        &length.to_be_bytes(),
        b"Exif\0\0",
        &tiff,
        &jpeg[2..],
    ]
    .concat()
}

#[test]
fn exif_orientation_stands_the_picture_up() {
    let jpeg = bytes("rgb.jpg");
    // From the EXIF standard (CIPA DC-008, tag 274): where row 0 and column 0 belong.
    for (orientation, expected) in [
        (1, [RED, GREEN, BLUE, YELLOW]),
        (2, [GREEN, RED, YELLOW, BLUE]),
        (3, [YELLOW, BLUE, GREEN, RED]),
        (4, [BLUE, YELLOW, RED, GREEN]),
        (5, [RED, BLUE, GREEN, YELLOW]),
        (6, [BLUE, RED, YELLOW, GREEN]),
        (7, [YELLOW, GREEN, BLUE, RED]),
        (8, [GREEN, YELLOW, RED, BLUE]),
        // Out of range: as if there were none.
        (0, [RED, GREEN, BLUE, YELLOW]),
        (9, [RED, GREEN, BLUE, YELLOW]),
    ] {
        for little_endian in [true, false] {
            let turned = with_orientation(&jpeg, orientation, little_endian);
            let frame = picture::decode(&turned, Path::new("turned.jpg")).unwrap();
            let size = if (5..=8).contains(&orientation) {
                (16, 24)
            } else {
                (24, 16)
            };
            assert_eq!((frame.width_px(), frame.height_px()), size, "{orientation}");
            assert_patches(&format!("orientation {orientation}"), &frame, expected, 4);
        }
    }
}

#[test]
fn a_broken_exif_block_costs_the_orientation_alone() {
    let mut turned = with_orientation(&bytes("rgb.jpg"), 6, true);
    turned[12] = b'?';
    let frame = picture::decode(&turned, Path::new("x.jpg")).unwrap();
    assert_patches("broken EXIF", &frame, [RED, GREEN, BLUE, YELLOW], 4);
}

#[test]
fn content_counts_and_not_the_name() {
    let frame = picture::decode(&bytes("rgb.png"), Path::new("picture.jpg")).unwrap();
    assert_patches("a PNG named jpg", &frame, [RED, GREEN, BLUE, YELLOW], 0);
}

#[test]
fn every_cut_is_refused() {
    for name in [
        "rgb.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "rgb.png",
        "rgb.webp",
        "rgb.bmp",
    ] {
        let whole = bytes(name);
        for length in 0..whole.len() {
            let result = picture::decode(&whole[..length], Path::new(name));
            // Behind a PNG's pixels only checksums and the end marker are missing.
            let pixels_whole = name == "rgb.png" && length + 16 > whole.len();
            assert!(
                result.is_err() || pixels_whole,
                "{name} cut to {length} bytes"
            );
        }
    }
}

#[test]
fn bytes_behind_the_picture_do_no_harm() {
    for name in ["rgb.jpg", "progressive.jpg", "rgb.png", "rgb.bmp"] {
        let longer = [bytes(name), vec![0xFF; 40]].concat();
        assert!(picture::decode(&longer, Path::new(name)).is_ok(), "{name}");
    }
}

#[test]
fn no_damage_makes_it_panic() {
    let mut state = 1_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for name in [
        "rgb.jpg",
        "progressive.jpg",
        "ycck.jpg",
        "rgb16.png",
        "palette.png",
        "rgb.webp",
        "rgb.bmp",
    ] {
        let whole = bytes(name);
        for _ in 0..400 {
            let mut damaged = whole.clone();
            for _ in 0..1 + draw() % 3 {
                let place = draw() % damaged.len();
                damaged[place] = draw() as u8;
            }
            // Either a picture of at least one pixel or an error: never a panic.
            if let Ok(frame) = picture::decode(&damaged, Path::new(name)) {
                assert!(frame.width_px() > 0 && frame.height_px() > 0);
            }
        }
    }
}

#[test]
fn errors_name_file_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        picture::read(&path).unwrap_err()
    };
    let mut wide = bytes("rgb.jpg");
    let sof = wide.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    wide[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0x00, 0xFF, 0x00]);
    for (error, parts) in [
        (
            picture::read(&folder.path().join("absent.jpg")).unwrap_err(),
            ["absent.jpg", "check path"],
        ),
        (
            picture::read(folder.path()).unwrap_err(),
            ["found: ", "check path"],
        ),
        (written("empty.jpg", b""), ["empty.jpg", "an empty file"]),
        (
            written("text.jpg", b"Dear Sir or Madam,"),
            ["text.jpg", "convert it"],
        ),
        (
            written("film.gif", b"GIF89a\x01\0\x01\0\0\0\0;"),
            ["film.gif", "convert it"],
        ),
        (
            written("cut.jpg", &bytes("rgb.jpg")[..500]),
            ["cut.jpg", "cut short after 500 bytes"],
        ),
        (
            written("cut.png", &bytes("rgb.png")[..60]),
            ["cut.png", "cut short after 60 bytes"],
        ),
        (
            picture::read(&file("bomb.png")).unwrap_err(),
            ["bomb.png", "found 3600000000"],
        ),
        (
            written("wide.jpg", &wide),
            ["wide.jpg", "at most 100000000 pixels"],
        ),
    ] {
        let message = error.to_string();
        for part in parts {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn limits_are_typed() {
    let error = picture::read(&file("bomb.png")).unwrap_err();
    assert!(matches!(
        error,
        PictureError::TooLarge { unit: "pixels", .. }
    ));
    assert_eq!(
        Frame::new(0, 1, vec![]),
        Err(FrameError::Empty {
            width_px: 0,
            height_px: 1
        })
    );
}
