//! What `usher camera probe` finds at each node, as data and as text.

use std::fmt;

use serde::Serialize;

use super::negotiation::{Choice, Offer, OfferedSize};

/// A node and what is behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct DeviceFound {
    /// `/dev/videoN`.
    pub(crate) node: String,
    /// The link that stays the same while it is plugged in there.
    pub(crate) by_path: Option<String>,
    /// Kernel driver.
    pub(crate) driver: String,
    /// Name of the camera.
    pub(crate) card: String,
    /// Where it is plugged in.
    pub(crate) bus: String,
    /// All formats, readable or not.
    pub(crate) formats: Vec<FormatFound>,
    /// Controls, or why they cannot be listed.
    pub(crate) controls: Result<Vec<ControlFound>, String>,
    /// What usher would take.
    pub(crate) choice: Option<Choice>,
    /// Why it would take nothing, and what to do.
    pub(crate) problem: Option<String>,
}

/// A format and whether it can be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FormatFound {
    /// V4L2's name for it.
    pub(crate) fourcc: String,
    /// The driver's description.
    pub(crate) description: String,
    /// Why it cannot be read, and what to do.
    pub(crate) unsupported: Option<String>,
    /// Its sizes and rates, if it can.
    pub(crate) offer: Option<Offer>,
}

/// A control.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ControlFound {
    /// V4L2's number for it.
    pub(crate) id: u32,
    /// Its name.
    pub(crate) name: String,
    /// What it holds: a number, a switch, a menu.
    pub(crate) kind: String,
    /// Least value.
    pub(crate) least: i64,
    /// Greatest value.
    pub(crate) most: i64,
    /// Value after power on.
    pub(crate) default: i64,
    /// Value now, where there is a single one.
    pub(crate) now: Option<i64>,
    /// What can be chosen in a menu.
    pub(crate) choices: Vec<String>,
}

impl fmt::Display for DeviceFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  {} ({}, {})",
            self.node, self.card, self.driver, self.bus
        )?;
        if let Some(link) = &self.by_path {
            writeln!(f, "  stays the same as  {link}")?;
        }
        match (&self.choice, &self.problem) {
            (Some(choice), _) => writeln!(
                f,
                "  usher would take   {} {}x{} at {} frames per second",
                choice.format,
                choice.width_px,
                choice.height_px,
                short(choice.frames_per_second)
            )?,
            (None, Some(problem)) => writeln!(f, "  cannot be used     {problem}")?,
            (None, None) => {}
        }
        for format in &self.formats {
            match (&format.offer, &format.unsupported) {
                (Some(offer), _) => {
                    writeln!(f, "  {}  {}", format.fourcc, format.description)?;
                    for size in &offer.sizes {
                        writeln!(f, "        {size}")?;
                    }
                }
                (None, why) => writeln!(
                    f,
                    "  {}  not supported: {}",
                    format.fourcc,
                    why.as_deref().unwrap_or("unknown")
                )?,
            }
        }
        match &self.controls {
            Err(why) => writeln!(f, "  controls: {why}")?,
            Ok(controls) => {
                for control in controls {
                    write!(
                        f,
                        "  {:#010x}  {} ({}) {} to {}, default {}",
                        control.id,
                        control.name,
                        control.kind,
                        control.least,
                        control.most,
                        control.default
                    )?;
                    match control.now {
                        Some(now) => writeln!(f, ", now {now}")?,
                        None => writeln!(f)?,
                    }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for OfferedSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = &self.sizes;
        if sizes.least == sizes.most {
            write!(f, "{}x{}", sizes.least.0, sizes.least.1)?;
        } else {
            write!(
                f,
                "{}x{} to {}x{} in steps of {}x{}",
                sizes.least.0,
                sizes.least.1,
                sizes.most.0,
                sizes.most.1,
                sizes.step.0,
                sizes.step.1
            )?;
        }
        let rates: Vec<String> = self.rates.iter().map(|rate| short(*rate)).collect();
        if rates.is_empty() {
            write!(f, "  (rates are not listed)")
        } else {
            write!(f, "  {}", rates.join(", "))
        }
    }
}

/// With two decimals at most.
fn short(rate: f64) -> String {
    ((rate * 100.0).round() / 100.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::negotiation::Sizes;
    use super::*;

    #[test]
    fn text_names_choice_and_what_cannot_be_used() {
        let found = DeviceFound {
            node: "/dev/video0".to_owned(),
            by_path: None,
            driver: "uvcvideo".to_owned(),
            card: "Camera".to_owned(),
            bus: "usb-2".to_owned(),
            formats: vec![FormatFound {
                fourcc: "RGGB".to_owned(),
                description: "8-bit Bayer".to_owned(),
                unsupported: Some("RGGB is raw Bayer; use a USB camera".to_owned()),
                offer: None,
            }],
            controls: Ok(Vec::new()),
            choice: None,
            problem: Some("nothing that can be read; use a USB camera".to_owned()),
        };
        let text = found.to_string();
        assert!(text.contains("cannot be used     nothing"), "{text}");
        assert!(
            text.contains("RGGB  not supported: RGGB is raw Bayer"),
            "{text}"
        );
        let size = OfferedSize {
            sizes: Sizes::only(640, 480),
            rates: vec![30.0, 29.97002997],
        };
        assert_eq!(size.to_string(), "640x480  30, 29.97");
    }
}
