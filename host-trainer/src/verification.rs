//! How well embeddings tell people apart: pairs, thresholds, accuracies, error rates.

pub mod compatibility;
pub mod faces;
pub mod folds;
pub mod meaning;
pub mod neighbors;
pub mod pairs;
pub mod rates;
