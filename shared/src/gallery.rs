//! The people a device knows: identities with their templates, and the decision about a probe.

pub mod error;
pub mod format;
pub mod name;
pub mod search;

use std::fmt;
use std::io::Read;
use std::path::Path;

use crate::atomic_file::{self, Readers};
use crate::distance::SquaredL2;
use crate::embedding::Embedding;
use crate::model_id::ModelId;
use crate::operating_point::Threshold;

pub use error::GalleryError;
pub use search::Nearest;

/// Most people in one gallery.
pub const MAX_IDENTITIES: usize = 10_000;
/// Most templates of one person.
pub const MAX_TEMPLATES: usize = 100;

/// Everybody enrolled, with templates of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Gallery {
    model: ModelId,
    dimension: usize,
    /// Never given twice, so that an id in an old event cannot come to mean somebody else.
    next_id: u32,
    identities: Vec<Identity>,
}

/// A person's number in a gallery: what events carry in place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId(u32);

/// A person with a name and one or more templates.
#[derive(Clone, PartialEq)]
pub struct Identity {
    id: IdentityId,
    name: String,
    templates: Vec<Embedding>,
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
    /// An empty gallery for embeddings of one model, each of `dimension` numbers.
    pub fn new(model: ModelId, dimension: usize) -> Gallery {
        Gallery {
            model,
            dimension,
            next_id: 1,
            identities: Vec::new(),
        }
    }

    /// The model whose templates these are.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// Numbers in a template.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Adds a person; the name is trimmed.
    ///
    /// # Errors
    /// [`GalleryError`] when the name is empty, too long, unprintable or taken, there are no
    /// templates or too many, one has another dimension, or the gallery is full.
    pub fn enroll(
        &mut self,
        name: &str,
        templates: Vec<Embedding>,
    ) -> Result<&Identity, GalleryError> {
        let name = name::checked(name)?;
        if self.identities.iter().any(|known| known.name == name) {
            return Err(GalleryError::NameTaken { name });
        }
        self.check_templates(&templates)?;
        if self.identities.len() >= MAX_IDENTITIES || self.next_id == u32::MAX {
            return Err(GalleryError::Full);
        }
        let id = IdentityId(self.next_id);
        self.next_id += 1;
        self.identities.push(Identity {
            id,
            name,
            templates,
        });
        Ok(&self.identities[self.identities.len() - 1])
    }

    fn check_templates(&self, templates: &[Embedding]) -> Result<(), GalleryError> {
        if templates.is_empty() || templates.len() > MAX_TEMPLATES {
            return Err(GalleryError::Templates {
                found: templates.len(),
            });
        }
        match templates.iter().find(|t| t.dimension() != self.dimension) {
            Some(template) => Err(GalleryError::Dimension {
                expected: self.dimension,
                found: template.dimension(),
            }),
            None => Ok(()),
        }
    }

    /// Takes a person out, templates and all.
    ///
    /// # Errors
    /// [`GalleryError::NoSuchName`] when nobody has this name.
    pub fn remove(&mut self, name: &str) -> Result<Identity, GalleryError> {
        let name = name.trim();
        match self.identities.iter().position(|known| known.name == name) {
            Some(place) => Ok(self.identities.remove(place)),
            None => Err(GalleryError::NoSuchName {
                name: name.to_owned(),
            }),
        }
    }

    /// Everybody, in the order of enrollment.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// The person with this number, if still enrolled.
    pub fn identity(&self, id: IdentityId) -> Option<&Identity> {
        self.identities.iter().find(|known| known.id == id)
    }

    /// The identity whose best template is closest to the probe; none in an empty gallery.
    ///
    /// Of equally close identities the one enrolled first is named.
    ///
    /// # Panics
    /// When the probe has another dimension: it comes from another model.
    pub fn nearest(&self, probe: &Embedding) -> Option<Nearest> {
        self.identities
            .iter()
            .filter_map(|identity| {
                let distance = identity
                    .templates
                    .iter()
                    .map(|template| SquaredL2::between(probe, template))
                    .min()?;
                Some(Nearest {
                    identity: identity.id,
                    distance,
                })
            })
            .min_by_key(|nearest| nearest.distance)
    }

    /// Whether the probe is somebody enrolled, and who.
    ///
    /// # Panics
    /// As [`Gallery::nearest`].
    pub fn decide(&self, probe: &Embedding, threshold: &Threshold) -> Decision {
        match self.nearest(probe) {
            Some(nearest) if threshold.accepts(nearest.distance) => Decision::Match {
                identity: nearest.identity,
                distance: nearest.distance,
            },
            nearest => Decision::NoMatch {
                nearest: nearest.map(|nearest| nearest.distance),
            },
        }
    }

    /// Reads a gallery whose templates were made by `model`.
    ///
    /// # Errors
    /// [`GalleryError`] when there is no such file, it is damaged, cut short or of another format,
    /// or its templates are of another model.
    pub fn read(path: &Path, model: &ModelId) -> Result<Gallery, GalleryError> {
        let unreadable = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => GalleryError::Missing {
                path: path.to_owned(),
            },
            _ => GalleryError::Read {
                path: path.to_owned(),
                source,
            },
        };
        let mut bytes = Vec::new();
        // One byte more than allowed, so that a longer file is told from one that just fits.
        std::fs::File::open(path)
            .map_err(unreadable)?
            .take(format::MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let damaged = |source| GalleryError::File {
            path: path.to_owned(),
            source,
        };
        let gallery = format::decode(&bytes).map_err(damaged)?;
        if gallery.model != *model {
            return Err(GalleryError::OtherModel {
                path: path.to_owned(),
                gallery: gallery.model,
                device: *model,
            });
        }
        Ok(gallery)
    }

    /// Writes the gallery in place of the file at `path`, whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// [`GalleryError`] when the gallery is larger than a file may be, or cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), GalleryError> {
        let bytes = format::encode(self).map_err(|source| GalleryError::File {
            path: path.to_owned(),
            source,
        })?;
        atomic_file::replace(path, &bytes, Readers::Owner).map_err(|source| GalleryError::Write {
            path: path.to_owned(),
            source,
        })
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

    /// The stored references, at least one.
    pub fn templates(&self) -> &[Embedding] {
        &self.templates
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

#[cfg(test)]
pub(crate) mod tests;
