//! What a gallery promises: the nearest person is named, and nobody beyond the threshold.

use std::fs;

use super::*;

pub(super) fn unit(values: &[f32]) -> Embedding {
    Embedding::from_raw(values.to_vec()).unwrap()
}

fn model() -> ModelId {
    ModelId::from_bytes([0x3F; 32])
}

/// Three people: Ada on the x axis with two templates, Bo on the y axis, Cy on the z axis.
pub(super) fn family() -> Gallery {
    let mut gallery = Gallery::new(model(), 3);
    gallery
        .enroll("Ada", vec![unit(&[1.0, 0.0, 0.0]), unit(&[1.0, 0.2, 0.0])])
        .unwrap();
    gallery.enroll("Bo", vec![unit(&[0.0, 1.0, 0.0])]).unwrap();
    gallery.enroll("Cy", vec![unit(&[0.0, 0.0, 1.0])]).unwrap();
    gallery
}

fn name_of(gallery: &Gallery, id: IdentityId) -> &str {
    gallery.identity(id).unwrap().name()
}

#[test]
fn the_best_template_of_each_person_counts() {
    let gallery = family();
    for (probe, expected) in [
        ([0.9, 0.3, 0.1], "Ada"),
        ([0.1, 0.9, 0.3], "Bo"),
        ([0.0, -0.1, 0.5], "Cy"),
    ] {
        let nearest = gallery.nearest(&unit(&probe)).unwrap();
        assert_eq!(name_of(&gallery, nearest.identity), expected, "{probe:?}");
    }
    // Exactly Ada's second template.
    let nearest = gallery.nearest(&unit(&[1.0, 0.2, 0.0])).unwrap();
    assert_eq!(nearest.distance.value(), 0.0);
}

#[test]
fn nearest_equals_the_slow_search() {
    let mut state = 9_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let mut random = || unit(&[draw(), draw(), draw(), draw(), draw()]);
    let mut gallery = Gallery::new(model(), 5);
    for person in 0..40 {
        let templates = (0..1 + person % 4).map(|_| random()).collect();
        gallery
            .enroll(&format!("person {person}"), templates)
            .unwrap();
    }
    for _ in 0..200 {
        let probe = random();
        let slow = gallery
            .identities()
            .iter()
            .flat_map(|i| {
                i.templates()
                    .iter()
                    .map(|t| (SquaredL2::between(t, &probe), i.id()))
            })
            .min()
            .unwrap();
        let nearest = gallery.nearest(&probe).unwrap();
        assert_eq!((nearest.distance, nearest.identity), slow);
    }
}

#[test]
fn decides_by_the_threshold_and_nothing_else() {
    let gallery = family();
    let probe = unit(&[0.0, 1.0, 1.0]);
    let distance = gallery.nearest(&probe).unwrap().distance;
    let at = Threshold::new(distance.value()).unwrap();
    assert_eq!(
        gallery.decide(&probe, &at),
        Decision::Match {
            // Bo and Cy are equally far: the one enrolled first.
            identity: gallery.identities()[1].id(),
            distance
        }
    );
    let below = Threshold::new(distance.value() - 1e-6).unwrap();
    assert_eq!(
        gallery.decide(&probe, &below),
        Decision::NoMatch {
            nearest: Some(distance)
        }
    );
    assert_eq!(
        Gallery::new(model(), 3).decide(&probe, &Threshold::new(4.0).unwrap()),
        Decision::NoMatch { nearest: None }
    );
}

#[test]
fn enrollment_refuses_what_breaks_the_gallery() {
    let one = || vec![unit(&[1.0, 0.0, 0.0])];
    for (case, name, templates, expected) in [
        ("name taken", " Ada ", one(), "Ada enrolled already"),
        ("no name", "  ", one(), "an empty one"),
        ("long name", &"x".repeat(101), one(), "101 characters"),
        ("control character", "A\tda", one(), "position 2"),
        ("no template", "Dee", vec![], "found 0"),
        (
            "too many",
            "Dee",
            vec![unit(&[1.0, 0.0, 0.0]); 101],
            "found 101",
        ),
        (
            "other dimension",
            "Dee",
            vec![unit(&[1.0, 0.0])],
            "of 3 numbers, found 2",
        ),
    ] {
        let mut gallery = family();
        let message = gallery.enroll(name, templates).unwrap_err().to_string();
        assert!(message.contains(expected), "{case}: {message}");
        assert_eq!(gallery, family(), "{case}: nothing changed");
    }
}

#[test]
fn a_gallery_can_be_full() {
    let mut gallery = Gallery::new(model(), 1);
    // Enrolling one by one compares names each time; 10,000 take a moment, but no shortcut.
    for person in 0..MAX_IDENTITIES {
        gallery
            .enroll(&person.to_string(), vec![unit(&[1.0])])
            .unwrap();
    }
    let error = gallery.enroll("one more", vec![unit(&[1.0])]).unwrap_err();
    assert!(matches!(error, GalleryError::Full));
    assert_eq!(
        format::decode(&format::encode(&gallery).unwrap()).unwrap(),
        gallery
    );
}

#[test]
fn ids_are_never_given_twice() {
    let mut gallery = family();
    let removed = gallery.remove(" Cy ").unwrap();
    assert!(gallery.identity(removed.id()).is_none());
    let id = gallery
        .enroll("Cy", removed.templates().to_vec())
        .unwrap()
        .id();
    assert_ne!(id, removed.id());
    let path = tempfile::tempdir().unwrap().keep().join("gallery");
    gallery.remove("Cy").unwrap();
    gallery.write(&path).unwrap();
    let mut again = Gallery::read(&path, &model()).unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let later = again
        .enroll("Dee", vec![unit(&[0.0, 0.0, 1.0])])
        .unwrap()
        .id();
    assert!(later > id, "{later} after {id}");
    assert!(gallery.remove("Eve").is_err());
}

#[test]
fn comes_back_from_its_file_as_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    for gallery in [Gallery::new(model(), 128), family()] {
        gallery.write(&path).unwrap();
        assert_eq!(Gallery::read(&path, &model()).unwrap(), gallery);
    }
}

#[test]
fn templates_of_another_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery");
    family().write(&path).unwrap();
    let device = ModelId::from_bytes([0x91; 32]);
    let error = Gallery::read(&path, &device).unwrap_err();
    assert!(matches!(error, GalleryError::OtherModel { .. }));
    let expected = "was made by model 3f3f3f3f, this device runs 91919191; \
                    enroll again or install the model 3f3f3f3f";
    assert!(error.to_string().ends_with(expected), "{error}");
}

#[test]
fn unreadable_galleries_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.gallery");
    let message = |path: &Path| Gallery::read(path, &model()).unwrap_err().to_string();
    assert!(message(&path).contains("people.gallery, found none"));
    fs::write(&path, b"not one").unwrap();
    assert!(message(&path).contains("people.gallery: expected a gallery, found other content"));
    family().write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let cut = format!(
        "expected a gallery of {} bytes, found {}",
        bytes.len(),
        bytes.len() - 7
    );
    assert!(message(&path).contains(&cut));
    assert!(matches!(
        Gallery::read(folder.path(), &model()),
        Err(GalleryError::Read { .. })
    ));
}

#[test]
fn a_failed_write_leaves_the_old_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no folder").join("gallery");
    let error = family().write(&missing).unwrap_err();
    assert!(matches!(error, GalleryError::Write { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn debug_shows_no_name_and_no_number_of_a_template() {
    let shown = format!("{:?}", family());
    assert!(!shown.contains("Ada") && !shown.contains("0.98"), "{shown}");
}
