//! Wrong tries and the wait after them, in a file that outlives power cuts and knows no wall clock.
//!
//! ```text
//! try ─► wait running? ── yes ─► refused, nothing compared, nothing counted
//!            │ no
//!            ▼
//!        count + 1, "since now" ─► file synced ─► compare ── right ─► count 0 ─► file synced ─► let in
//!                                                    └ wrong ─► tries left, or the wait that has begun
//! ```
//!
//! A wait is measured by the time since the boot that it began in. After a reboot nobody can tell how long the device
//! was off without believing a clock that can be set, so the whole wait begins anew: it can be drawn out, never
//! shortened. A file that is missing, damaged or of another version counts as the longest wait.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use shared::atomic_file::{self, Readers};
use shared::model_id::hex;

use super::PinError;
use super::uptime::Uptime;
use crate::desk::view::PinRefusal;

/// Wrong tries before there is a wait.
pub const FREE_TRIES: u32 = 5;
/// The first wait.
pub const FIRST_WAIT: Duration = Duration::from_secs(30);
/// The longest.
pub const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Wrong tries that the longest wait follows, 30 s doubled seven times being more than an hour.
const WORST: u32 = FREE_TRIES + 7;
/// First line of the file.
const MAGIC: &str = "usher-pin-tries-1";
/// Longest file that is read, in bytes.
const MOST_BYTES: u64 = 4096;

/// The wait after so many wrong tries in a row.
pub fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE_TRIES) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
        }
    }
}

/// The count of wrong tries of one device.
#[derive(Clone, Debug)]
pub struct Lockout {
    path: PathBuf,
}

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tries {
    /// Wrong ones in a row, the one under way included.
    failures: u32,
    /// The boot in which the last one was, or in which its wait began anew.
    boot: String,
    /// When in that boot, in milliseconds.
    since_ms: u64,
}

/// What is known of the tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Wrong ones in a row.
    pub failures: u32,
    /// How long nothing is compared.
    pub left: Duration,
}

impl Lockout {
    /// The tries at the operators in the file at `operators`.
    pub fn beside(operators: &Path) -> Self {
        let mut path = operators.as_os_str().to_owned();
        path.push(".tries");
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How long nothing will be compared; zero when a try is free. The wait of an earlier boot begins anew.
    ///
    /// # Errors
    /// [`PinError::File`] when the wait has to begin anew and that cannot be written.
    pub fn left(&self, uptime: &Uptime) -> Result<Duration, PinError> {
        let (_, standing) = self.load(uptime)?;
        Ok(standing.left)
    }

    /// As it stands, without changing anything.
    pub fn look(&self, uptime: &Uptime) -> Standing {
        let tries = self.read().unwrap_or_else(|| Tries::worst(uptime));
        Standing {
            failures: tries.failures,
            left: tries.anew(uptime).left(uptime),
        }
    }

    /// Whether the file is there and whole.
    pub fn is_whole(&self) -> bool {
        self.read().is_some()
    }

    /// Counts a try as wrong, lets that last, and only then compares; a right one sets the count back.
    ///
    /// # Errors
    /// [`PinError::File`] when the count cannot be written: nothing is compared then.
    pub fn attempt<T>(
        &self,
        uptime: &Uptime,
        compare: impl FnOnce() -> Option<T>,
    ) -> Result<Result<T, PinRefusal>, PinError> {
        let (tries, standing) = self.load(uptime)?;
        if !standing.left.is_zero() {
            return Ok(Err(PinRefusal::Wait {
                left: standing.left,
            }));
        }
        // One try after the longest wait leads to the longest wait again: the count need not grow for ever.
        let failures = tries.failures.saturating_add(1).min(WORST);
        self.write(&Tries::at(failures, uptime))?;
        let Some(right) = compare() else {
            let left = wait_after(failures);
            return Ok(Err(match left.is_zero() {
                true => PinRefusal::Wrong {
                    tries_left: FREE_TRIES - failures,
                },
                false => PinRefusal::Wait { left },
            }));
        };
        self.clear(uptime)?;
        Ok(Ok(right))
    }

    /// Sets the count back.
    ///
    /// # Errors
    /// [`PinError::File`] when it cannot be written.
    pub fn clear(&self, uptime: &Uptime) -> Result<(), PinError> {
        self.write(&Tries::at(0, uptime))
    }

    fn load(&self, uptime: &Uptime) -> Result<(Tries, Standing), PinError> {
        let read = self.read();
        let tries = match &read {
            Some(tries) => tries.anew(uptime),
            None => Tries::worst(uptime),
        };
        if read.as_ref() != Some(&tries) {
            self.write(&tries)?;
        }
        let standing = Standing {
            failures: tries.failures,
            left: tries.left(uptime),
        };
        Ok((tries, standing))
    }

    /// What the file says; none when it is missing or damaged.
    fn read(&self) -> Option<Tries> {
        use io::Read;
        let mut text = String::new();
        let file = std::fs::File::open(&self.path).ok()?;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once('\n')?;
        let digest = head.strip_prefix(MAGIC)?.trim();
        if digest != hex(&Sha256::digest(body.as_bytes())) {
            return None;
        }
        let tries: Tries = toml::from_str(body).ok()?;
        Some(tries)
    }

    fn write(&self, tries: &Tries) -> Result<(), PinError> {
        let failed = |source| PinError::File {
            path: self.path.clone(),
            source,
        };
        let body = toml::to_string(tries).map_err(|error| failed(io::Error::other(error)))?;
        let digest = hex(&Sha256::digest(body.as_bytes()));
        let text = format!("{MAGIC} {digest}\n{body}");
        atomic_file::replace(&self.path, text.as_bytes(), Readers::Owner).map_err(failed)
    }
}

impl Tries {
    fn at(failures: u32, uptime: &Uptime) -> Self {
        Self {
            failures,
            boot: uptime.boot.clone(),
            since_ms: ms(uptime),
        }
    }

    fn worst(uptime: &Uptime) -> Self {
        Self::at(WORST, uptime)
    }

    /// The same with its wait beginning now, if it began in another boot or in this one's future.
    fn anew(&self, uptime: &Uptime) -> Self {
        match self.boot == uptime.boot && self.since_ms <= ms(uptime) {
            true => self.clone(),
            false => Self::at(self.failures, uptime),
        }
    }

    fn left(&self, uptime: &Uptime) -> Duration {
        let passed = ms(uptime).saturating_sub(self.since_ms);
        wait_after(self.failures).saturating_sub(Duration::from_millis(passed))
    }
}

/// The file's unit of time.
fn ms(uptime: &Uptime) -> u64 {
    u64::try_from(uptime.since.as_millis()).unwrap_or(u64::MAX)
}
