//! `usher gallery compact`: the file is written anew without what no longer counts.

use clap::Args;

use super::super::sealing::{Held, Operator, by};
use super::super::table::bytes;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery compact --gallery people.gallery

All keys inside the file are drawn anew. A removal does this by itself; where it could not (no room on the disk), the
receipt says so and this finishes it.")]
pub(in crate::command) struct Compact {
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl Compact {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let mut store = self.held.open()?;
        let (_, before) = store.extent();
        store.compact(by(&operator))?;
        let (_, after) = store.extent();
        println!(
            "compacted  {}: {} before, {} now",
            self.held.gallery.display(),
            bytes(before),
            bytes(after)
        );
        Ok(())
    }
}
