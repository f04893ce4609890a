//! Optimizers over named tensors, written out: what they remember is ours to look at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Which update rule, with its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rule {
    /// The paper's: Duchi et al. 2011. Steps shrink with the sum of all squared gradients.
    AdaGrad {
        /// Step size; the paper starts at 0.05.
        learning_rate: f64,
    },
    /// Loshchilov and Hutter 2019: Adam with decay of the weights apart from the gradient.
    AdamW {
        /// Step size.
        learning_rate: f64,
        /// Share of a weight that is taken off per step, times the learning rate. Biases, scales
        /// and slopes are spared.
        weight_decay: f64,
    },
}

impl Rule {
    /// Step size before the schedule.
    pub fn learning_rate(&self) -> f64 {
        match self {
            Rule::AdaGrad { learning_rate } | Rule::AdamW { learning_rate, .. } => *learning_rate,
        }
    }
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// A rule and what it remembers of each tensor.
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    steps: i32,
    moments: BTreeMap<String, Moments>,
}

#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
}

impl Optimizer {
    /// An optimizer that remembers nothing yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// Moves every tensor against its gradient, with the rule's step size times `schedule`, and
    /// clears the gradient. A tensor without a gradient is left alone.
    pub fn step<'a>(
        &mut self,
        tensors: impl Iterator<Item = (&'a str, &'a Tensor)>,
        schedule: f64,
    ) {
        self.steps += 1;
        let rate = self.rule.learning_rate() * schedule;
        tch::no_grad(|| {
            for (name, tensor) in tensors {
                let mut tensor = tensor.shallow_clone();
                let gradient = tensor.grad();
                if !gradient.defined() {
                    continue;
                }
                let moments = self
                    .moments
                    .entry(name.to_owned())
                    .or_insert_with(|| Moments {
                        first: gradient.zeros_like(),
                        second: gradient.zeros_like(),
                    });
                match self.rule {
                    Rule::AdaGrad { .. } => {
                        moments.second += gradient.square();
                        tensor -= &gradient * rate / (moments.second.sqrt() + EPSILON);
                    }
                    Rule::AdamW { weight_decay, .. } => {
                        if tensor.dim() > 1 {
                            let _ = tensor.g_mul_scalar_(1.0 - rate * weight_decay);
                        }
                        moments.first = &moments.first * BETA_1 + &gradient * (1.0 - BETA_1);
                        moments.second =
                            &moments.second * BETA_2 + gradient.square() * (1.0 - BETA_2);
                        let unbiased = 1.0 - BETA_2.powi(self.steps);
                        let spread = (&moments.second / unbiased).sqrt() + EPSILON;
                        let rate = rate / (1.0 - BETA_1.powi(self.steps));
                        tensor -= &moments.first * rate / spread;
                    }
                }
                tensor.zero_grad();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    /// Steps down |x - 3|^2 from 0 and returns where it got.
    fn descend(rule: Rule, steps: usize) -> f64 {
        let x = Tensor::zeros([1], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let mut optimizer = Optimizer::new(rule);
        for _ in 0..steps {
            (&x - 3.0).square().sum(Kind::Float).backward();
            optimizer.step([("x", &x)].into_iter(), 1.0);
        }
        x.double_value(&[0])
    }

    #[test]
    fn first_steps_are_those_of_the_papers() {
        // Gradient -6 at 0: AdaGrad goes rate * 6 / sqrt(36), Adam rate * 6 / sqrt(36) as well.
        let cases = [
            Rule::AdaGrad {
                learning_rate: 0.05,
            },
            Rule::AdamW {
                learning_rate: 0.05,
                weight_decay: 0.0,
            },
        ];
        for rule in cases {
            assert!((descend(rule, 1) - 0.05).abs() < 1e-6, "{rule:?}");
        }
    }

    #[test]
    fn they_arrive() {
        let cases = [
            (Rule::AdaGrad { learning_rate: 0.5 }, 400),
            (
                Rule::AdamW {
                    learning_rate: 0.1,
                    weight_decay: 0.0,
                },
                400,
            ),
        ];
        for (rule, steps) in cases {
            assert!((descend(rule, steps) - 3.0).abs() < 0.01, "{rule:?}");
        }
    }
}
