//! Whether a model can be used on this device: everything that a start of the kiosk would find, before it counts.

use std::path::Path;

use shared::detector::{DEFAULT_SIDE_PX, Detector};
use shared::embedder::Embedder;
use shared::gallery::header::{HEADER_BYTES, Header};
use shared::gallery::{Gallery, GalleryError};
use shared::manifest::ModelManifest;
use shared::pipeline::Pipeline;

use super::error::UpdateError;
use crate::config::Config;
use crate::decision::DecisionPoint;
use crate::likeness::AGREEMENT_POINT;
use crate::self_test;

/// Tries the model of this manifest with the device's detector, settings and gallery; returns what the self-test says.
///
/// # Errors
/// [`UpdateError`] when digest, network, self-test, operating points or gallery do not fit.
pub(super) fn try_model(config: &Config, manifest: &Path) -> Result<&'static str, UpdateError> {
    let embedder = Embedder::load(manifest)?;
    fits(&config.kiosk.gallery, embedder.manifest())?;
    decides(config, embedder.manifest())?;
    let detector = Detector::load(&config.kiosk.detector(), DEFAULT_SIDE_PX)?;
    let mut pipeline = Pipeline::new(detector, embedder);
    Ok(self_test::run(&mut pipeline, manifest)?.words())
}

/// Whether the gallery's templates are this model's, as the store judges it: by the id in the gallery's header, which
/// needs no key. Where there is no gallery yet, any model fits.
///
/// # Errors
/// [`GalleryError::OtherModel`] when they are another's, and what the file is if it is no gallery.
pub(super) fn fits(gallery: &Path, manifest: &ModelManifest) -> Result<(), GalleryError> {
    use std::io::Read;
    let unreadable = |source| GalleryError::Read {
        path: gallery.to_owned(),
        source,
    };
    let file = match std::fs::File::open(gallery) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let header = Header::decode(&bytes).map_err(|source| GalleryError::File {
        path: gallery.to_owned(),
        source,
    })?;
    let device = manifest.model_id();
    if header.model != device {
        return Err(GalleryError::OtherModel {
            path: gallery.to_owned(),
            gallery: header.model,
            device,
        });
    }
    if header.dimension != manifest.dimension {
        return Err(GalleryError::Dimension {
            expected: header.dimension,
            found: manifest.dimension,
        });
    }
    Ok(())
}

/// Whether it has the operating points that this kiosk decides by.
fn decides(config: &Config, manifest: &ModelManifest) -> Result<(), UpdateError> {
    let (asked, nobody) = (
        config.recognition.operating_point.as_deref(),
        Gallery::new(manifest.model_id(), manifest.dimension),
    );
    DecisionPoint::choose(manifest, asked, &nobody, config.recognition.fpir)?;
    if config.desk.pin_file.exists() {
        manifest.operating_point(AGREEMENT_POINT)?;
    }
    Ok(())
}
