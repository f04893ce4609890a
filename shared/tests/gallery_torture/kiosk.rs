//! A gallery on a simulated disk, and what it holds in a form that can be compared.

use std::path::Path;

use shared::gallery::consent::WallTime;
use shared::gallery::counter::FileCounter;
use shared::gallery::key::{KeyError, KeyParameters, KeySource, SealKind};
use shared::gallery::seal::DataKey;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{By, Making, OpenReport, Opening};
use shared::gallery::{Act, Consent, Gallery, GalleryError, GalleryStore, Sealing};
use shared::{Embedding, ModelId, SquaredL2};

use crate::disk::SimulatedDisk;

pub(crate) type Store = GalleryStore<SimulatedDisk, FileCounter<SimulatedDisk>>;

pub(crate) const PATH: &str = "/kiosk/people.gallery";
pub(crate) const DIMENSION: usize = 4;
pub(crate) const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);
pub(crate) const DESK: By<'_> = By {
    operator: "front desk",
    at: NOON,
};

/// A key of 32 equal bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u8);

impl KeySource for Key {
    fn kind(&self) -> SealKind {
        SealKind::Chip
    }

    fn root_key(&self, _parameters: &KeyParameters) -> Result<DataKey, KeyError> {
        Ok(DataKey::from_bytes([self.0; 32]))
    }
}

pub(crate) fn model() -> ModelId {
    ModelId::from_bytes([0x3F; 32])
}

pub(crate) fn counter(disk: &SimulatedDisk) -> FileCounter<SimulatedDisk> {
    FileCounter::beside(disk.clone(), Path::new(PATH))
}

pub(crate) fn create(disk: &SimulatedDisk, key: Key) -> Result<Store, GalleryError> {
    let making = Making {
        sealing: Sealing::By(&key),
        model: model(),
        dimension: DIMENSION,
        form: TemplateForm::Full,
        rotated: false,
    };
    Store::create_on(disk.clone(), counter(disk), Path::new(PATH), &making, DESK)
}

pub(crate) fn open(disk: &SimulatedDisk, key: Key) -> Result<(Store, OpenReport), GalleryError> {
    let model = model();
    let opening = Opening {
        sealing: Sealing::By(&key),
        model: Some(&model),
        accept_loss: false,
    };
    Store::open_on(disk.clone(), counter(disk), Path::new(PATH), &opening)
}

/// What a gallery holds, and the key that opens it.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) key: Key,
    pub(crate) people: Vec<Person>,
    removed: Vec<u32>,
    backups: Vec<(String, u64)>,
    cohort: usize,
    history: Vec<(Act, Option<u32>)>,
}

/// One person of it.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: u32,
    pub(crate) name: String,
    consent: Consent,
    pub(crate) templates: Vec<(Option<String>, Embedding)>,
    anchors: usize,
}

impl Picture {
    pub(crate) fn of(gallery: &Gallery, key: Key) -> Picture {
        let people = gallery.identities().map(|known| Person {
            id: known.id().number(),
            name: known.name().to_owned(),
            consent: known.consent().clone(),
            templates: (known.templates().iter())
                .map(|template| template.label().map(str::to_owned))
                .zip(gallery.embeddings(known.id()))
                .collect(),
            anchors: known.negative_anchors(),
        });
        Picture {
            key,
            people: people.collect(),
            removed: (gallery.removals().iter())
                .map(|removal| removal.person().number())
                .collect(),
            backups: (gallery.backups().iter())
                .map(|backup| (backup.name.clone(), backup.sequence))
                .collect(),
            cohort: gallery.cohort(),
            // A recovery may write the file anew.
            history: (gallery.history())
                .filter(|entry| entry.act != Act::Wrote)
                .map(|entry| (entry.act, entry.person().map(|id| id.number())))
                .collect(),
        }
    }
}

impl PartialEq for Picture {
    fn eq(&self, other: &Picture) -> bool {
        self.key == other.key
            && self.people == other.people
            && self.removed == other.removed
            && self.backups == other.backups
            && self.cohort == other.cohort
            && self.history == other.history
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Person) -> bool {
        let mut templates = self.templates.iter().zip(&other.templates);
        (self.id, &self.name, &self.consent, self.anchors)
            == (other.id, &other.name, &other.consent, other.anchors)
            && self.templates.len() == other.templates.len()
            // Another rotation rounds otherwise.
            && templates.all(|((label, template), (other_label, other))| {
                label == other_label && SquaredL2::between(template, other).value() < 1e-6
            })
    }
}
