//! From settings to a guard, for the kiosk and for a recording; and which checks are on, in words.

use std::fmt;
use std::path::Path;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::blink::Blink;
use super::challenge::Challenge;
use super::config::LivenessConfig;
use super::flash::Flash;
use super::guard::{Entry, Guard, Need};
use super::net::NetCheck;
use super::turn::Turn;
use super::{Check, CheckKind, LivenessError};

/// The guard that these settings ask for.
///
/// Relative paths are looked for in `folder`, the settings' own. `frames_per_second` is how often the guard will see a
/// face. `seed` decides what is asked and shown; on a kiosk it comes from the system's random numbers.
///
/// # Errors
/// [`LivenessError`] when a setting makes no sense or a network cannot be loaded.
pub fn guard(
    config: &LivenessConfig,
    folder: &Path,
    frames_per_second: f64,
    seed: [u8; 32],
) -> Result<Guard, LivenessError> {
    config.check_rate(frames_per_second)?;
    let mut random = ChaCha20Rng::from_seed(seed);
    assembled(config, |kind| {
        // Each check draws from its own stream, so that one check's draws say nothing of another's.
        let mut own = [0; 32];
        random.fill_bytes(&mut own);
        let random = ChaCha20Rng::from_seed(own);
        Ok(match kind {
            CheckKind::Net => Box::new(NetCheck::load(&config.net.rules, folder)?),
            CheckKind::Blink => Box::new(Blink::new(config.blink.rules.clone())),
            CheckKind::Turn => Box::new(Turn::new(config.turn.rules.clone(), random)),
            CheckKind::Flash => Box::new(Flash::new(config.flash.rules.clone(), random)),
        })
    })
}

/// The guard that looks at a recording in which `challenge` was asked and shown.
///
/// # Errors
/// As [`guard`]; and when an active check is on that the challenge says nothing of.
pub fn guard_of_recording(
    config: &LivenessConfig,
    folder: &Path,
    challenge: &Challenge,
) -> Result<Guard, LivenessError> {
    let untold = |kind: CheckKind| LivenessError::Setting {
        found: format!(
            "liveness.{kind}.need on, for a recording whose challenge file has no [{kind}]"
        ),
    };
    assembled(config, |kind| {
        Ok(match kind {
            CheckKind::Net => Box::new(NetCheck::load(&config.net.rules, folder)?),
            CheckKind::Blink => Box::new(Blink::new(config.blink.rules.clone())),
            CheckKind::Turn => {
                let turn = challenge.turn.as_ref().ok_or_else(|| untold(kind))?;
                Box::new(Turn::recorded(
                    config.turn.rules.clone(),
                    turn.sides.clone(),
                ))
            }
            CheckKind::Flash => {
                let flash = challenge.flash.as_ref().ok_or_else(|| untold(kind))?;
                Box::new(Flash::recorded(
                    config.flash.rules.clone(),
                    flash.shown.clone(),
                ))
            }
        })
    })
}

fn assembled(
    config: &LivenessConfig,
    mut make: impl FnMut(CheckKind) -> Result<Box<dyn Check>, LivenessError>,
) -> Result<Guard, LivenessError> {
    config
        .check()
        .map_err(|found| LivenessError::Setting { found })?;
    let mut entries = Vec::new();
    for kind in config.ordered() {
        let (need, weight, limit_ms) = config.switch(kind);
        if need != Need::Off {
            entries.push(Entry {
                check: make(kind)?,
                required: need == Need::Required,
                weight,
                limit_ms,
            });
        }
    }
    Ok(Guard::with(config.guard_rules(), entries))
}

/// What `usher status` says of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckStatus {
    /// Which check.
    pub kind: CheckKind,
    /// Whether it is on.
    pub need: Need,
    /// Whether the settings name a report: without one nothing is claimed.
    pub reported: bool,
}

/// Which checks are on, in the order they run, those that are off included.
pub fn status(config: &LivenessConfig) -> Vec<CheckStatus> {
    let reported = config.report.is_some();
    config
        .ordered()
        .into_iter()
        .map(|kind| CheckStatus {
            kind,
            need: config.need(kind),
            reported,
        })
        .collect()
}

impl fmt::Display for CheckStatus {
    /// One line, which claims nothing: "flash: required; no report".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let need = match self.need {
            Need::Off => return write!(f, "{}: off", self.kind),
            Need::Optional => "on, optional",
            Need::Required => "on, required",
        };
        let report = if self.reported {
            "see the report that the settings name"
        } else {
            "no report, so nothing is known of how well it works here"
        };
        write!(f, "{}: {need}; {report}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_what_is_off_and_claims_nothing() {
        let mut config = LivenessConfig::default();
        let lines = |config: &LivenessConfig| {
            status(config)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines(&config),
            ["net: off", "blink: off", "turn: off", "flash: off"]
        );
        config.flash.need = Need::Required;
        assert_eq!(
            lines(&config)[3],
            "flash: on, required; no report, so nothing is known of how well it works here"
        );
    }

    #[test]
    fn settings_become_a_guard_or_an_error() {
        let folder = Path::new("nowhere");
        let mut config = LivenessConfig::default();
        assert!(guard(&config, folder, 10.0, [0; 32]).unwrap().is_off());
        config.turn.need = Need::Required;
        config.flash.need = Need::Required;
        let kinds: Vec<_> = guard(&config, folder, 10.0, [0; 32])
            .unwrap()
            .findings()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, [CheckKind::Turn, CheckKind::Flash]);
        let error = guard_of_recording(&config, folder, &Challenge::default())
            .err()
            .unwrap();
        assert!(error.to_string().contains("liveness.turn.need"), "{error}");
        config.flash.need = Need::Off;
        config.blink.need = Need::Required;
        let error = guard(&config, folder, 10.0, [0; 32]).err().unwrap();
        assert!(error.to_string().contains("blink"), "{error}");
        config.net.need = Need::Required;
        config.net.rules.manifests = vec!["missing.toml".into()];
        let error = guard(&config, folder, 30.0, [0; 32]).err().unwrap();
        assert!(
            error.to_string().contains("nowhere/missing.toml"),
            "{error}"
        );
    }
}
