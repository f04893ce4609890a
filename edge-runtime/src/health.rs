//! Whether a running kiosk is well: no fault, frames come, and capture, recognition and screen progress for a while.
//!
//! What an update is judged by before it is kept: one good look is not enough, because a kiosk that dies and is started
//! again every few seconds looks well in between.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::status::Status;

/// What the looks so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has been well for as long as was asked.
    Well,
    /// Not yet, and why.
    NotYet(String),
}

/// Several looks at one kiosk.
#[derive(Clone, Debug)]
pub struct Health {
    steady: Duration,
    /// The first of the good looks in a row.
    first: Option<(Timestamp, Status)>,
}

impl Health {
    /// A kiosk is well that is so for this long.
    pub fn new(steady: Duration) -> Self {
        Self {
            steady,
            first: None,
        }
    }

    /// A look at `now`, of the caller's own clock.
    pub fn look(&mut self, now: Timestamp, status: &Status) -> Verdict {
        if let Some(reason) = ailment(status) {
            return self.failed(reason);
        }
        let restarted = |first: &Status| status.uptime_s < first.uptime_s;
        let Some((since, first)) = self.first.as_ref().filter(|(_, first)| !restarted(first))
        else {
            self.first = Some((now, status.clone()));
            return Verdict::NotYet("it is well, but was not looked at for long".to_owned());
        };
        if now.since(*since) < self.steady {
            return Verdict::NotYet("it is well, but was not looked at for long".to_owned());
        }
        let still = status.parts.iter().find(|part| {
            let before = first.parts.iter().find(|before| before.part == part.part);
            before.is_none_or(|before| part.progressed_ms <= before.progressed_ms)
        });
        match still {
            Some(part) => Verdict::NotYet(format!("{} stands still", part.part)),
            None => Verdict::Well,
        }
    }

    /// There was no status, for this reason.
    pub fn failed(&mut self, reason: String) -> Verdict {
        self.first = None;
        Verdict::NotYet(reason)
    }
}

/// What is not as it should be at one look.
fn ailment(status: &Status) -> Option<String> {
    match status.state.as_str() {
        "starting" => return Some("it is starting".to_owned()),
        "updating" => return Some("it says that it is being updated".to_owned()),
        _ => {}
    }
    if let Some(fault) = status.faults.first() {
        return Some(format!(
            "{}: {} ({})",
            fault.part, fault.cause, fault.remedy
        ));
    }
    if status.state == "fault" {
        return Some("its screen shows a fault".to_owned());
    }
    if !status.camera.working {
        return Some(format!("no frames come from {}", status.camera.name));
    }
    if status.parts.is_empty() {
        return Some("it does not tell whether its parts progress".to_owned());
    }
    let silent = status
        .parts
        .iter()
        .find(|part| part.progressed_ms.is_none());
    silent.map(|part| format!("{} has not begun", part.part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{CameraStatus, FaultStatus, PartStatus};

    fn well(uptime_s: u64) -> Status {
        let part = |part: &str| PartStatus {
            part: part.to_owned(),
            progressed_ms: Some(uptime_s * 1000),
        };
        Status {
            state: "idle".to_owned(),
            uptime_s,
            camera: CameraStatus {
                working: true,
                ..CameraStatus::default()
            },
            parts: ["capture", "recognition", "screen"].map(part).to_vec(),
            ..Status::default()
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn last(looks: &[(u64, Status)]) -> Verdict {
        let mut health = Health::new(Duration::from_secs(3));
        let mut verdict = Verdict::Well;
        for (second, status) in looks {
            verdict = health.look(at(*second), status);
        }
        verdict
    }

    #[test]
    fn well_for_a_while_is_well() {
        assert_eq!(last(&[(0, well(5)), (3, well(8))]), Verdict::Well);
        let looks: Vec<_> = (0..4).map(|second| (second, well(9 + second))).collect();
        assert_eq!(last(&looks), Verdict::Well);
        assert_ne!(last(&looks[..3]), Verdict::Well, "not long enough");
    }

    #[test]
    fn one_that_dies_again_and_again_is_not() {
        let looks = [
            (0, well(1)),
            (2, well(3)),
            (4, well(0)),
            (6, well(2)),
            (8, well(0)),
        ];
        assert_ne!(last(&looks), Verdict::Well);
        let mut health = Health::new(Duration::from_secs(3));
        health.look(at(0), &well(5));
        health.failed("no answer".to_owned());
        assert_ne!(health.look(at(3), &well(8)), Verdict::Well);
    }

    #[test]
    fn what_is_wrong_is_said() {
        type Change = fn(&mut Status);
        let table: [(Change, &str); 8] = [
            (|status| status.state = "starting".to_owned(), "starting"),
            (|status| status.state = "updating".to_owned(), "updated"),
            (|status| status.state = "fault".to_owned(), "shows a fault"),
            (|status| status.camera.working = false, "no frames"),
            (|status| status.parts.clear(), "does not tell"),
            (
                |status| status.parts[2].progressed_ms = None,
                "screen has not begun",
            ),
            // Progressed before the first look, and not since.
            (
                |status| status.parts[1].progressed_ms = Some(5000),
                "recognition stands still",
            ),
            (
                |status| {
                    status.faults.push(FaultStatus {
                        part: "camera".to_owned(),
                        cause: "unplugged".to_owned(),
                        remedy: "plug it in".to_owned(),
                        since_ms: 0,
                    })
                },
                "camera: unplugged (plug it in)",
            ),
        ];
        for (change, said) in table {
            let mut status = well(8);
            change(&mut status);
            match last(&[(0, well(5)), (3, status)]) {
                Verdict::NotYet(reason) => assert!(reason.contains(said), "{said}: {reason}"),
                Verdict::Well => panic!("{said}"),
            }
        }
    }
}
