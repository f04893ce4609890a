//! Consents on the command line: the text agreed to, before whom, for how long; and `usher consent`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use shared::gallery::Consent;
use shared::gallery::consent::WallTime;

use crate::desk::consent::{STANDARD, read};

/// Longest time that a consent may last: 100 years.
const MAX_DAYS: u64 = 36_525;

/// Print the standard consent text, to be read and signed before `usher enroll --consent standard`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  usher consent > consent.txt

The gallery keeps the SHA-256 of the text that a person agreed to, when, before whom and until when; keep the text.
It is a text to begin with, not legal advice: what has to stand in it depends on where you are.")]
pub(super) struct ShowConsent {}

impl ShowConsent {
    pub(super) fn execute(&self) -> anyhow::Result<()> {
        io::stdout().write_all(STANDARD.as_bytes())?;
        Ok(())
    }
}

/// `FILE|standard` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConsentText {
    /// The built-in text.
    Standard,
    /// The text in a file.
    File(PathBuf),
}

impl FromStr for ConsentText {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "standard" => Self::Standard,
            path => Self::File(path.into()),
        })
    }
}

/// How long a consent lasts.
#[derive(Debug, Args)]
pub(super) struct ConsentTerm {
    /// Days until the consent runs out
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    pub(super) consent_days: u64,
}

impl ConsentText {
    /// The record of a consent to this text, given now before `operator`.
    pub(super) fn given(
        &self,
        term: &ConsentTerm,
        operator: &str,
        now: WallTime,
    ) -> anyhow::Result<Consent> {
        Ok(Consent::given(
            &self.text()?,
            now,
            operator,
            term.consent_days,
        )?)
    }

    fn text(&self) -> anyhow::Result<String> {
        match self {
            Self::Standard => Ok(STANDARD.to_owned()),
            Self::File(path) => Ok(read(path)?),
        }
    }
}

impl std::fmt::Display for ConsentText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standard => f.write_str("the standard text"),
            Self::File(path) => write!(f, "the text in {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_text_or_a_files() {
        let term = ConsentTerm { consent_days: 30 };
        let now = WallTime::from_unix_seconds(1_800_000_000);
        let standard: ConsentText = "standard".parse().unwrap();
        let consent = standard.given(&term, "desk", now).unwrap();
        assert_eq!(consent.expires_at(), now.plus_days(30));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, STANDARD).unwrap();
        let file: ConsentText = path.to_str().unwrap().parse().unwrap();
        assert!(file.given(&term, "desk", now).unwrap() == consent);
        std::fs::write(&path, " \n").unwrap();
        assert!(file.given(&term, "desk", now).is_err());
        let missing: ConsentText = "nowhere".parse().unwrap();
        let error = format!("{:#}", missing.given(&term, "desk", now).unwrap_err());
        assert!(
            error.contains("nowhere") && error.contains("usher consent"),
            "{error}"
        );
    }

    #[test]
    fn the_standard_text_fits_a_terminal() {
        assert!(STANDARD.lines().all(|line| line.chars().count() < 80));
    }
}
