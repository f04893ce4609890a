//! Tells a run that it no longer learns, and what to try: no numbers, collapse, nothing to learn.

use serde::{Deserialize, Serialize};

/// Squared L2 below which embeddings are as good as one point. A trained network has its genuine
/// pairs at 0.3 to 0.8, its impostor pairs at 1.2 and above.
pub const COLLAPSED_BELOW: f64 = 0.05;
/// Steps in a row that a bad sign is given to pass. A deep network
/// without batch norm may well start out with all faces in one place.
pub const DEFAULT_WINDOW: u64 = 200;

/// Distances of one kind of pair in a batch, squared L2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// The largest.
    pub max: f64,
}

/// What the guard looks at after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Steps done, this one counted.
    pub step: u64,
    /// The loss; 0 where nothing was to be learnt.
    pub loss: f64,
    /// Whether any loss was above 0: a step without one teaches nothing.
    pub teaches: bool,
    /// The batch's genuine pairs.
    pub genuine: Spread,
    /// The batch's impostor pairs.
    pub impostor: Spread,
}

/// Why a run has to stop; the last checkpoint before it is still good.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Stop {
    /// The loss, or a distance, is NaN or infinite.
    #[error(
        "step {step}: expected numbers, found a loss of {loss}, genuine pairs at {genuine}, impostor pairs at {impostor}; lower the learning rate, clip the gradient, lengthen the warm-up, or on a GPU train in fp32, in a new run that starts from the last checkpoint (--init)"
    )]
    NotANumber {
        /// Steps done.
        step: u64,
        /// The loss.
        loss: f64,
        /// Mean squared L2 of genuine pairs.
        genuine: f64,
        /// Mean squared L2 of impostor pairs.
        impostor: f64,
    },
    /// Every face has come to one place.
    #[error(
        "step {step}: the embeddings have collapsed: expected faces apart, found all distances of the last {steps} batches below {COLLAPSED_BELOW} (squared L2; genuine {genuine:.4}, impostor {impostor:.4} on average, the largest {largest:.4}); lower the learning rate, mine semi-hard instead of the hardest negatives, put margin softmax beside the triplets or first, or turn on batch norm, in a new run that starts from the last checkpoint (--init), which is from before"
    )]
    Collapsed {
        /// Steps done.
        step: u64,
        /// Batches in a row.
        steps: u64,
        /// Mean squared L2 of genuine pairs in the last batch.
        genuine: f64,
        /// Mean squared L2 of impostor pairs in the last batch.
        impostor: f64,
        /// Largest squared L2 in the last batch.
        largest: f64,
    },
    /// No triplet teaches anything any more, and nothing else does.
    #[error(
        "step {step}: expected triplets to learn from, found no active one in the last {steps} batches (genuine {genuine:.3}, impostor {impostor:.3}, squared L2); take more identities into a batch, raise alpha, mine batch-hard, or put margin softmax beside the triplets; if the validation is as good as hoped for, the run is done"
    )]
    NothingToLearn {
        /// Steps done.
        step: u64,
        /// Batches in a row.
        steps: u64,
        /// Mean squared L2 of genuine pairs in the last batch.
        genuine: f64,
        /// Mean squared L2 of impostor pairs in the last batch.
        impostor: f64,
    },
}

/// Watches a run, step by step; a checkpoint may hold it, so that a resumed run counts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    window: u64,
    collapsed: u64,
    idle: u64,
    /// Whether faces were ever apart.
    was_apart: bool,
}

impl Guard {
    /// A guard that lets collapse and idleness pass for fewer than `window` steps in a row; at
    /// least 1.
    pub fn new(window: u64) -> Self {
        Self {
            window: window.max(1),
            collapsed: 0,
            idle: 0,
            was_apart: false,
        }
    }

    /// Whether a checkpoint may take the place of an older one: not while faces that were apart
    /// have come to one place, for the older one is then the good one.
    pub fn may_save(&self) -> bool {
        self.collapsed == 0 || !self.was_apart
    }

    /// Looks at a step.
    ///
    /// # Errors
    /// [`Stop`] if the run should not go on. After [`Stop::NotANumber`] the weights may be spoilt:
    /// write no checkpoint.
    pub fn observe(&mut self, seen: &Observation) -> Result<(), Stop> {
        let Observation { step, loss, .. } = *seen;
        let (genuine, impostor) = (seen.genuine.mean, seen.impostor.mean);
        let largest = seen.genuine.max.max(seen.impostor.max);
        // Mining finds no triplet among distances that are no numbers, and the loss is then 0.
        let numbers = [loss, genuine, impostor, seen.genuine.max, seen.impostor.max];
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(Stop::NotANumber {
                step,
                loss,
                genuine,
                impostor,
            });
        }
        let in_one_place = largest < COLLAPSED_BELOW;
        self.was_apart |= !in_one_place;
        count(&mut self.collapsed, in_one_place);
        if self.collapsed >= self.window {
            return Err(Stop::Collapsed {
                step,
                steps: self.collapsed,
                genuine,
                impostor,
                largest,
            });
        }
        count(&mut self.idle, !seen.teaches);
        if self.idle >= self.window {
            return Err(Stop::NothingToLearn {
                step,
                steps: self.idle,
                genuine,
                impostor,
            });
        }
        Ok(())
    }
}

/// Counts how often in a row.
fn count(row: &mut u64, again: bool) {
    *row = if again { *row + 1 } else { 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEALTHY: Observation = Observation {
        step: 1,
        loss: 0.3,
        teaches: true,
        genuine: Spread {
            mean: 0.6,
            max: 1.4,
        },
        impostor: Spread {
            mean: 1.4,
            max: 2.2,
        },
    };
    const ONE_PLACE: Observation = Observation {
        genuine: Spread {
            mean: 0.01,
            max: 0.049,
        },
        impostor: Spread {
            mean: 0.02,
            max: 0.0499,
        },
        ..HEALTHY
    };
    const IDLE: Observation = Observation {
        loss: 0.0,
        teaches: false,
        ..HEALTHY
    };

    /// The steps after which the guard stops a run that shows `seen` at each of 10 steps.
    fn stopped_after(guard: &mut Guard, seen: Observation) -> Option<(u64, Stop)> {
        (1..=10).find_map(|step| {
            let seen = Observation { step, ..seen };
            guard.observe(&seen).err().map(|stop| (step, stop))
        })
    }

    #[test]
    fn each_sign_stops_a_run_when_it_should() {
        let far = |distance: f64| Spread {
            mean: distance,
            max: distance,
        };
        for (name, seen, expected) in [
            ("healthy", HEALTHY, None),
            (
                "loss NaN",
                Observation {
                    loss: f64::NAN,
                    ..HEALTHY
                },
                Some(1),
            ),
            (
                "loss infinite",
                Observation {
                    loss: f64::INFINITY,
                    ..HEALTHY
                },
                Some(1),
            ),
            (
                "distances NaN, so no triplet and no loss",
                Observation {
                    impostor: far(f64::NAN),
                    ..IDLE
                },
                Some(1),
            ),
            ("collapsed", ONE_PLACE, Some(4)),
            (
                "one pair still apart",
                Observation {
                    genuine: Spread {
                        mean: 0.01,
                        max: 0.05,
                    },
                    ..ONE_PLACE
                },
                None,
            ),
            ("no active triplet", IDLE, Some(4)),
        ] {
            let stopped = stopped_after(&mut Guard::new(4), seen);
            assert_eq!(stopped.map(|(step, _)| step), expected, "{name}");
            if let Some((_, stop)) = stopped {
                let said = stop.to_string();
                assert!(said.contains("expected") && said.contains(';'), "{said}");
            }
        }
    }

    #[test]
    fn the_cause_is_told() {
        let mut guard = Guard::new(2);
        let stop = stopped_after(&mut guard, ONE_PLACE);
        assert!(matches!(stop, Some((2, Stop::Collapsed { steps: 2, .. }))));
        let mut guard = Guard::new(2);
        let stop = stopped_after(&mut guard, IDLE);
        assert!(matches!(stop, Some((2, Stop::NothingToLearn { .. }))));
    }

    #[test]
    fn a_good_step_in_between_starts_the_window_anew() {
        let mut guard = Guard::new(3);
        for seen in [IDLE, IDLE, HEALTHY, IDLE, IDLE, ONE_PLACE, ONE_PLACE, IDLE] {
            guard.observe(&seen).unwrap();
        }
    }

    #[test]
    fn a_guard_from_a_checkpoint_counts_on() {
        let mut guard = Guard::new(3);
        guard.observe(&IDLE).unwrap();
        guard.observe(&IDLE).unwrap();
        let saved = serde_json::to_string(&guard).unwrap();
        let mut restored: Guard = serde_json::from_str(&saved).unwrap();
        assert!(restored.observe(&IDLE).is_err());
    }

    #[test]
    fn faces_that_came_to_one_place_are_not_saved_over_those_apart() {
        let mut guard = Guard::new(9);
        guard.observe(&ONE_PLACE).unwrap();
        assert!(guard.may_save(), "there is nothing better yet");
        guard.observe(&HEALTHY).unwrap();
        assert!(guard.may_save());
        guard.observe(&ONE_PLACE).unwrap();
        assert!(!guard.may_save());
    }
}
