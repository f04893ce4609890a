//! `usher gallery remove`: a person is no longer enrolled.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;
use shared::gallery::RemovalReason;

use super::super::files::{must_be_new, write_new};
use super::super::sealing::{Held, Operator, by};
use super::super::table::{Who, called, counted};
use super::{print_json, receipt};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery remove \"Ada Lovelace\" --gallery people.gallery --receipt receipt.json
  usher gallery remove \"#3\" --gallery people.gallery --yes --json

The person's data key is destroyed and the file written anew, so that neither holds anything of the person. Backups
that were made before still do: the receipt names them.")]
pub(in crate::command) struct Remove {
    /// The person, by name or #number
    who: Who,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Write the receipt to this new file too, as JSON
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Print the receipt as JSON
    #[arg(long)]
    json: bool,
}

impl Remove {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        if let Some(path) = &self.receipt {
            must_be_new(path)?;
        }
        let mut store = self.held.open()?;
        let known = self.who.in_gallery(store.gallery())?;
        let id = known.id();
        if !self.yes {
            let templates = counted(known.templates().len(), "template", "templates");
            confirm(&format!(
                "Remove {} and {templates} for good?",
                called(store.gallery(), id)
            ))?;
        }
        let removed = store.remove(id, RemovalReason::Asked, by(&operator))?;
        let document = receipt::document(&removed, &operator);
        if self.json {
            print_json(&document)?;
        } else {
            print!("{}", receipt::text(&removed, &operator));
        }
        if let Some(path) = &self.receipt {
            write_new(path, |out| {
                serde_json::to_writer_pretty(&mut *out, &document)?;
                out.write_all(b"\n")
            })?;
            eprintln!("receipt in {}", path.display());
        }
        Ok(())
    }
}

/// Asks at the terminal.
///
/// # Errors
/// When the answer is not yes, or there is nobody to ask.
fn confirm(question: &str) -> anyhow::Result<()> {
    ensure!(
        io::stdin().is_terminal(),
        "expected somebody to confirm the removal, found no terminal; say --yes"
    );
    eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES") {
        bail!("expected \"yes\", found another answer; nothing was changed");
    }
    Ok(())
}
