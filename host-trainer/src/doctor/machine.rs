//! Memory that this process may use, and has used.

use super::Check;

/// Below this a batch of NN1 no longer fits beside its optimizer (about 3 GiB were seen).
const LEAST_BYTES: u64 = 4 << 30;
const GIB: f64 = (1u64 << 30) as f64;

/// Memory of the machine, or of the container if that is less.
pub fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let limit = limits
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
        .min();
    judge(
        field(&text, "MemTotal:"),
        field(&text, "MemAvailable:"),
        limit,
    )
}

/// The most memory this process has held, in bytes; none where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmHWM:")
}

/// A field of /proc/meminfo or of a process's status, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn judge(total: Option<u64>, available: Option<u64>, limit: Option<u64>) -> Check {
    let (Some(total), Some(available)) = (total, available) else {
        return Check::ok("memory", "not told by this system");
    };
    let limit = limit.filter(|limit| *limit < total);
    let usable = limit.map_or(available, |limit| limit.min(available));
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / GIB);
    let mut found = format!("{} free of {}", gib(available), gib(total));
    if let Some(limit) = limit {
        found += &format!(", this process limited to {}", gib(limit));
    }
    if usable < LEAST_BYTES {
        let remedy = "train a small network or smaller batches, or free some memory";
        return Check::warning("memory", found, remedy);
    }
    Check::ok("memory", found)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn meminfo_is_read_and_judged() {
        let text = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB\n";
        let (total, available) = (field(text, "MemTotal:"), field(text, "MemAvailable:"));
        assert_eq!(total, Some(16_384_000_000));
        let check = judge(total, available, None);
        assert_eq!(check.level, Level::Ok);
        assert_eq!(check.found, "7.6 GiB free of 15.3 GiB");
        let limited = judge(total, available, Some(2 << 30));
        assert_eq!(limited.level, Level::Warning);
        assert!(limited.found.ends_with("limited to 2.0 GiB"), "{limited}");
        // What an unlimited container of cgroup v1 says.
        assert_eq!(judge(total, available, Some(u64::MAX / 2)), check);
        assert_eq!(judge(None, None, None).level, Level::Ok);
    }
}
