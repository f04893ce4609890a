//! The three files of a model: written and tried beside their places, then moved there.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use shared::ModelManifest;
use shared::atomic_file::{self, Readers};

/// The files of a model that is not there yet, or may be replaced.
#[derive(Debug)]
pub struct ModelFiles {
    folder: PathBuf,
    name: String,
}

impl ModelFiles {
    /// The files of that name in that folder, which is made.
    ///
    /// # Errors
    /// If the name cannot be that of files, or one is there and `replace` is not asked for.
    pub fn new(folder: &Path, name: &str, replace: bool) -> anyhow::Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        ensure!(
            !name.is_empty() && !name.starts_with('.') && name.chars().all(plain),
            "the name becomes that of files: expected letters, digits, '-', '_' and '.', found {name:?}"
        );
        let files = Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
        };
        if !replace && let Some(file) = files.paths().into_iter().find(|file| file.exists()) {
            bail!(
                "{} exists: choose another --name, or --force to replace it",
                file.display()
            );
        }
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(files)
    }

    /// Network, manifest and card.
    pub fn paths(&self) -> [PathBuf; 3] {
        ["onnx", "toml", "md"].map(|kind| self.folder.join(format!("{}.{kind}", self.name)))
    }

    /// The manifest.
    pub fn manifest(&self) -> PathBuf {
        let [_, manifest, _] = self.paths();
        manifest
    }

    /// Writes the files beside their places, has the manifest there tried, and moves them.
    ///
    /// # Errors
    /// That of `attempt`, or if something cannot be written; a model that fails is never seen.
    pub fn publish<T>(
        &self,
        onnx: &[u8],
        manifest: &ModelManifest,
        card: &str,
        attempt: impl FnOnce(&Path) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let place = || format!("cannot write to {}", self.folder.display());
        let trial = tempfile::Builder::new()
            .prefix(".export-")
            .tempdir_in(&self.folder)
            .with_context(place)?;
        let beside = Self {
            folder: trial.path().to_owned(),
            name: self.name.clone(),
        };
        let [onnx_path, manifest_path, card_path] = beside.paths();
        let save = |path: &Path, bytes: &[u8]| {
            atomic_file::replace(path, bytes, Readers::Everyone).with_context(place)
        };
        save(&onnx_path, onnx)?;
        manifest.write(&manifest_path)?;
        save(&card_path, card.as_bytes())?;
        let result = attempt(&manifest_path)?;
        for (from, to) in beside.paths().iter().zip(self.paths()) {
            std::fs::rename(from, to).with_context(place)?;
        }
        Ok(result)
    }
}
