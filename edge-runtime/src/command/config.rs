//! `usher config`: settings before the kiosk reads them.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::table::counted;
use crate::config::{COMMENTED, Config};

/// What can be done with settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Say whether the settings can be used, and what differs from the defaults
    #[command(after_help = "\
Example:
  usher config check kiosk.toml

Exit status: 0 they can be used, 1 they cannot: the key and what to do are named.")]
    Check {
        /// The settings [default: /etc/usher/kiosk.toml]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print all settings as they count: the file's over the defaults
    #[command(after_help = "\
Examples:
  usher config show kiosk.toml
  usher config show --default > kiosk.toml")]
    Show {
        /// The settings; without a file, the defaults
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print the commented defaults, a file to begin with
        #[arg(long, conflicts_with = "file")]
        default: bool,
    },
}

/// Where an installed kiosk has its settings.
const INSTALLED: &str = "/etc/usher/kiosk.toml";

impl ConfigCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        match self {
            Self::Check { file } => check(file.as_deref().unwrap_or(Path::new(INSTALLED))),
            Self::Show { default: true, .. } => {
                print!("{COMMENTED}");
                Ok(())
            }
            Self::Show { file, .. } => {
                print!("{}", Config::read(file.as_deref())?.to_toml()?);
                Ok(())
            }
        }
    }
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::read(Some(file))?;
    let changed = config.changed();
    let count = match changed.len() {
        0 => "all of them defaults".to_owned(),
        some => format!("{} from the defaults", counted(some, "differs", "differ")),
    };
    println!("{}: the settings can be used, {count}", file.display());
    for path in changed {
        println!("  {path}");
    }
    if config.door_stays_closed() {
        println!(
            "warning: the door never opens: no liveness check is required, and door.without_liveness is false; set one of \
             them"
        );
    }
    Ok(())
}
