//! Each state of the screen against a golden picture; `UPDATE_GOLDEN=1` draws them anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::PathBuf;

use edge_runtime::screen::canvas::Canvas;
use edge_runtime::screen::shape::{Arc, Disc, RoundRect};
use edge_runtime::screen::{Preview, Screen, View, png};
use edge_runtime::session::Hint;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use shared::frame::Frame;
use shared::geometry::Rect;

/// Largest difference of one color channel: letters and rings are computed in f32, and other processors
/// may round the last bit of a coverage the other way.
const TOLERANCE_LEVELS: u8 = 2;

/// A drawn person, nobody's likeness, 640x360 pixels.
fn drawn_person() -> (Frame, Rect) {
    let mut canvas = Canvas::new(Size::new(640, 360), Rgb888::new(0x5D, 0x6E, 0x7A));
    let disc = |x: f32, y: f32, radius: f32| Disc { x, y, radius };
    let rect = |left, top, width, height, radius| RoundRect {
        left,
        top,
        width,
        height,
        radius,
    };
    let (skin, hair) = (Rgb888::new(0xD9, 0xA8, 0x86), Rgb888::new(0x3B, 0x2B, 0x26));
    canvas.fill(
        &rect(430.0, 30.0, 170.0, 210.0, 6.0),
        Rgb888::new(0x9F, 0xB4, 0xBF),
        1.0,
    );
    canvas.fill(
        &rect(195.0, 270.0, 230.0, 200.0, 80.0),
        Rgb888::new(0x35, 0x4A, 0x66),
        1.0,
    );
    canvas.fill(&rect(285.0, 225.0, 50.0, 70.0, 20.0), skin, 1.0);
    canvas.fill(&disc(310.0, 140.0, 78.0), hair, 1.0);
    canvas.fill(&rect(246.0, 92.0, 128.0, 164.0, 62.0), skin, 1.0);
    canvas.fill(&rect(252.0, 84.0, 116.0, 34.0, 17.0), hair, 1.0);
    for x in [283.0, 337.0] {
        canvas.fill(&disc(x, 160.0, 7.0), hair, 1.0);
    }
    let mouth = Arc {
        circle: disc(310.0, 190.0, 26.0),
        from: 0.36,
        turns: 0.28,
        width: 6.0,
    };
    canvas.fill(&mouth, Rgb888::new(0x9A, 0x4B, 0x44), 1.0);
    let frame = Frame::new(640, 360, canvas.to_rgb()).unwrap();
    (
        frame,
        Rect {
            left: 250.0,
            top: 100.0,
            width: 120.0,
            height: 150.0,
        },
    )
}

fn check(name: &str, view: &View<'_>) {
    let drawn = Screen::new(800, 480).unwrap().draw(view);
    // The larger screen has no golden of its own: it must draw, and it can be looked at.
    let large = Screen::new(1280, 800).unwrap().draw(view);
    if let Some(folder) = std::env::var_os("SCREENS") {
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}-800.png")), png::encode(&drawn)).unwrap();
        std::fs::write(folder.join(format!("{name}-1280.png")), png::encode(&large)).unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, png::encode(&drawn)).unwrap();
    }
    let golden = image::open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; draw it with UPDATE_GOLDEN=1", path.display()))
        .into_rgb8();
    assert_eq!(golden.dimensions(), (800, 480), "{name}");
    let differing = golden
        .as_raw()
        .iter()
        .zip(drawn.to_rgb())
        .filter(|(a, b)| a.abs_diff(*b) > TOLERANCE_LEVELS)
        .count();
    assert_eq!(
        differing, 0,
        "{name}: {differing} values differ; look at it and run with UPDATE_GOLDEN=1 if it is meant"
    );
}

#[test]
fn idle() {
    check("idle", &View::Idle);
}

#[test]
fn looking() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    check(
        "looking",
        &View::Looking {
            preview,
            hint: Hint::HoldStill,
            progress: 2.0 / 3.0,
        },
    );
}

#[test]
fn come_closer() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    check(
        "come-closer",
        &View::Looking {
            preview,
            hint: Hint::ComeCloser,
            progress: 0.0,
        },
    );
}

#[test]
fn greeting() {
    let (frame, face) = drawn_person();
    check(
        "greeting",
        &View::Greeting {
            preview: Preview::of(&frame, Some(face)),
            name: "Ada Lovelace",
        },
    );
}

#[test]
fn greeting_of_a_long_name() {
    let (frame, _) = drawn_person();
    let name = "Maximiliane-Theodora von Hohenstein-Württemberg";
    check(
        "greeting-long",
        &View::Greeting {
            preview: Preview::of(&frame, None),
            name,
        },
    );
}

#[test]
fn unknown() {
    let (frame, face) = drawn_person();
    check(
        "unknown",
        &View::Unknown {
            preview: Preview::of(&frame, Some(face)),
        },
    );
}

#[test]
fn enrolling() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    check(
        "enrolling",
        &View::Enrolling {
            preview,
            name: "Ada Lovelace",
            done: 3,
            wanted: 5,
        },
    );
}

#[test]
fn enrolled() {
    let (frame, face) = drawn_person();
    check(
        "enrolled",
        &View::Enrolled {
            preview: Preview::of(&frame, Some(face)),
            name: "Ada Lovelace",
        },
    );
}

#[test]
fn fault() {
    let cause = "gallery was made by model 3f2a81c0, this device runs 91bc77d2";
    let remedy = "enroll again with usher enroll, or install model 3f2a81c0";
    check("fault", &View::Fault { cause, remedy });
}

#[test]
fn other_shapes_are_refused() {
    for (width, height) in [(799, 480), (480, 800), (800, 800), (4000, 2160)] {
        assert!(Screen::new(width, height).is_err(), "{width}x{height}");
    }
}
