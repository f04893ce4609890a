//! A touch panel: its axes become places on the screen. Nothing here knows a device.

use std::time::Duration;

use super::{Input, Told};
use crate::clock::Timestamp;

/// How long the corner is held to ask for the desk.
pub const LONG_PRESS: Duration = Duration::from_secs(2);
/// Side of the corner, as a share of the screen's shorter side.
const CORNER: f32 = 0.15;

/// Event types and codes of Linux.
mod code {
    pub(super) const SYN: u16 = 0;
    pub(super) const KEY: u16 = 1;
    pub(super) const ABS: u16 = 3;
    pub(super) const SYN_REPORT: u16 = 0;
    pub(super) const SYN_DROPPED: u16 = 3;
    pub(super) const BTN_LEFT: u16 = 0x110;
    pub(super) const BTN_TOUCH: u16 = 0x14a;
    pub(super) const ABS_X: u16 = 0x00;
    pub(super) const ABS_Y: u16 = 0x01;
    pub(super) const SLOT: u16 = 0x2f;
    pub(super) const FINGER_X: u16 = 0x35;
    pub(super) const FINGER_Y: u16 = 0x36;
    pub(super) const FINGER: u16 = 0x39;
}

/// What a finger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It comes down.
    Press,
    /// It moves.
    Move,
    /// It goes up: what lies below was chosen.
    Release,
    /// It is no longer of interest: nothing was chosen.
    Cancel,
}

/// A finger on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// What it does.
    pub phase: Phase,
    /// From the left of the picture, in its pixels.
    pub x: f32,
    /// From its top.
    pub y: f32,
}

/// How the picture is turned on the panel, clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Not at all.
    #[default]
    Upright,
    /// Its top is at the panel's right.
    Quarter,
    /// Its top is at the panel's bottom.
    Half,
    /// Its top is at the panel's left.
    ThreeQuarters,
}

impl Turn {
    /// From degrees clockwise: 0, 90, 180 or 270.
    pub fn from_degrees(degrees: u32) -> Option<Self> {
        match degrees {
            0 => Some(Self::Upright),
            90 => Some(Self::Quarter),
            180 => Some(Self::Half),
            270 => Some(Self::ThreeQuarters),
            _ => None,
        }
    }
}

/// The picture on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Its width as a person sees it, in pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// How it is turned on the panel.
    pub turn: Turn,
}

/// An axis of a panel: its least and greatest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// At the left or the top.
    pub least: i32,
    /// At the right or the bottom.
    pub most: i32,
}

impl Axis {
    /// Where a value lies, 0 to 1.
    fn share(self, value: i32) -> f32 {
        let range = (i64::from(self.most) - i64::from(self.least)).max(1);
        let place = i64::from(value) - i64::from(self.least);
        (place as f32 / range as f32).clamp(0.0, 1.0)
    }
}

/// Which events of a panel tell where the finger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `ABS_X`, `ABS_Y` and `BTN_TOUCH` (or a tablet's left button).
    Single,
    /// Slots of `ABS_MT_*`: the first slot's finger counts.
    Slots,
}

/// The state of one panel.
#[derive(Clone, Debug)]
pub struct Panel {
    picture: Picture,
    protocol: Protocol,
    axes: (Axis, Axis),
    raw: (i32, i32),
    slot: i32,
    is_down: bool,
    /// What was told last of a finger that is down: where it is, and whether the corner is still being held.
    told: Option<Finger>,
}

#[derive(Clone, Copy, Debug)]
struct Finger {
    x: f32,
    y: f32,
    corner_since: Option<Timestamp>,
    /// It has asked for the desk, and means nothing more.
    is_done: bool,
}

impl Panel {
    /// A panel with these horizontal and vertical axes, nothing touching it.
    pub fn new(picture: Picture, protocol: Protocol, axes: (Axis, Axis)) -> Self {
        Self {
            picture,
            protocol,
            axes,
            raw: (axes.0.least, axes.1.least),
            slot: 0,
            is_down: false,
            told: None,
        }
    }

    /// Takes an event: its type, code and value as Linux numbers them.
    pub fn event(&mut self, now: Timestamp, kind: u16, code: u16, value: i32) -> Option<Told> {
        use Protocol::{Single, Slots};
        match (kind, code, self.protocol) {
            (code::SYN, code::SYN_REPORT, _) => return self.report(now),
            // Events were lost: the finger may be anywhere.
            (code::SYN, code::SYN_DROPPED, _) => return self.reset(),
            (code::KEY, code::BTN_TOUCH | code::BTN_LEFT, Single) => self.is_down = value != 0,
            (code::ABS, code::ABS_X, Single) => self.raw.0 = value,
            (code::ABS, code::ABS_Y, Single) => self.raw.1 = value,
            (code::ABS, code::SLOT, Slots) => self.slot = value,
            (code::ABS, code::FINGER, Slots) if self.slot == 0 => self.is_down = value >= 0,
            (code::ABS, code::FINGER_X, Slots) if self.slot == 0 => self.raw.0 = value,
            (code::ABS, code::FINGER_Y, Slots) if self.slot == 0 => self.raw.1 = value,
            _ => {}
        }
        None
    }

    /// Time passes: the corner may have been held for long enough.
    pub fn tick(&mut self, now: Timestamp) -> Option<Told> {
        let finger = self.told.as_mut()?;
        let since = finger.corner_since?;
        if now.since(since) < LONG_PRESS {
            return None;
        }
        (finger.corner_since, finger.is_done) = (None, true);
        Some(Told::Input(Input::Operator))
    }

    /// The panel is gone, or events of it.
    pub fn reset(&mut self) -> Option<Told> {
        self.is_down = false;
        let finger = self.told.take()?;
        (!finger.is_done).then(|| touch(Phase::Cancel, finger.x, finger.y))
    }

    fn report(&mut self, now: Timestamp) -> Option<Told> {
        let (x, y) = self.place();
        match (self.is_down, &mut self.told) {
            (false, None) => None,
            (false, Some(_)) => {
                let finger = self.told.take()?;
                // It goes up where it was last: many panels jump at the end.
                (!finger.is_done).then(|| touch(Phase::Release, finger.x, finger.y))
            }
            (true, None) => {
                self.told = Some(Finger {
                    x,
                    y,
                    corner_since: self.is_corner(x, y).then_some(now),
                    is_done: false,
                });
                Some(touch(Phase::Press, x, y))
            }
            (true, Some(finger)) => {
                let has_moved = (finger.x, finger.y) != (x, y);
                (finger.x, finger.y) = (x, y);
                let is_done = finger.is_done;
                if !self.is_corner(x, y)
                    && let Some(finger) = &mut self.told
                {
                    finger.corner_since = None;
                }
                (has_moved && !is_done).then(|| touch(Phase::Move, x, y))
            }
        }
    }

    /// Where the finger is in the picture, in pixels.
    fn place(&self) -> (f32, f32) {
        let across = self.axes.0.share(self.raw.0);
        let down = self.axes.1.share(self.raw.1);
        let (x, y) = match self.picture.turn {
            Turn::Upright => (across, down),
            Turn::Quarter => (down, 1.0 - across),
            Turn::Half => (1.0 - across, 1.0 - down),
            Turn::ThreeQuarters => (1.0 - down, across),
        };
        let scaled = |share: f32, side: u32| share * side.saturating_sub(1) as f32;
        (
            scaled(x, self.picture.width),
            scaled(y, self.picture.height),
        )
    }

    /// The upper left corner, where no key of a keyboard on the screen lies.
    fn is_corner(&self, x: f32, y: f32) -> bool {
        let side = CORNER * self.picture.width.min(self.picture.height) as f32;
        x <= side && y <= side
    }
}

fn touch(phase: Phase, x: f32, y: f32) -> Told {
    Told::Touch(Touch { phase, x, y })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: (Axis, Axis) = (
        Axis {
            least: 0,
            most: 4095,
        },
        Axis {
            least: 0,
            most: 4095,
        },
    );

    fn picture(turn: Turn) -> Picture {
        let (width, height) = match turn {
            Turn::Upright | Turn::Half => (800, 480),
            Turn::Quarter | Turn::ThreeQuarters => (480, 800),
        };
        Picture {
            width,
            height,
            turn,
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// What events (type, code, value) tell.
    fn told(panel: &mut Panel, now: Timestamp, events: &[(u16, u16, i32)]) -> Vec<Told> {
        let told = events
            .iter()
            .filter_map(|&(kind, code, value)| panel.event(now, kind, code, value));
        told.collect()
    }

    const DOWN: (u16, u16, i32) = (1, 0x14a, 1);
    const UP: (u16, u16, i32) = (1, 0x14a, 0);
    const REPORT: (u16, u16, i32) = (0, 0, 0);

    fn x(value: i32) -> (u16, u16, i32) {
        (3, 0, value)
    }

    fn y(value: i32) -> (u16, u16, i32) {
        (3, 1, value)
    }

    #[test]
    fn places_are_scaled_and_turned() {
        for (turn, raw, expected) in [
            (Turn::Upright, (0, 0), (0.0, 0.0)),
            (Turn::Upright, (4095, 4095), (799.0, 479.0)),
            (Turn::Upright, (4095, 0), (799.0, 0.0)),
            (Turn::Quarter, (4095, 0), (0.0, 0.0)),
            (Turn::Quarter, (4095, 4095), (479.0, 0.0)),
            (Turn::Half, (4095, 4095), (0.0, 0.0)),
            (Turn::Half, (0, 4095), (799.0, 0.0)),
            (Turn::ThreeQuarters, (0, 4095), (0.0, 0.0)),
            (Turn::ThreeQuarters, (0, 0), (479.0, 0.0)),
            (Turn::Upright, (9000, -50), (799.0, 0.0)),
        ] {
            let mut panel = Panel::new(picture(turn), Protocol::Single, AXES);
            let events = [x(raw.0), y(raw.1), DOWN, REPORT];
            let expected = touch(Phase::Press, expected.0, expected.1);
            assert_eq!(
                told(&mut panel, at(0), &events),
                [expected],
                "{turn:?} {raw:?}"
            );
        }
    }

    #[test]
    fn a_tap_and_a_drag() {
        let mut panel = Panel::new(picture(Turn::Upright), Protocol::Single, AXES);
        let events = [
            x(2048),
            y(2048),
            DOWN,
            REPORT,
            REPORT,
            x(4095),
            REPORT,
            // A last jump with the finger's end does not move what is chosen.
            x(0),
            UP,
            REPORT,
            REPORT,
        ];
        let phases: Vec<_> = told(&mut panel, at(0), &events)
            .into_iter()
            .map(|told| match told {
                Told::Touch(touch) => (touch.phase, touch.x.round()),
                Told::Input(_) => panic!("{told:?}"),
            })
            .collect();
        assert_eq!(
            phases,
            [
                (Phase::Press, 400.0),
                (Phase::Move, 799.0),
                (Phase::Release, 799.0)
            ]
        );
    }

    #[test]
    fn the_first_of_several_fingers_counts() {
        let mut panel = Panel::new(picture(Turn::Upright), Protocol::Slots, AXES);
        let events = [
            (3, 0x2f, 0),
            (3, 0x39, 17),
            (3, 0x35, 0),
            (3, 0x36, 4095),
            REPORT,
            (3, 0x2f, 1),
            (3, 0x39, 18),
            (3, 0x35, 4095),
            REPORT,
            (3, 0x39, -1),
            REPORT,
            (3, 0x2f, 0),
            (3, 0x39, -1),
            REPORT,
        ];
        assert_eq!(
            told(&mut panel, at(0), &events),
            [
                touch(Phase::Press, 0.0, 479.0),
                touch(Phase::Release, 0.0, 479.0)
            ]
        );
    }

    #[test]
    fn the_corner_held_asks_for_the_desk() {
        let operator = Some(Told::Input(Input::Operator));
        let mut panel = Panel::new(picture(Turn::Upright), Protocol::Single, AXES);
        told(&mut panel, at(0), &[x(100), y(100), DOWN, REPORT]);
        assert_eq!(panel.tick(at(1999)), None);
        // A finger trembles.
        told(&mut panel, at(1999), &[x(120), REPORT]);
        assert_eq!(panel.tick(at(2000)), operator);
        assert_eq!(panel.tick(at(9000)), None, "once");
        let end = told(&mut panel, at(9000), &[x(90), REPORT, UP, REPORT]);
        assert_eq!(end, [], "and means nothing more");
        for (name, events) in [
            ("elsewhere", vec![x(2000), y(100), DOWN, REPORT]),
            (
                "moved out",
                vec![x(100), y(100), DOWN, REPORT, x(2000), REPORT],
            ),
            (
                "moved out and back",
                vec![
                    x(100),
                    y(100),
                    DOWN,
                    REPORT,
                    x(2000),
                    REPORT,
                    x(100),
                    REPORT,
                ],
            ),
            ("let go", vec![x(100), y(100), DOWN, REPORT, UP, REPORT]),
        ] {
            let mut panel = Panel::new(picture(Turn::Upright), Protocol::Single, AXES);
            told(&mut panel, at(0), &events);
            assert_eq!(panel.tick(at(5000)), None, "{name}");
        }
    }

    #[test]
    fn lost_events_choose_nothing() {
        let mut panel = Panel::new(picture(Turn::Upright), Protocol::Single, AXES);
        let events = [x(4095), y(4095), DOWN, REPORT, (0, 3, 0), UP, REPORT];
        assert_eq!(
            told(&mut panel, at(0), &events),
            [
                touch(Phase::Press, 799.0, 479.0),
                touch(Phase::Cancel, 799.0, 479.0)
            ]
        );
    }
}
