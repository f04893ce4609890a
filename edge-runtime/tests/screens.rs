//! Each view of the screen against a golden picture, in every size and theme; `UPDATE_GOLDEN=1` draws them anew.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use edge_runtime::clock::Timestamp;
use edge_runtime::desk::view::{DeskView, PinRefusal, Pose};
use edge_runtime::input::Input;
use edge_runtime::liveness::Prompt;
use edge_runtime::screen::canvas::Canvas;
use edge_runtime::screen::panel::{Panel, PixelKind, Rotation};
use edge_runtime::screen::settings::ScreenSettings;
use edge_runtime::screen::shape::{Arc, Disc, RoundRect};
use edge_runtime::screen::theme::Ground;
use edge_runtime::screen::words::Language;
use edge_runtime::screen::{Chrome, Preview, Screen, View, png};
use edge_runtime::session::Hint;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
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

/// Prefix, size, theme, language and views of a set of golden pictures; `*` is every view.
type Set = (
    &'static str,
    (u32, u32),
    Ground,
    Language,
    &'static [&'static str],
);

/// Which views have a golden picture in which size, theme and language.
const GOLDEN: [Set; 6] = [
    ("", (800, 480), Ground::Dark, Language::En, &["*"]),
    (
        "light-",
        (800, 480),
        Ground::Light,
        Language::En,
        &["idle", "looking", "greeting", "unknown", "pin", "fault"],
    ),
    (
        "large-",
        (1280, 800),
        Ground::Dark,
        Language::En,
        &["greeting", "guided-left"],
    ),
    (
        "upright-",
        (480, 800),
        Ground::Dark,
        Language::En,
        &["idle", "greeting", "guided-left", "pin", "consent"],
    ),
    (
        "upright-large-de-",
        (800, 1280),
        Ground::Light,
        Language::De,
        &["unknown", "name"],
    ),
    (
        "de-",
        (800, 480),
        Ground::Dark,
        Language::De,
        &["turn-left", "name", "greeting"],
    ),
];

fn clock() -> Chrome<'static> {
    Chrome {
        time_of_day: Some("14:32"),
        ..Chrome::default()
    }
}

#[test]
fn every_view_looks_as_it_did() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    let desk = desk_views();
    let views = views(preview, &desk);
    let mut wrong = Vec::new();
    for (prefix, (width, height), theme, language, names) in GOLDEN {
        let settings = settings(theme, language);
        let mut screen = Screen::with(width, height, &settings).unwrap();
        for (name, view) in &views {
            if names.contains(name) || names.contains(&"*") {
                let canvas = screen.draw(view, &clock());
                compare(&format!("{prefix}{name}"), canvas, &mut wrong);
            }
        }
    }
    let mut screen = Screen::new(800, 480).unwrap();
    let marked = Chrome {
        liveness_off: true,
        clock_unset: true,
        operator: true,
        ..clock()
    };
    compare("marks-idle", screen.draw(&View::Idle, &marked), &mut wrong);
    let recorded = Chrome {
        recording: true,
        ..marked
    };
    let (_, looking) = views[1];
    compare(
        "marks-looking",
        screen.draw(&looking, &recorded),
        &mut wrong,
    );
    assert!(
        wrong.is_empty(),
        "{wrong:#?}; look at them and run with UPDATE_GOLDEN=1 if they are meant"
    );
}

#[test]
fn every_golden_picture_is_one_of_a_view() {
    let desk = desk_views();
    let (frame, _) = drawn_person();
    let views = views(Preview::of(&frame, None), &desk);
    let mut expected = vec!["marks-idle.png".to_owned(), "marks-looking.png".to_owned()];
    for (prefix, .., names) in GOLDEN {
        let shown = views.iter().map(|(name, _)| *name);
        let shown = shown.filter(|name| names.contains(name) || names.contains(&"*"));
        expected.extend(shown.map(|name| format!("{prefix}{name}.png")));
    }
    let folder = golden("x").parent().unwrap().read_dir().unwrap();
    let mut found: Vec<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert!(found.len() <= 60);
}

const SIZES: [(u32, u32); 8] = [
    (800, 480),
    (1024, 600),
    (1280, 800),
    (1920, 1080),
    (480, 800),
    (600, 1024),
    (800, 1280),
    (1080, 1920),
];

/// Calls `visit` with each screen and each view in every size and language.
fn everywhere(mut visit: impl FnMut(&str, &mut Screen, &View<'_>)) {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    let desk = desk_views();
    for (width, height) in SIZES {
        for language in Language::ALL {
            let settings = settings(Ground::Dark, language);
            let mut screen = Screen::with(width, height, &settings).unwrap();
            for (name, view) in views(preview, &desk) {
                visit(
                    &format!("{name} at {width}x{height} in {language:?}"),
                    &mut screen,
                    &view,
                );
            }
        }
    }
}

fn overlap(a: &Rectangle, b: &Rectangle) -> bool {
    !a.intersection(b).is_zero_sized()
}

#[test]
fn every_sentence_is_whole_inside_the_screen_and_apart_from_the_others() {
    everywhere(|name, screen, view| {
        let chrome = Chrome {
            liveness_off: true,
            clock_unset: true,
            ..clock()
        };
        let whole = Rectangle::new(Point::zero(), screen.size());
        let written = screen.written(view, &chrome);
        let controls = screen.controls(view);
        for (index, (text, area)) in written.iter().enumerate() {
            assert!(!text.contains('…'), "{name}: {text}");
            assert_eq!(area.intersection(&whole), *area, "{name}: {text}");
            for (other, place) in &written[..index] {
                assert!(!overlap(area, place), "{name}: \"{text}\" on \"{other}\"");
            }
            for (control, _) in &controls {
                let inside = area.intersection(control) == *area;
                assert!(
                    inside || !overlap(area, control),
                    "{name}: {text} on a button"
                );
            }
        }
    });
}

#[test]
fn what_is_drawn_to_be_touched_is_touched() {
    everywhere(|name, screen, view| {
        let size = screen.size();
        let whole = Rectangle::new(Point::zero(), size);
        let upright = size.height > size.width;
        let unit = if upright {
            (size.width as f32 / 480.0).min(size.height as f32 / 800.0)
        } else {
            (size.width as f32 / 800.0).min(size.height as f32 / 480.0)
        };
        let controls = screen.controls(view);
        let desk = matches!(view, View::Desk { .. });
        assert_eq!(desk, !controls.is_empty(), "{name}");
        for (index, (area, input)) in controls.iter().enumerate() {
            // 9 mm on a panel of 7 inches. Ten letters beside each other on 480 pixels have to be narrower: with the
            // air around them, which means them too, they are 46 pixels apart.
            let letters = matches!(
                view,
                View::Desk {
                    view: DeskView::Name { .. },
                    ..
                }
            );
            let least = match (letters, upright) {
                (true, true) => (37.0, 56.0),
                (true, false) => (55.9, 56.0),
                (false, _) => (56.0, 55.9),
            };
            let (width, height) = (
                area.size.width as f32 / unit,
                area.size.height as f32 / unit,
            );
            assert!(
                width >= least.0 && height >= least.1,
                "{name}: {input:?} is {width}x{height}"
            );
            assert_eq!(area.intersection(&whole), *area, "{name}: {input:?}");
            for (other, _) in &controls[..index] {
                assert!(!overlap(area, other), "{name}: {input:?}");
            }
            let corner = area.top_left + Point::new(area.size.width as i32 - 1, 0);
            for at in [
                area.center(),
                area.top_left,
                corner,
                area.top_left - Point::new(1, 1),
            ] {
                let found = screen.control_at(view, at.x, at.y);
                assert_eq!(found, Some(*input), "{name} at {at:?}");
            }
        }
        assert_eq!(screen.control_at(view, -100, -100), None, "{name}");
    });
}

#[test]
fn german_keys_are_where_a_german_looks() {
    for ((width, height), row) in [((800, 480), "qwertzuiopü"), ((480, 800), "qwertzuiop")] {
        let screen = Screen::with(width, height, &settings(Ground::Dark, Language::De)).unwrap();
        let typing = DeskView::Name {
            text: String::new(),
            problem: None,
            capitals: true,
            signs: false,
        };
        let view = View::Desk {
            view: &typing,
            preview: None,
        };
        let keys: String = screen
            .controls(&view)
            .into_iter()
            .filter_map(|(_, input)| match input {
                Input::Character(letter) => Some(letter),
                _ => None,
            })
            .collect();
        assert!(keys.starts_with(&row.to_uppercase()), "{keys}");
        for letter in "ÄÖÜẞ".chars() {
            assert!(keys.contains(letter), "{letter} in {keys}");
        }
    }
}

#[test]
fn a_consent_is_read_to_its_end_before_it_is_given() {
    everywhere(|name, screen, view| {
        let View::Desk {
            view: DeskView::Consent { text, page, .. },
            ..
        } = view
        else {
            return;
        };
        let pages = screen.consent_pages(text);
        let inputs: Vec<Input> = screen
            .controls(view)
            .into_iter()
            .map(|(_, input)| input)
            .collect();
        let last = *page + 1 >= pages;
        assert_eq!(inputs.contains(&Input::Enter), last, "{name}");
        assert_eq!(inputs.contains(&Input::Next), !last, "{name}");
        assert!(inputs.contains(&Input::Cancel), "{name}");
        // All of it is shown, in its order.
        let mut read = String::new();
        for page in 0..pages {
            let consent = DeskView::Consent {
                name: "Ada".to_owned(),
                text: text.clone(),
                page,
            };
            let view = View::Desk {
                view: &consent,
                preview: None,
            };
            read += &screen.written(&view, &Chrome::default())[1].0;
            read.push(' ');
        }
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&read), words(text), "{name}");
    });
}

/// A display that copies what is said to have changed, and nothing else.
struct Copying(Canvas);

impl Copying {
    fn show(&mut self, canvas: &Canvas) {
        for area in canvas.damage() {
            for point in area.points() {
                let color = canvas.pixel(point).unwrap();
                Pixel(point, color).draw(&mut self.0).unwrap();
            }
        }
    }
}

#[test]
fn drawn_piece_by_piece_is_drawn_at_once() {
    let (frame, face) = drawn_person();
    let turned = Frame::new(640, 360, frame.rgb().iter().rev().copied().collect()).unwrap();
    let desk = desk_views();
    let size = Size::new(800, 480);
    let moving = ScreenSettings {
        motion: true,
        burn_in_shift_px: 6,
        ..ScreenSettings::default()
    };
    for settings in [settings(Ground::Dark, Language::En), moving] {
        let mut screen = Screen::with(size.width, size.height, &settings).unwrap();
        let mut display = Copying(Canvas::new(size, Rgb888::RED));
        let mut now = 0;
        let frames = [&frame, &turned];
        for (index, (name, _)) in views(Preview::of(&frame, Some(face)), &desk)
            .iter()
            .enumerate()
        {
            for step in 0..4 {
                let mut face = face;
                face.left += 3.0 * step as f32;
                let preview = Preview::of(frames[step % 2], Some(face));
                let view = views(preview, &desk)[index].1;
                let chrome = Chrome {
                    now: Timestamp::from_millis(now),
                    liveness_off: step > 1,
                    brightness: if index % 5 == 0 {
                        1.0 - 0.2 * step as f32
                    } else {
                        1.0
                    },
                    ..clock()
                };
                let canvas = screen.draw(&view, &chrome);
                display.show(canvas);
                assert!(
                    display.0 == *canvas,
                    "{name}, step {step}: what changed is not said"
                );
                if !settings.motion && step % 2 == 1 {
                    let mut fresh = Screen::with(size.width, size.height, &settings).unwrap();
                    assert!(fresh.draw(&view, &chrome) == canvas, "{name}, step {step}");
                }
                now += 97;
            }
        }
    }
}

#[test]
fn one_view_fades_into_the_next_and_a_challenge_does_not() {
    let (frame, face) = drawn_person();
    let preview = Preview::of(&frame, Some(face));
    let moving = ScreenSettings {
        motion: true,
        ..settings(Ground::Dark, Language::En)
    };
    let mut screen = Screen::with(800, 480, &moving).unwrap();
    let at = |millis| Chrome {
        now: Timestamp::from_millis(millis),
        ..Chrome::default()
    };
    let unknown = View::Unknown { preview };
    let idle = screen.draw(&View::Idle, &at(0)).clone();
    let begun = screen.draw(&unknown, &at(1000)).clone();
    assert!(begun == idle, "a fade begins with what was there");
    let half = screen.draw(&unknown, &at(1110)).clone();
    let done = screen.draw(&unknown, &at(1220)).clone();
    let plain = Screen::new(800, 480)
        .unwrap()
        .draw(&unknown, &at(0))
        .clone();
    assert!(half != idle && half != plain && done == plain);
    let red = View::Flash {
        preview,
        color: [255, 0, 0],
    };
    let lit = screen.draw(&red, &at(1300)).clone();
    assert_eq!(lit.pixel(Point::new(2, 2)), Some(Rgb888::RED), "at once");
    // Half as bright is half as much of each color, and only then is all of it new.
    let dark = Chrome {
        brightness: 0.5,
        ..at(2000)
    };
    let mut screen = Screen::new(800, 480).unwrap();
    let bright = screen.draw(&View::Idle, &at(2000)).to_rgb();
    let dimmed = screen.draw(&View::Idle, &dark).to_rgb();
    assert!(
        bright
            .iter()
            .zip(&dimmed)
            .all(|(a, b)| b.abs_diff(a.div_ceil(2)) <= 1)
    );
    assert!(screen.draw(&View::Idle, &dark).damage().is_empty());
}

#[test]
fn nothing_moves_when_nobody_is_there_but_against_burn_in() {
    let mut screen = Screen::with(800, 480, &ScreenSettings::default()).unwrap();
    let mut changes = Vec::new();
    for second in 0..600_u64 {
        let chrome = Chrome {
            now: Timestamp::from_millis(second * 1000),
            ..clock()
        };
        if !screen.draw(&View::Idle, &chrome).damage().is_empty() {
            changes.push(second);
        }
    }
    let expected: Vec<u64> = (0..10).map(|minute| minute * 60).collect();
    assert_eq!(changes, expected);
}

/// What a live frame costs: `cargo test --release --test screens -- --ignored cheap --nocapture`.
#[test]
#[ignore = "a measurement, not a check"]
fn a_live_frame_is_cheap() {
    let (_, face) = drawn_person();
    let noise: Vec<u8> = (0..1280 * 720 * 3_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let frame = Frame::new(1280, 720, noise).unwrap();
    for (width, height) in [(800, 480), (1280, 800), (800, 1280)] {
        for brightness in [1.0, 0.5] {
            let mut screen = Screen::with(width, height, &ScreenSettings::default()).unwrap();
            let mut display = Framebuffer::new(width, height);
            let (mut draws, mut copies) = (Vec::new(), Vec::new());
            for step in 0..300_u32 {
                let mut face = face;
                face.left += step as f32;
                let view = View::Looking {
                    preview: Preview::of(&frame, Some(face)),
                    hint: Hint::HoldStill,
                    progress: step as f32 / 300.0,
                };
                let chrome = Chrome {
                    now: Timestamp::from_millis(u64::from(step) * 33),
                    brightness,
                    ..clock()
                };
                let begin = Instant::now();
                let canvas = screen.draw(&view, &chrome);
                let drawn = Instant::now();
                display.copy(canvas);
                draws.push(drawn - begin);
                copies.push(drawn.elapsed());
            }
            draws.sort();
            copies.sort();
            println!(
                "{width}x{height}, brightness {brightness}: drawn in {:.2?} (p50), {:.2?} (p95), {:.2?} (most); copied \
                 in {:.2?} (p50)",
                draws[150], draws[285], draws[299], copies[150]
            );
        }
    }
}

/// Memory that stands for a graphics card's.
struct Framebuffer(Vec<u8>, usize);

impl Framebuffer {
    fn new(width: u32, height: u32) -> Self {
        Self(vec![0; (width * height * 4) as usize], width as usize * 4)
    }

    fn copy(&mut self, canvas: &Canvas) {
        let mut panel = Panel {
            memory: &mut self.0,
            pitch: self.1,
            kind: PixelKind::Xrgb8888,
            rotation: Rotation::Upright,
        };
        for area in canvas.damage() {
            panel.copy(canvas, *area);
        }
    }
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
