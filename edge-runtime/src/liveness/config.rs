//! `[liveness]`: which checks are on, in which order, and how they are fused. Nothing is on by default.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::blink::BlinkRules;
use super::flash::FlashRules;
use super::guard::{GuardRules, Need};
use super::net::NetRules;
use super::turn::TurnRules;
use super::{CheckKind, LivenessError};

/// The section `[liveness]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LivenessConfig {
    /// Order of the checks, those left out behind; the network goes before the others whatever stands here.
    pub order: Vec<CheckKind>,
    /// Least weighted mean of the scores of all checks that give one, 0 to 1; 0.5 is each check's own threshold.
    pub least_score: f32,
    /// How often a required check that cannot tell is tried in all, 1 to 5; then it refuses.
    pub tries: u32,
    /// Milliseconds for which a face that passed counts as live while it stays, 1000 to 600000.
    pub valid_ms: u64,
    /// Milliseconds that a refusal holds at least, doubled up to 16 times for refusals in a row, 500 to 60000.
    pub refused_ms: u64,
    /// Overlap (intersection over union) of a face's boxes in two frames, below which it is another face, 0 to 1.
    pub least_overlap: f32,
    /// Milliseconds without the face after which all begins anew, 100 to 2000.
    pub longest_gap_ms: u64,
    /// The report.json of `usher pad report` that speaks for these settings; without it nothing is claimed of them.
    pub report: Option<PathBuf>,
    /// The network that looks at single frames.
    pub net: Switched<NetRules>,
    /// Blinking when asked.
    pub blink: Switched<BlinkRules>,
    /// Turning the head when asked.
    pub turn: Switched<TurnRules>,
    /// The screen's colors on the face.
    pub flash: Switched<FlashRules>,
}

/// A check's settings and whether it is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switched<Rules: Default> {
    /// "off", "optional" (it runs and may refuse) or "required" (nobody is live without it).
    pub need: Need,
    /// Share of its score in the mean, above 0 to 100.
    pub weight: f32,
    /// Milliseconds for one try, 1000 to 60000.
    pub limit_ms: u64,
    /// The check's own settings.
    pub rules: Rules,
}

impl<Rules: Default> Default for Switched<Rules> {
    fn default() -> Self {
        Switched {
            need: Need::Off,
            weight: 1.0,
            limit_ms: 10_000,
            rules: Rules::default(),
        }
    }
}

impl Default for LivenessConfig {
    /// Everything off: no check has a report yet.
    fn default() -> Self {
        LivenessConfig {
            order: CheckKind::ALL.to_vec(),
            least_score: 0.5,
            tries: 2,
            valid_ms: 30_000,
            refused_ms: 3_000,
            least_overlap: 0.3,
            longest_gap_ms: 500,
            report: None,
            net: Switched::default(),
            blink: Switched::default(),
            turn: Switched::default(),
            flash: Switched::default(),
        }
    }
}

impl LivenessConfig {
    /// The first setting that makes no sense, with its key in full.
    pub(crate) fn check(&self) -> Result<(), String> {
        let at = "liveness";
        number(at, "least_score", self.least_score, 0.0, 1.0)?;
        whole(at, "tries", u64::from(self.tries), 1, 5)?;
        whole(at, "valid_ms", self.valid_ms, 1_000, 600_000)?;
        whole(at, "refused_ms", self.refused_ms, 500, 60_000)?;
        number(at, "least_overlap", self.least_overlap, 0.0, 1.0)?;
        whole(at, "longest_gap_ms", self.longest_gap_ms, 100, 2_000)?;
        for (place, kind) in self.order.iter().enumerate() {
            if self.order[..place].contains(kind) {
                return Err(format!(
                    "liveness.order names {kind} twice, which is once too often"
                ));
            }
        }
        for kind in CheckKind::ALL {
            let (_, weight, limit_ms) = self.switch(kind);
            let at = format!("liveness.{kind}");
            number(&at, "weight", weight, 1e-3, 100.0)?;
            whole(&at, "limit_ms", limit_ms, 1_000, 60_000)?;
        }
        self.net.rules.check("liveness.net.rules", self.net.need)?;
        self.blink.rules.check("liveness.blink.rules")?;
        self.turn.rules.check("liveness.turn.rules")?;
        self.flash.rules.check("liveness.flash.rules")?;
        let flash_ms = self.flash.rules.duration_ms();
        if self.flash.limit_ms < flash_ms {
            return Err(format!(
                "liveness.flash.limit_ms = {}, which is shorter than the colors take: {flash_ms}",
                self.flash.limit_ms
            ));
        }
        let needs = CheckKind::ALL.map(|kind| self.need(kind));
        if needs.contains(&Need::Optional) && !needs.contains(&Need::Required) {
            return Err(
                "liveness has optional checks alone, which let nobody pass: one must be \"required\""
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Refuses what cannot work at the camera's frames per second, as they reach the checks.
    ///
    /// # Errors
    /// [`LivenessError::Setting`], naming the key.
    pub fn check_rate(&self, frames_per_second: f64) -> Result<(), LivenessError> {
        let least = super::blink::LEAST_FRAMES_PER_SECOND;
        // Written so that a rate that is no number is refused too.
        let enough = frames_per_second >= least;
        if self.blink.need != Need::Off && !enough {
            return Err(LivenessError::Setting {
                found: format!(
                    "liveness.blink.need on at {frames_per_second:.0} frames a second, where blinks of 100 ms are \
                     missed: it needs {least:.0}"
                ),
            });
        }
        let rules = &self.flash.rules;
        let per_color = frames_per_second * rules.color_ms as f64 / 1000.0;
        let enough = per_color >= rules.least_frames_per_color as f64;
        if self.flash.need != Need::Off && !enough {
            return Err(LivenessError::Setting {
                found: format!(
                    "liveness.flash.need on at {frames_per_second:.0} frames a second, {per_color:.1} for each color, \
                     where liveness.flash.rules.least_frames_per_color = {}",
                    rules.least_frames_per_color
                ),
            });
        }
        Ok(())
    }

    /// Whether a check is on, and whether it decides.
    pub fn need(&self, kind: CheckKind) -> Need {
        self.switch(kind).0
    }

    /// Need, weight and time limit of a check.
    pub(super) fn switch(&self, kind: CheckKind) -> (Need, f32, u64) {
        match kind {
            CheckKind::Net => (self.net.need, self.net.weight, self.net.limit_ms),
            CheckKind::Blink => (self.blink.need, self.blink.weight, self.blink.limit_ms),
            CheckKind::Turn => (self.turn.need, self.turn.weight, self.turn.limit_ms),
            CheckKind::Flash => (self.flash.need, self.flash.weight, self.flash.limit_ms),
        }
    }

    /// The checks in the order they run, those that are off included.
    pub fn ordered(&self) -> Vec<CheckKind> {
        let rest = CheckKind::ALL
            .into_iter()
            .filter(|kind| !self.order.contains(kind));
        let mut all: Vec<CheckKind> = self.order.iter().copied().chain(rest).collect();
        all.sort_by_key(|kind| kind.is_active());
        all
    }

    /// What the guard goes by.
    pub(super) fn guard_rules(&self) -> GuardRules {
        GuardRules {
            least_score: self.least_score,
            tries: self.tries,
            valid_ms: self.valid_ms,
            refused_ms: self.refused_ms,
            least_overlap: self.least_overlap,
            longest_gap_ms: self.longest_gap_ms,
        }
    }
}

/// Refuses a whole number outside its range, naming its key in full.
pub(super) fn whole(at: &str, key: &str, found: u64, least: u64, most: u64) -> Result<(), String> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(format!(
            "{at}.{key} = {found}, which is not from {least} to {most}"
        )),
    }
}

/// Refuses a number outside its range, or none, naming its key in full.
pub(super) fn number(at: &str, key: &str, found: f32, least: f32, most: f32) -> Result<(), String> {
    match (least..=most).contains(&found) {
        true => Ok(()),
        false => Err(format!(
            "{at}.{key} = {found}, which is not from {least} to {most}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LivenessConfig, String> {
        let config: LivenessConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        config.check().map(|()| config)
    }

    #[test]
    fn nothing_is_on_by_default_and_a_file_changes_what_it_names() {
        let config = read("").unwrap();
        assert_eq!(config, LivenessConfig::default());
        assert!(
            CheckKind::ALL
                .iter()
                .all(|kind| config.need(*kind) == Need::Off)
        );
        let config =
            read("order = [\"turn\"]\n[flash]\nneed = \"required\"\n[flash.rules]\ncolors = 7")
                .unwrap();
        assert_eq!(config.need(CheckKind::Flash), Need::Required);
        assert_eq!(config.flash.rules.colors, 7);
        use CheckKind::{Blink, Flash, Net, Turn};
        assert_eq!(
            config.ordered(),
            [Net, Turn, Blink, Flash],
            "the network always first"
        );
        let text = toml::to_string(&config).unwrap();
        assert_eq!(read(&text).unwrap(), config);
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        for (text, named) in [
            ("least_scor = 0.5", "least_scor"),
            ("least_score = nan", "liveness.least_score = NaN"),
            ("tries = 0", "liveness.tries = 0"),
            (
                "order = [\"net\", \"net\"]",
                "liveness.order names net twice",
            ),
            ("order = [\"gait\"]", "gait"),
            ("[flash]\nneed = \"on\"", "on"),
            ("[flash]\nneed = \"optional\"", "optional checks alone"),
            ("[flash]\nlimit_ms = 1000", "liveness.flash.limit_ms = 1000"),
            (
                "[flash.rules]\ncolor_ms = 120",
                "liveness.flash.rules.color_ms = 120",
            ),
            ("[turn]\nweight = 0.0", "liveness.turn.weight = 0"),
            ("[turn.rules]\nturns = 0", "liveness.turn.rules.turns = 0"),
            ("[net]\nneed = \"required\"", "liveness.net.rules.manifests"),
        ] {
            let message = read(text).unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
    }

    #[test]
    fn a_frame_rate_too_low_is_refused() {
        let on = |kind: &str| read(&format!("[{kind}]\nneed = \"required\"")).unwrap();
        for (kind, rate, fits) in [
            ("blink", 15.0, true),
            ("blink", 14.0, false),
            ("blink", f64::NAN, false),
            ("flash", 10.0, true),
            ("flash", 7.0, false),
            ("turn", 5.0, true),
        ] {
            let checked = on(kind).check_rate(rate);
            assert_eq!(checked.is_ok(), fits, "{kind} at {rate}");
            if let Err(error) = checked {
                let message = error.to_string();
                assert!(
                    message.contains(&format!("liveness.{kind}.need")),
                    "{message}"
                );
            }
        }
        assert!(
            LivenessConfig::default().check_rate(1.0).is_ok(),
            "what is off needs no rate"
        );
    }
}
