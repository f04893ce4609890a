//! A person in a gallery: number, name, consent, templates.

use std::fmt;

use super::consent::{Consent, WallTime};
use super::seal::DataKey;
use super::search::Slot;
use crate::embedding::Embedding;

/// A person's number in a gallery: what events carry in place of a name. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId(pub(super) u32);

impl IdentityId {
    /// The identity with this number, 1 and up: as a gallery gave it.
    pub fn from_number(number: u32) -> IdentityId {
        IdentityId(number)
    }

    /// The bare number, 1 and up.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A person with a name and one or more templates.
#[derive(Clone, PartialEq)]
pub struct Identity {
    pub(super) id: IdentityId,
    pub(super) name: String,
    pub(super) enrolled_at: WallTime,
    pub(super) consent: Consent,
    pub(super) templates: Vec<Template>,
    /// "This is not that person": faces that were taken for this one and are somebody else's.
    pub(super) anchors: Vec<Embedding>,
    /// Seals the person's records; destroyed with the person.
    pub(super) key: DataKey,
}

/// One stored reference of a person.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    pub(super) slot: Slot,
    pub(super) label: Option<Box<str>>,
    pub(super) taken_at: WallTime,
}

impl Template {
    /// What sets it apart: "glasses", "mask", "left"; at most 32 printable characters.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// When it was taken.
    pub fn taken_at(&self) -> WallTime {
        self.taken_at
    }
}

impl Identity {
    /// The person's number.
    pub fn id(&self) -> IdentityId {
        self.id
    }

    /// The person's name, for the screen and never for a log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the person was enrolled.
    pub fn enrolled_at(&self) -> WallTime {
        self.enrolled_at
    }

    /// The consent that holds now.
    pub fn consent(&self) -> &Consent {
        &self.consent
    }

    /// The stored references, at least one, in the order in which they were added; the numbers are
    /// in [`super::Gallery::embeddings`].
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// How many faces are noted as not this person.
    pub fn negative_anchors(&self) -> usize {
        self.anchors.len()
    }
}

impl fmt::Debug for Identity {
    /// Number and count alone, so that no name reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Identity({}, {} templates)",
            self.id,
            self.templates.len()
        )
    }
}
