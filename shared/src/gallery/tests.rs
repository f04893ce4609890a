//! What a gallery promises: the nearest person is named, and nobody beyond the threshold.

use super::*;

pub(crate) const NOON: WallTime = WallTime::from_unix_seconds(1_800_000_000);

pub(crate) fn unit(values: &[f32]) -> Embedding {
    Embedding::from_raw(values.to_vec()).unwrap()
}

pub(crate) fn model() -> ModelId {
    ModelId::from_bytes([0x3F; 32])
}

pub(crate) fn enrollee(name: &str, templates: &[Embedding]) -> Enrollee {
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", NOON, "front desk", 365).unwrap(),
        templates: templates
            .iter()
            .map(|embedding| NewTemplate {
                embedding: embedding.clone(),
                label: None,
                taken_at: NOON,
            })
            .collect(),
    }
}

/// Three people: Ada on the x axis with two templates, Bo on the y axis, Cy on the z axis.
pub(super) fn family() -> Gallery {
    let mut gallery = Gallery::new(model(), 3);
    for (name, templates) in [
        ("Ada", vec![unit(&[1.0, 0.0, 0.0]), unit(&[1.0, 0.2, 0.0])]),
        ("Bo", vec![unit(&[0.0, 1.0, 0.0])]),
        ("Cy", vec![unit(&[0.0, 0.0, 1.0])]),
    ] {
        gallery.enroll(&enrollee(name, &templates)).unwrap();
    }
    gallery
}

fn name_of(gallery: &Gallery, id: IdentityId) -> &str {
    gallery.identity(id).unwrap().name()
}

#[test]
fn the_best_template_of_each_person_counts() {
    let gallery = family();
    for (probe, best, next) in [
        ([0.9, 0.3, 0.1], "Ada", "Bo"),
        ([0.1, 0.9, 0.3], "Bo", "Cy"),
        ([0.0, -0.1, 0.5], "Cy", "Ada"),
    ] {
        let found = gallery.search(&unit(&probe));
        let name = |nearest: Option<Nearest>| name_of(&gallery, nearest.unwrap().identity);
        assert_eq!(
            (name(found.best), name(found.runner_up)),
            (best, next),
            "{probe:?}"
        );
    }
    // Exactly Ada's second template.
    let nearest = gallery.nearest(&unit(&[1.0, 0.2, 0.0])).unwrap();
    assert_eq!(nearest.distance.value(), 0.0);
}

#[test]
fn decides_by_the_threshold() {
    let gallery = family();
    let probe = unit(&[0.0, 1.0, 1.0]);
    let distance = gallery.nearest(&probe).unwrap().distance;
    let at = Threshold::new(distance.value()).unwrap();
    assert_eq!(
        gallery.decide(&probe, &at),
        Decision::Match {
            // Bo and Cy are equally far: the one enrolled first.
            identity: gallery.named("Bo").unwrap().id(),
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
fn nobody_is_named_after_the_consent_ran_out() {
    let mut gallery = family();
    let probe = unit(&[1.0, 0.0, 0.0]);
    let all = Threshold::new(4.0).unwrap();
    assert_eq!(gallery.suspend_expired(NOON.plus_days(364)), 0);
    assert!(matches!(
        gallery.decide(&probe, &all),
        Decision::Match { .. }
    ));
    assert_eq!(gallery.suspend_expired(NOON.plus_days(365)), 3);
    assert!(matches!(
        gallery.decide(&probe, &all),
        Decision::NoMatch { .. }
    ));
    // A clock that fell to 1970 does not make a consent last: the newest record's time counts.
    gallery.newest = NOON.plus_days(400);
    assert_eq!(gallery.suspend_expired(WallTime::default()), 3);
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
        let error = gallery.enroll(&enrollee(name, &templates)).unwrap_err();
        assert!(error.to_string().contains(expected), "{case}: {error}");
        assert!(gallery.same_people(&family()), "{case}: nothing changed");
    }
    let mut labelled = enrollee("Dee", &one());
    labelled.templates[0].label = Some("x".repeat(33));
    let error = family().enroll(&labelled).unwrap_err();
    assert!(matches!(error, GalleryError::Label { .. }), "{error}");
}

#[test]
fn debug_shows_no_name_and_no_number_of_a_template() {
    let shown = format!("{:?}", family());
    assert!(!shown.contains("Ada") && !shown.contains("0.98"), "{shown}");
    assert!(!shown.contains("front desk"), "{shown}");
}
