//! The key options that every command with a gallery has, and the key that they name.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::key::{KeyError, KeyFile, Passphrase, SealKind, Sealing};

/// Names the key file where `--key` does not.
pub const KEY_VARIABLE: &str = "USHER_KEY";
/// Where the key lies below the home folder when nothing names it.
const DEFAULT_PLACE: &str = ".config/usher/gallery.key";
/// Longest passphrase file that is read, in bytes.
const MAX_PASSPHRASE_BYTES: u64 = 4096;

/// What opens a gallery, as the command line says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct KeyOptions {
    /// The gallery's key file [default: $USHER_KEY, else ~/.config/usher/gallery.key]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["passphrase", "passphrase_file", "plain"])]
    pub key: Option<PathBuf>,
    /// Ask for the gallery's passphrase at the terminal
    #[arg(long, conflicts_with_all = ["passphrase_file", "plain"])]
    pub passphrase: bool,
    /// The gallery's passphrase is this file's first line
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub passphrase_file: Option<PathBuf>,
    /// The gallery is not sealed: whoever has the file has everybody's name and template; for tests
    #[arg(long)]
    pub plain: bool,
}

/// How often a passphrase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Once: it opens what is there.
    Once,
    /// Twice: it seals something new, and a slip would shut it for good.
    Twice,
}

/// What opens or seals a gallery.
pub enum Keys {
    /// Nothing.
    Plain,
    /// A key file.
    File(KeyFile),
    /// A passphrase.
    Passphrase(Passphrase),
}

impl KeyOptions {
    /// What they name; a passphrase is read or asked for now, a key file when the gallery is opened.
    ///
    /// With `--plain` a warning goes to standard error.
    ///
    /// # Errors
    /// [`KeyError`] when there is no passphrase to be had, or nothing names a key file.
    pub fn keys(&self, asking: Asking) -> Result<Keys, KeyError> {
        if self.plain {
            eprintln!(
                "WARNING: --plain: this gallery is NOT SEALED. Anybody who has the file has everybody's name and template.\n\
                 WARNING: it is for tests; seal it with: usher gallery rekey --gallery FILE --plain --to-key KEY"
            );
            return Ok(Keys::Plain);
        }
        if self.passphrase {
            return asked(asking).map(Keys::Passphrase);
        }
        if let Some(path) = &self.passphrase_file {
            return passphrase_in(path).map(Keys::Passphrase);
        }
        self.key_file().map(Keys::File)
    }

    fn key_file(&self) -> Result<KeyFile, KeyError> {
        if let Some(path) = &self.key {
            return Ok(KeyFile::at(path));
        }
        if let Some(path) = std::env::var_os(KEY_VARIABLE).filter(|path| !path.is_empty()) {
            return Ok(KeyFile::at(Path::new(&path)));
        }
        match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
            Some(home) => Ok(KeyFile::at(&Path::new(&home).join(DEFAULT_PLACE))),
            None => Err(KeyError::File {
                path: Path::new("~").join(DEFAULT_PLACE),
                source: io::Error::new(
                    io::ErrorKind::NotFound,
                    "no home folder; name the key by --key",
                ),
            }),
        }
    }
}

impl Keys {
    /// As the gallery takes it.
    pub fn sealing(&self) -> Sealing<'_> {
        match self {
            Keys::Plain => Sealing::Plain,
            Keys::File(file) => Sealing::By(file),
            Keys::Passphrase(passphrase) => Sealing::By(passphrase),
        }
    }

    /// Makes the key file if it is not there yet, for a gallery that is about to be made; returns where it
    /// was made.
    ///
    /// # Errors
    /// [`KeyError`] when it cannot be written.
    pub fn make(&self) -> Result<Option<&Path>, KeyError> {
        match self {
            Keys::File(file) if !file.path().exists() => {
                KeyFile::create(file.path())?;
                Ok(Some(file.path()))
            }
            _ => Ok(None),
        }
    }
}

impl std::fmt::Display for Keys {
    /// What it is, without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Keys::File(file) => write!(f, "the key in {}", file.path().display()),
            other => f.write_str(other.sealing().kind().words()),
        }
    }
}

/// The passphrase in a file: its first line.
///
/// # Errors
/// [`KeyError`] when the file cannot be read, others may read it, or the passphrase is too short.
pub fn passphrase_in(path: &Path) -> Result<Passphrase, KeyError> {
    use io::Read;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::NoPassphraseFile {
            path: path.to_owned(),
        },
        _ => KeyError::File {
            path: path.to_owned(),
            source,
        },
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    super::key::for_owner_alone(path, &file)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE_BYTES as usize));
    file.take(MAX_PASSPHRASE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Passphrase::new(text.lines().next().unwrap_or_default())
}

/// The passphrase, typed at the terminal without echo.
///
/// # Errors
/// [`KeyError`] when there is no terminal, the passphrase is too short, or the second is another.
pub fn asked(asking: Asking) -> Result<Passphrase, KeyError> {
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|source| KeyError::Other {
                from: "the terminal".to_owned(),
                source: Box::new(source),
            })
    };
    let first = ask("Passphrase of the gallery: ")?;
    let passphrase = Passphrase::new(&first)?;
    if asking == Asking::Twice && *ask("The same again: ")? != *first {
        return Err(KeyError::NotTheSame);
    }
    Ok(passphrase)
}

/// How a gallery is sealed, for a list.
pub fn words(kind: SealKind) -> &'static str {
    match kind {
        SealKind::Plain => "NOT SEALED",
        SealKind::KeyFile => "sealed by a key file",
        SealKind::Passphrase => "sealed by a passphrase",
        SealKind::Chip => "sealed by a chip's key",
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::KeySource;
    use super::*;
    use crate::atomic_file::{self, Readers};

    #[test]
    fn a_passphrase_is_a_files_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words");
        assert!(matches!(
            passphrase_in(&path),
            Err(KeyError::NoPassphraseFile { .. })
        ));
        atomic_file::replace(&path, b"correct horse\nnot this\n", Readers::Owner).unwrap();
        let parameters = super::super::key::KeyParameters {
            salt: [2; 16],
            memory_kib: 32,
            passes: 1,
        };
        let key = |passphrase: Passphrase| passphrase.root_key(&parameters).unwrap();
        let read = key(passphrase_in(&path).unwrap());
        assert!(read == key(Passphrase::new("correct horse").unwrap()));
        atomic_file::replace(&path, b"short\n", Readers::Owner).unwrap();
        assert!(matches!(
            passphrase_in(&path),
            Err(KeyError::Passphrase { found: 5 })
        ));
    }

    #[test]
    fn a_key_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/key");
        let options = KeyOptions {
            key: Some(path.clone()),
            ..KeyOptions::default()
        };
        let keys = options.keys(Asking::Once).unwrap();
        assert_eq!(keys.make().unwrap(), Some(path.as_path()));
        assert_eq!(keys.make().unwrap(), None);
        assert!(keys.to_string().ends_with("made/key"));
    }
}
