//! `report.json`: what a PAD test found, of which recordings and of which settings.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::atomic_file::{self, Readers};
use shared::model_id::sha256_hex;

use super::super::LivenessError;
use super::super::config::LivenessConfig;
use super::super::guard::Need;
use super::super::net::manifest::NetManifest;
use super::{Outcome, Rate, Tally};

/// The format that this build reads and writes.
pub const FORMAT: u32 = 1;

/// Said wherever an ACER is.
pub const ACER_WARNING: &str = "ACER is not a metric of ISO/IEC 30107-3: it averages two rates that have different \
                                costs and may hide a species that always passes; judge by the worst APCER and the BPCER";

/// What a PAD test found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The program's version.
    pub usher: String,
    /// Digest of the recordings, 64 lower-case hex digits.
    pub data_sha256: String,
    /// Digest of the settings and networks, 64 lower-case hex digits.
    pub config_sha256: String,
    /// The settings as TOML.
    pub config: String,
    /// The rate that the presentations had to be enough for.
    pub rate_asked: f64,
    /// One entry for each species, in order of their names.
    pub species: Vec<Species>,
    /// The species with the highest APCER; of equals, with the highest upper bound, then the first.
    pub worst_species: String,
    /// People.
    pub bona_fide: BonaFide,
    /// The mean of the worst APCER and the BPCER, for comparison with papers alone.
    pub acer: f64,
    /// [`ACER_WARNING`].
    pub acer_warning: String,
    /// What the numbers do not say.
    pub limits: Vec<String>,
}

/// What became of the attacks of one species.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Species {
    /// The folder's name.
    pub name: String,
    /// Attacks classified as bona fide.
    pub apcer: Rate,
    /// Attacks without a response.
    pub apnrr: Rate,
    /// Why the others were refused.
    pub refused_because: Vec<Because>,
}

/// What became of people. Who they are is not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BonaFide {
    /// How many people.
    pub subjects: u64,
    /// People classified as an attack.
    pub bpcer: Rate,
    /// Presentations without a response.
    pub bpnrr: Rate,
    /// Why they were refused.
    pub refused_because: Vec<Because>,
}

/// A reason and how often it refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// In words.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// What a report is made of.
pub struct Findings<'a> {
    /// The settings.
    pub config: &'a LivenessConfig,
    /// Digest of settings and networks, by [`config_digest`].
    pub config_sha256: String,
    /// Digest of the recordings.
    pub data_sha256: String,
    /// The rate asked for.
    pub rate_asked: f64,
    /// How many people.
    pub subjects: u64,
    /// Outcomes of people.
    pub bona_fide: Tally,
    /// Outcomes of each species, with its name.
    pub species: Vec<(String, Tally)>,
}

impl Report {
    /// The report of these findings; none where people or a species have no presentation.
    pub fn of(findings: Findings<'_>) -> Option<Report> {
        let species: Vec<Species> = findings
            .species
            .into_iter()
            .map(|(name, tally)| {
                Some(Species {
                    name,
                    apcer: tally.rate(Outcome::BonaFide)?,
                    apnrr: tally.rate(Outcome::NoResponse)?,
                    refused_because: because(&tally),
                })
            })
            .collect::<Option<_>>()?;
        // Of equals the first, which max_by_key would not give.
        let worst = species.iter().rev().max_by(|a, b| {
            let key = |species: &Species| (species.apcer.rate, species.apcer.interval[1]);
            let (a, b) = (key(a), key(b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        })?;
        let bpcer = findings.bona_fide.rate(Outcome::Attack)?;
        Some(Report {
            format: FORMAT,
            usher: env!("CARGO_PKG_VERSION").to_owned(),
            data_sha256: findings.data_sha256,
            config_sha256: findings.config_sha256,
            config: toml::to_string(findings.config).ok()?,
            rate_asked: findings.rate_asked,
            worst_species: worst.name.clone(),
            acer: (worst.apcer.rate + bpcer.rate) / 2.0,
            acer_warning: ACER_WARNING.to_owned(),
            bona_fide: BonaFide {
                subjects: findings.subjects,
                bpcer,
                bpnrr: findings.bona_fide.rate(Outcome::NoResponse)?,
                refused_because: because(&findings.bona_fide),
            },
            species,
            limits: LIMITS.map(str::to_owned).to_vec(),
        })
    }

    /// Writes the report where nothing lies yet.
    ///
    /// # Errors
    /// [`LivenessError::Report`] when a file is there already or it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LivenessError> {
        let refuse = |reason: String| LivenessError::Report {
            path: path.to_owned(),
            reason,
        };
        refuse_existing(path)?;
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| refuse(error.to_string()))?;
        text.push('\n');
        atomic_file::replace(path, text.as_bytes(), Readers::Everyone)
            .map_err(|error| refuse(error.to_string()))
    }

    /// The report that the settings name, if it was made of these very settings and networks.
    ///
    /// `folder` is the settings' own. `None` where the settings name none: then nothing may be claimed.
    ///
    /// # Errors
    /// [`LivenessError`] when it cannot be read or was made of other settings.
    pub fn named_by(
        config: &LivenessConfig,
        folder: &Path,
    ) -> Result<Option<Report>, LivenessError> {
        let Some(path) = &config.report else {
            return Ok(None);
        };
        let path = folder.join(path);
        let refuse = |reason: String| LivenessError::Report {
            path: path.clone(),
            reason,
        };
        let bytes = std::fs::read(&path).map_err(|error| refuse(error.to_string()))?;
        let report: Report =
            serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        let digest = config_digest(config, folder)?;
        match report.format == FORMAT && report.config_sha256 == digest {
            true => Ok(Some(report)),
            false => Err(refuse("a report of other settings or networks".to_owned())),
        }
    }

    /// The report in words: a table, and what it does not say.
    pub fn text(&self) -> String {
        let width = self
            .species
            .iter()
            .map(|species| species.name.chars().count())
            .max();
        let width = width.unwrap_or(0).max("species".len());
        let mut lines = vec![format!(
            "{:width$}  attacks  APCER                   APNRR",
            "species"
        )];
        for species in &self.species {
            lines.push(format!(
                "{:width$}  {:>7}  {:22}  {}",
                species.name,
                species.apcer.of,
                percent(&species.apcer),
                percent(&species.apnrr)
            ));
        }
        let people = &self.bona_fide;
        lines.push(String::new());
        lines.push(format!("worst species: {}", self.worst_species));
        lines.push(format!(
            "people: {} presentations of {} subjects, BPCER {}, BPNRR {}",
            people.bpcer.of,
            people.subjects,
            percent(&people.bpcer),
            percent(&people.bpnrr)
        ));
        lines.push(format!(
            "ACER {:.1} %: {}",
            100.0 * self.acer,
            self.acer_warning
        ));
        lines.push("Intervals: Clopper and Pearson, 95 %.".to_owned());
        lines.extend(self.limits.iter().map(|limit| format!("- {limit}")));
        lines.join("\n")
    }
}

/// Refuses a place for a report where a file lies already: no report is overwritten.
///
/// # Errors
/// [`LivenessError::Report`] when one does.
pub fn refuse_existing(path: &Path) -> Result<(), LivenessError> {
    match path.exists() {
        false => Ok(()),
        true => Err(LivenessError::Report {
            path: path.to_owned(),
            reason: "a file that is there already".to_owned(),
        }),
    }
}

/// All that may be said of how well these settings work: what their own report found, or that there is none.
///
/// # Errors
/// As [`Report::named_by`]: a report of other settings says nothing of these.
pub fn claim(config: &LivenessConfig, folder: &Path) -> Result<String, LivenessError> {
    let Some(report) = Report::named_by(config, folder)? else {
        return Ok("no report, so nothing is known of how well the checks work here".to_owned());
    };
    let worst = report
        .species
        .iter()
        .find(|species| species.name == report.worst_species);
    let bpcer = percent(&report.bona_fide.bpcer);
    Ok(match worst {
        Some(worst) => format!(
            "worst species {}: APCER {}; BPCER {bpcer}; intervals of 95 %",
            worst.name,
            percent(&worst.apcer)
        ),
        None => format!("BPCER {bpcer}, no attack measured"),
    })
}

/// A rate and its bounds: "6.7 % (0.8 to 22.1)".
fn percent(rate: &Rate) -> String {
    let [low, high] = rate.interval.map(|bound| 100.0 * bound);
    format!("{:.1} % ({low:.1} to {high:.1})", 100.0 * rate.rate)
}

/// What the numbers of no report say.
const LIMITS: [&str; 3] = [
    "The rates hold for these species, this camera, screen, light and place; of other attacks they say nothing.",
    "Presentations of one subject or one instrument are not independent: true intervals are wider.",
    "What was measured is the liveness guard alone, on recordings, with a name taken as agreed on.",
];

fn because(tally: &Tally) -> Vec<Because> {
    tally
        .reasons()
        .iter()
        .map(|(reason, count)| Because {
            reason: reason.to_string(),
            count: *count,
        })
        .collect()
}

/// SHA-256 over the settings, without the report that they name, and over the manifests of their networks, whose own
/// digests name the weights; 64 lower-case hex digits.
///
/// # Errors
/// [`LivenessError`] when a manifest cannot be read.
pub fn config_digest(config: &LivenessConfig, folder: &Path) -> Result<String, LivenessError> {
    let plain = LivenessConfig {
        report: None,
        ..config.clone()
    };
    let unwritable = |error: toml::ser::Error| LivenessError::Setting {
        found: error.to_string(),
    };
    let mut text = toml::to_string(&plain).map_err(unwritable)?;
    if config.net.need != Need::Off {
        for path in &config.net.rules.manifests {
            let manifest = NetManifest {
                report: None,
                ..NetManifest::read(&folder.join(path))?
            };
            text.push_str(&toml::to_string(&manifest).map_err(unwritable)?);
        }
    }
    Ok(sha256_hex(text.as_bytes()))
}
