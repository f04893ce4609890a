//! The exact search: which identity a probe is closest to, and which comes next.

use super::IdentityId;
use crate::distance::SquaredL2;
use crate::embedding::Embedding;

/// How templates are kept, in memory and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateForm {
    /// Every number as f32: distances are exact.
    Full,
    /// Every number as int8: a template is the unit vector in the direction of its codes.
    Compact,
}

/// Where a template lies in an [`Index`]: the same from [`Index::push`] to [`Index::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

/// The identity whose best template is closest to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Whose template it is.
    pub identity: IdentityId,
    /// How far it is.
    pub distance: SquaredL2,
}

/// What a search finds: two identities at most, each by its closest template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The closest identity; of equally close ones that with the lowest number. None without templates.
    pub best: Option<Nearest>,
    /// The closest of the other identities, by the same rule.
    pub runner_up: Option<Nearest>,
}

/// Templates, each of an identity, laid out for searching.
#[derive(Clone, Debug)]
pub struct Index {
    dimension: usize,
    form: TemplateForm,
    rows: Vec<Option<(IdentityId, Embedding)>>,
}

impl Index {
    /// An empty index of templates of `dimension` numbers.
    pub fn new(dimension: usize, form: TemplateForm) -> Index {
        Index {
            dimension,
            form,
            rows: Vec::new(),
        }
    }

    /// Adds a template of an identity.
    ///
    /// # Panics
    /// When the template has another dimension: it comes from another model.
    pub fn push(&mut self, owner: IdentityId, template: &Embedding) -> Slot {
        assert_eq!(
            template.dimension(),
            self.dimension,
            "a template of this model"
        );
        self.rows.push(Some((owner, template.clone())));
        Slot((self.rows.len() - 1) as u32)
    }

    /// Takes a template out; its numbers are overwritten with zeros.
    ///
    /// # Panics
    /// When the slot is empty.
    pub fn remove(&mut self, slot: Slot) {
        assert!(self.rows[slot.0 as usize].take().is_some(), "a filled slot");
    }

    /// The template in a slot.
    ///
    /// # Panics
    /// When the slot is empty.
    #[allow(clippy::expect_used, reason = "an empty slot is a bug of the caller")]
    pub fn template(&self, slot: Slot) -> Embedding {
        self.rows[slot.0 as usize]
            .as_ref()
            .expect("a filled slot")
            .1
            .clone()
    }

    /// Templates in the index.
    pub fn len(&self) -> usize {
        self.rows.iter().flatten().count()
    }

    /// Whether there is no template.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How templates are kept.
    pub fn form(&self) -> TemplateForm {
        self.form
    }

    /// The closest identity and the next.
    ///
    /// # Panics
    /// When the probe has another dimension: it comes from another model.
    pub fn search(&self, probe: &Embedding) -> Found {
        let mut found = Found::default();
        for (identity, template) in self.rows.iter().flatten() {
            found.take(Nearest {
                identity: *identity,
                distance: SquaredL2::between(probe, template),
            });
        }
        found
    }

    /// [`Index::search`] for every probe.
    ///
    /// # Panics
    /// As [`Index::search`].
    pub fn search_batch(&self, probes: &[Embedding]) -> Vec<Found> {
        probes.iter().map(|probe| self.search(probe)).collect()
    }
}

impl Found {
    /// Takes one more template's distance in.
    fn take(&mut self, candidate: Nearest) {
        let closer = |than: &Option<Nearest>| {
            than.is_none_or(|than| {
                (candidate.distance, candidate.identity) < (than.distance, than.identity)
            })
        };
        match self.best {
            Some(best) if best.identity == candidate.identity => {
                if closer(&self.best) {
                    self.best = Some(candidate);
                }
            }
            _ if closer(&self.best) => self.runner_up = self.best.replace(candidate),
            _ if closer(&self.runner_up) => self.runner_up = Some(candidate),
            _ => {}
        }
    }
}

/// The codes of a template's compact form, -127 to 127 each.
///
/// The template that they stand for is the unit vector in their direction.
pub fn compact(template: &Embedding) -> Vec<i8> {
    let most = template
        .values()
        .iter()
        .fold(0.0_f32, |most, v| most.max(v.abs()));
    template
        .values()
        .iter()
        .map(|v| (v / most * 127.0).round() as i8)
        .collect()
}
