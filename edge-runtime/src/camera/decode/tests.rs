use super::super::mjpg::tests::{jpeg, without_tables};
use super::super::orientation::{Orientation, Rotation};
use super::super::pixel_format::Colors;
use super::*;
use crate::clock::Timestamp;

fn negotiated(
    format: PixelFormat,
    (width_px, height_px): (u32, u32),
    padding: usize,
) -> Negotiated {
    Negotiated {
        format,
        width_px,
        height_px,
        stride_bytes: format.row_bytes(width_px).map_or(0, |row| row + padding),
        colors: Colors::default(),
        frames_per_second: None,
        orientation: Orientation::default(),
        may_repeat: false,
    }
}

/// A row of 4 pixels, one below it, and what they are in each format, by BT.601 in limited range.
///
/// Red (81, 90, 240), white (235, 128, 128): luma, blue difference, red difference.
const RED: [u8; 3] = [255, 0, 0];
const WHITE: [u8; 3] = [255, 255, 255];
const BLACK: [u8; 3] = [0, 0, 0];

fn rows(format: PixelFormat) -> (Vec<Vec<u8>>, [[u8; 3]; 2]) {
    match format {
        PixelFormat::Yuyv => (
            vec![[81, 90, 81, 240].repeat(2), [235, 128, 235, 128].repeat(2)],
            [RED, WHITE],
        ),
        PixelFormat::Uyvy => (
            vec![[90, 81, 240, 81].repeat(2), [128, 235, 128, 235].repeat(2)],
            [RED, WHITE],
        ),
        // One row of chroma for both rows of luma.
        PixelFormat::Nv12 => (
            vec![vec![235; 4], vec![16; 4], vec![128; 4]],
            [WHITE, BLACK],
        ),
        PixelFormat::Rgb3 => (
            vec![[255, 0, 0].repeat(4), [255, 255, 255].repeat(4)],
            [RED, WHITE],
        ),
        PixelFormat::Bgr3 => (
            vec![[0, 0, 255].repeat(4), [255, 255, 255].repeat(4)],
            [RED, WHITE],
        ),
        PixelFormat::Grey => (vec![vec![77; 4], vec![255; 4]], [[77; 3], WHITE]),
        PixelFormat::Mjpg | PixelFormat::File => unreachable!("no rows"),
    }
}

const RAW: [PixelFormat; 6] = [
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::Rgb3,
    PixelFormat::Bgr3,
    PixelFormat::Grey,
];

#[test]
fn each_format_with_and_without_padding() {
    for format in RAW {
        for padding in [0, 4, 60] {
            let (rows, expected) = rows(format);
            let picture = negotiated(format, (4, 2), padding);
            // What fills up a row is no picture: it is made to show if it is taken for one.
            let mut bytes = Vec::new();
            for row in &rows {
                bytes.extend_from_slice(row);
                bytes.extend(vec![0xA5; padding]);
            }
            let mut longer = bytes.clone();
            longer.extend([0xA5; 100]);
            // The last row may end with its last pixel, but for NV12, whose planes are of whole rows.
            let mut shorter = bytes.clone();
            if format != PixelFormat::Nv12 {
                shorter.truncate(bytes.len() - padding);
            }
            for (name, bytes) in [("whole", bytes), ("longer", longer), ("shorter", shorter)] {
                let frame = Decoder::default().decode(&picture, &bytes).unwrap();
                for y in 0..2 {
                    for x in 0..4 {
                        let found = frame.pixel(x, y);
                        let wanted = expected[y as usize];
                        assert!(
                            found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 2),
                            "{format} +{padding} {name} {x},{y}: {found:?} for {wanted:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn range_and_weights_are_heeded() {
    let mut picture = negotiated(PixelFormat::Yuyv, (2, 1), 0);
    let bright = [200, 128, 200, 128];
    let pixel = |picture: &Negotiated, bytes: &[u8]| {
        Decoder::default()
            .decode(picture, bytes)
            .unwrap()
            .pixel(0, 0)
    };
    assert!(pixel(&picture, &bright)[0] > 210);
    picture.colors.full_range = true;
    assert!(pixel(&picture, &bright)[0].abs_diff(200) <= 1);
    let red = [76, 85, 76, 255];
    let by_601 = pixel(&picture, &red);
    assert!(by_601[0] > 250 && by_601[1] < 4, "{by_601:?}");
    picture.colors.bt709 = true;
    assert_ne!(pixel(&picture, &red), by_601);
}

#[test]
fn jpeg_with_and_without_tables() {
    let whole = jpeg(64, 48, 0);
    let picture = negotiated(PixelFormat::Mjpg, (64, 48), 0);
    let mut decoder = Decoder::default();
    let frame = decoder.decode(&picture, &whole).unwrap();
    assert_eq!((frame.width_px(), frame.height_px()), (64, 48));
    let reference = image::load_from_memory(&whole).unwrap().into_rgb8();
    let far = frame
        .rgb()
        .iter()
        .zip(reference.as_raw())
        .map(|(a, b)| a.abs_diff(*b))
        .max();
    assert!(far <= Some(2), "{far:?}");
    assert_eq!(
        decoder.decode(&picture, &without_tables(&whole)).unwrap(),
        frame
    );
    let mut padded = whole.clone();
    padded.extend([0; 300]);
    assert_eq!(decoder.decode(&picture, &padded).unwrap(), frame);
    // The end twice, and bytes of no meaning after it.
    let twice = [&whole[..], &[0xFF, 0xD9, 0, 0]].concat();
    assert_eq!(decoder.decode(&picture, &twice).unwrap(), frame);
    let trash = [&whole[..], &[0xA5; 3000]].concat();
    assert_eq!(decoder.decode(&picture, &trash).unwrap(), frame);
}

#[test]
fn grey_jpeg_is_a_frame_too() {
    let grey = image::GrayImage::from_fn(16, 8, |x, y| image::Luma([(x * 9 + y) as u8]));
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes)
        .encode_image(&grey)
        .unwrap();
    let frame = Decoder::default()
        .decode(&negotiated(PixelFormat::Mjpg, (16, 8), 0), &bytes)
        .unwrap();
    let [red, green, blue] = frame.pixel(8, 4);
    assert!(red == green && green == blue);
}

#[test]
fn frames_are_turned_upright_once() {
    let mut picture = negotiated(PixelFormat::Rgb3, (2, 1), 0);
    picture.orientation.rotation = Rotation::Quarter;
    let frame = Decoder::default()
        .decode(&picture, &[1, 2, 3, 4, 5, 6])
        .unwrap();
    assert_eq!((frame.width_px(), frame.height_px()), (1, 2));
    assert_eq!(frame.rgb(), [1, 2, 3, 4, 5, 6]);
    picture.orientation.rotation = Rotation::ThreeQuarters;
    let frame = Decoder::default()
        .decode(&picture, &[1, 2, 3, 4, 5, 6])
        .unwrap();
    assert_eq!(frame.rgb(), [4, 5, 6, 1, 2, 3]);
}

#[test]
fn what_is_no_frame_says_why() {
    let yuyv = negotiated(PixelFormat::Yuyv, (4, 2), 0);
    let mjpg = negotiated(PixelFormat::Mjpg, (64, 48), 0);
    let whole = jpeg(64, 48, 0);
    let mut no_rows = yuyv.clone();
    no_rows.height_px = 0;
    let mut tight = yuyv.clone();
    tight.stride_bytes = 7;
    let mut spoiled = whole.clone();
    let late = whole.len() - 40;
    // A start of frame where entropy belongs.
    spoiled[late..late + 2].copy_from_slice(&[0xFF, 0xC0]);
    let mut ended = whole.clone();
    // An end where entropy belongs: the decoder would fill up with grey.
    ended[late..late + 2].copy_from_slice(&[0xFF, 0xD9]);
    for (name, picture, bytes, expected) in [
        ("empty", &yuyv, &[][..], "empty"),
        ("short", &yuyv, &[0; 15][..], "short"),
        ("no rows", &no_rows, &[0; 16][..], "wrong_size"),
        ("tight rows", &tight, &[0; 16][..], "wrong_size"),
        ("empty", &mjpg, &[][..], "empty"),
        ("cut", &mjpg, &whole[..whole.len() - 2], "short"),
        ("text", &mjpg, &b"hello"[..], "garbage"),
        ("size", &mjpg, &jpeg(64, 40, 0)[..], "wrong_size"),
        ("spoiled", &mjpg, &spoiled[..], "garbage"),
        ("ended early", &mjpg, &ended[..], "garbage"),
    ] {
        let fault = Decoder::default().decode(picture, bytes).unwrap_err();
        assert_eq!(FAULT_KINDS[fault.kind()], expected, "{name}: {fault}");
        assert!(fault.to_string().contains("; "), "{fault}");
    }
}

#[test]
fn spoiled_jpegs_never_panic_and_never_change_size() {
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(6);
    let picture = negotiated(PixelFormat::Mjpg, (64, 48), 0);
    let whole = jpeg(64, 48, 0);
    let mut decoder = Decoder::default();
    let mut refused = 0;
    for _ in 0..2000 {
        let mut bytes = whole.clone();
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        match decoder.decode(&picture, &bytes) {
            Ok(frame) => assert_eq!((frame.width_px(), frame.height_px()), (64, 48)),
            Err(FrameFault::Panicked) => panic!("the decoder panicked"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn memory_is_used_again() {
    let picture = negotiated(PixelFormat::Rgb3, (64, 48), 0);
    let mut decoder = Decoder::default();
    let mut places = std::collections::BTreeSet::new();
    for number in 0..50_u8 {
        let frame = decoder
            .decode(&picture, &vec![number; 64 * 48 * 3])
            .unwrap();
        assert_eq!(frame.pixel(63, 47), [number; 3]);
        places.insert(frame.rgb().as_ptr() as usize);
        decoder.keep(&Arc::new(Captured {
            frame,
            at: Timestamp::default(),
            number: u64::from(number),
            origin: String::new(),
        }));
    }
    assert!(places.len() <= KEPT_FRAMES + 1, "{}", places.len());
}
