use super::*;
use crate::evaluation::measure::{curve, histograms, measure};
use crate::evaluation::report::{AtThreshold, Data, WorstErrors};
use crate::verification::folds::Comparison;
use crate::verification::rates::Distances;

/// Of six comparisons by hand in two folds.
fn report() -> Report {
    let fold = |genuine: [f32; 2], impostor: f32| {
        let of = |distance: f32, genuine| Comparison {
            distance: Some(distance),
            genuine,
        };
        vec![
            of(genuine[0], true),
            of(genuine[1], true),
            of(impostor, false),
        ]
    };
    let folds = [fold([0.3, 0.5], 1.5), fold([0.4, 1.6], 1.2)];
    let distances = Distances::new(vec![0.3, 0.5, 0.4, 1.6], vec![1.5, 1.2]);
    Report {
        model: "tiny 00".to_owned(),
        data: Data {
            name: "by hand".to_owned(),
            pictures: 6,
            unreadable: 0,
            people: 3,
            genuine: 4,
            impostor: 2,
            all: false,
            sha256: "00".to_owned(),
        },
        not_found: 0,
        measured: measure(&folds, Some(&distances), &[]).unwrap(),
        at_threshold: AtThreshold {
            threshold: 0.9,
            fmr: 0.0,
            fmr_interval: None,
            fnmr: 0.25,
            fnmr_interval: None,
        },
        curve: curve(&distances).unwrap(),
        histograms: histograms(&distances),
        worst: Some(WorstErrors {
            false_matches: vec![WorstPair {
                pictures: [
                    "</script><script>alert(1)</script>/1.jpg".into(),
                    "b/2.jpg".into(),
                ],
                places: [0, 1],
                distance: 0.5,
            }],
            false_non_matches: vec![],
        }),
        open_set: None,
        groups: None,
        robustness: Vec::new(),
    }
}

#[test]
fn nothing_from_outside_ends_the_data() {
    let page = html(&report(), &[], None);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("alert(1)</"));
    assert!(!page.contains("\"DATA\""));
    // One file that asks nobody: no address to load from (the name of SVG's elements is none).
    let addresses = page.matches("http").count();
    assert_eq!(
        addresses,
        page.matches("http://www.w3.org/2000/svg").count() + page.matches("http-equiv").count()
    );
}

#[test]
fn faces_are_on_it_only_when_given() {
    assert!(!html(&report(), &[], None).contains("data:image/jpeg"));
    let faces = WorstFaces {
        false_matches: vec![[vec![1, 2, 3], vec![4]]],
        false_non_matches: vec![],
    };
    let page = html(&report(), &[], Some(&faces));
    assert!(page.contains("data:image/jpeg;base64,AQID"));
}

#[cfg(unix)]
#[test]
fn a_file_name_that_is_not_utf_8_is_shown_as_well_as_it_can_be() {
    use std::os::unix::ffi::OsStringExt;
    let mut report = report();
    let name = std::ffi::OsString::from_vec(b"a/\xff.jpg".to_vec());
    report.worst.as_mut().unwrap().false_matches[0].pictures[1] = name.into();
    assert!(html(&report, &[], None).contains("a/\u{fffd}.jpg"));
    assert!(serde_json::to_string(&report).is_ok());
}

#[test]
fn only_lfw_is_said_to_be_of_public_figures() {
    let page = html(&report(), &[], None);
    let choice =
        "data.data.name.startsWith(\"LFW\")\n    ? \"Rates hold for these pictures: public figures";
    assert!(page.contains(choice), "{page}");
}
