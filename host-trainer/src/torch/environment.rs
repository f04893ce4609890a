//! Settings that libtorch's libraries read from the environment when the process starts.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// Each with its reason. On two shared cores they take a step to half of its time or less.
const SETTINGS: [(&str, &str); 4] = [
    // glibc returns every large activation to the kernel and asks for it again, page by page.
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "8000000000"),
    // It asks for little more than it lacks, so that the next activation lies in pages not yet there.
    ("MALLOC_TOP_PAD_", "2000000000"),
    // Threads that wait sleep instead of spinning on a core that somebody else could use.
    ("OMP_WAIT_POLICY", "passive"),
];

/// The value of a setting: what training wants, and what the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: &'static str,
    /// What training sets it to where it is not set.
    pub wanted: &'static str,
    /// What it is set to, if it is.
    pub found: Option<String>,
}

/// Every setting.
pub fn settings() -> Vec<Setting> {
    let setting = |(name, wanted)| Setting {
        name,
        wanted,
        found: std::env::var(name).ok(),
    };
    SETTINGS.map(setting).into()
}

/// Starts this program again, in this process, with the settings that are not in the environment
/// yet; returns where there are none. Whoever sets them himself is left alone.
///
/// # Errors
/// What the system said if the program cannot be started again; training works without.
pub fn prepare() -> std::io::Result<()> {
    let lacking = SETTINGS
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let lacking: Vec<_> = lacking.copied().collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    Err(Command::new(program)
        .args(std::env::args_os().skip(1))
        .envs(lacking)
        .exec())
}
