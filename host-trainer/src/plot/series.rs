//! Series of points: smoothed, and thinned to what a picture can show.

/// A place in a chart, in its own units.
pub(super) type Point = (f64, f64);

/// Most buckets that a raw series is thinned to, with two points each.
const RAW_BUCKETS: usize = 400;
/// Most points of a smoothed series.
const SMOOTH_POINTS: usize = 300;

/// Values that are numbers, in place.
pub(super) fn numbers(points: impl Iterator<Item = Point>) -> Vec<Point> {
    points
        .filter(|(x, y)| x.is_finite() && y.is_finite())
        .collect()
}

/// Points on either side that a smoothed value is taken from: together a fortieth of the run.
pub(super) fn reach(count: usize) -> usize {
    count / 80
}

/// At each point the line of least squares through [`reach`] points on either side, thinned.
///
/// Amid a run that is their mean; at its ends, where one side is short, a plain mean would bend
/// what rises or falls.
pub(super) fn smooth(points: &[Point]) -> Vec<Point> {
    let reach = reach(points.len());
    evenly(points.len(), SMOOTH_POINTS)
        .map(|index| {
            let (from, to) = (index.saturating_sub(reach), index + reach + 1);
            let around = &points[from..to.min(points.len())];
            (points[index].0, line_at(around, index - from))
        })
        .collect()
}

/// The height of the line of least squares through points in a row, at one of them.
fn line_at(points: &[Point], index: usize) -> f64 {
    let middle = (points.len() as f64 - 1.0) / 2.0;
    let (mut sum, mut slope, mut square) = (0.0, 0.0, 0.0);
    for (place, (_, y)) in points.iter().enumerate() {
        let off = place as f64 - middle;
        sum += y;
        slope += off * y;
        square += off * off;
    }
    let mean = sum / points.len() as f64;
    match square > 0.0 {
        true => mean + slope / square * (index as f64 - middle),
        false => mean, // a single point
    }
}

/// The same course with fewer points: of each bucket the lowest and the highest, in their order.
pub(super) fn thin(points: &[Point]) -> Vec<Point> {
    if points.len() <= 2 * RAW_BUCKETS {
        return points.to_vec();
    }
    let bucket = points.len().div_ceil(RAW_BUCKETS);
    let ends = points.chunks(bucket).flat_map(|bucket| {
        let by_height = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        let lowest = bucket.iter().min_by(by_height).copied();
        let highest = bucket.iter().max_by(by_height).copied();
        let mut both: Vec<Point> = lowest.into_iter().chain(highest).collect();
        both.sort_by(|a, b| a.0.total_cmp(&b.0));
        both.dedup();
        both
    });
    ends.collect()
}

/// At most `most` indices below `count`, evenly, first and last among them.
fn evenly(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let picked = count.min(most);
    (0..picked).map(move |index| match picked {
        1 => 0,
        _ => index * (count - 1) / (picked - 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_stays_a_slope_and_noise_goes() {
        let slope: Vec<Point> = (0..1000)
            .map(|i| (f64::from(i), 3.0 * f64::from(i)))
            .collect();
        let smoothed = smooth(&slope);
        assert_eq!(smoothed.len(), SMOOTH_POINTS);
        assert_eq!((smoothed[0].0, smoothed[299].0), (0.0, 999.0));
        for (x, y) in smoothed {
            assert!((y - 3.0 * x).abs() < 1e-6, "{x} {y}");
        }
        let noise: Vec<Point> = (0..1000)
            .map(|i| (f64::from(i), f64::from(i % 2)))
            .collect();
        for (x, y) in smooth(&noise) {
            assert!((y - 0.5).abs() < 0.1, "{x} {y}");
        }
    }

    #[test]
    fn thinning_keeps_the_extremes_and_short_series() {
        let mut points: Vec<Point> = (0..10_000).map(|i| (f64::from(i), 1.0)).collect();
        (points[1234].1, points[7777].1) = (9.0, -9.0);
        let thinned = thin(&points);
        assert!(thinned.len() <= 800, "{}", thinned.len());
        assert!(thinned.contains(&(1234.0, 9.0)) && thinned.contains(&(7777.0, -9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(thin(&points[..800]).len(), 800);
    }
}
