//! A tiny teacher over pictures of one color each, whose embeddings are known by hand.

use std::io::Cursor;

use shared::Preprocessing;
use shared::model_id::sha256_hex;

use super::*;

const THREADS: NonZeroUsize = NonZeroUsize::new(2).unwrap();
const SIDE_PX: u32 = 16;
/// Averages each color plane, multiplies by a 3 x 4 matrix, normalizes.
const TINY: &[u8] = include_bytes!("../../../shared/tests/data/tiny_embedder.onnx");

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A data set of `colors.len()` pictures, three of each identity, and the tiny teacher.
    fn new(colors: &[[u8; 3]]) -> Place {
        let place = Place {
            folder: tempfile::tempdir().unwrap(),
        };
        for (index, color) in colors.iter().enumerate() {
            let mut png = Vec::new();
            image::RgbImage::from_pixel(32, 32, image::Rgb(*color))
                .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
                .unwrap();
            let folder = place.path(&format!("data/identity-{:03}", index / 3));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format!("{index:03}.png")), png).unwrap();
        }
        std::fs::write(place.path("tiny.onnx"), TINY).unwrap();
        place.teacher("tiny", Preprocessing::usher(SIDE_PX));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn teacher(&self, name: &str, preprocessing: Preprocessing) {
        let manifest = ModelManifest {
            format: 1,
            name: name.into(),
            network: "tiny".into(),
            onnx: "tiny.onnx".into(),
            sha256: sha256_hex(TINY),
            dimension: 4,
            parameters: 12,
            multiply_adds: 12,
            licence: "MIT OR Apache-2.0".into(),
            preprocessing,
            operating_points: vec![],
            training_data: vec![],
        };
        manifest.write(&self.path(&format!("{name}.toml"))).unwrap();
    }

    fn dataset(&self) -> Dataset {
        Dataset::open(&self.path("data")).unwrap()
    }

    fn open(&self, teacher: &str) -> Result<TeacherEmbeddings, TeacherError> {
        let manifest = self.path(&format!("{teacher}.toml"));
        TeacherEmbeddings::open_by(4, &self.dataset(), &manifest, &self.path("cache"), THREADS)
    }

    /// Every file of the cache, in order.
    fn kept(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(self.path("cache")).unwrap() {
            let folder = folder.unwrap().path();
            files.extend(
                std::fs::read_dir(folder)
                    .unwrap()
                    .map(|e| e.unwrap().path()),
            );
        }
        files.sort();
        files
    }
}

fn colors(count: u8) -> Vec<[u8; 3]> {
    (0..count)
        .map(|i| [20 * i, 255 - 9 * i, 40 + 3 * i])
        .collect()
}

#[test]
fn each_picture_has_its_row_in_the_order_of_the_set() {
    let colors = colors(9);
    let place = Place::new(&colors);
    let teacher = place.open("tiny").unwrap();
    assert_eq!(teacher.dimension(), 4);
    for (index, color) in colors.iter().enumerate() {
        let [r, g, b] = color.map(|v| (f32::from(v) - 127.5) / 128.0);
        let raw = [r, 2.0 * g, 4.0 * b, 0.5 * r + 0.25 * g + 0.125 * b];
        let norm = raw.iter().map(|v| v * v).sum::<f32>().sqrt();
        for (found, raw) in teacher.row(index).iter().zip(raw) {
            assert!((found - raw / norm).abs() < 1e-5, "picture {index}");
        }
    }
    let rows = teacher.rows(&[7, 2]);
    assert_eq!(rows, [teacher.row(7), teacher.row(2)].concat());
    assert_eq!(format!("{teacher:?}"), "TeacherEmbeddings(9x4)");
}

#[test]
fn what_is_kept_is_not_computed_again_and_what_is_damaged_is() {
    let place = Place::new(&colors(9));
    let fresh = place.open("tiny").unwrap().values;
    let kept = place.kept();
    assert_eq!(kept.len(), 3, "parts of 4, 4 and 1");
    // Without its network the teacher can only be read from the cache.
    std::fs::rename(place.path("tiny.onnx"), place.path("away")).unwrap();
    assert_eq!(place.open("tiny").unwrap().values, fresh);
    for damage in ["cut", "broken", "gone"] {
        let whole = std::fs::read(&kept[1]).unwrap();
        match damage {
            "cut" => std::fs::write(&kept[1], &whole[..whole.len() / 2]).unwrap(),
            "broken" => {
                let mut broken = whole.clone();
                broken[120] ^= 0x40;
                std::fs::write(&kept[1], broken).unwrap();
            }
            _ => std::fs::remove_file(&kept[1]).unwrap(),
        }
        let refused = place.open("tiny").unwrap_err().to_string();
        assert!(refused.contains("tiny.onnx"), "{damage}: {refused}");
        std::fs::rename(place.path("away"), place.path("tiny.onnx")).unwrap();
        assert_eq!(place.open("tiny").unwrap().values, fresh, "{damage}");
        assert_eq!(
            std::fs::read(&kept[1]).unwrap(),
            whole,
            "{damage}: made anew"
        );
        std::fs::rename(place.path("tiny.onnx"), place.path("away")).unwrap();
    }
}

#[test]
fn another_set_and_another_recipe_have_rows_of_their_own() {
    let place = Place::new(&colors(9));
    let first = place.open("tiny").unwrap();
    let darker = Preprocessing {
        mean: 100.0,
        ..Preprocessing::usher(SIDE_PX)
    };
    place.teacher("darker", darker);
    let second = place.open("darker").unwrap();
    assert_ne!(first.model_id(), second.model_id());
    assert_ne!(first.values, second.values);
    std::fs::remove_file(place.path("data/identity-000/000.png")).unwrap();
    let smaller = place.open("tiny").unwrap();
    assert_eq!(smaller.values, first.values[4..]);
    assert_eq!(place.kept().len(), 3 + 3 + 2);
}

#[test]
fn a_run_cut_off_goes_on_from_its_parts() {
    let place = Place::new(&colors(12));
    // The last picture cannot be decoded: what was finished before it stays.
    let last = place.path("data/identity-003/011.png");
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, &whole[..40]).unwrap();
    let manifest = place.path("tiny.toml");
    let (dataset, cache) = (place.dataset(), place.path("cache"));
    let one = NonZeroUsize::new(1).unwrap();
    let open = || TeacherEmbeddings::open_by(4, &dataset, &manifest, &cache, one);
    let error = open().unwrap_err().to_string();
    for part in ["011.png", "take it out of the set"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let kept = place.kept();
    assert_eq!(kept.len(), 2);
    let times = || {
        kept.iter()
            .map(|path| std::fs::metadata(path).unwrap().modified().unwrap())
    };
    let before: Vec<_> = times().collect();
    assert!(open().is_err());
    assert_eq!(times().collect::<Vec<_>>(), before, "not written again");
}
