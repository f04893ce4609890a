//! Runs a network for `scripts/bench-infer`: how long it takes to load and to run, and the memory.
//!
//! ```text
//! bench_infer ONNX EXTENTS INPUT OUTPUTS THREADS    EXTENTS as 1,3,112,112; the files are f32 in a row
//! ```
//!
//! Prints a line: the instruction set, CPU seconds to load the file and digest it, bytes of memory then held beyond those
//! before, bytes held at most. Then for every line of input, a number, runs so often and prints of
//! each run the seconds of CPU time and, after a colon, those of the clock. At the end of input it writes
//! what it computes then.
#![allow(missing_docs, clippy::unwrap_used, reason = "a tool of a script")]

use std::fs::File;
use std::io::BufReader;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use shared::inference::{self, OnnxFile, OnnxParts};
use shared::model_id::Digested;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [onnx, extents, input, outputs, threads] = &arguments[..] else {
        panic!("usage: bench_infer ONNX EXTENTS INPUT OUTPUTS THREADS");
    };
    let threads: usize = threads.parse().unwrap();
    let shape: Vec<usize> = extents.split(',').map(|e| e.parse().unwrap()).collect();
    let bytes = std::fs::read(input).unwrap();
    let input: Vec<f32> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four))
        .collect();

    let before = status("VmRSS:");
    let began = cpu_seconds();
    let file = File::open(onnx).unwrap();
    let length = file.metadata().unwrap().len();
    let mut digested = Digested::new(BufReader::new(file));
    let parts = OnnxParts::read(&mut digested, length).unwrap();
    std::hint::black_box(digested.finish().unwrap());
    let file = OnnxFile::from_parts(parts).unwrap();
    let crew = inference::crew(threads).unwrap();
    let mut model = file.prepare_for(&shape, &crew).unwrap();
    drop(file);
    let load = cpu_seconds() - began;
    let instructions = inference::instructions();
    let held = status("VmRSS:").saturating_sub(before);
    println!("{instructions} {load} {held} {}", status("VmHWM:"));

    for line in std::io::stdin().lines() {
        let count: usize = line.unwrap().trim().parse().unwrap();
        let times: Vec<String> = (0..count)
            .map(|_| {
                let (began, clock) = (cpu_seconds(), Instant::now());
                let first = model
                    .run_with(
                        |numbers| numbers.copy_from_slice(&input),
                        |outputs| outputs[0][0],
                    )
                    .unwrap();
                std::hint::black_box(first);
                let by_clock = clock.elapsed().as_secs_f64();
                format!("{}:{by_clock}", cpu_seconds() - began)
            })
            .collect();
        println!("{}", times.join(" "));
    }

    let found = model.run(&input).unwrap().concat();
    let bytes: Vec<u8> = found
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    std::fs::write(outputs, bytes).unwrap();
}

/// CPU time of this process so far.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes of memory that the system counts for this process.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}
