//! How long each stage takes on this device: the median and the 95th percentile of the latest frames.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// Latest measurements kept of each stage.
const KEPT: usize = 1000;

/// One step from frame to screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding faces.
    Detect,
    /// Cutting and turning the face.
    Align,
    /// Face to vector.
    Embed,
    /// Vector against gallery.
    Match,
    /// State to pixels.
    Draw,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 5] = [
        Self::Detect,
        Self::Align,
        Self::Embed,
        Self::Match,
        Self::Draw,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Align => "align",
            Self::Embed => "embed",
            Self::Match => "match",
            Self::Draw => "draw",
        }
    }
}

/// Measured times by stage.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    stages: [VecDeque<Duration>; Stage::ALL.len()],
}

impl Latencies {
    /// Runs `work` and notes how long it took.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.note(stage, begin.elapsed());
        result
    }

    /// Notes one measurement.
    pub fn note(&mut self, stage: Stage, took: Duration) {
        let times = &mut self.stages[stage as usize];
        if times.len() == KEPT {
            times.pop_front();
        }
        times.push_back(took);
    }

    /// The time within which `share` (0 to 1) of the measurements lie, nearest rank; `None` without measurements.
    pub fn quantile(&self, stage: Stage, share: f64) -> Option<Duration> {
        let mut times: Vec<Duration> = self.stages[stage as usize].iter().copied().collect();
        times.sort_unstable();
        let rank = (share * times.len() as f64).ceil() as usize;
        times.get(rank.max(1) - 1).copied()
    }
}

impl fmt::Display for Latencies {
    /// One line for each measured stage.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        write!(f, "stage    p50 ms   p95 ms   frames")?;
        for stage in Stage::ALL {
            if let (Some(median), Some(slow)) =
                (self.quantile(stage, 0.5), self.quantile(stage, 0.95))
            {
                let frames = self.stages[stage as usize].len();
                write!(
                    f,
                    "\n{:<6} {:>8.2} {:>8.2} {:>8}",
                    stage.name(),
                    millis(median),
                    millis(slow),
                    frames
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(Stage::Embed, 0.5), None);
        for millis in (1..=100).rev() {
            latencies.note(Stage::Embed, Duration::from_millis(millis));
        }
        assert_eq!(
            latencies.quantile(Stage::Embed, 0.5),
            Some(Duration::from_millis(50))
        );
        assert_eq!(
            latencies.quantile(Stage::Embed, 0.95),
            Some(Duration::from_millis(95))
        );
        assert_eq!(
            latencies.quantile(Stage::Embed, 0.0),
            Some(Duration::from_millis(1))
        );
        assert_eq!(
            latencies.to_string().lines().nth(1),
            Some("embed     50.00    95.00      100")
        );
    }

    #[test]
    fn only_the_latest_count() {
        let mut latencies = Latencies::default();
        for millis in 0..2 * KEPT as u64 {
            latencies.note(Stage::Draw, Duration::from_millis(millis));
        }
        assert_eq!(
            latencies.quantile(Stage::Draw, 0.0),
            Some(Duration::from_millis(KEPT as u64))
        );
    }
}
