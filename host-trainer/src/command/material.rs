//! On what a model is measured: LFW, a folder per person, or a list of pairs.

use std::path::{Path, PathBuf};

/// LFW, photos or pairs: one of them.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct MaterialArguments {
    /// Folder with LFW's lists of pairs (View 1 calibrates, View 2 evaluates) and the pictures
    #[arg(long, value_name = "FOLDER")]
    pub(super) lfw: Option<PathBuf>,
    /// Folder with a folder of pictures per person: all are compared with all
    #[arg(long, value_name = "FOLDER")]
    photos: Option<PathBuf>,
    /// File of pairs: two pictures and the word same or different, separated by tabs
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
}

/// The one that was named.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named<'a> {
    /// A folder of LFW.
    Lfw(&'a Path),
    /// A folder per person.
    Photos(&'a Path),
    /// A list of pairs.
    Pairs(&'a Path),
}

impl MaterialArguments {
    /// As if LFW were named.
    pub(super) fn of_lfw(folder: PathBuf) -> Self {
        Self {
            lfw: Some(folder),
            photos: None,
            pairs: None,
        }
    }

    /// The one that was named.
    ///
    /// # Errors
    /// If none is.
    pub(super) fn named(&self) -> anyhow::Result<Named<'_>> {
        match (&self.lfw, &self.photos, &self.pairs) {
            (Some(folder), ..) => Ok(Named::Lfw(folder)),
            (_, Some(folder), _) => Ok(Named::Photos(folder)),
            (.., Some(file)) => Ok(Named::Pairs(file)),
            _ => anyhow::bail!("expected --lfw, --photos or --pairs; name one of them"),
        }
    }
}
