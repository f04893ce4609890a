//! What the device's clocks say at one moment, for records that outlive the process.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};
use serde::{Serialize, Serializer};
use shared::gallery::consent::WallTime;

use super::Timestamp;

/// Where the kernel tells which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// One moment by both clocks of a device.
///
/// The wall clock may be wrong or be set at any time; the monotonic one counts milliseconds of one boot, sleep
/// included, and is never set. Two records of one boot are `monotonic_ms` apart whatever the wall clock did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// By the wall clock, in milliseconds since 1970-01-01 00:00 UTC; in a record as RFC 3339.
    #[serde(rename = "utc", serialize_with = "rfc3339")]
    pub utc_ms: u64,
    /// Milliseconds since the device was switched on.
    pub monotonic_ms: u64,
    /// Which boot `monotonic_ms` counts from.
    pub boot: BootId,
    /// Whether the wall clock is known to have been set by a time server in this boot; not known is no.
    pub synced: bool,
}

impl Moment {
    /// The wall clock's time, to the second.
    pub fn wall(&self) -> WallTime {
        WallTime::from_unix_seconds(self.utc_ms / 1000)
    }
}

fn rfc3339<S: Serializer>(utc_ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    /// 9999-12-31 23:59:59.999 UTC, the last moment that RFC 3339 can say.
    const LAST: u64 = 253_402_300_799_999;
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis((*utc_ms).min(LAST));
    serializer.collect_str(&humantime::format_rfc3339_millis(time))
}

/// Which boot of the device this is: the kernel draws it anew each time.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct BootId(u128);

impl BootId {
    /// The boot with this number.
    pub const fn from_number(number: u128) -> Self {
        Self(number)
    }

    /// The boot that the kernel names; zero where it names none.
    fn of_this_boot() -> Self {
        let text = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self::parse(&text).unwrap_or_default()
    }

    /// The id as the kernel writes it, with or without hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|char| *char != '-').collect();
        let whole = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        whole.then(|| u128::from_str_radix(&digits, 16).ok().map(Self))?
    }
}

impl fmt::Display for BootId {
    /// 32 lower-case hex digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootId({self})")
    }
}

impl Serialize for BootId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where moments come from: the device, or a test that moves both clocks by hand.
pub trait Clocks: Send + Sync {
    /// What the clocks say now.
    fn moment(&self) -> Moment;

    /// The same moment for what runs in this process: milliseconds since the device was switched on.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.moment().monotonic_ms)
    }
}

/// The clocks of this device.
#[derive(Clone, Debug)]
pub struct DeviceClocks {
    boot: BootId,
    synced_files: Vec<PathBuf>,
}

impl DeviceClocks {
    /// The device's clocks; the wall clock counts as synced while one of `synced_files` is there.
    pub fn new(synced_files: &[PathBuf]) -> Self {
        Self {
            boot: BootId::of_this_boot(),
            synced_files: synced_files.to_vec(),
        }
    }
}

impl Clocks for DeviceClocks {
    fn moment(&self) -> Moment {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Moment {
            utc_ms: since.map_or(0, |since| since.as_millis() as u64),
            monotonic_ms: self.now().millis(),
            boot: self.boot,
            synced: self.synced_files.iter().any(|file| file.exists()),
        }
    }

    fn now(&self) -> Timestamp {
        // The clock that goes on while the device sleeps, so that a night's sleep is no jump of the wall clock.
        let time = clock_gettime(ClockId::Boottime);
        let millis = time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000;
        Timestamp::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_which_clock_says_what() {
        let moment = Moment {
            utc_ms: 1_800_000_000_120,
            monotonic_ms: 5000,
            boot: BootId::parse("0f3c2b1a-0000-4000-8000-00000000000a\n").unwrap(),
            synced: false,
        };
        assert_eq!(
            serde_json::to_string(&moment).unwrap(),
            r#"{"utc":"2027-01-15T08:00:00.120Z","monotonic_ms":5000,"boot":"0f3c2b1a00004000800000000000000a","synced":false}"#
        );
        for text in ["", "0f3c", &"g".repeat(32), &"+".repeat(32)] {
            assert_eq!(BootId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_device_has_two_clocks_and_is_synced_only_where_a_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("synchronized");
        let clocks = DeviceClocks::new(&[folder.path().join("other"), mark.clone()]);
        let first = clocks.moment();
        assert!(!first.synced);
        std::fs::write(mark, b"").unwrap();
        let second = clocks.moment();
        assert!(second.synced);
        assert!(second.monotonic_ms >= first.monotonic_ms);
        assert_eq!(second.boot, first.boot);
        assert!(first.wall() > WallTime::from_unix_seconds(1_600_000_000));
    }
}
