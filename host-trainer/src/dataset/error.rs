//! Why a data set could not be read.

use std::path::PathBuf;

/// Why a data set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file system refused, or a tar file is damaged.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of the manifest is not one.
    #[error(
        "{path}, line {line}: expected tar, path, identity, source and licence separated by tabs, found {found:?}"
    )]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// A picture stands in the manifest twice.
    #[error(
        "{path}, line {line}: expected each picture once, found it again; take one of the two lines out"
    )]
    Twice {
        /// The manifest.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
    },
    /// The manifest and its tars disagree.
    #[error(
        "{tar} lacks {count} pictures that {manifest} lists, {example} among them: fetch both again from one place"
    )]
    Missing {
        /// The tar file.
        tar: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// Pictures lacking.
        count: usize,
        /// One of them.
        example: String,
    },
    /// Pictures of a tar shard belong to nobody.
    #[error(
        "{tar}: expected <identity>/<picture>.jpg, or <key>.jpg with <key>.cls, found {count} pictures without either, {example} among them"
    )]
    Unlabeled {
        /// The tar file.
        tar: PathBuf,
        /// Pictures without an identity.
        count: usize,
        /// One of them.
        example: PathBuf,
    },
    /// A picture is longer than any that is decoded.
    #[error("{path}: expected a picture of at most {expected} bytes, found {found}; take it out")]
    TooLong {
        /// The picture.
        path: PathBuf,
        /// The limit.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// Nothing to learn from.
    #[error(
        "{path} holds {identities} identities with at least two pictures: expected two or more, as <identity>/<picture>.jpg, there or in one folder below, as tar files with manifest.tsv, or as tar shards"
    )]
    TooSmall {
        /// The folder.
        path: PathBuf,
        /// Identities found.
        identities: usize,
    },
}
