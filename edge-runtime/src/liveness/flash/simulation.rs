//! A physical stand-in for camera, room, screen and what is held before them: for tests.
//!
//! Light is linear RGB. A matt surface with normal n gives back `albedo · (ambient(n) + screen(n, distance))`; the screen
//! is a small lamp before the face and below the camera. The camera adds exposure that follows the picture's mean, a
//! white balance that drifts, shot and read noise, and sRGB in 8 bits. It is a model: that attacks fail in it says that
//! the measure does what it was made for, and nothing about real attackers.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::detector::Detection;
use shared::frame::Frame;
use shared::geometry::{Point, Rect};
use shared::landmarks::Landmarks;

/// Size of a frame in pixels.
const SIZE: (u32, u32) = (232, 191);

/// Pixels between the eyes, and where the middle between them is.
const EYES_PX: f32 = 44.0;
const MIDDLE: (f32, f32) = (116.0, 84.0);

/// Distance from the screen to the face, in distances between the eyes (63 mm): half a meter.
const FACE_AWAY: f32 = 8.0;

/// What stands before the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::liveness) enum Subject {
    /// A head.
    Face,
    /// A matt print on flat paper that shows the room behind the face too.
    Sheet,
    /// The same, cut out along the face, before the real room.
    CutOut,
    /// A cut-out print turned aside by this many degrees.
    Tilted(f32),
    /// A cut-out print that is bent round an upright cylinder of this radius, in distances between the eyes.
    Bent(f32),
    /// A display that shows a face, this many times as bright as paper in the room; glass mirrors the screen.
    Display(f32),
    /// A display that shows a video of a face which another sequence of colors fell on.
    Replay(f32),
}

/// Everything that can be different.
#[derive(Clone, Copy, Debug)]
pub(in crate::liveness) struct Scene {
    pub(in crate::liveness) subject: Subject,
    /// The room's light, relative to the screen's on the face were it white (1).
    pub(in crate::liveness) ambient: f32,
    /// Color of the room's light.
    pub(in crate::liveness) tint: [f32; 3],
    pub(in crate::liveness) frames_per_second: f32,
    /// From prompt to light, in milliseconds.
    pub(in crate::liveness) lag_ms: f32,
    /// Standard deviation of read noise, in byte values.
    pub(in crate::liveness) noise: f32,
    /// Change of the white balance's red and blue over ten seconds.
    pub(in crate::liveness) drift: f32,
    /// Standard deviation of the landmarks, in pixels, and of the head's sway.
    pub(in crate::liveness) jitter: f32,
    /// Share of the room's light that comes from where the screen's does, 0 to 1.
    pub(in crate::liveness) frontal: f32,
    /// JPEG quality of the camera; none for raw pixels.
    pub(in crate::liveness) jpeg: Option<u8>,
    /// Stops that the exposure is off.
    pub(in crate::liveness) overexposed: f32,
    pub(in crate::liveness) seed: u64,
}

impl Scene {
    pub(in crate::liveness) fn new(subject: Subject, seed: u64) -> Scene {
        Scene {
            subject,
            ambient: 3.0,
            tint: [1.0, 0.95, 0.8],
            frames_per_second: 12.0,
            lag_ms: 120.0,
            noise: 1.5,
            drift: 0.05,
            jitter: 0.4,
            frontal: 0.0,
            jpeg: None,
            overexposed: 0.0,
            seed,
        }
    }
}

/// Pictures of a scene, frame by frame.
pub(in crate::liveness) struct Studio {
    scene: Scene,
    random: ChaCha8Rng,
    exposure: f32,
    sway: (f32, f32),
    /// Colors of another run, for [`Subject::Replay`].
    other: Vec<(u64, [u8; 3])>,
    /// Albedo of a real face, if there is one: pixels around the eyes, in linear light.
    portrait: Option<Portrait>,
}

/// A real picture and where its eyes are.
#[derive(Clone)]
pub(in crate::liveness) struct Portrait {
    pub(in crate::liveness) frame: Frame,
    pub(in crate::liveness) eyes: (Point, Point),
}

impl Studio {
    pub(in crate::liveness) fn new(scene: Scene) -> Studio {
        let mut random = ChaCha8Rng::seed_from_u64(scene.seed);
        let colors = super::sequence::draw(&mut random, 8);
        // Another beginning than this run's, as in a video that was started by hand.
        let first = random.random_range(300..900);
        let other = std::iter::once((0, super::sequence::NEUTRAL))
            .chain((0..).zip(colors).map(|(n, color)| (first + 400 * n, color)))
            .collect();
        Studio {
            scene,
            random,
            exposure: 1.0,
            sway: (0.0, 0.0),
            other,
            portrait: None,
        }
    }

    pub(in crate::liveness) fn with_portrait(mut self, portrait: &Portrait) -> Studio {
        self.portrait = Some(portrait.clone());
        self
    }

    /// The picture at `ms`, while the screen has shown `colors` (prompted when, what), and the face in it.
    pub(in crate::liveness) fn picture(
        &mut self,
        ms: u64,
        colors: &[(u64, [u8; 3])],
    ) -> (Frame, Detection) {
        let scene = self.scene;
        let screen = light_at(colors, ms as f32 - scene.lag_ms);
        let other = light_at(&self.other, ms as f32);
        for sway in [&mut self.sway.0, &mut self.sway.1] {
            *sway = 0.9 * *sway + 0.5 * scene.jitter * normal(&mut self.random);
        }
        let middle = (MIDDLE.0 + self.sway.0, MIDDLE.1 + self.sway.1);
        let mut radiance = Vec::with_capacity((SIZE.0 * SIZE.1) as usize);
        for y in 0..SIZE.1 {
            for x in 0..SIZE.0 {
                let u = (x as f32 - middle.0) / EYES_PX;
                let v = (y as f32 - middle.1) / EYES_PX;
                radiance.push(self.radiance(u, v, screen, other));
            }
        }
        let mean = radiance.iter().map(|rgb| rgb[1]).sum::<f32>() / radiance.len() as f32;
        // Automatic exposure goes a fifth of the way to middle gray with each frame.
        let wanted = 0.22 * 2f32.powf(scene.overexposed) / mean;
        let share = if ms == 0 { 1.0 } else { 0.2 };
        self.exposure += share * (wanted - self.exposure);
        let seconds = ms as f32 / 1000.0;
        let swing = scene.drift * (seconds * 0.6 + scene.seed as f32).sin();
        let balance = [1.0 + swing, 1.0, 1.0 - swing].map(|balance| balance * self.exposure);
        let mut bytes = Vec::with_capacity(3 * radiance.len());
        for rgb in radiance {
            for (channel, light) in rgb.into_iter().enumerate() {
                let white = light / scene.tint[channel] * balance[channel];
                bytes.push(self.byte(white));
            }
        }
        let frame = Frame::new(SIZE.0, SIZE.1, bytes).unwrap();
        let frame = match scene.jpeg {
            Some(quality) => compressed(frame, quality),
            None => frame,
        };
        (frame, self.detection(middle))
    }

    fn byte(&mut self, light: f32) -> u8 {
        let curve = CURVE[((light.clamp(0.0, 1.0) * 4096.0) as usize).min(4095)];
        // Uniform noise of that deviation: over a patch's hundreds of pixels it is as good as normal.
        let noise = self.random.random_range(-1.73..1.73_f32);
        (255.0 * curve + self.scene.noise * noise)
            .round()
            .clamp(0.0, 255.0) as u8
    }

    fn detection(&mut self, middle: (f32, f32)) -> Detection {
        let jitter = self.scene.jitter;
        let mut point = |u: f32, v: f32| {
            Point::new(
                middle.0 + u * EYES_PX + jitter * normal(&mut self.random),
                middle.1 + v * EYES_PX + jitter * normal(&mut self.random),
            )
        };
        let landmarks = [
            point(-0.5, 0.0),
            point(0.5, 0.0),
            point(0.0, 0.57),
            point(-0.4, 1.15),
            point(0.4, 1.15),
        ];
        let corner = point(-1.15, -1.0);
        Detection {
            bounds: Rect {
                left: corner.x,
                top: corner.y,
                width: 2.3 * EYES_PX,
                height: 2.9 * EYES_PX,
            },
            score: 0.9,
            landmarks: Landmarks(landmarks),
        }
    }

    /// Light that comes from the place (u, v) of the picture, in distances between the eyes.
    fn radiance(&self, u: f32, v: f32, screen: [f32; 3], other: [f32; 3]) -> [f32; 3] {
        let scene = &self.scene;
        let Some(normal) = head(u, v) else {
            return match scene.subject {
                Subject::Sheet if in_sheet(u, v) => self.lit(WALL, FLAT, FACE_AWAY, screen),
                Subject::Display(bright) | Subject::Replay(bright) if in_sheet(u, v) => {
                    self.shown(WALL.map(|albedo| albedo * 0.8), bright, (u, v), screen)
                }
                // The room, a meter and a half behind.
                _ => self.lit(WALL, UPRIGHT_WALL, FACE_AWAY + 24.0, screen),
            };
        };
        let albedo = self.albedo(u, v);
        match scene.subject {
            Subject::Face => self.lit(albedo, normal, FACE_AWAY - normal[2], screen),
            Subject::Sheet | Subject::CutOut | Subject::Tilted(_) | Subject::Bent(_) => {
                // What is printed is a picture of a lit face.
                let printed = printed(albedo, normal);
                let surface = match scene.subject {
                    Subject::Bent(radius) => {
                        let across = (u / radius).clamp(-0.95, 0.95);
                        [across, 0.0, (1.0 - across * across).sqrt()]
                    }
                    Subject::Tilted(degrees) => {
                        let (sin, cos) = degrees.to_radians().sin_cos();
                        [sin, 0.0, cos]
                    }
                    _ => FLAT,
                };
                self.lit(printed, surface, FACE_AWAY, screen)
            }
            Subject::Display(bright) => self.shown(printed(albedo, normal), bright, (u, v), screen),
            Subject::Replay(bright) => {
                // The victim was filmed by another kiosk under its colors, in a dimmer room.
                let fell = lambert(normal, 1.0);
                let filmed = std::array::from_fn(|c| {
                    albedo[c] * (ambience(normal, 0.0) + 0.5 * fell * other[c])
                });
                self.shown(filmed, bright, (u, v), screen)
            }
        }
    }

    /// A matt surface in the room's and the screen's light.
    fn lit(&self, albedo: [f32; 3], normal: [f32; 3], away: f32, screen: [f32; 3]) -> [f32; 3] {
        let near = (FACE_AWAY / away).powi(2);
        let fell = lambert(normal, near);
        std::array::from_fn(|c| {
            albedo[c]
                * (self.scene.ambient * self.scene.tint[c] * ambience(normal, self.scene.frontal)
                    + fell * screen[c])
        })
    }

    /// A glossy display: its own light, and the kiosk's screen mirrored in one place.
    fn shown(
        &self,
        picture: [f32; 3],
        bright: f32,
        (u, v): (f32, f32),
        screen: [f32; 3],
    ) -> [f32; 3] {
        let mirror = if (u - 0.1).abs() < 0.4 && (v - 0.45).abs() < 0.3 {
            0.3
        } else {
            0.0
        };
        let ambient = self.scene.ambient;
        std::array::from_fn(|c| {
            // Of what falls on it, dark glass gives back 2 %; of what it mirrors, 4 % of a screen brighter than its light.
            let own = bright * ambient.max(0.5) * picture[c];
            own + 0.02 * (ambient * self.scene.tint[c] + screen[c]) + mirror * screen[c]
        })
    }

    fn albedo(&self, u: f32, v: f32) -> [f32; 3] {
        if let Some(portrait) = &self.portrait {
            let (left, right) = portrait.eyes;
            let along = (right.x - left.x, right.y - left.y);
            let x = (left.x + right.x) / 2.0 + u * along.0 - v * along.1;
            let y = (left.y + right.y) / 2.0 + u * along.1 + v * along.0;
            let (width, height) = (portrait.frame.width_px(), portrait.frame.height_px());
            let pixel = portrait.frame.pixel(
                (x.max(0.0) as u32).min(width - 1),
                (y.max(0.0) as u32).min(height - 1),
            );
            // White in a portrait is well lit skin, which gives back six tenths.
            return pixel.map(|byte| 0.6 * super::super::patch::linear(byte).max(0.03));
        }
        let spots = 0.05 * ((9.0 * u).sin() * (7.0 * v).cos());
        let eye = (u.abs() - 0.5).hypot(v) < 0.13;
        let mouth = u.abs() < 0.4 && (v - 1.15).abs() < 0.08;
        match (eye, mouth) {
            (true, _) => [0.08, 0.06, 0.05],
            (_, true) => [0.3, 0.12, 0.12],
            _ => [0.45 + spots, 0.28 + spots, 0.2 + spots],
        }
    }
}

/// sRGB's curve from linear light; quicker than a power for each pixel.
static CURVE: std::sync::LazyLock<Vec<f32>> = std::sync::LazyLock::new(|| {
    let curve = |light: f32| match light {
        light if light <= 0.003_130_8 => 12.92 * light,
        light => 1.055 * light.powf(1.0 / 2.4) - 0.055,
    };
    (0..4096)
        .map(|step| curve((step as f32 + 0.5) / 4096.0))
        .collect()
});

/// The picture after a camera's JPEG.
fn compressed(frame: Frame, quality: u8) -> Frame {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(&frame.into_image())
        .unwrap();
    shared::picture::decode(&bytes, std::path::Path::new("simulated.jpg")).unwrap()
}

const WALL: [f32; 3] = [0.5, 0.5, 0.48];
const FLAT: [f32; 3] = [0.0, 0.0, 1.0];
const UPRIGHT_WALL: [f32; 3] = FLAT;

/// The normal of a head, right, down and towards the camera; none beside it.
///
/// An ellipsoid of 1.15 x 1.6 x 1.2 distances between the eyes, with a ridge for a nose.
fn head(u: f32, v: f32) -> Option<[f32; 3]> {
    let (x, y) = (u / 1.15, (v - 0.45) / 1.6);
    let square = x * x + y * y;
    if square > 0.97 {
        return None;
    }
    let z = (1.0 - square).sqrt();
    let mut normal = [x / 1.15, y / 1.6, z / 1.2];
    if (0.0..0.65).contains(&v) && u.abs() < 0.25 {
        normal[0] += 0.9 * u / 0.25 * z;
        normal[1] -= 0.1;
    }
    let length = normal.iter().map(|part| part * part).sum::<f32>().sqrt();
    Some(normal.map(|part| part / length))
}

fn in_sheet(u: f32, v: f32) -> bool {
    u.abs() < 2.4 && v.abs() < 2.6
}

/// The room's light on a surface: from all around, most of it from above, unless it comes from ahead.
fn ambience(normal: [f32; 3], frontal: f32) -> f32 {
    (1.0 - frontal) * (0.55 - 0.45 * normal[1]) + frontal * lambert(normal, 1.0)
}

/// The screen's light on a surface: a lamp straight ahead and a little below.
fn lambert(normal: [f32; 3], near: f32) -> f32 {
    near * (0.97 * normal[2] + 0.24 * normal[1]).max(0.0)
}

/// What a photograph of a face has as albedo: the face's, shaded by the light it was taken in.
fn printed(albedo: [f32; 3], normal: [f32; 3]) -> [f32; 3] {
    albedo.map(|albedo| albedo * (0.35 + 0.75 * normal[2]))
}

/// The linear light of what was shown at a time.
fn light_at(colors: &[(u64, [u8; 3])], ms: f32) -> [f32; 3] {
    let shown = colors
        .iter()
        .rfind(|(at, _)| *at as f32 <= ms)
        .or(colors.first());
    shown.map_or([0.0; 3], |(_, color)| {
        color.map(super::super::patch::linear)
    })
}

fn normal(random: &mut ChaCha8Rng) -> f32 {
    let sum: f32 = (0..12).map(|_| random.random_range(0.0..1.0_f32)).sum();
    sum - 6.0
}
