//! The person is looked at from five sides: an arrow on the ring says where to, the ring how long still.

use std::time::Duration;

use super::super::control::Control;
use super::super::live::hint_words;
use super::super::painter::{Around, Kit, Painter};
use super::super::preview::Preview;
use super::super::sign::Sign;
use super::super::words::Word;
use crate::desk::view::Pose;
use crate::session::Hint;

/// How far a guided capture is.
pub(super) struct Progress {
    pub(super) pose: Pose,
    pub(super) hint: Option<Hint>,
    pub(super) steps: (usize, usize),
    pub(super) held: f32,
    pub(super) left: Duration,
}

pub(super) fn controls(kit: &Kit) -> Vec<Control> {
    vec![super::cancel(kit, super::below_message(kit, 180.0))]
}

impl Painter<'_> {
    /// Draws the pose asked for and how far it is.
    pub(super) fn guided(
        &mut self,
        preview: Option<&Preview<'_>>,
        name: &str,
        progress: &Progress,
    ) {
        let theme = self.theme;
        let Progress {
            pose,
            hint,
            steps,
            held,
            left,
        } = *progress;
        // Turns from the top, as the person sees themself in the mirror.
        let (word, side) = match pose {
            Pose::Straight => (Word::PoseStraight, None),
            Pose::Up => (Word::PoseUp, Some((0.0, 0))),
            Pose::Right => (Word::PoseRight, Some((0.25, 2))),
            Pose::Down => (Word::PoseDown, Some((0.5, 4))),
            Pose::Left => (Word::PoseLeft, Some((0.75, 6))),
        };
        let around = match side {
            None => Around::Progress(held),
            Some((at, _)) => Around::Side { at, held },
        };
        self.live(preview, around);
        if let Some((at, eighths)) = side {
            self.seal(&Sign::Arrow(eighths), at, theme.text, theme.background);
        }
        let helps = hint.filter(|hint| *hint != Hint::HoldStill);
        // Before it is known who, as when somebody known is looked at first, there is no name to say.
        let second = match helps {
            Some(hint) => Some(self.say(hint_words(hint).0).to_owned()),
            None if name.is_empty() => None,
            None => Some(self.kit.words.fill(Word::GuidedFor, &[("name", name)])),
        };
        let seconds = left.as_millis().div_ceil(1000).to_string();
        let seconds = self
            .kit
            .words
            .fill(Word::GuidedLeft, &[("seconds", &seconds)]);
        let color = if helps.is_some() {
            theme.unknown
        } else {
            theme.text_soft
        };
        let mut parts = vec![self.headline(self.say(word), theme.text, 0.0)];
        parts.extend(second.map(|second| self.sentence(&second, color, 26.0)));
        parts.push(self.note(&seconds, 20.0));
        let end = self.message(&parts);
        if steps.1 > 1 {
            self.pips(end + self.px(24.0), steps);
        }
    }
}
