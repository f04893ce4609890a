//! How fast pictures are decoded, and whether a data set can be read.

use std::io::Cursor;
use std::path::Path;
use std::time::{Duration, Instant};

use shared::{Frame, picture};

use super::Check;
use crate::dataset::lfw::{Lfw, VIEW_1_TEST, VIEW_1_TRAIN, VIEW_2};
use crate::dataset::{CROP_SHARE, Dataset};

/// Pictures of a set that are decoded.
const SAMPLE: usize = 256;
/// How long the decoder is measured.
const TIME: Duration = Duration::from_millis(300);
/// Slower than this and decoding holds up even a CPU's training, which takes some tens of faces a
/// second.
const LEAST_PER_SECOND: f64 = 300.0;
/// Side of the pictures that `prepare` writes.
const SIDE_PX: u32 = 128;

/// Pictures decoded a second on one core: JPEGs of the size that `prepare` writes.
pub fn decoder() -> Check {
    let jpeg = match jpeg() {
        Ok(jpeg) => jpeg,
        Err(error) => return Check::problem("decoder", error.to_string(), "report this"),
    };
    let started = Instant::now();
    let mut decoded = 0;
    while started.elapsed() < TIME {
        if let Err(error) = picture::decode(&jpeg, Path::new("a picture of the doctor's own")) {
            return Check::problem("decoder", error.to_string(), "report this");
        }
        decoded += 1;
    }
    let per_second = f64::from(decoded) / started.elapsed().as_secs_f64();
    let found = format!("{per_second:.0} JPEGs of {SIDE_PX} px a second and core");
    if per_second < LEAST_PER_SECOND {
        return Check::warning(
            "decoder",
            found,
            "build with --release, or give it more cores",
        );
    }
    Check::ok("decoder", found)
}

/// A JPEG with about as many bytes as a face has: ramps under a fine pattern.
fn jpeg() -> image::ImageResult<Vec<u8>> {
    let image = image::RgbImage::from_fn(SIDE_PX, SIDE_PX, |x, y| {
        let fine = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)) & 15;
        image::Rgb([x + fine, y + fine, (x + y) / 2 + fine].map(|value| value.min(255) as u8))
    });
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Jpeg)?;
    Ok(bytes)
}

/// Whether the set can be read, and a sample of its pictures decoded.
pub fn data(folder: &Path) -> Check {
    let dataset = match Dataset::open(folder) {
        Ok(dataset) => dataset,
        Err(error) => {
            let remedy = "usher-train prepare writes such a set from photos";
            return Check::problem("data", error.to_string(), remedy);
        }
    };
    let count = dataset.pictures.len();
    let sample: Vec<usize> = (0..SAMPLE.min(count))
        .map(|index| index * count / SAMPLE.min(count))
        .collect();
    let started = Instant::now();
    let (mut bad, mut oblong, mut small) = (Vec::new(), 0, 0);
    for index in &sample {
        match decode(&dataset, *index) {
            Ok(frame) => {
                let (width, height) = (frame.width_px(), frame.height_px());
                oblong += usize::from(width != height);
                small += usize::from(width.min(height) < SIDE_PX);
            }
            Err(error) => bad.push(error.to_string()),
        }
    }
    let per_second = sample.len() as f64 / started.elapsed().as_secs_f64();
    let mut found = format!(
        "{count} pictures of {} identities in {}; {} of them decoded, {per_second:.0} a second and \
         core",
        dataset.identities.len(),
        folder.display(),
        sample.len(),
    );
    if let Some(first) = bad.first() {
        let found = format!("{found}; {} cannot be: {first}", bad.len());
        let remedy = "take them out, or let usher-train prepare make the set again";
        return Check::problem("data", found, remedy);
    }
    if oblong > 0 {
        let found = format!("{found}; {oblong} are not square");
        let remedy = format!(
            "training expects faces aligned with a margin (the crop is the middle {:.1} %): let \
             usher-train prepare make the set",
            CROP_SHARE * 100.0
        );
        return Check::warning("data", found, remedy);
    }
    if small > 0 {
        found += &format!("; {small} are smaller than {SIDE_PX} px and are enlarged");
    }
    Check::ok("data", found)
}

fn decode(dataset: &Dataset, index: usize) -> anyhow::Result<Frame> {
    Ok(picture::decode(
        &dataset.bytes(index)?,
        &dataset.name(index),
    )?)
}

/// Whether LFW's lists and pictures are there.
pub fn lfw(folder: &Path) -> Check {
    let lfw = Lfw::new(folder);
    let look = || -> anyhow::Result<(usize, usize)> {
        let (mut pairs, mut wanted) = (0, Default::default());
        for view in [VIEW_1_TRAIN, VIEW_1_TEST, VIEW_2] {
            let list = lfw.pairs(view)?;
            pairs += list.folds.iter().map(Vec::len).sum::<usize>();
            wanted = &wanted | &list.pictures();
        }
        Ok((pairs, lfw.pictures(&wanted)?.len()))
    };
    match look() {
        Ok((pairs, pictures)) => {
            let place = folder.display();
            let found = format!("{pairs} pairs over {pictures} pictures in {place}, all there");
            Check::ok("lfw", found)
        }
        Err(error) => {
            let remedy = "calibrate and evaluate need LFW: see --help of either";
            Check::problem("lfw", error.to_string(), remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn set(change: impl FnOnce(&Path)) -> Check {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, jpeg().unwrap()).unwrap();
        }
        change(folder.path());
        data(folder.path())
    }

    #[test]
    fn a_sound_set_is_counted() {
        let check = set(|_| {});
        assert_eq!(check.level, Level::Ok, "{check}");
        assert!(
            check.found.contains("4 pictures of 2 identities"),
            "{check}"
        );
        let small = image::RgbImage::new(44, 44);
        let check = set(|folder| small.save(folder.join("a/1.jpg")).unwrap());
        assert_eq!(check.level, Level::Ok);
        assert!(check.found.contains("1 are smaller than 128 px"), "{check}");
    }

    #[test]
    fn what_cannot_be_decoded_is_a_problem_and_named() {
        let check = set(|folder| std::fs::write(folder.join("b/2.jpg"), b"no picture").unwrap());
        assert_eq!(check.level, Level::Problem);
        assert!(
            check.found.contains("1 cannot be") && check.found.contains("2.jpg"),
            "{check}"
        );
        let check = set(|folder| std::fs::remove_dir_all(folder.join("a")).unwrap());
        assert_eq!(check.level, Level::Problem, "one identity: {check}");
        let check = data(Path::new("nowhere"));
        assert!(
            check.level == Level::Problem && check.found.contains("nowhere"),
            "{check}"
        );
    }

    #[test]
    fn photos_that_were_not_aligned_are_noticed() {
        let photo = image::RgbImage::new(200, 150);
        let check = set(|folder| photo.save(folder.join("a/1.jpg")).unwrap());
        assert_eq!(check.level, Level::Warning, "{check}");
    }

    #[test]
    fn the_decoder_is_measured() {
        let check = decoder();
        assert!(
            check.level < Level::Problem && check.found.contains("a second"),
            "{check}"
        );
    }

    #[test]
    fn a_folder_without_lists_is_no_lfw() {
        let check = lfw(Path::new("nowhere"));
        assert!(
            check.level == Level::Problem && check.found.contains("pairs"),
            "{check}"
        );
    }
}
