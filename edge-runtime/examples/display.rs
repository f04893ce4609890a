//! Shows views on a display, to try one without camera and model: `cargo run --example display -- drm 10`.
//!
//! Arguments: where (`drm`, `fb:/dev/fb0`, `window`, ...), for how many seconds, and degrees of rotation. Prints what
//! the display said, each time that changes.
#![allow(
    clippy::unwrap_used,
    reason = "an example that cannot go on should stop"
)]

use std::time::{Duration, Instant};

use edge_runtime::clock::Timestamp;
use edge_runtime::screen::panel::Rotation;
use edge_runtime::screen::settings::ScreenSettings;
use edge_runtime::screen::target::ScreenTarget;
use edge_runtime::screen::{Chrome, Preview, Screen, View};
use edge_runtime::session::Hint;
use shared::frame::Frame;

/// A picture with something that moves, 640x360.
fn frame(step: usize) -> Frame {
    let pixels = (0..640 * 360).flat_map(|at| {
        let (x, y) = (at % 640, at / 640);
        [(x / 3) as u8, (y / 2) as u8, ((x + y + 5 * step) / 5) as u8]
    });
    Frame::new(640, 360, pixels.collect()).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let place = arguments.first().map_or("window", String::as_str);
    let target: ScreenTarget = place.parse().unwrap();
    let seconds: u64 = arguments.get(1).map_or(10, |text| text.parse().unwrap());
    let degrees: u32 = arguments.get(2).map_or(0, |text| text.parse().unwrap());
    let rotation = Rotation::try_from(degrees).unwrap();
    let mut display = match target.open(None, rotation) {
        Ok(display) => display,
        Err(error) => {
            println!("not opened: {error}");
            std::process::exit(1);
        }
    };
    let size = display.size();
    println!("opened {}x{}", size.width, size.height);
    let mut screen = Screen::with(size.width, size.height, &ScreenSettings::default()).unwrap();
    let begin = Instant::now();
    let (mut said, mut step, mut costs) = (String::new(), 0, Vec::new());
    while begin.elapsed() < Duration::from_secs(seconds) {
        let frame = frame(step);
        let preview = Preview::of(&frame, None);
        let view = match step {
            0..5 => View::Idle,
            5..15 => View::Looking {
                preview,
                hint: Hint::HoldStill,
                progress: (step - 5) as f32 / 10.0,
            },
            _ => View::Greeting {
                preview,
                name: "Ada Lovelace",
                one_in: Some(10_000),
            },
        };
        let chrome = Chrome {
            now: Timestamp::from_millis(begin.elapsed().as_millis() as u64),
            time_of_day: Some("14:32"),
            ..Chrome::default()
        };
        let canvas = screen.draw(&view, &chrome);
        let drawn = Instant::now();
        let shown = match display.show(canvas) {
            Ok(()) => "shown".to_owned(),
            Err(error) if error.passes() => format!("passes: {error}"),
            Err(error) => format!("stays: {error}"),
        };
        costs.push(drawn.elapsed());
        if shown != said {
            println!("{shown}");
            said = shown;
        }
        step += 1;
        std::thread::sleep(Duration::from_millis(40));
    }
    costs.sort();
    println!(
        "{} pictures, each handed over in {:.2?}",
        costs.len(),
        costs[costs.len() / 2]
    );
}
