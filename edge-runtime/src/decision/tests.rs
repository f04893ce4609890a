//! Comparisons in a gallery of two-dimensional templates, and points chosen for galleries of several sizes.

use std::path::Path;

use shared::gallery::consent::WallTime;
use shared::gallery::{Consent, Enrollee, NewTemplate};
use shared::model_id::ModelId;

use super::*;

/// The direction whose squared L2 to (1, 0) is `distance`, on the upper or the lower side.
fn at(distance: f32, side: f32) -> Embedding {
    let cosine = 1.0 - distance / 2.0;
    Embedding::from_raw(vec![cosine, side * (1.0 - cosine * cosine).sqrt()]).unwrap()
}

/// A gallery with a person for each template.
fn gallery(templates: &[Embedding]) -> (Gallery, Vec<IdentityId>) {
    let mut gallery = Gallery::new(ModelId::from_bytes([7; 32]), 2);
    let now = WallTime::from_unix_seconds(1_800_000_000);
    let people = templates.iter().enumerate().map(|(number, embedding)| {
        let enrollee = Enrollee {
            name: format!("person {number}"),
            consent: Consent::given("I agree.", now, "desk", 1).unwrap(),
            templates: vec![NewTemplate {
                embedding: embedding.clone(),
                label: None,
                taken_at: now,
            }],
        };
        gallery.enroll(&enrollee).unwrap()
    });
    let people = people.collect();
    (gallery, people)
}

#[test]
fn table_of_comparisons() {
    let rules = RecognitionRules {
        least_gap: 0.1,
        unsure_margin: 0.2,
        ..RecognitionRules::default()
    };
    let threshold = Threshold::new(0.5).unwrap();
    let probe = at(0.0, 1.0);
    for (name, templates, weight, expected) in [
        ("nobody enrolled", &[][..], 1.0, "nobody"),
        ("close", &[at(0.3, 1.0)], 1.0, "0"),
        ("at the threshold", &[at(0.499_999, 1.0)], 1.0, "0"),
        ("just beyond it", &[at(0.6, 1.0)], 1.0, "Near"),
        ("far beyond it", &[at(0.75, 1.0)], 1.0, "nobody"),
        (
            "the closer of two",
            &[at(0.4, 1.0), at(0.2, -1.0)],
            1.0,
            "1",
        ),
        (
            "between two",
            &[at(0.3, 1.0), at(0.25, -1.0)],
            1.0,
            "SmallGap",
        ),
        (
            "between two beyond the threshold",
            &[at(1.3, 1.0), at(1.3, -1.0)],
            1.0,
            "nobody",
        ),
        ("a poor picture", &[at(0.3, 1.0)], 0.25, "PoorFace"),
        (
            "a poor picture of a stranger",
            &[at(1.3, 1.0)],
            0.25,
            "nobody",
        ),
    ] {
        let (gallery, people) = gallery(templates);
        let found = match decide(&gallery, threshold, &rules, &probe, weight) {
            Outcome::Match { identity, distance } => {
                assert!(threshold.accepts(distance), "{name}");
                people
                    .iter()
                    .position(|person| *person == identity)
                    .unwrap()
                    .to_string()
            }
            Outcome::NoMatch { .. } => "nobody".to_owned(),
            Outcome::NotSure { reason, .. } => format!("{reason:?}"),
        };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn whose_consent_has_ended_is_nobody() {
    let (mut gallery, _) = gallery(&[at(0.1, 1.0)]);
    let later = WallTime::from_unix_seconds(1_800_000_000 + 2 * WallTime::DAY);
    assert_eq!(gallery.suspend_expired(later), 1);
    let threshold = Threshold::new(0.5).unwrap();
    let outcome = decide(
        &gallery,
        threshold,
        &RecognitionRules::default(),
        &at(0.0, 1.0),
        1.0,
    );
    assert!(matches!(outcome, Outcome::NoMatch { .. }), "{outcome:?}");
}

/// A manifest with these points: name, threshold, false match rate.
fn manifest(points: &[(&str, f32, Option<f64>)]) -> ModelManifest {
    let mut text = String::from(
        "format = 1\nname = \"m\"\nnetwork = \"mobilefacenet\"\nonnx = \"m.onnx\"\n\
         sha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n\
         dimension = 2\nparameters = 1\nmultiply_adds = 1\nlicence = \"test\"\n\
         [preprocessing]\nside_px = 112\ncolor_order = \"rgb\"\nmean = 127.5\nscale = 0.0078125\n\
         alignment = \"arcface112\"\nresampling = \"supersampled_bilinear\"\n",
    );
    for (name, threshold, fmr) in points {
        let fmr = fmr.map_or(String::new(), |fmr| format!("fmr = {fmr}\n"));
        text += &format!(
            "[[operating_points]]\nname = \"{name}\"\nthreshold = {threshold}\n{fmr}impostor_pairs = 1000\n\
             genuine_pairs = 100\ndata = \"made up\"\n"
        );
    }
    text +=
        "[[training_data]]\nname = \"none\"\npictures = 1\nidentities = 1\nlicence = \"none\"\n";
    ModelManifest::from_toml(&text, Path::new("m.toml")).unwrap()
}

fn people(count: usize) -> Gallery {
    gallery(&vec![at(0.5, 1.0); count]).0
}

#[test]
fn the_point_follows_the_wish_and_the_size_of_the_gallery() {
    let points = [
        ("verify", 0.9, Some(0.15)),
        ("greet", 0.5, Some(1e-3)),
        ("door", 0.3, Some(1e-4)),
        ("unmeasured", 0.8, None),
    ];
    let manifest = manifest(&points);
    for (asked, size, fpir, expected, by) in [
        (None, 1, 0.2, "verify", ChosenBy::Wish),
        (None, 1, 0.01, "greet", ChosenBy::Wish),
        (None, 0, 0.01, "greet", ChosenBy::Wish),
        // 1 - 0.999^10 = 0.00996, 1 - 0.999^11 = 0.01094
        (None, 10, 0.01, "greet", ChosenBy::Wish),
        (None, 11, 0.01, "door", ChosenBy::Wish),
        (None, 50, 1e-4, "door", ChosenBy::Strictest),
        (Some("verify"), 50, 0.01, "verify", ChosenBy::Name),
    ] {
        let chosen = DecisionPoint::choose(&manifest, asked, &people(size), fpir).unwrap();
        let name = chosen.point().name.as_str();
        assert_eq!(
            (name, chosen.chosen_by()),
            (expected, by),
            "{asked:?}, {size} people, {fpir}"
        );
        let kept = chosen.fpir().is_some_and(|found| found <= fpir);
        assert_eq!(chosen.warning().is_none(), kept, "{chosen:?}");
    }
    assert!(DecisionPoint::choose(&manifest, Some("gate"), &people(1), 0.01).is_err());
}

#[test]
fn numbers_as_the_owner_reads_them() {
    let door = manifest(&[("door", 0.3, Some(1e-4))]);
    let chosen = DecisionPoint::choose(&door, None, &people(200), 0.01).unwrap();
    // 1 - 0.9999^200 = 0.0198
    assert!((chosen.one_in().unwrap() - 50.5).abs() < 0.1, "{chosen:?}");
    let warning = chosen.warning().unwrap();
    assert!(
        warning.starts_with(
            "operating point door takes 1 stranger in 50.5 for one of 200 people, wished was 1 in 100; "
        ),
        "{warning}"
    );
    let empty = DecisionPoint::choose(&door, None, &people(0), 0.01).unwrap();
    assert_eq!((empty.fpir(), empty.one_in()), (Some(0.0), None));
}

#[test]
fn what_was_not_measured_is_said() {
    let bare = manifest(&[("greet", 0.3, None), ("other", 0.2, None)]);
    let chosen = DecisionPoint::choose(&bare, None, &people(3), 0.01).unwrap();
    assert_eq!(
        (chosen.point().name.as_str(), chosen.chosen_by()),
        ("greet", ChosenBy::Unmeasured)
    );
    assert_eq!(chosen.one_in(), None);
    assert!(chosen.warning().unwrap().contains("nobody has measured"));
    // No false match among 1000 pairs is no proof of none at all: 3 / 1000 at most.
    let clean = manifest(&[("greet", 0.3, Some(0.0))]);
    let chosen = DecisionPoint::choose(&clean, None, &people(1), 0.01).unwrap();
    assert!((chosen.fpir().unwrap() - 0.003).abs() < 1e-12);
}
