//! `usher gallery point`: which of the model's thresholds decides in this gallery.

use anyhow::Context;
use clap::Args;
use shared::gallery::options::Asking;

use super::super::WhichModel;
use super::super::sealing::{Held, Operator, by};
use super::super::table::fields;
use crate::likeness::by_chance;

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher gallery point door --model models/usher-small.toml --gallery people.gallery

usher run decides by it unless --operating-point says otherwise.")]
pub(in crate::command) struct Point {
    /// The operating point, as the model's manifest names it
    name: String,
    #[command(flatten)]
    which: WhichModel,
    #[command(flatten)]
    held: Held,
    #[command(flatten)]
    operator: Operator,
}

impl Point {
    pub(in crate::command) fn execute(&self) -> anyhow::Result<()> {
        let operator = self.operator.name()?;
        let manifest = self.which.manifest()?.context(
            "expected the model whose point it is, found none named; name it by --model, or the kiosk's settings by --config",
        )?;
        let point = manifest.operating_point(&self.name)?;
        let keys = self.held.keys.keys(Asking::Once)?;
        let mut store = self.held.open_with(&keys, Some(&manifest.model_id()))?;
        store.set_operating_point(point, by(&operator))?;
        let people = store.gallery().people();
        let mut lines = vec![(
            "point",
            format!(
                "{}, distance at most {:.2}",
                point.name,
                point.threshold.value()
            ),
        )];
        if let Some(chance) = by_chance(point, people).filter(|_| people > 0) {
            lines.push(("", chance));
        }
        print!("{}", fields(&lines));
        Ok(())
    }
}
