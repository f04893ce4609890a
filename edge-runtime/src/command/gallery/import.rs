//! `usher gallery import`: people from another gallery are enrolled in this one.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use shared::gallery::options::{Asking, Keys};
use shared::gallery::store::By;
use shared::gallery::transfer::{self, Document, Person};
use shared::gallery::{GalleryError, GalleryStore};
use shared::manifest::ModelManifest;
use shared::operating_point::OperatingPoint;
use zeroize::Zeroizing;

use super::super::WhichModel;
use super::super::sealing::{Held, NewGallery, Operator, by};
use super::super::table::{called, counted, fields};
use crate::likeness::{Judgement, closest, deciding};

/// The first bytes of a file that age encrypted.
const AGE_MAGIC: &[u8] = b"age-encryption.org/";

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery import people.age --identity key.txt --gallery people.gallery --model models/usher-small.toml

The templates must be of the gallery's model. Who has a name that is taken, or looks like somebody enrolled, is left out
and named; the others are enrolled under new numbers, with their consents as they were recorded. The gallery is made
when it is missing.")]
pub(in crate::command) struct Import {
    /// What usher gallery export wrote
    file: PathBuf,
    /// The recipient's key file, as age-keygen makes it; not needed for readable JSON
    #[arg(long, value_name = "KEYFILE")]
    identity: Option<PathBuf>,
    /// What tells a duplicate [default: the gallery's operating point does]
    #[command(flatten)]
    which: WhichModel,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    new: NewGallery,
    #[command(flatten)]
    operator: Operator,
}

impl Import {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let by = by(&operator);
        let manifest = self.which.manifest()?;
        let document = self.document()?;
        if let Some(manifest) = &manifest {
            ensure!(
                manifest.model_id() == document.model(),
                "expected people of model {}, found templates of {}; install that model, or enroll these people again",
                manifest.model_id(),
                document.model()
            );
        }
        let is_new = !self.held.gallery.exists();
        let asking = if is_new { Asking::Twice } else { Asking::Once };
        let keys = self.held.keys.keys(asking)?;
        let (mut store, point) = self.open(is_new, &keys, (&document, manifest.as_ref()), by)?;
        let (mut enrolled, mut left_out) = (0, Vec::new());
        for person in document.people() {
            match enroll(&mut store, person, &point, by)? {
                None => enrolled += 1,
                Some(reason) => left_out.push((person, reason)),
            }
        }
        for (person, reason) in &left_out {
            eprintln!(
                "left out: {} (#{} there): {reason}",
                person.name, person.number
            );
        }
        let people = counted(store.gallery().people(), "person", "people");
        print!(
            "{}",
            fields(&[
                ("imported", counted(enrolled, "person", "people")),
                ("left out", counted(left_out.len(), "person", "people")),
                (
                    "gallery",
                    format!(
                        "{}, {people}, sealed by {keys}",
                        self.held.gallery.display()
                    )
                ),
            ])
        );
        Ok(())
    }

    /// The gallery, made if it is missing, and what tells a duplicate.
    fn open(
        &self,
        is_new: bool,
        keys: &Keys,
        (document, manifest): (&Document, Option<&ModelManifest>),
        by: By<'_>,
    ) -> anyhow::Result<(GalleryStore, OperatingPoint)> {
        let no_point = "expected something that tells what a duplicate is, found a gallery without an operating point; name \
                        the model by --model";
        if is_new {
            let manifest = manifest.context(no_point)?;
            let point = self.point(manifest, None)?;
            let model = (document.model(), document.dimension());
            return Ok((self.held.create(keys, model, &self.new, by)?, point));
        }
        let store = self.held.open_with(keys, Some(&document.model()))?;
        self.new.check_against(store.gallery())?;
        let point = match manifest {
            Some(manifest) => self.point(manifest, Some(&store))?,
            None => store.gallery().operating_point().context(no_point)?.clone(),
        };
        Ok((store, point))
    }

    fn point(
        &self,
        manifest: &ModelManifest,
        store: Option<&GalleryStore>,
    ) -> anyhow::Result<OperatingPoint> {
        let empty = shared::Gallery::new(manifest.model_id(), manifest.dimension);
        let gallery = store.map_or(&empty, GalleryStore::gallery);
        let fpir = self.which.fpir()?;
        Ok(Judgement::new(manifest, deciding(manifest, None, gallery, fpir)?).duplicate)
    }

    fn document(&self) -> anyhow::Result<Document> {
        let path = &self.file;
        let unreadable = || {
            format!(
                "expected exported people in {}, which cannot be read; check path and permissions",
                path.display()
            )
        };
        let file = std::fs::File::open(path).with_context(unreadable)?;
        let bytes = read(file).with_context(unreadable)?;
        let bytes = match bytes.starts_with(AGE_MAGIC) {
            true => self.decrypted(&bytes)?,
            false => bytes,
        };
        transfer::read(&bytes).with_context(|| path.display().to_string())
    }

    fn decrypted(&self, bytes: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let path = self.file.display();
        let key = self.identity.as_deref().with_context(|| {
            format!("expected a key for {path}, which is encrypted, found none; name the recipient's key file by --identity")
        })?;
        let identities = identities(key)?;
        let opened = age::Decryptor::new(bytes).and_then(|decryptor| {
            decryptor.decrypt(
                identities
                    .iter()
                    .map(|identity| identity.as_ref() as &dyn age::Identity),
            )
        });
        let opened = opened.map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => anyhow::anyhow!(
                "expected {path} to be encrypted for the key in {}, found that it is for another; name the key of one of its \
                 recipients",
                key.display()
            ),
            error => anyhow::anyhow!("expected a file that age encrypted at {path}, found: {error}; export it again"),
        })?;
        read(opened).with_context(|| {
            format!("expected {path} to decrypt, found it damaged; copy or export it again")
        })
    }
}

/// All bytes, one more than a document may have at most.
fn read(from: impl Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(transfer::MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn identities(path: &Path) -> anyhow::Result<Vec<Box<dyn age::Identity + Send + Sync>>> {
    let file = std::fs::File::open(path).with_context(|| {
        format!(
            "expected a key file of age at {}, which cannot be read; check path and permissions",
            path.display()
        )
    })?;
    let wrong = || {
        format!(
            "expected a key file of age at {}, found other content; name the one that age-keygen made",
            path.display()
        )
    };
    let identities = age::IdentityFile::from_buffer(BufReader::new(file)).with_context(wrong)?;
    identities.into_identities().with_context(wrong)
}

/// Enrolls one person; says why not, if not.
fn enroll(
    store: &mut GalleryStore,
    person: &Person,
    point: &OperatingPoint,
    by: By<'_>,
) -> anyhow::Result<Option<String>> {
    if person
        .consent
        .has_expired(by.at.max(store.gallery().newest_record()))
    {
        return Ok(Some("the consent has run out".to_owned()));
    }
    let enrollee = person.enrollee();
    let faces: Vec<_> = enrollee
        .templates
        .iter()
        .map(|template| template.embedding.clone())
        .collect();
    let alike = closest(store.gallery(), &faces, None);
    if let Some(alike) = alike.filter(|alike| point.threshold.accepts(alike.distance)) {
        return Ok(Some(format!(
            "looks like {}, distance {:.2}, at most {:.2} ({}) is a possible duplicate",
            called(store.gallery(), alike.identity),
            alike.distance.value(),
            point.threshold.value(),
            point.name
        )));
    }
    match store.enroll(&enrollee, by) {
        Ok(id) => {
            let anchors: Vec<_> = person
                .negative_anchors
                .iter()
                .map(transfer::Face::template)
                .collect();
            if !anchors.is_empty() {
                store.add_negative_anchors(id, &anchors, by)?;
            }
            Ok(None)
        }
        Err(GalleryError::NameTaken { .. }) => Ok(Some("the name is taken".to_owned())),
        Err(error) => Err(error.into()),
    }
}
