//! The kiosk: camera, face, decision, screen.
//!
//! ```text
//! Camera ─ frame ─► Kiosk ─ votes ─► Session ─ state ─► Screen ─ canvas ─► png (later: a display)
//!                  (shared::Pipeline,            └ event ─► EventLog
//!                   Gallery, Threshold)
//! ```
//!
//! Time enters with each frame ([`clock`]), so a recording always gives the same run. The rule above all others: a
//! stranger is never greeted by somebody's name. [`consensus`] lets no single frame decide, [`presence`] lets no name
//! outlive its face, and [`session`] says unknown when nothing is agreed on.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod attention;
pub mod camera;
pub mod clock;
pub mod command;
pub mod config;
pub mod consensus;
pub mod decision;
pub mod desk;
pub mod doctor;
pub mod door;
pub mod enrollment;
pub mod event;
pub mod fault;
pub mod framing;
pub mod input;
pub mod kiosk;
pub mod latency;
pub mod likeness;
mod live;
pub mod liveness;
pub mod log;
pub mod metrics;
pub mod mqtt;
pub mod presence;
pub mod recognition;
pub mod recording;
pub mod rolling_file;
pub mod screen;
pub mod self_test;
pub mod session;
pub mod showing;
pub mod status;
pub mod tracking;
pub mod watchdog;
