//! `usher gallery export`: one person's own data as readable JSON, or everybody encrypted for a recipient.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgGroup, Args};
use shared::gallery::transfer::Document;

use super::super::files::{must_be_new, write_new};
use super::super::sealing::{Held, now};
use super::super::table::{Who, called, counted, fields};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher gallery export --person \"Ada Lovelace\" --json ada.json --gallery people.gallery
  usher gallery export people.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p \\
    --gallery people.gallery

A recipient is the public key that age-keygen prints (https://age-encryption.org); whoever has the other half reads the
file by age --decrypt, or by usher gallery import. A person's own data come without other people's faces.")]
#[command(group = ArgGroup::new("what").args(["person", "recipient"]).required(true))]
pub(in crate::command) struct Export {
    /// The new file, with --recipient
    #[arg(value_name = "FILE", requires = "recipient")]
    file: Option<PathBuf>,
    /// Everybody, encrypted so that this recipient alone can read it; may be given again
    #[arg(long, value_name = "age1...", requires = "file")]
    recipient: Vec<String>,
    /// One person, by name or #number
    #[arg(long, value_name = "WHO", requires = "json")]
    person: Option<Who>,
    /// The new file, with --person: readable, NOT encrypted
    #[arg(long, value_name = "FILE", requires = "person")]
    json: Option<PathBuf>,
    #[command(flatten)]
    held: Held,
}

impl Export {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        match (&self.person, &self.json, &self.file) {
            (Some(who), Some(path), _) => self.person(who, path),
            (_, _, Some(path)) => self.everybody(path),
            _ => {
                anyhow::bail!("expected --person and --json, or --recipient and a file; see --help")
            }
        }
    }

    fn person(&self, who: &Who, path: &Path) -> anyhow::Result<()> {
        must_be_new(path)?;
        let (gallery, _inspection) = self.held.read()?;
        let known = who.in_gallery(&gallery)?;
        let document = Document::of(&gallery, [known], now()).without_anchors();
        write_new(path, |out| document.write(out))?;
        print!(
            "{}",
            fields(&[
                ("exported", called(&gallery, known.id())),
                (
                    "file",
                    format!("{}, readable by whoever has it", path.display())
                ),
            ])
        );
        Ok(())
    }

    fn everybody(&self, path: &Path) -> anyhow::Result<()> {
        let recipients: Vec<_> = self
            .recipient
            .iter()
            .map(|text| recipient(text))
            .collect::<Result<_, _>>()?;
        must_be_new(path)?;
        let (gallery, _inspection) = self.held.read()?;
        let document = Document::of(&gallery, gallery.identities(), now());
        let encryptor = age::Encryptor::with_recipients(
            recipients
                .iter()
                .map(|recipient| recipient as &dyn age::Recipient),
        )
        .context("cannot encrypt for these recipients; see age-keygen")?;
        write_new(path, |out| {
            let mut sealed = io::BufWriter::new(encryptor.wrap_output(out)?);
            document.write(&mut sealed)?;
            let sealed = sealed
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            sealed.finish()?.flush()
        })?;
        let people = counted(gallery.people(), "person", "people");
        let readers = counted(recipients.len(), "recipient", "recipients");
        print!(
            "{}",
            fields(&[
                ("exported", format!("{people} for {readers}")),
                ("file", format!("{}, encrypted", path.display())),
            ])
        );
        println!(
            "next: usher gallery import {} --identity KEYFILE --gallery FILE --model FILE",
            path.display()
        );
        Ok(())
    }
}

fn recipient(text: &str) -> anyhow::Result<age::x25519::Recipient> {
    text.parse().map_err(|reason: &str| {
        anyhow::anyhow!(
            "expected a recipient of age, found \"{text}\" ({reason}); give the public key that age-keygen prints, age1..."
        )
    })
}
