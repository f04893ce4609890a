//! Time that nobody can set: how long the device has been up, and which boot that is.

use std::time::Duration;

/// A moment of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uptime {
    /// Which boot: another text after each.
    pub boot: String,
    /// Time since then, sleep included.
    pub since: Duration,
}

impl Uptime {
    /// Now: `CLOCK_BOOTTIME`, and the kernel's boot id. Setting the wall clock changes neither.
    ///
    /// Where the kernel tells no boot id each call counts as another boot: waits then begin anew rather than end.
    pub fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            boot: boot.map_or_else(
                |_unreadable| format!("unknown at {seconds}.{nanos}"),
                |id| id.trim().to_owned(),
            ),
            since: Duration::new(seconds, nanos),
        }
    }

    /// The same boot, later.
    pub fn plus(&self, time: Duration) -> Self {
        Self {
            boot: self.boot.clone(),
            since: self.since + time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_stays_and_time_goes_on() {
        let (first, second) = (Uptime::now(), Uptime::now());
        assert!(second.since >= first.since && !first.since.is_zero());
        if std::path::Path::new("/proc/sys/kernel/random/boot_id").exists() {
            assert_eq!(first.boot, second.boot);
            assert_eq!(first.boot.len(), 36);
        }
    }
}
