//! Optimizers over named tensors, written out: what they remember is ours to look at.

use std::collections::BTreeMap;

use tch::Tensor;

use crate::config::optimizer::Rule;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// A rule and what it remembers of each tensor.
#[derive(Debug)]
pub struct Optimizer {
    rule: Rule,
    steps: u64,
    /// Steps that each tensor has taken: fewer than all where a part of the network was held.
    ages: BTreeMap<String, u64>,
    /// Running direction: AdamW's first moment, momentum's velocity.
    first: BTreeMap<String, Tensor>,
    /// Squared gradients: AdamW's second moment, AdaGrad's sum.
    second: BTreeMap<String, Tensor>,
}

impl Optimizer {
    /// An optimizer that remembers nothing yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            steps: 0,
            ages: BTreeMap::new(),
            first: BTreeMap::new(),
            second: BTreeMap::new(),
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What it remembers, under `first.<tensor>`, `second.<tensor>` and `age.<tensor>`.
    pub fn memory(&self) -> Vec<(String, Tensor)> {
        let lists = [("first", &self.first), ("second", &self.second)];
        let named = lists.into_iter().flat_map(|(list, tensors)| {
            let named = tensors.iter();
            named.map(move |(name, tensor)| (format!("{list}.{name}"), tensor.shallow_clone()))
        });
        let ages = self.ages.iter();
        let ages = ages.map(|(name, age)| (format!("age.{name}"), Tensor::from(*age as f32)));
        named.chain(ages).collect()
    }

    /// Puts back what [`Optimizer::memory`] gave after `steps` steps.
    pub fn remember(&mut self, steps: u64, memory: impl IntoIterator<Item = (String, Tensor)>) {
        self.steps = steps;
        for (name, tensor) in memory {
            if let Some(name) = name.strip_prefix("first.") {
                self.first.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("second.") {
                self.second.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix("age.") {
                let age = tensor.double_value(&[]) as u64;
                self.ages.insert(name.to_owned(), age);
            }
        }
    }

    /// Moves every tensor, given with its name, against its gradient, with the rule's step size
    /// times `schedule`. Gradients are used up. Weight decay spares biases, scales and slopes:
    /// tensors of one extent.
    pub fn step<'a>(
        &mut self,
        tensors: impl Iterator<Item = (&'a str, &'a Tensor, Tensor)>,
        schedule: f64,
    ) {
        self.steps += 1;
        let rate = self.rule.learning_rate() * schedule;
        tch::no_grad(|| {
            for (name, tensor, gradient) in tensors {
                self.update(name, tensor.shallow_clone(), gradient, rate);
            }
        });
    }

    fn update(&mut self, name: &str, mut tensor: Tensor, mut gradient: Tensor, rate: f64) {
        let remembered = |list: &mut BTreeMap<String, Tensor>, gradient: &Tensor| {
            list.entry(name.to_owned())
                .or_insert_with(|| gradient.zeros_like())
                .shallow_clone()
        };
        let decays = tensor.dim() > 1;
        let age = self.ages.entry(name.to_owned()).or_default();
        *age += 1;
        let age = i32::try_from(*age).unwrap_or(i32::MAX);
        match self.rule {
            Rule::AdaGrad { weight_decay, .. } => {
                if decays && weight_decay > 0.0 {
                    gradient += &tensor * weight_decay;
                }
                let mut sum = remembered(&mut self.second, &gradient);
                let _ = sum.addcmul_(&gradient, &gradient);
                let mut spread = sum.sqrt();
                spread += EPSILON;
                let _ = gradient.g_mul_scalar_(-rate);
                let _ = tensor.addcdiv_(&gradient, &spread);
            }
            Rule::Sgd {
                momentum,
                weight_decay,
                ..
            } => {
                if decays && weight_decay > 0.0 {
                    gradient += &tensor * weight_decay;
                }
                let mut velocity = remembered(&mut self.first, &gradient);
                let _ = velocity.g_mul_scalar_(momentum);
                velocity += &gradient;
                tensor -= &velocity * rate;
            }
            Rule::AdamW { weight_decay, .. } => {
                if decays {
                    let _ = tensor.g_mul_scalar_(1.0 - rate * weight_decay);
                }
                let mut first = remembered(&mut self.first, &gradient);
                let mut second = remembered(&mut self.second, &gradient);
                let _ = first.lerp_(&gradient, 1.0 - BETA_1);
                let _ = second.lerp_(&gradient.square_(), 1.0 - BETA_2);
                let mut spread = second.sqrt();
                let _ = spread.g_div_scalar_((1.0 - BETA_2.powi(age)).sqrt());
                spread += EPSILON;
                let direction = &first * (-rate / (1.0 - BETA_1.powi(age)));
                let _ = tensor.addcdiv_(&direction, &spread);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn slope(loss: &Tensor, x: &Tensor) -> Tensor {
        let mut gradients = Tensor::run_backward(&[loss], &[x], false, false);
        gradients.remove(0)
    }

    /// Steps down |x - 3|^2 from 0 and returns where it got.
    fn descend(rule: Rule, steps: usize) -> f64 {
        let x = Tensor::zeros([1], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let mut optimizer = Optimizer::new(rule);
        for _ in 0..steps {
            let loss = (&x - 3.0).square().sum(Kind::Float);
            let gradient = slope(&loss, &x);
            optimizer.step([("x", &x, gradient)].into_iter(), 1.0);
        }
        x.double_value(&[0])
    }

    const RULES: [Rule; 3] = [
        Rule::AdaGrad {
            learning_rate: 0.5,
            weight_decay: 0.0,
        },
        Rule::Sgd {
            learning_rate: 0.05,
            momentum: 0.5,
            weight_decay: 0.0,
        },
        Rule::AdamW {
            learning_rate: 0.1,
            weight_decay: 0.0,
        },
    ];

    #[test]
    fn first_steps_are_those_of_the_papers() {
        // Gradient -6 at 0: AdaGrad goes rate * 6 / sqrt(36), as does Adam; SGD rate * 6.
        for (rule, expected) in RULES.into_iter().zip([0.5, 0.3, 0.1]) {
            assert!((descend(rule, 1) - expected).abs() < 1e-6, "{rule:?}");
        }
    }

    #[test]
    fn second_steps_remember_the_first() {
        // AdaGrad: at 0.5 the gradient is -5, the sum 61. SGD: at 0.3 it is -5.4, the velocity
        // -5.4 - 0.5 * 6.
        let expected = [0.5 + 0.5 * 5.0 / 61f64.sqrt(), 0.3 + 0.05 * 8.4];
        for (rule, expected) in RULES.into_iter().zip(expected) {
            assert!((descend(rule, 2) - expected).abs() < 1e-6, "{rule:?}");
        }
    }

    #[test]
    fn they_arrive() {
        for rule in RULES {
            assert!((descend(rule, 400) - 3.0).abs() < 0.01, "{rule:?}");
        }
    }

    #[test]
    fn decay_shrinks_matrices_and_spares_vectors() {
        let rules = [
            Rule::AdaGrad {
                learning_rate: 0.1,
                weight_decay: 0.5,
            },
            Rule::Sgd {
                learning_rate: 0.1,
                momentum: 0.9,
                weight_decay: 0.5,
            },
            Rule::AdamW {
                learning_rate: 0.1,
                weight_decay: 0.5,
            },
        ];
        for rule in rules {
            let options = (Kind::Float, tch::Device::Cpu);
            let matrix = Tensor::ones([2, 2], options).set_requires_grad(true);
            let vector = Tensor::ones([2], options).set_requires_grad(true);
            let named = [
                ("matrix", &matrix, matrix.zeros_like()),
                ("vector", &vector, vector.zeros_like()),
            ];
            Optimizer::new(rule).step(named.into_iter(), 1.0);
            assert!(matrix.double_value(&[0, 0]) < 0.99, "{rule:?}");
            assert_eq!(vector.double_value(&[0]), 1.0, "{rule:?}");
        }
    }

    #[test]
    fn what_is_remembered_goes_on_bit_for_bit() {
        for rule in RULES {
            let run = |interrupted: bool| {
                let options = (Kind::Float, tch::Device::Cpu);
                let x = Tensor::zeros([3], options).set_requires_grad(true);
                let mut optimizer = Optimizer::new(rule);
                for step in 0..6 {
                    if interrupted && step == 3 {
                        let copy = |(name, tensor): (String, Tensor)| (name, tensor.copy());
                        let memory: Vec<_> = optimizer.memory().into_iter().map(copy).collect();
                        let steps = optimizer.steps();
                        optimizer = Optimizer::new(rule);
                        optimizer.remember(steps, memory);
                    }
                    let loss = (&x - 3.0).square().sum(Kind::Float);
                    let gradient = slope(&loss, &x);
                    optimizer.step([("x", &x, gradient)].into_iter(), 1.0);
                }
                Vec::<f32>::try_from(&x.detach()).unwrap()
            };
            assert_eq!(run(false), run(true), "{rule:?}");
        }
    }
}
