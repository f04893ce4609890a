//! The old way to a screen: `/dev/fb0`, its geometry from sysfs, its pixels by plain writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::canvas::Canvas;
use super::display::{Display, DisplayError, check_size};
use super::panel::{Panel, PixelKind, Rotation};

/// Where the kernel describes framebuffers.
const SYSFS: &str = "/sys/class/graphics";

/// A framebuffer.
///
/// What it shows is kept here too, so that a partial change is turned and converted in memory and written row by row.
pub struct Framebuffer {
    path: PathBuf,
    file: File,
    panel: Size,
    pitch: usize,
    kind: PixelKind,
    rotation: Rotation,
    copy: Vec<u8>,
    whole: bool,
}

impl Framebuffer {
    /// Opens the framebuffer `device`, as in `/dev/fb0`.
    ///
    /// # Errors
    /// [`DisplayError::Open`], or [`DisplayError::Unfit`] when its pixels are neither 16 nor 32 bits or its geometry
    /// makes no sense.
    pub fn open(device: &Path, rotation: Rotation) -> Result<Self, DisplayError> {
        Self::open_beside(device, Path::new(SYSFS), rotation)
    }

    /// The same with the kernel's description elsewhere.
    fn open_beside(device: &Path, sysfs: &Path, rotation: Rotation) -> Result<Self, DisplayError> {
        let path = device.to_owned();
        let about = sysfs.join(device.file_name().unwrap_or_default());
        let unfit = |reason: String| DisplayError::Unfit {
            path: path.clone(),
            reason,
        };
        let read = |name: &str| {
            std::fs::read_to_string(about.join(name))
                .map(|text| text.trim().to_owned())
                .map_err(|error| unfit(format!("no {name} in {} ({error})", about.display())))
        };
        let number = |name: &str| {
            let text = read(name)?;
            let value = text.parse::<u32>();
            value.map_err(|_refused| unfit(format!("{name} = \"{text}\"")))
        };
        let kind = match number("bits_per_pixel")? {
            32 => PixelKind::Xrgb8888,
            16 => PixelKind::Rgb565,
            other => return Err(unfit(format!("{other} bits a pixel, not 16 or 32"))),
        };
        // The visible size stands in the mode; the virtual one may hold two screens, one above the other.
        let size = read("mode")
            .ok()
            .and_then(|mode| mode_size(&mode))
            .map_or_else(
                || read("virtual_size").map(|text| pair(&text, ',')),
                |size| Ok(Some(size)),
            )?;
        let panel = size
            .filter(|size| (1..=8192).contains(&size.width) && (1..=8192).contains(&size.height))
            .ok_or_else(|| unfit("a size that makes no sense".to_owned()))?;
        let pitch = number("stride")? as usize;
        if pitch < panel.width as usize * kind.bytes() || pitch > 1 << 20 {
            return Err(unfit(format!(
                "rows of {pitch} bytes for {} pixels",
                panel.width
            )));
        }
        let file = OpenOptions::new().write(true).open(device);
        let file = file.map_err(|source| DisplayError::Open {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            file,
            panel,
            pitch,
            kind,
            rotation,
            copy: vec![0; pitch * panel.height as usize],
            whole: true,
            path,
        })
    }

    fn write(&self, area: Rectangle) -> io::Result<()> {
        let (first, rows) = (area.top_left.y as usize, area.size.height as usize);
        if area.size.width == self.panel.width {
            let range = first * self.pitch..(first + rows) * self.pitch;
            return self
                .file
                .write_all_at(&self.copy[range.clone()], range.start as u64);
        }
        for row in first..first + rows {
            let begin = row * self.pitch + area.top_left.x as usize * self.kind.bytes();
            let range = begin..begin + area.size.width as usize * self.kind.bytes();
            self.file.write_all_at(&self.copy[range], begin as u64)?;
        }
        Ok(())
    }
}

impl Display for Framebuffer {
    fn size(&self) -> Size {
        self.rotation.turned(self.panel)
    }

    fn rotation(&self) -> Rotation {
        self.rotation
    }

    fn show(&mut self, canvas: &Canvas) -> Result<(), DisplayError> {
        check_size(self.size(), canvas)?;
        let everything = [canvas.bounding_box()];
        let areas = if self.whole {
            &everything
        } else {
            canvas.damage()
        };
        self.whole = true;
        for area in areas {
            let mut panel = Panel {
                memory: &mut self.copy,
                pitch: self.pitch,
                kind: self.kind,
                rotation: self.rotation,
            };
            panel.copy(canvas, *area);
            let place = self.rotation.area_on_panel(*area, canvas.size());
            self.write(place)
                .map_err(|source| match source.raw_os_error() {
                    Some(code) if code == rustix::io::Errno::NODEV.raw_os_error() => {
                        DisplayError::Unplugged {
                            path: self.path.clone(),
                        }
                    }
                    _ => DisplayError::Show {
                        path: self.path.clone(),
                        source,
                    },
                })?;
        }
        self.whole = false;
        Ok(())
    }
}

/// "U:1280x800p-75" is a mode of 1280x800.
fn mode_size(mode: &str) -> Option<Size> {
    let (_, rest) = mode.split_once(':')?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != 'x')?;
    pair(&rest[..end], 'x')
}

fn pair(text: &str, between: char) -> Option<Size> {
    let (width, height) = text.split_once(between)?;
    Some(Size::new(width.parse().ok()?, height.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use embedded_graphics::pixelcolor::Rgb888;

    use super::*;

    /// A folder that stands for sysfs, and a file that stands for the device.
    fn fake(geometry: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let about = folder.path().join("sys/fb7");
        std::fs::create_dir_all(&about).unwrap();
        for (name, text) in geometry {
            std::fs::write(about.join(name), format!("{text}\n")).unwrap();
        }
        let device = folder.path().join("fb7");
        std::fs::write(&device, []).unwrap();
        (folder, device)
    }

    fn open(
        place: &(tempfile::TempDir, PathBuf),
        rotation: Rotation,
    ) -> Result<Framebuffer, DisplayError> {
        Framebuffer::open_beside(&place.1, &place.0.path().join("sys"), rotation)
    }

    const SMALL: [(&str, &str); 4] = [
        ("virtual_size", "6,8"),
        ("mode", "U:6x4p-60"),
        ("bits_per_pixel", "32"),
        ("stride", "32"),
    ];

    #[test]
    fn pixels_arrive_in_rows_of_the_stride() {
        let place = fake(&SMALL);
        let mut display = open(&place, Rotation::Upright).unwrap();
        assert_eq!(display.size(), Size::new(6, 4));
        let mut canvas = Canvas::new(Size::new(6, 4), Rgb888::new(1, 2, 3));
        display.show(&canvas).unwrap();
        let bytes = std::fs::read(&place.1).unwrap();
        assert_eq!(bytes.len(), 4 * 32);
        assert_eq!(&bytes[32..36], [3, 2, 1, 0]);
        assert_eq!(&bytes[24..32], [0; 8], "what pads a row is left alone");

        // Only the part that changed is written.
        canvas.blend(Point::new(2, 1), Rgb888::WHITE, 1.0);
        canvas.blend(Point::new(5, 3), Rgb888::WHITE, 1.0);
        canvas.set_damage(vec![Rectangle::new(Point::new(2, 1), Size::new(1, 1))]);
        display.show(&canvas).unwrap();
        let bytes = std::fs::read(&place.1).unwrap();
        assert_eq!(&bytes[32 + 8..32 + 12], [255, 255, 255, 0]);
        assert_eq!(&bytes[3 * 32 + 20..3 * 32 + 24], [3, 2, 1, 0]);
    }

    #[test]
    fn a_turned_panel_of_sixteen_bits() {
        let place = fake(&[
            ("virtual_size", "6,4"),
            ("bits_per_pixel", "16"),
            ("stride", "12"),
        ]);
        let mut display = open(&place, Rotation::Right).unwrap();
        assert_eq!(display.size(), Size::new(4, 6));
        let mut canvas = Canvas::new(Size::new(4, 6), Rgb888::BLACK);
        canvas.blend(Point::new(0, 0), Rgb888::WHITE, 1.0);
        display.show(&canvas).unwrap();
        let bytes = std::fs::read(&place.1).unwrap();
        let white: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == 255).collect();
        assert_eq!(white, [10, 11], "upper left becomes upper right");
    }

    #[test]
    fn what_cannot_be_drawn_on_is_named() {
        let without = |left_out: &str| -> Vec<_> {
            SMALL
                .into_iter()
                .filter(|(name, _)| *name != left_out)
                .collect()
        };
        let with = |name, text| [without(name), vec![(name, text)]].concat();
        for (geometry, named) in [
            (without("bits_per_pixel"), "no bits_per_pixel"),
            (with("bits_per_pixel", "8"), "8 bits a pixel"),
            (with("stride", "16"), "rows of 16 bytes"),
            (with("stride", "x"), "stride = \"x\""),
            (with("mode", "U:0x4p-60"), "a size that makes no sense"),
        ] {
            let place = fake(&geometry);
            let Err(error) = open(&place, Rotation::Upright) else {
                panic!("{named}: taken");
            };
            let message = error.to_string();
            assert!(
                message.contains(named) && message.contains("; "),
                "{named}: {message}"
            );
        }
        let place = fake(&SMALL);
        std::fs::remove_file(&place.1).unwrap();
        assert!(matches!(
            open(&place, Rotation::Upright),
            Err(DisplayError::Open { .. })
        ));
        let wrong = Canvas::new(Size::new(4, 6), Rgb888::BLACK);
        let place = fake(&SMALL);
        let error = open(&place, Rotation::Upright)
            .unwrap()
            .show(&wrong)
            .unwrap_err();
        assert!(matches!(error, DisplayError::Size { .. }) && !error.passes());
    }
}
