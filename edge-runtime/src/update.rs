//! Signed models and galleries: taken whole or not at all, the old one kept, and a mark for the screen meanwhile.
//!
//! ```text
//! NAME-SERIAL.model ── copied and verified ──► .incoming/ ── unpacked, synced, tried ──► NAME-SERIAL/ ◄── current
//! NAME-SERIAL.model.minisig                                                              OLD-SERIAL/  ◄── previous
//! ```
//!
//! Nothing of a file is looked into before its signature is verified, and what is verified is a copy that nobody else can
//! change. The trusted comment of the signature says what the file is: `usher model NAME serial=N board=any`.
//!
//! | step | what a power cut after it leaves |
//! |---|---|
//! | copied to `.incoming`, verified | the old model; the next installation sweeps `.incoming` away |
//! | unpacked there, every file and the folder synced, network loaded, self-test, gallery compared | the same |
//! | renamed to `NAME-SERIAL`, the folder above synced | the old model, and a folder that no link names: swept |
//! | `previous` is the old model, synced | the old model; there is nothing to go back to until the next installation |
//! | `current` is the new model: a new link renamed over the old one, synced | the new model |
//! | the record of serials is raised | the new model |
//! | folders that no link names are swept | the new model |
//!
//! A serial counts as used when the record says so or an installed folder has it, so a lost record lowers nothing.
//! A gallery goes through the store's own restore, which has its own table ([`shared::gallery::store`]); its serial is
//! recorded afterwards.
//!
//! | room | what it does |
//! |---|---|
//! | `config` | section `[update]` |
//! | `label`, `comment` | names, serials, boards; the trusted comment |
//! | `signature` | whose signatures are trusted, and whether a file is as it was signed |
//! | `archive` | a model's archive, read as if it were hostile |
//! | `shelf` | the installed folders, `current`, `previous` and the record of serials |
//! | `disk` | the few calls that change the disk: a seam at which tests cut the power |
//! | `trial` | whether a model can be used on this device |
//! | `install` | all of it in order |
//! | [`mark`] | the file that tells the running kiosk |

mod archive;
mod comment;
mod config;
mod disk;
mod error;
mod install;
mod label;
pub mod mark;
mod shelf;
mod signature;
mod trial;

#[cfg(test)]
mod tests;

pub use config::UpdateConfig;
pub use error::UpdateError;
pub use install::{GalleryOrder, Installation, Installed};
pub use label::{Kind, Label};
pub use shelf::{InUse, Stock};
