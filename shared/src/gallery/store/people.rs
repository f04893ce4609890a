//! Changes: people, their templates, names and consents, strangers, the operating point; removals and expiry.

use std::borrow::Cow;

use super::super::consent::{Clock, Consent};
use super::super::counter::Counter;
use super::super::record::{Backup, Change, Removal, RemovalReason};
use super::super::storage::Storage;
use super::super::{Enrollee, GalleryError, IdentityId, MAX_TEMPLATES, NewTemplate, name};
use super::{By, GalleryStore};
use crate::operating_point::OperatingPoint;

/// What is left of a removed person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Number and times.
    pub removal: Removal,
    /// How many templates were destroyed.
    pub templates: usize,
    /// Whether the person's records are out of the file too; if not, they are ignored, and the next compaction
    /// takes them out.
    pub erased: bool,
    /// Backups that still hold the person.
    pub backups: Vec<Backup>,
}

/// What an expiry sweep did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// These people were removed.
    Removed(Vec<Receipt>),
    /// The clock is not believed: nobody was removed, these people are no longer matched.
    Refused {
        /// What is wrong with the clock.
        clock: Clock,
        /// Whose consent has run out by that clock.
        expired: Vec<IdentityId>,
    },
}

impl<S: Storage, C: Counter> GalleryStore<S, C> {
    /// Enrolls a person.
    ///
    /// # Errors
    /// [`GalleryError`] when the name, a template or a label is unfit, the name is taken or the gallery
    /// full, and as every write.
    pub fn enroll(&mut self, enrollee: &Enrollee, by: By<'_>) -> Result<IdentityId, GalleryError> {
        let id = IdentityId(self.gallery.next_id);
        let change = self.gallery.enrollment(enrollee)?;
        self.append(Some(id), change, by)?;
        Ok(id)
    }

    /// Adds templates to a person.
    ///
    /// # Errors
    /// As [`GalleryStore::enroll`].
    pub fn add_templates(
        &mut self,
        id: IdentityId,
        templates: &[NewTemplate],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let change = Change::AddTemplates(self.gallery.stored(templates)?);
        self.append(Some(id), change, by)
    }

    /// Keeps of a person's templates those at these places, from 0, and drops the others.
    ///
    /// # Errors
    /// As every write; [`GalleryError::Unfitting`] when one is not there or none is named.
    pub fn keep_templates(
        &mut self,
        id: IdentityId,
        places: &[usize],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let mut places: Vec<u32> = places.iter().map(|&place| place as u32).collect();
        places.sort_unstable();
        places.dedup();
        self.append(Some(id), Change::KeepTemplates(places), by)
    }

    /// Gives a person another name, which is trimmed.
    ///
    /// # Errors
    /// [`GalleryError`] when it is unfit or taken, and as every write.
    pub fn rename(&mut self, id: IdentityId, name: &str, by: By<'_>) -> Result<(), GalleryError> {
        self.known(id)?;
        let name = name::checked(name)?;
        self.append(Some(id), Change::Rename(Cow::Owned(name)), by)
    }

    /// Keeps a person's new consent in place of the old one.
    ///
    /// # Errors
    /// As every write.
    pub fn renew_consent(
        &mut self,
        id: IdentityId,
        consent: &Consent,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        self.append(Some(id), Change::Consent(consent.clone()), by)
    }

    /// Notes faces that were taken for a person and are somebody else's.
    ///
    /// # Errors
    /// [`GalleryError::Strangers`] when there would be too many, and as every write.
    pub fn add_negative_anchors(
        &mut self,
        id: IdentityId,
        faces: &[NewTemplate],
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        self.known(id)?;
        let change = Change::AddNegativeAnchors(self.gallery.stored(faces)?);
        self.append(Some(id), change, by)
    }

    /// Sets the strangers that a match must beat, in place of those before.
    ///
    /// # Errors
    /// As [`GalleryStore::add_negative_anchors`].
    pub fn set_cohort(&mut self, faces: &[NewTemplate], by: By<'_>) -> Result<(), GalleryError> {
        let change = Change::Cohort(self.gallery.stored(faces)?);
        self.append(None, change, by)
    }

    /// Sets the operating point that decides in this gallery.
    ///
    /// # Errors
    /// As every write.
    pub fn set_operating_point(
        &mut self,
        point: &OperatingPoint,
        by: By<'_>,
    ) -> Result<(), GalleryError> {
        let text = toml::to_string(point).map_err(|_error| GalleryError::Unfitting {
            found: "an operating point that cannot be written",
        })?;
        self.append(None, Change::OperatingPoint(Cow::Owned(text)), by)
    }

    /// Removes a person: no longer matched from the record on, out of the file by the compaction that follows.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchNumber`] when nobody has the number, and as every write. When the compaction alone fails
    /// the person is removed all the same, and the receipt says what is left to do.
    pub fn remove(
        &mut self,
        id: IdentityId,
        reason: RemovalReason,
        by: By<'_>,
    ) -> Result<Receipt, GalleryError> {
        let known = self.known(id)?;
        let templates = known.templates.len();
        let removal = Removal {
            person: id.0,
            enrolled_at: known.enrolled_at,
            at: by.at,
            reason,
        };
        self.append(None, Change::Remove(removal), by)?;
        let erased = self.compact(by).is_ok() && !self.unsynced_folder;
        Ok(Receipt {
            removal,
            templates,
            erased,
            backups: self.gallery.backups_with(id).into_iter().cloned().collect(),
        })
    }

    /// Gives all templates of `from` to `into`, as far as they fit, and removes `from`.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchNumber`] when nobody has a number, and as every write.
    pub fn merge(
        &mut self,
        from: IdentityId,
        into: IdentityId,
        by: By<'_>,
    ) -> Result<Receipt, GalleryError> {
        let given = self.known(from)?;
        if from == into {
            return Err(GalleryError::Unfitting {
                found: "a merge of a person with the same person",
            });
        }
        let labels: Vec<_> = given
            .templates
            .iter()
            .map(|template| {
                (
                    template.label.as_deref().map(str::to_owned),
                    template.taken_at,
                )
            })
            .collect();
        let room = MAX_TEMPLATES - self.known(into)?.templates.len();
        let templates: Vec<NewTemplate> = self
            .gallery
            .embeddings(from)
            .into_iter()
            .zip(labels)
            .map(|(embedding, (label, taken_at))| NewTemplate {
                embedding,
                label,
                taken_at,
            })
            .take(room)
            .collect();
        if !templates.is_empty() {
            self.add_templates(into, &templates, by)?;
        }
        self.remove(from, RemovalReason::Merged, by)
    }

    /// Removes everybody whose consent has run out.
    ///
    /// Nobody is removed when the clock is behind the newest record or more than
    /// [`MAX_GAP_DAYS`](crate::gallery::consent::MAX_GAP_DAYS) ahead of it, unless `clock_is_right`; nobody of those is
    /// matched either way.
    ///
    /// # Errors
    /// As [`GalleryStore::remove`].
    pub fn sweep(&mut self, by: By<'_>, clock_is_right: bool) -> Result<Sweep, GalleryError> {
        let clock = Clock::judge(by.at, self.gallery.newest);
        let expired = self.gallery.expired(by.at);
        self.gallery.suspend_expired(by.at);
        if clock != Clock::Plausible && !(clock_is_right && matches!(clock, Clock::Ahead(_))) {
            return Ok(Sweep::Refused { clock, expired });
        }
        let mut receipts = Vec::new();
        for id in expired {
            receipts.push(self.remove(id, RemovalReason::ConsentExpired, by)?);
        }
        Ok(Sweep::Removed(receipts))
    }
}
