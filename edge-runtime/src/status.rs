//! How the running kiosk is: kept on a board by its threads, told over a local socket, printed by `usher status`.
//!
//! Nobody's name is on it: how many people, never who.

pub mod client;
pub mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::clock::judge::{Judged, Standing};
use crate::fault::Fault;

/// How the kiosk is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Of the program that runs.
    pub version: String,
    /// What the screen shows: `starting`, `idle`, `looking`, `greeting`, `unknown`, `enrolling`, `fault`, `updating`.
    pub state: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Where frames come from.
    pub camera: CameraStatus,
    /// What turns faces into embeddings.
    pub model: ModelStatus,
    /// Whom it knows.
    pub gallery: GalleryStatus,
    /// When two faces count as one person.
    pub decision: DecisionStatus,
    /// Each check for a living person.
    pub liveness: Vec<LivenessStatus>,
    /// What a report found about these very settings, or that there is none.
    pub liveness_claim: String,
    /// The clocks.
    pub clock: ClockStatus,
    /// Whether there is a door, and how it stands.
    pub door: String,
    /// Whether there is a broker, and whether it is connected.
    pub mqtt: String,
    /// What does not work.
    pub faults: Vec<FaultStatus>,
    /// When each part of the program last progressed.
    pub parts: Vec<PartStatus>,
}

/// A thread without which there is no kiosk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartStatus {
    /// `capture`, `recognition` or `screen`.
    pub part: String,
    /// When it last progressed, in milliseconds since the device was switched on; none before the first time.
    pub progressed_ms: Option<u64>,
}

/// The camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CameraStatus {
    /// Its name, or the recording.
    pub name: String,
    /// Size, pixel format and rate: "1280x720 MJPG 30/s".
    pub format: String,
    /// Whether frames come.
    pub working: bool,
}

/// The model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelStatus {
    /// Its name.
    pub name: String,
    /// Its id, in short.
    pub id: String,
    /// SHA-256 of its ONNX file.
    pub sha256: String,
    /// What the self-test at the start found.
    pub self_test: String,
    /// Where it comes from: "installed, serial 7", or its manifest's path.
    pub source: String,
}

/// The gallery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GalleryStatus {
    /// People in it.
    pub people: usize,
    /// Their templates.
    pub templates: usize,
    /// People who are not greeted because their consent has run out.
    pub expired: usize,
}

/// The rule of the decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DecisionStatus {
    /// Name of the operating point.
    pub point: String,
    /// Squared L2.
    pub threshold: f32,
    /// One stranger in so many is taken for somebody; none if not measured.
    pub one_in: Option<u64>,
}

/// A check for a living person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LivenessStatus {
    /// What it is called.
    pub check: String,
    /// Whether it is switched on.
    pub on: bool,
}

/// The clocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockStatus {
    /// What the wall clock shows, RFC 3339.
    pub shows: String,
    /// What is believed.
    pub believed: String,
    /// Whether both are the same; none before the first look.
    pub standing: Option<Standing>,
    /// Whether a time server is known to have set it.
    pub synced: bool,
}

impl ClockStatus {
    /// What the judge says.
    pub fn of(judged: &Judged) -> Self {
        Self {
            shows: judged.moment.wall().to_rfc3339(),
            believed: judged.believed.to_rfc3339(),
            standing: Some(judged.standing),
            synced: judged.moment.synced,
        }
    }

    fn words(&self) -> String {
        let synced = match self.synced {
            true => "synced with a time server",
            false => "not known to be synced",
        };
        match self.standing {
            None => "not looked at yet".to_owned(),
            Some(Standing::Credible) => format!("{}, {synced}", self.shows),
            Some(Standing::Doubtful) => format!(
                "shows {}, which is not believed ({} is): it was set, or runs behind the gallery",
                self.shows, self.believed
            ),
        }
    }
}

/// Something that does not work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultStatus {
    /// Which part: "camera".
    pub part: String,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// Milliseconds since the device was switched on when it began.
    pub since_ms: u64,
}

impl Status {
    /// "1 in 12000", in words.
    fn decision_words(&self) -> String {
        let DecisionStatus {
            point,
            threshold,
            one_in,
        } = &self.decision;
        match one_in {
            Some(one_in) => format!(
                "{point}: one stranger in {one_in} is taken for somebody (squared L2 up to {threshold})"
            ),
            None => format!(
                "{point}: how often a stranger is taken for somebody was not measured (squared L2 up to {threshold})"
            ),
        }
    }

    /// Which checks are on and which are off; off is never left out.
    fn liveness_words(&self) -> String {
        if !self.liveness.iter().any(|check| check.on) {
            return "OFF: a photo of a known person is greeted like the person".to_owned();
        }
        let named = |on: bool| {
            let names: Vec<&str> = self
                .liveness
                .iter()
                .filter(|check| check.on == on)
                .map(|check| check.check.as_str())
                .collect();
            names.join(", ")
        };
        let mut words = format!("on: {}", named(true));
        for (label, more) in [("off: ", named(false).as_str()), ("", &self.liveness_claim)] {
            if !more.is_empty() {
                words += &format!("; {label}{more}");
            }
        }
        words
    }

    /// Each line of `usher status`: what, and how it is.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let camera = match self.camera.working {
            true => format!("{}, {}", self.camera.name, self.camera.format),
            false => format!("{}: NO FRAMES", self.camera.name),
        };
        let GalleryStatus {
            people,
            templates,
            expired,
        } = &self.gallery;
        let mut gallery = format!("people {people}, templates {templates}");
        if *expired > 0 {
            gallery += &format!(", consent run out {expired}");
        }
        let model = &self.model;
        let mut lines = vec![
            (
                "usher",
                format!("{}, up {}", self.version, duration(self.uptime_s)),
            ),
            ("state", self.state.clone()),
            ("camera", camera),
            (
                "model",
                format!(
                    "{} ({}), self-test: {}",
                    model.name, model.id, model.self_test
                ),
            ),
            ("from", model.source.clone()),
            ("gallery", gallery),
            ("decision", self.decision_words()),
            ("liveness", self.liveness_words()),
            ("clock", self.clock.words()),
            ("door", self.door.clone()),
            ("mqtt", self.mqtt.clone()),
        ];
        lines.retain(|(_, text)| !text.is_empty());
        if self.faults.is_empty() {
            lines.push(("faults", "none".to_owned()));
        }
        for fault in &self.faults {
            lines.push(("FAULT", format!("{}: {}", fault.part, fault.cause)));
            lines.push(("", format!("-> {}", fault.remedy)));
        }
        lines
    }
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// The status as the kiosk's threads keep it.
#[derive(Debug)]
pub struct Board {
    began: Timestamp,
    status: Mutex<Status>,
}

impl Board {
    /// A board of a kiosk that starts now.
    pub fn new(now: Timestamp) -> Self {
        let status = Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: "starting".to_owned(),
            ..Status::default()
        };
        Self {
            began: now,
            status: Mutex::new(status),
        }
    }

    /// Changes what is on it.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.held());
    }

    /// Puts a fault of `part` on it, in place of an earlier one; true if there was none.
    pub fn put_fault(&self, now: Timestamp, part: &str, fault: &Fault) -> bool {
        let mut status = self.held();
        let since_ms = status.faults.iter().find(|old| old.part == part);
        let new = FaultStatus {
            part: part.to_owned(),
            cause: fault.cause.clone(),
            remedy: fault.remedy.clone(),
            since_ms: since_ms.map_or(now.millis(), |old| old.since_ms),
        };
        let before = status.faults.len();
        status.faults.retain(|old| old.part != part);
        let first = status.faults.len() == before;
        status.faults.push(new);
        first
    }

    /// Takes the fault of `part` off it, and returns what it was.
    pub fn take_fault(&self, part: &str) -> Option<FaultStatus> {
        let faults = &mut self.held().faults;
        let place = faults.iter().position(|fault| fault.part == part)?;
        Some(faults.remove(place))
    }

    /// What is on it now.
    pub fn read(&self, now: Timestamp) -> Status {
        Status {
            uptime_s: now.since(self.began).as_secs(),
            ..self.held().clone()
        }
    }

    fn held(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn line(status: &Status, name: &str) -> String {
        let lines = status.lines();
        let found = lines.iter().find(|(found, _)| *found == name);
        found.unwrap_or_else(|| panic!("no line {name}")).1.clone()
    }

    #[test]
    fn what_is_off_is_said() {
        let check = |check: &str, on| LivenessStatus {
            check: check.to_owned(),
            on,
        };
        for (checks, expected) in [
            (
                vec![],
                "OFF: a photo of a known person is greeted like the person",
            ),
            (
                vec![check("blink", false)],
                "OFF: a photo of a known person is greeted like the person",
            ),
            (vec![check("blink", true)], "on: blink"),
            (
                vec![
                    check("blink", true),
                    check("flash", false),
                    check("model", false),
                ],
                "on: blink; off: flash, model",
            ),
        ] {
            let status = Status {
                liveness: checks,
                ..Status::default()
            };
            assert_eq!(line(&status, "liveness"), expected);
        }
    }

    #[test]
    fn the_decision_is_one_in_so_many_or_not_measured() {
        let with = |one_in| Status {
            decision: DecisionStatus {
                point: "door".to_owned(),
                threshold: 0.5,
                one_in,
            },
            ..Status::default()
        };
        assert_eq!(
            line(&with(Some(900)), "decision"),
            "door: one stranger in 900 is taken for somebody (squared L2 up to 0.5)"
        );
        assert!(line(&with(None), "decision").contains("not measured"));
    }

    #[test]
    fn faults_keep_their_beginning_and_go() {
        let board = Board::new(at(1000));
        let fault = |cause: &str| Fault {
            cause: cause.to_owned(),
            remedy: "plug it in".to_owned(),
        };
        assert!(board.put_fault(at(5000), "camera", &fault("lost")));
        assert!(!board.put_fault(at(9000), "camera", &fault("still lost")));
        assert!(board.put_fault(at(9500), "door", &fault("no answer")));
        let status = board.read(at(61_000));
        assert_eq!((status.uptime_s, status.faults.len()), (60, 2));
        assert_eq!(line(&status, "FAULT"), "camera: still lost");
        let taken = board.take_fault("camera").unwrap();
        assert_eq!((taken.cause.as_str(), taken.since_ms), ("still lost", 5000));
        assert_eq!(board.take_fault("camera"), None);
        board.take_fault("door");
        assert_eq!(line(&board.read(at(0)), "faults"), "none");
    }

    #[test]
    fn times_in_words() {
        for (seconds, words) in [
            (59, "59 s"),
            (61, "1 min"),
            (7260, "2 h 1 min"),
            (190_000, "2 d 4 h"),
        ] {
            assert_eq!(duration(seconds), words);
        }
    }

    #[test]
    fn a_status_of_another_version_is_still_read() {
        let status: Status = serde_json::from_str(r#"{"state":"idle","new":1}"#).unwrap();
        assert_eq!(status.state, "idle");
    }
}
