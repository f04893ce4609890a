//! How far the wall clock is to be believed: it must go on as the monotonic one does.
//!
//! ```text
//!   the wall clock goes on with the monotonic one   it is believed
//!   it jumps                                        the old time is counted on by the monotonic clock
//!   it jumps, and has just become synced            the new time is believed: a time server set it
//!   it comes back to the counted time               it is believed again
//! ```
//!
//! So consents neither run out nor come back to life because somebody set the clock. A clock that was synced all along
//! and jumps is not believed either: the mark of having been synced stays when somebody sets the clock by hand.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::gallery::consent::WallTime;

use super::moment::Moment;

/// No device with this program has a right clock that shows less: 2026-01-01 00:00 UTC.
pub const EARLIEST: WallTime = WallTime::from_unix_seconds(1_767_225_600);

/// A thousandth of the time passed: twice what the kernel corrects a clock by when it does so smoothly (500 ppm).
const SLEW_PER: u64 = 1000;

/// What the wall clock is checked by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockConfig {
    /// The wall clock counts as synced while one of these files is there.
    pub synced_files: Vec<PathBuf>,
    /// Milliseconds by which wall clock and monotonic clock may part between two looks.
    pub jump_limit_ms: u64,
}

impl Default for ClockConfig {
    /// The file of systemd-timesyncd; two seconds, which no correction at run time comes near.
    fn default() -> Self {
        Self {
            synced_files: vec!["/run/systemd/timesync/synchronized".into()],
            jump_limit_ms: 2000,
        }
    }
}

impl ClockConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if (100..=3_600_000).contains(&self.jump_limit_ms) {
            return Ok(());
        }
        Err(format!(
            "clock.jump_limit_ms = {}, which is not from 100 to 3600000",
            self.jump_limit_ms
        ))
    }
}

/// A wall clock that was set while the kiosk ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jump {
    /// It shows so much more than has passed.
    Forward(Duration),
    /// It shows so much less than has passed.
    Backward(Duration),
}

impl Jump {
    /// Milliseconds, less than zero when it went backward.
    pub fn by_ms(self) -> i64 {
        match self {
            Self::Forward(by) => by.as_millis() as i64,
            Self::Backward(by) => -(by.as_millis() as i64),
        }
    }
}

/// Whether the wall clock shows what is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It does.
    Credible,
    /// It does not: it jumped, or began earlier than what is on record.
    Doubtful,
}

/// A moment, and what is believed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What the clocks said.
    pub moment: Moment,
    /// The time that decides on consents and on the age of records.
    pub believed: WallTime,
    /// Whether both are the same time.
    pub standing: Standing,
}

/// Watches the wall clock of one run.
#[derive(Clone, Debug)]
pub struct ClockJudge {
    limit_ms: i64,
    newest: WallTime,
    last: Option<Last>,
}

/// Offsets are wall clock less monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Last {
    monotonic_ms: u64,
    synced: bool,
    offset: i64,
    believed: i64,
    standing: Standing,
}

impl ClockJudge {
    /// A judge for this run; `newest` is the time of the newest record the device has (its gallery's).
    pub fn new(config: &ClockConfig, newest: WallTime) -> Self {
        Self {
            limit_ms: config.jump_limit_ms as i64,
            newest: newest.max(EARLIEST),
            last: None,
        }
    }

    /// Judges this moment; a jump is told once, by the look that first sees it.
    pub fn observe(&mut self, moment: Moment) -> (Judged, Option<Jump>) {
        let offset = moment.utc_ms as i64 - moment.monotonic_ms as i64;
        let (believed, standing, jump) = match self.last {
            None => self.first(moment, offset),
            Some(last) => self.next(moment, offset, last),
        };
        self.last = Some(Last {
            monotonic_ms: moment.monotonic_ms,
            synced: moment.synced,
            offset,
            believed,
            standing,
        });
        let believed_ms = (believed + moment.monotonic_ms as i64).max(0);
        let judged = Judged {
            moment,
            believed: WallTime::from_unix_seconds(believed_ms as u64 / 1000),
            standing,
        };
        (judged, jump)
    }

    fn first(&self, moment: Moment, offset: i64) -> (i64, Standing, Option<Jump>) {
        if moment.wall() >= self.newest {
            return (offset, Standing::Credible, None);
        }
        let newest_ms = self.newest.unix_seconds().saturating_mul(1000) as i64;
        let believed = newest_ms.saturating_sub(moment.monotonic_ms as i64);
        (believed, Standing::Doubtful, None)
    }

    fn next(&self, moment: Moment, offset: i64, last: Last) -> (i64, Standing, Option<Jump>) {
        let passed = moment.monotonic_ms.saturating_sub(last.monotonic_ms);
        let allowed = self.limit_ms + (passed / SLEW_PER) as i64;
        let moved = offset - last.offset;
        let by = Duration::from_millis(moved.unsigned_abs());
        let jump = match moved {
            _ if moved.abs() <= allowed => None,
            0.. => Some(Jump::Forward(by)),
            ..0 => Some(Jump::Backward(by)),
        };
        let just_synced = moment.synced && !last.synced;
        let near = (offset - last.believed).abs() <= allowed;
        let follows = near || (last.standing == Standing::Credible && jump.is_none());
        match just_synced || follows {
            true => (offset, Standing::Credible, jump),
            false => (last.believed, Standing::Doubtful, jump),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::BootId;
    use super::*;

    const NOON_MS: u64 = 1_800_000_000_000;
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;

    /// The moment `passed_ms` after the start, by a wall clock that is wrong by `wrong_ms`.
    fn moment(passed_ms: u64, wrong_ms: i64, synced: bool) -> Moment {
        Moment {
            utc_ms: (NOON_MS + passed_ms).saturating_add_signed(wrong_ms),
            monotonic_ms: 60_000 + passed_ms,
            boot: BootId::from_number(1),
            synced,
        }
    }

    fn right(passed_ms: u64) -> WallTime {
        WallTime::from_unix_seconds((NOON_MS + passed_ms) / 1000)
    }

    fn judge(newest: WallTime) -> ClockJudge {
        ClockJudge::new(&ClockConfig::default(), newest)
    }

    #[test]
    fn ten_years_either_way_are_noticed_and_not_believed() {
        for (name, wrong) in [("forward", TEN_YEARS_MS), ("backward", -TEN_YEARS_MS)] {
            for synced in [false, true] {
                let mut judge = judge(WallTime::default());
                assert_eq!(judge.observe(moment(0, 0, synced)).1, None, "{name}");
                let (judged, jump) = judge.observe(moment(10_000, wrong, synced));
                assert_eq!(jump.map(Jump::by_ms), Some(wrong), "{name}, {synced}");
                assert_eq!(
                    (judged.believed, judged.standing),
                    (right(10_000), Standing::Doubtful)
                );
                // It is told once, and the time goes on by the monotonic clock.
                let (judged, jump) = judge.observe(moment(86_410_000, wrong, synced));
                assert_eq!(jump, None, "{name}");
                assert_eq!(
                    (judged.believed, judged.standing),
                    (right(86_410_000), Standing::Doubtful)
                );
                // Set right again, it is believed.
                let (judged, jump) = judge.observe(moment(86_420_000, 0, synced));
                assert_eq!(jump.map(Jump::by_ms), Some(-wrong), "{name}");
                assert_eq!(
                    (judged.believed, judged.standing),
                    (right(86_420_000), Standing::Credible)
                );
            }
        }
    }

    #[test]
    fn a_time_server_is_believed_when_it_first_answers() {
        for wrong in [TEN_YEARS_MS, -TEN_YEARS_MS] {
            let mut judge = judge(WallTime::default());
            judge.observe(moment(0, wrong, false));
            let (judged, jump) = judge.observe(moment(5000, 0, true));
            assert_eq!(jump.map(Jump::by_ms), Some(-wrong));
            assert_eq!(
                (judged.believed, judged.standing),
                (right(5000), Standing::Credible)
            );
        }
    }

    #[test]
    fn a_clock_behind_the_newest_record_is_not_believed() {
        // Without a battery a device begins in 1970; the newest record knows better.
        let newest = right(0);
        let mut judge = judge(newest);
        let (judged, _) = judge.observe(moment(0, -(NOON_MS as i64), false));
        assert_eq!(
            (judged.believed, judged.standing),
            (newest, Standing::Doubtful)
        );
        let (judged, _) = judge.observe(moment(7000, -(NOON_MS as i64), false));
        assert_eq!(
            (judged.believed, judged.standing),
            (right(7000), Standing::Doubtful)
        );
        let (judged, _) = judge.observe(moment(8000, 0, true));
        assert_eq!(
            (judged.believed, judged.standing),
            (right(8000), Standing::Credible)
        );
        let fresh = ClockJudge::new(&ClockConfig::default(), WallTime::default()).observe(moment(
            0,
            -(NOON_MS as i64),
            false,
        ));
        assert_eq!(fresh.0.believed, EARLIEST);
    }

    #[test]
    fn what_a_time_server_does_all_day_is_no_jump() {
        let mut judge = judge(WallTime::default());
        judge.observe(moment(0, 0, true));
        let mut wrong = 0;
        for second in 1..=86_400_u64 {
            // 500 ppm, the most that the kernel slews: 43 s a day.
            wrong = -((second / 2) as i64);
            assert_eq!(judge.observe(moment(second * 1000, wrong, true)).1, None);
        }
        let (judged, jump) = judge.observe(moment(172_800_000, 2 * wrong, true));
        assert_eq!(
            (jump, judged.standing),
            (None, Standing::Credible),
            "seen once a day"
        );
        let (_, jump) = judge.observe(moment(172_801_000, 2 * wrong + 2100, true));
        assert_eq!(jump, Some(Jump::Forward(Duration::from_millis(2100))));
    }

    #[test]
    fn limits_are_checked() {
        assert!(ClockConfig::default().check().is_ok());
        let wrong = ClockConfig {
            jump_limit_ms: 1,
            ..ClockConfig::default()
        };
        assert!(
            wrong
                .check()
                .unwrap_err()
                .starts_with("clock.jump_limit_ms = 1")
        );
    }
}
