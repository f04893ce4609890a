//! Changes of a gallery: made into records, checked against what is there, applied.
//!
//! A record is applied once it was checked; the same two steps take it whether it was just made or is read
//! from the file, so memory and file cannot differ.

use std::borrow::Cow;

use super::*;
use crate::embedding::EmbeddingError;

impl Gallery {
    /// The change that enrolls somebody.
    pub(super) fn enrollment<'a>(
        &self,
        enrollee: &'a Enrollee,
    ) -> Result<Change<'a>, GalleryError> {
        Ok(Change::Enroll(Enroll {
            enrolled_at: enrollee.consent.given_at(),
            name: Cow::Owned(name::checked(&enrollee.name)?),
            consent: enrollee.consent.clone(),
            templates: self.stored(&enrollee.templates)?,
            anchors: Vec::new(),
        }))
    }

    /// Templates as they are stored: turned, in the gallery's form.
    ///
    /// # Errors
    /// [`GalleryError::Dimension`] when one comes from another model.
    pub(super) fn stored<'a>(
        &self,
        templates: &'a [NewTemplate],
    ) -> Result<Vec<StoredTemplate<'a>>, GalleryError> {
        let stored = templates.iter().map(|template| {
            let found = template.embedding.dimension();
            if found != self.dimension {
                return Err(GalleryError::Dimension {
                    expected: self.dimension,
                    found,
                });
            }
            Ok(StoredTemplate {
                label: template.label.as_deref().map(Cow::Borrowed),
                taken_at: template.taken_at,
                numbers: Cow::Owned(encode(&self.turned(&template.embedding), self.form())),
            })
        });
        stored.collect()
    }

    /// A person as one record, for a compaction, turned by `rotation` in place of this gallery's.
    pub(super) fn person_as_record<'a>(
        &'a self,
        identity: &'a Identity,
        rotation: Option<&Rotation>,
    ) -> Enroll<'a> {
        let turned = |stored: Embedding| {
            // Unchanged bits when the rotation stays.
            if rotation.map(Rotation::seed) == self.rotation.as_ref().map(Rotation::seed) {
                return stored;
            }
            let original = self.turned_back(&stored);
            rotation.map_or(original.clone(), |rotation| rotation.turn(&original))
        };
        let templates = identity.templates.iter().map(|template| StoredTemplate {
            label: template.label.as_deref().map(Cow::Borrowed),
            taken_at: template.taken_at,
            numbers: Cow::Owned(encode(
                &turned(self.index.template(template.slot)),
                self.form(),
            )),
        });
        let anchors = identity.anchors.iter().map(|anchor| StoredTemplate {
            label: None,
            taken_at: WallTime::default(),
            numbers: Cow::Owned(encode(&turned(anchor.clone()), self.form())),
        });
        Enroll {
            enrolled_at: identity.enrolled_at,
            name: Cow::Borrowed(&identity.name),
            consent: identity.consent.clone(),
            templates: templates.collect(),
            anchors: anchors.collect(),
        }
    }

    /// The cohort as one change, turned by `rotation` in place of this gallery's.
    pub(super) fn cohort_as_change(&self, rotation: Option<&Rotation>) -> Change<'static> {
        let strangers = self.strangers.iter().map(|&slot| {
            let stored = self.cohort.template(slot);
            let original = self.turned_back(&stored);
            let turned = rotation.map_or(original.clone(), |rotation| rotation.turn(&original));
            let same = rotation.map(Rotation::seed) == self.rotation.as_ref().map(Rotation::seed);
            let kept = if same { stored } else { turned };
            StoredTemplate {
                label: None,
                taken_at: WallTime::default(),
                numbers: Cow::Owned(encode(&kept, self.form())),
            }
        });
        Change::Cohort(strangers.collect())
    }

    /// What a compaction keeps of what it leaves out.
    pub(super) fn ledger(&self) -> Change<'static> {
        Change::Ledger(Ledger {
            next_id: self.next_id,
            newest: self.newest,
            removals: self.removals.clone(),
            backups: self.backups.clone(),
            history: self.history.iter().cloned().collect(),
        })
    }

    /// Whether a record can be applied.
    ///
    /// # Errors
    /// [`GalleryError`] that says what is unfit about it.
    pub(super) fn check(
        &self,
        kind: FrameKind,
        person: Option<IdentityId>,
        record: &Record<'_>,
    ) -> Result<(), GalleryError> {
        let unfit = |found| Err(GalleryError::Unfitting { found });
        if kind != record.change.kind() {
            return unfit("a record of another kind");
        }
        if record.operator.len() > consent::MAX_WORDS_BYTES {
            return unfit("a long name of an operator");
        }
        if kind == FrameKind::Person && person.and_then(|id| self.identity(id)).is_none() {
            return unfit("a record about nobody enrolled");
        }
        let known = person.and_then(|id| self.identity(id));
        match &record.change {
            Change::Enroll(enroll) => {
                let id = person.map_or(0, |id| id.0);
                // A compaction carries people over under their numbers.
                let carried_over = record.operator.is_empty();
                if id == 0
                    || id == u32::MAX
                    || carried_over != (id < self.next_id)
                    || known.is_some()
                {
                    return unfit("a number that was given before");
                }
                if self.people.len() >= MAX_IDENTITIES {
                    return Err(GalleryError::Full);
                }
                self.check_name(&enroll.name, None)?;
                enroll.consent.check()?;
                self.check_templates(&enroll.templates, 1, MAX_TEMPLATES)?;
                self.check_strangers(&enroll.anchors, MAX_ANCHORS)
            }
            Change::AddTemplates(templates) => {
                let most = MAX_TEMPLATES - known.map_or(0, |known| known.templates.len());
                self.check_templates(templates, 1, most)
            }
            Change::KeepTemplates(places) => {
                let count = known.map_or(0, |known| known.templates.len());
                let rising = places.windows(2).all(|pair| pair[0] < pair[1]);
                let there = places.last().is_some_and(|&last| (last as usize) < count);
                if rising && there {
                    Ok(())
                } else {
                    unfit("templates that are not there")
                }
            }
            Change::Rename(name) => self.check_name(name, person),
            Change::Consent(consent) => consent.check(),
            Change::AddNegativeAnchors(anchors) => {
                let most = MAX_ANCHORS - known.map_or(0, |known| known.anchors.len());
                self.check_strangers(anchors, most)
            }
            Change::Remove(removal) if !self.people.contains_key(&IdentityId(removal.person)) => {
                Err(GalleryError::NoSuchNumber {
                    number: removal.person,
                })
            }
            Change::Remove(_) if self.removals.len() >= MAX_REMOVALS => {
                unfit("more removals than a gallery keeps")
            }
            Change::Settings(settings)
                if settings.rotation.is_some() && self.dimension > rotation::MAX_DIMENSION =>
            {
                unfit("a rotation of templates of more numbers than one is drawn for")
            }
            Change::Cohort(strangers) => self.check_strangers(strangers, MAX_COHORT),
            Change::OperatingPoint(text) => match point(text) {
                Some(_) => Ok(()),
                None => unfit("an operating point that is none"),
            },
            Change::Backup(backup) if backup.name.len() > consent::MAX_WORDS_BYTES => {
                unfit("a long name of a backup")
            }
            Change::Backup(_) if self.backups.len() >= MAX_BACKUPS => {
                unfit("more backups than a gallery keeps note of")
            }
            Change::Ledger(ledger) if ledger.history.len() > MAX_HISTORY => {
                unfit("a history longer than is kept")
            }
            _ => Ok(()),
        }
    }

    fn check_name(&self, name: &str, of: Option<IdentityId>) -> Result<(), GalleryError> {
        if name::checked(name)? != name {
            return Err(GalleryError::Unfitting {
                found: "a name with white space around it",
            });
        }
        match self.names.get(name) {
            Some(known) if Some(*known) != of => Err(GalleryError::NameTaken {
                name: name.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn check_templates(
        &self,
        templates: &[StoredTemplate<'_>],
        least: usize,
        most: usize,
    ) -> Result<(), GalleryError> {
        if !(least..=most).contains(&templates.len()) {
            return Err(GalleryError::Templates {
                found: templates.len(),
            });
        }
        for template in templates {
            if let Some(label) = &template.label {
                check_label(label)?;
            }
            if decode(&template.numbers, self.dimension, self.form()).is_err() {
                return Err(GalleryError::Unfitting {
                    found: "numbers that are no unit vector of the gallery's dimension",
                });
            }
        }
        Ok(())
    }

    fn check_strangers(
        &self,
        strangers: &[StoredTemplate<'_>],
        most: usize,
    ) -> Result<(), GalleryError> {
        match strangers.len() {
            found if found > most => Err(GalleryError::Strangers { found }),
            _ => self.check_templates(strangers, 0, most),
        }
    }

    /// Applies a record that [`Gallery::check`] found sound; `key` is a new person's data key.
    pub(super) fn apply(
        &mut self,
        sequence: u64,
        person: Option<IdentityId>,
        record: Record<'_>,
        key: Option<DataKey>,
    ) {
        let Record {
            at,
            operator,
            change,
        } = record;
        self.newest = self.newest.max(at);
        if let Some(act) = change.act().filter(|_| !operator.is_empty()) {
            let about = match &change {
                Change::Remove(removal) => Some(removal.person),
                _ => person.map(|person| person.0),
            };
            if self.history.len() == MAX_HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(Entry {
                sequence,
                at,
                operator: operator.into_owned(),
                act,
                person: about,
            });
        }
        let (dimension, form) = (self.dimension, self.form());
        let embedding =
            |template: &StoredTemplate<'_>| decode(&template.numbers, dimension, form).ok();
        let known = person.and_then(|id| self.people.get_mut(&id));
        match (change, person, known) {
            (Change::Settings(settings), ..) => {
                self.rotation = settings
                    .rotation
                    .map(|seed| Rotation::from_seed(seed, dimension));
            }
            (Change::Enroll(enroll), Some(id), _) => {
                self.next_id = self.next_id.max(id.0.saturating_add(1));
                let name = enroll.name.into_owned();
                self.names.insert(name.clone(), id);
                let templates = taken_in(&mut self.index, id, &enroll.templates, dimension);
                let identity = Identity {
                    id,
                    name,
                    enrolled_at: enroll.enrolled_at,
                    consent: enroll.consent,
                    templates,
                    anchors: enroll.anchors.iter().filter_map(embedding).collect(),
                    key: key.unwrap_or_else(|| DataKey::from_bytes([0; 32])),
                };
                self.people.insert(id, identity);
            }
            (Change::AddTemplates(templates), Some(id), Some(known)) => {
                known
                    .templates
                    .extend(taken_in(&mut self.index, id, &templates, dimension));
            }
            (Change::KeepTemplates(places), _, Some(known)) => {
                let mut place = 0;
                known.templates.retain(|template| {
                    let kept = places.contains(&place);
                    place += 1;
                    if !kept {
                        self.index.remove(template.slot);
                    }
                    kept
                });
            }
            (Change::Rename(name), Some(id), Some(known)) => {
                self.names.remove(&known.name);
                known.name = name.into_owned();
                self.names.insert(known.name.clone(), id);
            }
            (Change::Consent(consent), Some(id), Some(known)) => {
                known.consent = consent;
                self.suspended.remove(&id);
            }
            (Change::AddNegativeAnchors(anchors), _, Some(known)) => {
                known.anchors.extend(anchors.iter().filter_map(embedding));
            }
            (Change::Remove(removal), ..) => self.forget(removal),
            (Change::OperatingPoint(text), ..) => self.operating_point = point(&text),
            (Change::Cohort(strangers), ..) => {
                self.cohort = Index::new(dimension, form);
                self.strangers = strangers
                    .iter()
                    .filter_map(embedding)
                    .map(|stranger| self.cohort.push(IdentityId(u32::MAX), &stranger))
                    .collect();
            }
            (Change::Backup(backup), ..) => self.backups.push(backup),
            (Change::Ledger(ledger), ..) => {
                self.next_id = self.next_id.max(ledger.next_id);
                self.newest = self.newest.max(ledger.newest);
                self.removals = ledger.removals;
                self.backups = ledger.backups;
                let since = std::mem::replace(&mut self.history, ledger.history.into());
                self.history.extend(since);
                let over = self.history.len().saturating_sub(MAX_HISTORY);
                self.history.drain(..over);
            }
            // What `check` lets through has its person.
            (Change::KeyRotation | Change::Enroll(_), ..) => {}
            (
                Change::AddTemplates(_)
                | Change::KeepTemplates(_)
                | Change::Rename(_)
                | Change::Consent(_)
                | Change::AddNegativeAnchors(_),
                ..,
            ) => {}
        }
    }

    pub(super) fn forget(&mut self, removal: Removal) {
        let id = IdentityId(removal.person);
        if let Some(gone) = self.people.remove(&id) {
            self.names.remove(&gone.name);
            for template in &gone.templates {
                self.index.remove(template.slot);
            }
        }
        self.suspended.remove(&id);
        self.removals.push(removal);
        self.unerased = true;
    }
}

fn taken_in(
    index: &mut Index,
    id: IdentityId,
    templates: &[StoredTemplate<'_>],
    dimension: usize,
) -> Vec<Template> {
    // Exactly as many as there are: there is one such list for everybody.
    let mut taken = Vec::with_capacity(templates.len());
    for template in templates {
        let slot = match index.form() {
            TemplateForm::Full => decode(&template.numbers, dimension, TemplateForm::Full)
                .ok()
                .map(|embedding| index.push(id, &embedding)),
            TemplateForm::Compact => index.push_codes(id, &codes(&template.numbers)),
        };
        // What `check` lets through is a template.
        taken.extend(slot.map(|slot| Template {
            slot,
            label: template.label.as_deref().map(Box::from),
            taken_at: template.taken_at,
        }));
    }
    taken
}

fn codes(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|&code| code as i8).collect()
}

pub(super) fn check_label(label: &str) -> Result<(), GalleryError> {
    let found = label.chars().count();
    let refuse = |found| Err(GalleryError::Label { found });
    if !(1..=MAX_LABEL_CHARS).contains(&found) {
        return refuse(format!("{found} characters"));
    }
    match name::checked(label) {
        Ok(trimmed) if trimmed == label => Ok(()),
        _ => refuse("white space around it or a control character".to_owned()),
    }
}

fn point(text: &str) -> Option<OperatingPoint> {
    (text.len() <= MAX_POINT_BYTES)
        .then(|| toml::from_str(text).ok())
        .flatten()
}

/// A template's bytes in the file.
fn encode(stored: &Embedding, form: TemplateForm) -> Vec<u8> {
    match form {
        TemplateForm::Full => stored
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect(),
        TemplateForm::Compact => search::compact(stored)
            .into_iter()
            .map(|code| code as u8)
            .collect(),
    }
}

/// A template from its bytes in the file.
fn decode(bytes: &[u8], dimension: usize, form: TemplateForm) -> Result<Embedding, EmbeddingError> {
    let wrong = EmbeddingError::Dimension { found: bytes.len() };
    match form {
        TemplateForm::Full if bytes.len() == 4 * dimension => Embedding::from_unit(
            bytes
                .chunks_exact(4)
                .map(|value| f32::from_le_bytes(std::array::from_fn(|i| value[i])))
                .collect(),
        ),
        TemplateForm::Compact if bytes.len() == dimension && !bytes.contains(&0x80) => {
            Embedding::from_raw(bytes.iter().map(|&code| f32::from(code as i8)).collect())
        }
        _ => Err(wrong),
    }
}
