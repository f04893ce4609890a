//! Decisions on records made by hand.

use super::*;
use crate::preparation::duplicates::DifferenceHash;
use crate::preparation::settings::{Faces, Limits, OutlierSettings};

fn settings() -> Settings {
    Settings {
        recipe: 1,
        photos: "/photos".into(),
        detector_sha256: String::new(),
        detector_side: 640,
        faces: Faces::One,
        follow_symlinks: false,
        limits: Limits {
            min_eye_px: 12.0,
            min_sharpness: 10.0,
        },
        duplicate_bits: Some(4),
        outliers: None,
        shard_mib: None,
    }
}

fn photo(identity: &str, name: &str) -> Photo {
    Photo {
        identity: identity.into(),
        name: name.into(),
        path: format!("/photos/{identity}/{name}").into(),
        bytes: 7,
        modified_ns: 8,
    }
}

/// Photos with the eye distance and the first byte of the hash of each.
fn cut(faces: &[(&str, &str, f32, u8)]) -> (Vec<Photo>, Done) {
    let mut done = Done::default();
    let mut photos = Vec::new();
    for &(identity, name, eye_distance_px, hash) in faces {
        let record = Record {
            identity: identity.into(),
            photo: name.into(),
            bytes: 7,
            modified_ns: 8,
            found: Found::Cut(Measures {
                eye_distance_px,
                sharpness: 50.0,
                hash: DifferenceHash::from_bytes(&[hash]),
                really: None,
            }),
        };
        photos.push(photo(identity, name));
        done.records.insert((identity.into(), name.into()), record);
    }
    (photos, done)
}

fn left_out(decided: &[Decided]) -> Vec<(String, Cause, String)> {
    decided
        .iter()
        .filter_map(|one| {
            let (cause, detail) = one.left_out.clone()?;
            Some((one.photo.name.clone(), cause, detail))
        })
        .collect()
}

#[test]
fn the_largest_of_duplicates_stays() {
    let (photos, done) = cut(&[
        ("ada", "1.jpg", 30.0, 0),
        ("ada", "2.jpg", 60.0, 1),
        ("ada", "3.jpg", 60.0, 3),
        ("ada", "4.jpg", 60.0, 255),
        ("bob", "1.jpg", 10.0, 0),
    ]);
    let expected = [
        ("1.jpg".to_owned(), Cause::Duplicate, "of 2.jpg".to_owned()),
        ("3.jpg".to_owned(), Cause::Duplicate, "of 2.jpg".to_owned()),
    ];
    assert_eq!(left_out(&decide(&photos, &done, &settings())), expected);
    let keep = Settings {
        duplicate_bits: None,
        ..settings()
    };
    assert!(left_out(&decide(&photos, &done, &keep)).is_empty());
}

#[test]
fn a_judgment_counts_for_the_pictures_it_was_made_on() {
    let names = ["1.jpg", "2.jpg", "3.jpg", "4.jpg"];
    let faces: Vec<_> = names
        .iter()
        .zip([0, 15, 240, 255])
        .map(|(name, hash)| ("ada", *name, 30.0, hash))
        .collect();
    let (photos, mut done) = cut(&faces);
    let judged = |left_out| Settings {
        duplicate_bits: Some(1),
        outliers: Some(OutlierSettings {
            model: "m".into(),
            drop: 0.3,
            left_out,
        }),
        ..settings()
    };
    let of = candidates_digest(&decide(&photos, &done, &judged(true)));
    let judgment = Judgment {
        identity: "ada".into(),
        of,
        outliers: vec![Outlier {
            photo: "3.jpg".into(),
            similarity: 0.1,
            median: 0.6,
        }],
    };
    done.judgments.insert("ada".into(), judgment.clone());

    let dropped = decide(&photos, &done, &judged(true));
    assert_eq!(left_out(&dropped)[0].1, Cause::Outlier);
    // Leaving it out does not change what was judged.
    assert_eq!(candidates_digest(&dropped), judgment.of);
    let told = decide(&photos, &done, &judged(false));
    assert!(left_out(&told).is_empty() && told[2].outlier.is_some());

    // A photo less: the judgment is of other pictures.
    let fewer = decide(&photos[..3], &done, &judged(true));
    assert!(left_out(&fewer).is_empty());
}
