//! Sets of faces made here, scored by networks made here; and one real set, where it lies.

use super::*;
use crate::skip;

const SIDE_PX: u32 = 16;

/// A face of one shade of red.
fn face(red: u8) -> Option<AlignedFace> {
    let rgb = [red, 0, 0].repeat((SIDE_PX * SIDE_PX) as usize);
    Some(AlignedFace::from_rgb(SIDE_PX, rgb).unwrap())
}

fn pair(first: usize, second: usize, genuine: bool) -> Pair {
    Pair {
        first,
        second,
        genuine,
    }
}

/// A network that turns by a degree for each shade of red.
fn by_shade(faces: &[f32], count: usize) -> Vec<Vec<f32>> {
    let size = faces.len() / count;
    assert_eq!(size, 3 * (SIDE_PX as usize).pow(2));
    let angle = |face: &[f32]| (face[0] * 128.0 + 127.5).to_radians();
    let faces = faces.chunks_exact(size).map(angle);
    faces.map(|angle| vec![angle.cos(), angle.sin()]).collect()
}

fn set(
    faces: Vec<Option<AlignedFace>>,
    protocol: Protocol,
) -> Result<ValidationSet, ValidationError> {
    ValidationSet::new(Preprocessing::usher(SIDE_PX), faces, protocol)
}

/// Squared L2 of unit vectors that many degrees apart.
fn apart(degrees: f64) -> f64 {
    2.0 - 2.0 * degrees.to_radians().cos()
}

#[test]
fn a_threshold_chosen_on_one_list_decides_the_other() {
    // Chosen: genuine 10 degrees apart, impostor 50: halfway in squared L2. Measured: genuine 20
    // and 60, impostor 90 and 100: three of four right.
    let faces = [0, 10, 60, 100, 120, 160, 190, 200].map(face).to_vec();
    let protocol = Protocol::HeldOut {
        choose: vec![pair(0, 1, true), pair(1, 2, false)],
        measure: vec![
            pair(3, 4, true),
            pair(3, 5, true),
            pair(3, 6, false),
            pair(3, 7, false),
        ],
    };
    let set = set(faces, protocol).unwrap();
    let found = set.score(by_shade).unwrap();
    let near = |found: f64, expected: f64| (found - expected).abs() < 1e-5;
    assert_eq!(found.accuracy, 0.75);
    assert!(
        near(found.threshold, (apart(10.0) + apart(50.0)) / 2.0),
        "{found:?}"
    );
    assert!(
        near(found.genuine, (apart(20.0) + apart(60.0)) / 2.0),
        "{found:?}"
    );
    assert!(
        near(found.impostor, (apart(90.0) + apart(100.0)) / 2.0),
        "{found:?}"
    );
    assert_eq!((found.auc, found.pairs, found.without_face), (1.0, 4, 0));
}

/// Ten identities with two pictures each, 10 degrees apart, every identity 20 from the next.
fn ten() -> (Vec<Option<AlignedFace>>, Protocol) {
    let faces = (0..10).flat_map(|i| [face(20 * i), face(20 * i + 10)]);
    let genuine = (0..10).map(|i| pair(2 * i, 2 * i + 1, true));
    let impostor = (0..9).map(|i| pair(2 * i, 2 * i + 2, false));
    let pairs = genuine.chain(impostor).collect();
    (
        faces.collect(),
        Protocol::Folds(vec![pairs]).filter_map(|pair| Some(*pair)),
    )
}

#[test]
fn folds_are_measured_by_each_others_thresholds() {
    let (faces, protocol) = ten();
    let found = set(faces, protocol).unwrap().score(by_shade).unwrap();
    assert_eq!((found.accuracy, found.auc, found.pairs), (1.0, 1.0, 19));
    // A network that sees no difference decides by chance.
    let (faces, protocol) = ten();
    let same = |_: &[f32], count| vec![vec![1.0, 0.0]; count];
    let found = set(faces, protocol).unwrap().score(same).unwrap();
    assert_eq!((found.auc, found.genuine, found.impostor), (0.5, 0.0, 0.0));
    assert!(found.accuracy < 0.6, "{found:?}");
}

#[test]
fn faces_come_in_chunks_and_every_one_once() {
    let faces: Vec<_> = (0..70).map(face).collect();
    let pairs = (0..35)
        .map(|i| pair(2 * i, 2 * i + 1, i % 2 == 0))
        .collect();
    let protocol = Protocol::Folds(vec![pairs]).filter_map(|pair| Some(*pair));
    let set = set(faces, protocol).unwrap();
    let mut counts = Vec::new();
    let counted = |faces: &[f32], count: usize| {
        counts.push(count);
        by_shade(faces, count)
    };
    set.score(counted).unwrap();
    assert_eq!(counts, [32, 32, 6]);
    assert_eq!(set.faces(), 70);
}

#[test]
fn pairs_without_a_face_are_left_out_and_the_pictures_counted() {
    let (mut faces, protocol) = ten();
    faces[4] = None;
    let set = set(faces, protocol).unwrap();
    let found = set.score(by_shade).unwrap();
    // Picture 4 was in one genuine and two impostor pairs.
    assert_eq!((found.pairs, found.without_face), (16, 1));
    assert_eq!(
        found.accuracy, 1.0,
        "the other indices still fit: {found:?}"
    );
}

#[test]
fn a_set_that_cannot_be_scored_is_refused_when_it_is_opened() {
    let (mut faces, protocol) = ten();
    faces[2..].fill(None);
    let said = set(faces, protocol).unwrap_err().to_string();
    assert!(said.contains("18 pictures"), "{said}");
    let one_kind = Protocol::HeldOut {
        choose: vec![pair(0, 1, true), pair(1, 2, false)],
        measure: vec![pair(0, 1, true)],
    };
    assert!(set(vec![face(1), face(2), face(3)], one_kind).is_err());
}

#[test]
fn what_is_no_embedding_is_refused() {
    let (faces, protocol) = ten();
    let set = set(faces, protocol).unwrap();
    let too_few = |_: &[f32], _| vec![vec![1.0, 0.0]];
    let said = set.score(too_few).unwrap_err().to_string();
    assert!(said.contains("expected 20 embeddings"), "{said}");
    for value in [f32::NAN, 0.0] {
        let spoilt = |_: &[f32], count| vec![vec![value; 4]; count];
        assert!(
            matches!(set.score(spoilt), Err(ValidationError::Embedding(_))),
            "{value}"
        );
    }
}

#[test]
fn real_pictures_are_found_and_aligned() {
    let (Some(detector), Some(tar)) = (skip::yunet(), skip::data("lfw/lfw160.tar")) else {
        return;
    };
    let lfw = tar.parent().unwrap();
    let limits = Limits {
        side_px: 112,
        pairs: 8,
    };
    let set = ValidationSet::open(lfw, limits, &detector).unwrap();
    assert_eq!(set.without_face(), 0);
    let Protocol::HeldOut { choose, measure } = &set.protocol else {
        panic!("LFW's View 1 has two lists");
    };
    assert_eq!((choose.len(), measure.len()), (8, 8));
    assert!(set.faces() > 20 && set.faces() <= 32, "{set:?}");
}
