//! Keeps the output where the door's state wants it, in a thread of its own that nothing else can hold up.
//!
//! The relay is made inactive at the start, on any fault, when the keeper is dropped and so also when its thread
//! panics. An output that fails is a fault: it is told to be inactive again and again until it obeys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::{Contact, Door, DoorConfig, DoorError, Greeting, Output, Refusal};
use crate::clock::Timestamp;
use crate::clock::moment::Clocks;

/// Time between two tries to make a faulty output inactive.
const RETRY: Duration = Duration::from_secs(5);
/// Greetings that wait; more are dropped, which leaves the door closed.
const WAITING: usize = 16;
/// How often the keeper looks after a running command, and after faults told from outside.
const TICK: Duration = Duration::from_millis(20);
/// How long closing waits for a command at the end.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Something that the record should know of the door.
#[derive(Debug)]
pub enum Notice {
    /// The relay is active.
    Opened {
        /// For whom, as a number in the gallery.
        identity: u32,
    },
    /// The relay is inactive again.
    Closed,
    /// A greeting did not open the door.
    Refused {
        /// Whose, as a number in the gallery.
        identity: u32,
        /// Why.
        why: Refusal,
    },
    /// The output does not obey.
    Fault(DoorError),
    /// The output obeys again.
    Recovered,
}

/// The door's state and its output.
pub struct Keeper<O: Output> {
    door: Door,
    output: O,
    contact: Contact,
    greeting: Option<Greeting>,
    faulty: Option<Faulty>,
    fault_outside: bool,
}

/// An output that failed and is not known to be inactive.
#[derive(Clone, Copy, Debug)]
struct Faulty {
    next_try: Timestamp,
    /// It was told to be inactive and has not failed yet.
    retrying: bool,
}

impl<O: Output> Keeper<O> {
    /// A closed door; the output is made inactive now, and a notice says if it does not obey.
    pub fn new(config: &DoorConfig, output: O, now: Timestamp) -> (Self, Vec<Notice>) {
        let mut keeper = Self {
            door: Door::new(config),
            output,
            contact: Contact::Inactive,
            greeting: None,
            faulty: None,
            fault_outside: false,
        };
        let notices = match keeper.output.set(now, Contact::Inactive, None) {
            Ok(()) => Vec::new(),
            Err(error) => keeper.fail(now, error),
        };
        (keeper, notices)
    }

    /// Somebody was greeted.
    pub fn greet(&mut self, now: Timestamp, greeting: Greeting) -> Vec<Notice> {
        let mut notices = self.tick(now);
        match self.door.greet(now, &greeting) {
            Ok(()) => {
                self.greeting = Some(greeting);
                notices.extend(self.drive(now));
            }
            Err(why) => notices.push(Notice::Refused {
                identity: greeting.identity,
                why,
            }),
        }
        notices
    }

    /// Something else of the kiosk has a fault, or has it no more.
    pub fn fault_outside(&mut self, now: Timestamp, faulty: bool) -> Vec<Notice> {
        match (self.fault_outside, faulty) {
            (false, true) => self.door.fault(),
            (true, false) if self.faulty.is_none() => self.door.recover(now),
            _ => {}
        }
        self.fault_outside = faulty;
        self.drive(now)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Notice> {
        let mut notices = match self.output.tick(now) {
            Ok(()) => Vec::new(),
            Err(error) => self.fail(now, error),
        };
        self.door.tick(now);
        notices.extend(self.drive(now));
        notices
    }

    /// Whether something has to be looked after soon.
    pub fn is_busy(&self) -> bool {
        self.output.is_busy()
    }

    /// How long until time alone changes the state; none when it does not.
    pub fn until_change(&self, now: Timestamp) -> Option<Duration> {
        self.door.until_change(now)
    }

    /// Puts the output where the state wants it.
    fn drive(&mut self, now: Timestamp) -> Vec<Notice> {
        if let Some(faulty) = self.faulty {
            return self.retry(now, faulty);
        }
        let wanted = self.door.contact();
        if wanted == self.contact {
            return Vec::new();
        }
        match self.output.set(now, wanted, self.greeting.as_ref()) {
            Ok(()) => {
                self.contact = wanted;
                vec![match (wanted, &self.greeting) {
                    (Contact::Active, Some(greeting)) => Notice::Opened {
                        identity: greeting.identity,
                    },
                    _ => Notice::Closed,
                }]
            }
            Err(error) => {
                let mut notices = self.fail(now, error);
                notices.extend(self.drive(now));
                notices
            }
        }
    }

    /// Tells an output that failed to be inactive, until it obeys.
    fn retry(&mut self, now: Timestamp, faulty: Faulty) -> Vec<Notice> {
        if !faulty.retrying && now < faulty.next_try {
            return Vec::new();
        }
        if !faulty.retrying {
            if let Err(error) = self.output.set(now, Contact::Inactive, None) {
                return self.fail(now, error);
            }
            self.faulty = Some(Faulty {
                retrying: true,
                ..faulty
            });
        }
        if self.output.is_busy() {
            return Vec::new();
        }
        self.faulty = None;
        if !self.fault_outside {
            self.door.recover(now);
        }
        let was = std::mem::replace(&mut self.contact, Contact::Inactive);
        match was {
            Contact::Active => vec![Notice::Closed, Notice::Recovered],
            Contact::Inactive => vec![Notice::Recovered],
        }
    }

    /// Notes that the output failed; told once, until it recovers.
    fn fail(&mut self, now: Timestamp, error: DoorError) -> Vec<Notice> {
        self.door.fault();
        let first = self.faulty.is_none();
        let wait = match first {
            true => Duration::ZERO,
            false => RETRY,
        };
        self.faulty = Some(Faulty {
            next_try: Timestamp::from_millis(now.millis() + wait.as_millis() as u64),
            retrying: false,
        });
        match first {
            true => vec![Notice::Fault(error)],
            false => Vec::new(),
        }
    }
}

impl<O: Output> Drop for Keeper<O> {
    fn drop(&mut self) {
        // Without a clock of its own: a moment at which no command has timed out yet.
        let now = Timestamp::default();
        let _ = self.output.set(now, Contact::Inactive, None);
        let begin = std::time::Instant::now();
        while self.output.is_busy() && begin.elapsed() < LAST_WAIT {
            std::thread::sleep(TICK);
            let _ = self.output.tick(now);
        }
    }
}

/// What the rest of the kiosk has of its door.
#[derive(Debug)]
pub struct DoorHandle {
    greetings: SyncSender<Greeting>,
    fault: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl DoorHandle {
    /// Somebody was greeted; never waits. Where too many greetings wait already, the door stays closed.
    pub fn greet(&self, greeting: Greeting) {
        let _ = self.greetings.try_send(greeting);
    }

    /// The kiosk has a fault, or has it no more; the door stays closed while it has.
    pub fn set_fault(&self, faulty: bool) {
        self.fault.store(faulty, Ordering::Release);
    }

    /// Closes the door for good and waits until it is closed, three seconds at most; for the end of the process.
    pub fn close(&self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.ended.recv_timeout(LAST_WAIT + Duration::from_secs(1));
    }
}

impl Drop for DoorHandle {
    fn drop(&mut self) {
        self.close();
    }
}

/// Keeps the door in a thread of its own; `tell` gets what the record should know, in that thread.
///
/// # Errors
/// Any `io::Error` of starting the thread; the door is closed then.
pub fn keep<O: Output + 'static>(
    config: &DoorConfig,
    output: O,
    clocks: Arc<dyn Clocks>,
    mut tell: impl FnMut(Notice) + Send + 'static,
) -> std::io::Result<DoorHandle> {
    let (greetings, waiting) = sync_channel(WAITING);
    let (ending, ended) = sync_channel(1);
    let fault = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let handle = DoorHandle {
        greetings,
        fault: Arc::clone(&fault),
        stop: Arc::clone(&stop),
        ended,
    };
    let (keeper, notices) = Keeper::new(config, output, clocks.now());
    std::thread::Builder::new()
        .name("door".to_owned())
        .spawn(move || {
            // Declared first, so that it is dropped last: whoever waits for the end waits for the closing too.
            let _ending = ending;
            notices.into_iter().for_each(&mut tell);
            run(keeper, &waiting, (&fault, &stop), clocks.as_ref(), tell);
        })?;
    Ok(handle)
}

fn run<O: Output>(
    mut keeper: Keeper<O>,
    waiting: &Receiver<Greeting>,
    (fault, stop): (&AtomicBool, &AtomicBool),
    clocks: &dyn Clocks,
    mut tell: impl FnMut(Notice),
) {
    while !stop.load(Ordering::Acquire) {
        let greeting = match waiting.recv_timeout(TICK) {
            Ok(greeting) => Some(greeting),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let now = clocks.now();
        let mut notices = keeper.fault_outside(now, fault.load(Ordering::Acquire));
        notices.extend(match greeting {
            Some(greeting) => keeper.greet(now, greeting),
            None => keeper.tick(now),
        });
        notices.into_iter().for_each(&mut tell);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::tests::{at, config, greeting};
    use super::*;

    /// What a fake chip's line was told, and whether it obeys.
    #[derive(Clone, Default)]
    struct Chip(Arc<Mutex<Line>>);

    #[derive(Default)]
    struct Line {
        told: Vec<Contact>,
        broken: bool,
        busy: bool,
    }

    impl Chip {
        fn told(&self) -> Vec<Contact> {
            self.0.lock().unwrap().told.clone()
        }

        fn last(&self) -> Option<Contact> {
            self.told().last().copied()
        }

        fn set_broken(&self, broken: bool) {
            self.0.lock().unwrap().broken = broken;
        }
    }

    impl Output for Chip {
        fn set(
            &mut self,
            _now: Timestamp,
            contact: Contact,
            _greeting: Option<&Greeting>,
        ) -> Result<(), DoorError> {
            let mut line = self.0.lock().unwrap();
            if line.broken {
                return Err(DoorError::Gpio {
                    chip: "fake".into(),
                    line: 1,
                    found: "no answer".to_owned(),
                });
            }
            line.told.push(contact);
            Ok(())
        }

        fn is_busy(&self) -> bool {
            self.0.lock().unwrap().busy
        }
    }

    /// The notices in short.
    fn short(notices: &[Notice]) -> String {
        let words: Vec<&str> = notices
            .iter()
            .map(|notice| match notice {
                Notice::Opened { .. } => "opened",
                Notice::Closed => "closed",
                Notice::Refused { .. } => "refused",
                Notice::Fault(_) => "fault",
                Notice::Recovered => "recovered",
            })
            .collect();
        words.join(" ")
    }

    #[test]
    fn inactive_at_the_start_after_the_pulse_and_at_the_end() {
        let chip = Chip::default();
        let (mut keeper, notices) = Keeper::new(&config(), chip.clone(), at(0));
        assert_eq!(
            (short(&notices).as_str(), chip.last()),
            ("", Some(Contact::Inactive))
        );
        assert_eq!(short(&keeper.greet(at(1000), greeting(1000))), "opened");
        assert_eq!(chip.last(), Some(Contact::Active));
        assert_eq!(
            keeper.until_change(at(1500)),
            Some(Duration::from_millis(2500))
        );
        assert_eq!(short(&keeper.greet(at(3900), greeting(3900))), "refused");
        assert_eq!(short(&keeper.tick(at(4000))), "closed");
        assert_eq!(chip.last(), Some(Contact::Inactive));
        assert_eq!(short(&keeper.greet(at(6000), greeting(6000))), "opened");
        drop(keeper);
        assert_eq!(chip.last(), Some(Contact::Inactive), "dropped while open");
    }

    #[test]
    fn a_panic_closes_the_door() {
        let chip = Chip::default();
        let (mut keeper, _) = Keeper::new(&config(), chip.clone(), at(0));
        keeper.greet(at(0), greeting(0));
        assert_eq!(chip.last(), Some(Contact::Active));
        let thread = std::thread::spawn(move || {
            let _keeper = keeper;
            std::panic::resume_unwind(Box::new("a bug"));
        });
        assert!(thread.join().is_err());
        assert_eq!(chip.last(), Some(Contact::Inactive));
    }

    #[test]
    fn a_fault_elsewhere_closes_the_door_until_it_is_gone() {
        let chip = Chip::default();
        let (mut keeper, _) = Keeper::new(&config(), chip.clone(), at(0));
        keeper.greet(at(0), greeting(0));
        assert_eq!(short(&keeper.fault_outside(at(100), true)), "closed");
        assert_eq!(chip.last(), Some(Contact::Inactive));
        assert_eq!(short(&keeper.greet(at(9000), greeting(9000))), "refused");
        assert_eq!(short(&keeper.fault_outside(at(9000), false)), "");
        assert_eq!(short(&keeper.greet(at(11_000), greeting(11_000))), "opened");
    }

    #[test]
    fn an_output_that_fails_is_told_to_close_until_it_obeys() {
        let chip = Chip::default();
        let (mut keeper, _) = Keeper::new(&config(), chip.clone(), at(0));
        keeper.greet(at(0), greeting(0));
        chip.set_broken(true);
        assert_eq!(short(&keeper.tick(at(3000))), "fault", "it does not close");
        assert_eq!(short(&keeper.tick(at(3020))), "", "told once");
        assert_eq!(short(&keeper.tick(at(60_000))), "");
        chip.set_broken(false);
        assert_eq!(short(&keeper.tick(at(60_020))), "", "not yet tried again");
        assert_eq!(short(&keeper.tick(at(65_000))), "closed recovered");
        assert_eq!(chip.last(), Some(Contact::Inactive));
        assert_eq!(
            short(&keeper.greet(at(65_000), greeting(65_000))),
            "refused"
        );
        assert_eq!(short(&keeper.greet(at(67_000), greeting(67_000))), "opened");
    }

    #[test]
    fn an_output_that_fails_at_the_start_opens_for_nobody() {
        let chip = Chip::default();
        chip.set_broken(true);
        let (mut keeper, notices) = Keeper::new(&config(), chip.clone(), at(0));
        assert_eq!(short(&notices), "fault");
        assert_eq!(short(&keeper.greet(at(10), greeting(10))), "refused");
        assert_eq!(chip.told(), []);
        chip.set_broken(false);
        chip.0.lock().unwrap().busy = true;
        assert_eq!(short(&keeper.tick(at(6000))), "", "it has not obeyed yet");
        chip.0.lock().unwrap().busy = false;
        assert_eq!(short(&keeper.tick(at(6020))), "recovered");
    }

    #[test]
    fn the_thread_opens_refuses_and_closes_at_its_end() {
        use crate::clock::moment::DeviceClocks;
        let chip = Chip::default();
        let (sender, notices) = std::sync::mpsc::channel();
        let clocks = Arc::new(DeviceClocks::new(&[]));
        let (output, now) = (chip.clone(), clocks.now().millis());
        // A busy machine must not make a greeting stale, nor end the pulse.
        let patient = DoorConfig {
            stale_ms: 600_000,
            pulse_ms: 600_000,
            ..config()
        };
        let handle = keep(&patient, output, clocks, move |notice| {
            let _ = sender.send(notice);
        })
        .unwrap();
        let next = || short(&[notices.recv_timeout(Duration::from_secs(20)).unwrap()]);
        handle.greet(greeting(now));
        assert_eq!(next(), "opened");
        handle.greet(Greeting {
            identity: 9,
            ..greeting(now)
        });
        assert_eq!(next(), "refused");
        handle.set_fault(true);
        assert_eq!(next(), "closed");
        handle.close();
        assert_eq!(chip.last(), Some(Contact::Inactive));
    }
}
