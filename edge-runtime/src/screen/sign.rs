//! The signs: each meaning in a shape, so that nobody has to tell colors apart.

use embedded_graphics::pixelcolor::Rgb888;

use super::painter::Painter;
use super::shape::{Arc, Corners, Disc, Line, Outline, Ring, RoundRect, Triangle};
use super::text::{Fonts, Typeface};

/// What is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// Done and well.
    Check,
    /// Not known.
    Question,
    /// Towards the camera.
    Closer,
    /// Away from it.
    Back,
    /// To the middle of the picture.
    Middle,
    /// Look here: an eye.
    Eye,
    /// Blink: a closed eye.
    ClosedEye,
    /// Light, more or less of it.
    Sun,
    /// The same crossed out.
    NoSun,
    /// A face with something before it.
    Covered,
    /// An arrow that points so many turns from the top, in eighths.
    Arrow(u8),
    /// A picture is being recorded.
    Record,
    /// Broken.
    Alert,
    /// Whoever looks after the device: a key.
    Key,
    /// A shield that is crossed out: a check is off.
    NoShield,
    /// A clock.
    Clock,
    /// The last letter is taken back.
    Backspace,
    /// Capitals.
    Shift,
}

impl Painter<'_> {
    /// Draws `sign` in `color` into `disc`, which it fills by about two thirds.
    pub(super) fn sign(&mut self, sign: &Sign, disc: Disc, color: Rgb888) {
        let Disc { x, y, radius } = disc;
        let at = |dx: f32, dy: f32| (x + dx * radius, y + dy * radius);
        let stroke = radius * 0.15;
        let place = |dx: f32, dy: f32, share: f32| Disc {
            x: x + dx * radius,
            y: y + dy * radius,
            radius: share * radius,
        };
        let line = |from, to| Line {
            from,
            to,
            width: stroke,
        };
        match sign {
            Sign::Check => {
                let width = radius * 0.18;
                for (from, to) in [
                    ((-0.40, 0.03), (-0.11, 0.32)),
                    ((-0.11, 0.32), (0.42, -0.28)),
                ] {
                    let (from, to) = (at(from.0, from.1), at(to.0, to.1));
                    self.fill(Line { from, to, width }, color, 1.0);
                }
            }
            Sign::Question => {
                let mark = self.kit.fonts.line("?", Typeface::Display, radius * 1.24);
                let top = y - Fonts::CAPITALS * mark.size_px / 2.0;
                self.text(&mark, (x, top), 0.5, color);
            }
            Sign::Closer | Sign::Back => {
                let down = if *sign == Sign::Closer { 1.0 } else { -1.0 };
                for row in [-0.20, 0.28] {
                    for side in [-1.0, 1.0] {
                        let (from, to) = (
                            at(0.0, (row - 0.20) * down),
                            at(side * 0.42, (row + 0.16) * down),
                        );
                        self.fill(line(from, to), color, 1.0);
                    }
                }
            }
            Sign::Middle => {
                self.fill(place(0.0, 0.0, 0.15), color, 1.0);
                for side in [-1.0, 1.0] {
                    for end in [-0.34, 0.34] {
                        let (from, to) = (at(side * 0.34, 0.0), at(side * 0.66, end));
                        self.fill(line(from, to), color, 1.0);
                    }
                }
            }
            Sign::Eye => {
                // Two lids whose circles meet in the corners of the eye.
                for (middle, dy) in [(0.0, 0.34), (0.5, -0.34)] {
                    let lid = Arc::new(place(0.0, dy, 0.69), middle - 0.168, 0.336, stroke);
                    self.fill(lid, color, 1.0);
                }
                self.fill(place(0.0, 0.0, 0.17), color, 1.0);
            }
            Sign::ClosedEye => {
                let lid = Arc::new(place(0.0, -0.42, 0.70), 0.34, 0.32, stroke);
                self.fill(lid, color, 1.0);
                for (from, to) in [
                    ((0.0, 0.28), (0.0, 0.52)),
                    ((-0.34, 0.19), (-0.47, 0.39)),
                    ((0.34, 0.19), (0.47, 0.39)),
                ] {
                    self.fill(line(at(from.0, from.1), at(to.0, to.1)), color, 1.0);
                }
            }
            Sign::Sun | Sign::NoSun => {
                self.fill(place(0.0, 0.0, 0.24), color, 1.0);
                for turn in 0..8 {
                    let turns = turn as f32 / 8.0;
                    let (from, to) = (
                        place(0.0, 0.0, 0.42).at(turns),
                        place(0.0, 0.0, 0.56).at(turns),
                    );
                    self.fill(line(from, to), color, 1.0);
                }
                if *sign == Sign::NoSun {
                    self.fill(line(at(-0.5, 0.5), at(0.5, -0.5)), color, 1.0);
                }
            }
            Sign::Covered => {
                let circle = place(0.0, 0.0, 0.52);
                self.fill(
                    Ring {
                        circle,
                        width: stroke,
                    },
                    color,
                    1.0,
                );
                for side in [-1.0, 1.0] {
                    self.fill(place(side * 0.2, -0.18, 0.08), color, 1.0);
                    let strap = Line {
                        from: at(side * 0.46, 0.0),
                        to: at(side * 0.22, 0.14),
                        width: radius * 0.09,
                    };
                    self.fill(strap, color, 1.0);
                }
                let mask = RoundRect {
                    left: x - 0.27 * radius,
                    top: y + 0.02 * radius,
                    width: 0.54 * radius,
                    height: 0.36 * radius,
                    radius: 0.14 * radius,
                };
                self.fill(mask, color, 1.0);
            }
            Sign::Arrow(eighths) => {
                let turns = f32::from(*eighths) / 8.0;
                let tip = place(0.0, 0.0, 0.50).at(turns);
                let tail = place(0.0, 0.0, 0.46).at(turns + 0.5);
                self.fill(line(tail, tip), color, 1.0);
                for side in [-1.0, 1.0] {
                    let flank = Disc {
                        x: tip.0,
                        y: tip.1,
                        radius: radius * 0.46,
                    }
                    .at(turns + 0.5 + side * 0.125);
                    self.fill(line(tip, flank), color, 1.0);
                }
            }
            Sign::Record => self.fill(place(0.0, 0.0, 0.42), color, 1.0),
            Sign::Alert => {
                let bar = Line {
                    from: at(0.0, -0.44),
                    to: at(0.0, 0.08),
                    width: radius * 0.18,
                };
                self.fill(bar, color, 1.0);
                self.fill(place(0.0, 0.42, 0.12), color, 1.0);
            }
            Sign::Key => {
                let circle = place(-0.30, 0.0, 0.26);
                self.fill(
                    Ring {
                        circle,
                        width: stroke,
                    },
                    color,
                    1.0,
                );
                for (from, to) in [
                    ((-0.04, 0.0), (0.60, 0.0)),
                    ((0.56, 0.0), (0.56, 0.24)),
                    ((0.32, 0.0), (0.32, 0.18)),
                ] {
                    self.fill(line(at(from.0, from.1), at(to.0, to.1)), color, 1.0);
                }
            }
            Sign::NoShield => {
                for (from, to) in [
                    ((-0.42, -0.42), (0.42, -0.42)),
                    ((-0.42, -0.42), (-0.42, 0.06)),
                    ((0.42, -0.42), (0.42, 0.06)),
                    ((-0.42, 0.06), (0.0, 0.58)),
                    ((0.42, 0.06), (0.0, 0.58)),
                    ((-0.62, 0.62), (0.62, -0.62)),
                ] {
                    self.fill(line(at(from.0, from.1), at(to.0, to.1)), color, 1.0);
                }
            }
            Sign::Clock => {
                let circle = place(0.0, 0.0, 0.56);
                self.fill(
                    Ring {
                        circle,
                        width: stroke,
                    },
                    color,
                    1.0,
                );
                self.fill(line(at(0.0, -0.30), at(0.0, 0.02)), color, 1.0);
                self.fill(line(at(0.0, 0.02), at(0.24, 0.16)), color, 1.0);
            }
            Sign::Backspace => {
                for (from, to) in [
                    ((-0.66, 0.0), (-0.28, -0.42)),
                    ((-0.66, 0.0), (-0.28, 0.42)),
                    ((-0.28, -0.42), (0.62, -0.42)),
                    ((-0.28, 0.42), (0.62, 0.42)),
                    ((0.62, -0.42), (0.62, 0.42)),
                    ((-0.04, -0.17), (0.30, 0.17)),
                    ((-0.04, 0.17), (0.30, -0.17)),
                ] {
                    self.fill(line(at(from.0, from.1), at(to.0, to.1)), color, 1.0);
                }
            }
            Sign::Shift => {
                for (from, to) in [
                    ((0.0, -0.50), (-0.52, 0.02)),
                    ((0.0, -0.50), (0.52, 0.02)),
                    ((-0.52, 0.02), (-0.22, 0.02)),
                    ((0.52, 0.02), (0.22, 0.02)),
                    ((-0.22, 0.02), (-0.22, 0.46)),
                    ((0.22, 0.02), (0.22, 0.46)),
                    ((-0.22, 0.46), (0.22, 0.46)),
                ] {
                    self.fill(line(at(from.0, from.1), at(to.0, to.1)), color, 1.0);
                }
            }
        }
    }

    /// A warning triangle in `disc`.
    pub(super) fn warning(&mut self, disc: Disc) {
        let Disc { x, y, radius } = disc;
        let triangle = Triangle {
            x,
            y: y + radius * 0.16,
            reach: radius * 1.06,
            radius: radius * 0.16,
        };
        let (color, mark) = (self.theme.fault, self.theme.on_signal);
        self.fill(triangle, color, 1.0);
        let inner = Disc {
            x,
            y: y + radius * 0.12,
            radius: radius * 0.84,
        };
        self.sign(&Sign::Alert, inner, mark);
    }

    /// A friendly face in `head`: two eyes and a smile.
    pub(super) fn face(&mut self, head: Disc, color: Rgb888) {
        let radius = head.radius;
        for side in [-1.0, 1.0] {
            let x = head.x + side * radius * 0.48;
            let eye = Line {
                from: (x, head.y - radius * 0.50),
                to: (x, head.y - radius * 0.28),
                width: radius * 0.21,
            };
            self.fill(eye, color, 1.0);
        }
        let circle = Disc {
            x: head.x,
            y: head.y - radius * 0.08,
            radius: radius * 0.66,
        };
        self.fill(
            Arc::new(circle, 0.5 - 0.155, 0.31, radius * 0.19),
            color,
            1.0,
        );
    }

    /// Usher's own mark: a face in a viewfinder.
    pub(super) fn mark(&mut self, disc: Disc, color: Rgb888) {
        let Disc { x, y, radius } = disc;
        let of = RoundRect {
            left: x - radius,
            top: y - radius,
            width: 2.0 * radius,
            height: 2.0 * radius,
            radius: radius * 0.62,
        };
        let corners = Corners {
            outline: Outline {
                of,
                width: radius * 0.16,
            },
            reach: radius * 0.66,
        };
        self.fill(corners, color, 1.0);
        let head = Disc {
            x,
            y: y + radius * 0.03,
            radius: radius * 0.64,
        };
        self.face(head, color);
    }
}
