//! Where the preview looks: at the face, calmly, so that a person far away is seen as large as one near by.

use shared::geometry::Rect;

use crate::presence::Continuity;

/// Share of the way to the face that the view moves with each frame: a second to settle at 10 frames a second.
const PACE: f32 = 0.25;

/// The view that follows the face.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    focus: Option<Rect>,
}

impl Framing {
    /// Takes this frame's face and how it continues the one before; returns what to look at, in frame pixels.
    ///
    /// A new face is looked at at once, a known one followed softly, and a lost one waited for where it was.
    pub fn follow(&mut self, face: Option<Rect>, continuity: Continuity) -> Option<Rect> {
        self.focus = match (self.focus, face, continuity) {
            (Some(focus), Some(face), Continuity::Same) => Some(towards(focus, face)),
            (_, Some(face), _) => Some(face),
            (focus, None, Continuity::Paused) => focus,
            (_, None, _) => None,
        };
        self.focus
    }
}

fn towards(from: Rect, to: Rect) -> Rect {
    let step = |from: f32, to: f32| from + PACE * (to - from);
    Rect {
        left: step(from.left, to.left),
        top: step(from.top, to.top),
        width: step(from.width, to.width),
        height: step(from.height, to.height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(left: f32) -> Option<Rect> {
        Some(Rect {
            left,
            top: 0.0,
            width: 100.0,
            height: 100.0,
        })
    }

    #[test]
    fn table_of_views() {
        let mut framing = Framing::default();
        for (name, face, continuity, expected) in [
            ("nobody", None, Continuity::Absent, None),
            (
                "somebody comes",
                square(100.0),
                Continuity::New,
                square(100.0),
            ),
            ("and moves", square(140.0), Continuity::Same, square(110.0)),
            ("and is lost", None, Continuity::Paused, square(110.0)),
            ("and found", square(110.0), Continuity::Same, square(110.0)),
            (
                "somebody else",
                square(500.0),
                Continuity::New,
                square(500.0),
            ),
            ("nobody again", None, Continuity::Absent, None),
        ] {
            assert_eq!(framing.follow(face, continuity), expected, "{name}");
        }
    }
}
