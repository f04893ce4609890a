//! The relay on a pin, by the kernel's GPIO character device; the only file that knows gpiocdev.
//!
//! The line is asked for as an inactive output in one call, so that it is never active by accident, and read back after
//! each change. When a process is killed the kernel frees the line, and most drivers leave its level: the watchdog's
//! restart makes it inactive again. Wire the relay so that it falls off without the board's power.

use gpiocdev::Request;
use gpiocdev::line::Value;

use super::{Contact, DoorConfig, DoorError, Greeting, Output};
use crate::clock::Timestamp;

/// Who holds the line, as `gpioinfo` shows it.
const CONSUMER: &str = "usher-door";

/// An output line.
pub struct GpioRelay {
    request: Request,
    config: DoorConfig,
}

impl GpioRelay {
    /// The line of `config`, inactive.
    ///
    /// # Errors
    /// [`DoorError::Gpio`] when there is no such line, or another program holds it.
    pub fn open(config: &DoorConfig) -> Result<Self, DoorError> {
        let mut builder = Request::builder();
        builder
            .on_chip(&config.gpio_chip)
            .with_consumer(CONSUMER)
            .with_line(config.gpio_line);
        match config.gpio_active_low {
            true => builder.as_active_low(),
            false => builder.as_active_high(),
        };
        let request = builder
            .as_output(Value::Inactive)
            .request()
            .map_err(|error| failed(config, &error.to_string()))?;
        Ok(Self {
            request,
            config: config.clone(),
        })
    }
}

impl Output for GpioRelay {
    fn set(
        &mut self,
        _now: Timestamp,
        contact: Contact,
        _greeting: Option<&Greeting>,
    ) -> Result<(), DoorError> {
        let value = match contact {
            Contact::Active => Value::Active,
            Contact::Inactive => Value::Inactive,
        };
        let found = self
            .request
            .set_lone_value(value)
            .and_then(|()| self.request.lone_value())
            .map_err(|error| failed(&self.config, &error.to_string()))?;
        match found == value {
            true => Ok(()),
            false => Err(failed(
                &self.config,
                &format!("the level {found:?} after setting {value:?}"),
            )),
        }
    }
}

fn failed(config: &DoorConfig, found: &str) -> DoorError {
    DoorError::Gpio {
        chip: config.gpio_chip.clone(),
        line: config.gpio_line,
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_that_is_not_there_is_named() {
        let config = DoorConfig {
            gpio_chip: "/dev/gpiochip-none".into(),
            gpio_line: 17,
            ..DoorConfig::default()
        };
        let message = match GpioRelay::open(&config) {
            Ok(_) => panic!("there is no such chip"),
            Err(error) => error.to_string(),
        };
        assert!(
            message.contains("line 17 of /dev/gpiochip-none"),
            "{message}"
        );
        assert!(message.contains("; check [door] gpio_chip"), "{message}");
    }
}
