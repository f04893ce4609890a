//! The operator's PIN or token: who may unlock the desk, and what guessing costs.
//!
//! | room | what it keeps |
//! |---|---|
//! | [`operators`] | who has a PIN or a token: a file of hashes |
//! | [`lockout`] | wrong tries, and the wait after them: a file that is written before any answer |
//! | [`uptime`] | the clock that no one can set: time since the boot, and which boot |
//!
//! What it withstands: somebody at the screen, who may cut the power, set the clock, or delete the file of tries.
//! Five wrong tries are free, then each costs a wait of 30 s, 60 s, 2 min, ... up to an hour: some 35 tries on the
//! first day and 24 on each that follows (a test counts them).
//! What it does not withstand: somebody who can read the file of hashes. A PIN of 4 digits is then found in about an
//! hour, one of 6 in days, a token never; so the file is for its owner alone.

pub mod lockout;
pub mod operators;
pub mod uptime;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::view::PinRefusal;
use lockout::Lockout;
use operators::Operators;
use uptime::Uptime;

/// Fewest digits of a PIN.
pub const LEAST_DIGITS: usize = 4;
/// Most digits of a PIN.
pub const MOST_DIGITS: usize = 12;
/// Most characters that are typed or scanned at the desk; a token has half as many.
pub const MOST_TYPED: usize = 64;

/// What was typed or scanned: a PIN or a token. Wiped when dropped, and shown nowhere.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Room for a PIN or a token, nothing typed yet. It never moves in memory, so that no copy stays behind.
    pub fn empty() -> Self {
        Self(Zeroizing::new(String::with_capacity(MOST_TYPED * 4)))
    }

    /// This text, without white space around it; what is beyond [`MOST_TYPED`] characters is cut off, and then
    /// it is nobody's.
    pub fn new(text: &str) -> Self {
        let mut secret = Self::empty();
        for c in text.trim().chars().take(MOST_TYPED) {
            secret.push(c);
        }
        secret
    }

    /// Adds a character, unless there are [`MOST_TYPED`] already.
    pub fn push(&mut self, c: char) {
        if self.len() < MOST_TYPED {
            self.0.push(c);
        }
    }

    /// Takes the last character away.
    pub fn pop(&mut self) {
        self.0.pop();
    }

    /// Characters.
    pub fn len(&self) -> usize {
        self.0.chars().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    /// Nothing of it, not even its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why a text is no PIN to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    /// Too few or too many characters, or others than digits.
    #[error(
        "expected a PIN of {LEAST_DIGITS} to {MOST_DIGITS} digits, found something else; choose another"
    )]
    Form,
    /// One of the PINs that are tried first.
    #[error(
        "expected a PIN that is not among the first to be tried, found a year, a row, a pattern or fewer than three different digits; choose another"
    )]
    Trivial,
}

/// Whether a PIN may be set.
///
/// # Errors
/// [`WeakPin`] when it has not 4 to 12 digits, or is trivial: a sequence with equal steps (0000, 1234, 8642), fewer than
/// three different digits, a block repeated (123123), a year from 1930 to 2039, or a column of the keys.
pub fn check(pin: &Secret) -> Result<(), WeakPin> {
    let text = pin.text();
    if !is_pin(text) {
        return Err(WeakPin::Form);
    }
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().map(|digit| digit - b'0').collect());
    let step = |pair: &[u8]| (10 + pair[1] - pair[0]) % 10;
    let first = step(&digits[..2]);
    let is_sequence = digits.windows(2).all(|pair| step(pair) == first);
    let different = (0..10).filter(|digit| digits.contains(digit)).count();
    let is_repeated = (1..=digits.len() / 2)
        .any(|block| digits.iter().zip(&digits[block..]).all(|(a, b)| a == b));
    let is_year = text.len() == 4 && ("1930".."2040").contains(&text);
    let is_column = ["2580", "0852", "1470", "0741", "3690", "0963"].contains(&text);
    if is_sequence || different < 3 || is_repeated || is_year || is_column {
        return Err(WeakPin::Trivial);
    }
    Ok(())
}

/// Whether what was typed has the form of a PIN.
fn is_pin(text: &str) -> bool {
    (LEAST_DIGITS..=MOST_DIGITS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Why nobody can be let in, or no operator be noted.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// There is no file of operators.
    #[error(
        "expected an operator with a PIN in {path}, found no such file; run usher pin set NAME"
    )]
    NoOperators {
        /// The file of operators.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("expected to read and write {path}, found: {source}; check disk and permissions")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read the file of operators.
    #[error(
        "expected {path}, with whose content PINs can be guessed, to be for its owner alone, found mode {mode:03o}; run chmod 600 {path} and set new PINs"
    )]
    Readable {
        /// The file of operators.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file of operators holds something else.
    #[error(
        "expected operators in {path}, found other content; restore the file, or remove it and set the PINs again"
    )]
    Content {
        /// The file of operators.
        path: PathBuf,
    },
    /// The PIN is too weak.
    #[error(transparent)]
    Weak(#[from] WeakPin),
    /// Another operator's PIN.
    #[error("expected a PIN that no other operator has, found one that is taken; choose another")]
    Taken,
    /// No such operator.
    #[error(
        "expected the name of an operator, found one who has neither PIN nor token; see usher pin check-state"
    )]
    NoSuchOperator,
    /// The name is none.
    #[error("expected an operator's name of 1 to {most} bytes without control characters, found another; choose another", most = operators::MOST_NAME_BYTES)]
    Name,
    /// No randomness to be had.
    #[error("expected random numbers from the system, found: {0}; start the device again")]
    Random(String),
}

/// What guards the desk: the operators and the count of wrong tries, each a file.
#[derive(Clone, Debug)]
pub struct Gate {
    operators: PathBuf,
    lockout: Lockout,
}

impl Gate {
    /// The gate of the operators in the file at `path`; its tries are kept beside it, in `PATH.tries`.
    ///
    /// A wait that was running when the device went down begins anew now.
    ///
    /// # Errors
    /// [`PinError::File`] when the tries can be neither read nor written.
    pub fn open(path: &Path, uptime: &Uptime) -> Result<Self, PinError> {
        let gate = Self {
            operators: path.to_owned(),
            lockout: Lockout::beside(path),
        };
        if path.exists() {
            gate.lockout.left(uptime)?;
        }
        Ok(gate)
    }

    /// How long nothing will be compared, zero when a try is free.
    ///
    /// # Errors
    /// [`PinError::File`] when the tries can be neither read nor written.
    pub fn left(&self, uptime: &Uptime) -> Result<Duration, PinError> {
        self.lockout.left(uptime)
    }

    /// Compares; takes some 250 ms and 19 MiB. The operator's name, or why it was refused.
    ///
    /// The try is counted and synced before anything is compared: cutting the power during it wins nothing. During a
    /// wait nothing is compared and nothing counted.
    ///
    /// # Errors
    /// [`PinError`] when the operators cannot be read, or the try cannot be counted: then nobody is let in.
    pub fn verify(
        &self,
        uptime: &Uptime,
        secret: &Secret,
    ) -> Result<Result<String, PinRefusal>, PinError> {
        let operators = Operators::read(&self.operators)?;
        self.lockout.attempt(uptime, || operators.whose(secret))
    }
}

#[cfg(test)]
mod tests;
