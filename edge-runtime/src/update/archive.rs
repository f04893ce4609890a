//! A model's archive, read as if it were hostile though its signature was verified: a key may be stolen.
//!
//! A plain tar of plain files, none of them in a folder: `model.toml`, the network that it names, and beside them at most
//! its card (`.md`), licences (`.txt`) and the self-test's reference. Links, devices, long names, sparse files and anything
//! else are refused; what is written has a name of our own spelling in a folder of our own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use shared::manifest::{self, ModelManifest};

use super::disk::Disk;
use super::error::UpdateError;
use super::label;

/// The manifest's name in the archive and in an installed folder.
pub(super) const MANIFEST: &str = "model.toml";
/// The self-test's reference, as [`crate::self_test::beside`] names it.
const REFERENCE: &str = "model.selftest.toml";
/// Longest archive, and longest network, in bytes.
pub(super) const MAX_BYTES: u64 = 512 << 20;
/// Most files in an archive.
const MAX_FILES: usize = 8;
/// Longest card or licence, in bytes.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Unpacks the archive into the folder, which is there and empty, and returns the manifest. Nothing is synced.
///
/// # Errors
/// [`UpdateError::Archive`] when it holds what it must not or lacks something, and as every write. What was written up
/// to there stays.
pub(super) fn unpack(
    archive: &Path,
    folder: &Path,
    disk: &dyn Disk,
) -> Result<(ModelManifest, Vec<String>), UpdateError> {
    let file = File::open(archive).map_err(|source| UpdateError::Disk {
        path: archive.to_owned(),
        source,
    })?;
    let mut names = BTreeSet::new();
    let mut bytes = 0u64;
    let mut tar = tar::Archive::new(BufReader::new(file));
    // Raw: a long name, a sparse map or a header for the next entry is an entry of its own kind, and refused as such.
    for entry in tar.entries().map_err(|error| broken(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let header = entry.header();
        if !header.entry_type().is_file() {
            let found = format!("an entry of type {:?}", header.entry_type());
            return Err(refused("plain files alone", found));
        }
        let name = std::str::from_utf8(&header.path_bytes())
            .ok()
            .filter(|name| label::is_word(name))
            .map(str::to_owned)
            .ok_or_else(|| {
                let found = String::from_utf8_lossy(&header.path_bytes())
                    .escape_debug()
                    .to_string();
                refused("names of files in no folder", format!("\"{found}\""))
            })?;
        let size = header.size().map_err(|error| broken(&error))?;
        let most = most_bytes(&name).ok_or_else(|| {
            refused(
                "model.toml, a network (.onnx), and texts",
                format!("\"{name}\""),
            )
        })?;
        bytes = bytes.saturating_add(size);
        if size > most || bytes > MAX_BYTES {
            return Err(refused(
                "files of a usual size",
                format!("{size} bytes in \"{name}\""),
            ));
        }
        if names.len() == MAX_FILES || !names.insert(name.clone()) {
            return Err(refused(
                "at most eight files, each of a name of its own",
                format!("\"{name}\" as one more"),
            ));
        }
        let path = folder.join(&name);
        let written = disk.write(&path, &mut (&mut entry).take(size));
        let written = written.map_err(|source| UpdateError::Disk { path, source })?;
        if written != size {
            return Err(refused(
                "whole files",
                format!("\"{name}\" cut short after {written} of {size} bytes"),
            ));
        }
    }
    if !names.contains(MANIFEST) {
        return Err(refused("a manifest, model.toml", "none".to_owned()));
    }
    let manifest = ModelManifest::read(&folder.join(MANIFEST))?;
    if !names.contains(&manifest.onnx) {
        let found = format!("no \"{}\"", manifest.onnx.escape_debug());
        return Err(refused("the network that its manifest names", found));
    }
    Ok((manifest, names.into_iter().collect()))
}

/// How long a file of this name may be; none for one that does not belong in an archive.
fn most_bytes(name: &str) -> Option<u64> {
    match name {
        MANIFEST => Some(manifest::MAX_FILE_BYTES),
        REFERENCE => Some(4096),
        _ if name.ends_with(".onnx") => Some(MAX_BYTES),
        _ if name.ends_with(".md") || name.ends_with(".txt") => Some(MAX_TEXT_BYTES),
        _ => None,
    }
}

fn refused(expected: &'static str, found: String) -> UpdateError {
    UpdateError::Archive { expected, found }
}

fn broken(error: &io::Error) -> UpdateError {
    refused("entries that can be read", error.to_string())
}
