//! Each view of the screen against a golden picture, in every size and theme; `UPDATE_GOLDEN=1` draws them anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_runtime::clock::Timestamp;
use edge_runtime::desk::view::{DeskView, PinRefusal, Pose};
use edge_runtime::liveness::Prompt;
use edge_runtime::screen::canvas::Canvas;
use edge_runtime::screen::settings::ScreenSettings;
use edge_runtime::screen::shape::{Arc, Disc, RoundRect};
use edge_runtime::screen::theme::Ground;
use edge_runtime::screen::words::Language;
use edge_runtime::screen::{Chrome, Preview, Screen, View, png};
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
    let mouth = Arc::new(disc(310.0, 190.0, 26.0), 0.36, 0.28, 6.0);
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

const CONSENT: &str = "Consent to face recognition at this device

Here a camera compares your face with the people who agreed to be recognized. From pictures of your face the device \
computes numbers (a template) and keeps them, with your name, in an encrypted file on this device alone. The pictures \
themselves are not kept. Nothing leaves the device.

The template serves one purpose: to greet you by name, and to open the door if that is set up. It is kept until the \
date that the operator tells you, at most one year, and then it no longer matches; you can renew your consent.

You agree of your own free will. If you do not, you are let in another way, with no disadvantage. You can take your \
consent back at any time: tell the operator, and your name and template are removed at once, also from backups when \
they are next restored.

You may ask what is kept about you, have it corrected, and complain to the data protection authority.";

/// Every view by name.
fn views<'a>(
    preview: Preview<'a>,
    desk: &'a [(&'static str, DeskView)],
) -> Vec<(&'static str, View<'a>)> {
    let looking = |hint, progress| View::Looking {
        preview,
        hint,
        progress,
    };
    let check = |prompt, progress| View::Check {
        preview,
        prompt,
        progress,
    };
    let name = "Ada Lovelace";
    let alone = Preview {
        face: None,
        ..preview
    };
    let mut views = vec![
        ("idle", View::Idle),
        ("looking", looking(Hint::HoldStill, 2.0 / 3.0)),
        ("come-closer", looking(Hint::ComeCloser, 0.0)),
        ("step-back", looking(Hint::StepBack, 0.0)),
        ("move-to-center", looking(Hint::MoveToCenter, 0.0)),
        ("look-here", looking(Hint::LookHere, 0.0)),
        ("more-light", looking(Hint::MoreLight, 0.0)),
        ("less-light", looking(Hint::LessLight, 0.0)),
        ("uncover-face", looking(Hint::UncoverFace, 0.0)),
        (
            "greeting",
            View::Greeting {
                preview,
                name,
                one_in: Some(10_000),
            },
        ),
        (
            "greeting-long",
            View::Greeting {
                preview: alone,
                name: "Maximiliane-Theodora von Hohenstein-Württemberg",
                one_in: None,
            },
        ),
        ("unknown", View::Unknown { preview }),
        ("not-sure", View::NotSure { preview }),
        ("blink", check(Prompt::Blink, 0.4)),
        ("turn-left", check(Prompt::TurnLeft, 0.5)),
        ("turn-right", check(Prompt::TurnRight, 0.0)),
        ("flash-soon", check(Prompt::Flash([0, 0, 255]), 0.0)),
        (
            "flash",
            View::Flash {
                preview,
                color: [255, 64, 64],
            },
        ),
        (
            "recording",
            View::Recording {
                preview,
                elapsed: Duration::from_secs(72),
            },
        ),
        (
            "enrolling",
            View::Enrolling {
                preview,
                name,
                done: 3,
                wanted: 5,
            },
        ),
        ("enrolled", View::Enrolled { preview, name }),
        (
            "fault",
            View::Fault {
                cause: "gallery was made by model 3f2a81c0, this device runs 91bc77d2",
                remedy: "enroll again with usher enroll, or install model 3f2a81c0",
            },
        ),
        ("updating", View::Updating { progress: 0.42 }),
    ];
    views.extend(desk.iter().map(|(name, view)| {
        let preview = Some(preview);
        (*name, View::Desk { view, preview })
    }));
    views
}

fn desk_views() -> Vec<(&'static str, DeskView)> {
    let name = || "Ada Lovelace".to_owned();
    let guided = |pose, hint, done, held| DeskView::Guided {
        name: name(),
        pose,
        hint,
        done,
        wanted: 5,
        held,
        left: Duration::from_millis(11_400),
    };
    let typing = |text: &str, capitals, signs| DeskView::Name {
        text: text.to_owned(),
        problem: None,
        capitals,
        signs,
    };
    let page = |page| DeskView::Consent {
        name: name(),
        text: CONSENT.to_owned(),
        page,
    };
    let choices = |choices: &[&str]| choices.iter().map(|choice| (*choice).to_owned()).collect();
    vec![
        (
            "pin",
            DeskView::Pin {
                typed: 3,
                refusal: None,
            },
        ),
        (
            "pin-wrong",
            DeskView::Pin {
                typed: 0,
                refusal: Some(PinRefusal::Wrong { tries_left: 2 }),
            },
        ),
        (
            "pin-wait",
            DeskView::Pin {
                typed: 0,
                refusal: Some(PinRefusal::Wait {
                    left: Duration::from_secs(95),
                }),
            },
        ),
        (
            "question",
            DeskView::Question {
                title: "What would you like to do?".to_owned(),
                body: "The desk locks itself after a minute.".to_owned(),
                choices: choices(&["Enroll a person", "Add an appearance", "Lock"]),
            },
        ),
        (
            "question-six",
            DeskView::Question {
                title: "Whose appearance?".to_owned(),
                body: String::new(),
                choices: choices(&[
                    "Ada Lovelace",
                    "Grace Hopper",
                    "Maximiliane-Theodora von Hohenstein-Württemberg",
                    "Katherine Johnson",
                    "Hedy Lamarr",
                    "Somebody else",
                ]),
            },
        ),
        ("name", typing("Ada Lovel", false, false)),
        (
            "name-problem",
            DeskView::Name {
                text: "Ada".to_owned(),
                problem: Some("Somebody of this name is known already".to_owned()),
                capitals: true,
                signs: false,
            },
        ),
        ("name-signs", typing("", false, true)),
        ("consent", page(0)),
        ("consent-last", page(9)),
        ("guided-straight", guided(Pose::Straight, None, 0, 0.6)),
        ("guided-left", guided(Pose::Left, None, 1, 0.5)),
        ("guided-right", guided(Pose::Right, None, 2, 0.0)),
        ("guided-up", guided(Pose::Up, Some(Hint::MoreLight), 3, 0.0)),
        ("guided-down", guided(Pose::Down, None, 4, 0.9)),
        ("done", DeskView::Done { name: name() }),
        (
            "failed",
            DeskView::Failed {
                cause: "the face changed while it was looked at".to_owned(),
                remedy: "begin again with one person before the camera".to_owned(),
            },
        ),
    ]
}

fn settings(theme: Ground, language: Language) -> ScreenSettings {
    ScreenSettings {
        theme,
        language,
        motion: false,
        burn_in_shift_px: 0,
        ..ScreenSettings::default()
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(format!("{name}.png"))
}

/// Compares `canvas` with the golden picture of that name, or writes it.
fn compare(name: &str, canvas: &Canvas, wrong: &mut Vec<String>) {
    let path = golden(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, png::encode(canvas)).unwrap();
    }
    let golden = image::open(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; draw it with UPDATE_GOLDEN=1", path.display()))
        .into_rgb8();
    let size = canvas.size();
    assert_eq!(golden.dimensions(), (size.width, size.height), "{name}");
    let differing = golden
        .as_raw()
        .iter()
        .zip(canvas.to_rgb())
        .filter(|(a, b)| a.abs_diff(*b) > TOLERANCE_LEVELS)
        .count();
    if differing > 0 {
        wrong.push(format!("{name}: {differing} values differ"));
    }
}

/// Which views have a golden picture in which size, theme and language.
const GOLDEN: &[(&str, (u32, u32), Ground, Language, &[&str])] =
    &[("", (800, 480), Ground::Dark, Language::En, &["*"])];

#[test]
fn every_view_looks_as_it_did() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    let desk = desk_views();
    let views = views(preview, &desk);
    let mut wrong = Vec::new();
    for (prefix, (width, height), theme, language, names) in GOLDEN {
        let settings = settings(*theme, *language);
        for (name, view) in &views {
            if !names.contains(name) && !names.contains(&"*") {
                continue;
            }
            let mut screen = Screen::with(*width, *height, &settings).unwrap();
            let chrome = Chrome {
                time_of_day: Some("14:32"),
                ..Chrome::default()
            };
            compare(
                &format!("{prefix}{name}"),
                screen.draw(view, &chrome),
                &mut wrong,
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{wrong:#?}; look at them and run with UPDATE_GOLDEN=1 if they are meant"
    );
}

/// Draws everything in every size for whoever wants to look: `SCREENS=folder cargo test -- --ignored`.
#[test]
#[ignore = "writes pictures to look at into the folder that SCREENS names"]
fn all_screens_to_look_at() {
    let Some(folder) = std::env::var_os("SCREENS").map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    let desk = desk_views();
    for (width, height) in [(800, 480), (1280, 800), (480, 800), (800, 1280)] {
        for theme in [Ground::Dark, Ground::Light] {
            for language in Language::ALL {
                let mut screen = Screen::with(width, height, &settings(theme, language)).unwrap();
                for (name, view) in views(preview, &desk) {
                    let chrome = Chrome {
                        time_of_day: Some("14:32"),
                        liveness_off: true,
                        clock_unset: true,
                        operator: name.contains("light"),
                        recording: name == "looking",
                        now: Timestamp::default(),
                        brightness: 1.0,
                    };
                    let canvas = screen.draw(&view, &chrome);
                    let file = format!("{name}-{width}x{height}-{theme:?}-{language:?}.png");
                    let rgb = image::RgbImage::from_raw(width, height, canvas.to_rgb()).unwrap();
                    rgb.save(folder.join(file)).unwrap();
                }
            }
        }
    }
}

#[test]
fn other_shapes_are_refused() {
    for (width, height) in [(799, 480), (480, 799), (800, 800), (4000, 2160), (800, 470)] {
        assert!(Screen::new(width, height).is_err(), "{width}x{height}");
    }
}
