//! What a record says, in postcard. See [`super::format`].

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::IdentityId;
use super::consent::{Consent, WallTime};
use super::frame::FrameKind;

/// A record's body.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    /// When it was written, by the wall clock of the device.
    pub(super) at: WallTime,
    /// By whose order.
    #[serde(borrow)]
    pub(super) operator: Cow<'a, str>,
    /// What changes.
    #[serde(borrow)]
    pub(super) change: Change<'a>,
}

/// What changes. The order of variants is part of the format: a new one goes to the end.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Change<'a> {
    /// First record of every file: what holds for all.
    Settings(Settings),
    /// A person is enrolled, with everything that makes a person.
    #[serde(borrow)]
    Enroll(Enroll<'a>),
    /// The person has more templates.
    AddTemplates(#[serde(borrow)] Vec<StoredTemplate<'a>>),
    /// The person keeps these templates alone, by their places from 0, rising.
    KeepTemplates(Vec<u32>),
    /// The person has another name.
    Rename(#[serde(borrow)] Cow<'a, str>),
    /// The person's consent is given anew.
    Consent(Consent),
    /// Faces that were taken for the person and are somebody else's.
    AddNegativeAnchors(#[serde(borrow)] Vec<StoredTemplate<'a>>),
    /// A person is no longer enrolled.
    Remove(Removal),
    /// The operating point that decides, in TOML as in a manifest.
    OperatingPoint(#[serde(borrow)] Cow<'a, str>),
    /// The strangers that a match must beat; replaces those before.
    Cohort(#[serde(borrow)] Vec<StoredTemplate<'a>>),
    /// The file was sealed anew, by another key.
    KeyRotation,
    /// A copy of the file was made.
    Backup(Backup),
    /// What a compaction keeps of the records it leaves out.
    Ledger(Ledger),
}

/// What holds for a whole file.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Seed of the secret rotation of all templates.
    pub(super) rotation: Option<[u8; 32]>,
}

/// A person as enrolled.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Enroll<'a> {
    pub(super) enrolled_at: WallTime,
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    pub(super) consent: Consent,
    #[serde(borrow)]
    pub(super) templates: Vec<StoredTemplate<'a>>,
    #[serde(borrow)]
    pub(super) anchors: Vec<StoredTemplate<'a>>,
}

/// A template as stored.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredTemplate<'a> {
    #[serde(borrow)]
    pub(super) label: Option<Cow<'a, str>>,
    pub(super) taken_at: WallTime,
    /// D numbers: f32 little-endian, or i8 in the compact form.
    #[serde(borrow)]
    pub(super) numbers: Cow<'a, [u8]>,
}

/// A removal: what is left of a person, so that no backup brings the person back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    pub(super) person: u32,
    /// When the person was enrolled.
    pub enrolled_at: WallTime,
    /// When the person was removed.
    pub at: WallTime,
    /// Why.
    pub reason: RemovalReason,
}

/// Why somebody is no longer enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RemovalReason {
    /// Somebody asked for it.
    Asked,
    /// The consent ran out.
    ConsentExpired,
    /// The person had been enrolled twice.
    Merged,
}

/// A copy of the gallery's file that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// What the operator calls it, at most 200 bytes: where it lies.
    pub name: String,
    /// When it was made.
    pub at: WallTime,
    /// The last record in it.
    pub sequence: u64,
    /// Ids in use when it was made are below this one.
    pub(super) next_id: u32,
}

/// What a compaction keeps.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    pub(super) next_id: u32,
    pub(super) newest: WallTime,
    pub(super) removals: Vec<Removal>,
    pub(super) backups: Vec<Backup>,
    pub(super) history: Vec<Entry>,
}

/// One line of a gallery's history.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the record.
    pub sequence: u64,
    /// When it was written.
    pub at: WallTime,
    /// By whose order.
    pub operator: String,
    /// What was done.
    pub act: Act,
    pub(super) person: Option<u32>,
}

/// What was done to a gallery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// The file was made, or written anew by a compaction.
    Wrote,
    /// A person was enrolled.
    Enrolled,
    /// Templates were added.
    AddedTemplates,
    /// Templates were dropped.
    DroppedTemplates,
    /// The name was changed.
    Renamed,
    /// The consent was renewed.
    Consented,
    /// A face was noted as not this person.
    AddedNegativeAnchor,
    /// A person was removed.
    Removed,
    /// The operating point was set.
    SetOperatingPoint,
    /// The cohort of strangers was set.
    SetCohort,
    /// The file was sealed by another key.
    RotatedKey,
    /// A backup was made.
    BackedUp,
}

impl Change<'_> {
    pub(super) fn is_settings(&self) -> bool {
        matches!(self, Change::Settings(_))
    }

    /// Which key seals it.
    pub(super) fn kind(&self) -> FrameKind {
        match self {
            Change::Enroll(_) => FrameKind::Enrollment,
            Change::AddTemplates(_)
            | Change::KeepTemplates(_)
            | Change::Rename(_)
            | Change::Consent(_)
            | Change::AddNegativeAnchors(_) => FrameKind::Person,
            Change::Settings(_)
            | Change::Remove(_)
            | Change::OperatingPoint(_)
            | Change::Cohort(_)
            | Change::KeyRotation
            | Change::Backup(_)
            | Change::Ledger(_) => FrameKind::Gallery,
        }
    }

    /// The history's word for it; none for what a compaction carries over.
    pub(super) fn act(&self) -> Option<Act> {
        Some(match self {
            Change::Settings(_) => Act::Wrote,
            Change::Enroll(_) => Act::Enrolled,
            Change::AddTemplates(_) => Act::AddedTemplates,
            Change::KeepTemplates(_) => Act::DroppedTemplates,
            Change::Rename(_) => Act::Renamed,
            Change::Consent(_) => Act::Consented,
            Change::AddNegativeAnchors(_) => Act::AddedNegativeAnchor,
            Change::Remove(_) => Act::Removed,
            Change::OperatingPoint(_) => Act::SetOperatingPoint,
            Change::Cohort(_) => Act::SetCohort,
            Change::KeyRotation => Act::RotatedKey,
            Change::Backup(_) => Act::BackedUp,
            Change::Ledger(_) => return None,
        })
    }
}

impl std::fmt::Debug for Entry {
    /// Without the operator, who is a person too.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({}, {})", self.sequence, self.act.words())
    }
}

impl Entry {
    /// Whom it was about.
    pub fn person(&self) -> Option<IdentityId> {
        self.person.map(IdentityId)
    }
}

impl Removal {
    /// Who it was.
    pub fn person(&self) -> IdentityId {
        IdentityId(self.person)
    }
}

impl Act {
    /// In words, for a list.
    pub fn words(self) -> &'static str {
        match self {
            Act::Wrote => "file written",
            Act::Enrolled => "enrolled",
            Act::AddedTemplates => "templates added",
            Act::DroppedTemplates => "templates dropped",
            Act::Renamed => "renamed",
            Act::Consented => "consent renewed",
            Act::AddedNegativeAnchor => "negative anchor added",
            Act::Removed => "removed",
            Act::SetOperatingPoint => "operating point set",
            Act::SetCohort => "cohort set",
            Act::RotatedKey => "key rotated",
            Act::BackedUp => "backup made",
        }
    }
}
