//! The kiosk's settings: defaults in code, a TOML file over them.
//!
//! `deploy/kiosk.toml` has every key with its default and what it means; a test holds it to this.

mod keys;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::camera::CameraSource;
use crate::camera::device::Wanted;
use crate::camera::settings::CameraSettings;
use crate::clock::judge::ClockConfig;
use crate::desk::rules::DeskRules;
use crate::door::{DoorConfig, DoorOutput};
use crate::enrollment::EnrollmentRules;
use crate::event::EventsConfig;
use crate::liveness::config::LivenessConfig;
use crate::liveness::guard::Need;
use crate::liveness::setup;
use crate::log::LogConfig;
use crate::metrics::MetricsConfig;
use crate::mqtt::MqttConfig;
use crate::recognition::RecognitionRules;
use crate::screen::settings::ScreenSettings;
use crate::session::SessionRules;
use crate::update::UpdateConfig;
use crate::watchdog::WatchdogConfig;

/// The commented default file.
pub const COMMENTED: &str = include_str!("../deploy/kiosk.toml");

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What it is made of.
    pub kiosk: Parts,
    /// How the camera is asked to take pictures.
    pub camera: CameraSettings,
    /// Which faces are compared, and what makes a comparison a match.
    pub recognition: RecognitionRules,
    /// Times and counts of the state machine.
    pub session: SessionRules,
    /// Which checks tell a living person from a picture of one.
    pub liveness: LivenessConfig,
    /// The operator's desk.
    pub desk: DeskRules,
    /// What an enrollment needs.
    pub enrollment: EnrollmentRules,
    /// How the screen looks and where it is.
    pub screen: ScreenSettings,
    /// What the wall clock is checked by.
    pub clock: ClockConfig,
    /// Where events are kept.
    pub events: EventsConfig,
    /// Which broker is told.
    pub mqtt: MqttConfig,
    /// What opens.
    pub door: DoorConfig,
    /// Where status and metrics are asked for.
    pub metrics: MetricsConfig,
    /// How long each part may stand still.
    pub watchdog: WatchdogConfig,
    /// The log's file.
    pub log: LogConfig,
    /// Signed models and galleries.
    pub update: UpdateConfig,
}

/// What the kiosk is made of; the options of `usher run` go before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parts {
    /// Where frames come from: "v4l:auto", "v4l:/dev/video0", "v4l:by-path/NAME" or "replay:DIR".
    pub camera: CameraSource,
    /// The model's manifest; its network lies beside it.
    pub model: PathBuf,
    /// The face detector; empty: yunet.onnx beside the model.
    pub detector: PathBuf,
    /// Whom it knows.
    pub gallery: PathBuf,
    /// Threads that run detector and model, 1 to 16.
    pub threads: usize,
}

impl Default for Parts {
    /// Any camera, and the files where an installed kiosk has them.
    fn default() -> Self {
        Self {
            camera: CameraSource::V4l(Wanted::Any),
            model: "/usr/share/usher/models/usher-small.toml".into(),
            detector: PathBuf::new(),
            gallery: "/var/lib/usher/people.gallery".into(),
            threads: 1,
        }
    }
}

impl Parts {
    pub(crate) fn check(&self) -> Result<(), String> {
        match (1..=16).contains(&self.threads) {
            true => Ok(()),
            false => Err(format!(
                "kiosk.threads = {}, which is not from 1 to 16",
                self.threads
            )),
        }
    }

    /// Where the face detector lies.
    pub fn detector(&self) -> PathBuf {
        match self.detector.as_os_str().is_empty() {
            true => self.model.with_file_name("yunet.onnx"),
            false => self.detector.clone(),
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("expected settings of the kiosk in {path}, found: {reason}; correct the file")]
pub struct ConfigError {
    path: PathBuf,
    reason: String,
}

impl Config {
    /// The settings in the file at `path`, or the defaults without one.
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let wrong = |reason: String| ConfigError {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let config: Self = toml::from_str(&text).map_err(|error| wrong(found(&text, &error)))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    /// All settings as TOML, without comments.
    ///
    /// # Errors
    /// When a number does not fit into TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Each key whose value is not the default's: "session.greeting_ms".
    pub fn changed(&self) -> Vec<String> {
        let (own, default) = (table(self), table(&Self::default()));
        let value = |table: &toml::Table, path: &str| {
            let mut parts = path.split('.');
            let first = table.get(parts.next()?)?;
            parts
                .try_fold(first, |value, part| value.get(part))
                .cloned()
        };
        let mut changed = keys::paths(&own);
        changed.retain(|path| {
            let own = value(&own, path);
            own.as_ref().is_some_and(|own| !own.is_table()) && own != value(&default, path)
        });
        changed.sort();
        changed
    }

    /// Whether there is a door that nothing can open: nobody counts as live, and it asks for that.
    pub fn door_stays_closed(&self) -> bool {
        let checks = setup::status(&self.liveness);
        self.door.output != DoorOutput::Off
            && !self.door.without_liveness
            && checks.iter().all(|check| check.need != Need::Required)
    }

    fn check(&self) -> Result<(), String> {
        self.kiosk.check()?;
        self.camera.check()?;
        self.recognition.check()?;
        self.session.check()?;
        self.liveness.check()?;
        self.liveness
            .check_rate(self.recognition.most_frames_per_second)
            .map_err(|error| error.to_string())?;
        self.desk.check()?;
        self.screen.check()?;
        self.clock.check()?;
        self.events.check()?;
        self.mqtt.check()?;
        self.door.check()?;
        self.metrics.check()?;
        self.watchdog.check()?;
        self.log.check()?;
        self.update.check()?;
        let counts = [(
            "enrollment.most_templates",
            self.enrollment.most_templates,
            1,
            shared::gallery::MAX_TEMPLATES,
        )];
        for (name, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        let measures = [(
            "enrollment.least_eye_distance_px",
            self.enrollment.least_eye_distance_px,
            1000.0,
        )];
        for (name, found, most) in measures {
            if !(0.0..=most).contains(&found) {
                return Err(format!("{name} = {found}, which is not from 0 to {most}"));
            }
        }
        Ok(())
    }
}

fn table(config: &Config) -> toml::Table {
    // What toml writes it reads; a setting that it cannot write has no key, as one that is absent.
    toml::Table::try_from(config).unwrap_or_default()
}

/// What a parser found, with the line, and the key that was probably meant.
fn found(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let unknown = message
        .contains("unknown field")
        .then(|| keys::unknown(text, &table(&Config::default())))
        .flatten();
    let what = unknown.unwrap_or_else(|| message.to_owned());
    match error.span() {
        Some(span) => {
            let line = 1 + text.get(..span.start).unwrap_or(text).matches('\n').count();
            format!("{what} in line {line}")
        }
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_has_every_key_with_its_default() {
        let config: Config = toml::from_str(COMMENTED).unwrap();
        assert_eq!(config, Config::default());
        let written = keys::paths(&COMMENTED.parse().unwrap());
        for path in keys::paths(&table(&Config::default())) {
            assert!(written.contains(&path), "deploy/kiosk.toml has no {path}");
        }
        let mut before = "";
        for line in COMMENTED.lines() {
            let is_key = line.starts_with(|char: char| char.is_ascii_lowercase());
            assert!(!is_key || before.starts_with('#'), "not commented: {line}");
            before = line;
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
        let message = read("# a comment\n[mqtt]\nhots = 'broker'\n").unwrap_err();
        let expected =
            "found: the unknown key mqtt.hots (is mqtt.host meant?) in line 3; correct the file";
        assert!(message.ends_with(expected), "{message}");
    }

    #[test]
    fn what_differs_from_the_default_is_listed() {
        let config = read("[session]\ngreeting_ms = 6000\n[door]\npeople = [3]").unwrap();
        let mut changed = config.changed();
        changed.sort_unstable();
        assert_eq!(changed, ["door.people", "session.greeting_ms"]);
        assert!(Config::default().changed().is_empty());
        let again = read(&config.to_toml().unwrap()).unwrap();
        assert_eq!(again, config);
    }

    fn read(text: &str) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiosk.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(Some(&path)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_changes_what_it_names_and_nothing_else() {
        let config =
            read("[session]\ngreeting_ms = 6000\n[session.consensus]\nagreeing_frames = 4")
                .unwrap();
        let mut expected = Config::default();
        expected.session.greeting_ms = 6000;
        expected.session.consensus.agreeing_frames = 4;
        assert_eq!(config, expected);
        assert_eq!(Config::read(None).unwrap(), Config::default());
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        for (text, named) in [
            ("[session]\ngreting_ms = 1", "greting_ms"),
            (
                "[session.consensus]\nagreeing_frames = 0",
                "session.consensus.agreeing_frames = 0",
            ),
            ("[session.consensus]\nagreeing_frames = 6", "from 1 to 5"),
            ("[kiosk]\nthreads = 0", "kiosk.threads = 0"),
            ("[recognition]\nfpir = 1.5", "recognition.fpir = 1.5"),
            ("[recognition]\nfpr = 0.5", "fpr"),
            (
                "[recognition.quality]\nleast_eye_distance_px = -1.0",
                "recognition.quality.least_eye_distance_px",
            ),
            (
                "[recognition.quality]\nleast_eye_distance_px = nan",
                "recognition.quality.least_eye_distance_px",
            ),
            (
                "[enrollment]\nmost_templates = 101",
                "enrollment.most_templates",
            ),
        ] {
            let message = read(text).unwrap_err();
            assert!(
                message.contains(named) && message.contains("kiosk.toml"),
                "{text}: {message}"
            );
        }
    }
}
