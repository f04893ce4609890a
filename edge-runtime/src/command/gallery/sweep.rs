//! `usher gallery sweep`: everybody whose consent has run out is removed.

use anyhow::bail;
use clap::Args;
use shared::gallery::consent::{Clock, WallTime};
use shared::gallery::store::Sweep;

use super::super::sealing::{Held, Operator, by};
use super::super::table::{counted, minute};
use super::{print_json, receipt};

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery sweep --gallery people.gallery --operator nightly

A clock that is behind the gallery's newest record, or more than 60 days ahead of it, is not believed: nobody is removed
then (nobody whose consent has run out is greeted either way). If it is right after all, say --clock-is-right.")]
pub(in crate::command) struct SweepExpired {
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
    /// The clock is far ahead of the newest record, and right
    #[arg(long)]
    clock_is_right: bool,
    /// Print the receipts as JSON
    #[arg(long)]
    json: bool,
}

impl SweepExpired {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let mut store = self.held.open()?;
        let newest = store.gallery().newest_record();
        let by = by(&operator);
        match store.sweep(by, self.clock_is_right)? {
            Sweep::Removed(receipts) if self.json => {
                let documents = receipts
                    .iter()
                    .map(|removed| receipt::document(removed, &operator));
                print_json(&documents.collect::<Vec<_>>())
            }
            Sweep::Removed(receipts) => {
                for removed in &receipts {
                    println!("{}", receipt::text(removed, &operator));
                }
                println!("removed  {}", counted(receipts.len(), "person", "people"));
                Ok(())
            }
            Sweep::Refused { clock, expired } => refused(clock, expired.len(), (by.at, newest)),
        }
    }
}

fn refused(
    clock: Clock,
    expired: usize,
    (now, newest): (WallTime, WallTime),
) -> anyhow::Result<()> {
    let (clock, remedy) = match clock {
        Clock::Behind(_) => ("behind", "set the clock"),
        Clock::Ahead(_) | Clock::Plausible => (
            "far ahead of",
            "set the clock, or say --clock-is-right if it is",
        ),
    };
    bail!(
        "expected a clock that fits the gallery's newest record of {}, found {}, {clock} it; nobody was removed, {} by that \
         clock; {remedy}",
        minute(newest),
        minute(now),
        counted(expired, "consent has run out", "consents have run out")
    )
}
