//! Who is known: from a folder per person, or from a kiosk's gallery.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use shared::Gallery;
use shared::gallery::options::{Asking, KeyOptions};

use crate::embeddings::{Faces, Photos, Source};
use crate::verification::neighbors::Template;

/// People with their templates.
pub(super) struct Known {
    /// The people's names.
    pub(super) names: Vec<String>,
    /// All templates; a template's person is an index into the names.
    pub(super) templates: Vec<Template>,
}

impl Known {
    /// Those of a folder per person, embedded now, or of a gallery file.
    pub(super) fn open(place: &Path, source: &Source, keys: &KeyOptions) -> anyhow::Result<Self> {
        if place.is_dir() {
            Self::from_folder(place, source)
        } else {
            Self::from_gallery(place, source, keys)
        }
    }

    /// Whether there is a template of that person from another picture than that one.
    pub(super) fn has_another(&self, name: &str, picture: &[u8; 32]) -> bool {
        let Some(person) = self.names.iter().position(|known| known == name) else {
            return false;
        };
        let mut of_person = self.templates.iter().filter(|of| of.person == person);
        of_person.any(|template| template.digest.as_ref() != Some(picture))
    }

    fn from_gallery(path: &Path, source: &Source, keys: &KeyOptions) -> anyhow::Result<Self> {
        let keys = keys.keys(Asking::Once)?;
        let gallery = Gallery::read(path, &source.manifest()?.model_id(), keys.sealing())?;
        let mut known = Self {
            names: Vec::new(),
            templates: Vec::new(),
        };
        for (person, identity) in gallery.identities().enumerate() {
            known.names.push(identity.name().to_owned());
            let embeddings = gallery.embeddings(identity.id()).into_iter();
            known.templates.extend(embeddings.map(|embedding| Template {
                person,
                digest: None,
                embedding,
            }));
        }
        ensure!(
            !known.templates.is_empty(),
            "expected people in {}, found none: enroll somebody first",
            path.display()
        );
        Ok(known)
    }

    fn from_folder(folder: &Path, source: &Source) -> anyhow::Result<Self> {
        let mut photos = Photos::open(folder)?;
        let all = photos.photos.len();
        photos.photos.retain(|photo| photo.label.is_some());
        ensure!(
            !photos.photos.is_empty(),
            "expected a folder per person in {}, found {all} loose pictures",
            folder.display()
        );
        let set = source
            .embed(&photos, Faces::Central)
            .with_context(|| format!("cannot use {} as a gallery", folder.display()))?;
        eprint!("{}", set.left_out());
        let mut places = BTreeMap::new();
        let mut known = Self {
            names: Vec::new(),
            templates: Vec::with_capacity(set.faces.len()),
        };
        for face in set.faces {
            let Some(label) = face.label else { continue };
            let person = *places.entry(label.clone()).or_insert_with(|| {
                known.names.push(label);
                known.names.len() - 1
            });
            known.templates.push(Template {
                person,
                digest: Some(face.digest),
                embedding: face.embedding,
            });
        }
        ensure!(
            !known.templates.is_empty(),
            "expected faces in the pictures of {}, found none",
            folder.display()
        );
        Ok(known)
    }
}
