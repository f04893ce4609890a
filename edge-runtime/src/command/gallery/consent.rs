//! `usher gallery consent`: a person's consent is given anew.

use clap::Args;

use super::super::consent::{ConsentTerm, ConsentText};
use super::super::sealing::{Held, Operator, by};
use super::super::table::{Who, called, day};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery consent \"Ada Lovelace\" --consent standard --consent-days 365 --gallery people.gallery")]
pub(in crate::command) struct Renew {
    /// The person, by name or #number
    who: Who,
    /// The text that the person agreed to: a file, or `standard` for the one that usher consent prints
    #[arg(long, value_name = "FILE|standard")]
    consent: ConsentText,
    #[command(flatten)]
    term: ConsentTerm,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl Renew {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let by = by(&operator);
        let consent = self.consent.given(&self.term, &operator, by.at)?;
        let mut store = self.held.open()?;
        let id = self.who.in_gallery(store.gallery())?.id();
        store.renew_consent(id, &consent, by)?;
        println!(
            "consent  of {} to {}, until {}",
            called(store.gallery(), id),
            self.consent,
            day(consent.expires_at())
        );
        Ok(())
    }
}
