//! `usher gallery rekey`: the file is sealed by another key.

use std::path::PathBuf;

use clap::Args;
use shared::gallery::options::{Asking, KeyOptions, Keys};

use super::super::sealing::{Held, Operator, by, tell_made_key};
use super::super::table::fields;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery rekey --gallery people.gallery --to-key new.key
  usher gallery rekey --gallery people.gallery --to-passphrase-file words --new-rotation

The key file is made if it is not there. --new-rotation issues every template anew, turned by another secret rotation:
what was stolen before no longer matches what is kept now. Whoever took both the file and its key has the faces all the
same: a rotation is no substitute for the seal.")]
#[command(group = clap::ArgGroup::new("to").args(["to_key", "to_passphrase", "to_passphrase_file"]))]
#[command(group = clap::ArgGroup::new("what").args(["to_key", "to_passphrase", "to_passphrase_file", "new_rotation"]).multiple(true).required(true))]
pub(in crate::command) struct Rekey {
    #[command(flatten)]
    held: Held,
    /// Seal by the key in this file; made if it is not there
    #[arg(long, value_name = "FILE")]
    to_key: Option<PathBuf>,
    /// Seal by a passphrase, asked for at the terminal
    #[arg(long)]
    to_passphrase: bool,
    /// Seal by the passphrase in this file's first line
    #[arg(long, value_name = "FILE")]
    to_passphrase_file: Option<PathBuf>,
    /// Turn every template by a new secret rotation; alone, the key stays
    #[arg(long)]
    new_rotation: bool,
    #[command(flatten)]
    operator: Operator,
}

impl Rekey {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let keys = self.held.keys.keys(Asking::Once)?;
        let new = self.new_keys()?;
        let mut store = self.held.open_with(&keys, None)?;
        // Only now: what cannot be opened needs no key.
        if let Some(new) = &new {
            tell_made_key(new)?;
        }
        let sealed_by = new.as_ref().unwrap_or(&keys);
        store.rekey(sealed_by.sealing(), self.new_rotation, by(&operator))?;
        let mut lines = vec![(
            "sealed",
            format!("{} by {sealed_by}", self.held.gallery.display()),
        )];
        if self.new_rotation {
            lines.push(("rotation", "new: all templates were issued anew".to_owned()));
        }
        if new.is_some() && !store.gallery().backups().is_empty() {
            lines.push((
                "backups",
                format!("those made so far open with what was before: {keys}"),
            ));
        }
        print!("{}", fields(&lines));
        Ok(())
    }

    fn new_keys(&self) -> anyhow::Result<Option<Keys>> {
        if self.to_key.is_none() && !self.to_passphrase && self.to_passphrase_file.is_none() {
            return Ok(None);
        }
        let options = KeyOptions {
            key: self.to_key.clone(),
            passphrase: self.to_passphrase,
            passphrase_file: self.to_passphrase_file.clone(),
            plain: false,
        };
        Ok(Some(options.keys(Asking::Twice)?))
    }
}
