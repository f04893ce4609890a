//! Against burn-in: what stands for hours moves by a few pixels each minute.

use crate::clock::Timestamp;

/// Where a picture goes minute by minute, in shares of the reach: a round walk of small steps.
const WALK: [(f32, f32); 12] = [
    (0.0, 0.0),
    (0.5, 0.0),
    (1.0, 0.5),
    (1.0, 1.0),
    (0.5, 1.0),
    (0.0, 0.5),
    (-0.5, 0.5),
    (-1.0, 0.0),
    (-1.0, -0.5),
    (-0.5, -1.0),
    (0.0, -1.0),
    (0.5, -0.5),
];

/// How far everything is moved at `now`, right and down, at most `reach_px` whole pixels each way.
pub(super) fn shift(now: Timestamp, reach_px: u32) -> (f32, f32) {
    let minute = (now.millis() / 60_000) as usize;
    let (x, y) = WALK[minute % WALK.len()];
    let reach = reach_px as f32;
    ((x * reach).round(), (y * reach).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_wanders_and_comes_back() {
        let at = |minute: u64| shift(Timestamp::from_millis(minute * 60_000 + 59_999), 8);
        assert_eq!(at(0), (0.0, 0.0));
        let places: Vec<_> = (0..12).map(at).collect();
        for pair in places.windows(2) {
            assert_ne!(pair[0], pair[1], "it moves each minute");
        }
        for (x, y) in &places {
            assert!(x.abs() <= 8.0 && y.abs() <= 8.0, "{x} {y}");
        }
        let sum = places
            .iter()
            .fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
        assert!(
            sum.0.abs() <= 8.0 && sum.1.abs() <= 8.0,
            "around the middle: {sum:?}"
        );
        assert_eq!(at(12), at(0));
        assert_eq!(shift(Timestamp::from_millis(240_000), 0), (0.0, 0.0));
    }
}
