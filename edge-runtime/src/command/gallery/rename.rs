//! `usher gallery rename`: a person gets another name.

use clap::Args;

use super::super::sealing::{Held, Operator, by};
use super::super::table::{Who, called};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery rename \"Ada Byron\" \"Ada Lovelace\" --gallery people.gallery")]
pub(in crate::command) struct Rename {
    /// The person, by name or #number
    who: Who,
    /// The new name
    name: String,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl Rename {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let mut store = self.held.open()?;
        let known = self.who.in_gallery(store.gallery())?;
        let (id, before) = (known.id(), known.name().to_owned());
        store.rename(id, &self.name, by(&operator))?;
        println!("renamed  {before} is now {}", called(store.gallery(), id));
        Ok(())
    }
}
