//! Whether the board is fit: clock, memory, temperature, processor.

use std::fs;
use std::path::Path;

use super::Check;
use crate::clock::judge::{ClockConfig, ClockJudge, Standing};
use crate::clock::moment::{Clocks, DeviceClocks, Moment};
use crate::metrics::process::{Process, field};
use shared::gallery::consent::WallTime;

/// Memory below which the kiosk will not last, in bytes; its goal is 80 MB.
const LEAST_MEMORY: u64 = 100 << 20;
/// Memory below which there is no room for anything beside it.
const LITTLE_MEMORY: u64 = 250 << 20;
/// Temperatures, in degrees Celsius, at which boards slow down, and at which they stop.
const WARM: f64 = 80.0;
const HOT: f64 = 95.0;

/// The wall clock, beside the time of the newest record in the gallery.
pub fn clock(config: &ClockConfig, newest: WallTime) -> Check {
    judge_clock(
        config,
        newest,
        DeviceClocks::new(&config.synced_files).moment(),
    )
}

fn judge_clock(config: &ClockConfig, newest: WallTime, moment: Moment) -> Check {
    let (judged, _) = ClockJudge::new(config, newest).observe(moment);
    let shows = moment.wall().to_rfc3339();
    match (judged.standing, moment.synced) {
        (Standing::Doubtful, _) => Check::fail(
            "clock",
            format!("{shows}, which is before {}", judged.believed.to_rfc3339()),
            "set the clock (timedatectl set-time), or let a time server set it",
        ),
        (Standing::Credible, false) => Check::warn(
            "clock",
            format!("{shows}, not known to be synced"),
            "switch a time server on (timedatectl set-ntp true), or see that the clock has a battery",
        ),
        (Standing::Credible, true) => Check::ok("clock", format!("{shows}, synced")),
    }
}

/// Free memory.
pub fn memory() -> Check {
    judge_memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn judge_memory(meminfo: &str) -> Check {
    let bytes = |name| field(meminfo, name).map(|kib| kib * 1024);
    let (Some(total), Some(free)) = (bytes("MemTotal:"), bytes("MemAvailable:")) else {
        return Check::ok("memory", "not told by this system");
    };
    let found = format!("{} MB free of {} MB", free / 1_000_000, total / 1_000_000);
    let remedy = "stop what else runs on the device";
    match free {
        ..LEAST_MEMORY => Check::fail("memory", found, remedy),
        LEAST_MEMORY..LITTLE_MEMORY => Check::warn("memory", found, remedy),
        _ => Check::ok("memory", found),
    }
}

/// The hottest part.
pub fn temperature() -> Check {
    judge_temperature(Process::now().hottest())
}

fn judge_temperature(hottest: Option<f64>) -> Check {
    let Some(celsius) = hottest else {
        return Check::ok("temperature", "not told by this system");
    };
    let found = format!("{celsius:.0} degrees Celsius");
    let remedy = "give it air or a heat sink, and keep it out of the sun";
    match celsius {
        hot if hot >= HOT => Check::fail("temperature", found, remedy),
        warm if warm >= WARM => Check::warn("temperature", found, remedy),
        _ => Check::ok("temperature", found),
    }
}

/// Cores, and the instructions that networks are fast by.
pub fn processor() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (fast, found) = features();
    let found = format!("{cores} cores, {}; {found}", std::env::consts::ARCH);
    match fast {
        true => Check::ok("processor", found),
        false => Check::warn(
            "processor",
            found,
            "expect several times the time for each face",
        ),
    }
}

#[cfg(target_arch = "x86_64")]
fn features() -> (bool, String) {
    let all = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    (all[0].1 && all[1].1, listed(&all))
}

#[cfg(target_arch = "aarch64")]
fn features() -> (bool, String) {
    let all = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        (
            "dotprod",
            std::arch::is_aarch64_feature_detected!("dotprod"),
        ),
        ("fp16", std::arch::is_aarch64_feature_detected!("fp16")),
    ];
    (all[0].1, listed(&all))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> (bool, String) {
    (false, "no kernels of its own for this processor".to_owned())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn listed(features: &[(&str, bool)]) -> String {
    let names = |there: bool| {
        let names: Vec<&str> = features
            .iter()
            .filter(|(_, is_there)| *is_there == there)
            .map(|(name, _)| *name)
            .collect();
        names.join(" ")
    };
    match (names(true), names(false)) {
        (with, without) if without.is_empty() => with,
        (with, without) if with.is_empty() => format!("without {without}"),
        (with, without) => format!("{with}, without {without}"),
    }
}

/// Whether a kiosk runs now, by its socket.
pub fn running(socket: &Path) -> Check {
    match crate::status::client::ask(socket, "/status") {
        Ok(_) => Check::ok(
            "service",
            format!("a kiosk answers at {}", socket.display()),
        ),
        Err(_) => Check::ok(
            "service",
            format!("no kiosk answers at {}", socket.display()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::clock::moment::BootId;

    #[test]
    fn clocks() {
        let now = 1_800_000_000;
        for (name, shows, newest, synced, expected) in [
            ("synced", now, now, true, Level::Ok),
            ("not known", now, now, false, Level::Warn),
            ("1970", 100, 0, false, Level::Fail),
            (
                "ten years behind",
                now - 315_360_000,
                now,
                true,
                Level::Fail,
            ),
        ] {
            let moment = Moment {
                utc_ms: shows * 1000,
                monotonic_ms: 50_000,
                boot: BootId::from_number(1),
                synced,
            };
            let newest = WallTime::from_unix_seconds(newest);
            let check = judge_clock(&ClockConfig::default(), newest, moment);
            assert_eq!(check.level, expected, "{name}: {check}");
        }
    }

    #[test]
    fn memory_and_temperature() {
        for (free_kib, expected) in [
            (90_000, Level::Fail),
            (200_000, Level::Warn),
            (900_000, Level::Ok),
        ] {
            let text = format!("MemTotal:  1000000 kB\nMemAvailable: {free_kib} kB\n");
            assert_eq!(judge_memory(&text).level, expected, "{free_kib}");
        }
        assert_eq!(judge_memory("").level, Level::Ok);
        for (celsius, expected) in [
            (None, Level::Ok),
            (Some(45.0), Level::Ok),
            (Some(80.0), Level::Warn),
            (Some(99.0), Level::Fail),
        ] {
            assert_eq!(judge_temperature(celsius).level, expected, "{celsius:?}");
        }
    }

    #[test]
    fn this_machine_is_described() {
        assert!(processor().found.contains("cores"));
        assert_eq!(running(Path::new("/nowhere.sock")).level, Level::Ok);
    }
}
