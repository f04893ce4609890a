//! Pictures through the whole path with the tiny embedder, whose embeddings are known by hand.

use shared::model_id::sha256_hex;
use shared::{Landmarks, Point, Preprocessing, Rect};

use super::*;

/// Averages each color plane, multiplies by a 3 x 4 matrix, normalizes.
const TINY: &[u8] = include_bytes!("../../../shared/tests/data/tiny_embedder.onnx");
const SIDE_PX: u32 = 16;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::write(place.path("tiny.onnx"), TINY).unwrap();
        let manifest = ModelManifest {
            format: 1,
            name: "tiny".into(),
            network: "tiny".into(),
            onnx: "tiny.onnx".into(),
            sha256: sha256_hex(TINY),
            dimension: 4,
            parameters: 12,
            multiply_adds: 12,
            licence: "MIT OR Apache-2.0".into(),
            preprocessing: Preprocessing::usher(SIDE_PX),
            operating_points: vec![],
            training_data: vec![],
        };
        manifest.write(&place.path("tiny.toml")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn picture(&self, name: &str, color: [u8; 3]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = image::RgbImage::from_pixel(32, 32, image::Rgb(color));
        picture.save(path).unwrap();
    }

    fn source(&self) -> Source {
        Source {
            model: self.path("tiny.toml"),
            detector: self.path("no-detector.onnx"),
            detector_side_px: None,
            cache: Some(self.path("cache")),
        }
    }

    fn embed(&self) -> EmbeddingSet {
        let photos = Photos::open(&self.path("photos")).unwrap();
        self.source().embed(&photos, Faces::Aligned).unwrap()
    }
}

#[test]
fn faces_have_labels_and_what_is_no_picture_is_told() {
    let place = Place::new();
    place.picture("photos/ada/1.png", [200, 40, 40]);
    place.picture("photos/bob/1.png", [20, 40, 140]);
    std::fs::write(place.path("photos/bob/2.jpg"), b"no picture").unwrap();
    let set = place.embed();
    assert_eq!(set.labels(), [Some("ada"), Some("bob")]);
    assert_eq!(set.matrix().len(), 2 * 4);
    assert_eq!(set.unreadable.len(), 1);
    assert!(set.left_out().contains("2.jpg"), "{}", set.left_out());
    assert!(set.faces[0].embedding != set.faces[1].embedding);
    assert_eq!(set.faces[0].thumbnail(8).unwrap().dimensions(), (8, 8));
}

#[test]
fn what_is_known_is_not_embedded_again() {
    let place = Place::new();
    place.picture("photos/ada/1.png", [200, 40, 40]);
    place.picture("photos/ada/2.png", [190, 60, 40]);
    let first = place.embed();
    // Without its network nothing could be embedded anew; the content counts, not the name.
    std::fs::remove_file(place.path("tiny.onnx")).unwrap();
    std::fs::rename(place.path("photos/ada"), place.path("photos/eve")).unwrap();
    let again = place.embed();
    assert_eq!(again.labels(), [Some("eve"); 2]);
    assert_eq!(first.matrix(), again.matrix());
    // A new picture does need it.
    place.picture("photos/eve/3.png", [10, 60, 40]);
    let photos = Photos::open(&place.path("photos")).unwrap();
    let error = place.source().embed(&photos, Faces::Aligned).unwrap_err();
    assert!(error.to_string().contains("tiny.onnx"), "{error}");
    // Nor does another choice of faces find those of this one.
    let error = place.source().embed(&photos, Faces::All).unwrap_err();
    assert!(error.to_string().contains("no-detector.onnx"), "{error}");
}

#[test]
fn the_face_in_the_middle_is_meant() {
    let face = |left: f32, score: f32| Detection {
        bounds: Rect {
            left,
            top: 40.0,
            width: 20.0,
            height: 20.0,
        },
        score,
        landmarks: Landmarks([Point { x: 0.0, y: 0.0 }; 5]),
    };
    let faces = [face(0.0, 0.99), face(38.0, 0.7), face(80.0, 0.98)];
    let chosen = most_central(&faces, 100, 100).unwrap();
    assert_eq!(chosen.bounds.left, 38.0);
    assert!(most_central(&[], 100, 100).is_none());
}
