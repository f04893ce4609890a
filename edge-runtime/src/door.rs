//! Whether the door's relay is active: a pure state machine that fails secure, and the rules it keeps.
//!
//! ```text
//!              greeted, allowed, live, fresh          pulse_ms passed
//!   ┌────────┐ ───────────────────────► ┌──────┐ ───────────────────► ┌───────┐
//!   │ Closed │                          │ Open │                      │ Quiet │
//!   └────────┘ ◄─────────┐              └──────┘                      └───────┘
//!        ▲               └──────────────────│────────── quiet_ms passed ──┘
//!        │ recovered     fault, from any    ▼
//!        └───────────────────────────── ┌───────┐
//!                                       │ Fault │
//!                                       └───────┘
//! ```
//!
//! The relay is active in `Open` alone. A greeting while it is open or quiet changes nothing, so that nobody keeps a
//! door open by being greeted again and again: of each `pulse_ms + quiet_ms` the relay is active for `pulse_ms`.
//!
//! [`keeper`] turns the state into an output: [`gpio`], a pin, or [`hook`], a command.

pub mod gpio;
pub mod hook;
pub mod keeper;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::liveness::Liveness;

/// What the door is driven by, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorConfig {
    /// What is driven.
    pub output: DoorOutput,
    /// GPIO chip of the relay.
    pub gpio_chip: PathBuf,
    /// Line of that chip.
    pub gpio_line: u32,
    /// Whether the relay is active while the line is low.
    pub gpio_active_low: bool,
    /// Program and arguments that are run, without a shell, at each change; USHER_DOOR is open or closed.
    pub command: Vec<String>,
    /// Milliseconds after which the command is killed.
    pub command_timeout_ms: u64,
    /// Whether the command is told the name, as USHER_NAME.
    pub names: bool,
    /// Milliseconds that the relay is active after a greeting.
    pub pulse_ms: u64,
    /// Milliseconds after that in which no greeting opens the door.
    pub quiet_ms: u64,
    /// Age in milliseconds from which a decision opens no door.
    pub stale_ms: u64,
    /// Whether everybody in the gallery may open the door.
    pub everybody: bool,
    /// Numbers in the gallery of those who may.
    pub people: Vec<u32>,
    /// Whether the door opens though every check for a living person is switched off.
    pub without_liveness: bool,
}

/// What is driven when the door is to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DoorOutput {
    /// Nothing: there is no door.
    Off,
    /// A pin with a relay.
    Gpio,
    /// A command.
    Command,
}

impl Default for DoorConfig {
    /// No door; three seconds open, two quiet, and nobody may until somebody is named.
    fn default() -> Self {
        Self {
            output: DoorOutput::Off,
            gpio_chip: "/dev/gpiochip0".into(),
            gpio_line: 0,
            gpio_active_low: false,
            command: Vec::new(),
            command_timeout_ms: 2000,
            names: false,
            pulse_ms: 3000,
            quiet_ms: 2000,
            stale_ms: 1000,
            everybody: false,
            people: Vec::new(),
            without_liveness: false,
        }
    }
}

impl DoorConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        for (name, found, least, most) in [
            ("pulse_ms", self.pulse_ms, 50, 60_000),
            ("quiet_ms", self.quiet_ms, 0, 600_000),
            ("stale_ms", self.stale_ms, 100, 5000),
            ("command_timeout_ms", self.command_timeout_ms, 100, 30_000),
        ] {
            if !(least..=most).contains(&found) {
                return Err(format!(
                    "door.{name} = {found}, which is not from {least} to {most}"
                ));
            }
        }
        let program = self.command.first().map_or("", String::as_str);
        if self.output == DoorOutput::Command && !program.starts_with('/') {
            return Err(format!(
                "door.command = {:?}, whose program is not a whole path like \"/usr/local/bin/open-door\"",
                self.command
            ));
        }
        Ok(())
    }
}

/// A greeting that may open the door.
#[derive(Clone, PartialEq)]
pub struct Greeting {
    /// Who, as a number in the gallery.
    pub identity: u32,
    /// The name that is shown.
    pub name: String,
    /// When the frame was taken that decided.
    pub decided_at: Timestamp,
    /// What the checks for a living person say.
    pub liveness: Liveness,
}

impl fmt::Debug for Greeting {
    /// Without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Greeting(#{}, {})", self.identity, self.decided_at)
    }
}

/// Where the relay's contact stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The door is locked.
    Inactive,
    /// The door may be opened.
    Active,
}

/// Why a greeting did not open the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This person may not.
    NotAllowed,
    /// Not shown to be a living person.
    NotLive,
    /// The decision is too old, or from the future.
    Stale,
    /// The door is open, or was a moment ago.
    Again,
    /// The output or the kiosk has a fault.
    Fault,
}

impl Refusal {
    /// For an event.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotAllowed => "this person may not open the door",
            Self::NotLive => "not shown to be a living person",
            Self::Stale => "the decision was too old",
            Self::Again => "it was opened a moment ago",
            Self::Fault => "there is a fault",
        }
    }
}

/// Why the door's output does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The pin does not.
    #[error(
        "expected the door's relay on line {line} of {chip}, found: {found}; check [door] gpio_chip and gpio_line, and who may use the chip"
    )]
    Gpio {
        /// The chip.
        chip: PathBuf,
        /// The line.
        line: u32,
        /// What the system said.
        found: String,
    },
    /// The command does not.
    #[error(
        "expected the door's command {program} to succeed, found: {found}; run it by hand and read what it says"
    )]
    Command {
        /// The program.
        program: String,
        /// What it did.
        found: String,
    },
}

/// What the door's state is turned into.
pub trait Output: Send {
    /// Puts the contact there, without waiting.
    ///
    /// # Errors
    /// [`DoorError`] when it does not stand there for certain.
    fn set(
        &mut self,
        now: Timestamp,
        contact: Contact,
        greeting: Option<&Greeting>,
    ) -> Result<(), DoorError>;

    /// Looks after what takes time; called every few milliseconds.
    ///
    /// # Errors
    /// [`DoorError`] when what was begun failed.
    fn tick(&mut self, _now: Timestamp) -> Result<(), DoorError> {
        Ok(())
    }

    /// Whether something that was begun has not ended.
    fn is_busy(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { since: Timestamp },
    Quiet { since: Timestamp },
    Fault,
}

/// The state of the door; it knows no output and no clock.
#[derive(Clone, Debug)]
pub struct Door {
    pulse: Duration,
    quiet: Duration,
    stale: Duration,
    everybody: bool,
    people: Vec<u32>,
    without_liveness: bool,
    state: State,
}

impl Door {
    /// A closed door.
    pub fn new(config: &DoorConfig) -> Self {
        Self {
            pulse: Duration::from_millis(config.pulse_ms),
            quiet: Duration::from_millis(config.quiet_ms),
            stale: Duration::from_millis(config.stale_ms),
            everybody: config.everybody,
            people: config.people.clone(),
            without_liveness: config.without_liveness,
            state: State::Closed,
        }
    }

    /// Somebody was greeted: opens the door if that person may.
    ///
    /// # Errors
    /// [`Refusal`] when the door stays as it is.
    pub fn greet(&mut self, now: Timestamp, greeting: &Greeting) -> Result<(), Refusal> {
        self.tick(now);
        let live = match greeting.liveness {
            Liveness::Live => true,
            Liveness::Off => self.without_liveness,
            Liveness::Pending(_) | Liveness::Refused => false,
        };
        let decided = greeting.decided_at;
        let fresh = decided <= now && now.since(decided) < self.stale;
        match self.state {
            _ if !(self.everybody || self.people.contains(&greeting.identity)) => {
                Err(Refusal::NotAllowed)
            }
            _ if !live => Err(Refusal::NotLive),
            _ if !fresh => Err(Refusal::Stale),
            State::Fault => Err(Refusal::Fault),
            State::Open { .. } | State::Quiet { .. } => Err(Refusal::Again),
            State::Closed => {
                self.state = State::Open { since: now };
                Ok(())
            }
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) {
        // A clock that goes backward closes the door as well.
        if let State::Open { since } = self.state
            && (now < since || now.since(since) >= self.pulse)
        {
            self.state = State::Quiet { since: now };
        }
        if let State::Quiet { since } = self.state
            && now.since(since) >= self.quiet
        {
            self.state = State::Closed;
        }
    }

    /// Something is wrong: the door is closed until [`Door::recover`].
    pub fn fault(&mut self) {
        self.state = State::Fault;
    }

    /// What was wrong is right again; the door stays closed for the quiet time.
    pub fn recover(&mut self, now: Timestamp) {
        if self.state == State::Fault {
            self.state = State::Quiet { since: now };
        }
    }

    /// Where the contact has to stand.
    pub fn contact(&self) -> Contact {
        match self.state {
            State::Open { .. } => Contact::Active,
            State::Closed | State::Quiet { .. } | State::Fault => Contact::Inactive,
        }
    }

    /// How long until time alone changes the state; none when it does not.
    pub fn until_change(&self, now: Timestamp) -> Option<Duration> {
        let (since, lasts) = match self.state {
            State::Open { since } => (since, self.pulse),
            State::Quiet { since } => (since, self.quiet),
            State::Closed | State::Fault => return None,
        };
        Some(lasts.saturating_sub(now.since(since)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::liveness::Prompt;

    pub(crate) fn config() -> DoorConfig {
        DoorConfig {
            people: vec![3, 5],
            ..DoorConfig::default()
        }
    }

    pub(crate) fn greeting(decided_ms: u64) -> Greeting {
        Greeting {
            identity: 3,
            name: "Ada".to_owned(),
            decided_at: at(decided_ms),
            liveness: Liveness::Live,
        }
    }

    pub(crate) fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Active or not at each 100 ms, `#` or `.`, with a greeting of somebody allowed at the times given.
    fn course(greeted_ms: &[u64], until_ms: u64) -> String {
        let mut door = Door::new(&config());
        (0..=until_ms)
            .step_by(100)
            .map(|now| {
                door.tick(at(now));
                if greeted_ms.contains(&now) {
                    let _ = door.greet(at(now), &greeting(now));
                }
                match door.contact() {
                    Contact::Active => '#',
                    Contact::Inactive => '.',
                }
            })
            .collect()
    }

    #[test]
    fn one_pulse_and_a_quiet_time() {
        assert_eq!(
            course(&[500], 4000),
            format!(".....{}......", "#".repeat(30))
        );
        let all: Vec<u64> = (0..=20_000).step_by(100).collect();
        let course = course(&all, 19_999);
        let period = format!("{}{}", "#".repeat(30), ".".repeat(20));
        assert_eq!(course, period.repeat(4), "greeted without end");
    }

    #[test]
    fn who_is_let_in() {
        let with = |change: &dyn Fn(&mut Greeting)| {
            let mut greeting = greeting(10_000);
            change(&mut greeting);
            greeting
        };
        for (name, greeting, expected) in [
            ("allowed", with(&|_| ()), Ok(())),
            ("the other one", with(&|g| g.identity = 5), Ok(())),
            (
                "known and not allowed",
                with(&|g| g.identity = 4),
                Err(Refusal::NotAllowed),
            ),
            (
                "no check",
                with(&|g| g.liveness = Liveness::Off),
                Err(Refusal::NotLive),
            ),
            (
                "a picture",
                with(&|g| g.liveness = Liveness::Refused),
                Err(Refusal::NotLive),
            ),
            (
                "a check under way",
                with(&|g| g.liveness = Liveness::Pending(Prompt::Blink)),
                Err(Refusal::NotLive),
            ),
            ("just fresh", with(&|g| g.decided_at = at(9001)), Ok(())),
            (
                "old",
                with(&|g| g.decided_at = at(9000)),
                Err(Refusal::Stale),
            ),
            (
                "from the future",
                with(&|g| g.decided_at = at(10_001)),
                Err(Refusal::Stale),
            ),
        ] {
            let mut door = Door::new(&config());
            assert_eq!(door.greet(at(10_000), &greeting), expected, "{name}");
            let expected = match expected {
                Ok(()) => Contact::Active,
                Err(_) => Contact::Inactive,
            };
            assert_eq!(door.contact(), expected, "{name}");
        }
        let mut nobody = Door::new(&DoorConfig::default());
        assert_eq!(nobody.greet(at(0), &greeting(0)), Err(Refusal::NotAllowed));
        let mut unchecked = Door::new(&DoorConfig {
            without_liveness: true,
            everybody: true,
            ..DoorConfig::default()
        });
        let off = with(&|g| g.liveness = Liveness::Off);
        assert_eq!(unchecked.greet(at(10_000), &off), Ok(()));
    }

    #[test]
    fn a_fault_closes_and_keeps_closed() {
        let mut door = Door::new(&config());
        door.greet(at(0), &greeting(0)).unwrap();
        door.fault();
        assert_eq!(door.contact(), Contact::Inactive);
        door.tick(at(60_000));
        assert_eq!(
            door.greet(at(60_000), &greeting(60_000)),
            Err(Refusal::Fault)
        );
        door.recover(at(60_000));
        assert_eq!(
            door.greet(at(61_000), &greeting(61_000)),
            Err(Refusal::Again)
        );
        assert_eq!(door.greet(at(62_000), &greeting(62_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_jumps_closes_the_door() {
        for now in [0, 315_360_000_000] {
            let mut door = Door::new(&config());
            door.greet(at(5000), &greeting(5000)).unwrap();
            door.tick(at(now));
            assert_eq!(door.contact(), Contact::Inactive, "{now}");
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(config().check().is_ok());
        let hook = |command: &[&str]| DoorConfig {
            output: DoorOutput::Command,
            command: command.iter().map(|part| (*part).to_owned()).collect(),
            ..config()
        };
        for (wrong, named) in [
            (
                DoorConfig {
                    pulse_ms: 0,
                    ..config()
                },
                "door.pulse_ms = 0",
            ),
            (
                DoorConfig {
                    stale_ms: 9999,
                    ..config()
                },
                "door.stale_ms",
            ),
            (hook(&[]), "door.command = []"),
            (hook(&["open-door"]), "door.command"),
        ] {
            let message = wrong.check().unwrap_err();
            assert!(message.starts_with(named), "{message}");
        }
        assert!(hook(&["/bin/true"]).check().is_ok());
    }
}
