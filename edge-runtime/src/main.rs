//! `usher`: the kiosk's command line.
#![forbid(unsafe_code)]

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use edge_runtime::command::Usher;
use edge_runtime::fault;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let usher = Usher::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("USHER_LOG").unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match usher.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher: {}", fault::message(&error));
            ExitCode::FAILURE
        }
    }
}
