//! `usher`: the kiosk's command line.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use edge_runtime::command::Usher;
use edge_runtime::{fault, log};

fn main() -> ExitCode {
    let usher = Usher::parse();
    log::begin();
    match usher.execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher: {}", fault::message(&error));
            ExitCode::FAILURE
        }
    }
}
