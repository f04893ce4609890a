//! `usher gallery backup`: a copy of the gallery, sealed as it is.

use std::path::PathBuf;

use clap::Args;
use shared::gallery::key::SealKind;

use super::super::files::must_be_new;
use super::super::sealing::{Held, Operator, by};
use super::super::table::fields;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery backup /mnt/usb/people-2026-11-24.gallery --gallery people.gallery

The gallery remembers its backups, so that a removal's receipt can name those that still hold the person. A backup opens
with the key that the gallery had when it was made: keep that key, elsewhere.")]
pub(in crate::command) struct BackUp {
    /// The new file
    to: PathBuf,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl BackUp {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        must_be_new(&self.to)?;
        let mut store = self.held.open()?;
        let backup = store.back_up(&self.to, by(&operator))?;
        let opens = match store.seal() {
            SealKind::Plain => "without a key: it is NOT SEALED",
            SealKind::KeyFile => "with the gallery's key file; keep a copy of that, elsewhere",
            SealKind::Passphrase => "with the gallery's passphrase",
            SealKind::Chip => "with this device's chip alone",
        };
        print!(
            "{}",
            fields(&[
                ("backup", self.to.display().to_string()),
                ("holds", format!("all up to record {}", backup.sequence)),
                ("opens", opens.to_owned()),
            ])
        );
        println!(
            "next: usher gallery restore {} --gallery {}",
            self.to.display(),
            self.held.gallery.display()
        );
        Ok(())
    }
}
