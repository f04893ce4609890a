//! How good a model is on given pictures: material, embeddings, a report, and what it says in words.
//!
//! [`Material`](material::Material) is what is compared, [`Embedded`](embedded::Embedded) the same
//! with embeddings, and [`Report`](report::Report) everything that is found: `evaluate` prints it,
//! draws it or writes it as JSON. `calibrate` chooses thresholds on the same materials.

pub mod calibration;
pub mod embedded;
pub mod evaluate;
pub mod material;
pub mod measure;
pub mod page;
pub mod people;
pub mod report;
pub mod sweep;
pub mod text;
