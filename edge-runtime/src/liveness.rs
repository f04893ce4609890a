//! Whether the face is a living person's: what the checks have found so far.

/// What is known about the face in front of the camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Liveness {
    /// No check is switched on; the screen and the status say so.
    Off,
    /// A check is under way.
    Pending(Prompt),
    /// Every check that is switched on has passed.
    Live,
    /// A check failed: a picture, a display, a mask.
    Refused,
}

/// What the person is to do, or what the screen does, while a check is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Prompt {
    /// Nothing but hold still.
    HoldStill,
    /// Blink.
    Blink,
    /// Turn the head to the left, as seen by the person.
    TurnLeft,
    /// Turn the head to the right.
    TurnRight,
    /// The screen fills with this color (red, green, blue, 0 to 255) around the face.
    Flash([u8; 3]),
}
