//! Scripts of operations, drawn from a seed, and how each is done.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::Embedding;
use shared::gallery::store::Restoring;
use shared::gallery::{
    Consent, Enrollee, GalleryError, IdentityId, NewTemplate, RemovalReason, Sealing,
};

use crate::disk::SimulatedDisk;
use crate::kiosk::{self, DESK, DIMENSION, Key, NOON, PATH, Picture, Store, counter};

/// One thing that is done to a gallery; whole or not at all.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Enroll(String, Vec<NewTemplate>),
    AddTemplates(u32, Vec<NewTemplate>),
    KeepTemplates(u32, Vec<usize>),
    Rename(u32, String),
    RenewConsent(u32, Consent),
    AddNegativeAnchors(u32, Vec<NewTemplate>),
    SetCohort(Vec<NewTemplate>),
    Remove(u32),
    Compact,
    Rekey { key: Key, rotate: bool },
    BackUp(PathBuf),
    Restore { backup: PathBuf, key: Key },
    Reopen,
}

/// Draws operations that fit what the gallery holds.
pub(crate) struct Script {
    rng: ChaCha8Rng,
    done: usize,
    /// Backups so far, and the key of each.
    backups: Vec<(PathBuf, Key)>,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Script {
        Script {
            rng: ChaCha8Rng::seed_from_u64(seed),
            done: 0,
            backups: Vec::new(),
        }
    }

    /// The next operation on a gallery that holds this.
    pub(crate) fn next(&mut self, now: &Picture) -> Operation {
        self.done += 1;
        let count = now.people.len();
        let kind = match count {
            0..3 => 0,
            12.. => 80,
            _ => self.rng.random_range(0..100),
        };
        let person = now.people.get(self.rng.random_range(0..count.max(1)));
        let id = person.map_or(0, |person| person.id);
        match kind {
            0..25 => Operation::Enroll(format!("Person {}", self.done), self.templates(3)),
            25..35 => Operation::AddTemplates(id, self.templates(2)),
            35..40 => {
                let count = person.map_or(1, |person| person.templates.len());
                Operation::KeepTemplates(id, vec![self.rng.random_range(0..count)])
            }
            40..48 => Operation::Rename(id, format!("Person {} by another name", self.done)),
            48..55 => {
                let text = format!("I agree to {}.", self.done);
                let consent = Consent::given(&text, NOON, "desk 2", 100).unwrap();
                Operation::RenewConsent(id, consent)
            }
            55..59 => Operation::AddNegativeAnchors(id, self.templates(1)),
            59..62 => Operation::SetCohort(self.templates(4)),
            62..68 => Operation::Compact,
            68..74 => Operation::Rekey {
                key: Key(now.key.0.wrapping_add(1)),
                rotate: self.rng.random(),
            },
            74..79 => {
                let path = PathBuf::from(format!("/backups/{}", self.done));
                self.backups.push((path.clone(), now.key));
                Operation::BackUp(path)
            }
            79..91 => Operation::Remove(id),
            91..94 if !self.backups.is_empty() => {
                let place = self.rng.random_range(0..self.backups.len());
                let (backup, key) = self.backups[place].clone();
                Operation::Restore { backup, key }
            }
            _ => Operation::Reopen,
        }
    }

    fn templates(&mut self, most: usize) -> Vec<NewTemplate> {
        let count = self.rng.random_range(1..=most);
        let template = |rng: &mut ChaCha8Rng| NewTemplate {
            embedding: embedding(rng, DIMENSION),
            label: rng.random::<bool>().then(|| "glasses".to_owned()),
            taken_at: NOON,
        };
        (0..count).map(|_| template(&mut self.rng)).collect()
    }
}

/// A face of nobody.
pub(crate) fn embedding(rng: &mut ChaCha8Rng, dimension: usize) -> Embedding {
    loop {
        let raw = (0..dimension)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        if let Ok(embedding) = Embedding::from_raw(raw) {
            return embedding;
        }
    }
}

pub(crate) fn enrollee(name: &str, templates: &[NewTemplate]) -> Enrollee {
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", NOON, "front desk", 365).unwrap(),
        templates: templates.to_vec(),
    }
}

impl Operation {
    /// Does it. The store is gone when it had to be opened anew and could not be.
    pub(crate) fn run(
        &self,
        disk: &SimulatedDisk,
        store: &mut Option<Store>,
        key: &mut Key,
    ) -> Result<(), GalleryError> {
        let held = store.as_mut().unwrap();
        let person = |id: u32| -> IdentityId {
            let mut people = held.gallery().identities().map(|known| known.id());
            people.find(|known| known.number() == id).unwrap()
        };
        match self {
            Operation::Enroll(name, templates) => {
                held.enroll(&enrollee(name, templates), DESK).map(|_id| ())
            }
            Operation::AddTemplates(id, templates) => {
                let id = person(*id);
                held.add_templates(id, templates, DESK)
            }
            Operation::KeepTemplates(id, places) => {
                let id = person(*id);
                held.keep_templates(id, places, DESK)
            }
            Operation::Rename(id, name) => {
                let id = person(*id);
                held.rename(id, name, DESK)
            }
            Operation::RenewConsent(id, consent) => {
                let id = person(*id);
                held.renew_consent(id, consent, DESK)
            }
            Operation::AddNegativeAnchors(id, faces) => {
                let id = person(*id);
                held.add_negative_anchors(id, faces, DESK)
            }
            Operation::SetCohort(faces) => held.set_cohort(faces, DESK),
            Operation::Remove(id) => {
                let id = person(*id);
                (held.remove(id, RemovalReason::Asked, DESK)).map(|_receipt| ())
            }
            Operation::Compact => held.compact(DESK),
            Operation::Rekey { key: new, rotate } => {
                let done = held.rekey(Sealing::By(new), *rotate, DESK);
                if matches!(done, Ok(()) | Err(GalleryError::Unsettled { .. })) {
                    *key = *new;
                }
                done
            }
            Operation::BackUp(to) => held.back_up(to, DESK).map(|_backup| ()),
            Operation::Restore {
                backup,
                key: backup_key,
            } => {
                *store = None;
                let restoring = Restoring {
                    backup,
                    backup_sealing: Sealing::By(backup_key),
                    sealing: Sealing::By(key),
                    model: None,
                    removed: &[],
                    removed_are_all: false,
                };
                let path = Path::new(PATH);
                let restored =
                    Store::restore_on(disk.clone(), counter(disk), path, &restoring, DESK)?;
                *store = Some(restored.0);
                Ok(())
            }
            Operation::Reopen => {
                *store = None;
                *store = Some(kiosk::open(disk, *key)?.0);
                Ok(())
            }
        }
    }
}

/// A template of somebody.
pub(crate) fn a_template() -> NewTemplate {
    NewTemplate {
        embedding: embedding(&mut ChaCha8Rng::seed_from_u64(0), DIMENSION),
        label: None,
        taken_at: NOON,
    }
}
