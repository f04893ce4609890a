//! Time as the kiosk knows it: milliseconds handed in with each frame, never asked of the system.
//!
//! Records for people carry the wall clock as well: [`moment`] is what the device's clocks say, and [`judge`] how far
//! that is to be believed.

pub mod judge;
pub mod moment;

use std::fmt;
use std::time::Duration;

/// A moment in milliseconds since the camera's first frame.
///
/// Nothing below the camera reads a clock: whoever makes a frame stamps it, so a recording always gives
/// the same run and a test moves time by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the first frame.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the first frame.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The time passed since `earlier`; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Gives frame `0, 1, 2, ...` of a recording the time it was taken at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameClock {
    frames_per_second: f64,
}

/// A frame rate that no recording has.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("expected between 0.1 and 1000 frames per second, found {found}")]
pub struct FrameRateError {
    /// The refused rate.
    pub found: f64,
}

impl FrameClock {
    /// A clock that ticks `frames_per_second` times a second, 0.1 to 1000.
    pub fn new(frames_per_second: f64) -> Result<Self, FrameRateError> {
        if (0.1..=1000.0).contains(&frames_per_second) {
            Ok(Self { frames_per_second })
        } else {
            Err(FrameRateError {
                found: frames_per_second,
            })
        }
    }

    /// When the frame was taken that `frames` frames came before; to the nearest millisecond.
    pub fn at(&self, frames: u64) -> Timestamp {
        Timestamp::from_millis((frames as f64 * 1000.0 / self.frames_per_second).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_do_not_drift() {
        let clock = FrameClock::new(30.0).unwrap();
        assert_eq!(clock.at(1), Timestamp::from_millis(33));
        assert_eq!(clock.at(3_000_000), Timestamp::from_millis(100_000_000));
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
            assert!(FrameClock::new(rate).is_err(), "{rate}");
        }
    }

    #[test]
    fn time_never_runs_backwards() {
        let (early, late) = (Timestamp::from_millis(10), Timestamp::from_millis(25));
        assert_eq!(late.since(early), Duration::from_millis(15));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
