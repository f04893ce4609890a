//! `usher gallery`: looking after the people that a device knows.

use clap::Subcommand;

/// What can be done to a gallery.
#[derive(Debug, Subcommand)]
pub(super) enum GalleryCommand {}

impl GalleryCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        Ok(())
    }
}
