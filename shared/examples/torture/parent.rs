//! The process that kills, and looks at what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::RwLock;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shared::{Gallery, GalleryError, SquaredL2};

use crate::Asked;
use crate::place::{Place, face};

/// Longest life of a child, in microseconds.
const LONGEST_LIFE: u64 = 40_000;
/// Kills of one gallery; then a new one.
const KILLS_OF_ONE: usize = 50;

/// Held while a child is started, and shared while a gallery is open here: between fork and exec a child of
/// another lane has this process's files, and with them the lock.
static FORKING: RwLock<()> = RwLock::new(());

/// What was counted.
#[derive(Default)]
struct Counts {
    kills: usize,
    /// Kills by what the child was doing.
    during: BTreeMap<&'static str, usize>,
    acknowledged: usize,
    unreadable: usize,
    lost: usize,
    resurrected: usize,
    /// Somebody whom nobody enrolled, or a call that failed without a reason.
    other: usize,
}

/// What must be in the gallery by what its children acknowledged.
#[derive(Default)]
struct Known {
    enrolled: BTreeSet<String>,
    removed: BTreeSet<String>,
    key: usize,
    /// What was cut short since somebody looked: each was done or not.
    unknown: Vec<During>,
}

/// What a child was doing when it was killed.
#[derive(Clone, Debug, PartialEq)]
enum During {
    Opening,
    Nothing,
    Enroll(String),
    Remove(String),
    Compact,
    Rekey(usize),
}

/// Kills so many children, prints a table, and fails when anything was lost.
pub(crate) fn run(asked: &Asked) -> ExitCode {
    let began = Instant::now();
    let lanes = asked.lanes.min(asked.kills.max(1));
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..lanes)
            .map(|lane| {
                let kills = asked.kills / lanes + usize::from(lane < asked.kills % lanes);
                scope.spawn(move || torture(asked, lane as u64, kills))
            })
            .collect();
        let counted = threads.into_iter().map(|thread| thread.join().unwrap());
        counted.fold(Counts::default(), Counts::plus)
    });
    counts.print(began.elapsed());
    if counts.violations() == 0 && counts.kills == asked.kills {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One gallery after another, each killed again and again.
fn torture(asked: &Asked, lane: u64, kills: usize) -> Counts {
    let mut counts = Counts::default();
    let mut rng = ChaCha8Rng::seed_from_u64(asked.seed ^ (lane << 32));
    while counts.kills < kills {
        let name = format!(
            "usher-torture-{}-{lane}-{}",
            std::process::id(),
            counts.kills
        );
        let folder = asked.folder.join(name);
        let place = Place::make(&folder);
        let mut known = Known::default();
        let before = counts.violations();
        for _ in 0..KILLS_OF_ONE.min(kills - counts.kills) {
            let said = kill_one(&folder, &mut rng);
            counts.kills += 1;
            let during = known.hear(&said, &mut counts);
            *counts.during.entry(during.words()).or_default() += 1;
            known.unknown.push(during);
            // Now as somebody who only reads; or as one who opens it, which recovers; or not at all, so
            // that the next child has to.
            let not_forking = FORKING.read().unwrap();
            let looked = match rng.random_range(0..4) {
                0 => Ok(()),
                1 => place.open().map(|(store, key)| {
                    known.compare(store.gallery(), key, &mut counts);
                }),
                _ => place.read().map(|(gallery, key)| {
                    known.compare(&gallery, key, &mut counts);
                }),
            };
            drop(not_forking);
            let unmade = known.enrolled.is_empty() && known.removed.is_empty();
            match looked {
                Ok(()) => {}
                Err(GalleryError::Missing { .. }) if unmade => {}
                Err(error) => {
                    eprintln!("unreadable, {}: {error}", folder.display());
                    counts.unreadable += 1;
                    break;
                }
            }
            if counts.violations() > before {
                break;
            }
        }
        if counts.violations() == before {
            std::fs::remove_dir_all(&folder).unwrap();
        } else {
            eprintln!("kept: {}", folder.display());
        }
    }
    counts
}

/// Starts a child, kills it at a random moment, and returns what it said.
fn kill_one(folder: &Path, rng: &mut ChaCha8Rng) -> String {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--child", "--seed", &rng.random::<u64>().to_string()])
        .arg("--folder")
        .arg(folder)
        .stdout(Stdio::piped());
    let forking = FORKING.write().unwrap();
    let mut child = command.spawn().unwrap();
    drop(forking);
    std::thread::sleep(Duration::from_micros(rng.random_range(0..LONGEST_LIFE)));
    child.kill().unwrap();
    let mut said = String::new();
    (child.stdout.take().unwrap().read_to_string(&mut said)).unwrap();
    child.wait().unwrap();
    said
}

impl Known {
    /// Takes in what a child acknowledged, and returns what it was doing last.
    fn hear(&mut self, said: &str, counts: &mut Counts) -> During {
        let mut during = During::Opening;
        for line in said.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let trying = match words[..] {
                ["opened"] => During::Nothing,
                ["try", "enroll", name] => During::Enroll(name.to_owned()),
                ["try", "remove", name] => During::Remove(name.to_owned()),
                ["try", "compact"] => During::Compact,
                ["try", "rekey", key] => During::Rekey(key.parse().unwrap()),
                ["ok"] => {
                    counts.acknowledged += 1;
                    self.done(&during);
                    During::Nothing
                }
                _ => {
                    eprintln!("a child said: {line}");
                    counts.other += 1;
                    During::Nothing
                }
            };
            during = trying;
        }
        during
    }

    fn done(&mut self, done: &During) {
        match done {
            During::Enroll(name) => {
                self.enrolled.insert(name.clone());
            }
            During::Remove(name) => {
                self.enrolled.remove(name);
                self.removed.insert(name.clone());
            }
            During::Rekey(key) => {
                self.key = *key;
                (self.unknown).retain(|other| !matches!(other, During::Rekey(_)));
            }
            During::Opening | During::Nothing | During::Compact => {}
        }
    }

    /// Compares a gallery with what was acknowledged, and takes in what was done without.
    fn compare(&mut self, found: &Gallery, key: usize, counts: &mut Counts) {
        for unknown in std::mem::take(&mut self.unknown) {
            match &unknown {
                During::Rekey(new) if key == *new => self.key = key,
                During::Enroll(name) if found.named(name).is_ok() => self.done(&unknown),
                During::Remove(name) if found.named(name).is_err() => self.done(&unknown),
                _ => {}
            }
        }
        if key != self.key {
            eprintln!("opened by a key that was replaced");
            counts.other += 1;
        }
        for name in &self.enrolled {
            let stored = found.named(name).map(|known| found.embeddings(known.id()));
            let is_face = |templates: Vec<_>| {
                templates.len() == 1
                    && SquaredL2::between(&templates[0], &face(name)).value() < 1e-6
            };
            if !stored.is_ok_and(is_face) {
                eprintln!("lost: {name}");
                counts.lost += 1;
            }
        }
        for known in found.identities() {
            if self.removed.contains(known.name()) {
                eprintln!("resurrected: {}", known.name());
                counts.resurrected += 1;
            } else if !self.enrolled.contains(known.name()) {
                eprintln!("enrolled by nobody: {}", known.name());
                counts.other += 1;
            }
        }
    }
}

impl During {
    fn words(&self) -> &'static str {
        match self {
            During::Opening => "starting, opening, recovering",
            During::Nothing => "between operations",
            During::Enroll(_) => "enroll",
            During::Remove(_) => "remove",
            During::Compact => "compact",
            During::Rekey(_) => "rekey",
        }
    }
}

impl Counts {
    fn violations(&self) -> usize {
        self.unreadable + self.lost + self.resurrected + self.other
    }

    fn plus(mut self, other: Counts) -> Counts {
        for (words, count) in other.during {
            *self.during.entry(words).or_default() += count;
        }
        self.kills += other.kills;
        self.acknowledged += other.acknowledged;
        self.unreadable += other.unreadable;
        self.lost += other.lost;
        self.resurrected += other.resurrected;
        self.other += other.other;
        self
    }

    fn print(&self, took: Duration) {
        for (words, count) in &self.during {
            println!("{:<40} {count:>8}", format!("killed in: {words}"));
        }
        for (words, count) in [
            ("kills", self.kills),
            ("acknowledged operations", self.acknowledged),
            ("unreadable", self.unreadable),
            ("acknowledged enrollments lost", self.lost),
            ("acknowledged removals resurrected", self.resurrected),
            ("other violations", self.other),
        ] {
            println!("{words:<40} {count:>8}");
        }
        println!("{:<40} {:>8.1}", "seconds", took.as_secs_f64());
    }
}
