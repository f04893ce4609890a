//! The gallery under torture: power cuts, failing disks, flipped bits, cut files, old and new formats.
//!
//! `scripts/torture` runs the same for hours: `USHER_TORTURE_SEED` draws another script,
//! `USHER_TORTURE_LONG=1` leaves nothing out.
#![allow(clippy::unwrap_used)]

mod disk;
mod every_bit;
mod faults;
mod golden;
mod kiosk;
mod operations;
mod power_cut;
mod power_cuts;

/// The seed of every script; another one by `USHER_TORTURE_SEED`.
fn seed() -> u64 {
    std::env::var("USHER_TORTURE_SEED").map_or(5, |seed| seed.parse().unwrap())
}

/// Whether to leave nothing out, however long it takes.
fn is_long() -> bool {
    std::env::var_os("USHER_TORTURE_LONG").is_some()
}
