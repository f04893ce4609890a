//! How long each stage takes on this device: median, 95th and 99th percentile of the latest frames.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// Latest measurements kept of each stage.
const KEPT: usize = 1000;

/// One step from frame to screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Camera bytes to RGB.
    Decode,
    /// Finding faces.
    Detect,
    /// Judging whether a face can be decided on.
    Quality,
    /// Cutting and turning the face.
    Align,
    /// Face to vector.
    Embed,
    /// Vector against gallery.
    Match,
    /// Whether it is a living person.
    Liveness,
    /// State to pixels.
    Draw,
    /// Pixels to the display.
    Show,
    /// From the camera's frame to the decision, waiting included.
    Decision,
}

impl Stage {
    /// All stages, in their order.
    pub const ALL: [Self; 10] = [
        Self::Decode,
        Self::Detect,
        Self::Quality,
        Self::Align,
        Self::Embed,
        Self::Match,
        Self::Liveness,
        Self::Draw,
        Self::Show,
        Self::Decision,
    ];

    /// For tables and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Detect => "detect",
            Self::Quality => "quality",
            Self::Align => "align",
            Self::Embed => "embed",
            Self::Match => "match",
            Self::Liveness => "liveness",
            Self::Draw => "draw",
            Self::Show => "show",
            Self::Decision => "decision",
        }
    }
}

/// Measured times by stage.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    stages: [VecDeque<Duration>; Stage::ALL.len()],
    /// Noted since [`Latencies::take_new`].
    new: Vec<(Stage, Duration)>,
}

/// Milliseconds of each measured stage at p50, p95 and p99.
pub type Summary = BTreeMap<&'static str, BTreeMap<&'static str, f64>>;

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
        // Whoever counts takes them once a second; where nobody does they are not piled up.
        if self.new.len() < KEPT {
            self.new.push((stage, took));
        }
        let times = &mut self.stages[stage as usize];
        if times.len() == KEPT {
            times.pop_front();
        }
        times.push_back(took);
    }

    /// What was noted since this was last asked for.
    pub fn take_new(&mut self) -> Vec<(Stage, Duration)> {
        std::mem::take(&mut self.new)
    }

    /// Adds what another thread measured.
    pub fn append(&mut self, other: &Self) {
        for stage in Stage::ALL {
            for took in &other.stages[stage as usize] {
                self.note(stage, *took);
            }
        }
    }

    /// Milliseconds of each stage that was measured.
    pub fn summary(&self) -> Summary {
        let shares = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];
        let of = |stage| {
            let row = shares.into_iter().map(|(name, share)| {
                let time = self.quantile(stage, share)?;
                Some((name, time.as_secs_f64() * 1000.0))
            });
            row.collect::<Option<BTreeMap<_, _>>>()
        };
        Stage::ALL
            .into_iter()
            .filter_map(|stage| Some((stage.name(), of(stage)?)))
            .collect()
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
        write!(f, "stage      p50 ms   p95 ms   p99 ms   frames")?;
        for stage in Stage::ALL {
            let quantile = |share| self.quantile(stage, share).map(millis);
            if let (Some(median), Some(slow), Some(slowest)) =
                (quantile(0.5), quantile(0.95), quantile(0.99))
            {
                let (name, frames) = (stage.name(), self.stages[stage as usize].len());
                write!(
                    f,
                    "\n{name:<8} {median:>8.2} {slow:>8.2} {slowest:>8.2} {frames:>8}"
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
            Some("embed       50.00    95.00    99.00      100")
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
