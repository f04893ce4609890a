//! Judges what a camera sends, from numbers alone: order, gaps, repetition, age, and how long nothing came.
//!
//! What cannot be known from the bytes is not guessed at: whether red and blue are exchanged (`RGB3` sent as `BGR3`)
//! shows in no byte, and a picture upside down is a picture. Whoever installs the camera sees both on the screen.
//! Known are: a length or a JPEG that does not fit the agreed size (see `decode`), and luma and chroma the other way
//! round ([`order`]), unless the scene is grey.

use std::time::Duration;

use super::decode::FrameFault;
use crate::clock::Timestamp;

/// Older frames are never decided on.
pub const STALE: Duration = Duration::from_millis(500);

/// Without a sound frame for so long the stream counts as stalled. Together with the [`PATIENCE`] of one wait it is
/// seen within 1 s.
pub const STALL: Duration = Duration::from_millis(800);

/// The longest wait for one frame: after it the state is looked at again.
pub const PATIENCE: Duration = Duration::from_millis(100);

/// A stamp so far ahead of the clock is no time of this frame.
const AHEAD: Duration = Duration::from_millis(100);

/// So many frames are looked at for the order of luma and chroma after each start.
const LOOKED_AT: u32 = 30;

/// So many of them, and none to the contrary, mean the other way round.
const SWAPPED: u32 = 5;

/// Whether a frame taken at `at` is too old to be decided on.
pub fn is_stale(at: Timestamp, now: Timestamp) -> bool {
    now.since(at) > STALE
}

/// What is known of a frame besides its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The driver's running number, if it counts.
    pub sequence: Option<u32>,
    /// When it was taken, on the clock that `now` is read from; if the driver says so.
    pub taken: Option<Timestamp>,
    /// A digest of its bytes; equal bytes give equal digests.
    pub digest: u64,
}

/// Watches one stream from its start.
#[derive(Clone, Debug)]
pub struct Watch {
    may_repeat: bool,
    stall: Duration,
    begun: Timestamp,
    last_sound: Option<Timestamp>,
    first_frame: Duration,
    last: Option<(Sign, Timestamp)>,
    last_digest: Option<u64>,
    missed: u64,
    looked_at: u32,
    swapped: u32,
}

/// Why a stream gives nothing that could be decided on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stall {
    /// Nothing comes.
    #[error("expected a frame within {} ms, found none; check cable and power of the camera", .0.as_millis())]
    Silent(Duration),
    /// What comes is always the same.
    #[error(
        "expected a picture that changes, found the same one for {} ms; check lens cover and camera", .0.as_millis()
    )]
    Frozen(Duration),
    /// What comes is never sound.
    #[error("expected a sound frame within {} ms, found: {fault}", after.as_millis())]
    Faulty {
        /// How long.
        after: Duration,
        /// What was wrong with the last one.
        fault: FrameFault,
    },
}

impl Watch {
    /// A stream that starts now, of about this many frames a second; its first frame may take as long as `first_frame`.
    ///
    /// `before` is the digest of the last frame before the camera was opened again: one that is frozen does not thaw
    /// by that, and its first frame is no new one.
    pub fn new(
        now: Timestamp,
        frames_per_second: Option<f64>,
        first_frame: Duration,
        may_repeat: bool,
        before: Option<u64>,
    ) -> Self {
        // A camera of one frame in two seconds is slow, not stalled.
        let slow = frames_per_second
            .filter(|rate| (0.01..=10.0).contains(rate))
            .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(2.5 / rate));
        Self {
            may_repeat,
            stall: STALL.max(slow),
            begun: now,
            last_sound: None,
            first_frame: first_frame.max(STALL),
            last: None,
            last_digest: before,
            missed: 0,
            looked_at: 0,
            swapped: 0,
        }
    }

    /// Judges the next frame; returns when it was taken.
    ///
    /// # Errors
    /// [`FrameFault::Duplicate`], [`FrameFault::OutOfTime`] or [`FrameFault::Late`].
    pub fn arrived(&mut self, now: Timestamp, sign: Sign) -> Result<Timestamp, FrameFault> {
        let at = sign.taken.unwrap_or(now);
        let before = self.last.replace((sign, at));
        let repeats = self.last_digest.replace(sign.digest) == Some(sign.digest);
        let repeats = repeats && !self.may_repeat;
        if at.since(now) > AHEAD {
            // Do not hold sound frames against one stamp from the future.
            self.last = before;
            return Err(FrameFault::OutOfTime);
        }
        let Some((last, last_at)) = before else {
            return if repeats {
                Err(FrameFault::Duplicate)
            } else {
                self.in_time(at, now)
            };
        };
        if let (Some(sequence), Some(last)) = (sign.sequence, last.sequence) {
            // Numbers wrap around at 2^32; half the range ahead is behind.
            match sequence.wrapping_sub(last) {
                0 => return Err(FrameFault::Duplicate),
                ahead @ 1..0x8000_0000 => self.missed += u64::from(ahead - 1),
                _ => {
                    return Err(FrameFault::OutOfTime);
                }
            }
        }
        if at < last_at {
            return Err(FrameFault::OutOfTime);
        }
        if repeats {
            return Err(FrameFault::Duplicate);
        }
        self.in_time(at, now)
    }

    /// A frame that was too old when it came would be so when it is decided on; of a recording that says nothing.
    fn in_time(&self, at: Timestamp, now: Timestamp) -> Result<Timestamp, FrameFault> {
        if is_stale(at, now) && !self.may_repeat {
            return Err(FrameFault::Late);
        }
        Ok(at)
    }

    /// The digest of the last frame.
    pub fn last_digest(&self) -> Option<u64> {
        self.last_digest
    }

    /// Notes that a sound frame has come.
    pub fn sound(&mut self, now: Timestamp) {
        self.last_sound = Some(now);
    }

    /// When the last sound frame came.
    pub fn last_sound(&self) -> Option<Timestamp> {
        self.last_sound
    }

    /// Frames that the driver dropped, by its numbers.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether the order of luma and chroma is still looked at.
    pub fn looks_at_order(&self) -> bool {
        self.looked_at < LOOKED_AT || self.swapped >= SWAPPED
    }

    /// Notes what a frame tells about the order of luma and chroma; true once they are known to be the other way round.
    pub fn note_order(&mut self, order: Order) -> bool {
        self.looked_at = self.looked_at.saturating_add(1);
        match order {
            Order::Swapped => self.swapped = self.swapped.saturating_add(1),
            Order::Fits => self.swapped = 0,
            Order::Unknown => {}
        }
        self.swapped >= SWAPPED
    }

    /// Why the stream counts as stalled, if it does; `last_fault` is what was wrong with the last frame, if anything.
    pub fn stalled(&self, now: Timestamp, last_fault: Option<&FrameFault>) -> Option<Stall> {
        let (since, limit) = match self.last_sound {
            Some(last) => (last, self.stall),
            None => (self.begun, self.first_frame.max(self.stall)),
        };
        let after = now.since(since);
        if after < limit {
            return None;
        }
        Some(match last_fault {
            None => Stall::Silent(after),
            Some(FrameFault::Duplicate) => Stall::Frozen(after),
            Some(fault) => Stall::Faulty {
                after,
                fault: fault.clone(),
            },
        })
    }
}

/// Whether luma and chroma are where they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They are.
    Fits,
    /// They are the other way round.
    Swapped,
    /// The picture does not tell: it is grey, flat, or noise.
    Unknown,
}

/// Looks whether each second byte from `luma_at` (0 or 1) on is luma, in rows of packed 4:2:2 pixels.
///
/// Luma is smooth: a pixel is more like its neighbor than like the one after. What is taken for luma but is chroma
/// alternates between blue and red difference: a value is more like the one after next than like the next. Only a
/// colorful picture tells, so [`Order::Unknown`] is the usual answer for a grey one.
pub fn order<'a>(rows: impl Iterator<Item = &'a [u8]>, luma_at: usize) -> Order {
    let (mut luma, mut other) = (Alternation::default(), Alternation::default());
    for row in rows.step_by(8) {
        luma.add(row, luma_at);
        other.add(row, 1 - luma_at);
    }
    match (luma.alternates(), other.alternates()) {
        (Some(false), Some(true)) => Order::Fits,
        (Some(true), Some(false)) => Order::Swapped,
        _ => Order::Unknown,
    }
}

/// How much a sequence differs from itself one and two places on.
#[derive(Default)]
struct Alternation {
    next: u64,
    after_next: u64,
    count: u64,
}

impl Alternation {
    fn add(&mut self, row: &[u8], from: usize) {
        let values: Vec<u8> = row.iter().skip(from).step_by(2).copied().collect();
        for three in values.windows(3) {
            self.next += u64::from(three[0].abs_diff(three[1]));
            self.after_next += u64::from(three[0].abs_diff(three[2]));
            self.count += 1;
        }
    }

    /// Whether it alternates; `None` where the difference is not clear.
    fn alternates(&self) -> Option<bool> {
        if self.count == 0 {
            return None;
        }
        // A mean difference of 4 steps: less is a grey picture's chroma, or noise.
        if self.next >= 4 * self.count && self.next > 2 * self.after_next {
            return Some(true);
        }
        (10 * self.next <= 9 * self.after_next).then_some(false)
    }
}

/// A digest of a frame's bytes, quick and good enough to tell two frames of a sensor apart; no protection against
/// anybody who wants two frames to look alike.
pub fn digest(bytes: &[u8]) -> u64 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut lanes = [bytes.len() as u64, 1, 2, 3];
    let blocks = bytes.chunks_exact(32);
    let rest = blocks.remainder();
    let mix = |lane: &mut u64, part: &[u8]| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        *lane = (*lane ^ u64::from_le_bytes(word))
            .wrapping_mul(SPREAD)
            .rotate_left(29);
    };
    for block in blocks {
        for (lane, part) in lanes.iter_mut().zip(block.chunks_exact(8)) {
            mix(lane, part);
        }
    }
    for part in rest.chunks(8) {
        mix(&mut lanes[0], part);
    }
    lanes.iter().fold(0, |all, lane| {
        (all ^ lane).wrapping_mul(SPREAD).rotate_left(31)
    })
}

#[cfg(test)]
mod tests;
