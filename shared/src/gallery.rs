//! The people a device knows: identities with their templates, and the decision about a probe.
//!
//! | room | what it keeps |
//! |---|---|
//! | [`Gallery`] | everybody, in memory: looked at, searched, decided by |
//! | [`store`] | the same on disk: every change is a record, synced before it is acknowledged |
//! | [`mod@format`] | the file, byte by byte; [`header`], [`frame`] and the records' bodies are its parts |
//! | [`seal`], [`key`] | who can read it: XChaCha20-Poly1305; key file, passphrase, chip |
//! | [`counter`] | which record was the last: an older file put in its place is noticed |
//! | [`storage`] | the few calls to the file system, so that tests can cut the power at each of them |
//! | [`consent`] | without which nobody is enrolled, and when it ends |
//! | [`rotation`] | revocable templates |
//! | [`search`] | exact and fast: the closest identity and the next |
//! | [`selection`] | which of many faces become templates |
//! | [`transfer`] | people on their way to another gallery, or to themselves: a JSON document |

pub mod consent;
pub mod counter;
pub mod error;
pub mod format;
pub mod frame;
pub mod header;
mod identity;
pub mod key;
pub mod name;
#[cfg(feature = "command-line")]
pub mod options;
mod record;
pub mod rotation;
pub mod seal;
pub mod search;
pub mod selection;
pub mod storage;
pub mod store;
pub mod transfer;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::Path;

use crate::distance::SquaredL2;
use crate::embedding::Embedding;
use crate::model_id::ModelId;
use crate::operating_point::{OperatingPoint, Threshold};

use consent::WallTime;
use counter::Counter;
use frame::FrameKind;
use record::{Change, Enroll, Ledger, Record, StoredTemplate};
use rotation::Rotation;
use seal::DataKey;
use search::{Index, TemplateForm};

pub use consent::Consent;
pub use error::GalleryError;
pub use identity::{Identity, IdentityId, Template};
pub use key::{KeyError, KeyFile, Passphrase, Sealing};
pub use record::{Act, Backup, Entry, Removal, RemovalReason};
pub use search::{Found, Nearest};
pub use store::GalleryStore;

/// Most people in one gallery.
pub const MAX_IDENTITIES: usize = 200_000;
/// Most templates of one person.
pub const MAX_TEMPLATES: usize = 100;
/// Most negative anchors of one person.
pub const MAX_ANCHORS: usize = 100;
/// Most strangers in the cohort.
pub const MAX_COHORT: usize = 1000;
/// Longest label of a template, in characters.
pub const MAX_LABEL_CHARS: usize = 32;
/// Lines of history that a gallery keeps; older ones are forgotten.
pub const MAX_HISTORY: usize = 10_000;
/// Most removals that a gallery keeps; with history and backups they fit into one record.
pub const MAX_REMOVALS: usize = 200_000;
/// Most backups that a gallery keeps note of.
pub const MAX_BACKUPS: usize = 5_000;
/// Longest operating point, in bytes of TOML.
const MAX_POINT_BYTES: usize = 4096;

/// Everybody enrolled, with templates of one model.
#[derive(Clone)]
pub struct Gallery {
    model: ModelId,
    dimension: usize,
    rotation: Option<Rotation>,
    /// Never given twice, so that an id in an old event cannot come to mean somebody else.
    next_id: u32,
    people: BTreeMap<IdentityId, Identity>,
    names: HashMap<String, IdentityId>,
    index: Index,
    cohort: Index,
    strangers: Vec<search::Slot>,
    suspended: BTreeSet<IdentityId>,
    operating_point: Option<OperatingPoint>,
    newest: WallTime,
    removals: Vec<Removal>,
    backups: Vec<Backup>,
    /// Removed people's records still lie in the file.
    unerased: bool,
    history: VecDeque<Entry>,
}

/// A template to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTemplate {
    /// The face, as the model made it.
    pub embedding: Embedding,
    /// What sets it apart ("glasses", "mask"), at most [`MAX_LABEL_CHARS`] printable characters.
    pub label: Option<String>,
    /// When it was taken.
    pub taken_at: WallTime,
}

/// A person to be enrolled: without a consent there is none.
#[derive(Clone, PartialEq)]
pub struct Enrollee {
    /// The name, which is trimmed.
    pub name: String,
    /// What the person agreed to.
    pub consent: Consent,
    /// The stored references, at least one.
    pub templates: Vec<NewTemplate>,
}

/// What a gallery says about a probe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision {
    /// The probe counts as this person.
    Match {
        /// Who it is.
        identity: IdentityId,
        /// How far the closest template is: at most the threshold.
        distance: SquaredL2,
    },
    /// The probe counts as nobody enrolled.
    NoMatch {
        /// How far the closest template is; absent in an empty gallery.
        nearest: Option<SquaredL2>,
    },
}

impl Gallery {
    /// An empty gallery in memory for embeddings of one model, each of `dimension` numbers.
    pub fn new(model: ModelId, dimension: usize) -> Gallery {
        Gallery::with_form(model, dimension, TemplateForm::Full)
    }

    /// As [`Gallery::new`], with templates kept in that form.
    pub fn with_form(model: ModelId, dimension: usize, form: TemplateForm) -> Gallery {
        Gallery {
            model,
            dimension,
            rotation: None,
            next_id: 1,
            people: BTreeMap::new(),
            names: HashMap::new(),
            index: Index::new(dimension, form),
            cohort: Index::new(dimension, form),
            strangers: Vec::new(),
            suspended: BTreeSet::new(),
            operating_point: None,
            newest: WallTime::default(),
            removals: Vec::new(),
            backups: Vec::new(),
            unerased: false,
            history: VecDeque::new(),
        }
    }

    /// Reads a gallery whose templates were made by `model`, and changes nothing.
    ///
    /// What another process is just writing may be missing; nothing else can be.
    ///
    /// # Errors
    /// [`GalleryError`] when there is no such file, it is damaged, of another format or model, or the key
    /// does not open it.
    pub fn read(
        path: &Path,
        model: &ModelId,
        sealing: Sealing<'_>,
    ) -> Result<Gallery, GalleryError> {
        store::read(&storage::Disk, path, Some(model), sealing)
            .map(|(loaded, _root)| loaded.gallery)
    }

    /// Enrolls a person in memory alone; [`GalleryStore::enroll`] keeps the person.
    ///
    /// # Errors
    /// [`GalleryError`] when the name is empty, too long, unprintable or taken, there are no
    /// templates or too many, one has another dimension, or the gallery is full.
    pub fn enroll(&mut self, enrollee: &Enrollee) -> Result<IdentityId, GalleryError> {
        let id = IdentityId(self.next_id);
        let record = Record {
            at: enrollee.consent.given_at(),
            operator: Cow::Borrowed(enrollee.consent.operator()),
            change: self.enrollment(enrollee)?,
        };
        self.check(FrameKind::Enrollment, Some(id), &record)?;
        self.apply(0, Some(id), record, None);
        Ok(id)
    }

    /// The model whose templates these are.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// Numbers in a template.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How templates are kept.
    pub fn form(&self) -> TemplateForm {
        self.index.form()
    }

    /// Whether templates are turned by a secret rotation.
    pub fn is_rotated(&self) -> bool {
        self.rotation.is_some()
    }

    /// Everybody, in the order of enrollment.
    pub fn identities(&self) -> impl ExactSizeIterator<Item = &Identity> {
        self.people.values()
    }

    /// How many people are enrolled.
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// How many templates there are of all of them.
    pub fn templates(&self) -> usize {
        self.index.len()
    }

    /// The person with this number, if still enrolled.
    pub fn identity(&self, id: IdentityId) -> Option<&Identity> {
        self.people.get(&id)
    }

    /// The person with this name.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchName`] when nobody has it.
    pub fn named(&self, name: &str) -> Result<&Identity, GalleryError> {
        let id = self.names.get(name.trim());
        id.and_then(|id| self.identity(*id))
            .ok_or_else(|| GalleryError::NoSuchName {
                name: name.trim().to_owned(),
            })
    }

    /// A person's templates as the model made them, up to rounding; none when nobody has this number.
    pub fn embeddings(&self, id: IdentityId) -> Vec<Embedding> {
        let templates = self.identity(id).map_or(&[][..], Identity::templates);
        templates
            .iter()
            .map(|template| self.turned_back(&self.index.template(template.slot)))
            .collect()
    }

    /// Faces that are noted as not this person, as the model made them, up to rounding.
    pub fn negative_anchors(&self, id: IdentityId) -> Vec<Embedding> {
        let anchors = self.identity(id).map_or(&[][..], |known| &known.anchors);
        anchors
            .iter()
            .map(|anchor| self.turned_back(anchor))
            .collect()
    }

    /// The closest identity and the next, of all templates.
    ///
    /// # Panics
    /// When the probe has another dimension: it comes from another model.
    pub fn search(&self, probe: &Embedding) -> Found {
        self.index.search(&self.turned(probe))
    }

    /// [`Gallery::search`] for every probe, faster than one after another.
    ///
    /// # Panics
    /// As [`Gallery::search`].
    pub fn search_batch(&self, probes: &[Embedding]) -> Vec<Found> {
        let probes: Vec<_> = probes
            .iter()
            .map(|probe| self.turned(probe).into_owned())
            .collect();
        self.index.search_batch(&probes)
    }

    /// The identity whose best template is closest to the probe; none in an empty gallery.
    ///
    /// Of equally close identities the one enrolled first is named.
    ///
    /// # Panics
    /// As [`Gallery::search`].
    pub fn nearest(&self, probe: &Embedding) -> Option<Nearest> {
        self.search(probe).best
    }

    /// Whether the probe is somebody enrolled, and who.
    ///
    /// The closest identity is named when its distance is within the threshold, its consent was not
    /// found expired ([`Gallery::suspend_expired`]), and neither one of its negative anchors nor a
    /// stranger of the cohort is as close or closer. Otherwise nobody is: that the next identity may be
    /// within the threshold too is no reason to name it.
    ///
    /// # Panics
    /// As [`Gallery::search`].
    pub fn decide(&self, probe: &Embedding, threshold: &Threshold) -> Decision {
        let turned = self.turned(probe);
        let best = self.index.search(&turned).best;
        match best {
            Some(best)
                if threshold.accepts(best.distance)
                    && !self.suspended.contains(&best.identity)
                    && !self.is_stranger(&turned, best) =>
            {
                Decision::Match {
                    identity: best.identity,
                    distance: best.distance,
                }
            }
            best => Decision::NoMatch {
                nearest: best.map(|best| best.distance),
            },
        }
    }

    fn is_stranger(&self, turned: &Embedding, best: Nearest) -> bool {
        let anchors = self
            .identity(best.identity)
            .map_or(&[][..], |known| &known.anchors);
        anchors
            .iter()
            .map(|anchor| SquaredL2::between(turned, anchor))
            .chain(
                self.cohort
                    .search(turned)
                    .best
                    .map(|stranger| stranger.distance),
            )
            .any(|distance| distance <= best.distance)
    }

    /// People whose consent has run out at `now`, in the order of enrollment.
    ///
    /// A clock that runs behind the newest record is not believed: that record's time counts then.
    pub fn expired(&self, now: WallTime) -> Vec<IdentityId> {
        let now = now.max(self.newest);
        self.identities()
            .filter(|known| known.consent.has_expired(now))
            .map(Identity::id)
            .collect()
    }

    /// From now on nobody is matched whose consent has run out at `now`; returns how many there are.
    pub fn suspend_expired(&mut self, now: WallTime) -> usize {
        self.suspended = self.expired(now).into_iter().collect();
        self.suspended.len()
    }

    /// The time of the newest record.
    pub fn newest_record(&self) -> WallTime {
        self.newest
    }

    /// The operating point that was set for this gallery.
    pub fn operating_point(&self) -> Option<&OperatingPoint> {
        self.operating_point.as_ref()
    }

    /// How many strangers a match must beat.
    pub fn cohort(&self) -> usize {
        self.cohort.len()
    }

    /// Who was removed, by number and times.
    pub fn removals(&self) -> &[Removal] {
        &self.removals
    }

    /// Backups that were made.
    pub fn backups(&self) -> &[Backup] {
        &self.backups
    }

    /// What was done, oldest first; at most [`MAX_HISTORY`] lines.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.history.iter()
    }

    /// Backups that hold a person who was enrolled under this number.
    pub fn backups_with(&self, id: IdentityId) -> Vec<&Backup> {
        let removed = self.removals.iter().find(|removal| removal.person == id.0);
        let until = removed.map_or(WallTime::from_unix_seconds(u64::MAX), |removal| removal.at);
        self.backups
            .iter()
            .filter(|backup| id.0 < backup.next_id && backup.at <= until)
            .collect()
    }

    /// Whether both hold the same people with the same templates, bit for bit.
    #[doc(hidden)]
    pub fn same_people(&self, other: &Gallery) -> bool {
        self.model == other.model
            && self.next_id == other.next_id
            && self.removals.len() == other.removals.len()
            && self.people.len() == other.people.len()
            && self.identities().zip(other.identities()).all(|(a, b)| {
                (a.id, &a.name, &a.consent, a.enrolled_at)
                    == (b.id, &b.name, &b.consent, b.enrolled_at)
                    && a.templates.len() == b.templates.len()
                    && a.anchors == b.anchors
                    && a.templates.iter().zip(&b.templates).all(|(s, t)| {
                        (&s.label, s.taken_at) == (&t.label, t.taken_at)
                            && self.index.template(s.slot) == other.index.template(t.slot)
                    })
            })
    }

    fn turned<'a>(&self, embedding: &'a Embedding) -> Cow<'a, Embedding> {
        match &self.rotation {
            Some(rotation) => Cow::Owned(rotation.turn(embedding)),
            None => Cow::Borrowed(embedding),
        }
    }

    fn turned_back(&self, stored: &Embedding) -> Embedding {
        match &self.rotation {
            Some(rotation) => rotation.turn_back(stored),
            None => stored.clone(),
        }
    }
}

impl std::fmt::Debug for Gallery {
    /// Model and counts alone, so that nobody's name reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (people, templates) = (self.people(), self.templates());
        write!(
            f,
            "Gallery({}, {people} people, {templates} templates)",
            self.model
        )
    }
}

mod change;
use change::check_label;

#[cfg(test)]
pub(crate) mod tests;
