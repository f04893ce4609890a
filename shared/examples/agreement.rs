//! What this processor computes, for `scripts/cross --test` to compare with another one.
//!
//! ```text
//! agreement MANIFEST DETECTOR GALLERY PICTURE...     GALLERY: a plain one of dimension 4, which is copied
//! ```
//!
//! Prints lines of a kind, what it is of, and what was computed:
//!
//! | kind | of | computed |
//! |---|---|---|
//! | `instructions` | `networks` | the instruction set of the networks' kernels |
//! | `recipe` | `golden` | `ok` if the bits of the preprocessing are the pinned ones |
//! | `decoded` | a picture | SHA-256 of its pixels |
//! | `crop` | a picture | SHA-256 of a face cut at landmarks that are the same everywhere |
//! | `embedding` | a picture | the numbers of that crop's embedding |
//! | `landmarks` | a picture | those of the best face that the detector finds, in pixels |
//! | `whole` | a picture | the numbers of that face's embedding |
//! | `gallery` | `bytes` | SHA-256 of the file after people were enrolled, renamed and removed, and it was compacted |
#![allow(missing_docs, clippy::unwrap_used, reason = "a tool of a script")]

use std::path::Path;

use shared::detector::{DEFAULT_SIDE_PX, Detector};
use shared::gallery::consent::WallTime;
use shared::gallery::store::{By, Opening};
use shared::gallery::{Consent, Enrollee, GalleryStore, NewTemplate, RemovalReason, Sealing};
use shared::model_id::sha256_hex;
use shared::preprocessing::golden;
use shared::{Embedder, Embedding, Frame, Landmarks, Pipeline, Point, inference, picture};

/// Where a face might lie, in shares of the picture's shorter side.
const LANDMARKS: [[f32; 2]; 5] = [
    [0.40, 0.37],
    [0.61, 0.39],
    [0.50, 0.51],
    [0.41, 0.62],
    [0.58, 0.63],
];
const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [manifest, detector, gallery, pictures @ ..] = &arguments[..] else {
        panic!("usage: agreement MANIFEST DETECTOR GALLERY PICTURE...");
    };
    let detector = Detector::load(Path::new(detector), DEFAULT_SIDE_PX).unwrap();
    let embedder = Embedder::load(Path::new(manifest)).unwrap();
    println!("instructions networks {}", inference::instructions());
    match golden::check() {
        Ok(()) => println!("recipe golden ok"),
        Err(error) => println!("recipe golden {error}"),
    }
    let mut pipeline = Pipeline::new(detector, embedder);
    for path in pictures {
        compute(&mut pipeline, Path::new(path));
    }
    let bytes = changed_gallery(Path::new(gallery));
    println!("gallery bytes {}", sha256_hex(&bytes));
}

fn compute(pipeline: &mut Pipeline, path: &Path) {
    let name = path.file_name().unwrap().to_string_lossy();
    let frame = picture::read(path).unwrap();
    println!("decoded {name} {}", sha256_hex(frame.rgb()));

    let recipe = pipeline.embedder().manifest().preprocessing.clone();
    let crop = recipe.align(&frame, &landmarks_of(&frame)).unwrap();
    println!("crop {name} {}", sha256_hex(crop.rgb()));
    let embedding = pipeline.embed(&crop).unwrap();
    println!("embedding {name} {}", numbers(embedding.values()));

    let found = pipeline.detect(&frame).unwrap();
    let Some(best) = found.first() else {
        println!("landmarks {name} none");
        return;
    };
    let places: Vec<f32> = best.landmarks.0.iter().flat_map(|p| [p.x, p.y]).collect();
    println!("landmarks {name} {}", numbers(&places));
    let face = pipeline.align(&frame, best).unwrap();
    let embedding = pipeline.embed(&face).unwrap();
    println!("whole {name} {}", numbers(embedding.values()));
}

fn landmarks_of(frame: &Frame) -> Landmarks {
    let side = frame.width_px().min(frame.height_px()) as f32;
    Landmarks(LANDMARKS.map(|[x, y]| Point::new(x * side, y * side)))
}

fn numbers(values: &[f32]) -> String {
    let texts: Vec<String> = values.iter().map(f32::to_string).collect();
    texts.join(",")
}

/// The bytes of a copy of the gallery, whose random parts were drawn when it was made, after changes at fixed times.
fn changed_gallery(gallery: &Path) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("people.gallery");
    std::fs::copy(gallery, &copy).unwrap();
    let opening = Opening {
        sealing: Sealing::Plain,
        model: None,
        accept_loss: false,
    };
    let by = By {
        operator: "front desk",
        at: NOON,
    };
    let (mut store, _) = GalleryStore::open(&copy, &opening).unwrap();
    for (name, values) in [
        ("Cleo", [0.1, 0.2, 0.3, 0.4]),
        ("Dora", [-0.7, 0.1, 0.5, -0.3]),
    ] {
        let template = |values: &[f32], label: Option<&str>| NewTemplate {
            embedding: Embedding::from_raw(values.to_vec()).unwrap(),
            label: label.map(str::to_owned),
            taken_at: NOON,
        };
        let templates = vec![template(&values, None), template(&values, Some("hat"))];
        let enrollee = Enrollee {
            name: name.to_owned(),
            consent: Consent::given("I agree.", NOON, "front desk", 365).unwrap(),
            templates,
        };
        store.enroll(&enrollee, by).unwrap();
    }
    let [cleo, dora] = ["Cleo", "Dora"].map(|name| store.gallery().named(name).unwrap().id());
    store.rename(cleo, "Cleopatra", by).unwrap();
    store.remove(dora, RemovalReason::Asked, by).unwrap();
    let appended = std::fs::read(&copy).unwrap();
    store.compact(by).unwrap();
    drop(store);
    let compacted = std::fs::read(&copy).unwrap();
    [appended, compacted].concat()
}
