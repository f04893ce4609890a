//! A folder of its own for each test, with a copy of the model, and the real program.
#![allow(dead_code, reason = "each test program uses its part")]

#[path = "../../../shared/tests/skip/mod.rs"]
mod skip;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use image::RgbImage;
use shared::embedding::Embedding;
use shared::gallery::consent::WallTime;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{By, Making};
use shared::gallery::{Consent, Enrollee, GalleryStore, KeyFile, NewTemplate, Sealing};
use shared::manifest::ModelManifest;
use shared::model_id::ModelId;
pub(crate) use skip::skip;

/// Arguments that name the model of a [`Place`].
const MODEL: [&str; 4] = [
    "--model",
    "models/usher-small.toml",
    "--detector",
    "models/yunet.onnx",
];

/// A temporary folder in which `usher` runs.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with `models/` filled from the repository, or from the folder that `USHER_MODELS` names.
    ///
    /// `None`, with a line on standard error, where model or detector is missing.
    pub(crate) fn new() -> Option<Self> {
        let models =
            std::env::var_os("USHER_MODELS").map_or_else(|| root().join("models"), PathBuf::from);
        let (manifest, detector) = (models.join("usher-small.toml"), models.join("yunet.onnx"));
        for needed in [&manifest, &detector] {
            if !needed.exists() {
                skip(&format!(
                    "{} is missing; run scripts/setup",
                    needed.display()
                ));
                return None;
            }
        }
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let copies = place.folder("models");
        let network = ModelManifest::read(&manifest).unwrap().onnx;
        for (from, to) in [
            (manifest, "usher-small.toml"),
            (detector, "yunet.onnx"),
            (models.join(&network), &network),
        ] {
            std::fs::copy(from, copies.join(to)).unwrap();
        }
        Some(place)
    }

    /// Runs `usher` in this folder.
    pub(crate) fn usher(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_usher"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("USHER_KEY", self.key())
            .env("USER", "front desk")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The key file that `usher` finds in this folder, and makes at the first enrollment.
    pub(crate) fn key(&self) -> PathBuf {
        self.path("gallery.key")
    }

    /// A new gallery of this model, sealed by this folder's key.
    pub(crate) fn gallery(&self, name: &str, model: ModelId, dimension: usize) -> GalleryStore {
        if !self.key().exists() {
            KeyFile::create(&self.key()).unwrap();
        }
        let key = KeyFile::at(&self.key());
        let making = Making {
            sealing: Sealing::By(&key),
            model,
            dimension,
            form: TemplateForm::Full,
            rotated: false,
        };
        GalleryStore::create(&self.path(name), &making, by(0)).unwrap()
    }

    /// `arguments` and those that name the model.
    pub(crate) fn with_model<'a>(&self, arguments: &[&'a str]) -> Vec<&'a str> {
        arguments.iter().copied().chain(MODEL).collect()
    }

    /// A path in this folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a folder in this one.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The model's manifest.
    pub(crate) fn manifest(&self) -> PathBuf {
        self.path("models/usher-small.toml")
    }

    /// The model's network.
    pub(crate) fn network(&self) -> PathBuf {
        let name = ModelManifest::read(&self.manifest()).unwrap().onnx;
        self.path("models").join(name)
    }

    /// What lies in this folder.
    pub(crate) fn files(&self) -> Vec<String> {
        self.names("")
    }

    /// What lies in a folder in this one, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// One face twice, side by side.
    pub(crate) fn two_faces(&self) -> Option<RgbImage> {
        let face = image::open(picture("obama.jpg")?)
            .unwrap()
            .thumbnail(400, 400)
            .into_rgb8();
        let (width, height) = face.dimensions();
        let mut both = RgbImage::new(2 * width, height);
        image::imageops::replace(&mut both, &face, 0, 0);
        image::imageops::replace(&mut both, &face, i64::from(width), 0);
        Some(both)
    }
}

/// An order by the front desk, so many days ago.
pub(crate) fn by(days_ago: u64) -> By<'static> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    By {
        operator: "front desk",
        at: WallTime::from_unix_seconds(now.unwrap().as_secs() - days_ago * WallTime::DAY),
    }
}

/// Somebody with these faces, who agreed so many days ago for so many days.
pub(crate) fn enrollee(name: &str, faces: &[Embedding], (ago, days): (u64, u64)) -> Enrollee {
    let at = by(ago).at;
    let templates = faces.iter().map(|embedding| NewTemplate {
        embedding: embedding.clone(),
        label: None,
        taken_at: at,
    });
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", at, "front desk", days).unwrap(),
        templates: templates.collect(),
    }
}

/// A demo picture of this name, from ../shared/data/demo or from where scripts/setup puts them.
pub(crate) fn picture(name: &str) -> Option<PathBuf> {
    let beside = root().join("../shared/data/demo").join(name);
    let fetched = root().join(".demo/pictures");
    let folders = std::fs::read_dir(fetched).into_iter().flatten().flatten();
    std::iter::once(beside)
        .chain(folders.map(|folder| folder.path().join(name)))
        .find(|path| path.exists())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
