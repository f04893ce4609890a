//! `usher-train`: reads the command line and calls the command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use host_trainer::command;

/// Trains FaceNet-style face embedders, exports them to ONNX, measures them
#[derive(Debug, Parser)]
#[command(name = "usher-train", version)]
enum Command {
    Describe(command::describe::Arguments),
    Prepare(command::prepare::Arguments),
    #[cfg(feature = "torch")]
    Train(command::train::Arguments),
    #[cfg(feature = "torch")]
    Prune(command::prune::Arguments),
    Export(command::export::Arguments),
    Import(command::import::Arguments),
    BenchExplore(command::bench_explore::Arguments),
    Calibrate(command::calibrate::Arguments),
    Evaluate(command::evaluate::Arguments),
    Embed(command::embed::Arguments),
    Verify(command::verify::Arguments),
    Cluster(command::cluster::Arguments),
    Identify(command::identify::Arguments),
    Visualize(command::visualize::Arguments),
    Plot(command::plot::Arguments),
    Study(command::study::Arguments),
    Doctor(command::doctor::Arguments),
    #[cfg(feature = "torch")]
    Bench(command::bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Describe(arguments) => command::describe::run(&arguments),
        Command::Prepare(arguments) => command::prepare::run(&arguments),
        #[cfg(feature = "torch")]
        Command::Train(arguments) => command::train::run(&arguments),
        #[cfg(feature = "torch")]
        Command::Prune(arguments) => command::prune::run(&arguments),
        Command::Export(arguments) => command::export::run(&arguments),
        Command::Import(arguments) => command::import::run(&arguments),
        Command::BenchExplore(arguments) => command::bench_explore::run(&arguments),
        Command::Calibrate(arguments) => command::calibrate::run(&arguments),
        Command::Evaluate(arguments) => command::evaluate::run(&arguments),
        Command::Embed(arguments) => command::embed::run(&arguments),
        Command::Verify(arguments) => command::verify::run(&arguments),
        Command::Cluster(arguments) => command::cluster::run(&arguments),
        Command::Identify(arguments) => command::identify::run(&arguments),
        Command::Visualize(arguments) => command::visualize::run(&arguments),
        Command::Plot(arguments) => command::plot::run(&arguments),
        Command::Study(arguments) => command::study::run(&arguments),
        Command::Doctor(arguments) => command::doctor::run(&arguments),
        #[cfg(feature = "torch")]
        Command::Bench(arguments) => command::bench::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("usher-train: {}", told_once(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, less those whose words stand in the error before them.
fn told_once(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !told.iter().any(|before| before.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}
