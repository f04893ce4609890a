//! Where the program's own log goes: standard error, and a file that is bounded in time and size if the settings name one.
//!
//! No name, picture or embedding is ever logged (see the rule at [`crate::command`]'s help), so the file needs no seal;
//! it is deleted after some days all the same.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, dynamic_filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::rolling_file::{Retention, RollingFile};

/// Names what standard error shows: `USHER_LOG=debug`.
const VARIABLE: &str = "USHER_LOG";

/// The log's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// File that the log is added to; empty: standard error alone.
    pub path: PathBuf,
    /// What is written into it.
    pub level: LogLevel,
    /// Days until it is deleted.
    pub keep_days: u64,
    /// Bytes that all of it may take.
    pub max_bytes: u64,
}

/// What is worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something was lost.
    Error,
    /// Done, but not as asked.
    Warn,
    /// For the owner.
    Info,
    /// Each operation.
    Debug,
}

impl Default for LogConfig {
    /// No file; where there is one, a week and 16 MiB of it.
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            level: LogLevel::Info,
            keep_days: 7,
            max_bytes: 16 << 20,
        }
    }
}

impl LogConfig {
    fn retention(&self) -> Retention {
        Retention {
            keep_days: self.keep_days,
            max_bytes: self.max_bytes,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.retention().check("log")
    }
}

/// A log whose file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected to write the log to {path}, found: {source}; check folder, space and permissions, or set [log] path to another"
)]
pub struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// The file, once the settings are read; the subscriber is there from the first line on.
struct Slot {
    level: LevelFilter,
    file: Option<RollingFile>,
}

static SLOT: Mutex<Slot> = Mutex::new(Slot {
    level: LevelFilter::OFF,
    file: None,
});

/// Begins to log to standard error: warnings, or what `USHER_LOG` says.
pub fn begin() {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let terminal = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_filter(filter);
    let file = tracing_subscriber::fmt::layer()
        .with_writer(ToFile)
        .with_ansi(false)
        .with_filter(dynamic_filter_fn(|metadata, _| {
            *metadata.level() <= held().level
        }));
    // A second beginning, in a test, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(terminal)
        .with(file)
        .try_init();
}

/// From now on the log also goes where `config` says.
///
/// # Errors
/// [`LogError`] when the file cannot be opened.
pub fn to_file(config: &LogConfig) -> Result<(), LogError> {
    if config.path.as_os_str().is_empty() {
        return Ok(());
    }
    let file = RollingFile::open(&config.path, config.retention(), crate::command::now()).map_err(
        |source| LogError {
            path: config.path.clone(),
            source,
        },
    )?;
    let level = match config.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    *held() = Slot {
        level,
        file: Some(file),
    };
    Ok(())
}

fn held() -> std::sync::MutexGuard<'static, Slot> {
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes into the slot's file.
struct ToFile;

impl<'a> MakeWriter<'a> for ToFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for ToFile {
    /// One whole event, as the subscriber formats it: its line feeds stay one line each.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(file) = &mut held().file {
            let text = String::from_utf8_lossy(bytes);
            file.add(text.trim_end_matches('\n'), crate::command::now())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_gets_what_its_level_lets_through() {
        let folder = tempfile::tempdir().unwrap();
        let config = LogConfig {
            path: folder.path().join("usher.log"),
            ..LogConfig::default()
        };
        begin();
        tracing::info!("before there is a file");
        to_file(&config).unwrap();
        tracing::info!(frames = 3, "log's own test");
        tracing::debug!("log's own test, in detail");
        held().level = LevelFilter::OFF;
        let text = std::fs::read_to_string(&config.path).unwrap();
        // Other tests of this process may log too.
        let own: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("own test"))
            .collect();
        assert_eq!(own.len(), 1, "{text}");
        assert!(
            own[0].contains("INFO") && own[0].ends_with("log's own test frames=3"),
            "{text}"
        );
        assert!(!text.contains("before there is a file"));
        assert!(!text.contains('\u{1b}'), "no colors in a file");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let config = LogConfig {
            path: "/nowhere/usher.log".into(),
            ..LogConfig::default()
        };
        assert!(
            to_file(&config)
                .unwrap_err()
                .to_string()
                .contains("/nowhere/usher.log")
        );
        assert!(to_file(&LogConfig::default()).is_ok());
    }
}
