//! Which of many faces of one person become templates.

use crate::distance::SquaredL2;
use crate::embedding::Embedding;
use crate::operating_point::Threshold;

/// What [`select`] keeps and what it leaves out, as places in what it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The median first, then those farthest from all that are kept already.
    pub kept: Vec<usize>,
    /// Those that are farther from the median than one person's faces are.
    pub outliers: Vec<usize>,
}

/// Chooses at most `most` templates of one person.
///
/// The median (the face with the least sum of distances to all) is the first. Faces beyond
/// `agreement` from it are outliers. The others are chosen one after another, each the farthest from
/// those chosen, so that few templates cover what the person looks like.
pub fn select(faces: &[Embedding], most: usize, agreement: Threshold) -> Selection {
    let Some(median) = median(faces) else {
        return Selection::default();
    };
    let agrees =
        |&place: &usize| agreement.accepts(SquaredL2::between(&faces[median], &faces[place]));
    let (mut candidates, outliers): (Vec<_>, Vec<_>) = (0..faces.len()).partition(agrees);
    candidates.retain(|&place| place != median);
    let mut kept = vec![median];
    let nearest_kept = |kept: &[usize], place: usize| {
        kept.iter()
            .map(|&other| SquaredL2::between(&faces[other], &faces[place]))
            .min()
    };
    while kept.len() < most {
        let farthest = candidates
            .iter()
            .copied()
            .enumerate()
            .max_by_key(|&(_, place)| nearest_kept(&kept, place));
        let Some((at, place)) = farthest else { break };
        candidates.remove(at);
        kept.push(place);
    }
    Selection { kept, outliers }
}

/// Place of the face with the least sum of distances to all; the first of equals.
fn median(faces: &[Embedding]) -> Option<usize> {
    let sum = |face: &Embedding| -> f32 {
        faces
            .iter()
            .map(|other| SquaredL2::between(face, other).value())
            .sum()
    };
    faces
        .iter()
        .map(sum)
        .enumerate()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors at these angles in degrees.
    fn selected(angles: &[f32], most: usize) -> (Vec<f32>, Vec<f32>) {
        let faces: Vec<_> = angles
            .iter()
            .map(|angle| {
                let radians = angle.to_radians();
                Embedding::from_raw(vec![radians.cos(), radians.sin()]).unwrap()
            })
            .collect();
        let chosen = select(&faces, most, Threshold::new(0.5).unwrap());
        let at = |places: &[usize]| places.iter().map(|&place| angles[place]).collect();
        (at(&chosen.kept), at(&chosen.outliers))
    }

    #[test]
    fn the_median_then_the_most_different() {
        let angles = [0.0, 1.0, 2.0, 3.0, 20.0, -20.0, 10.0, 11.0];
        assert_eq!(
            selected(&angles, 5),
            (vec![3.0, -20.0, 20.0, 11.0, 0.0], vec![])
        );
        assert_eq!(selected(&angles, 1).0, [3.0]);
        assert_eq!(selected(&[5.0], 5).0, [5.0]);
        assert_eq!(selected(&[], 5), (vec![], vec![]));
    }

    #[test]
    fn somebody_else_is_left_out() {
        let (kept, outliers) = selected(&[0.0, 1.0, 2.0, 90.0], 5);
        assert_eq!((kept, outliers), (vec![2.0, 0.0, 1.0], vec![90.0]));
    }
}
