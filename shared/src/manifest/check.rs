//! The ranges that a manifest's fields must keep, checked when it is read and when it is written.

use std::collections::HashSet;
use std::path::Path;

use super::{FORMAT, ManifestError, ModelManifest};
use crate::embedding::MAX_DIMENSION;
use crate::preprocessing::SIDE_RANGE_PX;

/// The first field out of its range, as an error.
pub(super) fn check(manifest: &ModelManifest, path: &Path) -> Result<(), ManifestError> {
    let fail = |field: &str, expected, found: String| {
        Err(ManifestError::Field {
            path: path.to_owned(),
            field: field.to_owned(),
            expected,
            found,
        })
    };
    if manifest.format != FORMAT {
        return Err(ManifestError::Format {
            path: path.to_owned(),
            found: manifest.format,
        });
    }
    for (field, value) in [
        ("name", &manifest.name),
        ("network", &manifest.network),
        ("licence", &manifest.licence),
    ] {
        if value.trim().is_empty() {
            return fail(field, "some text", format!("{value:?}"));
        }
    }
    if !is_file_name(&manifest.onnx) {
        return fail(
            "onnx",
            "the name of a file beside the manifest",
            format!("{:?}", manifest.onnx),
        );
    }
    if !is_sha256(&manifest.sha256) {
        return fail(
            "sha256",
            "64 lower-case hex digits",
            format!("{:?}", manifest.sha256),
        );
    }
    if !(1..=MAX_DIMENSION).contains(&manifest.dimension) {
        return fail(
            "dimension",
            "from 1 to 4096",
            manifest.dimension.to_string(),
        );
    }
    let recipe = &manifest.preprocessing;
    if !SIDE_RANGE_PX.contains(&recipe.side_px) {
        return fail(
            "preprocessing.side_px",
            "from 16 to 1024",
            recipe.side_px.to_string(),
        );
    }
    if !recipe.mean.is_finite() {
        return fail(
            "preprocessing.mean",
            "a finite number",
            recipe.mean.to_string(),
        );
    }
    if !recipe.scale.is_finite() || recipe.scale == 0.0 {
        return fail(
            "preprocessing.scale",
            "a finite number other than zero",
            recipe.scale.to_string(),
        );
    }
    let mut names = HashSet::new();
    for point in &manifest.operating_points {
        if point.name.trim().is_empty() || !names.insert(&point.name) {
            return fail(
                "operating_points.name",
                "a name of its own",
                format!("{:?}", point.name),
            );
        }
        for (field, rate) in [
            ("operating_points.fmr", point.fmr),
            ("operating_points.fnmr", point.fnmr),
        ] {
            if let Some(rate) = rate
                && !(0.0..=1.0).contains(&rate)
            {
                return fail(field, "from 0 to 1", rate.to_string());
            }
        }
        for (field, interval) in [
            ("operating_points.fmr_interval", point.fmr_interval),
            ("operating_points.fnmr_interval", point.fnmr_interval),
        ] {
            if let Some([low, high]) = interval
                && !(0.0 <= low && low <= high && high <= 1.0)
            {
                let expected = "two rising numbers from 0 to 1";
                return fail(field, expected, format!("{:?}", [low, high]));
            }
        }
        if let Some(digest) = &point.data_sha256
            && !is_sha256(digest)
        {
            return fail(
                "operating_points.data_sha256",
                "64 lower-case hex digits",
                format!("{digest:?}"),
            );
        }
    }
    Ok(())
}

/// A bare file name, so that a manifest cannot point out of its folder.
fn is_file_name(name: &str) -> bool {
    !name.trim().is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

fn is_sha256(digest: &str) -> bool {
    digest.len() == 64
        && digest
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
