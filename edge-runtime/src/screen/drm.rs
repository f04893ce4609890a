//! A screen without a desktop: the kernel's mode setting, two dumb buffers shown in turn.
//!
//! Written with what changed, flipped at the next refresh; where a driver cannot flip, set anew. Another program that
//! takes the display, and a panel that is unplugged, are errors that pass: the next picture sets everything up again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use drm::Device;
use drm::buffer::{Buffer, DrmFourcc};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{ClipRect, connector, crtc, framebuffer};
use drm::control::{Device as ControlDevice, Event, Mode, ModeTypeFlags, PageFlipFlags};
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::canvas::Canvas;
use super::display::{Display, DisplayError, check_size};
use super::panel::{Panel, PixelKind, Rotation};

/// Where graphics cards are.
const CARDS: &str = "/dev/dri";
/// A flip that takes longer than this, many refreshes, is given up.
const FLIP: Duration = Duration::from_millis(200);
/// Pictures from one look at the plug to the next: about half a second; the look itself takes microseconds.
const LOOK_EVERY: u32 = 15;

struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

struct Page {
    buffer: DumbBuffer,
    handle: framebuffer::Handle,
}

/// A panel on a graphics card.
pub struct DrmDisplay {
    path: PathBuf,
    card: Card,
    connector: connector::Handle,
    crtc: crtc::Handle,
    mode: Mode,
    rotation: Rotation,
    pages: [Page; 2],
    /// Which page is shown; the other is drawn on.
    front: usize,
    /// What changed in the picture before, which the page drawn on has not got yet.
    missed: Vec<Rectangle>,
    /// The panel shows none of our pages: before the first picture, and after an error.
    unset: bool,
    flips: bool,
    flipping: bool,
    until_look: u32,
}

impl DrmDisplay {
    /// Takes the first connected panel of `card` (absent: of the first card that has one), in the mode of `wanted`
    /// pixels (absent: the panel's preferred one).
    ///
    /// # Errors
    /// [`DisplayError`]: no card, no permission, no panel, no such mode.
    pub fn open(
        card: Option<&Path>,
        wanted: Option<Size>,
        rotation: Rotation,
    ) -> Result<Self, DisplayError> {
        if let Some(path) = card {
            return Self::open_card(path, wanted, rotation);
        }
        let mut cards: Vec<PathBuf> = std::fs::read_dir(CARDS)
            .map_err(|source| DisplayError::Open {
                path: CARDS.into(),
                source,
            })?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("card")
            })
            .collect();
        cards.sort();
        // A card without a panel, as a render-only one has none, is passed over; its error is told if all are so.
        let mut refused = DisplayError::Unplugged { path: CARDS.into() };
        for path in cards {
            match Self::open_card(&path, wanted, rotation) {
                Ok(display) => return Ok(display),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn open_card(
        path: &Path,
        wanted: Option<Size>,
        rotation: Rotation,
    ) -> Result<Self, DisplayError> {
        let unfit = |what: &str, error: io::Error| DisplayError::Unfit {
            path: path.to_owned(),
            reason: format!("{what} ({error})"),
        };
        let file = OpenOptions::new().read(true).write(true).open(path);
        let card = Card(file.map_err(|source| DisplayError::Open {
            path: path.to_owned(),
            source,
        })?);
        let resources = card
            .resource_handles()
            .map_err(|error| unfit("no mode setting", error))?;
        let panel = resources
            .connectors()
            .iter()
            .filter_map(|handle| card.get_connector(*handle, true).ok())
            .find(|panel| panel.state() == connector::State::Connected && !panel.modes().is_empty())
            .ok_or_else(|| DisplayError::Unplugged {
                path: path.to_owned(),
            })?;
        let mode =
            choose(panel.modes(), wanted.map(|size| rotation.turned(size))).ok_or_else(|| {
                let name = |size: (u16, u16)| format!("{}x{}", size.0, size.1);
                let mut found: Vec<String> =
                    panel.modes().iter().map(|mode| name(mode.size())).collect();
                found.dedup();
                let wanted = wanted.map(|size| rotation.turned(size)).unwrap_or_default();
                DisplayError::Mode {
                    path: path.to_owned(),
                    wanted: format!("{}x{}", wanted.width, wanted.height),
                    found: found.join(", "),
                }
            })?;
        let crtc = panel
            .current_encoder()
            .into_iter()
            .chain(panel.encoders().iter().copied())
            .filter_map(|encoder| card.get_encoder(encoder).ok())
            .find_map(|encoder| {
                encoder.crtc().or_else(|| {
                    resources
                        .filter_crtcs(encoder.possible_crtcs())
                        .first()
                        .copied()
                })
            })
            .ok_or_else(|| DisplayError::Unfit {
                path: path.to_owned(),
                reason: "nothing that drives its panel".to_owned(),
            })?;
        let (width, height) = mode.size();
        let page = || {
            let size = (u32::from(width), u32::from(height));
            let buffer = card.create_dumb_buffer(size, DrmFourcc::Xrgb8888, 32)?;
            let handle = card.add_framebuffer(&buffer, 24, 32)?;
            io::Result::Ok(Page { buffer, handle })
        };
        let pages = [
            page().map_err(|error| unfit("no memory for a picture", error))?,
            page().map_err(|error| unfit("no memory for a second picture", error))?,
        ];
        tracing::debug!(card = %path.display(), width, height, "a panel");
        Ok(Self {
            path: path.to_owned(),
            connector: panel.handle(),
            card,
            crtc,
            mode,
            rotation,
            pages,
            front: 0,
            missed: Vec::new(),
            unset: true,
            flips: true,
            flipping: false,
            until_look: LOOK_EVERY,
        })
    }

    fn panel_size(&self) -> Size {
        let (width, height) = self.mode.size();
        Size::new(width.into(), height.into())
    }

    /// Whether the panel is still plugged in, as far as the kernel knows without asking the panel.
    fn look(&mut self, now: bool) -> Result<(), DisplayError> {
        self.until_look = self.until_look.saturating_sub(1);
        if self.until_look > 0 && !now {
            return Ok(());
        }
        self.until_look = LOOK_EVERY;
        let found = self.card.get_connector(self.connector, now);
        match found.map(|panel| panel.state()) {
            Ok(connector::State::Disconnected) => Err(self.unplugged()),
            Err(error) => Err(self.refused(error)),
            Ok(_) => Ok(()),
        }
    }

    fn unplugged(&self) -> DisplayError {
        DisplayError::Unplugged {
            path: self.path.clone(),
        }
    }

    fn refused(&self, source: io::Error) -> DisplayError {
        let path = self.path.clone();
        match Errno::from_io_error(&source) {
            Some(Errno::ACCESS | Errno::PERM) => DisplayError::Held { path },
            Some(Errno::NODEV | Errno::NOENT | Errno::NXIO) => DisplayError::Unplugged { path },
            _ => DisplayError::Show { path, source },
        }
    }

    /// Waits until the last flip is done, so that the page behind is free.
    fn settle(&mut self) -> io::Result<()> {
        if !self.flipping {
            return Ok(());
        }
        self.flipping = false;
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: FLIP.as_nanos() as _,
        };
        let ready = {
            let mut waiting = [PollFd::new(&self.card, PollFlags::IN)];
            rustix::event::poll(&mut waiting, Some(&limit))?
        };
        if ready == 0 {
            // A driver that never tells: from now on pages are set, not flipped.
            tracing::warn!("a flip did not end; from now on pages are set");
            self.flips = false;
            return Ok(());
        }
        let done = self
            .card
            .receive_events()?
            .any(|event| matches!(event, Event::PageFlip(_)));
        self.flipping = !done && self.flips;
        Ok(())
    }

    fn draw(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        if let Err(error) = self.settle() {
            return Err(self.refused(error));
        }
        let back = 1 - self.front;
        let everything = [canvas.bounding_box()];
        let (areas, missed): (&[Rectangle], &[Rectangle]) = if self.unset {
            (&everything, &[])
        } else {
            (canvas.damage(), &self.missed)
        };
        let pitch = self.pages[back].buffer.pitch() as usize;
        let rotation = self.rotation;
        let mapped = {
            let page = &mut self.pages[back];
            self.card
                .map_dumb_buffer(&mut page.buffer)
                .map(|mut memory| {
                    let mut panel = Panel {
                        memory: &mut memory,
                        pitch,
                        kind: PixelKind::Xrgb8888,
                        rotation,
                    };
                    for area in missed.iter().chain(areas) {
                        panel.copy(canvas, *area);
                    }
                })
        };
        if let Err(error) = mapped {
            return Err(self.refused(error));
        }
        self.turn_page(back)?;
        // The page that was in front lacks this picture's changes, and all of them after a new start.
        self.missed = areas.to_vec();
        self.front = back;
        Ok(())
    }

    fn turn_page(&mut self, back: usize) -> Result<(), DisplayError> {
        let handle = self.pages[back].handle;
        if !self.unset && self.flips {
            match self
                .card
                .page_flip(self.crtc, handle, PageFlipFlags::EVENT, None)
            {
                Ok(()) => {
                    self.flipping = true;
                    return Ok(());
                }
                Err(error) => match Errno::from_io_error(&error) {
                    Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        tracing::debug!("this driver does not flip: {error}");
                        self.flips = false;
                    }
                    Some(Errno::BUSY) => {}
                    _ => return Err(self.refused(error)),
                },
            }
        }
        if self.unset {
            // Another program may have let go of the display meanwhile; without the right this changes nothing.
            let _ = self.card.acquire_master_lock();
        }
        let set = self.card.set_crtc(
            self.crtc,
            Some(handle),
            (0, 0),
            &[self.connector],
            Some(self.mode),
        );
        if let Err(error) = set {
            return Err(self.refused(error));
        }
        // Drivers without a scanout of their own show a page that was set already only when told that it changed.
        let (width, height) = self.mode.size();
        let _ = self
            .card
            .dirty_framebuffer(handle, &[ClipRect::new(0, 0, width, height)]);
        Ok(())
    }
}

impl Display for DrmDisplay {
    fn size(&self) -> Size {
        self.rotation.turned(self.panel_size())
    }

    fn rotation(&self) -> Rotation {
        self.rotation
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        check_size(self.size(), canvas)?;
        let (again, unchanged) = (self.unset, canvas.damage().is_empty());
        let shown = self.look(again).and_then(|()| {
            if unchanged && !again && self.missed.is_empty() {
                return Ok(());
            }
            self.draw(canvas)
        });
        self.unset = shown.is_err();
        shown
    }
}

impl Drop for DrmDisplay {
    fn drop(&mut self) {
        let _ = self.settle();
        for page in &self.pages {
            // What fails here goes when the card is closed, a moment later.
            let _ = self.card.destroy_framebuffer(page.handle);
            let _ = self.card.destroy_dumb_buffer(page.buffer);
        }
    }
}

/// The mode of `wanted` pixels with the highest refresh rate up to 60, or the preferred one.
fn choose(modes: &[Mode], wanted: Option<Size>) -> Option<Mode> {
    let Some(wanted) = wanted else {
        let preferred = modes
            .iter()
            .find(|mode| mode.mode_type().contains(ModeTypeFlags::PREFERRED));
        return preferred.or_else(|| modes.first()).copied();
    };
    modes
        .iter()
        .filter(|mode| {
            let (width, height) = mode.size();
            Size::new(width.into(), height.into()) == wanted
        })
        .max_by_key(|mode| (mode.vrefresh() <= 60, mode.vrefresh()))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_card_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("card9");
        let absent = DrmDisplay::open(Some(&file), None, Rotation::Upright);
        assert!(matches!(absent, Err(DisplayError::Open { .. })));
        std::fs::write(&file, []).unwrap();
        let Err(error) = DrmDisplay::open(Some(&file), None, Rotation::Upright) else {
            panic!("a file is no card");
        };
        let message = error.to_string();
        assert!(
            message.contains("no mode setting") && message.contains("; "),
            "{message}"
        );
    }
}
