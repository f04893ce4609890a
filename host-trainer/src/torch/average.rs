//! A running average of the weights: smoother than any of them, and what is exported.

use std::collections::BTreeMap;

use tch::Tensor;

/// Averages of a network's trained tensors, by name.
#[derive(Debug)]
pub struct Average {
    share: f64,
    updates: u64,
    tensors: BTreeMap<String, Tensor>,
}

impl Average {
    /// The average of no step yet; `share` is that of the old at each update, 0 to below 1.
    pub fn new<'a>(share: f64, tensors: impl Iterator<Item = (&'a str, &'a Tensor)>) -> Self {
        let copies = tensors.map(|(name, tensor)| (name.to_owned(), tensor.detach().copy()));
        Self {
            share,
            updates: 0,
            tensors: copies.collect(),
        }
    }

    /// Takes in the weights after a step. Early on the share of the old is lower, (1 + n) / (10 + n)
    /// after n steps, so that first values are soon forgotten.
    pub fn update<'a>(&mut self, tensors: impl Iterator<Item = (&'a str, &'a Tensor)>) {
        let updates = self.updates as f64;
        let share = self.share.min((1.0 + updates) / (10.0 + updates));
        self.updates += 1;
        tch::no_grad(|| {
            for (name, tensor) in tensors {
                if let Some(average) = self.tensors.get_mut(name) {
                    let _ = average.lerp_(tensor, 1.0 - share);
                }
            }
        });
    }

    /// The averages.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Goes on from averages after `updates` steps.
    pub fn remember(&mut self, updates: u64, tensors: impl IntoIterator<Item = (String, Tensor)>) {
        self.updates = updates;
        self.tensors.extend(tensors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_at_its_own_pace() {
        let at = |value: f32| Tensor::from_slice(&[value]);
        let first = at(0.0);
        let mut average = Average::new(0.5, [("x", &first)].into_iter());
        let value = |average: &Average| average.tensors()["x"].double_value(&[0]);
        average.update([("x", &at(10.0))].into_iter());
        assert!(
            (value(&average) - 9.0).abs() < 1e-6,
            "a tenth of the old at first"
        );
        for _ in 0..20 {
            average.update([("x", &at(1.0))].into_iter());
        }
        let before = value(&average);
        average.update([("x", &at(2.0))].into_iter());
        assert!((value(&average) - (before + 2.0) / 2.0).abs() < 1e-6);
    }
}
