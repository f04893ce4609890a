//! Who may unlock the desk: names with the hash of a PIN or of a token, in one file for its owner alone.
//!
//! All PINs of a device share one salt, so that a PIN typed without a name is hashed once and compared with
//! everybody's. That two operators never share a PIN follows from it: the second is refused. A token is 128 random
//! bits, which nobody guesses: its hash is a plain SHA-256.

use std::hint::black_box;
use std::io::{self, Read};
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::atomic_file::{self, Readers};
use shared::model_id::hex;
use zeroize::Zeroizing;

use super::{PinError, Secret, check, is_pin};

/// Longest name of an operator, in bytes: what the gallery's history takes.
pub const MOST_NAME_BYTES: usize = shared::gallery::consent::MAX_WORDS_BYTES;
/// Hexadecimal digits of a token: 128 bits. Letters a to f lie on the same keys of US and German keyboards, which a
/// scanner pretends to be.
pub const TOKEN_DIGITS: usize = 32;
/// Bytes of a hash.
const HASH_BYTES: usize = 32;
/// Version of the file.
const FORMAT: u32 = 1;
/// Longest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;
/// Most operators.
const MOST_OPERATORS: usize = 1000;

/// What one comparison of a PIN costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Memory of Argon2id, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Costs {
    /// Memory: OWASP's least for Argon2id (19 MiB with two passes), which a kiosk of 80 MB can spare for a moment.
    pub const MEMORY_KIB: u32 = 19 << 10;
    /// Fewest passes.
    pub const LEAST_PASSES: u32 = 2;
    /// Most passes.
    pub const MOST_PASSES: u32 = 64;
    /// Most memory that a file may ask for.
    const MOST_MEMORY_KIB: u32 = 64 << 10;

    /// As many passes as take some 250 ms where two of them take `two_passes`.
    pub fn taking_a_quarter_second(two_passes: std::time::Duration) -> Self {
        let one = (two_passes.as_secs_f64() / 2.0).max(1e-6);
        let passes = (0.25 / one).round() as u32;
        Self {
            memory_kib: Self::MEMORY_KIB,
            passes: passes.clamp(Self::LEAST_PASSES, Self::MOST_PASSES),
        }
    }

    /// Argon2id of a PIN.
    ///
    /// # Errors
    /// [`io::Error`] when the costs are out of range.
    pub fn hash(&self, pin: &Secret, salt: &[u8]) -> io::Result<Zeroizing<[u8; HASH_BYTES]>> {
        let unfit = || io::Error::new(io::ErrorKind::InvalidData, "costs of a PIN out of range");
        if self.memory_kib > Self::MOST_MEMORY_KIB || self.passes > Self::MOST_PASSES {
            return Err(unfit());
        }
        let params = Params::new(self.memory_kib, self.passes, 1, Some(HASH_BYTES))
            .map_err(|_unfit| unfit())?;
        let mut hash = Zeroizing::new([0; HASH_BYTES]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(pin.text().as_bytes(), salt, &mut *hash)
            .map_err(|_unfit| unfit())?;
        Ok(hash)
    }
}

/// The operators of one device.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operators {
    format: u32,
    /// 16 bytes, as hexadecimal digits.
    salt: String,
    costs: Costs,
    #[serde(default, rename = "operator")]
    operators: Vec<Operator>,
}

/// One of them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operator {
    name: String,
    /// Argon2id of the PIN, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
    /// SHA-256 of the token, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What an operator unlocks the desk by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The operator's name.
    pub name: String,
    /// Whether there is a PIN.
    pub has_pin: bool,
    /// Whether there is a token.
    pub has_token: bool,
}

impl Operators {
    /// Nobody yet; a fresh salt.
    ///
    /// # Errors
    /// [`PinError::Random`] when the system has no random numbers.
    pub fn none(costs: Costs) -> Result<Self, PinError> {
        Ok(Self {
            format: FORMAT,
            salt: hex(&random::<16>()?),
            costs,
            operators: Vec::new(),
        })
    }

    /// Those in the file at `path`.
    ///
    /// # Errors
    /// [`PinError`] when there is no such file, others may read it, or it holds something else.
    pub fn read(path: &Path) -> Result<Self, PinError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => PinError::NoOperators {
                path: path.to_owned(),
            },
            _ => PinError::File {
                path: path.to_owned(),
                source,
            },
        };
        let file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(PinError::Readable {
                path: path.to_owned(),
                mode,
            });
        }
        let content = || PinError::Content {
            path: path.to_owned(),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        let text = std::str::from_utf8(&bytes).map_err(|_error| content())?;
        // The reason would quote the file, which holds hashes and names.
        let read: Self = toml::from_str(text).map_err(|_error| content())?;
        read.is_sound().then_some(read).ok_or_else(content)
    }

    /// Puts them in place of the file at `path`, whole or not at all, for its owner alone.
    ///
    /// # Errors
    /// [`PinError::File`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), PinError> {
        let failed = |source| PinError::File {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            atomic_file::private_folder(folder).map_err(failed)?;
        }
        let body = toml::to_string(self).map_err(|error| failed(io::Error::other(error)))?;
        let text = format!(
            "# Who may unlock this kiosk's desk. Whoever reads this file can try all PINs at leisure.\n{body}"
        );
        atomic_file::replace(path, text.as_bytes(), Readers::Owner).map_err(failed)
    }

    /// Gives an operator a PIN, in place of the one before.
    ///
    /// # Errors
    /// [`PinError`] when the PIN is weak or another's, or the name is none.
    pub fn set_pin(&mut self, name: &str, pin: &Secret) -> Result<(), PinError> {
        check(pin)?;
        let name = checked(name)?;
        let hash = self.hash(pin).ok_or(PinError::Name)?;
        if let Some(owner) = self.whose(pin)
            && owner != name
        {
            return Err(PinError::Taken);
        }
        self.entry(name)?.pin = Some(hex(&*hash));
        Ok(())
    }

    /// Gives an operator a token, in place of the one before. It is told once and kept nowhere.
    ///
    /// # Errors
    /// [`PinError`] when the name is none, or there are no random numbers.
    pub fn set_token(&mut self, name: &str) -> Result<Zeroizing<String>, PinError> {
        let name = checked(name)?;
        let token = Zeroizing::new(hex(&*Zeroizing::new(random::<{ TOKEN_DIGITS / 2 }>()?)));
        let hash = hex(&Sha256::digest(token.as_bytes()));
        self.entry(name)?.token = Some(hash);
        Ok(token)
    }

    /// Removes an operator.
    ///
    /// # Errors
    /// [`PinError::NoSuchOperator`] when there is none of that name.
    pub fn remove(&mut self, name: &str) -> Result<(), PinError> {
        let before = self.operators.len();
        self.operators.retain(|known| known.name != name.trim());
        match self.operators.len() < before {
            true => Ok(()),
            false => Err(PinError::NoSuchOperator),
        }
    }

    /// Who there is.
    pub fn list(&self) -> impl Iterator<Item = Listed> {
        self.operators.iter().map(|known| Listed {
            name: known.name.clone(),
            has_pin: known.pin.is_some(),
            has_token: known.token.is_some(),
        })
    }

    /// What a comparison costs.
    pub fn costs(&self) -> Costs {
        self.costs
    }

    /// Whose PIN or token it is, if anybody's. It takes as long whoever's it is.
    pub fn whose(&self, secret: &Secret) -> Option<String> {
        let text = secret.text();
        let (hash, is_pin) = if is_pin(text) {
            (hex(&*self.hash(secret)?), true)
        } else if text.len() == TOKEN_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let lower = Zeroizing::new(text.to_ascii_lowercase());
            (hex(&Sha256::digest(lower.as_bytes())), false)
        } else {
            return None;
        };
        let mut whose = None;
        for known in &self.operators {
            let kept = if is_pin { &known.pin } else { &known.token };
            let kept = kept.as_deref().unwrap_or_default();
            // No early end, so that the time tells nothing.
            if black_box(same(kept.as_bytes(), hash.as_bytes())) {
                whose = Some(&known.name);
            }
        }
        whose.cloned()
    }

    fn hash(&self, pin: &Secret) -> Option<Zeroizing<[u8; HASH_BYTES]>> {
        self.costs.hash(pin, self.salt.as_bytes()).ok()
    }

    fn entry(&mut self, name: String) -> Result<&mut Operator, PinError> {
        let place = match self.operators.iter().position(|known| known.name == name) {
            Some(place) => place,
            None if self.operators.len() < MOST_OPERATORS => {
                self.operators.push(Operator {
                    name,
                    pin: None,
                    token: None,
                });
                self.operators.len() - 1
            }
            None => return Err(PinError::Name),
        };
        Ok(&mut self.operators[place])
    }

    fn is_sound(&self) -> bool {
        let costs = self.costs;
        self.format == FORMAT
            && self.salt.len() == 32
            && (8..=Costs::MOST_MEMORY_KIB).contains(&costs.memory_kib)
            && (1..=Costs::MOST_PASSES).contains(&costs.passes)
            && self.operators.len() <= MOST_OPERATORS
            && self.operators.iter().all(|known| {
                let hashes = [&known.pin, &known.token];
                let mut hashes = hashes.into_iter().flatten();
                checked(&known.name).is_ok_and(|name| name == known.name)
                    && hashes.all(|hash| hash.len() == 2 * HASH_BYTES)
            })
    }
}

impl std::fmt::Debug for Operators {
    /// How many there are: a name is a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operators({})", self.operators.len())
    }
}

/// Whether both are the same; the time depends on their lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |differs, (x, y)| black_box(differs | (x ^ y)))
            == 0
}

fn checked(name: &str) -> Result<String, PinError> {
    let name = name.trim();
    match name.is_empty() || name.len() > MOST_NAME_BYTES || name.chars().any(char::is_control) {
        true => Err(PinError::Name),
        false => Ok(name.to_owned()),
    }
}

fn random<const N: usize>() -> Result<[u8; N], PinError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| PinError::Random(error.to_string()))?;
    Ok(bytes)
}
