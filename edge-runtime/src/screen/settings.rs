//! The `[screen]` section of the kiosk's settings.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::theme::Ground;
use super::words::Language;

/// How the screen looks and where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenSettings {
    /// Light letters on dark ("dark"), or dark ones on light ("light").
    pub theme: Ground,
    /// The color of the house as in "#3DD9B8"; absent: Usher's own. Made lighter or darker where it could not be read.
    pub accent: Option<String>,
    /// A PNG file of at most 1 MiB, 32 to 2048 pixels a side, shown on the idle screen in place of Usher's mark.
    pub logo: Option<PathBuf>,
    /// The language: "en" or "de".
    pub language: Language,
    /// A file that says some of the words otherwise.
    pub words: Option<PathBuf>,
    /// Whether the idle screen shows the time of day.
    pub clock: bool,
    /// Whether one view fades into the next.
    pub motion: bool,
    /// Pixels by which a still picture wanders against burn-in, 0 to 32.
    pub burn_in_shift_px: u32,
    /// Seconds with nobody there after which the screen dims, 0 to 86400; 0 never does.
    pub dim_after_s: u64,
    /// Brightness then, 0 (off) to 1 (full).
    pub dim_level: f32,
}

impl Default for ScreenSettings {
    fn default() -> Self {
        Self {
            theme: Ground::Dark,
            accent: None,
            logo: None,
            language: Language::En,
            words: None,
            clock: true,
            motion: true,
            burn_in_shift_px: 6,
            dim_after_s: 60,
            dim_level: 0.3,
        }
    }
}
