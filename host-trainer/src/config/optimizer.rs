//! Which optimizer a config asks for, with its constants.

use serde::{Deserialize, Serialize};

/// Which update rule, with its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// The paper's: Duchi et al. 2011. Steps shrink with the sum of all squared gradients.
    AdaGrad {
        /// Step size; the paper starts at 0.05.
        learning_rate: f64,
        /// Share of a weight added to its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Stochastic gradient descent with momentum, as PyTorch has it: `v = momentum * v + g`.
    Sgd {
        /// Step size.
        learning_rate: f64,
        /// Share of the last direction that is kept, 0 to below 1.
        momentum: f64,
        /// Share of a weight added to its gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Loshchilov and Hutter 2019: Adam with decay of the weights apart from the gradient.
    AdamW {
        /// Step size.
        learning_rate: f64,
        /// Share of a weight that is taken off per step, times the learning rate.
        weight_decay: f64,
    },
}

impl Rule {
    /// Step size before the schedule.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Rule::AdaGrad { learning_rate, .. }
            | Rule::Sgd { learning_rate, .. }
            | Rule::AdamW { learning_rate, .. } => *learning_rate,
        }
    }

    /// Whether every constant is in its range.
    pub fn is_usable(&self) -> bool {
        let (weight_decay, momentum) = match *self {
            Rule::AdaGrad { weight_decay, .. } | Rule::AdamW { weight_decay, .. } => {
                (weight_decay, 0.0)
            }
            Rule::Sgd {
                weight_decay,
                momentum,
                ..
            } => (weight_decay, momentum),
        };
        let rate = self.learning_rate();
        rate.is_finite()
            && rate > 0.0
            && (0.0..=1.0).contains(&weight_decay)
            && (0.0..1.0).contains(&momentum)
    }
}
