//! Two faces, and noise, drawn by whole-number arithmetic: the same bytes on every machine, and nobody's.

use shared::detector::Detection;
use shared::frame::Frame;
use shared::geometry::{Point, Rect};
use shared::landmarks::Landmarks;

/// Width and height of the picture, in pixels.
const SIDE_PX: u32 = 256;

/// The features of a drawn face, in pixels.
struct Features {
    skin: [i32; 3],
    hair: [i32; 3],
    iris: [i32; 3],
    /// Half axes of the head.
    head: [i32; 2],
    eye_y: i32,
    /// Half the distance between the eyes.
    eye_x: i32,
    mouth_y: i32,
    /// Half the mouth.
    mouth_x: i32,
    hairline_y: i32,
}

/// The face whose embedding is pinned.
pub(super) fn first() -> Frame {
    draw(&Features {
        skin: [214, 170, 142],
        hair: [62, 42, 30],
        iris: [70, 96, 120],
        head: [62, 84],
        eye_y: 112,
        eye_x: 27,
        mouth_y: 168,
        mouth_x: 22,
        hairline_y: 78,
    })
}

/// Another one, for the difference.
pub(super) fn second() -> Frame {
    draw(&Features {
        skin: [122, 84, 62],
        hair: [22, 20, 20],
        iris: [40, 26, 18],
        head: [72, 78],
        eye_y: 112,
        eye_x: 27,
        mouth_y: 168,
        mouth_x: 30,
        hairline_y: 92,
    })
}

/// Where a detector would see either.
pub(super) fn detection() -> Detection {
    let at = |x: i32, y: i32| Point::new(x as f32, y as f32);
    Detection {
        bounds: Rect {
            left: 66.0,
            top: 48.0,
            width: 124.0,
            height: 160.0,
        },
        score: 1.0,
        landmarks: Landmarks([
            at(101, 112),
            at(155, 112),
            at(128, 143),
            at(106, 168),
            at(150, 168),
        ]),
    }
}

/// A picture in which there is no face: noise, by Marsaglia's xorshift from a fixed seed.
pub(super) fn noise() -> Frame {
    let mut state = 2_463_534_242_u32;
    let mut picture = image::RgbImage::new(SIDE_PX, SIDE_PX);
    for byte in picture.iter_mut() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *byte = (state >> 24) as u8;
    }
    Frame::from_image(picture)
}

fn draw(features: &Features) -> Frame {
    let mut picture = image::RgbImage::new(SIDE_PX, SIDE_PX);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        pixel.0 = color(features, x as i32, y as i32).map(|value| value.clamp(0, 255) as u8);
    }
    Frame::from_image(picture)
}

/// Whether a point lies in an upright ellipse around (cx, cy); 1000 at its edge, 0 in its middle.
fn ellipse(x: i32, y: i32, [cx, cy]: [i32; 2], [rx, ry]: [i32; 2]) -> i32 {
    let (dx, dy) = (x - cx, y - cy);
    1000 * dx * dx / (rx * rx) + 1000 * dy * dy / (ry * ry)
}

fn color(features: &Features, x: i32, y: i32) -> [i32; 3] {
    let (middle, f) = (128, features);
    let side = (x - middle).abs();
    let head = ellipse(x, y, [middle, 128], f.head);
    let hair = ellipse(x, y, [middle, 116], [f.head[0] + 8, f.head[1] + 10]);
    let neck = side < 28 && y > 180;
    let shoulders = ellipse(x, y, [middle, 290], [110, 70]) < 1000;
    // Light from the upper left: darker to the right, and towards the edge of the head.
    let shade = |tone: [i32; 3], edge: i32| {
        tone.map(|value| value - (x - middle) / 5 - edge * value / 4500)
    };
    if head < 1000 && y > f.hairline_y + side * side / 160 {
        return skin_and_features(f, x, y)
            .map_or_else(|| shade(f.skin, head), |tone| shade(tone, head));
    }
    if hair < 1000 && y < 150 {
        return shade(f.hair, 0).map(|value| value + (x * 7 + y * 3) % 9);
    }
    if neck && y < 226 {
        return shade(f.skin.map(|value| value - 40), 0);
    }
    if shoulders {
        return [70, 84, 110];
    }
    [178 - y / 8, 184 - y / 8, 188 - y / 8]
}

/// The color of what is drawn on the skin at this point.
fn skin_and_features(f: &Features, x: i32, y: i32) -> Option<[i32; 3]> {
    let middle = 128;
    let side = (x - middle).abs();
    let eye = ellipse(side, y, [f.eye_x, f.eye_y], [12, 6]);
    if eye < 1000 {
        return Some(match ellipse(side, y, [f.eye_x, f.eye_y], [6, 6]) {
            ..=250 => [16, 14, 14],
            251..1000 => f.iris,
            _ => [236, 234, 230],
        });
    }
    if eye < 1500 {
        return Some(f.skin.map(|value| value * 5 / 8));
    }
    let brow = ellipse(
        side,
        y,
        [f.eye_x + 1, f.eye_y - 17 + (side - f.eye_x).abs() / 6],
        [17, 4],
    );
    if brow < 1000 {
        return Some(f.hair);
    }
    let nostril = ellipse(side, y, [7, 147], [4, 3]);
    if nostril < 1000 {
        return Some(f.skin.map(|value| value * 2 / 5));
    }
    if (side - 9).abs() < 3 && (126..147).contains(&y) {
        return Some(f.skin.map(|value| value * 7 / 8));
    }
    if ellipse(x, y, [middle, 138], [6, 14]) < 1000 {
        return Some(f.skin.map(|value| value + 14));
    }
    if ellipse(x, y, [middle, f.mouth_y], [f.mouth_x, 8]) < 1000 {
        return Some(match (y - f.mouth_y).abs() {
            0..=1 => [92, 36, 38],
            _ => [f.skin[0] * 6 / 7, f.skin[1] * 4 / 7, f.skin[2] * 4 / 7],
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use shared::model_id::sha256_hex;

    use super::*;

    #[test]
    fn the_same_bytes_everywhere() {
        assert_eq!(
            [first(), second()].map(|face| sha256_hex(face.rgb())),
            [
                "3374fdb6528159f348fd8b5cec63859e91da7725f66182b90e5bc5b843f35245",
                "bbe78997a5c7ce59075a328053280187f254c88e3887fb42a0b87c86f1ebfbe6"
            ]
        );
    }
}
