use clap::Parser;
use shared::{OperatingPoint, Threshold};

use super::*;
use crate::evaluation::calibration::{Chosen, Wanted};
use crate::verification::bootstrap::Intervals;
use crate::verification::folds::Best;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

/// With one point chosen and one left out.
fn calibration() -> Calibration {
    let point = OperatingPoint {
        name: "greet".to_owned(),
        threshold: Threshold::new(1.0).unwrap(),
        fmr: Some(1e-3),
        fnmr: Some(0.1),
        impostor_pairs: 100_000,
        genuine_pairs: 100,
        fmr_interval: Some([1e-4, 2e-3]),
        fnmr_interval: None,
        data_sha256: None,
        data: String::new(),
    };
    let door = Wanted {
        name: "door".to_owned(),
        fmr: 1e-4,
        asked: false,
    };
    Calibration {
        points: vec![Chosen {
            point,
            by_pairs: None,
            by_people: Intervals::default(),
        }],
        left_out: vec![(door, "too few".to_owned())],
        best: Best {
            threshold: 1.0,
            accuracy: 0.9,
        },
    }
}

#[test]
fn on_lfw_has_the_defaults_of_the_line() {
    let line = ["calibrate", "--lfw", "data/lfw", "--model", "m.toml"];
    let line = Line::try_parse_from(line).unwrap().arguments;
    let made = Arguments::on_lfw(line.embedding.clone(), "data/lfw".into());
    assert_eq!(format!("{made:?}"), format!("{line:?}"));
}

#[test]
fn points_of_the_manifest_are_not_dropped_in_silence() {
    let found = dropped(&["greet", "door", "vault"], &calibration());
    assert_eq!(found.unsupported, ["door: too few"]);
    assert_eq!(found.unasked, ["vault"]);
    assert_eq!(dropped(&["greet"], &calibration()).unsupported, [""; 0]);
}

#[test]
fn each_point_tells_its_rate_in_a_gallery() {
    let told = in_gallery(&calibration(), 1000);
    // 1 - 0.999^1000 = 0.6323; 1 - 0.9999^1000 = 0.0952; 1 - 0.998^1000 = 0.8649
    assert!(told.contains("63.2 %  95 %: 9.5 to 86.5 %"), "{told}");
}

#[test]
fn a_named_rate_has_a_name_and_a_rate() {
    assert_eq!(named_rate("vault=1e-5"), Ok(("vault".to_owned(), 1e-5)));
    for text in [
        "vault",
        "=0.1",
        "vault=2",
        "vault=0",
        "vault=x",
        "verify=0.1",
        "a b=0.1",
        "a\n=0.1",
        "tür=0.1",
        "a.b=0.1",
    ] {
        assert!(named_rate(text).is_err(), "{text}");
    }
    assert!(named_rate(&format!("{}=0.1", "a".repeat(40))).is_ok());
    assert!(named_rate(&format!("{}=0.1", "a".repeat(41))).is_err());
    let given = ["a_1", "B-2", "a_1"].map(|name| (name.to_owned(), 0.1));
    assert_eq!(twice(&given), Some("a_1"));
    assert_eq!(twice(&given[..2]), None);
}

#[test]
fn a_gallery_is_told_its_threshold_or_why_not() {
    let impostor = (0..100_000).map(|i| 1.0 + i as f32 / 100_000.0).collect();
    let distances = Distances::new(vec![0.5, 1.5], impostor);
    let told = gallery(&distances, 10, 0.1);
    assert!(
        told.contains("FMR of 1.05e-2: D 1.0105, where 50.0 %"),
        "{told}"
    );
    let told = gallery(&distances, 1000, 0.01);
    assert!(told.contains("rule of 3"), "{told}");
}
