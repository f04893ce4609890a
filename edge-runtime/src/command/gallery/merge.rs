//! `usher gallery merge`: two entries of one person become one.

use anyhow::ensure;
use clap::Args;
use shared::gallery::MAX_TEMPLATES;

use super::super::sealing::{Held, Operator, by};
use super::super::table::{Who, called, counted};
use super::receipt;
use crate::likeness::closest;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery merge \"Ada L.\" \"Ada Lovelace\" --gallery people.gallery

The templates of the first go to the second, as far as they fit; the first is removed, and its receipt printed. Name and
consent are the second's.")]
pub(in crate::command) struct Merge {
    /// The entry that goes, by name or #number
    from: Who,
    /// The entry that stays
    into: Who,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl Merge {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let mut store = self.held.open()?;
        let gallery = store.gallery();
        let (from, into) = (
            self.from.in_gallery(gallery)?.id(),
            self.into.in_gallery(gallery)?.id(),
        );
        ensure!(
            from != into,
            "expected two entries, found {} twice; name the one that goes and the one that stays",
            called(gallery, from)
        );
        let faces = gallery.embeddings(from);
        let near = closest(gallery, &faces, Some(from));
        let room = MAX_TEMPLATES - self.into.in_gallery(gallery)?.templates().len();
        if faces.len() > room {
            eprintln!(
                "note: {} of {} templates fit",
                room,
                counted(faces.len(), "template", "templates")
            );
        }
        if let Some(near) = near.filter(|near| near.identity != into) {
            eprintln!(
                "warning: {} is closer to {} (distance {:.2}) than to {}",
                called(gallery, from),
                called(gallery, near.identity),
                near.distance.value(),
                called(gallery, into)
            );
        }
        let removed = store.merge(from, into, by(&operator))?;
        let known = store.gallery().identity(into);
        let templates = known.map_or(0, |known| known.templates().len());
        println!(
            "merged  into {}: {} now\n",
            called(store.gallery(), into),
            counted(templates, "template", "templates")
        );
        print!("{}", receipt::text(&removed, &operator));
        Ok(())
    }
}
