//! The real program on real portraits: verify, identify, import.

#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shared::gallery::consent::WallTime;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{By, Making};
use shared::gallery::{Consent, Enrollee, GalleryStore, KeyFile, NewTemplate, Sealing};
use shared::{Detector, Embedder, Pipeline, picture};

#[path = "../../shared/tests/skip/mod.rs"]
mod skip;

/// The portraits that scripts/setup fetches, and the detector.
struct Place {
    pictures: PathBuf,
    detector: PathBuf,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Option<Self> {
        let pictures = root().join(".demo/pictures");
        if !pictures.is_dir() {
            skip::skip("no .demo/pictures; run scripts/setup");
            return None;
        }
        Some(Self {
            pictures,
            detector: skip::yunet()?,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn picture(&self, name: &str) -> String {
        self.pictures.join(name).display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_usher-train"))
            .args(arguments)
            .arg("--detector")
            .arg(&self.detector)
            .current_dir(root())
            .env("USHER_CACHE", self.folder.path())
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", error(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_pictures_show_one_person_or_two() {
    let Some(place) = Place::new() else { return };
    let obama = place.picture("barack-obama/obama.jpg");
    let other_day = place.picture("barack-obama/obama2.jpg");
    let hopper = place.picture("grace-hopper/grace_hopper.jpg");
    let out = place.path("both.png");
    let same = place.json(&["verify", &obama, &other_day, "--out", &out]);
    assert_eq!(same["same"], true, "{same}");
    assert_eq!(picture::read(Path::new(&out)).unwrap().width_px(), 508);
    let different = place.json(&["verify", &obama, &hopper]);
    assert_eq!(different["same"], false, "{different}");
    let itself = place.json(&["verify", &obama, &obama]);
    assert_eq!(itself["distance"], 0.0, "{itself}");
    let strict = place.json(&["verify", &obama, &other_day, "--threshold", "0.01"]);
    assert_eq!(strict["same"], false, "{strict}");

    let no_picture = place.run(&["verify", &obama, "Cargo.toml"]);
    assert_eq!(no_picture.status.code(), Some(1));
    assert!(
        error(&no_picture).contains("Cargo.toml"),
        "{}",
        error(&no_picture)
    );
    let grey = place.path("grey.png");
    image::RgbImage::new(64, 64).save(&grey).unwrap();
    let no_face = error(&place.run(&["verify", &obama, &grey]));
    assert!(
        no_face.contains("expected a face in") && no_face.contains("grey.png"),
        "{no_face}"
    );
}

#[test]
fn a_folder_and_a_kiosks_gallery_name_the_same_people() {
    let Some(place) = Place::new() else { return };
    let pictures = place.pictures.display().to_string();
    let found = place.json(&["identify", &pictures, "--gallery", &pictures]);
    // Obama has three pictures, the others one: without their own they are strangers.
    let score = &found["score"];
    assert_eq!(
        (&score["mated"], &score["right"]),
        (&3.into(), &3.into()),
        "{score}"
    );
    assert_eq!(
        (&score["unmated"], &score["false_positives"]),
        (&3.into(), &0.into()),
        "{score}"
    );

    let embedder = Embedder::load(&root().join("models/usher-small.toml")).unwrap();
    let model = embedder.manifest().clone();
    let mut pipeline = Pipeline::new(Detector::load(&place.detector, 320).unwrap(), embedder);
    let (key, path) = (place.path("gallery.key"), place.path("people.gallery"));
    let sealed_by = KeyFile::create(Path::new(&key)).unwrap();
    let making = Making {
        sealing: Sealing::By(&sealed_by),
        model: model.model_id(),
        dimension: model.dimension,
        form: TemplateForm::Full,
        rotated: true,
    };
    let desk = By {
        operator: "desk",
        at: WallTime::from_unix_seconds(1_800_000_000),
    };
    let mut gallery = GalleryStore::create(Path::new(&path), &making, desk).unwrap();
    for (name, file) in [
        ("Barack Obama", "barack-obama/obama.jpg"),
        ("Joe Biden", "joe-biden/biden.jpg"),
    ] {
        let frame = picture::read(&place.pictures.join(file)).unwrap();
        let (_, _, template) = pipeline.only_face(&frame).unwrap();
        let enrollee = Enrollee {
            name: name.to_owned(),
            consent: Consent::given("I agree.", desk.at, "desk", 365).unwrap(),
            templates: vec![NewTemplate {
                embedding: template,
                label: None,
                taken_at: desk.at,
            }],
        };
        gallery.enroll(&enrollee, desk).unwrap();
    }
    let probe = place.picture("barack-obama/obama3.jpg");
    let found = place.json(&["identify", &probe, "--gallery", &path, "--key", &key]);
    assert_eq!(found["answers"][0]["person"], "Barack Obama", "{found}");
    let stranger = place.picture("grace-hopper/grace_hopper.jpg");
    let found = place.json(&[
        "identify",
        &stranger,
        "--gallery",
        &path,
        "--k",
        "1",
        "--key",
        &key,
    ]);
    assert!(found["answers"][0]["person"].is_null(), "{found}");
    assert_eq!(found["answers"][0]["nearest"].as_array().unwrap().len(), 1);

    // A gallery of another model is refused, not compared.
    let models = place.path("models");
    let import = place.run(&[
        "import",
        "models/usher-small.onnx",
        "--name",
        "other",
        "--size",
        "112",
        "--licence",
        "x",
        "--scale",
        "0.007",
        "--bias",
        "-1",
        "--models",
        &models,
    ]);
    assert!(import.status.success(), "{}", error(&import));
    let other = format!("{models}/other.toml");
    let refused = place.run(&[
        "identify",
        &probe,
        "--gallery",
        &path,
        "--key",
        &key,
        "--model",
        &other,
        "--threshold",
        "1",
    ]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        error(&refused).contains("was made by model"),
        "{}",
        error(&refused)
    );
}

#[test]
fn an_imported_network_is_the_same_network() {
    let Some(place) = Place::new() else { return };
    let models = place.path("models");
    let import = |name: &str, rest: &[&str]| {
        let arguments = [
            "import",
            "models/usher-small.onnx",
            "--name",
            name,
            "--licence",
            "as the original's",
            "--models",
            &models,
        ];
        place.run(&[&arguments, rest].concat())
    };
    let recipe = [
        "--scale",
        "0.0078125",
        "--bias",
        "-0.99609375",
        "--order",
        "rgb",
    ];
    let size = ["--size", "112"];
    let made = import("twin", &[&size[..], &recipe].concat());
    assert!(made.status.success(), "{}", error(&made));
    let (a, b) = (
        place.picture("barack-obama/obama.jpg"),
        place.picture("joe-biden/biden.jpg"),
    );
    let twin = format!("{models}/twin.toml");
    let of_twin = place.json(&["verify", &a, &b, "--model", &twin, "--threshold", "1"]);
    let of_ours = place.json(&["verify", &a, &b, "--threshold", "1"]);
    assert_eq!(of_twin["distance"], of_ours["distance"]);
    // Read backwards it is another model.
    let bgr = import(
        "bgr",
        &["--size", "112", "--scale", "0.0078125", "--order", "bgr"],
    );
    assert!(bgr.status.success(), "{}", error(&bgr));
    let bgr = format!("{models}/bgr.toml");
    let of_bgr = place.json(&["verify", &a, &b, "--model", &bgr, "--threshold", "1"]);
    assert_ne!(of_bgr["distance"], of_ours["distance"]);

    let again = import("twin", &size);
    assert!(error(&again).contains("--force"), "{}", error(&again));
    let before = std::fs::read_dir(&models).unwrap().count();
    for (name, rest, words) in [
        (
            "no factor",
            vec!["--size", "112", "--scale", "0"],
            "other than 0",
        ),
        (
            "a name of a path",
            vec!["--size", "112"],
            "the name becomes",
        ),
        (
            "a side it cannot have",
            vec!["--size", "20"],
            "no embedder of faces of 20x20",
        ),
    ] {
        let name = if name == "a name of a path" {
            "../x"
        } else {
            "new"
        };
        let refused = import(name, &rest);
        assert_eq!(refused.status.code(), Some(1), "{words}");
        assert!(
            error(&refused).contains(words),
            "{words}: {}",
            error(&refused)
        );
    }
    assert_eq!(std::fs::read_dir(&models).unwrap().count(), before);
}
