//! Everything that touches libtorch: the network as tensors, its operators, losses, the
//! optimizer, and the training loop. No other room imports `tch`.

pub mod average;
pub mod bench;
pub mod checkpoint;
pub mod device;
pub mod environment;
pub mod learner;
pub mod library;
pub mod loss;
pub mod module;
pub mod objective;
pub mod operator;
pub mod optimizer;
pub mod prune;
pub mod train;
