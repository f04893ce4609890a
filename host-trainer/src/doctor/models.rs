//! Whether the face detector and the exported models load.

use std::path::{Path, PathBuf};

use shared::{Detector, Embedder};

use super::Check;
use crate::dataset::folder::entries;
use crate::embeddings::PORTRAIT_DETECTOR_SIDE_PX;

/// The face detector.
pub fn detector(path: &Path) -> Check {
    if !path.exists() {
        return Check::warning(
            "detector",
            format!("no file {}", path.display()),
            "prepare, calibrate and evaluate need it: scripts/setup fetches it",
        );
    }
    match Detector::load(path, PORTRAIT_DETECTOR_SIDE_PX) {
        Ok(_) => Check::ok("detector", format!("{} loads", path.display())),
        Err(error) => {
            let remedy = "run scripts/setup again";
            Check::problem("detector", error.to_string(), remedy)
        }
    }
}

/// Each model of a folder: a manifest with its network.
pub fn models(folder: &Path) -> Vec<Check> {
    let files = match entries(folder) {
        Ok(files) => files,
        Err(error) => {
            let remedy = "usher-train export writes models; name their folder by --models";
            return vec![Check::warning("models", error.to_string(), remedy)];
        }
    };
    let manifests: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    if manifests.is_empty() {
        let found = format!("none in {} yet", folder.display());
        return vec![Check::ok("models", found)];
    }
    manifests.iter().map(|path| model(path)).collect()
}

fn model(path: &Path) -> Check {
    match Embedder::load(path) {
        Ok(embedder) => {
            let manifest = embedder.manifest();
            let found = format!(
                "{} ({}): {}, {} px, {} numbers, {} operating points",
                manifest.name,
                manifest.model_id(),
                manifest.network,
                manifest.preprocessing.side_px,
                manifest.dimension,
                manifest.operating_points.len(),
            );
            Check::ok("model", found)
        }
        Err(error) => Check::problem("model", error.to_string(), "export or copy it again"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn what_is_missing_warns_and_what_is_broken_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        let detector_file = place.join("yunet.onnx");
        assert_eq!(detector(&detector_file).level, Level::Warning);
        std::fs::write(&detector_file, b"no network").unwrap();
        assert_eq!(detector(&detector_file).level, Level::Problem);
        assert_eq!(
            models(place),
            [Check::ok(
                "models",
                format!("none in {} yet", place.display())
            )]
        );
        std::fs::write(place.join("mine.toml"), b"format = 1").unwrap();
        let found = models(place);
        assert!(
            found.len() == 1 && found[0].level == Level::Problem,
            "{found:?}"
        );
        assert!(found[0].found.contains("mine.toml"), "{found:?}");
        assert_eq!(models(&place.join("nowhere"))[0].level, Level::Warning);
    }
}
