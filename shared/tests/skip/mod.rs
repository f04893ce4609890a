//! What a test needs and this machine may lack: said and skipped, or refused where it has to be there.
//!
//! The test programs of all three crates include this file.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};

/// Says on standard error that a test is skipped, and what it lacks.
///
/// # Panics
/// Where `USHER_REQUIRE` is 1, as scripts/test sets it once scripts/setup has done its work.
pub(crate) fn skip(lacks: &str) {
    let required = std::env::var_os("USHER_REQUIRE").is_some_and(|value| value == "1");
    assert!(!required, "USHER_REQUIRE=1 allows no skipping: {lacks}");
    eprintln!("SKIPPED: {lacks}");
}

/// The data folder, which scripts/setup does not provide: `USHER_DATA`, or `../shared/data` beside
/// the checkout.
pub(crate) fn data_folder() -> PathBuf {
    let beside = || root().join("../shared/data");
    std::env::var_os("USHER_DATA").map_or_else(beside, PathBuf::from)
}

/// A file of the data folder; a test without that folder is skipped whatever `USHER_REQUIRE` says.
pub(crate) fn data(file: &str) -> Option<PathBuf> {
    let (folder, path) = (data_folder(), data_folder().join(file));
    if path.exists() {
        return Some(path);
    }
    if folder.is_dir() {
        skip(&format!("{} is missing", path.display()));
    } else {
        eprintln!("SKIPPED: no folder {}; set USHER_DATA", folder.display());
    }
    None
}

/// The detector's file, from scripts/setup or from the data folder.
pub(crate) fn yunet() -> Option<PathBuf> {
    let fetched = root().join("models/yunet.onnx");
    let beside = data_folder().join("models/face_detection_yunet_2023mar.onnx");
    let found = [&fetched, &beside].into_iter().find(|path| path.exists());
    if found.is_none() {
        skip(&format!(
            "{} is missing; run scripts/setup",
            fetched.display()
        ));
    }
    found.cloned()
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
