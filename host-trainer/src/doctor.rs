//! Looks over what training needs, and says of each thing whether it is right and what to do if not.

pub mod faces;
#[cfg(feature = "torch")]
pub mod libtorch;
pub mod machine;
pub mod models;

use serde::Serialize;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as well as it could, or not for every command.
    Warning,
    /// Training, or what was asked for, will not work.
    Problem,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is: "libtorch".
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
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    pub(crate) fn warning(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            remedy: Some(remedy.into()),
            ..Self::ok(name, found)
        }
    }

    fn problem(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            level: Level::Problem,
            remedy: Some(remedy.into()),
            ..Self::ok(name, found)
        }
    }
}

impl std::fmt::Display for Check {
    /// A line, and a second one with what to do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Problem => "PROBLEM",
        };
        write!(f, "{level:<8} {:<9} {}", self.name, self.found)?;
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
        let check = Check::warning("memory", "1.0 GiB", "close something");
        let text = "warning  memory    1.0 GiB\n                   -> close something";
        assert_eq!(check.to_string(), text);
        assert!(Level::Ok < Level::Warning && Level::Warning < Level::Problem);
    }
}
