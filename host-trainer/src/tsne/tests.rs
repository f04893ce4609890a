//! t-SNE on points whose neighbors are known.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::neighbors::nearest;
use super::preservation::{Preservation, preservation};
use super::*;

/// Ten clusters far from each other.
fn clusters(each: usize) -> (Vec<f32>, usize) {
    let dimension = 16;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut rows = Vec::new();
    for index in 0..10 * each {
        for axis in 0..dimension {
            let center = if axis == index % 10 { 1.0 } else { 0.0 };
            rows.push(center + random.random_range(-0.1..0.1));
        }
    }
    (rows, dimension)
}

#[test]
fn neighbors_are_those_of_a_sort_of_all() {
    // More rows than a block, and not a multiple of it.
    let (rows, dimension) = clusters(15);
    let found = nearest(&rows, dimension, 12);
    let row = |index: usize| &rows[index * dimension..(index + 1) * dimension];
    for index in 0..150 {
        let distance = |other: usize| {
            let squares = row(index)
                .iter()
                .zip(row(other))
                .map(|(a, b)| (a - b) * (a - b));
            squares.sum::<f32>().sqrt()
        };
        let mut all: Vec<usize> = (0..150).filter(|other| *other != index).collect();
        all.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
        let others: Vec<usize> = found
            .of(index)
            .iter()
            .map(|(_, other)| *other as usize)
            .collect();
        assert_eq!(others, all[..12], "row {index}");
        assert!((found.of(index)[3].0 - distance(all[3])).abs() < 1e-3);
    }
}

#[test]
fn neighbors_of_few_rows_are_all_others() {
    let found = nearest(&[0.0, 3.0, 1.0], 1, 10);
    assert_eq!(found.each(), 2);
    assert_eq!(found.of(0), [(1.0, 2), (3.0, 1)]);
    assert_eq!(nearest(&[1.0], 1, 10).each(), 0);
}

#[test]
fn kept_neighbors_are_counted() {
    // On a line 0, 1, 2 .. 29; the picture moves the last point to the other end. By hand: points
    // 0 to 4 have 0..=10 less themselves as their nearest, of which the newcomer takes one place.
    let line: Vec<f32> = (0..30u8).map(f32::from).collect();
    let truth = nearest(&line, 1, 10);
    let mut points: Vec<[f32; 2]> = line.iter().map(|x| [*x, 0.0]).collect();
    assert_eq!(preservation(&truth, &points).mean(), Some(1.0));
    points[29] = [-1.0, 0.0];
    let moved = preservation(&truth, &points);
    assert_eq!(moved.of, 10);
    // 29's ten nearest were 19 to 28, and are now 0 to 9.
    assert_eq!(moved.kept[29], 0);
    assert_eq!(moved.kept[0], 9);
    // Point 14 is far from both ends.
    assert_eq!(moved.kept[14], 10);
    // Point 28 had 18 to 27 and 29; ten of them: 19 to 27 and 29. The last is gone.
    assert_eq!(moved.kept[28], 9);
    let none = Preservation {
        of: 0,
        kept: vec![0],
    };
    assert_eq!(none.mean(), None);
}

#[test]
fn clusters_stay_together_and_the_picture_is_the_same_again() {
    let (rows, dimension) = clusters(20);
    let settings = Settings {
        perplexity: 10.0,
        ..Settings::default()
    };
    let picture = tsne(&rows, dimension, &settings).unwrap();
    let shown = nearest(picture.points.as_flattened(), 2, 10);
    let strangers = (0..200)
        .flat_map(|row| {
            shown
                .of(row)
                .iter()
                .map(move |(_, other)| (row, *other as usize))
        })
        .filter(|(row, other)| row % 10 != other % 10)
        .count();
    assert_eq!(strangers, 0);
    // By chance among all it would be 0.05, by chance within a cluster 0.53.
    let kept = preservation(&picture.neighbors, &picture.points)
        .mean()
        .unwrap();
    assert!(kept > 0.7, "{kept}");
    assert_eq!(tsne(&rows, dimension, &settings).unwrap(), picture);
    let other = Settings {
        seed: 2,
        ..settings
    };
    assert_ne!(
        tsne(&rows, dimension, &other).unwrap().points,
        picture.points
    );
}

#[test]
fn points_that_lie_apart_keep_their_neighbors() {
    // The same picture whatever the unit, though exp(-distance squared) is 0 in f32 in the larger.
    let (rows, dimension) = clusters(20);
    let larger: Vec<f32> = rows.iter().map(|value| value * 1024.0).collect();
    let settings = Settings {
        perplexity: 10.0,
        ..Settings::default()
    };
    let kept = |rows: &[f32]| {
        let picture = tsne(rows, dimension, &settings).unwrap();
        let kept = preservation(&picture.neighbors, &picture.points);
        kept.mean().unwrap()
    };
    let (small, large) = (kept(&rows), kept(&larger));
    assert!((small - large).abs() < 0.03, "{small} {large}");
}

#[test]
fn few_and_equal_rows_have_a_place_too() {
    for count in [1, 2, 7, 8, 9, 40] {
        let picture = tsne(&vec![0.5; count * 4], 4, &Settings::default()).unwrap();
        assert_eq!(picture.points.len(), count);
        assert!(
            picture.points.as_flattened().iter().all(|x| x.is_finite()),
            "{count}"
        );
    }
}

#[test]
fn what_is_no_matrix_is_refused() {
    let settings = Settings::default();
    for rows in [&[][..], &[1.0, 2.0, 3.0]] {
        assert!(matches!(
            tsne(rows, 2, &settings),
            Err(TsneError::Shape { .. })
        ));
    }
    assert!(matches!(
        tsne(&[0.0, 1.0, f32::NAN, 1.0], 2, &settings),
        Err(TsneError::NotFinite { row: 1 })
    ));
}
