//! Measures the search for `scripts/bench-search`: reads templates and probes, then does as told.
//!
//! ```text
//! bench_search TEMPLATES OWNERS PROBES DIMENSION full|compact
//! ```
//! The files hold f32, u32 and f32, little-endian, one row after another. Then a command a line on
//! stdin, an answer a line on stdout, numbers with spaces between:
//!
//! ```text
//! single        seconds of a search, probe by probe
//! batch N       seconds of search_batch for the first N probes
//! read N        N times: seconds to read as many bytes as a scan does
//! found         identity of best and runner-up, probe by probe
//! wrong         probes for which a comparison with every template finds anything else
//! rescored      templates compared in f32, probe by probe
//! about         templates, bytes of the index, bytes a scan reads, seconds to fill the index
//! ```
//! One thread; the answers of other programs between the commands disturb nothing.
#![allow(missing_docs, clippy::unwrap_used, reason = "a tool of a script")]

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::time::Instant;

use shared::gallery::search::{Found, Index, TemplateForm};
use shared::{Embedding, IdentityId, Nearest, SquaredL2};

struct Bench {
    index: Index,
    /// What the index holds, for the comparison with every template.
    rows: Vec<(IdentityId, Embedding)>,
    probes: Vec<Embedding>,
    scan_bytes: usize,
    fill_seconds: f64,
    /// As many bytes as a scan reads.
    memory: Vec<u64>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, templates, owners, probes, dimension, form] = &arguments[..] else {
        panic!("usage: bench_search TEMPLATES OWNERS PROBES DIMENSION full|compact");
    };
    let dimension: usize = dimension.parse().unwrap();
    let form = match form.as_str() {
        "compact" => TemplateForm::Compact,
        _ => TemplateForm::Full,
    };
    let bench = Bench::new(templates, owners, probes, dimension, form);
    println!("{}", bench.index.instructions());
    for line in std::io::stdin().lock().lines() {
        println!("{}", bench.answer(&line.unwrap()));
        std::io::stdout().flush().unwrap();
    }
}

impl Bench {
    fn new(
        templates: &str,
        owners: &str,
        probes: &str,
        dimension: usize,
        form: TemplateForm,
    ) -> Bench {
        let mut index = Index::new(dimension, form);
        let owners = words(owners, u32::from_le_bytes);
        let (mut rows, mut fill_seconds) = (Vec::new(), 0.0);
        for (template, owner) in embeddings(templates, dimension).into_iter().zip(owners) {
            let owner = IdentityId::from_number(owner);
            let began = Instant::now();
            let slot = index.push(owner, &template);
            fill_seconds += began.elapsed().as_secs_f64();
            rows.push((owner, index.template(slot)));
        }
        // Codes of n numbers rounded up to 16, a scale and a radius.
        let scan_bytes = rows.len() * (dimension.next_multiple_of(16) + 8);
        Bench {
            index,
            rows,
            probes: embeddings(probes, dimension),
            scan_bytes,
            fill_seconds,
            memory: vec![1; scan_bytes / 8],
        }
    }

    fn answer(&self, command: &str) -> String {
        match command.split_whitespace().collect::<Vec<_>>()[..] {
            ["single"] => joined(
                self.probes
                    .iter()
                    .map(|probe| seconds(|| self.index.search(black_box(probe)))),
            ),
            ["batch", count] => {
                let probes = &self.probes[..count.parse().unwrap()];
                seconds(|| self.index.search_batch(black_box(probes))).to_string()
            }
            ["read", count] => joined(
                (0..count.parse().unwrap()).map(|_| seconds(|| read(black_box(&self.memory)))),
            ),
            ["found"] => joined(self.probes.iter().flat_map(|probe| {
                let found = self.index.search(probe);
                [found.best, found.runner_up].map(|n| n.map_or(0, |n| n.identity.number()))
            })),
            ["wrong"] => {
                let batch = self.index.search_batch(&self.probes);
                let wrong = self.probes.iter().zip(batch).filter(|(probe, in_batch)| {
                    let expected = naive(&self.rows, probe);
                    self.index.search(probe) != expected || *in_batch != expected
                });
                wrong.count().to_string()
            }
            ["rescored"] => joined(
                self.probes
                    .iter()
                    .map(|probe| self.index.search_counting(probe).1.templates),
            ),
            ["about"] => format!(
                "{} {} {} {}",
                self.index.len(),
                self.index.bytes(),
                self.scan_bytes,
                self.fill_seconds
            ),
            _ => panic!("unknown command {command:?}"),
        }
    }
}

fn joined<T: ToString>(numbers: impl Iterator<Item = T>) -> String {
    let texts: Vec<String> = numbers.map(|number| number.to_string()).collect();
    texts.join(" ")
}

fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    black_box(work());
    began.elapsed().as_secs_f64()
}

/// Reads every byte once.
fn read(memory: &[u64]) -> u64 {
    let mut sums = [0_u64; 16];
    for line in memory.as_chunks::<16>().0 {
        for i in 0..16 {
            sums[i] ^= line[i];
        }
    }
    sums.iter().fold(0, |a, b| a ^ b)
}

/// By definition: the best and the next identity of a comparison with every template.
fn naive(rows: &[(IdentityId, Embedding)], probe: &Embedding) -> Found {
    let mut closest = std::collections::HashMap::new();
    for (identity, template) in rows {
        let distance = SquaredL2::between(probe, template);
        let known = closest.entry(*identity).or_insert(distance);
        *known = distance.min(*known);
    }
    let mut closest: Vec<_> = closest.into_iter().map(|(id, d)| (d, id)).collect();
    closest.sort_unstable();
    let nearest = |place: usize| {
        let &(distance, identity) = closest.get(place)?;
        Some(Nearest { identity, distance })
    };
    Found {
        best: nearest(0),
        runner_up: nearest(1),
    }
}

fn words<T>(path: &str, word: fn([u8; 4]) -> T) -> Vec<T> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&bytes| word(bytes))
        .collect()
}

fn embeddings(path: &str, dimension: usize) -> Vec<Embedding> {
    words(path, f32::from_le_bytes)
        .chunks_exact(dimension)
        .map(|numbers| Embedding::from_unit(numbers.to_vec()).unwrap())
        .collect()
}
