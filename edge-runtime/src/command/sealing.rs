//! What every command with a gallery shares: which one, what opens it, by whose order and when.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use shared::gallery::consent::{MAX_WORDS_BYTES, WallTime};
use shared::gallery::options::{Asking, KeyOptions, Keys};
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{By, Condition, Inspection, Making, OpenReport, Opening};
use shared::gallery::{Gallery, GalleryError, GalleryStore};
use shared::model_id::ModelId;

/// A gallery, and what opens it.
#[derive(Debug, Args)]
pub(super) struct Held {
    /// The gallery's file
    #[arg(long, value_name = "FILE")]
    pub(super) gallery: PathBuf,
    #[command(flatten)]
    pub(super) keys: KeyOptions,
}

/// Who gives the order.
#[derive(Debug, Args)]
pub(super) struct Operator {
    /// Who does this; it is kept in the gallery's history [default: $USER]
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
}

/// How a gallery that is not there yet is made.
#[derive(Debug, Default, Args)]
pub(super) struct NewGallery {
    /// A new gallery turns all templates by a secret rotation, so that another site's cannot be linked with them
    #[arg(long)]
    rotated: bool,
    /// A new gallery keeps templates in a byte per number instead of four
    #[arg(long)]
    compact: bool,
}

impl Held {
    /// The gallery as it is, of any model; nothing is locked and nothing changed.
    pub(super) fn read(&self) -> anyhow::Result<(Gallery, Inspection)> {
        let keys = self.keys.keys(Asking::Once)?;
        let (gallery, inspection) = GalleryStore::inspect(&self.gallery, None, keys.sealing())?;
        tell_left_out(inspection.left_out);
        if matches!(
            inspection.condition(),
            Condition::RolledBack { .. } | Condition::Counter
        ) {
            eprintln!(
                "warning: this is perhaps not the gallery's newest state; see usher gallery verify --gallery {}",
                self.gallery.display()
            );
        }
        Ok((gallery, inspection))
    }

    /// The gallery, held by this process alone, of any model.
    pub(super) fn open(&self) -> anyhow::Result<GalleryStore> {
        let keys = self.keys.keys(Asking::Once)?;
        Ok(self.open_with(&keys, None)?)
    }

    /// The gallery, held by this process alone.
    pub(super) fn open_with(
        &self,
        keys: &Keys,
        model: Option<&ModelId>,
    ) -> Result<GalleryStore, GalleryError> {
        let opening = Opening {
            sealing: keys.sealing(),
            model,
            accept_loss: false,
        };
        let (store, report) = GalleryStore::open(&self.gallery, &opening)?;
        tell(&report, &self.gallery);
        Ok(store)
    }

    /// A new gallery, and its key if there is none yet.
    pub(super) fn create(
        &self,
        keys: &Keys,
        (model, dimension): (ModelId, usize),
        new: &NewGallery,
        by: By<'_>,
    ) -> anyhow::Result<GalleryStore> {
        tell_made_key(keys)?;
        let making = Making {
            sealing: keys.sealing(),
            model,
            dimension,
            form: new.form(),
            rotated: new.rotated,
        };
        Ok(GalleryStore::create(&self.gallery, &making, by)?)
    }
}

impl NewGallery {
    /// How templates are kept.
    pub(super) fn form(&self) -> TemplateForm {
        match self.compact {
            true => TemplateForm::Compact,
            false => TemplateForm::Full,
        }
    }

    /// That what was asked for does not contradict the gallery that is there.
    pub(super) fn check_against(&self, gallery: &Gallery) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.rotated || gallery.is_rotated(),
            "expected a gallery whose templates are rotated, found one made without --rotated; leave --rotated out, or run \
             usher gallery rekey --new-rotation"
        );
        anyhow::ensure!(
            !self.compact || gallery.form() == TemplateForm::Compact,
            "expected a gallery of compact templates, found one made without --compact; leave --compact out, or export the \
             people and import them into a new gallery"
        );
        Ok(())
    }
}

impl Operator {
    /// The name that the history keeps.
    pub(super) fn name(&self) -> anyhow::Result<String> {
        let given = self
            .operator
            .clone()
            .or_else(|| std::env::var("USER").ok())
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty());
        let Some(name) = given else {
            anyhow::bail!(
                "expected to know who gives the order, found no $USER; say it by --operator NAME"
            );
        };
        anyhow::ensure!(
            name.len() <= MAX_WORDS_BYTES,
            "expected an operator's name of at most {MAX_WORDS_BYTES} bytes, found {}; shorten it",
            name.len()
        );
        Ok(name)
    }
}

/// An order by `operator`, now.
pub(super) fn by(operator: &str) -> By<'_> {
    By {
        operator,
        at: now(),
    }
}

/// The wall clock. One that shows a time before 1970 counts as 1970, which the gallery does not believe.
pub(crate) fn now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallTime::from_unix_seconds(since.map_or(0, |since| since.as_secs()))
}

/// Makes the key file if there is none yet, and says so.
pub(super) fn tell_made_key(keys: &Keys) -> anyhow::Result<()> {
    if let Some(path) = keys.make()? {
        eprintln!(
            "made a new key in {}\n\
             KEEP A COPY of it in another safe place: without the key nobody can open the gallery, you neither.",
            path.display()
        );
    }
    Ok(())
}

/// What an opening found that a person should know.
fn tell(report: &OpenReport, path: &Path) {
    if report.cut_bytes > 0 {
        eprintln!(
            "note: {} ended in {} bytes of a record that was never acknowledged (a power cut?); they were cut off",
            path.display(),
            report.cut_bytes
        );
    }
    if report.without_counter {
        eprintln!(
            "note: there was no counter beside {}, so nobody can tell whether this is its newest state; there is one now",
            path.display()
        );
    }
    tell_left_out(report.left_out);
}

fn tell_left_out(records: u64) {
    if records > 0 {
        eprintln!(
            "note: {records} records were written by a newer usher and are left out; update usher"
        );
    }
}
