//! Both error rates over every threshold: DET and ROC points to draw, and where the rates are equal.

use serde::Serialize;

use super::rates::Distances;

/// Both rates at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RatePoint {
    /// Squared L2 up to which comparisons are accepted.
    pub threshold: f32,
    /// Share of impostor comparisons accepted, 0 to 1.
    pub fmr: f64,
    /// Share of genuine comparisons refused, 0 to 1.
    pub fnmr: f64,
}

/// Where as many strangers pass as acquaintances are refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct EqualError {
    /// FMR and FNMR, 0 to 1.
    pub rate: f64,
    /// Squared L2 at which they meet.
    pub threshold: f32,
}

/// The equal error rate, on the straight line between the two thresholds where the rates cross;
/// none without comparisons of either kind.
///
/// That is the point where the ROC curve with its points joined by straight lines meets
/// FNMR = FMR.
pub fn equal_error(distances: &Distances) -> Option<EqualError> {
    let (genuine, impostor) = (distances.genuine(), distances.impostor());
    if genuine.is_empty() || impostor.is_empty() {
        return None;
    }
    let rates = |accepted: [usize; 2]| {
        (
            accepted[1] as f64 / impostor.len() as f64,
            1.0 - accepted[0] as f64 / genuine.len() as f64,
        )
    };
    let mut accepted = [0, 0];
    let mut before = (rates(accepted), None);
    loop {
        // The next distance that anybody has, and all that have it.
        let heads = [genuine.get(accepted[0]), impostor.get(accepted[1])];
        let threshold = heads.into_iter().flatten().copied().reduce(f32::min)?;
        for (sorted, accepted) in [genuine, impostor].into_iter().zip(&mut accepted) {
            *accepted += sorted[*accepted..]
                .iter()
                .take_while(|distance| **distance <= threshold)
                .count();
        }
        let (fmr, fnmr) = rates(accepted);
        if fmr >= fnmr {
            let ((fmr_before, fnmr_before), threshold_before) = before;
            let gap = fnmr_before - fmr_before;
            let share = gap / (gap + fmr - fnmr);
            let from = threshold_before.unwrap_or(threshold);
            return Some(EqualError {
                rate: fmr_before + share * (fmr - fmr_before),
                threshold: from + share as f32 * (threshold - from),
            });
        }
        before = ((fmr, fnmr), Some(threshold));
    }
}

/// Points of the DET curve, about `most` of them, by rising threshold: dense where either rate is
/// small, as a DET draws both on a scale that stretches the small ones. From all refused to all
/// accepted; empty without comparisons of either kind.
pub fn det(distances: &Distances, most: usize) -> Vec<RatePoint> {
    let (genuine, impostor) = (distances.genuine(), distances.impostor());
    if genuine.is_empty() || impostor.is_empty() {
        return Vec::new();
    }
    let mut thresholds = vec![0.0];
    // After the first 1, 2, 3 ... impostors; before the last 1, 2, 3 ... genuine ones.
    let share = (most / 4).max(2);
    for count in spaced(impostor.len(), share) {
        thresholds.push(impostor[count - 1]);
    }
    for count in spaced(genuine.len(), share) {
        thresholds.push(genuine[genuine.len() - count]);
    }
    // Evenly too, for a ROC on a plain scale.
    for sorted in [genuine, impostor] {
        let steps = share.min(sorted.len());
        thresholds.extend((0..=steps).map(|step| sorted[(sorted.len() - 1) * step / steps]));
    }
    thresholds.sort_by(f32::total_cmp);
    let mut points: Vec<RatePoint> = Vec::new();
    for threshold in thresholds {
        let (Some(fmr), Some(fnmr)) = (distances.fmr(threshold), distances.fnmr(threshold)) else {
            continue;
        };
        let same = |last: &RatePoint| last.fmr == fmr && last.fnmr == fnmr;
        if !points.last().is_some_and(same) {
            points.push(RatePoint {
                threshold,
                fmr,
                fnmr,
            });
        }
    }
    points
}

/// At most `most` counts from 1 to `last`, each about the same factor from the next.
fn spaced(last: usize, most: usize) -> Vec<usize> {
    let top = (last as f64).ln();
    let steps = most.saturating_sub(1).max(1);
    let mut counts: Vec<usize> = (0..=steps)
        .map(|step| (top * step as f64 / steps as f64).exp().round() as usize)
        .map(|count| count.clamp(1, last))
        .collect();
    counts.dedup();
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(genuine: &[f32], impostor: &[f32]) -> (f64, f32) {
        let distances = Distances::new(genuine.to_vec(), impostor.to_vec());
        let found = equal_error(&distances).unwrap();
        (found.rate, found.threshold)
    }

    #[test]
    fn equal_errors_by_hand() {
        for (name, genuine, impostor, rate) in [
            ("apart", &[0.1, 0.2][..], &[1.0, 2.0][..], 0.0),
            ("the wrong way round", &[1.0, 2.0], &[0.1, 0.2], 1.0),
            // At 1.0 one of two passes and one of two is refused.
            ("one of two", &[0.5, 2.0], &[1.0, 3.0], 0.5),
            // FMR 0, FNMR 1/4 before the impostor at 1; then FMR 1/2: crossing at 1/4.
            ("on a vertical", &[0.1, 0.2, 0.3, 2.0], &[1.0, 3.0], 0.25),
            // All at one distance: the line from (0, 1) to (1, 0).
            ("all equal", &[1.0, 1.0], &[1.0], 0.5),
        ] {
            let (found, _) = error_of(genuine, impostor);
            assert!((found - rate).abs() < 1e-12, "{name}: {found}");
        }
    }

    #[test]
    fn equal_error_between_tied_points_is_interpolated() {
        // At 0.5: FMR 0, FNMR 2/3. At 1.0, two of three genuine and two of four impostors more:
        // FMR 1/2, FNMR 0. The line crosses where s/2 = 2/3 - 2s/3: s = 4/7, rate 2/7.
        let (rate, threshold) = error_of(&[0.5, 1.0, 1.0], &[1.0, 1.0, 2.0, 2.0]);
        assert!((rate - 2.0 / 7.0).abs() < 1e-12, "{rate}");
        assert!(
            (threshold - (0.5 + 0.5 * 4.0 / 7.0)).abs() < 1e-6,
            "{threshold}"
        );
        assert_eq!(equal_error(&Distances::new(vec![1.0], vec![])), None);
    }

    #[test]
    fn the_curve_runs_from_all_refused_to_all_accepted() {
        let impostor: Vec<f32> = (1..=100_000).map(|i| 1.0 + i as f32 / 50_000.0).collect();
        let genuine: Vec<f32> = (1..=1000).map(|i| i as f32 / 500.0).collect();
        let distances = Distances::new(genuine, impostor);
        let points = det(&distances, 200);
        assert!((50..=220).contains(&points.len()), "{}", points.len());
        assert_eq!((points[0].fmr, points[0].fnmr), (0.0, 1.0));
        let last = points.last().unwrap();
        assert_eq!((last.fmr, last.fnmr), (1.0, 0.0));
        assert!(points.is_sorted_by(|a, b| a.fmr <= b.fmr && a.fnmr >= b.fnmr));
        // The smallest rate that there is to see is there, and each point is what it says.
        assert!(points.iter().any(|point| point.fmr == 1e-5));
        for point in points {
            assert_eq!(Some(point.fmr), distances.fmr(point.threshold));
        }
        assert!(det(&Distances::default(), 200).is_empty());
    }
}
