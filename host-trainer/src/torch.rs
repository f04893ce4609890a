//! Everything that touches libtorch: the network as tensors, its operators, losses, the
//! optimizer, and the training loop. No other room imports `tch`.

pub mod device;
pub mod environment;
pub mod library;
pub mod loss;
pub mod module;
pub mod operator;
pub mod optimizer;
pub mod train;
