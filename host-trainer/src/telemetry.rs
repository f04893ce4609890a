//! What a run tells while it trains: its metrics, TensorBoard's event files, and when to stop it.

pub mod guard;
pub mod metrics;
pub mod tensorboard;
