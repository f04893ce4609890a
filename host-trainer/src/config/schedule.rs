//! The course of a run: learning rate, and smaller faces first.

use serde::{Deserialize, Serialize};

/// How the learning rate goes on once it has risen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// Falls to zero along a half cosine.
    #[default]
    Cosine,
    /// Is multiplied by `step_factor` at each share in `steps_at`.
    Step,
    /// Stays.
    Constant,
}

/// The learning rate over a run: rises linearly, then takes its course.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// Share of the run spent rising, 0 to below 1.
    pub warmup: f64,
    /// What follows.
    pub course: Course,
    /// Shares of the run at which [`Course::Step`] steps, rising.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps_at: Vec<f64>,
    /// Factor of each step, 0 to 1.
    pub step_factor: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            warmup: 0.02,
            course: Course::Cosine,
            steps_at: Vec::new(),
            step_factor: 0.1,
        }
    }
}

impl ScheduleConfig {
    /// Factor of the learning rate at that share of the run, 0 to 1.
    pub fn factor(&self, progress: f64) -> f64 {
        if progress < self.warmup {
            return progress / self.warmup;
        }
        match self.course {
            Course::Cosine => {
                let falling = (progress - self.warmup) / (1.0 - self.warmup).max(f64::EPSILON);
                0.5 * (1.0 + (std::f64::consts::PI * falling.min(1.0)).cos())
            }
            Course::Step => {
                let steps = self.steps_at.iter().filter(|at| progress >= **at).count();
                self.step_factor.powi(steps as i32)
            }
            Course::Constant => 1.0,
        }
    }

    /// Whether every value is in its range.
    pub fn is_usable(&self) -> bool {
        let share = |value: &f64| (0.0..1.0).contains(value);
        let rising = self.steps_at.windows(2).all(|pair| pair[0] < pair[1]);
        share(&self.warmup)
            && (0.0..=1.0).contains(&self.step_factor)
            && self.steps_at.iter().all(share)
            && rising
            && (self.course == Course::Step) != self.steps_at.is_empty()
    }
}

/// A share of the run on smaller faces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStage {
    /// Side of the faces, in pixels.
    pub side_px: u32,
    /// The stage ends at that share of the run, 0 to 1.
    pub until: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_course_rises_then_does_what_it_says() {
        let schedule = |course, steps_at: &[f64]| ScheduleConfig {
            warmup: 0.1,
            course,
            steps_at: steps_at.to_vec(),
            step_factor: 0.1,
        };
        let cases = [
            (schedule(Course::Cosine, &[]), [0.0, 0.5, 1.0, 0.5, 0.0]),
            (schedule(Course::Constant, &[]), [0.0, 0.5, 1.0, 1.0, 1.0]),
            (
                schedule(Course::Step, &[0.5, 0.9]),
                [0.0, 0.5, 1.0, 0.1, 0.01],
            ),
        ];
        for (schedule, expected) in cases {
            assert!(schedule.is_usable());
            let factors = [0.0, 0.05, 0.1, 0.55, 1.0].map(|progress| schedule.factor(progress));
            for (found, expected) in factors.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9, "{schedule:?}: {factors:?}");
            }
        }
    }
}
