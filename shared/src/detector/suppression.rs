//! Greedy non-maximum suppression: of boxes that overlap much, only the best stays.

use super::Detection;

/// The detections that no better one overlaps by more than `max_iou`, best score first.
///
/// Equal scores keep their order, so the result depends on nothing but the input.
pub fn suppress(mut detections: Vec<Detection>, max_iou: f32) -> Vec<Detection> {
    detections.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in detections {
        if kept
            .iter()
            .all(|better| better.bounds.iou(&candidate.bounds) <= max_iou)
        {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Point, Rect};
    use crate::landmarks::Landmarks;

    fn detection(left: f32, top: f32, side: f32, score: f32) -> Detection {
        Detection {
            bounds: Rect {
                left,
                top,
                width: side,
                height: side,
            },
            score,
            landmarks: Landmarks([Point::new(left, top); 5]),
        }
    }

    #[test]
    fn named_cases() {
        for (name, given, expected_scores) in [
            ("nothing", vec![], vec![]),
            (
                "two apart, sorted",
                vec![
                    detection(0.0, 0.0, 9.0, 0.7),
                    detection(50.0, 0.0, 9.0, 0.8),
                ],
                vec![0.8, 0.7],
            ),
            (
                "the weaker of two alike",
                vec![detection(1.0, 0.0, 9.0, 0.7), detection(0.0, 0.0, 9.0, 0.8)],
                vec![0.8],
            ),
            (
                // 1 | 2 | 3 in a row: 2 overlaps both, 1 and 3 do not meet; the best is 1.
                "a suppressed box suppresses nobody",
                vec![
                    detection(0.0, 0.0, 10.0, 0.9),
                    detection(5.0, 0.0, 10.0, 0.8),
                    detection(10.0, 0.0, 10.0, 0.7),
                ],
                vec![0.9, 0.7],
            ),
            (
                "overlap up to the limit stays",
                vec![
                    detection(0.0, 0.0, 10.0, 0.9),
                    detection(6.0, 0.0, 10.0, 0.8),
                ],
                vec![0.9, 0.8],
            ),
        ] {
            let kept = suppress(given, 0.3);
            let scores: Vec<f32> = kept.iter().map(|d| d.score).collect();
            assert_eq!(scores, expected_scores, "{name}");
        }
    }

    #[test]
    fn equal_scores_keep_their_order() {
        let kept = suppress(
            vec![detection(3.0, 0.0, 9.0, 0.8), detection(2.0, 0.0, 9.0, 0.8)],
            0.3,
        );
        assert_eq!(kept, [detection(3.0, 0.0, 9.0, 0.8)]);
    }

    #[test]
    fn what_stays_is_sorted_apart_and_covers_the_rest() {
        let mut state = 5_u64;
        let mut draw = |high: f32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            high * ((state >> 40) as f32 / (1u64 << 24) as f32)
        };
        for _ in 0..50 {
            let given: Vec<Detection> = (0..80)
                .map(|_| detection(draw(100.0), draw(100.0), 5.0 + draw(40.0), draw(1.0)))
                .collect();
            let kept = suppress(given.clone(), 0.3);
            assert!(kept.is_sorted_by(|a, b| a.score >= b.score));
            for (i, a) in kept.iter().enumerate() {
                assert!(kept[..i].iter().all(|b| a.bounds.iou(&b.bounds) <= 0.3));
            }
            for dropped in given.iter().filter(|d| !kept.contains(d)) {
                assert!(
                    kept.iter()
                        .any(|k| k.score >= dropped.score && k.bounds.iou(&dropped.bounds) > 0.3)
                );
            }
        }
    }
}
