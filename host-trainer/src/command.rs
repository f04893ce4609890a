//! The commands, one file each.

#[cfg(feature = "torch")]
pub mod bench;
pub mod bench_explore;
pub mod calibrate;
pub mod cluster;
pub mod describe;
pub mod doctor;
pub mod embed;
pub mod embedding;
pub mod evaluate;
pub mod export;
pub mod identify;
pub mod import;
mod material;
mod place;
pub mod plot;
pub mod prepare;
#[cfg(feature = "torch")]
pub mod prune;
pub mod study;
#[cfg(feature = "torch")]
pub mod train;
pub mod verify;
pub mod visualize;
