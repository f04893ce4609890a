//! Where a tortured gallery lies, its two keys, and the template that each name stands for.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::gallery::consent::WallTime;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{By, Making, Opening};
use shared::gallery::{Gallery, GalleryError, GalleryStore, KeyFile, Sealing};
use shared::{Embedding, ModelId};

pub(crate) const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);
pub(crate) const DESK: By<'_> = By {
    operator: "front desk",
    at: NOON,
};
const DIMENSION: usize = 16;

/// A folder with a gallery and two key files.
pub(crate) struct Place {
    folder: PathBuf,
    keys: [KeyFile; 2],
}

impl Place {
    /// A new folder.
    pub(crate) fn make(folder: &Path) -> Place {
        std::fs::create_dir_all(folder).unwrap();
        for name in ["key-a", "key-b"] {
            KeyFile::create(&folder.join(name)).unwrap();
        }
        Place::at(folder)
    }

    /// A folder that was made.
    pub(crate) fn at(folder: &Path) -> Place {
        Place {
            folder: folder.to_owned(),
            keys: ["key-a", "key-b"].map(|name| KeyFile::at(&folder.join(name))),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("people.gallery")
    }

    pub(crate) fn sealing(&self, key: usize) -> Sealing<'_> {
        Sealing::By(&self.keys[key])
    }

    pub(crate) fn create(&self) -> Result<GalleryStore, GalleryError> {
        let making = Making {
            sealing: self.sealing(0),
            model: model(),
            dimension: DIMENSION,
            form: TemplateForm::Full,
            rotated: true,
        };
        GalleryStore::create(&self.path(), &making, DESK)
    }

    /// Opens by the key that fits, and says which one does.
    pub(crate) fn open(&self) -> Result<(GalleryStore, usize), GalleryError> {
        self.by_any_key(|key| {
            let model = model();
            let opening = Opening {
                sealing: self.sealing(key),
                model: Some(&model),
                accept_loss: false,
            };
            GalleryStore::open(&self.path(), &opening).map(|(store, _report)| store)
        })
    }

    /// Reads by the key that fits and changes nothing.
    pub(crate) fn read(&self) -> Result<(Gallery, usize), GalleryError> {
        self.by_any_key(|key| Gallery::read(&self.path(), &model(), self.sealing(key)))
    }

    fn by_any_key<T>(
        &self,
        open: impl Fn(usize) -> Result<T, GalleryError>,
    ) -> Result<(T, usize), GalleryError> {
        match open(0) {
            Err(GalleryError::WrongKey { .. }) => open(1).map(|opened| (opened, 1)),
            opened => opened.map(|opened| (opened, 0)),
        }
    }
}

fn model() -> ModelId {
    ModelId::from_bytes([0x3F; 32])
}

/// The face of the person with this name.
pub(crate) fn face(name: &str) -> Embedding {
    let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |seed: u64, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let raw = (0..DIMENSION)
        .map(|_| rng.random_range(-1.0..1.0))
        .collect();
    Embedding::from_raw(raw).unwrap()
}
