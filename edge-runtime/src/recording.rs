//! A recording made of one picture: its person walks up to the camera over a plain background; or of the room alone.
//!
//! It stands in for a camera in the demo and in tests, and it is honest about what it is: the probe frames come
//! from a picture, scaled, moved and lit a little differently in each frame, and not from a second sitting.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::detector::Detection;
use shared::frame::Frame;
use shared::geometry::Point;
use shared::resize::{Filter, Part, Resizer};

/// Pixels between the eyes at the first and at the last frame, for a frame 720 pixels high.
const EYES_PX: (f32, f32) = (40.0, 110.0);

/// Share of the recording that is the approach; then the person stands.
const APPROACH: f32 = 0.7;

/// Frames from one random brightness to the next.
const BRIGHTNESS_FRAMES: u64 = 8;

/// The picture and where its face is.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The picture.
    pub picture: &'a Frame,
    /// Between the eyes, in picture pixels.
    pub eyes: Point,
    /// Pixels between the eyes.
    pub eye_distance_px: f32,
}

impl<'a> Subject<'a> {
    /// The face that a detector found.
    pub fn detected(picture: &'a Frame, face: &Detection) -> Self {
        let [left, right, ..] = face.landmarks.0;
        let eyes = Point {
            x: (left.x + right.x) / 2.0,
            y: (left.y + right.y) / 2.0,
        };
        Self {
            picture,
            eyes,
            eye_distance_px: face.landmarks.eye_distance_px().max(1.0),
        }
    }

    /// A portrait's usual proportions, for want of a detector: eyes in the upper middle, a fifth of the width apart.
    pub fn assumed(picture: &'a Frame) -> Self {
        let (width, height) = (picture.width_px() as f32, picture.height_px() as f32);
        Self {
            picture,
            eyes: Point {
                x: width / 2.0,
                y: height * 0.38,
            },
            eye_distance_px: (width * 0.2).max(1.0),
        }
    }
}

/// How the recording is made.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// How many frames, at least 1.
    pub frames: u64,
    /// Width and height of a frame in pixels.
    pub size: (u32, u32),
    /// Seed of the changes in brightness.
    pub seed: u64,
}

/// Where the person is in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pose {
    /// Between the eyes, in frame pixels.
    eyes: Point,
    /// Pixels between the eyes.
    eye_distance_px: f32,
}

impl Walk {
    /// Draws frame `number` of the person's walk, or of the room where there is nobody.
    pub fn frame(&self, subject: Option<&Subject<'_>>, number: u64) -> RgbImage {
        let mut frame = self.background();
        if let Some(subject) = subject {
            paste(&mut frame, subject, self.pose(number));
        }
        let gain = self.brightness(number);
        for value in frame.iter_mut() {
            *value = (f32::from(*value) * gain).round().clamp(0.0, 255.0) as u8;
        }
        frame
    }

    fn pose(&self, number: u64) -> Pose {
        let time = if self.frames > 1 {
            number as f32 / (self.frames - 1) as f32
        } else {
            1.0
        };
        let way = (time / APPROACH).min(1.0);
        let way = way * way * (3.0 - 2.0 * way);
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        // A step every 0.4 of a second at 10 frames a second, smaller as the person comes to a stop.
        let step = (number as f32 * TAU / 4.0).sin() * 0.008 * height * (1.0 - way);
        let sway = (number as f32 * TAU / 23.0).sin() * 0.006 * width;
        let eye_distance = EYES_PX.0 * (EYES_PX.1 / EYES_PX.0).powf(way);
        Pose {
            eyes: Point {
                x: width * (0.30 + 0.20 * way) + sway,
                y: height * (0.34 + 0.07 * way) + step,
            },
            eye_distance_px: eye_distance * height / 720.0,
        }
    }

    /// A factor from 0.94 to 1.06 that drifts from one seeded value to the next.
    fn brightness(&self, number: u64) -> f32 {
        let at = |key: u64| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_word_pos(u128::from(key) * 16);
            random.random_range(0.94..=1.06_f32)
        };
        let (key, rest) = (number / BRIGHTNESS_FRAMES, number % BRIGHTNESS_FRAMES);
        let share = rest as f32 / BRIGHTNESS_FRAMES as f32;
        at(key) * (1.0 - share) + at(key + 1) * share
    }

    /// A wall in soft light, brighter towards the upper middle.
    fn background(&self) -> RgbImage {
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        RgbImage::from_fn(self.size.0, self.size.1, |x, y| {
            let across = (x as f32 / width - 0.5) * 1.1;
            let down = y as f32 / height - 0.3;
            let light = 1.0 - 0.42 * (across * across + down * down).sqrt();
            Rgb([196.0, 200.0, 203.0].map(|channel: f32| (channel * light).round() as u8))
        })
    }
}

/// Puts the subject's picture into the frame so that its eyes come to lie where `pose` says, with soft edges.
fn paste(frame: &mut RgbImage, subject: &Subject<'_>, pose: Pose) {
    let scale = pose.eye_distance_px / subject.eye_distance_px;
    let (left, top) = (
        pose.eyes.x - subject.eyes.x * scale,
        pose.eyes.y - subject.eyes.y * scale,
    );
    let (width, height) = (
        subject.picture.width_px() as f32 * scale,
        subject.picture.height_px() as f32 * scale,
    );
    let (x0, x1) = (
        left.max(0.0).ceil() as u32,
        (left + width).min(frame.width() as f32).max(0.0).floor() as u32,
    );
    let (y0, y1) = (
        top.max(0.0).ceil() as u32,
        (top + height).min(frame.height() as f32).max(0.0).floor() as u32,
    );
    if x1 <= x0 || y1 <= y0 {
        return;
    }
    let scaled = cut(
        subject.picture,
        ((x0 as f32 - left) / scale, (y0 as f32 - top) / scale),
        scale,
        (x1 - x0, y1 - y0),
    );
    let feather = 0.06 * width.min(height);
    for (row, line) in (y0..y1).zip(scaled.chunks(3 * (x1 - x0) as usize)) {
        for (column, rgb) in (x0..x1).zip(line.chunks(3)) {
            let (x, y) = (column as f32 - left, row as f32 - top);
            let inside = x.min(width - x).min(y).min(height - y);
            let opacity = (inside / feather.max(1.0)).clamp(0.0, 1.0);
            let below = frame.get_pixel_mut(column, row);
            for (below, above) in below.0.iter_mut().zip(rgb) {
                *below = (f32::from(*below) * (1.0 - opacity) + f32::from(*above) * opacity).round()
                    as u8;
            }
        }
    }
}

/// The part of `picture` that begins at `(left, top)` of its pixels, scaled to `size`.
fn cut(picture: &Frame, (left, top): (f32, f32), scale: f32, size: (u32, u32)) -> Vec<u8> {
    let (left, top) = (f64::from(left), f64::from(top));
    let along = |size: u32, all: u32, from: f64| {
        (f64::from(size) / f64::from(scale)).min(f64::from(all) - from)
    };
    let part = Part {
        left,
        top,
        width: along(size.0, picture.width_px(), left),
        height: along(size.1, picture.height_px(), top),
    };
    let mut scaled = vec![0; 3 * size.0 as usize * size.1 as usize];
    Resizer::default()
        .part(picture, part, size, Filter::Lanczos3, &mut scaled)
        .expect("the cut lies inside the picture");
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALK: Walk = Walk {
        frames: 40,
        size: (640, 360),
        seed: 7,
    };

    #[test]
    fn the_person_comes_nearer_and_stops_in_the_middle() {
        let poses: Vec<Pose> = (0..40).map(|number| WALK.pose(number)).collect();
        assert!(
            poses
                .windows(2)
                .all(|pair| pair[0].eye_distance_px <= pair[1].eye_distance_px)
        );
        assert_eq!(poses[0].eye_distance_px, 20.0);
        assert_eq!(poses[39].eye_distance_px, 55.0);
        assert!((poses[39].eyes.x - 320.0).abs() < 5.0, "{:?}", poses[39]);
        for pair in poses.windows(2) {
            let moved = (pair[1].eyes.x - pair[0].eyes.x).hypot(pair[1].eyes.y - pair[0].eyes.y);
            assert!(
                moved < 0.4 * pair[0].eye_distance_px,
                "a person does not jump: {pair:?}"
            );
        }
    }

    #[test]
    fn brightness_is_seeded_and_small() {
        let factors: Vec<f32> = (0..40).map(|number| WALK.brightness(number)).collect();
        assert!(
            factors.iter().all(|factor| (0.94..=1.06).contains(factor)),
            "{factors:?}"
        );
        assert_eq!(
            factors,
            (0..40)
                .map(|number| WALK.brightness(number))
                .collect::<Vec<_>>()
        );
        assert_ne!(
            factors,
            (0..40)
                .map(|number| Walk { seed: 8, ..WALK }.brightness(number))
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_picture_lies_where_its_eyes_are_wanted() {
        let mut picture = RgbImage::from_pixel(200, 300, Rgb([0, 0, 0]));
        for (x, y) in (90..110).flat_map(|x| (104..124).map(move |y| (x, y))) {
            picture.put_pixel(x, y, Rgb([255, 0, 0]));
        }
        let picture = Frame::from_image(picture);
        let subject = Subject::assumed(&picture);
        for number in [0, 20, 39] {
            let (pose, frame) = (WALK.pose(number), WALK.frame(Some(&subject), number));
            let at = frame
                .get_pixel(pose.eyes.x.round() as u32, pose.eyes.y.round() as u32)
                .0;
            assert!(at[0] > 200 && at[1] < 40, "frame {number}: {at:?}");
            let beside = frame
                .get_pixel(
                    (pose.eyes.x + pose.eye_distance_px) as u32,
                    pose.eyes.y as u32,
                )
                .0;
            assert!(beside[0] < 40, "frame {number}: {beside:?}");
        }
    }

    #[test]
    fn a_picture_of_one_pixel_does_no_harm() {
        let picture = Frame::new(1, 1, vec![9, 9, 9]).unwrap();
        WALK.frame(Some(&Subject::assumed(&picture)), 39);
    }
}
