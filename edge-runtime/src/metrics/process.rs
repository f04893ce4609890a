//! What the system says of this process and its board, by files of /proc and /sys alone.

use std::fs;
use std::path::Path;

/// The process and the board at one moment; what the system does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Memory held, in bytes.
    pub resident_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub open_files: Option<u64>,
    /// Each thermal zone (`cpu-thermal/0`) and its temperature in degrees Celsius.
    pub temperatures: Vec<(String, f64)>,
}

impl Process {
    /// Asks the system now.
    pub fn now() -> Self {
        Self::read(Path::new("/"))
    }

    /// The same below another root, for tests.
    fn read(root: &Path) -> Self {
        let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
        let files = fs::read_dir(root.join("proc/self/fd"));
        Self {
            resident_bytes: field(&status, "VmRSS:").map(|kib| kib * 1024),
            threads: field(&status, "Threads:"),
            // Less the one by which the folder is being read.
            open_files: files
                .ok()
                .map(|files| (files.count() as u64).saturating_sub(1)),
            temperatures: temperatures(&root.join("sys/class/thermal")),
        }
    }

    /// The hottest zone, in degrees Celsius.
    pub fn hottest(&self) -> Option<f64> {
        let temperatures = self.temperatures.iter().map(|(_, celsius)| *celsius);
        temperatures.max_by(f64::total_cmp)
    }
}

/// The first number of a field of /proc/self/status or /proc/meminfo.
pub(crate) fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn temperatures(folder: &Path) -> Vec<(String, f64)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let zone = |path: &Path| {
        let number = path
            .file_name()?
            .to_str()?
            .strip_prefix("thermal_zone")?
            .to_owned();
        let read = |name: &str| fs::read_to_string(path.join(name)).ok();
        let millis: f64 = read("temp")?.trim().parse().ok()?;
        let kind = read("type").map_or("unknown".to_owned(), |kind| kind.trim().to_owned());
        Some((format!("{kind}/{number}"), millis / 1000.0))
    };
    let mut zones: Vec<_> = entries
        .filter_map(|entry| zone(&entry.ok()?.path()))
        .collect();
    zones.sort_by(|a, b| a.0.cmp(&b.0));
    zones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_measured() {
        let process = Process::now();
        assert!(process.resident_bytes > Some(1 << 20), "{process:?}");
        assert!(process.threads >= Some(1) && process.open_files >= Some(3));
    }

    #[test]
    fn zones_that_cannot_be_read_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let thermal = root.path().join("sys/class/thermal");
        for (zone, kind, temp) in [
            ("thermal_zone0", "cpu-thermal", "48312\n"),
            ("thermal_zone1", "gpu", "-5000\n"),
            ("thermal_zone2", "broken", "x"),
            ("cooling_device0", "fan", "1"),
        ] {
            fs::create_dir_all(thermal.join(zone)).unwrap();
            fs::write(thermal.join(zone).join("type"), kind).unwrap();
            fs::write(thermal.join(zone).join("temp"), temp).unwrap();
        }
        let process = Process::read(root.path());
        assert_eq!(
            process.temperatures,
            [
                ("cpu-thermal/0".to_owned(), 48.312),
                ("gpu/1".to_owned(), -5.0)
            ]
        );
        assert_eq!((process.hottest(), process.threads), (Some(48.312), None));
    }
}
