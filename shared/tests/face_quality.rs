//! What the quality limits refuse of LFW's pictures, and of the same pictures made worse.
//!
//! Needs `lfw/` of the data folder (`USHER_DATA`, else `../shared/data`); without it the tests say so and are skipped.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod skip;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use image::RgbImage;
use shared::quality::{Appearance, Defect, Placement, QualityLimits};
use shared::{
    Detection, Embedder, Frame, Landmarks, Point, Preprocessing, Rect, SquaredL2, picture,
};
use skip::data;

/// Of so many pictures one is measured where all would take too long.
const ONE_IN: usize = 20;

/// A picture of LFW and its face, as YuNet found it.
#[derive(Clone)]
struct Portrait {
    name: String,
    frame: Frame,
    detection: Detection,
}

impl Portrait {
    fn measure(&self) -> (Placement, Appearance) {
        let size = (self.frame.width_px(), self.frame.height_px());
        let face = Preprocessing::usher(112)
            .align(&self.frame, &self.detection.landmarks)
            .unwrap();
        (Placement::of(&self.detection, size), Appearance::of(&face))
    }

    fn defects(&self, limits: &QualityLimits) -> Vec<Defect> {
        let (placement, appearance) = self.measure();
        [limits.misplaced(&placement), limits.blemished(&appearance)].concat()
    }

    /// The picture after a change to its pixels.
    fn with(&self, change: impl FnOnce(&mut RgbImage, &Landmarks)) -> Self {
        let mut pixels = self.frame.clone().into_image();
        change(&mut pixels, &self.detection.landmarks);
        Self {
            frame: Frame::from_image(pixels),
            ..self.clone()
        }
    }

    /// The picture with this part of its pixels, the face where it then is.
    fn shrunk(&self, side: u32) -> Self {
        let scale = side as f32 / self.frame.width_px() as f32;
        let filter = image::imageops::FilterType::Triangle;
        let pixels = image::imageops::resize(&self.frame.clone().into_image(), side, side, filter);
        let Rect {
            left,
            top,
            width,
            height,
        } = self.detection.bounds;
        let mut detection = self.detection;
        detection.bounds = Rect {
            left: left * scale,
            top: top * scale,
            width: width * scale,
            height: height * scale,
        };
        detection.landmarks = Landmarks(
            detection
                .landmarks
                .0
                .map(|p| Point::new(p.x * scale, p.y * scale)),
        );
        Self {
            frame: Frame::from_image(pixels),
            detection,
            ..self.clone()
        }
    }
}

/// Every `one_in`th picture of LFW, or those named.
fn portraits(wanted: impl Fn(usize, &str) -> bool) -> Option<Vec<Portrait>> {
    let (pictures, found) = (data("lfw/lfw160.tar")?, data("lfw/lfw160_yunet.tsv")?);
    let found = std::fs::read_to_string(found).unwrap();
    let detections: HashMap<&str, Detection> = found
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(detection)
        .collect();
    let mut archive = tar::Archive::new(std::fs::File::open(pictures).unwrap());
    let mut portraits = Vec::new();
    let mut number = 0;
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let name = path.trim_start_matches("lfw160/");
        let Some(detection) = detections.get(name) else {
            continue;
        };
        number += 1;
        if wanted(number, name) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            portraits.push(Portrait {
                name: name.to_owned(),
                frame: picture::decode(&bytes, Path::new(name)).unwrap(),
                detection: *detection,
            });
        }
    }
    Some(portraits)
}

/// A line of `lfw160_yunet.tsv`: path, score, box, five landmarks.
fn detection(line: &str) -> (&str, Detection) {
    let fields: Vec<&str> = line.split('\t').collect();
    let numbers =
        |field: &str| -> Vec<f32> { field.split(',').map(|n| n.parse().unwrap()).collect() };
    let (bounds, points) = (numbers(fields[2]), numbers(fields[3]));
    let landmarks = std::array::from_fn(|i| Point::new(points[2 * i], points[2 * i + 1]));
    let detection = Detection {
        bounds: Rect {
            left: bounds[0],
            top: bounds[1],
            width: bounds[2],
            height: bounds[3],
        },
        score: fields[1].parse().unwrap(),
        landmarks: Landmarks(landmarks),
    };
    (fields[0], detection)
}

/// Share of pictures with any defect, and with each.
fn refused(portraits: &[Portrait], limits: &QualityLimits) -> (f64, Vec<(Defect, f64)>) {
    let found: Vec<Vec<Defect>> = portraits
        .iter()
        .map(|portrait| portrait.defects(limits))
        .collect();
    let share = |count: usize| count as f64 / found.len() as f64;
    let with = |defect: &Defect| {
        share(
            found
                .iter()
                .filter(|defects| defects.contains(defect))
                .count(),
        )
    };
    let any = share(found.iter().filter(|defects| !defects.is_empty()).count());
    (
        any,
        Defect::ALL
            .iter()
            .map(|defect| (*defect, with(defect)))
            .collect(),
    )
}

#[test]
fn the_limits_refuse_two_in_a_hundred_good_pictures_at_most() {
    let Some(portraits) = portraits(|number, _| number % ONE_IN == 0) else {
        return;
    };
    let (any, each) = refused(&portraits, &QualityLimits::default());
    assert!(any <= 0.02, "{any}: {each:?}");
}

type Change = fn(&Portrait) -> Portrait;

#[test]
fn pictures_made_worse_are_refused_for_what_was_done_to_them() {
    let Some(portraits) = portraits(|number, _| number % (3 * ONE_IN) == 0) else {
        return;
    };
    let limits = QualityLimits::default();
    let changes: [(&str, Change, Defect, f64); 9] = [
        ("small", |p| p.shrunk(72), Defect::TooSmall, 0.95),
        (
            "blurred",
            |p| p.with(|pixels, _| *pixels = image::imageops::fast_blur(pixels, 4.0)),
            Defect::Blurred,
            0.9,
        ),
        (
            "dark",
            |p| p.with(|pixels, _| each(pixels, |v| v / 12)),
            Defect::TooDark,
            0.95,
        ),
        (
            "against the light",
            |p| p.with(|pixels, _| each(pixels, |v| (v / 4).saturating_sub(15))),
            Defect::TooDark,
            0.85,
        ),
        (
            "overexposed",
            |p| p.with(|pixels, _| each(pixels, |v| v.saturating_mul(4))),
            Defect::TooBright,
            0.9,
        ),
        (
            "lit from a side",
            |p| p.with(side_light),
            Defect::UnevenLight,
            0.9,
        ),
        ("a mask", |p| p.with(mask), Defect::MouthCovered, 0.9),
        (
            "a bar over the eyes",
            |p| p.with(bar),
            Defect::EyesCovered,
            0.9,
        ),
        ("half outside", half_outside, Defect::OutsideFrame, 0.95),
    ];
    let mut failed = Vec::new();
    for (name, change, defect, least) in changes {
        let changed: Vec<Portrait> = portraits.iter().map(change).collect();
        let (any, each) = refused(&changed, &limits);
        let share = each.iter().find(|(found, _)| *found == defect).unwrap().1;
        println!("{name:<20} refused {any:.3}, as {defect:?} {share:.3}");
        if share < least {
            failed.push((name, share, least, each));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn each(pixels: &mut RgbImage, change: impl Fn(u8) -> u8) {
    for value in pixels.iter_mut() {
        *value = change(*value);
    }
}

fn side_light(pixels: &mut RgbImage, landmarks: &Landmarks) {
    let nose = landmarks.0[2].x;
    for (x, _, pixel) in pixels.enumerate_pixels_mut() {
        if (x as f32) < nose {
            pixel.0 = pixel.0.map(|value| value / 8);
        }
    }
}

/// Everything from below the nose down, in one color.
fn mask(pixels: &mut RgbImage, landmarks: &Landmarks) {
    let [.., nose, left, _] = landmarks.0;
    let from = nose.y + 0.3 * (left.y - nose.y);
    for (_, y, pixel) in pixels.enumerate_pixels_mut() {
        if y as f32 > from {
            pixel.0 = [150, 170, 190];
        }
    }
}

/// A black bar over the eyes, as high as they are wide apart.
fn bar(pixels: &mut RgbImage, landmarks: &Landmarks) {
    let [left, right, ..] = landmarks.0;
    let (middle, half) = (0.5 * (left.y + right.y), 0.45 * landmarks.eye_distance_px());
    for (_, y, pixel) in pixels.enumerate_pixels_mut() {
        if (y as f32 - middle).abs() < half {
            pixel.0 = [20, 20, 20];
        }
    }
}

fn half_outside(portrait: &Portrait) -> Portrait {
    let middle = portrait.detection.bounds.center().x;
    let mut moved = portrait.clone();
    moved.detection.bounds.left -= middle;
    moved
        .detection
        .landmarks
        .0
        .iter_mut()
        .for_each(|point| point.x -= middle);
    moved
}

#[test]
fn people_who_look_elsewhere_are_told_apart() {
    /// Picture; which way the head is clearly turned, seen by eye: yaw, pitch.
    const SEEN: [(&str, f32, f32); 6] = [
        ("Jacques_Chirac/Jacques_Chirac_0006.jpg", -40.0, 0.0),
        ("George_Clooney/George_Clooney_0002.jpg", 40.0, 0.0),
        ("Vladimir_Putin/Vladimir_Putin_0021.jpg", 0.0, -8.0),
        ("Bill_OReilly/Bill_OReilly_0001.jpg", 0.0, -8.0),
        ("Charles_Holzner/Charles_Holzner_0001.jpg", 0.0, 8.0),
        ("Ernie_Stewart/Ernie_Stewart_0001.jpg", 0.0, 8.0),
    ];
    let Some(portraits) = portraits(|_, name| SEEN.iter().any(|seen| seen.0 == name)) else {
        return;
    };
    assert_eq!(portraits.len(), SEEN.len());
    for portrait in portraits {
        let (_, yaw, pitch) = SEEN
            .into_iter()
            .find(|seen| seen.0 == portrait.name)
            .unwrap();
        let pose = portrait.measure().0.head.unwrap().pose;
        let beyond = |found: f32, least: f32| least == 0.0 || found * least.signum() >= least.abs();
        assert!(
            beyond(pose.yaw_degrees, yaw) && beyond(pose.pitch_degrees, pitch),
            "{}: {pose:?}",
            portrait.name
        );
    }
}

#[test]
#[ignore = "a measurement over all of LFW; prints what the default limits were chosen by"]
fn quantiles_of_every_measure() {
    let Some(portraits) = portraits(|_, _| true) else {
        return;
    };
    let limits = QualityLimits::default();
    let measured: Vec<(Placement, Appearance)> = portraits.iter().map(Portrait::measure).collect();
    let print = |name: &str, value: &dyn Fn(&(Placement, Appearance)) -> f32| {
        let mut values: Vec<f32> = measured.iter().map(value).collect();
        values.sort_by(f32::total_cmp);
        let quantile = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        let shown: Vec<String> = [
            0.0, 0.001, 0.005, 0.02, 0.1, 0.5, 0.9, 0.98, 0.995, 0.999, 1.0,
        ]
        .map(|share| format!("{:9.3}", quantile(share)))
        .to_vec();
        println!("{name:<16}{}", shown.join(""));
    };
    println!(
        "{} pictures; quantiles 0, 0.1, 0.5, 2, 10, 50, 90, 98, 99.5, 99.9, 100 %",
        measured.len()
    );
    let pose = |m: &(Placement, Appearance)| m.0.head.unwrap().pose;
    print("eyes, px", &|m| m.0.eye_distance_px);
    print("outside", &|m| m.0.outside);
    print("height", &|m| m.0.height);
    print("yaw", &|m| pose(m).yaw_degrees);
    print("|yaw|", &|m| pose(m).yaw_degrees.abs());
    print("pitch", &|m| pose(m).pitch_degrees);
    print("|pitch|", &|m| pose(m).pitch_degrees.abs());
    print("|roll|", &|m| pose(m).roll_degrees.abs());
    print("misfit", &|m| m.0.head.unwrap().misfit);
    print("score", &|m| m.0.score);
    print("brightness", &|m| m.1.brightness);
    print("contrast", &|m| m.1.contrast);
    print("black", &|m| m.1.black);
    print("white", &|m| m.1.white);
    print("imbalance", &|m| m.1.imbalance);
    print("sharpness", &|m| m.1.sharpness);
    print("eye texture", &|m| m.1.eye_texture);
    print("mouth texture", &|m| m.1.mouth_texture);
    print("weight", &|m| limits.weight(&m.0, &m.1));
    let (any, each) = refused(&portraits, &limits);
    println!("refused: {any:.4}");
    for (defect, share) in each {
        println!("  {defect:?}: {share:.4}");
    }
}

#[test]
#[ignore = "a measurement with a network; prints what the least gap to the next person was chosen by"]
fn gaps_to_the_next_person() {
    /// People in a gallery, with one picture each; as many more galleries are made of others.
    const PEOPLE: usize = 100;
    const GALLERIES: usize = 3;
    let manifest = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/usher-small.toml"
    ));
    if !manifest.exists() {
        return skip::skip("models/usher-small.toml is missing");
    }
    let mut embedder = Embedder::load(manifest).unwrap();
    let recipe = embedder.manifest().preprocessing.clone();
    let number = |name: &str| name.rsplit('_').next().unwrap().to_owned();
    let wanted = |_: usize, name: &str| ["0001.jpg", "0002.jpg"].contains(&number(name).as_str());
    let Some(portraits) = portraits(wanted) else {
        return;
    };
    let person = |portrait: &Portrait| portrait.name.split('/').next().unwrap().to_owned();
    // The folders come in no order of names; pictures of one person lie together.
    let pairs: Vec<(&Portrait, &Portrait)> = portraits
        .windows(2)
        .filter(|pair| person(&pair[0]) == person(&pair[1]))
        .map(|pair| (&pair[0], &pair[1]))
        .step_by(2)
        .take(PEOPLE * GALLERIES)
        .collect();
    let mut embed = |portrait: &Portrait| {
        let face = recipe
            .align(&portrait.frame, &portrait.detection.landmarks)
            .unwrap();
        embedder.embed(&recipe.normalize(&face)).unwrap()
    };
    let faces: Vec<_> = pairs
        .iter()
        .map(|(first, second)| (embed(first), embed(second)))
        .collect();
    for point in ["verify", "duplicate-check", "greet"] {
        let threshold = embedder
            .manifest()
            .operating_point(point)
            .unwrap()
            .threshold;
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for gallery in 0..GALLERIES {
            let known = gallery * PEOPLE..(gallery + 1) * PEOPLE;
            for (probe, (_, face)) in faces.iter().enumerate() {
                let mut near: Vec<(f32, usize)> = known
                    .clone()
                    .map(|person| (SquaredL2::between(face, &faces[person].0).value(), person))
                    .collect();
                near.sort_by(|a, b| a.0.total_cmp(&b.0));
                if near[0].0 <= threshold.value() {
                    let gaps = if near[0].1 == probe {
                        &mut right
                    } else {
                        &mut wrong
                    };
                    gaps.push(near[1].0 - near[0].0);
                }
            }
        }
        println!(
            "{point}: named rightly {}, wrongly {}",
            right.len(),
            wrong.len()
        );
        for least in [0.01, 0.02, 0.05, 0.1, 0.2] {
            let below = |gaps: &[f32]| gaps.iter().filter(|gap| **gap < least).count();
            println!(
                "  gap below {least}: {} rightly, {} wrongly",
                below(&right),
                below(&wrong)
            );
        }
    }
}
