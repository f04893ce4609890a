//! Looks over what a kiosk needs, and says of each thing whether it is right and what to do if not.
//!
//! Nothing is changed and nobody is waited for: devices are opened and closed again, files are read. The camera's
//! formats are the business of `usher camera probe`.

pub mod devices;
pub mod files;
pub mod machine;
pub mod trust;

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as well or not as safely as it could.
    Warn,
    /// The kiosk will not work.
    Fail,
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is: "camera".
    pub name: &'static str,
    /// How it came out.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do about it, unless it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    pub(crate) fn warn(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(name, found)
        }
    }

    pub(crate) fn fail(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Fail,
            ..Self::warn(name, found, remedy)
        }
    }

    /// An error of Usher's as a failed check: what to do stands behind its last semicolon.
    pub(crate) fn failed(name: &'static str, error: &dyn std::fmt::Display) -> Self {
        let message = error.to_string();
        match message.rsplit_once("; ") {
            Some((found, remedy)) => Self::fail(name, found, remedy),
            None => Self::fail(name, message, "read the log"),
        }
    }
}

impl std::fmt::Display for Check {
    /// A line, and a second one with what to do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{level:<5} {:<12} {}", self.name, self.found)?;
        match &self.remedy {
            Some(remedy) => write!(f, "\n{:<18} -> {remedy}", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_and_what_to_do() {
        assert_eq!(
            Check::ok("camera", "/dev/video0").to_string(),
            "ok    camera       /dev/video0"
        );
        assert_eq!(
            Check::failed(
                "gallery",
                &"expected a gallery, found none; enroll somebody"
            )
            .to_string(),
            "FAIL  gallery      expected a gallery, found none\n                   -> enroll somebody"
        );
        assert!(Level::Ok < Level::Warn && Level::Warn < Level::Fail);
    }
}
