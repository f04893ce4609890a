//! The self-test with the real networks, and what it refuses.

use shared::detector::Detector;
use shared::embedder::Embedder;

use super::*;

/// The model and the detector, and a folder with a copy of its manifest; none where set-up has not fetched them.
fn place() -> Option<(Pipeline, tempfile::TempDir, PathBuf)> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let detector = models.join("yunet.onnx");
    if !detector.exists() {
        eprintln!("SKIPPED: no {}; run scripts/setup", detector.display());
        return None;
    }
    let manifest = models.join("usher-small.toml");
    let pipeline = Pipeline::new(
        Detector::load(&detector, 320).unwrap(),
        Embedder::load(&manifest).unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("usher-small.toml");
    std::fs::copy(manifest, &copy).unwrap();
    Some((pipeline, folder, copy))
}

#[test]
fn a_sound_device_passes_and_another_reference_is_refused() {
    let Some((mut pipeline, _folder, manifest)) = place() else {
        return;
    };
    assert_eq!(
        run(&mut pipeline, &manifest).unwrap(),
        Passed::WithoutReference
    );
    let path = write(&mut pipeline, &manifest).unwrap();
    assert!(path.ends_with("usher-small.selftest.toml"));
    assert_eq!(run(&mut pipeline, &manifest).unwrap(), Passed::All);
    let good = read(&path).unwrap().unwrap();
    assert_eq!(good.samples.len(), SAMPLES);
    let with = |change: &dyn Fn(&mut Reference)| {
        let mut reference = good.clone();
        change(&mut reference);
        std::fs::write(&path, toml::to_string(&reference).unwrap()).unwrap();
    };
    with(&|reference| reference.samples[5] += 9e-5);
    assert_eq!(run(&mut pipeline, &manifest).unwrap(), Passed::All);
    with(&|reference| reference.samples[5] += 1.5e-4);
    let error = run(&mut pipeline, &manifest).unwrap_err();
    assert!(
        matches!(error, SelfTestError::OtherThanReference { place: 80, .. }),
        "{error}"
    );
    with(&|reference| reference.samples[0] = f32::NAN);
    assert!(run(&mut pipeline, &manifest).is_err());
    for change in [
        &(|reference: &mut Reference| reference.model = "00".repeat(32)) as &dyn Fn(&mut Reference),
        &|reference| reference.portrait = "00".repeat(32),
        &|reference| reference.format = 2,
        &|reference| reference.samples.truncate(4),
    ] {
        with(change);
        let error = run(&mut pipeline, &manifest).unwrap_err();
        assert!(
            matches!(error, SelfTestError::OtherReference { .. }),
            "{error}"
        );
    }
    std::fs::write(&path, "format = ").unwrap();
    let error = run(&mut pipeline, &manifest).unwrap_err();
    assert!(matches!(error, SelfTestError::Reference { .. }), "{error}");
}

#[test]
fn eight_numbers_spread_over_the_embedding() {
    for (dimension, expected) in [
        (128, vec![0, 16, 32, 48, 64, 80, 96, 112]),
        (12, vec![0, 1, 3, 4, 6, 7, 9, 10]),
        (3, vec![0, 1, 2]),
    ] {
        assert_eq!(places(dimension).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_detector_that_sees_nothing_or_elsewhere_is_refused() {
    let Some((mut pipeline, ..)) = place() else {
        return;
    };
    let face = portrait::first();
    assert!(check_detector(&mut pipeline, &face).is_ok());
    for (name, picture) in [
        ("no face where one was drawn", portrait::noise()),
        ("a face elsewhere", moved(&face, 40)),
    ] {
        let error = check_detector(&mut pipeline, &picture).unwrap_err();
        let expected = "expected the detector to find one face in a drawn portrait";
        assert!(error.to_string().starts_with(expected), "{name}: {error}");
    }
}

/// The picture moved to the right, its left column repeated.
fn moved(face: &Frame, by: u32) -> Frame {
    let picture = image::RgbImage::from_fn(face.width_px(), face.height_px(), |x, y| {
        image::Rgb(face.pixel(x.saturating_sub(by), y))
    });
    Frame::from_image(picture)
}

#[test]
fn two_drawn_faces_are_far_apart() {
    let Some((mut pipeline, ..)) = place() else {
        return;
    };
    let [first, second] =
        [portrait::first(), portrait::second()].map(|face| embed(&mut pipeline, &face).unwrap());
    let apart = SquaredL2::between(&first, &second).value();
    // A hundred times what is asked for: no sound model is refused by chance.
    assert!(apart > 100.0 * LEAST_APART, "{apart}");
}
