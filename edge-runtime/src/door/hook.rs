//! The door as a command: run at each change, without a shell, killed when it takes too long, never waited for.
//!
//! It gets `USHER_DOOR` (`open` or `closed`), for `open` also `USHER_IDENTITY`, `USHER_AT_MS`, and `USHER_NAME` if the
//! settings say so; beside these only `PATH`. What is done for `open` must last until `closed` is run.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Contact, DoorConfig, DoorError, Greeting, Output};
use crate::clock::Timestamp;

/// Where programs that the command starts are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the command is told.
type Environment = Vec<(&'static str, String)>;

/// A command that opens and closes.
pub struct CommandHook {
    command: Vec<String>,
    timeout: Duration,
    names: bool,
    running: Option<Running>,
    /// What is to be run when the running one has ended; only the latest counts.
    next: Option<Environment>,
}

struct Running {
    child: Child,
    since: Timestamp,
}

impl CommandHook {
    /// The command of `config`; nothing is run yet.
    pub fn new(config: &DoorConfig) -> Self {
        Self {
            command: config.command.clone(),
            timeout: Duration::from_millis(config.command_timeout_ms),
            names: config.names,
            running: None,
            next: None,
        }
    }

    fn environment(&self, contact: Contact, greeting: Option<&Greeting>) -> Environment {
        let door = match contact {
            Contact::Active => "open",
            Contact::Inactive => "closed",
        };
        let mut environment = vec![("PATH", PATH.to_owned()), ("USHER_DOOR", door.to_owned())];
        if let (Contact::Active, Some(greeting)) = (contact, greeting) {
            environment.push(("USHER_IDENTITY", greeting.identity.to_string()));
            environment.push(("USHER_AT_MS", greeting.decided_at.millis().to_string()));
            if self.names {
                environment.push(("USHER_NAME", greeting.name.clone()));
            }
        }
        environment
    }

    fn start(&mut self, now: Timestamp, environment: Environment) -> Result<(), DoorError> {
        use std::os::unix::process::CommandExt;
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(self.failed("no command"));
        };
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, so that what it starts is killed with it.
            .process_group(0)
            .spawn()
            .map_err(|error| self.failed(&error.to_string()))?;
        self.running = Some(Running { child, since: now });
        Ok(())
    }

    /// Looks whether the running command has ended, and kills it when its time is over.
    fn reap(&mut self, now: Timestamp) -> Result<(), DoorError> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        let found = match running.child.try_wait() {
            Ok(Some(status)) if status.success() => None,
            Ok(Some(status)) => Some(status.to_string()),
            Ok(None) if now.since(running.since) < self.timeout => return Ok(()),
            Ok(None) => {
                kill(&mut running.child);
                Some(format!(
                    "not ended after {} ms; it was killed",
                    self.timeout.as_millis()
                ))
            }
            Err(error) => Some(error.to_string()),
        };
        self.running = None;
        match found {
            None => Ok(()),
            Some(found) => Err(self.failed(&found)),
        }
    }

    fn failed(&self, found: &str) -> DoorError {
        DoorError::Command {
            program: self.command.first().cloned().unwrap_or_default(),
            found: found.replace("; ", ", "),
        }
    }
}

impl Output for CommandHook {
    fn set(
        &mut self,
        now: Timestamp,
        contact: Contact,
        greeting: Option<&Greeting>,
    ) -> Result<(), DoorError> {
        self.next = Some(self.environment(contact, greeting));
        self.tick(now)
    }

    fn tick(&mut self, now: Timestamp) -> Result<(), DoorError> {
        let ended = self.reap(now);
        // What comes next is run though the one before failed: closing must not wait for a fault to be looked at.
        if self.running.is_none()
            && let Some(environment) = self.next.take()
        {
            self.start(now, environment)?;
        }
        ended
    }

    fn is_busy(&self) -> bool {
        self.running.is_some() || self.next.is_some()
    }
}

/// Kills the command and what it started.
fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for CommandHook {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            kill(&mut running.child);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use super::super::tests::{at, greeting};
    use super::*;

    /// A hook that runs a line of shell; what it is told lies in the environment.
    fn hook(line: &str, names: bool) -> CommandHook {
        let command = ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
        CommandHook::new(&DoorConfig {
            command,
            names,
            ..DoorConfig::default()
        })
    }

    /// Ticks until nothing runs; the hook's clock stands at `now`.
    fn settle(hook: &mut CommandHook, now: u64) -> Result<(), DoorError> {
        let begin = Instant::now();
        let mut result = Ok(());
        while hook.is_busy() {
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "the command does not end"
            );
            result = result.and(hook.tick(at(now)));
            std::thread::yield_now();
        }
        result
    }

    fn written(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("out")).unwrap_or_default()
    }

    #[test]
    fn it_is_told_what_happened_and_a_name_only_if_the_settings_say_so() {
        for (names, expected) in [
            (false, "open 3 700 unnamed\nclosed none none unnamed\n"),
            (true, "open 3 700 Ada\nclosed none none unnamed\n"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let out = folder.path().join("out");
            let line = format!(
                "echo $USHER_DOOR ${{USHER_IDENTITY-none}} ${{USHER_AT_MS-none}} ${{USHER_NAME-unnamed}} >> {}",
                out.display()
            );
            let mut hook = hook(&line, names);
            hook.set(at(1000), Contact::Active, Some(&greeting(700)))
                .unwrap();
            settle(&mut hook, 1000).unwrap();
            hook.set(at(4000), Contact::Inactive, Some(&greeting(700)))
                .unwrap();
            settle(&mut hook, 4000).unwrap();
            assert_eq!(written(folder.path()), expected);
        }
    }

    #[test]
    fn nothing_else_of_the_environment_is_passed_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut hook = hook(&format!("env > {}/out", folder.path().display()), false);
        hook.set(at(0), Contact::Inactive, None).unwrap();
        settle(&mut hook, 0).unwrap();
        let text = written(folder.path());
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0))
            // The shell's own.
            .filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"))
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["PATH", "USHER_DOOR"]);
    }

    #[test]
    fn a_failure_is_told_and_closing_still_runs() {
        let folder = tempfile::tempdir().unwrap();
        let line = format!(
            "echo $USHER_DOOR >> {}/out; exit 3",
            folder.path().display()
        );
        let mut hook = hook(&line, false);
        hook.set(at(0), Contact::Active, None).unwrap();
        // Closing is asked for while opening still runs.
        let asked = hook.set(at(0), Contact::Inactive, None);
        let message = asked.and(settle(&mut hook, 0)).unwrap_err().to_string();
        assert!(
            message.contains("/bin/sh to succeed, found: exit status: 3; run it by hand"),
            "{message}"
        );
        assert_eq!(written(folder.path()), "open\nclosed\n");
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let line = format!(
            "if [ $USHER_DOOR = open ]; then sleep 1000 & echo $! > {0}/pid; wait; else echo closed > {0}/out; fi",
            folder.path().display()
        );
        let mut hook = hook(&line, false);
        let begin = Instant::now();
        hook.set(at(0), Contact::Active, None).unwrap();
        hook.set(at(3000), Contact::Inactive, None).unwrap_err();
        settle(&mut hook, 3000).unwrap();
        assert_eq!(written(folder.path()), "closed\n");
        assert!(begin.elapsed() < Duration::from_secs(20));
        if let Ok(pid) = std::fs::read_to_string(folder.path().join("pid")) {
            // A killed process is there for a moment, and as a zombie where nobody asks for it.
            let lives = || {
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
                stat.is_ok_and(|stat| !stat.contains(") Z "))
            };
            while lives() {
                assert!(
                    begin.elapsed() < Duration::from_secs(20),
                    "what it started lives on"
                );
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_not_a_panic() {
        let mut hook = CommandHook::new(&DoorConfig {
            command: vec!["/nowhere/open".to_owned()],
            ..DoorConfig::default()
        });
        let message = hook
            .set(at(0), Contact::Active, None)
            .unwrap_err()
            .to_string();
        assert!(message.contains("/nowhere/open"), "{message}");
        assert!(!hook.is_busy());
    }
}
