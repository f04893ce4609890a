//! How well embeddings tell people apart: pairs, thresholds, accuracies, error rates.

pub mod bootstrap;
pub mod compatibility;
pub mod curve;
pub mod faces;
pub mod folds;
pub mod groups;
pub mod histogram;
pub mod identification;
pub mod meaning;
pub mod meetings;
pub mod neighbors;
pub mod pairs;
pub mod rates;

pub use shared::interval;
