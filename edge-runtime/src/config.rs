//! The kiosk's settings: defaults in code, a TOML file over them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::camera::settings::CameraSettings;
use crate::enrollment::EnrollmentRules;
use crate::session::SessionRules;

/// Everything that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pixels between the eyes below which a face is asked to come closer.
    pub least_eye_distance_px: f32,
    /// How the camera is asked to take pictures.
    pub camera: CameraSettings,
    /// Times and counts of the state machine.
    pub session: SessionRules,
    /// What an enrollment needs.
    pub enrollment: EnrollmentRules,
}

impl Default for Config {
    /// 24 px: the aligned face has 35 between the eyes, so less would be mostly invented.
    fn default() -> Self {
        Self {
            least_eye_distance_px: 24.0,
            camera: CameraSettings::default(),
            session: SessionRules::default(),
            enrollment: EnrollmentRules::default(),
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
        let config: Self =
            toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?;
        config.check().map_err(wrong)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        self.camera.check()?;
        let consensus = self.session.consensus;
        let counts = [
            (
                "session.consensus.agreeing_frames",
                consensus.agreeing_frames,
                1,
                consensus.window_frames,
            ),
            (
                "session.consensus.window_frames",
                consensus.window_frames,
                1,
                1000,
            ),
            (
                "session.consensus.missing_frames",
                consensus.missing_frames,
                1,
                1000,
            ),
            (
                "session.doubting_frames",
                self.session.doubting_frames,
                1,
                1000,
            ),
            (
                "enrollment.most_templates",
                self.enrollment.most_templates,
                1,
                shared::gallery::MAX_TEMPLATES,
            ),
        ];
        for (name, found, least, most) in counts {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        let measures = [
            ("least_eye_distance_px", self.least_eye_distance_px, 1000.0),
            (
                "enrollment.least_eye_distance_px",
                self.enrollment.least_eye_distance_px,
                1000.0,
            ),
            (
                "session.presence.least_overlap",
                self.session.presence.least_overlap,
                1.0,
            ),
        ];
        for (name, found, most) in measures {
            if !(0.0..=most).contains(&found) {
                return Err(format!("{name} = {found}, which is not from 0 to {most}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("least_eye_distance_px = -1.0", "least_eye_distance_px"),
            ("least_eye_distance_px = nan", "least_eye_distance_px"),
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
