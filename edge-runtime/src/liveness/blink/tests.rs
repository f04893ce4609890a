//! Drawn eyes that close, and pictures that only seem to.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::detector::Detection;
use shared::geometry::{Point, Rect};
use shared::landmarks::Landmarks;

use super::*;

const EYES_PX: f32 = 60.0;

/// One drawn frame.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    /// How far each eye is open, 0 to 1.
    open: [f32; 2],
    /// Blur of the whole picture, in pixels.
    blur: f32,
    /// Gain of all light.
    light: f32,
    /// The whole face moved right, in pixels.
    shift: f32,
}

const OPEN: Drawn = Drawn {
    open: [1.0, 1.0],
    blur: 0.0,
    light: 1.0,
    shift: 0.0,
};

fn draw(drawn: Drawn, random: &mut ChaCha8Rng) -> (Frame, Detection) {
    let (width, height) = (180_u32, 160_u32);
    let mut light = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let u = (x as f32 - 90.0 - drawn.shift) / EYES_PX;
            let v = (y as f32 - 55.0) / EYES_PX;
            light.push(face(u, v, drawn.open));
        }
    }
    if drawn.blur > 0.0 {
        light = blurred(&light, width as usize, drawn.blur as usize);
    }
    let mut rgb = Vec::new();
    for value in light {
        let noise = random.random_range(-2.0..2.0_f32);
        let byte = (255.0 * (value * drawn.light).powf(1.0 / 2.2) + noise).clamp(0.0, 255.0) as u8;
        rgb.extend([byte; 3]);
    }
    let mut jitter = || random.random_range(-0.5..0.5_f32);
    let mut point = |u: f32, v: f32| {
        Point::new(
            90.0 + drawn.shift + u * EYES_PX + jitter(),
            55.0 + v * EYES_PX + jitter(),
        )
    };
    let landmarks = [
        point(-0.5, 0.0),
        point(0.5, 0.0),
        point(0.0, 0.57),
        point(-0.4, 1.15),
        point(0.4, 1.15),
    ];
    let detection = Detection {
        bounds: Rect {
            left: 20.0,
            top: 0.0,
            width: 140.0,
            height: 160.0,
        },
        score: 0.9,
        landmarks: Landmarks(landmarks),
    };
    (Frame::new(width, height, rgb).unwrap(), detection)
}

/// Linear light of a drawn face.
fn face(u: f32, v: f32, open: [f32; 2]) -> f32 {
    let skin = 0.35;
    for (middle, open) in [(-0.5, open[0]), (0.5, open[1])] {
        let across = (u - middle) / 0.22;
        let lid = 0.09 * open * (1.0 - across * across).max(0.0).sqrt();
        if across.abs() < 1.0 {
            if v.abs() < lid {
                return if (u - middle).hypot(v) < 0.08 {
                    0.04
                } else {
                    0.6
                };
            }
            // Lashes, at the edge of the lid.
            if (v - lid).abs() < 0.015 {
                return 0.15;
            }
        }
    }
    // Lips, and teeth between: edges that stay.
    match (u.abs() < 0.4, (v - 1.12).abs()) {
        (true, away) if away < 0.02 => 0.05,
        (true, away) if away < 0.09 => 0.16,
        _ => skin,
    }
}

fn blurred(light: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let height = light.len() / width;
    (0..light.len())
        .map(|place| {
            let (x, y) = (place % width, place / width);
            let rows = y.saturating_sub(radius)..(y + radius + 1).min(height);
            let (mut sum, mut count) = (0.0, 0.0);
            for row in rows {
                sum += light[row * width + x];
                count += 1.0;
            }
            sum / count
        })
        .collect()
}

/// Shows what `scene` draws at each time; true if a blink was seen within four seconds.
fn blinked(frames_per_second: f32, seed: u64, scene: impl Fn(f32) -> Drawn) -> Progress {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut blink = Blink::new(BlinkRules::default());
    blink.begin(Timestamp::default());
    for number in 0..(4.0 * frames_per_second) as u32 {
        let ms = number as f32 * 1000.0 / frames_per_second;
        let (frame, detection) = draw(scene(ms), &mut random);
        let at = Timestamp::from_millis(ms as u64);
        let look = Look {
            frame: &frame,
            detection: &detection,
            aligned: None,
            at,
            track: 1,
        };
        let finding = blink.look(at, &look);
        if finding.progress != Progress::Waiting {
            return finding.progress;
        }
        assert_eq!(finding.prompt, Prompt::Blink);
    }
    Progress::Waiting
}

/// How far an eye is open that closes at `from` for `lasts` milliseconds, lids moving for 40.
fn lid(ms: f32, from: f32, lasts: f32) -> f32 {
    let closed = ((ms - from) / 40.0)
        .min((from + lasts - ms) / 40.0)
        .clamp(0.0, 1.0);
    1.0 - closed
}

#[test]
fn table_of_blinks() {
    type Scene = fn(f32) -> Drawn;
    let cases: [(&str, Scene, bool); 11] = [
        ("a photograph", |_| OPEN, false),
        (
            "a blink of 150 ms",
            |ms| {
                let open = lid(ms, 1500.0, 150.0);
                Drawn {
                    open: [open; 2],
                    ..OPEN
                }
            },
            true,
        ),
        (
            "a blink of 300 ms",
            |ms| {
                let open = lid(ms, 1520.0, 300.0);
                Drawn {
                    open: [open; 2],
                    ..OPEN
                }
            },
            true,
        ),
        (
            "eyes shut for a second",
            |ms| {
                let open = lid(ms, 1500.0, 1000.0);
                Drawn {
                    open: [open; 2],
                    ..OPEN
                }
            },
            false,
        ),
        (
            "a wink",
            |ms| Drawn {
                open: [lid(ms, 1500.0, 200.0), 1.0],
                ..OPEN
            },
            false,
        ),
        (
            "one eye, then the other",
            |ms| Drawn {
                open: [lid(ms, 1500.0, 150.0), lid(ms, 2200.0, 150.0)],
                ..OPEN
            },
            false,
        ),
        (
            "the picture is shaken: blur everywhere",
            |ms| {
                let shaken = lid(ms, 1500.0, 200.0) < 0.5;
                Drawn {
                    blur: if shaken { 5.0 } else { 0.0 },
                    ..OPEN
                }
            },
            false,
        ),
        (
            "the light flickers",
            |ms| {
                let dark = lid(ms, 1500.0, 200.0) < 0.5;
                Drawn {
                    light: if dark { 0.3 } else { 1.0 },
                    ..OPEN
                }
            },
            false,
        ),
        (
            "another picture with shut eyes, held elsewhere",
            |ms| {
                let shut = lid(ms, 1500.0, 200.0) < 0.5;
                Drawn {
                    open: [if shut { 0.0 } else { 1.0 }; 2],
                    shift: if shut { 12.0 } else { 0.0 },
                    ..OPEN
                }
            },
            false,
        ),
        (
            "eyes that were never open",
            |_| Drawn {
                open: [0.0; 2],
                ..OPEN
            },
            false,
        ),
        (
            "eyes that open and stay open",
            |ms| {
                let open = if ms < 1500.0 { 0.0 } else { 1.0 };
                Drawn {
                    open: [open; 2],
                    ..OPEN
                }
            },
            false,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, scene, expected) in cases {
        for (rate, seed) in [(15.0, 1), (20.0, 2), (30.0, 3)] {
            let found = blinked(rate, seed, scene);
            let fits = match expected {
                true => found == Progress::Passed,
                false => found == Progress::Waiting,
            };
            if !fits {
                wrong.push(format!("{name} at {rate}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn slow_frames_are_said_to_be_slow() {
    let scene = |ms: f32| Drawn {
        open: [lid(ms, 1500.0, 150.0); 2],
        ..OPEN
    };
    assert_eq!(
        blinked(8.0, 1, scene),
        Progress::Inconclusive(Reason::FramesTooFew)
    );
}
