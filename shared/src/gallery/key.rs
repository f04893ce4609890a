//! Where the key of a sealed gallery comes from: a key file, a passphrase, or a chip.
//!
//! The root key opens one thing alone: the gallery key in the file's header. That key seals the
//! gallery's own records and each person's data key, and a person's records are sealed by that.
//!
//! A TPM (or another chip) is one more [`KeySource`] with [`SealKind::Chip`]: it unseals the root key
//! under its policy (PCRs of a measured boot), and ideally keeps the [`super::counter::Counter`] as well.
//! None is implemented here: there was no chip to try one on.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::seal::{DataKey, KEY_BYTES, random};
use crate::atomic_file::{self, Readers};
use crate::model_id::hex;

/// First word of a key file.
const KEY_FILE_MAGIC: &str = "usher-gallery-key-1";
/// Fewest characters of a passphrase.
pub const MIN_PASSPHRASE_CHARS: usize = 8;

/// What a header says about the root key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealKind {
    /// Not sealed at all: for tests.
    Plain,
    /// By the key in a file.
    KeyFile,
    /// By a passphrase through Argon2id.
    Passphrase,
    /// By a key that a chip keeps.
    Chip,
}

impl SealKind {
    /// In words, as errors name it.
    pub fn words(self) -> &'static str {
        match self {
            SealKind::Plain => "nothing at all",
            SealKind::KeyFile => "a key file",
            SealKind::Passphrase => "a passphrase",
            SealKind::Chip => "a chip's key",
        }
    }
}

/// What makes one passphrase another key in every gallery: salt and costs of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyParameters {
    /// Drawn anew whenever a gallery is sealed anew.
    pub salt: [u8; 16],
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl KeyParameters {
    /// Most memory that a gallery may ask for: a forged header must not exhaust a device.
    pub const MAX_MEMORY_KIB: u32 = 256 << 10;
    /// Most passes that a gallery may ask for.
    pub const MAX_PASSES: u32 = 16;

    /// What a gallery without a passphrase says.
    pub(super) const NONE: KeyParameters = KeyParameters {
        salt: [0; 16],
        memory_kib: 0,
        passes: 0,
    };

    /// A fresh salt, 64 MiB and 3 passes (RFC 9106, section 4, the second recommended option).
    pub(super) fn draw() -> std::io::Result<KeyParameters> {
        Ok(KeyParameters {
            salt: random()?,
            memory_kib: 64 << 10,
            passes: 3,
        })
    }
}

/// Something that has a gallery's root key.
pub trait KeySource {
    /// Which kind it is, as the header names it.
    fn kind(&self) -> SealKind;

    /// The root key; `parameters` are those of the gallery's header.
    ///
    /// # Errors
    /// [`KeyError`] when there is none to be had.
    fn root_key(&self, parameters: &KeyParameters) -> Result<DataKey, KeyError>;
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no key file.
    #[error(
        "expected the gallery's key in {path}, found no such file; name it by --key, or restore it from where it was copied to: without it the gallery cannot be opened"
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// The key file cannot be read or written.
    #[error("expected a key file at {path}, found: {source}; check path and permissions")]
    File {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error(
        "expected {path}, which holds a secret, to be for its owner alone, found mode {mode:03o}; run chmod 600 {path} and ask who has read it"
    )]
    Readable {
        /// The key file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file holds something else.
    #[error(
        "expected \"{KEY_FILE_MAGIC}\" and 64 hex digits in {path}, found other content; name the gallery's key file"
    )]
    Content {
        /// The key file.
        path: PathBuf,
    },
    /// There is no file with a passphrase.
    #[error(
        "expected the gallery's passphrase in {path}, found no such file; check the path of --passphrase-file"
    )]
    NoPassphraseFile {
        /// The file.
        path: PathBuf,
    },
    /// A new passphrase was typed twice, each time another.
    #[error("expected the same passphrase twice, found two; type it again")]
    NotTheSame,
    /// The passphrase is too short.
    #[error(
        "expected a passphrase of {MIN_PASSPHRASE_CHARS} characters at least, found {found}; choose a longer one"
    )]
    Passphrase {
        /// Characters given.
        found: usize,
    },
    /// The header asks for more memory or time than a gallery may.
    #[error(
        "expected a passphrase's costs within {} KiB and {} passes, found {memory_kib} KiB and {passes}; this header was not written by usher",
        KeyParameters::MAX_MEMORY_KIB,
        KeyParameters::MAX_PASSES
    )]
    Costs {
        /// Memory asked for.
        memory_kib: u32,
        /// Passes asked for.
        passes: u32,
    },
    /// Another source of keys (a chip) failed.
    #[error(
        "expected the gallery's key from {from}, found: {source}; name another source of it, such as --key or --passphrase-file"
    )]
    Other {
        /// The source.
        from: String,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// 32 random bytes in a file for its owner alone (mode 600): a line of 64 hex digits.
///
/// Keep it on other storage than the gallery, or a thief takes both; keep a copy in a safe, or a
/// dead disk takes everybody's enrollment with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The key file at `path`, which is read when the gallery is opened.
    pub fn at(path: &Path) -> KeyFile {
        KeyFile {
            path: path.to_owned(),
        }
    }

    /// Draws a key and writes it to `path`.
    ///
    /// # Errors
    /// [`KeyError`] when the file is there already or cannot be written.
    pub fn create(path: &Path) -> Result<KeyFile, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        if path.exists() {
            return Err(failed(std::io::Error::new(
                std::io::ErrorKind::AlreadyExists,
                "a file that is there already, and a key is never written over",
            )));
        }
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            atomic_file::private_folder(folder).map_err(failed)?;
        }
        let key = Zeroizing::new(random::<KEY_BYTES>().map_err(failed)?);
        let digits = Zeroizing::new(hex(&*key));
        let text = Zeroizing::new(format!("{KEY_FILE_MAGIC} {}\n", *digits));
        atomic_file::replace(path, text.as_bytes(), Readers::Owner).map_err(failed)?;
        Ok(KeyFile::at(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, source: std::io::Error) -> KeyError {
        let path = self.path.clone();
        match source.kind() {
            std::io::ErrorKind::NotFound => KeyError::Missing { path },
            _ => KeyError::File { path, source },
        }
    }
}

impl KeySource for KeyFile {
    fn kind(&self) -> SealKind {
        SealKind::KeyFile
    }

    fn root_key(&self, _parameters: &KeyParameters) -> Result<DataKey, KeyError> {
        let file = fs::File::open(&self.path).map_err(|source| self.failed(source))?;
        for_owner_alone(&self.path, &file)?;
        let mut text = Zeroizing::new(String::with_capacity(256));
        file.take(256)
            .read_to_string(&mut text)
            .map_err(|source| self.failed(source))?;
        let digits = text
            .trim_end()
            .strip_prefix(KEY_FILE_MAGIC)
            .map(str::trim_start);
        let key = digits.and_then(from_hex).ok_or_else(|| KeyError::Content {
            path: self.path.clone(),
        })?;
        Ok(DataKey::from_bytes(*key))
    }
}

/// That nobody but its owner may read a file with a secret.
pub(super) fn for_owner_alone(path: &Path, file: &fs::File) -> Result<(), KeyError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = || path.to_owned();
        let metadata = file.metadata().map_err(|source| KeyError::File {
            path: path(),
            source,
        })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Readable { path: path(), mode });
        }
    }
    Ok(())
}

fn from_hex(digits: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

/// A passphrase, through Argon2id (RFC 9106).
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// This passphrase; a line feed at its end does not count.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`] when it is shorter than [`MIN_PASSPHRASE_CHARS`].
    pub fn new(text: &str) -> Result<Passphrase, KeyError> {
        let text = text.trim_end_matches(['\n', '\r']);
        match text.chars().count() {
            found if found < MIN_PASSPHRASE_CHARS => Err(KeyError::Passphrase { found }),
            _ => Ok(Passphrase(Zeroizing::new(text.to_owned()))),
        }
    }
}

impl KeySource for Passphrase {
    fn kind(&self) -> SealKind {
        SealKind::Passphrase
    }

    fn root_key(&self, parameters: &KeyParameters) -> Result<DataKey, KeyError> {
        let costs = KeyError::Costs {
            memory_kib: parameters.memory_kib,
            passes: parameters.passes,
        };
        if parameters.memory_kib > KeyParameters::MAX_MEMORY_KIB
            || parameters.passes > KeyParameters::MAX_PASSES
        {
            return Err(costs);
        }
        let Ok(params) = Params::new(parameters.memory_kib, parameters.passes, 1, Some(KEY_BYTES))
        else {
            return Err(costs);
        };
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.as_bytes(), &parameters.salt, &mut *key)
            .map_err(|_error| costs)?;
        Ok(DataKey::from_bytes(*key))
    }
}

/// How a gallery is to be opened or sealed.
#[derive(Clone, Copy)]
pub enum Sealing<'a> {
    /// Not at all: whoever has the file has everybody's name and template. For tests.
    Plain,
    /// By this key.
    By(&'a dyn KeySource),
}

impl Sealing<'_> {
    /// The kind of seal.
    pub fn kind(&self) -> SealKind {
        match self {
            Sealing::Plain => SealKind::Plain,
            Sealing::By(source) => source.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: KeyParameters = KeyParameters {
        salt: [2; 16],
        memory_kib: 32,
        passes: 3,
    };

    #[test]
    fn a_key_file_gives_its_key_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made").join("key");
        let key = KeyFile::create(&path).unwrap();
        let one = key.root_key(&PARAMETERS).unwrap();
        assert!(one == KeyFile::at(&path).root_key(&PARAMETERS).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("usher-gallery-key-1 {}\n", hex(one.bytes())));
        assert!(matches!(KeyFile::create(&path), Err(KeyError::File { .. })));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = KeyFile::at(&path);
        let message = || key.root_key(&PARAMETERS).unwrap_err().to_string();
        assert!(message().contains("no such file"), "{}", message());
        let digits = "0f".repeat(32);
        for content in [
            "",
            "usher-gallery-key-1",
            "other 00",
            &format!("usher-gallery-key-1 {digits}0"),
            &format!("usher-gallery-key-1 {}+f", &digits[2..]),
        ] {
            atomic_file::replace(&path, content.as_bytes(), Readers::Owner).unwrap();
            assert!(message().contains("64 hex digits"), "{content}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let key = KeyFile::create(&folder.path().join("key")).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(key.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = key.root_key(&PARAMETERS).unwrap_err();
            assert!(matches!(error, KeyError::Readable { .. }), "{error}");
        }
    }

    #[test]
    fn a_passphrase_is_argon2id() {
        // argon2-cffi 25.1: hash_secret_raw(b"correct horse", b"\x02"*16, 3, 32, 1, 32, Type.ID)
        let key = Passphrase::new("correct horse\n").unwrap();
        let root = key.root_key(&PARAMETERS).unwrap();
        assert_eq!(
            hex(root.bytes()),
            "37f5315c3f2466813bd82a9ca842caebaeb4f1f234150517a7fae0a157619e8b"
        );
        assert!(Passphrase::new("short").is_err());
        for greedy in [
            KeyParameters {
                memory_kib: u32::MAX,
                ..PARAMETERS
            },
            KeyParameters {
                passes: 17,
                ..PARAMETERS
            },
            KeyParameters {
                memory_kib: 0,
                ..PARAMETERS
            },
        ] {
            assert!(matches!(key.root_key(&greedy), Err(KeyError::Costs { .. })));
        }
    }
}
