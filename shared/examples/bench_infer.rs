//! Runs a network for `scripts/bench-infer`: how long it takes to load and to run, and the memory.
//!
//! ```text
//! bench_infer ONNX EXTENTS INPUT OUTPUTS      EXTENTS as 1,3,112,112; the files are f32 in a row
//! ```
//!
//! Prints a line: the instruction set, CPU seconds to load, bytes of memory then held beyond those
//! before, bytes held at most. Then for every line of input, a number, runs so often and prints the
//! CPU seconds of each run.
#![allow(missing_docs, clippy::unwrap_used, reason = "a tool of a script")]

use rustix::time::{ClockId, clock_gettime};
use shared::{OnnxFile, inference};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [onnx, extents, input, outputs] = &arguments[..] else {
        panic!("usage: bench_infer ONNX EXTENTS INPUT OUTPUTS");
    };
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
    let file = OnnxFile::parse(&std::fs::read(onnx).unwrap()).unwrap();
    let mut model = file.prepare(&shape).unwrap();
    drop(file);
    let seconds = cpu_seconds() - began;
    let instructions = inference::instructions();
    let held = status("VmRSS:").saturating_sub(before);
    println!("{instructions} {seconds} {held} {}", status("VmHWM:"));

    let found = model.run(&input).unwrap().concat();
    let bytes: Vec<u8> = found
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    std::fs::write(outputs, bytes).unwrap();

    for line in std::io::stdin().lines() {
        let count: usize = line.unwrap().trim().parse().unwrap();
        let times: Vec<String> = (0..count)
            .map(|_| {
                let began = cpu_seconds();
                let first = model
                    .run_with(
                        |numbers| numbers.copy_from_slice(&input),
                        |outputs| outputs[0][0],
                    )
                    .unwrap();
                std::hint::black_box(first);
                (cpu_seconds() - began).to_string()
            })
            .collect();
        println!("{}", times.join(" "));
    }
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
