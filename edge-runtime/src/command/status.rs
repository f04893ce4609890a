//! `usher status`: how the running kiosk is.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::table::fields;
use crate::metrics::MetricsConfig;
use crate::status::{Status, client};

/// Say how the running kiosk is
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher status
  usher status --json --socket /run/usher/usher.sock
  usher status --metrics

Exit status: 0 it runs (with faults or without), 1 it does not.")]
pub(super) struct ShowStatus {
    /// The kiosk's socket: metrics socket of its settings
    #[arg(long, value_name = "PATH", default_value_os_t = MetricsConfig::default().socket)]
    socket: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the metrics, in Prometheus' text format
    #[arg(long, conflicts_with = "json")]
    metrics: bool,
}

impl ShowStatus {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        if self.metrics {
            print!("{}", client::ask(&self.socket, "/metrics")?);
            return Ok(());
        }
        let answer = client::ask(&self.socket, "/status")?;
        let status: Status = serde_json::from_str(&answer)
            .context("the kiosk's answer is no status; restart the kiosk after an update")?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&status)?);
        } else {
            print!("{}", fields(&status.lines()));
        }
        Ok(())
    }
}
