//! Attached keyboards and touch panels, by the kernel's event devices; the only file that knows the crate `evdev`.
//!
//! One thread waits for all devices, looks every two seconds for new ones, and forgets those that are gone. Devices are
//! grabbed, so that what is typed at the kiosk (a PIN, a name) reaches no console. What is told goes into a bounded
//! channel; when nobody takes it, the newest is dropped.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use evdev::{AbsoluteAxisCode, Device, EventType, KeyCode, PropType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Told;
use super::keyboard::{Keyboard, Stroke};
use super::layout::Layout;
use super::touch::{Axis, Panel, Picture, Protocol};
use crate::clock::Timestamp;

/// Where the kernel lists event devices.
const FOLDER: &str = "/dev/input";
/// How often it is looked for new ones.
const RESCAN: Duration = Duration::from_secs(2);
/// How long the thread sleeps when nothing happens; it then asks whether to stop, and whether a corner is held.
const NAP: Duration = Duration::from_millis(100);
/// Room in the channel that is meant for [`Devices::watch`]: half a minute of the fastest typist.
pub const QUEUE: usize = 256;

/// A thread that listens; it ends when this is dropped.
#[derive(Debug)]
pub struct Devices {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Devices {
    /// Listens to every keyboard and touch panel, now and later attached, and sends what they tell.
    ///
    /// # Errors
    /// [`io::Error`] when no thread can be started. That there is no device is no error: one may come.
    pub fn watch(layout: Layout, picture: Picture, told: SyncSender<Told>) -> io::Result<Self> {
        Self::watch_in(Path::new(FOLDER), layout, picture, told)
    }

    fn watch_in(
        folder: &Path,
        layout: Layout,
        picture: Picture,
        told: SyncSender<Told>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut listener = Listener {
            folder: folder.to_owned(),
            layout,
            picture,
            told,
            started: Instant::now(),
            devices: BTreeMap::new(),
            refused: BTreeMap::new(),
        };
        let asked = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || listener.run(&asked))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of keyboards and panels panicked");
        }
    }
}

/// What is behind the channel was dropped: nobody listens any more.
struct Gone;

struct Listener {
    folder: PathBuf,
    layout: Layout,
    picture: Picture,
    told: SyncSender<Told>,
    started: Instant,
    devices: BTreeMap<PathBuf, Attached>,
    /// What was not opened, so that it is said once: the path, and the inode that it had.
    refused: BTreeMap<PathBuf, u64>,
}

struct Attached {
    device: Device,
    keyboard: Option<Keyboard>,
    panel: Option<Panel>,
}

impl Listener {
    fn run(&mut self, stop: &AtomicBool) {
        let mut scanned: Option<Instant> = None;
        while !stop.load(Ordering::Relaxed) {
            if scanned.is_none_or(|at| at.elapsed() >= RESCAN) {
                self.scan();
                scanned = Some(Instant::now());
            }
            let ready = self.wait();
            let now = self.now();
            if self.listen(now, &ready).is_err() {
                return;
            }
        }
    }

    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().as_millis();
        Timestamp::from_millis(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Opens what is new.
    fn scan(&mut self) {
        use std::os::unix::fs::MetadataExt;
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let is_event = entry.file_name().to_string_lossy().starts_with("event");
            let inode = entry.metadata().map_or(0, |metadata| metadata.ino());
            if !is_event
                || self.devices.contains_key(&path)
                || self.refused.get(&path) == Some(&inode)
            {
                continue;
            }
            match self.open(&path) {
                Ok(Some(attached)) => {
                    let (keyboard, panel) = (attached.keyboard.is_some(), attached.panel.is_some());
                    tracing::info!(path = %path.display(), keyboard, panel, "listening");
                    self.refused.remove(&path);
                    self.devices.insert(path, attached);
                }
                Ok(None) => {
                    self.refused.insert(path, inode);
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an input device cannot be opened");
                    self.refused.insert(path, inode);
                }
            }
        }
    }

    /// A keyboard or a panel; none when it is neither.
    fn open(&self, path: &Path) -> io::Result<Option<Attached>> {
        let mut device = Device::open(path)?;
        let keyboard = is_keyboard(&device).then(|| Keyboard::new(self.layout));
        let panel = self.panel(&device)?;
        if keyboard.is_none() && panel.is_none() {
            return Ok(None);
        }
        device.set_nonblocking(true)?;
        if let Err(error) = device.grab() {
            tracing::warn!(path = %path.display(), %error, "an input device is not ours alone: others see what is typed");
        }
        Ok(Some(Attached {
            device,
            keyboard,
            panel,
        }))
    }

    fn panel(&self, device: &Device) -> io::Result<Option<Panel>> {
        // A touch pad moves a pointer; a place on it is no place on the screen.
        if device.properties().contains(PropType::POINTER) {
            return Ok(None);
        }
        let (Some(axes), Some(keys)) = (device.supported_absolute_axes(), device.supported_keys())
        else {
            return Ok(None);
        };
        let has_slots = [
            AbsoluteAxisCode::ABS_MT_SLOT,
            AbsoluteAxisCode::ABS_MT_TRACKING_ID,
            AbsoluteAxisCode::ABS_MT_POSITION_X,
            AbsoluteAxisCode::ABS_MT_POSITION_Y,
        ];
        let is_touched = keys.contains(KeyCode::BTN_TOUCH) || keys.contains(KeyCode::BTN_LEFT);
        let (protocol, x, y) = if has_slots.iter().all(|axis| axes.contains(*axis)) {
            (
                Protocol::Slots,
                AbsoluteAxisCode::ABS_MT_POSITION_X,
                AbsoluteAxisCode::ABS_MT_POSITION_Y,
            )
        } else if is_touched && axes.contains(AbsoluteAxisCode::ABS_X) {
            (
                Protocol::Single,
                AbsoluteAxisCode::ABS_X,
                AbsoluteAxisCode::ABS_Y,
            )
        } else {
            return Ok(None);
        };
        let axis = |wanted: AbsoluteAxisCode| -> io::Result<Option<Axis>> {
            let found = device.get_absinfo()?.find(|(code, _)| *code == wanted);
            Ok(found.map(|(_, info)| Axis {
                least: info.minimum(),
                most: info.maximum(),
            }))
        };
        let (Some(x), Some(y)) = (axis(x)?, axis(y)?) else {
            return Ok(None);
        };
        Ok(Some(Panel::new(self.picture, protocol, (x, y))))
    }

    /// Sleeps until a device has something to tell; which do.
    fn wait(&self) -> Vec<PathBuf> {
        let nap = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(NAP.subsec_nanos()),
        };
        let mut fds: Vec<_> = self
            .devices
            .values()
            .map(|attached| PollFd::from_borrowed_fd(attached.device.as_fd(), PollFlags::IN))
            .collect();
        match poll(&mut fds, Some(&nap)) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Vec::new(),
            Err(error) => {
                tracing::warn!(%error, "input devices cannot be waited for");
                std::thread::sleep(NAP);
                return Vec::new();
            }
        }
        // A device that is gone tells an error when it is read.
        let ready = self.devices.keys().zip(&fds);
        ready
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(path, _)| path.clone())
            .collect()
    }

    fn listen(&mut self, now: Timestamp, ready: &[PathBuf]) -> Result<(), Gone> {
        for path in ready {
            let Some(attached) = self.devices.get_mut(path) else {
                continue;
            };
            let told = match attached.read(now) {
                Ok(told) => told,
                Err(error) => {
                    tracing::info!(path = %path.display(), %error, "an input device is gone");
                    let told = attached.panel.as_mut().and_then(Panel::reset);
                    self.devices.remove(path);
                    told.into_iter().collect()
                }
            };
            for told in told {
                self.tell(told)?;
            }
        }
        let held: Vec<_> = self
            .devices
            .values_mut()
            .filter_map(|attached| attached.panel.as_mut()?.tick(now))
            .collect();
        held.into_iter().try_for_each(|told| self.tell(told))
    }

    fn tell(&self, told: Told) -> Result<(), Gone> {
        match self.told.try_send(told) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                tracing::warn!("what was typed or touched was dropped: nobody takes it");
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Gone),
        }
    }
}

impl Attached {
    /// What the device's waiting events tell.
    fn read(&mut self, now: Timestamp) -> io::Result<Vec<Told>> {
        let events = match self.device.fetch_events() {
            Ok(events) => events,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut told = Vec::new();
        for event in events {
            let (kind, code, value) = (event.event_type(), event.code(), event.value());
            if kind == EventType::KEY
                && let Some(keyboard) = &mut self.keyboard
                && let Some(input) = keyboard.stroke(code, Stroke::from_value(value))
            {
                told.push(Told::Input(input));
            }
            if let Some(panel) = &mut self.panel
                && let Some(touch) = panel.event(now, kind.0, code, value)
            {
                told.push(touch);
            }
        }
        Ok(told)
    }
}

/// A keyboard, a number pad, or a scanner that pretends to be one; not a power button.
fn is_keyboard(device: &Device) -> bool {
    device.supported_keys().is_some_and(|keys| {
        let has = |key| keys.contains(key);
        (has(KeyCode::KEY_ENTER) || has(KeyCode::KEY_KPENTER))
            && (has(KeyCode::KEY_1) || has(KeyCode::KEY_KP1))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::input::touch::Turn;

    const PICTURE: Picture = Picture {
        width: 800,
        height: 480,
        turn: Turn::Upright,
    };

    #[test]
    fn what_is_no_device_is_left_alone_and_the_thread_ends() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("event0"), "not a device").unwrap();
        std::fs::write(folder.path().join("mouse0"), "not even named so").unwrap();
        let (sender, receiver) = sync_channel(QUEUE);
        let devices = Devices::watch_in(folder.path(), Layout::Us, PICTURE, sender).unwrap();
        drop(devices);
        assert!(
            receiver.recv().is_err(),
            "nothing told, and the thread is gone"
        );
    }

    /// A virtual keyboard and a virtual panel, by the kernel's uinput.
    #[test]
    fn virtual_devices() {
        use evdev::uinput::VirtualDevice;
        use evdev::{AbsInfo, AttributeSet, InputEvent, UinputAbsSetup};

        use crate::input::Input;
        use crate::input::touch::{Phase, Touch};

        if std::fs::File::options()
            .write(true)
            .open("/dev/uinput")
            .is_err()
        {
            eprintln!("SKIPPED: /dev/uinput cannot be used; modprobe uinput, as root");
            return;
        }
        let (sender, receiver) = sync_channel(QUEUE);
        let _devices = Devices::watch(Layout::German, PICTURE, sender).unwrap();
        let keys: AttributeSet<KeyCode> = [KeyCode::KEY_ENTER, KeyCode::KEY_1, KeyCode::KEY_Y]
            .into_iter()
            .collect();
        let mut keyboard = VirtualDevice::builder()
            .and_then(|builder| builder.name("usher test keyboard").with_keys(&keys))
            .and_then(|builder| builder.build())
            .unwrap();
        let touch: AttributeSet<KeyCode> = [KeyCode::BTN_TOUCH].into_iter().collect();
        let axis = |code| UinputAbsSetup::new(code, AbsInfo::new(0, 0, 4095, 0, 0, 1));
        let mut panel = VirtualDevice::builder()
            .and_then(|builder| builder.name("usher test panel").with_keys(&touch))
            .and_then(|builder| builder.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_X)))
            .and_then(|builder| builder.with_absolute_axis(&axis(AbsoluteAxisCode::ABS_Y)))
            .and_then(|builder| builder.build())
            .unwrap();
        // They are found at the next look: until then nobody hears it.
        let key = |code: KeyCode, value| InputEvent::new(EventType::KEY.0, code.0, value);
        let heard = (0..100).find_map(|_| {
            keyboard
                .emit(&[key(KeyCode::KEY_Y, 1), key(KeyCode::KEY_Y, 0)])
                .unwrap();
            receiver.recv_timeout(Duration::from_millis(100)).ok()
        });
        assert_eq!(heard, Some(Told::Input(Input::Character('z'))));
        let abs =
            |code: AbsoluteAxisCode, value| InputEvent::new(EventType::ABSOLUTE.0, code.0, value);
        panel
            .emit(&[
                abs(AbsoluteAxisCode::ABS_X, 4095),
                abs(AbsoluteAxisCode::ABS_Y, 0),
                key(KeyCode::BTN_TOUCH, 1),
            ])
            .unwrap();
        let press = Touch {
            phase: Phase::Press,
            x: 799.0,
            y: 0.0,
        };
        let next = || receiver.recv_timeout(Duration::from_secs(5));
        let told = std::iter::from_fn(|| next().ok()).find(|told| matches!(told, Told::Touch(_)));
        assert_eq!(told, Some(Told::Touch(press)));
    }
}
