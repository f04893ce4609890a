//! `usher gallery restore`: a backup takes the gallery's place.

use std::path::PathBuf;

use clap::Args;
use shared::gallery::GalleryStore;
use shared::gallery::options::{Asking, KeyOptions, Keys};
use shared::gallery::store::Restoring;

use super::super::sealing::{Held, Operator, by, tell_made_key};
use super::super::table::{counted, fields};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery restore /mnt/usb/people-2026-11-24.gallery --gallery people.gallery
  usher gallery restore monday.gallery --backup-key old.key --gallery people.gallery --removed 3 --removed-are-all

Who was removed since the backup stays removed: the gallery that is there says who. Where it is lost or cannot be read,
the receipts say it: name each person by --removed, and say --removed-are-all.")]
pub(in crate::command) struct Restore {
    /// The backup's file
    backup: PathBuf,
    #[command(flatten)]
    held: Held,
    /// The backup's key file [default: what opens the gallery]
    #[arg(long, value_name = "FILE", conflicts_with = "backup_passphrase_file")]
    backup_key: Option<PathBuf>,
    /// The backup's passphrase is this file's first line
    #[arg(long, value_name = "FILE")]
    backup_passphrase_file: Option<PathBuf>,
    /// Somebody who was removed since, by the number on the receipt
    #[arg(long, value_name = "N")]
    removed: Vec<u32>,
    /// These are all who were removed since, and nobody was if none is named: go on without the gallery that is there
    #[arg(long)]
    removed_are_all: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Restore {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let keys = self.held.keys.keys(Asking::Once)?;
        let backup_keys = self.backup_keys()?;
        // A gallery that was lost with its key is sealed by a new one; the backup needs its own.
        if self.removed_are_all && backup_keys.is_some() {
            tell_made_key(&keys)?;
        }
        let restoring = Restoring {
            backup: &self.backup,
            backup_sealing: backup_keys.as_ref().unwrap_or(&keys).sealing(),
            sealing: keys.sealing(),
            model: None,
            removed: &self.removed,
            removed_are_all: self.removed_are_all,
        };
        let (store, restored) =
            GalleryStore::restore(&self.held.gallery, &restoring, by(&operator))?;
        let mut lines = vec![(
            "restored",
            format!(
                "{} in {}, sealed by {keys}",
                counted(restored.people, "person", "people"),
                self.held.gallery.display()
            ),
        )];
        lines.push((
            "left out",
            match restored.left_out.as_slice() {
                [] => "nobody: none of them was removed since".to_owned(),
                removed => {
                    let numbers: Vec<_> = removed.iter().map(|id| format!("#{id}")).collect();
                    format!("{}, removed since", numbers.join(", "))
                }
            },
        ));
        lines.push((
            "lost",
            match restored.lost {
                Some(0) => "nobody was enrolled since".to_owned(),
                Some(lost) => format!(
                    "{} enrolled since; enroll them again",
                    counted(lost, "person", "people")
                ),
                None => "whoever was enrolled since; the gallery that was there could not be read"
                    .to_owned(),
            },
        ));
        print!("{}", fields(&lines));
        drop(store);
        Ok(())
    }

    fn backup_keys(&self) -> anyhow::Result<Option<Keys>> {
        if self.backup_key.is_none() && self.backup_passphrase_file.is_none() {
            return Ok(None);
        }
        let options = KeyOptions {
            key: self.backup_key.clone(),
            passphrase_file: self.backup_passphrase_file.clone(),
            ..KeyOptions::default()
        };
        Ok(Some(options.keys(Asking::Once)?))
    }
}
