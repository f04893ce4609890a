//! An error as the screen and the event log tell it: a cause, and what to do.

/// What is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// Takes an error's message apart.
    ///
    /// Every message of Usher ends in "; what to do"; one that does not comes from elsewhere, and then whoever
    /// looks after the device has to read the log.
    pub fn of(error: &anyhow::Error) -> Self {
        Self::of_message(message(error))
    }

    /// Takes a message apart.
    pub fn of_message(message: String) -> Self {
        match message.rsplit_once("; ") {
            Some((cause, remedy)) => Self {
                cause: cause.to_owned(),
                remedy: remedy.to_owned(),
            },
            None => Self {
                cause: message,
                remedy: "start again and read the log".to_owned(),
            },
        }
    }
}

/// The whole message of `error`: its causes are added unless a message before already says them.
pub fn message(error: &anyhow::Error) -> String {
    let mut whole = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !whole.contains(&cause) {
            whole = format!("{whole}: {cause}");
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn cause_and_remedy_part_at_the_last_semicolon() {
        let fault = Fault::of(&anyhow!("gallery a; b was made by 3f2a; enroll again"));
        assert_eq!(fault.cause, "gallery a; b was made by 3f2a");
        assert_eq!(fault.remedy, "enroll again");
        assert_eq!(Fault::of(&anyhow!("out of memory")).cause, "out of memory");
    }

    #[test]
    fn nothing_is_said_twice() {
        let error =
            Err::<(), _>(anyhow!("disk full")).context("cannot write a: disk full; free space");
        assert_eq!(
            message(&error.unwrap_err()),
            "cannot write a: disk full; free space"
        );
        let error = Err::<(), _>(anyhow!("disk full")).context("cannot write a");
        assert_eq!(message(&error.unwrap_err()), "cannot write a: disk full");
    }
}
