//! The sign of each state: its meaning in a shape, so that nobody has to tell colors apart.

use embedded_graphics::pixelcolor::Rgb888;

use super::canvas::Canvas;
use super::shape::{Arc, Disc, Line, Outline, RoundRect, Triangle};
use super::text::{Fonts, Paragraph, Typeface};
use super::theme;

/// A round sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sign {
    /// Done and well: a check mark on a full disc.
    Check,
    /// Not known: a question mark on a full disc.
    Question,
    /// Under way: a ring filled up to `progress`, 0 to 1, around a face.
    Looking { progress: f32 },
    /// Under way, counted: the same ring around `done` of `wanted`.
    Counting { done: usize, wanted: usize },
    /// Come closer: a ring around chevrons that point to the camera.
    Closer,
    /// Broken: an exclamation mark in a triangle.
    Alert,
}

impl Sign {
    /// Draws the sign into the circle around `center`.
    pub(super) fn draw(&self, canvas: &mut Canvas, fonts: &Fonts, center: (f32, f32), radius: f32) {
        let disc = Disc {
            x: center.0,
            y: center.1,
            radius,
        };
        match self {
            Self::Check => {
                halo(canvas, disc, theme::ACCENT);
                check(canvas, disc, theme::BACKGROUND);
            }
            Self::Question => {
                halo(canvas, disc, theme::UNKNOWN);
                let size_px = radius * 1.24;
                let mark = Paragraph {
                    typeface: Typeface::Display,
                    size_px,
                    lines: vec!["?".to_owned()],
                };
                let top = center.1 - Fonts::CAPITALS * size_px / 2.0;
                fonts.draw(canvas, &mark, center.0, top, 0.5, theme::BACKGROUND);
            }
            Self::Looking { progress } => {
                ring(canvas, disc, *progress);
                face(
                    canvas,
                    Disc {
                        radius: radius * 0.52,
                        ..disc
                    },
                    theme::TEXT,
                );
            }
            Self::Counting { done, wanted } => {
                ring(canvas, disc, *done as f32 / (*wanted).max(1) as f32);
                let size_px = radius * 0.62;
                let count = Paragraph {
                    typeface: Typeface::Display,
                    size_px,
                    lines: vec![format!("{done}/{wanted}")],
                };
                let top = center.1 - Fonts::CAPITALS * size_px / 2.0;
                fonts.draw(canvas, &count, center.0, top, 0.5, theme::TEXT);
            }
            Self::Closer => {
                ring(canvas, disc, 0.0);
                for (row, opacity) in [(-0.30, 1.0), (0.04, 0.75), (0.38, 0.5)] {
                    chevron(
                        canvas,
                        (center.0, center.1 + row * radius),
                        radius * 0.34,
                        opacity,
                    );
                }
            }
            Self::Alert => {
                let triangle = Triangle {
                    x: center.0,
                    y: center.1 + radius * 0.16,
                    reach: radius * 1.06,
                    radius: radius * 0.16,
                };
                canvas.fill(&triangle, theme::FAULT, 1.0);
                let (x, y) = center;
                let bar = Line {
                    from: (x, y - radius * 0.28),
                    to: (x, y + radius * 0.16),
                    width: radius * 0.17,
                };
                canvas.fill(&bar, theme::BACKGROUND, 1.0);
                canvas.fill(
                    &Disc {
                        x,
                        y: y + radius * 0.44,
                        radius: radius * 0.105,
                    },
                    theme::BACKGROUND,
                    1.0,
                );
            }
        }
    }
}

/// A friendly face in `head`: two eyes and a smile.
pub(super) fn face(canvas: &mut Canvas, head: Disc, color: Rgb888) {
    let radius = head.radius;
    for side in [-1.0, 1.0] {
        let x = head.x + side * radius * 0.48;
        let eye = Line {
            from: (x, head.y - radius * 0.50),
            to: (x, head.y - radius * 0.28),
            width: radius * 0.21,
        };
        canvas.fill(&eye, color, 1.0);
    }
    let smile = Arc {
        circle: Disc {
            x: head.x,
            y: head.y - radius * 0.08,
            radius: radius * 0.66,
        },
        from: 0.5 - 0.155,
        turns: 0.31,
        width: radius * 0.19,
    };
    canvas.fill(&smile, color, 1.0);
}

/// Usher's own mark: a face in a viewfinder.
pub(super) fn mark(canvas: &mut Canvas, disc: Disc, color: Rgb888) {
    let Disc { x, y, radius } = disc;
    let frame = RoundRect {
        left: x - radius,
        top: y - radius,
        width: 2.0 * radius,
        height: 2.0 * radius,
        radius: radius * 0.62,
    };
    let corners = super::shape::Corners {
        outline: Outline {
            of: frame,
            width: radius * 0.16,
        },
        reach: radius * 0.66,
    };
    canvas.fill(&corners, color, 1.0);
    face(
        canvas,
        Disc {
            x,
            y: y + radius * 0.03,
            radius: radius * 0.64,
        },
        color,
    );
}

fn halo(canvas: &mut Canvas, disc: Disc, color: Rgb888) {
    canvas.fill(
        &Disc {
            radius: disc.radius * 1.16,
            ..disc
        },
        color,
        0.18,
    );
    canvas.fill(&disc, color, 1.0);
}

fn check(canvas: &mut Canvas, disc: Disc, color: Rgb888) {
    let at = |x: f32, y: f32| (disc.x + x * disc.radius, disc.y + y * disc.radius);
    let width = disc.radius * 0.19;
    canvas.fill(
        &Line {
            from: at(-0.40, 0.03),
            to: at(-0.11, 0.32),
            width,
        },
        color,
        1.0,
    );
    canvas.fill(
        &Line {
            from: at(-0.11, 0.32),
            to: at(0.42, -0.28),
            width,
        },
        color,
        1.0,
    );
}

fn chevron(canvas: &mut Canvas, (x, y): (f32, f32), half: f32, opacity: f32) {
    for side in [-1.0, 1.0] {
        let flank = Line {
            from: (x, y - half * 0.5),
            to: (x + side * half, y + half * 0.35),
            width: half * 0.34,
        };
        canvas.fill(&flank, theme::TEXT, opacity);
    }
}

fn ring(canvas: &mut Canvas, disc: Disc, progress: f32) {
    let width = disc.radius * 0.135;
    let circle = Disc {
        radius: disc.radius - width / 2.0,
        ..disc
    };
    canvas.fill(&Outline { of: circle, width }, theme::LINE, 1.0);
    let turns = progress.clamp(0.0, 1.0);
    if turns > 0.0 {
        canvas.fill(
            &Arc {
                circle,
                from: 0.0,
                turns,
                width,
            },
            theme::ACCENT,
            1.0,
        );
    }
}
