//! The operator's desk at the kiosk: unlock, enroll, add an appearance.

pub mod consent;
pub mod guided;
pub mod pin;
pub mod rules;
pub mod view;
