//! The kiosk's screen: one view for each state, drawn on a canvas of any size, landscape or portrait.
//!
//! ```text
//! View, Chrome ─► Painter ─ Scene (a list) ─► what differs from the scene before ─► Canvas ─► Display
//!                 layout, words, theme        drawn, nothing else                  fade, dim   drm, fb, window, png
//! ```
//!
//! [`mod@layout`] says where things stand, for what is drawn and for what is touched. [`words`] says it in a language,
//! [`theme`] in colors that can be read. A [`display::Display`] shows the finished canvas.

mod burn_in;
pub mod canvas;
mod chrome;
mod control;
mod desk;
pub mod dimming;
pub mod display;
pub mod drm;
pub mod framebuffer;
pub mod layout;
mod live;
pub mod logo;
mod painter;
pub mod panel;
pub mod png;
mod preview;
mod scene;
pub mod settings;
pub mod shape;
mod sign;
mod still;
pub mod target;
pub mod text;
pub mod theme;
mod view;
#[cfg(feature = "window")]
pub mod window;
pub mod words;

use std::sync::Arc;

use embedded_graphics::prelude::{Point, Size};
use embedded_graphics::primitives::Rectangle;

use crate::clock::Timestamp;
use crate::input::Input;
use canvas::Canvas;
use layout::Layout;
use logo::{Logo, LogoError};
use painter::{Kit, Painter};
use preview::Mirror;
pub use preview::Preview;
use scene::Scene;
use settings::ScreenSettings;
use text::Fonts;
use theme::{AccentError, Theme};
pub use view::{Chrome, View};
use words::{Words, WordsError};

/// A size that no screen of this kiosk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a screen with a long side of 800 to 3840 pixels and a short one of 480 to 2160, at least 5 to 4, \
     found {width}x{height}; give a size as in 1280x800"
)]
pub struct ScreenSizeError {
    /// The refused width in pixels.
    pub width: u32,
    /// The refused height in pixels.
    pub height: u32,
}

/// Why a screen cannot be drawn as it is set.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// Too small, too large or too square.
    #[error(transparent)]
    Size(#[from] ScreenSizeError),
    /// The accent cannot be read.
    #[error("screen.accent: {0}")]
    Accent(#[from] AccentError),
    /// The logo cannot be used.
    #[error("screen.logo: {0}")]
    Logo(#[from] LogoError),
    /// The words cannot be used.
    #[error("screen.words: {0}")]
    Words(#[from] WordsError),
}

/// How long a view fades into the next, in milliseconds.
const FADE_MS: u64 = 220;

/// Draws views.
pub struct Screen {
    kit: Kit,
    mirror: Mirror,
    /// The picture without fade and dimming, and the list it was drawn from.
    base: Canvas,
    scene: Option<Scene>,
    /// The picture with them.
    shown: Canvas,
    fades: bool,
    fading: Option<Fading>,
    last: Option<&'static str>,
    /// Whether what was handed out last is `shown`, and how bright that was.
    handed_out: Option<f32>,
    burn_in_shift_px: u32,
}

struct Fading {
    from: Vec<u32>,
    since: Timestamp,
}

impl Screen {
    /// A screen of `width` x `height` pixels as it comes: dark, English, without motion, so that the same views give
    /// the same pictures. The long side is 800 to 3840, the short one 480 to 2160.
    pub fn new(width: u32, height: u32) -> Result<Self, ScreenSizeError> {
        let kit = Kit {
            fonts: Fonts::new(),
            words: Words::read(words::Language::En, None).expect("words of our own are sound"),
            theme: Theme::new(theme::Ground::Dark),
            logo: None,
            layout: layout(width, height)?,
        };
        Ok(Self::of(kit))
    }

    /// A screen of this size as `settings` say: theme, accent, logo, words, motion.
    ///
    /// # Errors
    /// [`ScreenError`] names what cannot be used and what to do.
    pub fn with(width: u32, height: u32, settings: &ScreenSettings) -> Result<Self, ScreenError> {
        let layout = layout(width, height)?;
        let mut theme = Theme::new(settings.theme);
        if let Some(accent) = &settings.accent {
            theme = theme.with_accent(accent.parse()?)?;
        }
        let most = Size::new(
            layout.px(still::LOGO.0).round() as u32,
            layout.px(still::LOGO.1).round() as u32,
        );
        let logo = settings
            .logo
            .as_deref()
            .map(|path| Logo::read(path, most))
            .transpose()?;
        let kit = Kit {
            fonts: Fonts::new(),
            words: Words::read(settings.language, settings.words.as_deref())?,
            theme,
            logo: logo.map(Arc::new),
            layout,
        };
        Ok(Self {
            fades: settings.motion,
            burn_in_shift_px: settings.burn_in_shift_px,
            ..Self::of(kit)
        })
    }

    fn of(kit: Kit) -> Self {
        let blank = Canvas::new(kit.layout.size, kit.theme.background);
        Self {
            kit,
            mirror: Mirror::default(),
            base: blank.clone(),
            scene: None,
            shown: blank,
            fades: false,
            fading: None,
            last: None,
            handed_out: None,
            burn_in_shift_px: 0,
        }
    }

    /// Its size in pixels.
    pub fn size(&self) -> Size {
        self.kit.layout.size
    }

    /// Draws `view` with `chrome` over it; [`Canvas::damage`] says what changed since the picture before.
    pub fn draw(&mut self, view: &View<'_>, chrome: &Chrome<'_>) -> &Canvas {
        let scene = self.lay_down(view, chrome);
        let whole = self.kit.layout.whole();
        let name = view.name();
        let changed = self.last.replace(name).is_some_and(|last| last != name);
        // A challenge lights up and ends at once: its moment is measured.
        let still = matches!(view, View::Flash { .. });
        if changed && self.fades && !still {
            let from = match self.fading.take() {
                Some(_) => self.shown.pixels().to_vec(),
                None => self.base.pixels().to_vec(),
            };
            let since = chrome.now;
            self.fading = Some(Fading { from, since });
        } else if still {
            self.fading = None;
        }
        let areas = match &self.scene {
            Some(before) => scene.differences(before, whole),
            None => vec![whole],
        };
        let frame = view.preview().map(|preview| preview.frame);
        for area in &areas {
            let Self {
                kit, mirror, base, ..
            } = self;
            scene.draw(base, *area, &kit.fonts, mirror, frame);
        }
        self.scene = Some(scene);
        self.base.set_damage(areas);
        self.hand_out(chrome, whole)
    }

    /// Adds fade and dimming, where there are any.
    fn hand_out(&mut self, chrome: &Chrome<'_>, whole: Rectangle) -> &Canvas {
        let brightness = chrome.brightness.clamp(0.0, 1.0);
        let share = self.fading.as_ref().map_or(1.0, |fading| {
            let passed = chrome.now.since(fading.since).as_millis() as f32;
            (passed / FADE_MS as f32).min(1.0)
        });
        let faded = share < 1.0;
        if !faded {
            self.fading = None;
        }
        if !faded && brightness >= 1.0 {
            if self.handed_out.take().is_some() {
                self.base.damage_all();
            }
            return &self.base;
        }
        let steady = !faded && self.handed_out == Some(brightness);
        let areas = if steady {
            self.base.damage().to_vec()
        } else {
            vec![whole]
        };
        // A fade starts gently and ends gently.
        let eased = share * share * (3.0 - 2.0 * share);
        let (mixing, dimming) = (canvas::alpha(eased), canvas::alpha(brightness));
        let width = whole.size.width as usize;
        for area in &areas {
            for y in area.rows() {
                let begin = y as usize * width + area.top_left.x as usize;
                let range = begin..begin + area.size.width as usize;
                let target = &mut self.shown.pixels_mut()[range.clone()];
                let new = &self.base.pixels()[range.clone()];
                match &self.fading {
                    Some(fading) => {
                        let old = &fading.from[range];
                        for ((pixel, old), new) in target.iter_mut().zip(old).zip(new) {
                            *pixel = canvas::mixed(0, canvas::mixed(*old, *new, mixing), dimming);
                        }
                    }
                    None => {
                        for (pixel, new) in target.iter_mut().zip(new) {
                            *pixel = canvas::mixed(0, *new, dimming);
                        }
                    }
                }
            }
        }
        self.shown.set_damage(areas);
        // While it fades every picture differs everywhere.
        self.handed_out = Some(if faded { f32::NAN } else { brightness });
        &self.shown
    }

    fn lay_down(&self, view: &View<'_>, chrome: &Chrome<'_>) -> Scene {
        let mut painter = Painter::new(&self.kit);
        let shift = burn_in::shift(chrome.now, self.burn_in_shift_px);
        match view {
            View::Idle => painter.idle(chrome.time_of_day, chrome.badged(), shift),
            View::Looking {
                preview,
                hint,
                progress,
            } => painter.looking(preview, *hint, *progress),
            View::Greeting {
                preview,
                name,
                one_in,
            } => painter.greeting(preview, name, *one_in),
            View::Unknown { preview } => painter.unknown(preview),
            View::NotSure { preview } => painter.not_sure(preview),
            View::Check {
                preview,
                prompt,
                progress,
            } => painter.check(preview, *prompt, *progress),
            View::Flash { preview, color } => painter.flash(preview, *color),
            View::Recording { preview, elapsed } => painter.recording(preview, *elapsed),
            View::Desk { view, preview } => painter.desk(view, preview.as_ref()),
            View::Enrolling {
                preview,
                name,
                done,
                wanted,
            } => painter.enrolling(preview, name, (*done, *wanted)),
            View::Enrolled { preview, name } => painter.enrolled(Some(preview), name),
            View::Fault { cause, remedy } => painter.fault(cause, remedy, shift),
            View::Updating { progress } => painter.updating(*progress, shift),
        }
        painter.chrome(chrome, view);
        painter.scene
    }

    /// What a touch at pixel (`x`, `y`) of this screen means while `view` is shown, by the rules that drew it.
    pub fn control_at(&self, view: &View<'_>, x: i32, y: i32) -> Option<Input> {
        let View::Desk { view, .. } = view else {
            return None;
        };
        // Half of what lies between two keys, and a little beyond.
        let slack = self.kit.layout.px(layout::GAP * 0.75);
        control::touched(&desk::controls(&self.kit, view), Point::new(x, y), slack)
    }

    /// Where there is something to touch while `view` is shown, and what each means.
    pub fn controls(&self, view: &View<'_>) -> Vec<(Rectangle, Input)> {
        let View::Desk { view, .. } = view else {
            return Vec::new();
        };
        desk::controls(&self.kit, view)
            .into_iter()
            .map(|control| (control.area, control.input))
            .collect()
    }

    /// What is written on the screen while `view` is shown, paragraph by paragraph, and where it is read.
    pub fn written(&self, view: &View<'_>, chrome: &Chrome<'_>) -> Vec<(String, Rectangle)> {
        self.lay_down(view, chrome).written()
    }

    /// The words it says.
    pub fn words(&self) -> &Words {
        &self.kit.words
    }

    /// How many pages a consent text takes on this screen, at least 1.
    pub fn consent_pages(&self, text: &str) -> usize {
        desk::consent_pages(&self.kit, text)
    }
}

fn layout(width: u32, height: u32) -> Result<Layout, ScreenSizeError> {
    check_size(width, height).map(|()| Layout::new(Size::new(width, height)))
}

/// Refuses what is too small, too large or too square.
fn check_size(width: u32, height: u32) -> Result<(), ScreenSizeError> {
    let (long, short) = (width.max(height), width.min(height));
    let fits = (800..=3840).contains(&long)
        && (480..=2160).contains(&short)
        && u64::from(long) * 4 >= u64::from(short) * 5;
    if fits {
        Ok(())
    } else {
        Err(ScreenSizeError { width, height })
    }
}
