//! A recording's JPEG frames in memory, gone through in turn: what a camera costs without waiting for one.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::Captured;
use super::decode::Decoder;
use super::mjpg;
use super::orientation::Orientation;
use super::pixel_format::{Colors, Negotiated, PixelFormat};
use crate::clock::Timestamp;

/// Frames as a camera would give them.
pub(crate) struct MemoryCamera {
    frames: Vec<Vec<u8>>,
    negotiated: Negotiated,
    decoder: Decoder,
    next: u64,
}

impl MemoryCamera {
    /// Reads all JPEG files of a folder, in the order of their names.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let entries = std::fs::read_dir(folder).with_context(|| {
            format!(
                "expected a recording in {}; check the path",
                folder.display()
            )
        })?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "jpg") {
                paths.push(path);
            }
        }
        alphanumeric_sort::sort_path_slice(&mut paths);
        let frames: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
        let Some(first) = frames.first() else {
            bail!(
                "expected .jpg frames in {}, found none; name a recording of usher record or usher replay make",
                folder.display()
            );
        };
        let head = mjpg::head(first)
            .with_context(|| format!("the first frame of {}", folder.display()))?;
        let negotiated = Negotiated {
            format: PixelFormat::Mjpg,
            width_px: head.width_px,
            height_px: head.height_px,
            stride_bytes: 0,
            colors: Colors::default(),
            frames_per_second: None,
            orientation: Orientation::default(),
            may_repeat: true,
        };
        Ok(Self {
            frames,
            negotiated,
            decoder: Decoder::default(),
            next: 0,
        })
    }

    /// Decodes the next frame, in memory of one that nobody holds any more.
    ///
    /// # Errors
    /// When it is not one whole picture of the first one's size.
    pub(crate) fn next_frame(&mut self) -> anyhow::Result<Arc<Captured>> {
        let number = self.next;
        self.next += 1;
        let bytes = &self.frames[number as usize % self.frames.len()];
        let captured = Arc::new(Captured {
            frame: self.decoder.decode(&self.negotiated, bytes)?,
            at: Timestamp::from_millis(number * 100),
            number,
            origin: "memory".to_owned(),
        });
        self.decoder.keep(&captured);
        Ok(captured)
    }
}
