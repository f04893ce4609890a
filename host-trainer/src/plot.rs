//! Curves of one run, or of several side by side, as one SVG picture of small charts.

mod axis;
mod draw;
mod panels;
mod series;
pub mod study;

use crate::telemetry::metrics::{Metrics, Step, Validated};

/// Most runs that one picture compares: beyond, colors can no longer be told apart.
pub const MOST_RUNS: usize = 7;

/// A run to draw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// What to call it.
    pub name: String,
    /// Its numbers.
    pub metrics: Metrics,
}

/// What the charts go along from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Along {
    /// Steps of the optimizer.
    Steps,
    /// Pictures seen, repeats counted: fair to runs with other batches.
    Pictures,
    /// Time trained.
    Minutes,
}

impl Along {
    /// The axis's name.
    fn name(self) -> &'static str {
        match self {
            Along::Steps => "steps",
            Along::Pictures => "pictures seen",
            Along::Minutes => "minutes",
        }
    }

    fn of_step(self, step: &Step) -> f64 {
        self.pick(step.step, step.pictures, step.seconds)
    }

    fn of_validation(self, validated: &Validated) -> f64 {
        self.pick(validated.step, validated.pictures, validated.seconds)
    }

    fn pick(self, step: u64, pictures: u64, seconds: f64) -> f64 {
        match self {
            Along::Steps => step as f64,
            Along::Pictures => pictures as f64,
            Along::Minutes => seconds / 60.0,
        }
    }
}

/// Why there is nothing to draw.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// More runs than colors, or none.
    #[error("expected 1 to {MOST_RUNS} runs in one picture, found {found}; compare fewer at once")]
    Count {
        /// Runs given.
        found: usize,
    },
    /// A run has not made a step yet.
    #[error(
        "run {name}: expected at least 2 steps in its metrics, found {found}; wait until it has made them"
    )]
    TooShort {
        /// The run.
        name: String,
        /// Steps found.
        found: usize,
    },
    /// The SVG could not be made.
    #[error("cannot draw: {0}")]
    Draw(String),
}

/// The picture of these runs.
///
/// # Errors
/// A [`PlotError`] if there are too many runs, or one has too few steps.
pub fn svg(runs: &[Run], along: Along) -> Result<String, PlotError> {
    if !(1..=MOST_RUNS).contains(&runs.len()) {
        return Err(PlotError::Count { found: runs.len() });
    }
    if let Some(run) = runs.iter().find(|run| run.metrics.steps.len() < 2) {
        return Err(PlotError::TooShort {
            name: run.name.clone(),
            found: run.metrics.steps.len(),
        });
    }
    let panels = panels::of(runs, along);
    draw::page(runs, &panels, along).map_err(|error| PlotError::Draw(error.to_string()))
}

#[cfg(test)]
mod tests;
