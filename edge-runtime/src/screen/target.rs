//! Where screens go, as written on the command line and in the settings: `drm`, `fb:/dev/fb0`, `png:DIR`, ...

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use embedded_graphics::prelude::Size;
use serde::{Deserialize, Serialize};

use super::display::{Display, DisplayError, Nowhere, PngDisplay};
use super::drm::DrmDisplay;
use super::framebuffer::Framebuffer;
use super::panel::Rotation;
use super::png::PngScreen;

/// Where screens go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ScreenTarget {
    /// `png:DIR`: one file for each change.
    Png(PathBuf),
    /// `drm`, `drm:/dev/dri/card0`: a panel on a graphics card, without a desktop.
    Drm(Option<PathBuf>),
    /// `fb:/dev/fb0`: a framebuffer.
    Framebuffer(PathBuf),
    /// `window`: on a desktop.
    Window,
    /// `none`: nobody sees it.
    None,
}

/// The size where neither the settings nor a panel says one.
pub const DEFAULT_SIZE: Size = Size::new(800, 480);

impl ScreenTarget {
    /// Opens the display. `size` is the canvas's, absent where the panel says it; for a framebuffer the panel always
    /// does. Whoever opens it is who shows on it: a window stays on its thread.
    ///
    /// # Errors
    /// [`DisplayError`] says what is missing and what to do.
    pub fn open(
        &self,
        size: Option<Size>,
        rotation: Rotation,
    ) -> Result<Box<dyn Display>, DisplayError> {
        let stated = size.unwrap_or(DEFAULT_SIZE);
        Ok(match self {
            Self::Png(folder) => Box::new(PngDisplay::new(PngScreen::open(folder)?, stated)),
            Self::Drm(card) => Box::new(DrmDisplay::open(card.as_deref(), size, rotation)?),
            Self::Framebuffer(device) => Box::new(Framebuffer::open(device, rotation)?),
            #[cfg(feature = "window")]
            Self::Window => Box::new(super::window::WindowDisplay::open(stated)?),
            #[cfg(not(feature = "window"))]
            Self::Window => {
                return Err(DisplayError::Window {
                    reason: "a program built without the feature \"window\"".to_owned(),
                });
            }
            Self::None => Box::new(Nowhere::new(stated)),
        })
    }
}

impl FromStr for ScreenTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, place) = match text.split_once(':') {
            Some((kind, place)) if !place.is_empty() => (kind, Some(PathBuf::from(place))),
            Some(_) => ("", None),
            None => (text, None),
        };
        match (kind, place) {
            ("png", Some(folder)) => Ok(Self::Png(folder)),
            ("drm", card) => Ok(Self::Drm(card)),
            ("fb", Some(device)) => Ok(Self::Framebuffer(device)),
            ("fb", None) => Ok(Self::Framebuffer("/dev/fb0".into())),
            ("window", None) => Ok(Self::Window),
            ("none", None) => Ok(Self::None),
            _ => Err(format!(
                "expected drm, drm:DEVICE, fb:DEVICE, window, png:DIR or none, found \"{text}\"; write for example \
                 png:screens"
            )),
        }
    }
}

impl fmt::Display for ScreenTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Png(folder) => write!(f, "png:{}", folder.display()),
            Self::Drm(None) => write!(f, "drm"),
            Self::Drm(Some(card)) => write!(f, "drm:{}", card.display()),
            Self::Framebuffer(device) => write!(f, "fb:{}", device.display()),
            Self::Window => write!(f, "window"),
            Self::None => write!(f, "none"),
        }
    }
}

impl TryFrom<String> for ScreenTarget {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ScreenTarget> for String {
    fn from(target: ScreenTarget) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_and_written_alike() {
        for (text, target) in [
            ("png:a:b", ScreenTarget::Png("a:b".into())),
            ("drm", ScreenTarget::Drm(None)),
            (
                "drm:/dev/dri/card0",
                ScreenTarget::Drm(Some("/dev/dri/card0".into())),
            ),
            ("fb:/dev/fb1", ScreenTarget::Framebuffer("/dev/fb1".into())),
            ("window", ScreenTarget::Window),
            ("none", ScreenTarget::None),
        ] {
            assert_eq!(text.parse(), Ok(target.clone()), "{text}");
            assert_eq!(target.to_string(), text);
        }
        for text in [
            "", "png", "png:", "drm:", "fb:", "window:1", "none:x", "x11",
        ] {
            let message = text.parse::<ScreenTarget>().unwrap_err();
            assert!(message.contains("; write"), "{text}: {message}");
        }
    }

    #[test]
    fn a_screen_for_nobody_has_a_size_all_the_same() {
        let open = |size| {
            ScreenTarget::None
                .open(size, Rotation::Upright)
                .unwrap()
                .size()
        };
        assert_eq!(open(None), DEFAULT_SIZE);
        assert_eq!(open(Some(Size::new(1280, 800))), Size::new(1280, 800));
    }
}
