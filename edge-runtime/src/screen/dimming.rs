//! How bright the screen is when nobody is there: by the backlight where there is one, else by drawing darker.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the kernel lists backlights.
const SYSFS: &str = "/sys/class/backlight";

/// How long the light takes to go down: slow enough to be no signal. It comes back at once.
const DOWN: Duration = Duration::from_secs(3);

/// When and how far the screen dims.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dimming {
    /// After so long with nobody there; zero: never.
    pub after: Duration,
    /// To this brightness, 0 to 1.
    pub level: f32,
}

impl Dimming {
    /// How bright the screen is, 0 to 1, when nobody has been there for `alone`.
    pub fn brightness(&self, alone: Duration) -> f32 {
        if self.after.is_zero() || alone <= self.after {
            return 1.0;
        }
        let share = ((alone - self.after).as_secs_f32() / DOWN.as_secs_f32()).min(1.0);
        1.0 + (self.level.clamp(0.0, 1.0) - 1.0) * share
    }
}

/// A panel's light.
#[derive(Debug)]
pub struct Backlight {
    file: PathBuf,
    most: u32,
    set: Option<u32>,
}

impl Backlight {
    /// The first backlight of this machine that can be set.
    pub fn find() -> Option<Self> {
        Self::find_in(Path::new(SYSFS))
    }

    fn find_in(folder: &Path) -> Option<Self> {
        let mut lights: Vec<PathBuf> = std::fs::read_dir(folder)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        lights.sort();
        lights.into_iter().find_map(|light| {
            let most = std::fs::read_to_string(light.join("max_brightness")).ok()?;
            let most = most.trim().parse().ok().filter(|most| *most > 0)?;
            let file = light.join("brightness");
            std::fs::OpenOptions::new().write(true).open(&file).ok()?;
            Some(Self {
                file,
                most,
                set: None,
            })
        })
    }

    /// Sets it to `brightness`, 0 to 1; what it is set to already is not written again. Above 0 it never goes out.
    ///
    /// # Errors
    /// Any `io::Error` of writing; whoever calls then draws darker instead.
    pub fn set(&mut self, brightness: f32) -> io::Result<()> {
        let wished = (brightness.clamp(0.0, 1.0) * self.most as f32).round() as u32;
        let value = if brightness > 0.0 { wished.max(1) } else { 0 };
        if self.set == Some(value) {
            return Ok(());
        }
        std::fs::write(&self.file, value.to_string())?;
        self.set = Some(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_dims_slowly_and_only_when_alone() {
        let dimming = Dimming {
            after: Duration::from_secs(60),
            level: 0.4,
        };
        for (millis, expected) in [
            (0, 1.0),
            (60_000, 1.0),
            (61_500, 0.7),
            (63_000, 0.4),
            (86_400_000, 0.4),
        ] {
            let found = dimming.brightness(Duration::from_millis(millis));
            assert!((found - expected).abs() < 1e-4, "{millis}: {found}");
        }
        let never = Dimming {
            after: Duration::ZERO,
            level: 0.0,
        };
        assert_eq!(never.brightness(Duration::MAX), 1.0);
    }

    #[test]
    fn a_backlight_is_found_and_set() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Backlight::find_in(&folder.path().join("none")).is_none());
        let light = folder.path().join("panel");
        std::fs::create_dir(&light).unwrap();
        assert!(
            Backlight::find_in(folder.path()).is_none(),
            "it lacks its files"
        );
        std::fs::write(light.join("max_brightness"), "200\n").unwrap();
        std::fs::write(light.join("brightness"), "200\n").unwrap();
        let mut found = Backlight::find_in(folder.path()).unwrap();
        let brightness = || std::fs::read_to_string(light.join("brightness")).unwrap();
        for (share, expected) in [(0.5, "100"), (0.001, "1"), (0.0, "0"), (1.0, "200")] {
            found.set(share).unwrap();
            assert_eq!(brightness(), expected);
        }
        std::fs::write(light.join("brightness"), "7").unwrap();
        found.set(1.0).unwrap();
        assert_eq!(
            brightness(),
            "7",
            "what is set already is not written again"
        );
    }
}
