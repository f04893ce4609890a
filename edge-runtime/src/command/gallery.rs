//! `usher gallery`: looking after the people that a device knows.

mod audit;
mod backup;
mod compact;
mod consent;
mod export;
mod import;
mod list;
mod merge;
mod point;
mod receipt;
mod rekey;
mod remove;
mod rename;
mod restore;
mod show;
mod sweep;
mod verify;

use std::io::{self, Write};

use clap::Subcommand;

/// What can be done with a gallery.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  usher gallery list --gallery people.gallery
  usher gallery show \"Ada Lovelace\" --gallery people.gallery
  usher gallery remove \"#3\" --gallery people.gallery --receipt receipt.json

A person is named by name or by #number. list, show, export, audit and verify change nothing and work while usher run
holds the gallery; the others need it alone. Every change is kept in the history, with the operator's name.")]
pub(super) enum GalleryCommand {
    /// Who is enrolled
    List(list::List),
    /// What is kept of one person
    Show(show::Show),
    /// Remove a person for good, and print a receipt
    Remove(remove::Remove),
    /// Give a person another name
    Rename(rename::Rename),
    /// Make one person of two entries
    Merge(merge::Merge),
    /// Renew a person's consent
    Consent(consent::Renew),
    /// Remove everybody whose consent has run out
    Sweep(sweep::SweepExpired),
    /// Set which of the model's thresholds decides in this gallery
    Point(point::Point),
    /// Write people to a file: one person's own data, or everybody encrypted for a recipient
    Export(export::Export),
    /// Enroll the people of an exported file
    Import(import::Import),
    /// Copy the gallery, sealed as it is
    Backup(backup::BackUp),
    /// Put a backup in the gallery's place; who was removed since stays removed
    Restore(restore::Restore),
    /// Tell whether the file is whole
    Verify(verify::Verify),
    /// Write the file anew without what no longer counts
    Compact(compact::Compact),
    /// Seal the file by another key
    Rekey(rekey::Rekey),
    /// History, consents about to run out, likely twins and duplicates, doubtful templates, backups
    Audit(audit::Audit),
}

impl GalleryCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.execute(),
            Self::Show(show) => show.execute(),
            Self::Remove(remove) => remove.execute(),
            Self::Rename(rename) => rename.execute(),
            Self::Merge(merge) => merge.execute(),
            Self::Consent(renew) => renew.execute(),
            Self::Sweep(sweep) => sweep.execute(),
            Self::Point(point) => point.execute(),
            Self::Export(export) => export.execute(),
            Self::Import(import) => import.execute(),
            Self::Backup(backup) => backup.execute(),
            Self::Restore(restore) => restore.execute(),
            Self::Verify(verify) => verify.execute(),
            Self::Compact(compact) => compact.execute(),
            Self::Rekey(rekey) => rekey.execute(),
            Self::Audit(audit) => audit.execute(),
        }
    }
}

/// Prints JSON for a machine.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&(serde_json::to_string_pretty(value)? + "\n"))
}

/// Prints to standard output; a reader who has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
