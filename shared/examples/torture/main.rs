//! kill -9, again and again: a child enrolls, removes, compacts and rekeys in a real folder, is killed
//! at a random moment, and the gallery must hold what the child had acknowledged.
//!
//! `torture --kills N [--lanes L] [--seed S] [--folder F]`; see scripts/torture. Ends with 1 when
//! anything was unreadable, lost or resurrected; the folder is then kept.
#![allow(
    clippy::unwrap_used,
    reason = "a test program: whatever it does not expect ends it"
)]

mod child;
mod parent;
mod place;

use std::path::PathBuf;

/// What the command line asks for.
struct Asked {
    kills: usize,
    lanes: usize,
    seed: u64,
    folder: PathBuf,
    child: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked {
        kills: 2000,
        lanes: 2,
        seed: 5,
        folder: std::env::temp_dir(),
        child: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--child" {
            asked.child = true;
            continue;
        }
        let value = arguments
            .next()
            .ok_or_else(|| format!("expected a value behind {name}, found none"))?;
        let number = || {
            value
                .parse()
                .map_err(|_error| format!("expected a number behind {name}, found {value}"))
        };
        match name.as_str() {
            "--kills" => asked.kills = number()? as usize,
            "--lanes" => asked.lanes = (number()? as usize).max(1),
            "--seed" => asked.seed = number()?,
            "--folder" => asked.folder = PathBuf::from(&value),
            _ => {
                return Err(format!(
                    "expected --kills, --lanes, --seed or --folder, found {name}"
                ));
            }
        }
    }
    Ok(asked)
}

fn main() -> std::process::ExitCode {
    match asked() {
        Ok(asked) if asked.child => child::run(&asked.folder, asked.seed),
        Ok(asked) => parent::run(&asked),
        Err(message) => {
            eprintln!("{message}");
            2.into()
        }
    }
}
