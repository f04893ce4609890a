//! Tells a run that it no longer learns, and what to try: no numbers, collapse, nothing to learn.

use serde::{Deserialize, Serialize};

/// Squared L2 below which embeddings are as good as one point. A trained network has its genuine
/// pairs at 0.3 to 0.8, its impostor pairs at 1.2 and above.
pub const COLLAPSED_BELOW: f64 = 0.05;
/// Steps in a row that a bad sign is given to pass, unless a config says otherwise. A deep network
/// without batch norm may well start out with all faces in one place.
pub const DEFAULT_WINDOW: u64 = 200;

/// What a run learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Triplets alone: a step without an active one teaches nothing.
    TripletsAlone,
    /// Another loss as well, such as margin softmax or distillation.
    More,
}

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
    /// Triplets that taught something.
    pub active_triplets: u64,
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
        "step {step}: expected numbers, found a loss of {loss}, genuine pairs at {genuine}, impostor pairs at {impostor}; lower the learning rate, clip the gradient, lengthen the warm-up, or on a GPU train in fp32, and go on from the last checkpoint"
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
        "step {step}: the embeddings have collapsed: expected faces apart, found all distances of the last {steps} batches below {COLLAPSED_BELOW} (squared L2; genuine {genuine:.4}, impostor {impostor:.4} on average, the largest {largest:.4}); lower the learning rate, mine semi-hard instead of the hardest negatives, put margin softmax beside the triplets or first, or turn on batch norm, and go on from a checkpoint before it"
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
    signal: Signal,
    window: u64,
    collapsed: u64,
    idle: u64,
}

impl Guard {
    /// A guard that lets collapse and idleness pass for fewer than `window` steps in a row; at
    /// least 1.
    pub fn new(signal: Signal, window: u64) -> Self {
        Self {
            signal,
            window: window.max(1),
            collapsed: 0,
            idle: 0,
        }
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
        count(&mut self.collapsed, largest < COLLAPSED_BELOW);
        if self.collapsed >= self.window {
            return Err(Stop::Collapsed {
                step,
                steps: self.collapsed,
                genuine,
                impostor,
                largest,
            });
        }
        let idle = self.signal == Signal::TripletsAlone && seen.active_triplets == 0;
        count(&mut self.idle, idle);
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
        active_triplets: 5,
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
        active_triplets: 0,
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
        use Signal::{More, TripletsAlone};
        let far = |distance: f64| Spread {
            mean: distance,
            max: distance,
        };
        for (name, signal, seen, expected) in [
            ("healthy", TripletsAlone, HEALTHY, None),
            (
                "loss NaN",
                More,
                Observation {
                    loss: f64::NAN,
                    ..HEALTHY
                },
                Some(1),
            ),
            (
                "loss infinite",
                More,
                Observation {
                    loss: f64::INFINITY,
                    ..HEALTHY
                },
                Some(1),
            ),
            (
                "distances NaN, so no triplet and no loss",
                TripletsAlone,
                Observation {
                    impostor: far(f64::NAN),
                    ..IDLE
                },
                Some(1),
            ),
            ("collapsed", More, ONE_PLACE, Some(4)),
            (
                "collapsed, triplets alone",
                TripletsAlone,
                ONE_PLACE,
                Some(4),
            ),
            (
                "one pair still apart",
                TripletsAlone,
                Observation {
                    genuine: Spread {
                        mean: 0.01,
                        max: 0.05,
                    },
                    ..ONE_PLACE
                },
                None,
            ),
            ("no active triplet", TripletsAlone, IDLE, Some(4)),
            ("no active triplet, but softmax", More, IDLE, None),
        ] {
            let stopped = stopped_after(&mut Guard::new(signal, 4), seen);
            assert_eq!(stopped.map(|(step, _)| step), expected, "{name}");
            if let Some((_, stop)) = stopped {
                let said = stop.to_string();
                assert!(said.contains("expected") && said.contains(';'), "{said}");
            }
        }
    }

    #[test]
    fn the_cause_is_told() {
        let mut guard = Guard::new(Signal::TripletsAlone, 2);
        let stop = stopped_after(&mut guard, ONE_PLACE);
        assert!(matches!(stop, Some((2, Stop::Collapsed { steps: 2, .. }))));
        let mut guard = Guard::new(Signal::TripletsAlone, 2);
        let stop = stopped_after(&mut guard, IDLE);
        assert!(matches!(stop, Some((2, Stop::NothingToLearn { .. }))));
    }

    #[test]
    fn a_good_step_in_between_starts_the_window_anew() {
        let mut guard = Guard::new(Signal::TripletsAlone, 3);
        for seen in [IDLE, IDLE, HEALTHY, IDLE, IDLE, ONE_PLACE, ONE_PLACE, IDLE] {
            guard.observe(&seen).unwrap();
        }
    }

    #[test]
    fn a_guard_from_a_checkpoint_counts_on() {
        let mut guard = Guard::new(Signal::TripletsAlone, 3);
        guard.observe(&IDLE).unwrap();
        guard.observe(&IDLE).unwrap();
        let saved = serde_json::to_string(&guard).unwrap();
        let mut restored: Guard = serde_json::from_str(&saved).unwrap();
        assert!(restored.observe(&IDLE).is_err());
    }
}
