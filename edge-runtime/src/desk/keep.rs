//! What the desk hands over to be kept, and how it gets into the gallery: in one change.

use shared::gallery::store::By;
use shared::gallery::{Enrollee, GalleryError, GalleryStore, IdentityId, NewTemplate};

/// What an operator's work at the desk leads to.
#[derive(Clone, PartialEq)]
pub enum Kept {
    /// Somebody new.
    Enrolled(Enrollee),
    /// Somebody enrolled, with another appearance.
    Added {
        /// Who.
        who: IdentityId,
        /// The new templates, at least one.
        templates: Vec<NewTemplate>,
    },
}

impl Kept {
    /// Templates in it.
    pub fn templates(&self) -> usize {
        match self {
            Self::Enrolled(enrollee) => enrollee.templates.len(),
            Self::Added { templates, .. } => templates.len(),
        }
    }

    /// Keeps it: one record of the gallery, synced before this returns; after a power cut it is there whole or not at
    /// all.
    ///
    /// # Errors
    /// [`GalleryError`]; nothing is kept then.
    pub fn store(
        &self,
        gallery: &mut GalleryStore,
        by: By<'_>,
    ) -> Result<IdentityId, GalleryError> {
        match self {
            Self::Enrolled(enrollee) => gallery.enroll(enrollee, by),
            Self::Added { who, templates } => {
                gallery.add_templates(*who, templates, by)?;
                Ok(*who)
            }
        }
    }
}

impl std::fmt::Debug for Kept {
    /// How much, not whose.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self {
            Self::Enrolled(_) => "Enrolled",
            Self::Added { .. } => "Added",
        };
        write!(f, "{kind}({} templates)", self.templates())
    }
}
