//! `usher health`: whether the running kiosk is well, for whatever has just updated or restarted it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use crate::clock::Timestamp;
use crate::config::Config;
use crate::health::{Health as Looks, Verdict};
use crate::status::{Status, client};

/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Wait until the running kiosk is well: no fault, frames come, capture, recognition and screen progress
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  usher health
  usher health --socket /run/usher/usher.sock --wait 60

Exit status: 0 it is well, 1 it is not, with the reason on standard error.")]
pub(super) struct Health {
    /// The kiosk's socket [default: metrics.socket of the settings]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The kiosk's settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seconds that it may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    /// Seconds that it must stay well
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    steady: u64,
}

impl Health {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => Config::read(self.config.as_deref())?.metrics.socket,
        };
        let begin = Instant::now();
        let mut looks = Looks::new(Duration::from_secs(self.steady));
        loop {
            let now = Timestamp::from_millis(begin.elapsed().as_millis() as u64);
            let verdict = match client::ask(&socket, "/status") {
                Err(error) => looks.failed(error.to_string()),
                Ok(answer) => match serde_json::from_str::<Status>(&answer) {
                    Err(error) => looks.failed(format!("its answer is no status: {error}")),
                    Ok(status) => match looks.look(now, &status) {
                        Verdict::Well => {
                            println!("{}", well(&status));
                            return Ok(());
                        }
                        not_yet => not_yet,
                    },
                },
            };
            if let Verdict::NotYet(reason) = verdict
                && begin.elapsed() >= Duration::from_secs(self.wait)
            {
                anyhow::bail!(
                    "expected the kiosk at {} to be well within {} s, found: {reason}; see usher status, and its log: \
                     journalctl -u usher",
                    socket.display(),
                    self.wait
                );
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// A line for whoever waited.
fn well(status: &Status) -> String {
    format!(
        "well: usher {}, model {} ({}), people {}; capture, recognition and screen progress",
        status.version, status.model.name, status.model.id, status.gallery.people
    )
}
