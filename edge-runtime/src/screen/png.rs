//! A folder of PNG files that stands for a screen: one file per picture shown.

use std::io;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use shared::atomic_file::{self, Readers};

use super::canvas::Canvas;
use embedded_graphics::prelude::OriginDimensions;

/// Why a screen could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// The folder could not be made or looked into.
    #[error("expected a folder for screens at {}, found: {source}; name a folder that can be made and written", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Screens of an earlier run are there.
    #[error("expected no screens in {}, found {found}; empty the folder or name another", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// One of the files in it.
        found: String,
    },
    /// A file could not be written.
    #[error("expected to write {}, found: {source}; check free space and permissions", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The picture of a run that ended before its first frame.
const FAULT_AT_START: &str = "0000-fault.png";

/// Writes each picture shown to `NNNN-name.png`, for its owner alone (mode 600): faces are on it.
#[derive(Debug)]
pub struct PngScreen {
    folder: PathBuf,
}

impl PngScreen {
    /// Makes `folder`, which must hold no PNG file yet: no run overwrites another.
    pub fn open(folder: &Path) -> Result<Self, PngError> {
        let refuse = |source| PngError::Folder {
            path: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(refuse)?;
        let mut first: Option<String> = None;
        for entry in std::fs::read_dir(folder).map_err(refuse)? {
            let name = entry.map_err(refuse)?.file_name();
            let name = name.to_string_lossy().into_owned();
            // A run that could not begin leaves its fault there, which need not be kept.
            let counts = name.ends_with(".png") && name != FAULT_AT_START;
            if counts && first.as_ref().is_none_or(|first| name < *first) {
                first = Some(name);
            }
        }
        if let Some(found) = first {
            return Err(PngError::Occupied {
                path: folder.to_owned(),
                found,
            });
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Writes `canvas` as picture `number` called `name`, and says where.
    pub fn show(&self, canvas: &Canvas, number: u64, name: &str) -> Result<PathBuf, PngError> {
        let path = self.folder.join(format!("{number:04}-{name}.png"));
        atomic_file::replace(&path, &encode(canvas), Readers::Owner).map_err(|source| {
            PngError::Write {
                path: path.clone(),
                source,
            }
        })?;
        Ok(path)
    }
}

/// The bytes of `canvas` as a PNG file.
pub fn encode(canvas: &Canvas) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = canvas.size();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive)
        .write_image(
            &canvas.to_rgb(),
            size.width,
            size.height,
            ExtendedColorType::Rgb8,
        )
        .expect("writing to memory does not fail");
    bytes
}
