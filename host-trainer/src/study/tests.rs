//! Pictures, pairs and rows made here: what a change does, what is measured, what is shown.

use std::path::Path;

use shared::{Embedding, Frame, Landmarks, Point, Preprocessing};

use super::change::Change;
use super::measure::View1;
use super::*;
use crate::verification::faces::Embeddings;
use crate::verification::pairs::PairList;

const RECIPE_SIDE_PX: u32 = 112;

/// Fine stripes under a slow ramp: what a smaller size and a coarse JPEG lose.
fn frame() -> Frame {
    let (width, height) = (200_u32, 160_u32);
    let pixels = (0..height).flat_map(|y| {
        (0..width).flat_map(move |x| {
            let stripe = 60 * u32::from((x + y / 2) % 9 < 4);
            [x / 2 + stripe, y / 2 + stripe, 60 + stripe].map(|value| value as u8)
        })
    });
    Frame::new(width, height, pixels.collect()).unwrap()
}

fn landmarks() -> Landmarks {
    let points = [
        [76., 64.],
        [116., 66.],
        [97., 88.],
        [80., 108.],
        [113., 109.],
    ];
    Landmarks(points.map(|[x, y]| Point::new(x, y)))
}

/// Mean difference of a byte to the face as it is.
fn lost(change: Change) -> f64 {
    let recipe = Preprocessing::usher(RECIPE_SIDE_PX);
    let face = |change: Change| change.face(&frame(), &landmarks(), &recipe).unwrap();
    let (as_is, changed) = (face(Change::AsIs), face(change));
    assert_eq!(changed.side_px(), RECIPE_SIDE_PX);
    let pairs = as_is.rgb().iter().zip(changed.rgb());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / as_is.rgb().len() as f64
}

#[test]
fn a_face_loses_more_the_lower_the_quality_and_the_smaller_the_size() {
    assert_eq!(lost(Change::AsIs), 0.0);
    assert_eq!(lost(Change::Side(RECIPE_SIDE_PX)), 0.0, "scaled by nothing");
    for losses in [
        [10, 30, 70, 95].map(|quality| lost(Change::Jpeg(quality))),
        [16, 40, 80, 256].map(|side| lost(Change::Side(side))),
    ] {
        let falls = losses.windows(2).all(|pair| pair[0] > pair[1]);
        assert!(falls && losses[3] > 0.0 && losses[3] < 4.0, "{losses:?}");
    }
}

#[test]
fn a_face_keeps_its_place_at_any_size() {
    // A light left half: the edge stays where it is, to a third of a pixel of the network's side.
    let pixels = (0..160 * 200).flat_map(|it| [if it % 200 < 97 { 200 } else { 20 }; 3]);
    let frame = Frame::new(200, 160, pixels.collect()).unwrap();
    let edge = |change: Change| {
        let recipe = Preprocessing::usher(RECIPE_SIDE_PX);
        let face = change.face(&frame, &landmarks(), &recipe).unwrap();
        let row = &face.rgb()[56 * 112 * 3..57 * 112 * 3];
        // Where the row's light would end if it were all light, then all dark.
        row.iter()
            .step_by(3)
            .map(|it| f64::from(*it) - 20.0)
            .sum::<f64>()
            / 180.0
    };
    let as_is = edge(Change::AsIs);
    assert!(as_is > 30.0 && as_is < 80.0, "{as_is}");
    for change in [Change::Side(40), Change::Side(256), Change::Jpeg(50)] {
        let found = edge(change);
        assert!(
            (found - as_is).abs() < 0.3,
            "{change:?}: {found}, not {as_is}"
        );
    }
}

/// `people` with two pictures each, in genuine pairs and impostor pairs around.
fn list(people: u32) -> Vec<crate::verification::pairs::Pair> {
    let mut text = format!("{people}\n");
    for person in 0..people {
        text += &format!("p{person}\t1\t2\n");
    }
    for person in 0..people {
        text += &format!("p{person}\t1\tp{}\t2\n", (person + 1) % people);
    }
    PairList::parse(&text, Path::new("made here"))
        .unwrap()
        .folds
        .concat()
}

/// Everybody at an angle of their own in a plane, second pictures `off` degrees away.
fn embeddings(view: &View1, people: u32, off: f64) -> Embeddings {
    let pictures = view.pictures().into_iter();
    let at = pictures.map(|id| {
        let person: u32 = id.person[1..].parse().unwrap();
        let around = f64::from(person) * 360.0 / f64::from(people);
        let angle = (around + off * f64::from(id.number - 1)).to_radians();
        let raw = vec![angle.cos() as f32, angle.sin() as f32];
        (id, Some(Embedding::from_raw(raw).unwrap()))
    });
    at.collect()
}

#[test]
fn worse_faces_are_measured_by_the_threshold_of_good_ones() {
    let people = 60; // 6 degrees between neighbors
    let view = View1 {
        choose: list(people),
        measure: list(people),
    };
    let good = embeddings(&view, people, 1.0);
    let threshold = view.threshold(&good).unwrap();
    let best = view.measure(threshold, &good);
    assert_eq!((best.accuracy, best.pairs, best.auc), (1.0, 120, 1.0));
    // 120 pictures make 60 genuine and 7,080 impostor comparisons: 1e-2 lets 70 through, 1e-3 only 7.
    let all = view.comparisons(&good);
    assert_eq!((all.genuine_count(), all.impostor_count()), (60, 7080));
    assert_eq!(best.val.len(), 1);
    assert_eq!((best.val[0].far, best.val[0].val), (1e-2, 1.0));
    // Second pictures 8 degrees off are refused by it, though a threshold of their own would part
    // the list; and they are nearer to both next neighbors than to themselves.
    let worse = embeddings(&view, people, 8.0);
    let found = view.measure(threshold, &worse);
    assert_eq!((found.accuracy, found.val[0].val), (0.5, 0.0));
    let own = view.threshold(&worse).unwrap();
    assert_eq!(view.measure(own, &worse).accuracy, 1.0);
    // A face that is not found is in no pair.
    let mut without = good.clone();
    let first = without.keys().next().unwrap().clone();
    without.insert(first, None);
    assert_eq!(view.measure(threshold, &without).pairs, 118);
}

#[test]
fn a_standard_error_is_that_of_a_share() {
    let run = Validated {
        step: 40,
        pictures: 960,
        accuracy: 0.8,
        pairs: 400,
        auc: 0.9,
        ..Validated::default()
    };
    let measured = Measured::of_run(&run);
    assert!((measured.standard_error - 0.02).abs() < 1e-12);
    assert_eq!(measured.trained.unwrap().pictures_seen, 960);
}

/// A study with a row that the paper alone has, and one that it lacks.
pub(crate) fn made_up() -> Study {
    let measured = |accuracy, val: f64| Measured {
        accuracy,
        standard_error: 0.0125,
        pairs: 1000,
        auc: 0.9,
        val: vec![Val {
            far: 1e-2,
            threshold: 0.5,
            val,
        }],
        trained: None,
    };
    Study {
        study: Kind::Jpeg,
        about: vec!["Of data <made> up.".to_owned()],
        rows: vec![
            Row {
                value: "10".to_owned(),
                measured: Some(measured(0.7, 0.25)),
                paper: Some(paper::JPEG[0].1),
            },
            Row {
                value: "as it is".to_owned(),
                measured: Some(measured(0.8, 0.5)),
                paper: None,
            },
            Row {
                value: "99".to_owned(),
                measured: None,
                paper: Some(paper::DIMENSION[0].1),
            },
        ],
    }
}

#[test]
fn the_table_has_the_columns_that_there_is_something_for() {
    let expected = "JPEG quality

Of data <made> up.

JPEG quality   pairs right, %     AUC   VAL at FAR 1e-2, %   paper: VAL at FAR 1e-3, %
          10       70.0 ± 1.2   0.900                 25.0                        67.3
    as it is       80.0 ± 1.2   0.900                 50.0                           -
          99                -       -                    -                  86.8 ± 1.7
";
    assert_eq!(made_up().to_string(), expected);
    let json = serde_json::to_value(made_up()).unwrap();
    assert_eq!(json["study"], "jpeg");
    assert_eq!(json["rows"][0]["measured"]["val"][0]["val"], 0.25);
    assert_eq!(json["rows"][2]["paper"]["standard_error"], 1.7);
}
