//! The kiosk: camera, face, decision, screen.
//!
//! ```text
//! camera ─ frame ─► kiosk ─────────────────────────────────────────────► showing ─► screen ─► display
//!                   attention: tracks, quality, embeds what tells something    ▲
//!                     │ votes            ▲ liveness                             │
//!                     └► session ────────┴─ state, events ─► live::outlets      desk ◄─ input: keys, touches
//! ```
//!
//! | room | what it does |
//! |---|---|
//! | [`camera`] | frames from drivers and recordings; faults and recovery |
//! | [`kiosk`], [`attention`], [`tracking`], [`decision`], [`consensus`], [`session`] | from a frame to a greeting |
//! | [`liveness`] | whether it is a living person |
//! | [`desk`], [`input`], [`enrollment`] | enrolling people |
//! | [`screen`], [`showing`] | what is to be seen |
//! | `live` | the threads of a kiosk at work |
//! | [`event`], [`mqtt`], [`door`], [`metrics`], [`status`], [`watchdog`], [`clock`], [`log`] | what is around it |
//! | [`config`], [`doctor`], [`self_test`], [`health`] | settings, whether the device is fit, whether the kiosk runs well |
//! | [`update`] | signed models and galleries, and the mark while something is updated |
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
pub mod health;
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
pub mod update;
pub mod watchdog;
