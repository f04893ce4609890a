//! Whose signatures are trusted, and whether a file is as it was signed.
//!
//! Signatures are minisign's, prehashed (BLAKE2b, then Ed25519), so that a file of any size is verified while it is copied.
//! The crate's own readers of files take any length, so that reading is done here.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use minisign_verify::{Error, PublicKey, Signature, StreamVerifier};

use super::comment::Comment;
use super::config::read_start;
use super::error::UpdateError;

/// Longest file of a key or a signature, in bytes.
const MAX_TEXT_BYTES: u64 = 4096;
/// Most keys that are looked at.
const MAX_KEYS: usize = 32;

/// The keys whose signatures count.
pub(super) struct Trusted {
    folder: PathBuf,
    keys: Vec<PublicKey>,
}

impl Trusted {
    /// The keys in the folder: each `*.pub`, as minisign writes it.
    ///
    /// # Errors
    /// [`UpdateError::NoKeys`] when there is none, [`UpdateError::Key`] when one cannot be used.
    pub(super) fn read(folder: &Path) -> Result<Self, UpdateError> {
        let mut keys = Vec::new();
        for path in key_files(folder) {
            let wrong = |found: String| UpdateError::Key {
                path: path.clone(),
                found,
            };
            let text =
                read_start(&path, MAX_TEXT_BYTES).map_err(|error| wrong(error.to_string()))?;
            keys.push(
                PublicKey::decode(text.trim_end()).map_err(|error| wrong(error.to_string()))?,
            );
        }
        match keys.is_empty() {
            true => Err(UpdateError::NoKeys {
                folder: folder.to_owned(),
            }),
            false => Ok(Self {
                folder: folder.to_owned(),
                keys,
            }),
        }
    }
}

/// The key files in the folder, in the order of their names.
pub(super) fn key_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "pub"))
        .collect();
    files.sort();
    files.truncate(MAX_KEYS);
    files
}

/// A signature that was read, and verifies nothing yet.
pub(super) struct Signed {
    path: PathBuf,
    signature: Signature,
}

impl Signed {
    /// Reads the signature beside a file.
    ///
    /// # Errors
    /// [`UpdateError::Signature`] when it is not there, or none.
    pub(super) fn read(path: &Path) -> Result<Self, UpdateError> {
        let wrong = |found: String| UpdateError::Signature {
            path: path.to_owned(),
            found,
        };
        let text = read_start(path, MAX_TEXT_BYTES).map_err(|error| wrong(error.to_string()))?;
        let signature = Signature::decode(&text).map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            signature,
        })
    }

    /// Verifies what `copy` reads through the reader that it is given, to its end; then says what it is.
    ///
    /// # Errors
    /// That of `copy`, and [`UpdateError`] when no trusted key has signed exactly these bytes and this comment.
    pub(super) fn verify(
        &self,
        file: &Path,
        content: impl Read,
        trusted: &Trusted,
        copy: impl FnOnce(&mut dyn Read) -> Result<(), UpdateError>,
    ) -> Result<Comment, UpdateError> {
        let mut verifiers = Vec::new();
        for key in &trusted.keys {
            match key.verify_stream(&self.signature) {
                Ok(verifier) => verifiers.push(verifier),
                Err(Error::UnexpectedKeyId) => {}
                Err(error) => {
                    return Err(UpdateError::Signature {
                        path: self.path.clone(),
                        found: match error {
                            Error::UnsupportedLegacyMode => {
                                "one of the old kind, which is not prehashed".to_owned()
                            }
                            other => other.to_string(),
                        },
                    });
                }
            }
        }
        if verifiers.is_empty() {
            return Err(UpdateError::Untrusted {
                path: file.to_owned(),
                trusted: trusted.folder.clone(),
            });
        }
        let mut reader = Verifying { content, verifiers };
        copy(&mut reader)?;
        // Whatever was not copied was not verified either, and is refused here.
        let is_signed = |verifier: &mut StreamVerifier<'_>| verifier.finalize().is_ok();
        if !reader.verifiers.iter_mut().any(is_signed) {
            return Err(UpdateError::Forged {
                path: file.to_owned(),
            });
        }
        Comment::parse(self.signature.trusted_comment())
    }
}

/// Passes bytes on, and hashes them on the way.
struct Verifying<'a, R> {
    content: R,
    verifiers: Vec<StreamVerifier<'a>>,
}

impl<R: Read> Read for Verifying<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(bytes)?;
        for verifier in &mut self.verifiers {
            verifier.update(&bytes[..count]);
        }
        Ok(count)
    }
}
