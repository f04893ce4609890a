//! The commands, one file each.

pub mod describe;
pub mod prepare;
pub mod train;
