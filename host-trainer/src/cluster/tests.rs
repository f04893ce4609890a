//! Each method on points of which the answer is known.

use super::metrics::Metrics;
use super::synthetic::Synthetic;
use super::*;

fn at(degrees: &[f32]) -> Vec<f32> {
    let points = degrees.iter().map(|angle| angle.to_radians());
    points
        .flat_map(|angle| [angle.cos(), angle.sin()])
        .collect()
}

fn clusters(method: Method, degrees: &[f32], d: f32) -> Vec<usize> {
    let values = at(degrees);
    let rows = Rows::new(&values, 2).unwrap();
    let clustering = method.cluster(rows, Threshold::new(d).unwrap()).unwrap();
    assert_eq!(clustering.sizes.iter().sum::<usize>(), degrees.len());
    clustering.of_face
}

#[test]
fn average_link_is_cut_at_d() {
    // 0 and 10 degrees are 0.0304 apart, 0 and 30 0.2679, 10 and 30 0.1206: on average 0.1943, as
    // scipy.cluster.hierarchy.linkage(pdist(points, "sqeuclidean"), "average") has it.
    for method in [Method::Average, Method::Graph] {
        for (d, expected) in [
            (0.03, [0, 1, 2, 3]),
            (0.05, [0, 0, 1, 2]),
            (0.194, [0, 0, 1, 2]),
            (0.195, [0, 0, 0, 1]),
            (4.0, [0, 0, 0, 0]),
        ] {
            let found = clusters(method, &[0.0, 10.0, 30.0, 180.0], d);
            assert_eq!(found, expected, "{method} at {d}");
        }
    }
}

#[test]
fn a_chain_does_not_become_one() {
    // Each 10 degrees from the next, which single link joins at 0.031.
    let chain: Vec<f32> = (0..12).map(|step| step as f32 * 10.0).collect();
    for method in [Method::Average, Method::Graph] {
        let found = clusters(method, &chain, 0.2);
        assert!(found.iter().max() >= Some(&2), "{method}: {found:?}");
    }
}

#[test]
fn few_faces_are_no_trouble() {
    for method in [Method::Average, Method::Density, Method::Graph] {
        assert_eq!(clusters(method, &[], 1.0), Vec::<usize>::new());
        assert_eq!(clusters(method, &[5.0], 1.0), [0]);
        let two = clusters(method, &[5.0, 6.0], 1.0);
        assert_eq!(two.len(), 2, "{method}");
    }
}

#[test]
fn made_people_are_found() {
    let made = Synthetic {
        faces: 700,
        people: 40,
        ..Synthetic::default()
    }
    .make();
    let d = Threshold::new(1.3).unwrap();
    for (method, least) in [
        (Method::Average, 0.98),
        (Method::Graph, 0.97),
        (Method::Density, 0.85),
    ] {
        let found = method.cluster(made.rows(), d).unwrap();
        assert_eq!(found, method.cluster(made.rows(), d).unwrap(), "{method}");
        let faces = found.of_face.iter().zip(&made.people);
        let metrics = Metrics::of(faces).unwrap();
        assert!(metrics.b_cubed.f > least, "{method}: {metrics:?}");
    }
}

#[test]
fn numbers_fall_with_size() {
    let found = Clustering::of_marks(&[7, 3, 3, 9, 9, 3, 1]);
    assert_eq!(found.of_face, [2, 0, 0, 1, 1, 0, 3]);
    assert_eq!(found.sizes, [3, 2, 1, 1]);
    assert_eq!((found.groups(), found.lone()), (2, 2));
    assert_eq!(found.members()[1], [3, 4]);
}

#[test]
fn too_many_faces_are_refused_with_the_way_out() {
    let values = vec![1.0_f32; 50_001];
    let rows = Rows::new(&values, 1).unwrap();
    let d = Threshold::new(1.0).unwrap();
    for method in [Method::Average, Method::Density] {
        let error = method.cluster(rows, d).unwrap_err().to_string();
        assert!(error.contains("--method graph"), "{error}");
    }
    assert_eq!(
        (Method::automatic(10_000), Method::automatic(100_000)),
        (Method::Average, Method::Graph)
    );
}

#[test]
fn rows_that_are_none_are_refused() {
    assert!(Rows::new(&[1.0, 0.0, 1.0], 2).is_err());
    assert!(Rows::new(&[], 0).is_err());
    for bad in [f32::NAN, 0.5, f32::INFINITY] {
        let error = Rows::new(&[1.0, 0.0, bad, 0.0], 2).unwrap_err().to_string();
        assert!(error.contains("row 1"), "{error}");
    }
}
