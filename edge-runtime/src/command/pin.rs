//! `usher pin`: operators, their PINs and tokens, and the wrong tries at the desk.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use super::table::{counted, fields};
use crate::desk::pin::lockout::{Lockout, Standing};
use crate::desk::pin::operators::{Costs, Listed, Operators};
use crate::desk::pin::uptime::Uptime;
use crate::desk::pin::{PinError, Secret, check};
use crate::desk::rules::OPERATORS;

/// Operators of the kiosk's desk: who may enroll people there
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  usher pin set \"Ada Lovelace\"                # asks for the PIN twice
  usher pin token \"Ada Lovelace\"              # prints a token, once
  usher pin check-state --json
  usher pin clear

The kiosk reads the file at each try: it need not be started again.")]
pub(super) enum PinCommand {
    /// Give an operator a PIN of 4 to 12 digits, in place of the one before
    Set(Set),
    /// Give an operator a token, to be put into a scanner's code; it is printed once and kept nowhere
    Token(Token),
    /// Take an operator's PIN and token away
    Remove(Remove),
    /// Who may unlock the desk, how many tries were wrong, how long it waits
    CheckState(CheckState),
    /// Forget the wrong tries, so that the desk can be unlocked at once
    Clear(Clear),
}

/// Which operators.
#[derive(Debug, Args)]
struct Place {
    /// The file of operators; the wrong tries are kept beside it, in FILE.tries
    #[arg(long, value_name = "FILE", default_value = OPERATORS)]
    operators: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The operator's name, as the gallery's history will say it
    name: String,
    #[command(flatten)]
    place: Place,
    /// Read the PIN from the first line of standard input
    #[arg(long)]
    stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct Token {
    /// The operator's name, as the gallery's history will say it
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The operator's name
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(super) struct CheckState {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Clear {
    #[command(flatten)]
    place: Place,
}

impl PinCommand {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        match self {
            Self::Set(set) => set.execute(),
            Self::Token(token) => token.execute(),
            Self::Remove(remove) => remove.execute(),
            Self::CheckState(check_state) => check_state.execute(),
            Self::Clear(clear) => clear.execute(),
        }
    }
}

impl Place {
    /// Changes the operators; where there is no file yet, one is made, with no wrong tries.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Operators) -> Result<T, PinError>,
    ) -> anyhow::Result<T> {
        let path = &self.operators;
        let (mut operators, is_new) = match Operators::read(path) {
            Ok(operators) => (operators, false),
            Err(PinError::NoOperators { .. }) => (Operators::none(costs()?)?, true),
            Err(error) => return Err(error.into()),
        };
        let changed = change(&mut operators)?;
        if is_new {
            // The tries first: operators without a file of tries would have to wait for an hour.
            private_folder(path)?;
            Lockout::beside(path).clear(&Uptime::now())?;
        }
        operators.write(path)?;
        Ok(changed)
    }

    fn next(&self) {
        println!(
            "next: usher pin check-state --operators {}",
            self.operators.display()
        );
    }
}

/// As many passes as take this device some 250 ms.
fn costs() -> anyhow::Result<Costs> {
    let two_passes = Costs {
        memory_kib: Costs::MEMORY_KIB,
        passes: 2,
    };
    // The fastest of three: a device that is busy now would get a PIN that is cheap to guess.
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        two_passes.hash(&Secret::new("00000000"), &[0; 16])?;
        fastest = fastest.min(started.elapsed());
    }
    Ok(Costs::taking_a_quarter_second(fastest))
}

fn private_folder(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            shared::atomic_file::private_folder(folder).with_context(|| {
                format!(
                    "expected to make {}, which failed; check disk and permissions",
                    folder.display()
                )
            })
        }
        _ => Ok(()),
    }
}

impl Set {
    fn execute(&self) -> anyhow::Result<()> {
        let pin = match self.stdin {
            true => first_line()?,
            false => asked_twice()?,
        };
        self.place
            .change(|operators| operators.set_pin(&self.name, &pin))?;
        println!(
            "a PIN is set; written to {}",
            self.place.operators.display()
        );
        self.place.next();
        Ok(())
    }
}

impl Token {
    fn execute(&self) -> anyhow::Result<()> {
        let token = self
            .place
            .change(|operators| operators.set_token(&self.name))?;
        // The token alone, so that it can be handed on; the gate keeps its hash.
        println!("{}", *token);
        eprintln!(
            "this token is shown once; a scanner that types it and Enter unlocks the desk. Its hash is in {}",
            self.place.operators.display()
        );
        Ok(())
    }
}

impl Remove {
    fn execute(&self) -> anyhow::Result<()> {
        let path = &self.place.operators;
        let mut operators = Operators::read(path)?;
        operators.remove(&self.name)?;
        operators.write(path)?;
        println!("removed; written to {}", path.display());
        self.place.next();
        Ok(())
    }
}

impl Clear {
    fn execute(&self) -> anyhow::Result<()> {
        // Without operators there is nothing to clear, and a file that lies nowhere near them would help nobody.
        Operators::read(&self.place.operators)?;
        let lockout = Lockout::beside(&self.place.operators);
        lockout.clear(&Uptime::now())?;
        println!(
            "no wrong tries any more; written to {}",
            lockout.path().display()
        );
        Ok(())
    }
}

/// What `check-state` prints for a machine.
#[derive(Serialize)]
struct Report<'a> {
    operators: Vec<Line<'a>>,
    memory_kib: u32,
    passes: u32,
    wrong_tries: u32,
    wait_seconds: u64,
    tries_file_whole: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    pin: bool,
    token: bool,
}

impl CheckState {
    fn execute(&self) -> anyhow::Result<()> {
        let operators = Operators::read(&self.place.operators)?;
        let lockout = Lockout::beside(&self.place.operators);
        let Standing { failures, left } = lockout.look(&Uptime::now());
        let listed: Vec<Listed> = operators.list().collect();
        let costs = operators.costs();
        let wait_seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        if self.json {
            let report = Report {
                operators: listed
                    .iter()
                    .map(|known| Line {
                        name: &known.name,
                        pin: known.has_pin,
                        token: known.has_token,
                    })
                    .collect(),
                memory_kib: costs.memory_kib,
                passes: costs.passes,
                wrong_tries: failures,
                wait_seconds,
                tries_file_whole: lockout.is_whole(),
            };
            println!("{}", serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        let mut lines = Vec::new();
        for known in &listed {
            let by = match (known.has_pin, known.has_token) {
                (true, true) => "by PIN or token",
                (true, false) => "by PIN",
                (false, true) => "by token",
                (false, false) => "by nothing",
            };
            lines.push(("operator", format!("{}, {by}", known.name)));
        }
        lines.push((
            "costs",
            format!(
                "{} MiB and {} a try",
                costs.memory_kib >> 10,
                counted(costs.passes as usize, "pass", "passes")
            ),
        ));
        lines.push((
            "tries",
            match (lockout.is_whole(), wait_seconds) {
                (false, _) => format!(
                    "{} is missing or damaged, so the longest wait begins; usher pin clear ends it",
                    lockout.path().display()
                ),
                (true, 0) => counted(failures as usize, "wrong one", "wrong ones"),
                (true, seconds) => format!(
                    "{}, wait for {seconds} s or run usher pin clear",
                    counted(failures as usize, "wrong one", "wrong ones")
                ),
            },
        ));
        print!("{}", fields(&lines));
        Ok(())
    }
}

fn first_line() -> anyhow::Result<Secret> {
    let mut line = Zeroizing::new(String::with_capacity(256));
    io::stdin()
        .read_line(&mut line)
        .context("expected a PIN on standard input, which cannot be read; write it there")?;
    Ok(Secret::new(&line))
}

/// An operator's PIN or token, to be compared.
pub(super) fn asked_once(stdin: bool) -> anyhow::Result<Secret> {
    match stdin {
        true => first_line(),
        false => ask("PIN or token: "),
    }
}

fn ask(prompt: &str) -> anyhow::Result<Secret> {
    ensure!(
        io::stdin().is_terminal(),
        "expected a terminal to ask for the PIN, found none; write the PIN to standard input and say --stdin"
    );
    rpassword::prompt_password(prompt)
        .map(|text| Secret::new(&Zeroizing::new(text)))
        .context("expected a PIN at the terminal, which cannot be read; say --stdin")
}

fn asked_twice() -> anyhow::Result<Secret> {
    let first = ask("PIN, 4 to 12 digits: ")?;
    check(&first)?;
    if !ask("The same again: ")?.is_same(&first) {
        bail!("expected the same PIN twice, found two; type it again");
    }
    Ok(first)
}
