//! Why the checks cannot be made ready.

use std::path::PathBuf;

/// Why the checks that the settings ask for cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub enum LivenessError {
    /// A setting makes no sense.
    #[error("expected usable liveness settings, found {found}; correct the [liveness] section")]
    Setting {
        /// The key in full, and what is wrong with it.
        found: String,
    },
    /// A manifest or its network cannot be read.
    #[error(
        "expected {what} at {path}, found: {source}; check liveness.net.manifests and the files beside them"
    )]
    Read {
        /// What was to be read.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A manifest is not one.
    #[error(
        "expected a liveness manifest in {path}, found: {reason}; correct the file by the format's description"
    )]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A recording's challenge file is not one.
    #[error(
        "expected what was asked and shown in {path}, found: {reason}; correct the file or record again"
    )]
    Challenge {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A report cannot be read or written.
    #[error(
        "expected a report of usher pad report at {path}, found: {reason}; name another file or run usher pad report again"
    )]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The network's file is not the one that the manifest names.
    #[error(
        "expected the network of {path} to have the digest {expected}, found {found}; copy manifest and network again, together"
    )]
    Digest {
        /// The manifest.
        path: PathBuf,
        /// SHA-256 in the manifest.
        expected: String,
        /// SHA-256 of the file.
        found: String,
    },
    /// The network cannot be loaded, or is none with one row of classes.
    #[error(
        "expected a network by its manifest {path}, found: {reason}; correct the manifest or convert the network again"
    )]
    Network {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
